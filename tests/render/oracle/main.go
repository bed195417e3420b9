// Command oracle builds kustomizations in one process, for runs of many thousand trees.
//
// It reads one JSON object a line, {"files": {path: text}, "directory": path}, and answers each with one
// line, {"output": text} or {"error": text}. Build it in a module that requires sigs.k8s.io/kustomize/api
// at the version that kubectl uses.
package main

import (
	"bufio"
	"encoding/json"
	"io"
	"log"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

type question struct {
	Files     map[string]string `json:"files"`
	Directory string            `json:"directory"`
}

type answer struct {
	Output string `json:"output"`
	Error  string `json:"error"`
}

func build(asked question) (string, error) {
	files := filesys.MakeFsInMemory()
	for path, text := range asked.Files {
		if err := files.WriteFile("/"+path, []byte(text)); err != nil {
			return "", err
		}
	}
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	resources, err := krusty.MakeKustomizer(options).Run(files, "/"+asked.Directory)
	if err != nil {
		return "", err
	}
	text, err := resources.AsYaml()
	return string(text), err
}

func main() {
	log.SetOutput(io.Discard)
	os.Stderr, _ = os.Open(os.DevNull)
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			panic(err)
		}
		var reply answer
		if reply.Output, err = build(asked); err != nil {
			reply.Error = err.Error()
		}
		if err := answers.Encode(reply); err != nil {
			return
		}
	}
}
