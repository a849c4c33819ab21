package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// A Case is one thing that Middy did.
type Case struct {
	// ID is package/source/what, and unique.
	ID       string          `json:"id"`
	Use      []Use           `json:"use,omitempty"`
	Call     *Call           `json:"call,omitempty"`
	JWKS     json.RawMessage `json:"jwks,omitempty"`
	Event    json.RawMessage `json:"event,omitempty"`
	Context  json.RawMessage `json:"context,omitempty"`
	Internal json.RawMessage `json:"internal,omitempty"`
	Handler  *Handler        `json:"handler,omitempty"`
	Steps    []Step          `json:"steps,omitempty"`
	// Want is what Middy did.
	Want json.RawMessage `json:"want,omitempty"`
	// Deviation says that ours does something else.
	Deviation *Deviation `json:"deviation,omitempty"`
}

// Use is a middleware by its name in Middy, without "@middy/".
type Use struct {
	Name    string          `json:"name"`
	Options json.RawMessage `json:"options,omitempty"`
}

// Call is a call of a function of @middy/util.
type Call struct {
	Function string            `json:"function"`
	Args     []json.RawMessage `json:"args"`
}

// Handler is what the handler does.
type Handler struct {
	Tag    string          `json:"tag,omitempty"`
	Log    string          `json:"log,omitempty"`
	Echo   Words           `json:"echo,omitempty"`
	Throw  json.RawMessage `json:"throw,omitempty"`
	Return json.RawMessage `json:"return,omitempty"`
}

// Words are one string, or a list of them.
type Words []string

// UnmarshalJSON implements [json.Unmarshaler].
func (e *Words) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*e = make(Words, 1)
		return json.Unmarshal(b, &(*e)[0])
	}
	return json.Unmarshal(b, (*[]string)(e))
}

// MarshalJSON implements [json.Marshaler].
func (e Words) MarshalJSON() ([]byte, error) {
	if len(e) == 1 {
		return json.Marshal(e[0])
	}
	return json.Marshal([]string(e))
}

// Step is one event of several for the same instance.
type Step struct {
	Event   json.RawMessage `json:"event,omitempty"`
	Context json.RawMessage `json:"context,omitempty"`
}

// Deviation is a difference that has a reason.
type Deviation struct {
	// Reason has the ids of one [Reason] or more.
	Reason Words `json:"reason"`
	// Ours is what our packages do, to the letter.
	Ours json.RawMessage `json:"ours,omitempty"`
	// Instead is what Middy does with the case that [Rewrite] makes of this one, where
	// a reason is held by that experiment.
	Instead json.RawMessage `json:"instead,omitempty"`
}

// Package is the package of Middy that the case is about.
func (c *Case) Package() string {
	name, _, _ := bytes.Cut([]byte(c.ID), []byte("/"))
	return string(name)
}

// A Result is what a runner says of a case.
type Result struct {
	ID  string          `json:"id"`
	Got json.RawMessage `json:"got,omitempty"`
	// Missing names a package that could not be had.
	Missing string `json:"missing,omitempty"`
}

// A Reason says why ours differs.
type Reason struct {
	ID string `json:"id"`
	// Reason is a sentence for the person who ports a function.
	Reason string `json:"reason"`
}

// ReadLines decodes one T per line.
func ReadLines[T any](r io.Reader) ([]T, error) {
	var all []T
	br := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		line, err := br.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			var v T
			if err := json.Unmarshal(line, &v); err != nil {
				return nil, fmt.Errorf("conformance: line %d: %w", n, err)
			}
			all = append(all, v)
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("conformance: line %d: %w", n, err)
		}
	}
}

// WriteLines encodes one T per line, without escaping what HTML would need.
func WriteLines[T any](w io.Writer, all []T) error {
	bw := bufio.NewWriter(w)
	enc := json.NewEncoder(bw)
	enc.SetEscapeHTML(false)
	for _, v := range all {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return bw.Flush()
}

// ReadFiles reads the cases of files, in order.
func ReadFiles(names ...string) ([]Case, error) {
	var all []Case
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("conformance: %w", err)
		}
		cases, err := ReadLines[Case](f)
		_ = f.Close() // it was only read
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, cases...)
	}
	return all, nil
}

// Expected is what our packages must do: what Middy did, or the deviation.
func (c *Case) Expected() json.RawMessage {
	if c.Deviation != nil && c.Deviation.Ours != nil {
		return c.Deviation.Ours
	}
	return c.Want
}
