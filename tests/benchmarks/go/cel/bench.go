package main

import (
	"encoding/json"
	"time"

	"github.com/google/cel-go/cel"
)

// Work is what to measure: every expression over every object, for about so many seconds.
type Work struct {
	Version     string           `json:"version"`
	Expressions []string         `json:"expressions"`
	Objects     []map[string]any `json:"objects"`
	Seconds     float64          `json:"seconds"`
}

// Figures are what was measured.
type Figures struct {
	Evaluations int     `json:"evaluations"`
	Seconds     float64 `json:"seconds"`
	True        int     `json:"true"`
}

func bench(in *json.Decoder, out *json.Encoder) error {
	var work Work
	if err := in.Decode(&work); err != nil {
		return err
	}
	env, err := newEnv(work.Version, map[string]string{"object": "dyn"})
	if err != nil {
		return err
	}
	programs := make([]cel.Program, 0, len(work.Expressions))
	for _, text := range work.Expressions {
		ast, issues := env.Compile(text)
		if issues.Err() != nil {
			return issues.Err()
		}
		program, err := env.Program(ast)
		if err != nil {
			return err
		}
		programs = append(programs, program)
	}
	figures := Figures{}
	began := time.Now()
	for time.Since(began).Seconds() < work.Seconds {
		for _, object := range work.Objects {
			data := map[string]any{"object": object}
			for _, program := range programs {
				value, _, err := program.Eval(data)
				if err == nil && value.Value() == true {
					figures.True++
				}
				figures.Evaluations++
			}
		}
	}
	figures.Seconds = time.Since(began).Seconds()
	return out.Encode(figures)
}
