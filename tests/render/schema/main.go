// Command schema prints what kustomize knows of built-in kinds: the definitions of its
// embedded OpenAPI document, and which kinds are certainly not in a namespace.
package main

import (
	"encoding/json"
	"os"

	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

type output struct {
	Definitions   any      `json:"definitions"`
	ClusterScoped []string `json:"clusterScoped"`
}

func main() {
	definitions := openapi.Schema().Definitions
	scoped := []string{}
	for _, definition := range definitions {
		kinds, _ := definition.Extensions["x-kubernetes-group-version-kind"].([]any)
		for _, entry := range kinds {
			kind := entry.(map[string]any)
			apiVersion := kind["version"].(string)
			if group, _ := kind["group"].(string); group != "" {
				apiVersion = group + "/" + apiVersion
			}
			meta := yaml.TypeMeta{APIVersion: apiVersion, Kind: kind["kind"].(string)}
			if openapi.IsCertainlyClusterScoped(meta) {
				scoped = append(scoped, meta.APIVersion+"/"+meta.Kind)
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(output{definitions, scoped}); err != nil {
		panic(err)
	}
}
