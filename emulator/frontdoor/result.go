package frontdoor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

	// untyped says that the Content-Type is there, and is null.
	untyped bool

	// keep is the name under which a header is passed on, or "" to drop it.
	keep func(name string) string
	// spellings says that names which differ in case only are headers of their own.
	// Otherwise the first of them counts: a REST API and an HTTP API with format 1.0
	// were seen to do so, https://github.com/CodeGenieApp/serverless-express/issues/554;
	// what the others do is not known.
	spellings bool
}

func newReply() *reply { return &reply{header: http.Header{}, keep: passed} }

// passed drops what ends at a proxy, and nothing else.
func passed(name string) string {
	if dropped(name) {
		return ""
	}
	return name
}

// warn keeps the first warning.
func (out *reply) warn(format string, args ...any) {
	if out.warning == nil {
		out.warning = fmt.Errorf("%w: "+format, append([]any{ErrLenient}, args...)...)
	}
}

const plainText = "text/plain; charset=utf-8"

// readReply reads a result. Without a statusCode all of it is the body of a 200
// with JSON's type, valid JSON or not: the service does not check, contrary to
// its documentation. unquote says that a JSON string loses its quotes then.
func readReply(payload []byte, unquote bool) (*reply, error) {
	f, err := readFields(payload, nil)
	if err != nil || f["statusCode"] == nil {
		return inferred(payload, unquote), nil //nolint:nilerr // what is no object is a body
	}
	reply, err := f.reply2(passed)
	if err == nil {
		err = f.setBody(reply, true)
	}
	return reply, err
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

// put sets a header, in place of what another member of the result said. taken are
// the names of this one.
func (out *reply) put(taken map[string]bool, name string, values []string) {
	for i, v := range values {
		values[i] = oneLine(v)
	}
	key := http.CanonicalHeaderKey(name)
	switch {
	case !taken[key]:
		out.header[key] = values
	case out.spellings:
		out.header[key] = append(out.header[key], values...)
	}
	taken[key] = true
}

// scalar is the text of a header's value; ok is false for null.
func scalar(raw json.RawMessage) (text string, ok bool, err error) {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return "", false, err
	}
	switch v := value.(type) {
	case string:
		return v, true, nil
	case float64, bool:
		return string(raw), true, nil
	case nil:
		return "", false, nil
	}
	return "", false, errors.New("its value is neither a string nor a number; lists go into multiValueHeaders, which only REST APIs, format 1.0 and load balancers read")
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

// write sends the reply, and returns its warning. What the doors say of the length
// in the answer to a HEAD is not known: they say nothing of it here, unless the
// function sent a body to count.
func (out *reply) write(w http.ResponseWriter, in Arrival) error {
	h := w.Header()
	for name, values := range out.header {
		h[name] = values
	}
	if bodyAllowed(out.status) && (!in.Head || len(out.body) > 0) {
		h.Set("Content-Length", strconv.Itoa(len(out.body)))
	}
	w.WriteHeader(out.status)
	if bodyAllowed(out.status) {
		_, _ = w.Write(out.body) // a client that is gone needs no answer
	}
	return out.warning
}

// stream sends the head, and then the body as it comes.
func (out *reply) stream(w http.ResponseWriter, body io.Reader) error {
	for name, values := range out.header {
		w.Header()[name] = values
	}
	w.WriteHeader(out.status)
	_ = http.NewResponseController(w).Flush() // the first byte of the body may take its time
	if !bodyAllowed(out.status) {
		_, _ = io.Copy(io.Discard, body)
		return out.warning
	}
	if err := pass(w, body); err != nil {
		return err
	}
	return out.warning
}

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// message writes a gateway's own answer.
func message(w http.ResponseWriter, status int, text string) {
	body, _ := json.Marshal(map[string]string{"message": text})
	page(w, status, "application/json", string(body))
}

func page(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
