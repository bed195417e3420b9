// Command cel answers two questions about the API server's own CEL libraries, for tests of another engine:
// "record" evaluates expressions read from standard input, and "bench" measures expressions over objects.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: cel record|bench")
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "record":
		err = record(json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout))
	case "bench":
		err = bench(json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout))
	default:
		err = fmt.Errorf("expected record or bench, found %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// newEnv returns the environment of a Kubernetes version with variables of the given types.
func newEnv(kubernetes string, variables map[string]string) (*cel.Env, error) {
	set := environment.MustBaseEnvSet(version.MustParseGeneric(kubernetes))
	env, err := set.Env(environment.NewExpressions)
	if err != nil {
		return nil, err
	}
	var options []cel.EnvOption
	for name, kind := range variables {
		options = append(options, cel.Variable(name, celType(kind)))
	}
	return env.Extend(options...)
}

func celType(name string) *cel.Type {
	switch name {
	case "int":
		return cel.IntType
	case "uint":
		return cel.UintType
	case "string":
		return cel.StringType
	case "double":
		return cel.DoubleType
	case "list(string)":
		return cel.ListType(cel.StringType)
	case "map(string, dyn)":
		return cel.MapType(cel.StringType, cel.DynType)
	}
	return cel.DynType
}
