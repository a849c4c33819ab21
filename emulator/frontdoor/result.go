package frontdoor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A reply is a result that was understood.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	warning error // understood, but only by leniency
}

// result2 is the long form of a result in payload format 2.0. Other keys, also
// multiValueHeaders, are ignored.
type result2 struct {
	StatusCode      json.RawMessage            `json:"statusCode"`
	Headers         map[string]json.RawMessage `json:"headers"`
	Cookies         []string                   `json:"cookies"`
	Body            *string                    `json:"body"`
	IsBase64Encoded bool                       `json:"isBase64Encoded"`

	MultiValueHeaders json.RawMessage `json:"multiValueHeaders"` // only to warn
}

const plainText = "text/plain; charset=utf-8"

// readReply reads a result. Without a statusCode all of it is the body of a 200
// with JSON's type, valid JSON or not: the service does not check, contrary to
// its documentation. unquote says that a JSON string loses its quotes then.
func readReply(payload []byte, unquote bool) (*reply, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil || fields["statusCode"] == nil {
		return inferred(payload, unquote), nil //nolint:nilerr // what is no object is a body
	}
	var r result2
	if err := json.Unmarshal(payload, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r.reply()
}

func inferred(payload []byte, unquote bool) *reply {
	if unquote {
		var s string
		if bytes.HasPrefix(payload, []byte(`"`)) && json.Unmarshal(payload, &s) == nil {
			payload = []byte(s)
		}
	}
	return &reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: payload}
}

func (r *result2) reply() (*reply, error) {
	out := &reply{header: http.Header{}}
	if err := out.setStatus(r.StatusCode); err != nil {
		return nil, err
	}
	if err := out.setHeaders(r.Headers); err != nil {
		return nil, err
	}
	for _, c := range r.Cookies {
		out.header.Add("Set-Cookie", oneLine(c))
	}
	if out.header.Get("Content-Type") == "" {
		out.header.Set("Content-Type", plainText)
	}
	if len(r.MultiValueHeaders) > 0 && out.warning == nil {
		out.warning = fmt.Errorf("%w: multiValueHeaders was ignored: payload format 2.0 has headers, and cookies", ErrLenient)
	}
	if r.Body == nil {
		return out, nil
	}
	out.body = []byte(*r.Body)
	if r.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(*r.Body)
		if err != nil {
			return nil, fmt.Errorf("%w: isBase64Encoded is true, and the body is not base64: %w", ErrMalformed, err)
		}
		out.body = body
	}
	return out, nil
}

func (out *reply) setStatus(raw json.RawMessage) error {
	text := string(raw)
	var quoted string
	if json.Unmarshal(raw, &quoted) == nil {
		text = quoted
		out.warning = fmt.Errorf("%w: statusCode is the string %q; not every front door takes it for a number", ErrLenient, quoted)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 200 || n > 599 {
		return fmt.Errorf("%w: statusCode %s is not a status from 200 to 599", ErrMalformed, raw)
	}
	out.status = n
	return nil
}

// setHeaders takes strings, numbers and booleans.
func (out *reply) setHeaders(headers map[string]json.RawMessage) error {
	for name, raw := range headers {
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return fmt.Errorf("%w: header %q: %w", ErrMalformed, name, err)
		}
		text, ok := value.(string)
		switch value.(type) {
		case float64, bool:
			text, ok = string(raw), true
		case nil:
			continue
		}
		if !ok {
			return fmt.Errorf("%w: header %q is neither a string nor a number; lists go into multiValueHeaders, which only REST APIs and load balancers read", ErrMalformed, name)
		}
		if !dropped(name) {
			out.header.Set(name, oneLine(text))
		}
	}
	return nil
}

// dropped says whether a gateway takes the header away: what ends at a proxy,
// and the length, which it counts itself.
func dropped(name string) bool {
	name = strings.ToLower(name)
	return name == "" || name == "content-length" || slices.Contains(hopByHop, name)
}

// oneLine keeps a value from starting another header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, s)
}

// write sends the reply, and returns its warning.
func (out *reply) write(w http.ResponseWriter) error {
	h := w.Header()
	for name, values := range out.header {
		h[name] = values
	}
	if bodyAllowed(out.status) {
		h.Set("Content-Length", strconv.Itoa(len(out.body)))
	}
	w.WriteHeader(out.status)
	if bodyAllowed(out.status) {
		_, _ = w.Write(out.body) // a client that is gone needs no answer
	}
	return out.warning
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// message writes a gateway's own answer.
func message(w http.ResponseWriter, status int, text string) {
	body, _ := json.Marshal(map[string]string{"message": text})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
