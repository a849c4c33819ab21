package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Undefined is {"$undef":1}: JavaScript's undefined.
type Undefined struct{}

// Function is {"$function":name}.
type Function string

// Regexp is {"$regexp":source}.
type Regexp string

// Value decodes JSON with the special values of a case. Bytes become []byte,
// numbers float64.
func Value(b json.RawMessage) (any, error) {
	if len(b) == 0 {
		return Undefined{}, nil
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	return expand(v), nil
}

func expand(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v // too large for JavaScript, and not for us
		}
		return f
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = expand(v[i])
		}
		return out
	case map[string]any:
		if len(v) == 1 {
			for key, arg := range v {
				if s, ok := special(key, arg); ok {
					return s
				}
			}
		}
		out := make(map[string]any, len(v))
		for key := range v {
			if e := expand(v[key]); e != any(Undefined{}) {
				out[key] = e
			}
		}
		return out
	}
	return v
}

func special(key string, arg any) (any, bool) {
	switch key {
	case "$undef":
		return Undefined{}, true
	case "$bytes":
		s, _ := arg.(string)
		b, err := base64.StdEncoding.DecodeString(s)
		return b, err == nil
	case "$repeat":
		list, _ := arg.([]any)
		if len(list) != 2 {
			return nil, false
		}
		s, _ := list[0].(string)
		n, _ := expand(list[1]).(float64)
		return strings.Repeat(s, int(n)), true
	case "$concat":
		var b strings.Builder
		list, _ := arg.([]any)
		for _, part := range list {
			s, _ := expand(part).(string)
			b.WriteString(s)
		}
		return b.String(), true
	case "$b64":
		switch v := expand(arg).(type) {
		case string:
			return base64.StdEncoding.EncodeToString([]byte(v)), true
		case []byte:
			return base64.StdEncoding.EncodeToString(v), true
		}
		return nil, false
	case "$json":
		return string(plainJSON(expand(arg))), true
	case "$b64json":
		return base64.StdEncoding.EncodeToString(plainJSON(expand(arg))), true
	case "$function":
		s, _ := arg.(string)
		return Function(s), true
	case "$regexp":
		s, _ := arg.(string)
		return Regexp(s), true
	}
	return nil, false
}

func plainJSON(v any) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // it came from JSON
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// Plain is the JSON of a case's value with its special strings written out: an
// event as a front door would send it. The order of keys is kept where no special
// value stands.
func Plain(b json.RawMessage) (json.RawMessage, error) {
	if !strings.Contains(string(b), `{"$`) {
		return b, nil
	}
	v, err := Value(b)
	if err != nil {
		return nil, err
	}
	return plainJSON(v), nil
}

// Encode is Value's other direction, for results.
func Encode(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{"$bytes": base64.StdEncoding.EncodeToString(v)}
	case Undefined:
		return map[string]any{"$undef": 1}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = Encode(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = Encode(v[key])
		}
		return out
	}
	return v
}

// text is b as a string where it is text.
func text(b []byte) any {
	if utf8.Valid(b) {
		return string(b)
	}
	return b
}
