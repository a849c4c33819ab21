package web

import (
	"encoding/base64"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web/internal/eventjson"
)

// A Response is what the handler answered. Layers of package middy may change it
// before it is encoded.
type Response struct {
	// Door decides the form of the JSON. 0 is [HTTPAPI].
	Door   Door
	Status int
	Header http.Header
	Body   []byte
}

// recorder is the http.ResponseWriter of one invocation whose response is sent
// when it is whole. It keeps net/http's rules: RFC 9110 sections 6.4.1 and 15.
type recorder struct {
	header http.Header
	sent   http.Header // the header as it was when the status was written
	status int
	body   []byte
	head   bool // the request's method is HEAD
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	checkStatus(status)
	if w.status != 0 || status < 200 { // 1xx cannot be sent through Lambda
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

// checkStatus panics as net/http does, where the mistake can be found.
func checkStatus(status int) {
	if status < 100 || status > 999 {
		panic("web: WriteHeader was called with " + strconv.Itoa(status))
	}
}

func (w *recorder) Write(p []byte) (int, error) { return write(w, p) }

// WriteString implements [io.StringWriter].
func (w *recorder) WriteString(s string) (int, error) { return write(w, s) }

func write[T string | []byte](w *recorder, p T) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.head && len(w.body) >= sniffed { // enough to know its type
		return len(p), nil
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// Flush implements [http.Flusher]. The response is sent when it is whole; use
// [Stream] to send it as it comes.
func (w *recorder) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

// sniffed is how many bytes http.DetectContentType looks at.
const sniffed = 512

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func (w *recorder) response(door Door) Response {
	w.Flush()
	h := w.sent
	settleHeader(h, w.body, w.status, w.head)
	w.trailers()
	body := w.body
	if w.head {
		body = nil
	}
	return Response{Door: door, Status: w.status, Header: h, Body: body}
}

// settleHeader adds and removes what net/http's server would.
func settleHeader(h http.Header, body []byte, status int, head bool) {
	for _, name := range hopByHop {
		delete(h, name)
	}
	switch {
	case !bodyAllowed(status):
		delete(h, "Content-Length")
		if status == http.StatusNoContent {
			delete(h, "Content-Type")
		}
		return
	case !head:
		delete(h, "Content-Length") // the front door counts; what a middleware compressed was counted before
	}
	if _, has := h["Content-Type"]; !has && len(body) > 0 && h.Get("Content-Encoding") == "" {
		h["Content-Type"] = []string{http.DetectContentType(body)}
	}
}

// hopByHop are the header fields that end at the front door: RFC 9110 section
// 7.6.1.
var hopByHop = [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Te"}

// trailers become header fields: the response is not sent before they are known,
// and Lambda has no other way to send them. RFC 9110 section 6.5.1 allows it to
// whoever wrote them.
func (w *recorder) trailers() {
	for _, line := range w.sent["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if v, ok := w.header[name]; ok {
				w.sent[name] = v
			}
		}
	}
	delete(w.sent, "Trailer")
	for name, v := range w.header {
		if rest, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			delete(w.sent, name)
			w.sent[rest] = v
		}
	}
}

// AppendJSON appends the response as its front door reads it. Package middy calls
// it in place of encoding/json.
func (r Response) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"statusCode":`...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	switch r.Door {
	case ALB, ALBMulti, Lattice1, Lattice:
		dst = append(dst, `,"statusDescription":`...)
		dst = eventjson.AppendString(dst, strings.TrimSpace(strconv.Itoa(r.Status)+" "+http.StatusText(r.Status)))
	}
	switch r.Door {
	case RESTAPI, HTTPAPI1:
		dst = r.appendSingle(dst, func(_ string, v []string) bool { return len(v) == 1 })
		dst = r.appendMulti(dst, func(v []string) bool { return len(v) > 1 })
	case ALBMulti:
		dst = r.appendMulti(dst, func([]string) bool { return true })
	case ALB, Lattice1, Lattice:
		dst = r.appendSingle(dst, func(string, []string) bool { return true })
	default:
		dst = r.appendSingle(dst, func(name string, _ []string) bool { return name != "Set-Cookie" })
		dst = r.appendCookies(dst)
	}
	return r.appendBody(dst), nil
}

// MarshalJSON implements [json.Marshaler] by AppendJSON.
func (r Response) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// names are the header's, sorted, so that equal responses have equal bytes. What
// is no name is left out, as net/http does it.
func (r Response) names(buf []string) []string {
	for name := range r.Header {
		if token(name) {
			buf = append(buf, name)
		}
	}
	slices.Sort(buf)
	return buf
}

// token is the grammar of a field's name: RFC 9110 section 5.6.2.
func token(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return name != ""
}

// appendValue writes a field's value. A line break becomes a space, as in net/http:
// what follows it must not become a field of its own at some front door.
func appendValue(dst []byte, value string) []byte {
	if strings.ContainsAny(value, "\r\n") {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return eventjson.AppendString(dst, value)
}

// appendSingle writes the header fields that want accepts, each as one string.
func (r Response) appendSingle(dst []byte, want func(name string, values []string) bool) []byte {
	dst = append(dst, `,"headers":{`...)
	first := true
	add := func(name, value string) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(eventjson.AppendString(dst, name), ':')
		dst = appendValue(dst, value)
	}
	var buf [16]string
	for _, name := range r.names(buf[:0]) {
		values := r.Header[name]
		switch {
		case len(values) == 0 || !want(name, values):
		case len(values) == 1:
			add(name, values[0])
		case name == "Set-Cookie": // cannot be joined: RFC 6265 section 3
			for i, v := range values {
				add(cased(name, i), v)
			}
		default:
			add(name, strings.Join(values, ", "))
		}
	}
	return append(dst, '}')
}

// cased is the name in its ith spelling. A door that takes one value for a name
// still takes several names, and to the client they are the same.
func cased(name string, i int) string {
	b := []byte(name)
	for j := len(b) - 1; j >= 0 && i > 0; j-- {
		if b[j] == '-' {
			continue
		}
		if i&1 == 1 {
			b[j] ^= 'a' - 'A'
		}
		i >>= 1
	}
	return string(b)
}

func (r Response) appendMulti(dst []byte, want func(values []string) bool) []byte {
	start, first := len(dst), true
	dst = append(dst, `,"multiValueHeaders":{`...)
	var buf [16]string
	for _, name := range r.names(buf[:0]) {
		values := r.Header[name]
		if len(values) == 0 || !want(values) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(eventjson.AppendString(dst, name), ':')
		dst = appendStrings(dst, values)
	}
	if first && r.Door != ALBMulti {
		return dst[:start]
	}
	return append(dst, '}')
}

func appendStrings(dst []byte, values []string) []byte {
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, v)
	}
	return append(dst, ']')
}

func (r Response) appendCookies(dst []byte) []byte {
	cookies := r.Header["Set-Cookie"]
	if len(cookies) == 0 {
		return dst
	}
	return appendStrings(append(dst, `,"cookies":`...), cookies)
}

func (r Response) appendBody(dst []byte) []byte {
	switch {
	case len(r.Body) == 0:
		dst = append(dst, `,"body":""`...)
	case isText(r.Header, r.Body):
		dst = eventjson.AppendString(append(dst, `,"body":`...), r.Body)
	default:
		dst = append(dst, `,"body":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, r.Body)
		dst = append(dst, `","isBase64Encoded":true`...)
	}
	return append(dst, '}')
}

// isText reports whether a body may travel as a JSON string: it is UTF-8, and of
// a type that a reader of logs would call text.
func isText(h http.Header, body []byte) bool {
	if len(h["Content-Encoding"]) > 0 || !utf8.Valid(body) {
		return false
	}
	t := h.Get("Content-Type")
	switch t { // the common ones, without parsing
	case "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/problem+json":
		return true
	}
	t, _, err := mime.ParseMediaType(t)
	if err != nil {
		return false
	}
	switch {
	case strings.HasPrefix(t, "text/"), strings.HasSuffix(t, "+json"), strings.HasSuffix(t, "+xml"):
		return true
	}
	switch t {
	case "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded", "application/x-ndjson", "application/yaml":
		return true
	}
	return false
}
