package conformance

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// Equal reports whether two results are the same to a client: header names in any
// case, Set-Cookie as a header or as cookies, a body as text or as base64 of it,
// JSON in any order of keys, compressed bodies by what they hold. A response
// without headers has an empty set of them. Of an error at construction only that
// it is one: its text is for the developer.
func Equal(want, got json.RawMessage) bool {
	a, b, err := canonicalPair(want, got)
	return err == nil && reflect.DeepEqual(a, b)
}

func canonicalPair(want, got json.RawMessage) (a, b any, err error) {
	if a, err = canonical(want); err != nil {
		return nil, nil, err
	}
	if b, err = canonical(got); err != nil {
		return nil, nil, err
	}
	wrap(a, b)
	wrap(b, a)
	return a, b, nil
}

// wrap makes a response of a bare value where the other one is a response: a front
// door answers a value that has no statusCode with 200 and the value.
func wrap(v, other any) {
	result, _ := v.(map[string]any)
	model, _ := other.(map[string]any)
	like, _ := model["response"].(map[string]any)
	bare, ok := result["response"]
	if !ok || like["statusCode"] == nil {
		return
	}
	if r, is := bare.(map[string]any); is && (r["statusCode"] != nil || r["headers"] != nil || r["body"] != nil) {
		return
	}
	result["response"] = map[string]any{"statusCode": 200.0, "headers": map[string]any{}, "body": canonicalBody(bare, false)}
}

// Diff says how two results differ, for people.
func Diff(want, got json.RawMessage) string {
	a, b, err := canonicalPair(want, got)
	if err != nil {
		return err.Error()
	}
	return cmp.Diff(a, b)
}

func canonical(b json.RawMessage) (any, error) {
	v, err := Value(b)
	if err != nil {
		return nil, err
	}
	result, ok := v.(map[string]any)
	if !ok {
		return v, nil
	}
	canonicalResult(result)
	if steps, ok := result["steps"].([]any); ok {
		for _, step := range steps {
			if step, ok := step.(map[string]any); ok {
				canonicalResult(step)
			}
		}
	}
	return result, nil
}

func canonicalResult(result map[string]any) {
	if r, ok := result["response"]; ok {
		result["response"] = canonicalResponse(r)
	}
	if saw, ok := result["saw"].(map[string]any); ok && saw["body"] == "" {
		delete(saw, "body") // HTTP does not tell no body from an empty one
	}
	if e, ok := result["error"].(map[string]any); ok && e["at"] != nil {
		result["error"] = map[string]any{"at": e["at"]}
	}
	if sends, ok := result["sends"].([]any); ok {
		for _, send := range sends {
			if send, ok := send.([]any); ok && len(send) == 2 {
				if command, ok := send[1].(map[string]any); ok && command["Data"] != nil {
					command["Data"] = canonicalBody(command["Data"], false)
				}
			}
		}
	}
	if saw, ok := result["saw"].(map[string]any); ok {
		for name, v := range saw {
			if m, ok := v.(map[string]any); (ok && len(m) == 0 || v == nil) && strings.HasSuffix(name, "Parameters") {
				delete(saw, name) // a nil map reads as an empty one
			}
		}
	}
	for _, key := range []string{"saw", "value", "log", "sends"} {
		if v, ok := result[key]; ok {
			result[key] = digest(v)
		}
	}
}

// Shorten replaces long strings of a result, but for those of headers, by their
// digests: a case is for reading.
func Shorten(result map[string]any) {
	for key, v := range result {
		switch v := v.(type) {
		case map[string]any:
			if key != "headers" {
				Shorten(v)
			}
		case []any:
			for i, e := range v {
				if m, ok := e.(map[string]any); ok {
					Shorten(m)
					continue
				}
				v[i] = digest(e)
			}
		case string:
			result[key] = digest(v)
		}
	}
}

