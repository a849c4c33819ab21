package jsonbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/content"
)

type bodyKey struct{}

// A body is what the middleware leaves in the request's context.
type body struct {
	raw  []byte // as it came
	text []byte // as it was checked
	cfg  *Config

	once  sync.Once
	value any
	ok    bool
}

func of(r *http.Request) *body {
	b, _ := r.Context().Value(bodyKey{}).(*body)
	return b
}

// Raw returns the body as it came, byte for byte, for checks of signatures over it,
// or nil when this middleware did not read it. Do not change it.
func Raw(r *http.Request) []byte {
	if b := of(r); b != nil {
		return b.raw
	}
	return nil
}

// Value returns the body as encoding/json decodes it into an any, or false when
// this middleware did not read it, or it was empty. Numbers are float64,
// with UseNumber json.Number. It is decoded by the first call; all callers share it.
func Value(r *http.Request) (any, bool) {
	b := of(r)
	if b == nil {
		return nil, false
	}
	b.once.Do(b.decode)
	return b.value, b.ok
}

func (b *body) decode() {
	dec := json.NewDecoder(bytes.NewReader(b.text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return // it is empty: all else was checked
	}
	if !b.cfg.UseNumber || b.cfg.Reviver != nil {
		v, _ = b.revive("", v)
	}
	b.value, b.ok = v, true
}

// revive replaces numbers, and what the Reviver wants to replace, innermost first.
// Its depth is bounded by MaxDepth.
func (b *body) revive(key string, v any) (any, bool) {
	switch in := v.(type) {
	case json.Number:
		if f, err := in.Float64(); err == nil && !b.cfg.UseNumber {
			v = f
		}
	case []any:
		v = b.reviveArray(in)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(in)) {
			if out, keep := b.revive(k, in[k]); keep {
				in[k] = out
			} else {
				delete(in, k)
			}
		}
	}
	if b.cfg.Reviver != nil {
		return b.cfg.Reviver(key, v)
	}
	return v, true
}

// reviveArray puts nil where the Reviver leaves an element out: the others keep
// their place, as in JavaScript.
func (b *body) reviveArray(in []any) []any {
	for i, v := range in {
		out, keep := b.revive(strconv.Itoa(i), v)
		if !keep {
			out = nil
		}
		in[i] = out
	}
	return in
}

// ErrNoBody is the error of [Decode] when the middleware did not read a body.
var ErrNoBody = errors.New("jsonbody: there is no body that the middleware has read: put jsonbody.New around the handler")

// Decode decodes the body into what v points to, as json.Unmarshal does. A value
// that does not fit is a [*web.Error] with SyntaxStatus that names the first field that
// is wrong; return it from a [web.HandlerFunc]. For rules, and for every mistake at
// once, give [Raw] to a [web.Decoder].
func Decode(r *http.Request, v any) error {
	b := of(r)
	if b == nil {
		return ErrNoBody
	}
	if len(b.text) == 0 {
		return b.cfg.malformed("there is no body", nil)
	}
	dec := json.NewDecoder(bytes.NewReader(b.text))
	if b.cfg.DisallowUnknownFields {
		dec.DisallowUnknownFields()
	}
	err := dec.Decode(v)
	if err == nil {
		return nil
	}
	var invalid *json.InvalidUnmarshalError
	if errors.As(err, &invalid) {
		return fmt.Errorf("jsonbody: Decode needs a pointer: %w", err)
	}
	return &web.Error{Status: b.cfg.SyntaxStatus, Detail: "the body does not have the expected form", Fields: []web.FieldError{b.misfit(err)}, Err: err}
}

// misfit says which field does not fit, without a word of Go's types.
func (b *body) misfit(err error) web.FieldError {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		pointer := "#"
		if wrongType.Field != "" {
			pointer += "/" + escapePointer(wrongType.Field)
		}
		kind, _, _ := strings.Cut(wrongType.Value, " ") // "number 300" would repeat the input
		article := "a "
		if kind == "array" || kind == "object" {
			article = "an "
		}
		return web.FieldError{Pointer: pointer, Detail: article + kind + " does not fit here"}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if unquoted, err := strconv.Unquote(name); err == nil {
			return web.FieldError{Detail: fmt.Sprintf("the key %q is not known", content.Short(unquoted))}
		}
	}
	return web.FieldError{Pointer: "#", Detail: "a value does not fit"}
}

// escapePointer turns encoding/json's dotted path into a JSON pointer's.
func escapePointer(field string) string {
	field = strings.ReplaceAll(field, "~", "~0")
	field = strings.ReplaceAll(field, "/", "~1")
	return strings.ReplaceAll(field, ".", "/")
}
