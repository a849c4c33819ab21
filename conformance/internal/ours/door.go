package ours

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/gomiddy/middy/conformance"
)

// complete adds what every front door sends and a case may leave out, since no
// package of Middy reads it: a method, a path, the request context. What is there
// stays as it is.
func (r *run) complete(event json.RawMessage) (json.RawMessage, error) {
	payload, err := conformance.Plain(event)
	if err != nil {
		return nil, err
	}
	if len(payload) == 0 {
		payload = json.RawMessage("{}")
	}
	var e object
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	if e == nil {
		e = object{}
	}
	changed := false
	set := func(o object, key string, v any) {
		if o[key] == nil {
			o[key], changed = v, true
		}
	}
	method := "GET"
	if b, has := e["body"]; has && b != nil || strings.Contains(r.c.Package(), "body-parser") {
		method = "POST"
	}
	switch {
	case e["version"] == "2.0" && e["method"] == nil:
		set(e, "requestContext", object{})
		context, _ := e["requestContext"].(object)
		if context != nil {
			set(context, "http", object{})
			if http, _ := context["http"].(object); http != nil {
				set(http, "method", method)
				set(http, "path", "/")
				set(e, "rawPath", http["path"])
			}
		}
	case e["version"] == nil && e["method"] != nil:
		set(e, "raw_path", "/")
	case e["version"] == nil || e["version"] == "1.0":
		set(e, "httpMethod", method)
		set(e, "path", "/")
	}
	if !changed {
		return payload, nil
	}
	return json.Marshal(e)
}

// response reads what the front door would.
func response(out []byte) (object, error) {
	var resp struct {
		StatusCode        int                 `json:"statusCode"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Cookies           []string            `json:"cookies"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(out, &resp); err != nil {
		return nil, fmt.Errorf("the response is not JSON: %w", err)
	}
	headers, cookies := object{}, []any{}
	for _, c := range resp.Cookies {
		cookies = append(cookies, c)
	}
	for name, v := range resp.Headers {
		headers[name] = v
	}
	for name, values := range resp.MultiValueHeaders {
		if strings.EqualFold(name, "Set-Cookie") {
			for _, v := range values {
				cookies = append(cookies, v)
			}
			continue
		}
		headers[name] = strings.Join(values, ", ")
	}
	body := []byte(resp.Body)
	if resp.IsBase64Encoded {
		body = decodeBase64(resp.Body)
	}
	got := object{"statusCode": resp.StatusCode, "headers": headers, "body": text(body)}
	if len(cookies) > 0 {
		got["cookies"] = cookies
	}
	if coding, ok := header(headers, "Content-Encoding"); ok {
		if plain, err := decompress(coding, body); err == nil {
			got["body"] = object{"$z": []any{coding, text(plain)}}
		}
	}
	return got, nil
}

func text(b []byte) any {
	if utf8.Valid(b) {
		return string(b)
	}
	return b
}

func header(h object, name string) (string, bool) {
	for have, v := range h {
		if strings.EqualFold(have, name) {
			s, ok := v.(string)
			return s, ok
		}
	}
	return "", false
}

// decodeBase64 is empty for what is not base64.
func decodeBase64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

func decompress(coding string, b []byte) ([]byte, error) {
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case "deflate":
		z, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case "br":
		return io.ReadAll(brotli.NewReader(bytes.NewReader(b)))
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return io.ReadAll(z)
	}
	return nil, fmt.Errorf("no coding %q", coding)
}
