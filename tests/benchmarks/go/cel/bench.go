package main

import (
	"encoding/json"
	"syscall"
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
	CPUSeconds  float64 `json:"cpu_seconds"`
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
	began, before := time.Now(), processorTime()
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
	figures.CPUSeconds = processorTime() - before
	return out.Encode(figures)
}

// processorTime returns the seconds of processor time that this process has used.
func processorTime() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