// digest replaces long strings, as the runner for Middy does.
func digest(v any) any {
	switch v := v.(type) {
	case string:
		if len(v) > 1000 {
			sum := sha256.Sum256([]byte(v))
			return map[string]any{"$digest": []any{hex.EncodeToString(sum[:]), float64(len(v))}}
		}
	case []byte:
		return text(v)
	case []any:
		for i := range v {
			v[i] = digest(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = digest(v[key])
		}
	}
	return v
}

func canonicalResponse(v any) any {
	r, ok := v.(map[string]any)
	if !ok {
		return digest(v)
	}
	if _, ok := r["statusCode"]; !ok {
		return digest(v)
	}
	headers, _ := r["headers"].(map[string]any)
	out := map[string]any{"statusCode": r["statusCode"], "headers": lowerKeys(headers)}
	h := out["headers"].(map[string]any)
	cookies, _ := r["cookies"].([]any)
	if c, ok := h["set-cookie"]; ok {
		cookies = append(cookies, c)
		delete(h, "set-cookie")
	}
	if len(cookies) > 0 {
		out["cookies"] = cookies
	}
	if r["statusCode"] == 204.0 {
		delete(h, "content-type") // of a body that is not there
	}
	encoded, _ := r["isBase64Encoded"].(bool)
	out["body"] = canonicalBody(r["body"], encoded)
	return out
}

// lists are headers in which spaces around commas mean nothing.
var lists = map[string]bool{"vary": true, "access-control-allow-methods": true, "access-control-allow-headers": true, "access-control-expose-headers": true}

// envelope are headers that hold JSON in base64.
var envelope = map[string]bool{"payment-required": true, "payment-response": true, "x-payment-response": true}

func lowerKeys(h map[string]any) map[string]any {
	out := make(map[string]any, len(h))
	for name, value := range h {
		if value == nil {
			continue
		}
		key := strings.ToLower(name)
		if s, ok := value.(string); ok && key == "report-to" {
			var v any
			if json.Unmarshal([]byte("["+s+"]"), &v) == nil {
				value = v // objects, written with spaces or without
			}
		}
		if s, ok := value.(string); ok && envelope[key] {
			if b, err := base64.StdEncoding.DecodeString(s); err == nil {
				var v any
				if json.Unmarshal(b, &v) == nil {
					value = v
				}
			}
		}
		if have, ok := out[key]; ok {
			// In the order of the alphabet: a JSON object has none.
			a, b := fmt.Sprint(have), fmt.Sprint(value)
			value = min(a, b) + ", " + max(a, b)
		}
		switch v := value.(type) {
		case float64, bool:
			value = fmt.Sprint(v)
		case string:
			if lists[key] {
				value = strings.Join(tokens(v), ", ")
			}
			if strings.HasPrefix(key, "content-security-policy") {
				directives := strings.Split(v, "; ")
				slices.Sort(directives) // their order means nothing
				value = strings.Join(directives, "; ")
			}
		}
		out[key] = value
	}
	return out
}

func canonicalBody(v any, encoded bool) any {
	if m, ok := v.(map[string]any); ok {
		if z, ok := m["$z"].([]any); ok && len(z) == 2 {
			return map[string]any{"$z": []any{z[0], canonicalBody(z[1], false)}}
		}
		if _, ok := m["$digest"]; ok {
			return m
		}
	}
	switch body := v.(type) {
	case nil, Undefined:
		return ""
	case []byte:
		return text(body)
	case string:
		if encoded {
			if b, err := base64.StdEncoding.DecodeString(body); err == nil {
				return canonicalBody(text(b), false)
			}
		}
		if len(body) > 1000 {
			return digest(body)
		}
		if t := strings.TrimSpace(body); t != "" && (t[0] == '{' || t[0] == '[') {
			var parsed any
			if json.Unmarshal([]byte(body), &parsed) == nil {
				return parsed
			}
		}
		return body
	case map[string]any, []any:
		return body
	}
	return fmt.Sprint(v) // a number or a boolean: what a front door writes
}
