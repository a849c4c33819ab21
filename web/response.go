package web

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web/internal/eventjson"
	"github.com/gomiddy/middy/web/internal/header"
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

// AppendJSON appends the response as its front door reads it. Package middy calls
// it in place of encoding/json. A response that is larger than the front door takes
// is an error.
func (r Response) AppendJSON(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = r.appendBody(r.appendHead(dst))
	return dst, r.tooLarge(len(dst) - start)
}

const (
	// maxResponse is Lambda's limit of a buffered response, in bytes of JSON:
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	maxResponse = 6<<20 + 100
	// maxALB is a load balancer's:
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
	maxALB = 1 << 20
)

func (r Response) limit() int {
	if r.Door == ALB || r.Door == ALBMulti {
		return maxALB
	}
	return maxResponse
}

// tooLarge is the error of a response with n bytes of JSON, or nil.
func (r Response) tooLarge(n int) error {
	switch limit := r.limit(); {
	case n <= limit:
		return nil
	case limit == maxALB:
		return fmt.Errorf("web: the response has %d bytes of JSON, and an Application Load Balancer takes %d (1 MB): answer with a link to S3", n, limit)
	default:
		return fmt.Errorf("web: the response has %d bytes of JSON, and Lambda takes %d: stream it (web.Stream), where the front door can, or answer with a link to S3", n, limit)
	}
}

// fits says in time whether AppendJSON will fail, without encoding the body.
func (r Response) fits() error {
	n := 512 + 6*len(r.Body) // no byte takes more than six, as \u0001
	for name, values := range r.Header {
		for _, v := range values {
			n += 6*(len(name)+len(v)) + 8
		}
	}
	if n <= r.limit() {
		return nil
	}
	n = len(r.appendHead(nil))
	if isText(r.Header, r.Body) {
		n += len(`,"body":}`) + eventjson.Len(r.Body)
	} else {
		n += len(`,"body":"","isBase64Encoded":true}`) + base64.StdEncoding.EncodedLen(len(r.Body))
	}
	return r.tooLarge(n)
}

func (r Response) appendHead(dst []byte) []byte {
	r.Header = canonicalHeader(r.Header)
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
		dst = r.appendMulti(dst, func(v []string) bool { return len(v) > 0 })
	case ALB, Lattice1, Lattice:
		dst = r.appendSingle(dst, func(string, []string) bool { return true })
	default:
		dst = r.appendSingle(dst, func(name string, _ []string) bool { return name != "Set-Cookie" })
		dst = r.appendCookies(dst)
	}
	return dst
}

// MarshalJSON implements [json.Marshaler] by AppendJSON.
func (r Response) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// canonicalHeader is h, or a copy in which no name has two spellings: a JSON object
// with both would leave it to the front door which of them counts.
func canonicalHeader(h http.Header) http.Header {
	for name := range h {
		if http.CanonicalHeaderKey(name) != name {
			h = h.Clone()
			canonicalize(h)
			return h
		}
	}
	return h
}

// canonicalize gives each name of h its canonical spelling.
func canonicalize(h http.Header) {
	var odd []string
	for name := range h {
		if http.CanonicalHeaderKey(name) != name {
			odd = append(odd, name)
		}
	}
	slices.Sort(odd)
	for _, name := range odd {
		key := http.CanonicalHeaderKey(name)
		h[key] = append(slices.Clip(h[key]), h[name]...)
		delete(h, name)
	}
}

// names are the header's, sorted, so that equal responses have equal bytes. What
// is no name is left out, as net/http does it.
func (r Response) names(buf []string) []string {
	for name := range r.Header {
		if header.IsName(name) {
			buf = append(buf, name)
		}
	}
	slices.Sort(buf)
	return buf
}

// appendValue writes a field's value. Control characters become spaces, for they
// are invalid, and a line break must not begin another field at some front door: RFC
// 9110 section 5.5. JSON has characters and no bytes: a value that is not UTF-8 is
// taken for Latin-1, which fields had before they were opaque bytes.
func appendValue(dst []byte, value string) []byte {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c >= 0x7f {
			return eventjson.AppendString(dst, cleaned(value))
		}
	}
	return eventjson.AppendString(dst, value)
}

func cleaned(value string) string {
	latin1 := !utf8.ValidString(value)
	var b strings.Builder
	for i := range len(value) {
		switch c := value[i]; {
		case c < ' ' && c != '\t' || c == 0x7f:
			b.WriteByte(' ')
		case latin1:
			b.WriteRune(rune(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
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
	for j := len(b) - 1; j >= 0; j-- {
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
		if !want(values) {
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

// isText reports whether a body may travel as a JSON string. It must be UTF-8, so
// that nothing is lost. A REST API without binary media types passes base64 on as it
// is, so that everything goes as text which is not known to be binary.
func isText(h http.Header, body []byte) bool {
	if len(h["Content-Encoding"]) > 0 || !utf8.Valid(body) {
		return false
	}
	t := h.Get("Content-Type")
	switch t { // the common ones, without parsing
	case "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/problem+json":
		return true
	case "":
		return false
	}
	t, params, err := mime.ParseMediaType(t)
	switch {
	case err != nil && t == "":
		return false
	case params["charset"] != "" || strings.HasSuffix(t, "+xml") || strings.HasSuffix(t, "+json"):
		return true
	}
	kind, _, _ := strings.Cut(t, "/")
	switch kind {
	case "image", "audio", "video", "font", "model":
		return false
	}
	return !slices.Contains(binaryTypes, t)
}

// binaryTypes are the binary ones of type application that servers send.
// https://www.iana.org/assignments/media-types
var binaryTypes = []string{
	"application/octet-stream", "application/pdf", "application/zip", "application/gzip", "application/x-gzip", "application/x-tar",
	"application/x-7z-compressed", "application/x-bzip2", "application/zstd", "application/vnd.rar", "application/java-archive",
	"application/wasm", "application/cbor", "application/msgpack", "application/x-msgpack", "application/vnd.msgpack",
	"application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf", "application/grpc", "application/grpc-web",
	"application/vnd.apache.parquet", "application/avro", "application/x-sqlite3", "application/vnd.sqlite3", "application/msword",
	"application/vnd.ms-excel", "application/vnd.ms-fontobject", "application/x-font-ttf", "application/x-shockwave-flash",
}
