package frontdoor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// fields are a result's, by their exact names: encoding/json alone would take
// StatusCode for statusCode, and no gateway does.
type fields map[string]json.RawMessage

// readFields reads an object. known are the only names allowed; nil allows any.
func readFields(payload []byte, known []string) (fields, error) {
	var f fields
	if err := json.Unmarshal(payload, &f); err != nil || f == nil {
		return nil, fmt.Errorf("%w: it is not an object with a statusCode", ErrMalformed)
	}
	if known != nil {
		for name := range f {
			if !slices.Contains(known, name) {
				return nil, fmt.Errorf("%w: it has %q, and only %s are allowed", ErrMalformed, name, strings.Join(known, ", "))
			}
		}
	}
	return f, nil
}

// has reports whether a member is there. null is not: aws-lambda-go's response types
// write it for a map that is not set.
func (f fields) has(member string) bool {
	return f[member] != nil && string(f[member]) != "null"
}

// status begins a reply. A missing status is malformed.
func (f fields) status() (*reply, error) {
	out := newReply()
	if !f.has("statusCode") {
		return nil, fmt.Errorf("%w: it has no statusCode", ErrMalformed)
	}
	return out, out.setStatus(f["statusCode"])
}

// reply2 reads the long form of payload format 2.0, but for its body. Other keys
// are ignored. keep is the name under which a header is passed on.
func (f fields) reply2(keep func(string) string) (*reply, error) {
	out, err := f.status()
	if err == nil {
		out.keep = keep
		err = f.setHeaders(out)
	}
	if err == nil {
		err = f.setCookies(out)
	}
	if err != nil {
		return nil, err
	}
	if out.header.Get("Content-Type") == "" {
		out.header.Set("Content-Type", plainText)
	}
	if f.has("multiValueHeaders") {
		out.warn("multiValueHeaders was ignored: payload format 2.0 has headers, and cookies")
	}
	return out, nil
}

// setHeaders reads headers: one value for each name.
func (f fields) setHeaders(out *reply) error {
	return f.take("headers", out, func(raw json.RawMessage) ([]string, error) {
		text, ok, err := scalar(raw)
		if !ok {
			return nil, err
		}
		return []string{text}, nil
	})
}

// setMultiValue reads multiValueHeaders: a list for each name.
func (f fields) setMultiValue(out *reply) error {
	return f.take("multiValueHeaders", out, func(raw json.RawMessage) ([]string, error) {
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		var values []string
		for _, raw := range list {
			text, ok, err := scalar(raw)
			if err != nil {
				return nil, err
			}
			if ok {
				values = append(values, text)
			}
		}
		return values, nil
	})
}

// take reads an object of headers in the order of the JSON.
func (f fields) take(member string, out *reply, values func(json.RawMessage) ([]string, error)) error {
	if !f.has(member) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(f[member]))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("%w: %s is not an object", ErrMalformed, member)
	}
	taken := map[string]bool{}
	for dec.More() {
		name, err := dec.Token()
		var raw json.RawMessage
		if err == nil {
			err = dec.Decode(&raw)
		}
		var list []string
		if err == nil {
			list, err = values(raw)
		}
		if err != nil {
			return fmt.Errorf("%w: %s: header %q: %w", ErrMalformed, member, name, err)
		}
		as := out.keep(fmt.Sprint(name))
		switch {
		case as == "":
		case len(list) > 0:
			out.put(taken, as, list)
		case strings.EqualFold(as, "content-type") && string(raw) == "null":
			out.untyped = true
		}
	}
	return nil
}

// setMerged reads both; multiValueHeaders wins on a name that both have.
func (f fields) setMerged(out *reply) error {
	if err := f.setHeaders(out); err != nil {
		return err
	}
	return f.setMultiValue(out)
}

func (f fields) setCookies(out *reply) error {
	var cookies []string
	if err := f.read("cookies", &cookies); err != nil {
		return err
	}
	for _, c := range cookies {
		out.header.Add("Set-Cookie", oneLine(c))
	}
	return nil
}

// setBody reads the body; decode says that the door decodes base64.
func (f fields) setBody(out *reply, decode bool) error {
	var body *string
	var encoded bool
	if err := f.read("body", &body); err != nil {
		return err
	}
	if err := f.read("isBase64Encoded", &encoded); err != nil {
		return err
	}
	switch {
	case body == nil:
	case !encoded:
		out.body = []byte(*body)
	case !decode:
		out.body = []byte(*body)
		out.warn("isBase64Encoded is true, and the body is sent as base64: the client's first Accept type is not one of the API's binary media types")
	default:
		data, err := base64.StdEncoding.DecodeString(*body)
		if err != nil {
			return fmt.Errorf("%w: isBase64Encoded is true, and the body is not base64: %w", ErrMalformed, err)
		}
		out.body = data
	}
	return nil
}

// checkDescription warns of a statusDescription that is not "200 OK".
func (f fields) checkDescription(out *reply) {
	var text string
	if !f.has("statusDescription") || json.Unmarshal(f["statusDescription"], &text) != nil {
		return
	}
	if !strings.HasPrefix(text, fmt.Sprintf("%d ", out.status)) {
		out.warn("statusDescription is %q; write the code and the reason, such as \"200 OK\"", text)
	}
}

func (f fields) read(name string, into any) error {
	if f[name] == nil {
		return nil
	}
	if err := json.Unmarshal(f[name], into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, name, err)
	}
	return nil
}
