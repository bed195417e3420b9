package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Question is one expression to evaluate.
type Question struct {
	Version   string            `json:"version"`
	Expr      string            `json:"expr"`
	Variables map[string]string `json:"variables"`
	Data      map[string]any    `json:"data"`
}

// Answer is what came of it: a compile error, an evaluation error, or a value.
type Answer struct {
	Expr    string `json:"expr"`
	Compile string `json:"compile,omitempty"`
	Type    string `json:"type,omitempty"`
	Error   string `json:"error,omitempty"`
	Value   *any   `json:"value,omitempty"`
}

func record(in *json.Decoder, out *json.Encoder) error {
	in.UseNumber()
	out.SetEscapeHTML(false)
	for {
		var question Question
		if err := in.Decode(&question); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answer, err := ask(question)
		if err != nil {
			return err
		}
		answer.Expr = question.Expr
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
}

func ask(question Question) (Answer, error) {
	env, err := newEnv(question.Version, question.Variables)
	if err != nil {
		return Answer{}, err
	}
	ast, issues := env.Compile(question.Expr)
	if issues.Err() != nil {
		return Answer{Compile: issues.Err().Error()}, nil
	}
	program, err := env.Program(ast)
	if err != nil {
		return Answer{Compile: "program instantiation failed: " + err.Error()}, nil
	}
	data := map[string]any{}
	for name, value := range question.Data {
		data[name] = native(value)
		if whole, isInt := data[name].(int64); isInt && question.Variables[name] == "uint" {
			data[name] = uint64(whole)
		}
	}
	answer := Answer{Type: ast.OutputType().String()}
	value, _, err := program.Eval(data)
	if err != nil {
		answer.Error = err.Error()
		return answer, nil
	}
	shown := plain(value)
	answer.Value = &shown
	return answer, nil
}

// native turns numbers of JSON into integers where they are integers.
func native(value any) any {
	switch found := value.(type) {
	case json.Number:
		if whole, err := found.Int64(); err == nil {
			return whole
		}
		number, _ := found.Float64()
		return number
	case map[string]any:
		if special, ok := marked(found); ok {
			return special
		}
		for key := range found {
			found[key] = native(found[key])
		}
	case []any:
		for index := range found {
			found[index] = native(found[index])
		}
	}
	return value
}

// marked reads a value that JSON has no type for, such as {"$uint": "1"}.
func marked(found map[string]any) (any, bool) {
	for key, value := range found {
		text, isText := value.(string)
		if len(found) != 1 || !isText {
			return nil, false
		}
		switch key {
		case "$uint":
			number, err := strconv.ParseUint(text, 10, 64)
			return number, err == nil
		case "$double":
			number, err := strconv.ParseFloat(text, 64)
			return number, err == nil
		case "$bytes":
			raw, err := hex.DecodeString(text)
			return raw, err == nil
		case "$timestamp":
			moment, err := time.Parse(time.RFC3339Nano, text)
			return moment, err == nil
		case "$duration":
			span, err := time.ParseDuration(text)
			return span, err == nil
		}
	}
	return nil, false
}

// plain writes a value as JSON that says its type.
func plain(value ref.Val) any {
	switch found := value.(type) {
	case types.Int:
		return map[string]any{"int": fmt.Sprint(int64(found))}
	case types.Uint:
		return map[string]any{"uint": fmt.Sprint(uint64(found))}
	case types.Double:
		if math.IsNaN(float64(found)) {
			return map[string]any{"double": "nan"}
		}
		return map[string]any{"double": fmt.Sprintf("%g", float64(found))}
	case types.String:
		return string(found)
	case types.Bool:
		return bool(found)
	case types.Bytes:
		return map[string]any{"bytes": fmt.Sprintf("%x", []byte(found))}
	case types.Null:
		return map[string]any{"null": true}
	case types.Duration:
		return map[string]any{"duration": fmt.Sprint(found.Nanoseconds())}
	case types.Timestamp:
		return map[string]any{"timestamp": found.UTC().Format(time.RFC3339Nano)}
	case *types.Optional:
		if found.HasValue() {
			return map[string]any{"optional": plain(found.GetValue())}
		}
		return map[string]any{"optional": nil}
	case traits.Lister:
		out := []any{}
		for it := found.Iterator(); it.HasNext() == types.True; {
			out = append(out, plain(it.Next()))
		}
		return out
	case traits.Mapper:
		out := []any{}
		for it := found.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			out = append(out, []any{plain(key), plain(found.Get(key))})
		}
		return map[string]any{"map": out}
	case ref.Type:
		return map[string]any{"type": found.TypeName()}
	}
	return map[string]any{"opaque": value.Type().TypeName()}
}
