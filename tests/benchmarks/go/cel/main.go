// Command cel answers two questions about the API server's own CEL libraries, for tests of another engine:
// "record" evaluates expressions read from standard input, and "bench" measures expressions over objects.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
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

// newEnv returns the environment of a Kubernetes version, or for "" that of plain CEL with every extension,
// with variables of the given types.
func newEnv(kubernetes string, variables map[string]string) (*cel.Env, error) {
	env, err := baseEnv(kubernetes)
	if err != nil {
		return nil, err
	}
	var options []cel.EnvOption
	for name, kind := range variables {
		options = append(options, cel.Variable(name, celType(kind)))
	}
	return env.Extend(options...)
}

func baseEnv(kubernetes string) (*cel.Env, error) {
	if kubernetes == "" {
		return cel.NewEnv(
			cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true), cel.EagerlyValidateDeclarations(true),
			cel.EnableMacroCallTracking(), cel.DefaultUTCTimeZone(true),
			ext.Strings(), ext.Math(), ext.Encoders(), ext.Sets(), ext.Lists(), ext.Bindings(), ext.Protos(),
			ext.TwoVarComprehensions(), ext.Regex(),
		)
	}
	set := environment.MustBaseEnvSet(version.MustParseGeneric(kubernetes))
	return set.Env(environment.NewExpressions)
}

var simpleTypes = map[string]*cel.Type{
	"int": cel.IntType, "uint": cel.UintType, "string": cel.StringType, "double": cel.DoubleType,
	"bool": cel.BoolType, "bytes": cel.BytesType, "null_type": cel.NullType, "any": cel.AnyType,
	"timestamp": cel.TimestampType, "duration": cel.DurationType, "type": cel.TypeType,
}

// celType reads a type such as "map(string, list(int))"; what is not known is dyn.
func celType(text string) *cel.Type {
	name, rest, nested := strings.Cut(text, "(")
	if !nested {
		if known, ok := simpleTypes[text]; ok {
			return known
		}
		return cel.DynType
	}
	var args []*cel.Type
	depth, from := 0, 0
	inner := strings.TrimSuffix(rest, ")") + ","
	for at, char := range inner {
		switch {
		case char == '(':
			depth++
		case char == ')':
			depth--
		case char == ',' && depth == 0:
			args = append(args, celType(strings.TrimSpace(inner[from:at])))
			from = at + 1
		}
	}
	switch name {
	case "list":
		return cel.ListType(args[0])
	case "map":
		return cel.MapType(args[0], args[1])
	case "optional_type":
		return cel.OptionalType(args[0])
	case "wrapper":
		return cel.NullableType(args[0])
	}
	return cel.DynType
}
