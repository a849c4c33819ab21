package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest builds the six parts that were signed, or says which signed
// header is not there.
func canonicalRequest(r *http.Request, c *parsed, payloadHash string) (text, absent string) {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(canonicalPath(wirePath(r), c.Service == "s3"))
	b.WriteByte('\n')
	b.WriteString(canonicalQuery(parseQuery(r.URL.RawQuery)))
	b.WriteByte('\n')
	for _, name := range c.SignedHeaders {
		values, ok := headerValues(r, name)
		if !ok {
			return "", name
		}
		b.WriteString(name)
		b.WriteByte(':')
		for i, v := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(fold(v))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(c.SignedHeaders, ";"))
	b.WriteByte('\n')
	b.WriteString(payloadHash)
	return b.String(), ""
}

// headerValues is a header as it was sent. net/http's server takes Host and
// Transfer-Encoding out of the map, and for HTTP/2 there may be no Content-Length in it.
func headerValues(r *http.Request, name string) ([]string, bool) {
	switch name {
	case "host", ":authority":
		return []string{r.Host}, true
	case "transfer-encoding":
		return r.TransferEncoding, len(r.TransferEncoding) > 0
	}
	if v := r.Header.Values(name); len(v) > 0 {
		return v, true
	}
	if name == "content-length" && r.ContentLength >= 0 {
		return []string{strconv.FormatInt(r.ContentLength, 10)}, true
	}
	return nil, false
}

// fold trims a value and makes runs of spaces one, also inside quotes, which is
// what AWS's own test suite expects of "a   b   c".
func fold(v string) string {
	v = strings.Trim(v, " \t")
	if !strings.Contains(v, "  ") {
		return v
	}
	var b strings.Builder
	space := false
	for i := range len(v) {
		if v[i] == ' ' && space {
			continue
		}
		space = v[i] == ' '
		b.WriteByte(v[i])
	}
	return b.String()
}

// wirePath is the path's bytes as they were sent. URL.EscapedPath would repair
// what the client did not encode, and the client signed what it sent.
func wirePath(r *http.Request) string {
	if !strings.HasPrefix(r.RequestURI, "/") {
		return r.URL.EscapedPath() // an absolute target, or a request that no server parsed
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path
}

// canonicalPath normalises and encodes the path once more; for S3, whose keys
// may hold any sequence of slashes and dots, it does neither: the path is
// encoded exactly once.
func canonicalPath(path string, s3 bool) string {
	if path == "" {
		return "/"
	}
	if s3 {
		return uriEncode(unescape(path), true)
	}
	return uriEncode(normalise(path), true)
}

// normalise removes dot segments and empty ones (RFC 3986, section 5.2.4) and
// keeps a trailing slash.
func normalise(path string) string {
	var kept []string
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, seg)
		}
	}
	out := "/" + strings.Join(kept, "/")
	if len(kept) > 0 && strings.HasSuffix(path, "/") {
		out += "/"
	}
	return out
}

// canonicalQuery encodes names and values and sorts them by name, then value.
// X-Amz-Signature cannot have signed itself.
func canonicalQuery(q query) string {
	pairs := make([]pair, 0, len(q.pairs))
	for _, p := range q.pairs {
		if p.key != "X-Amz-Signature" {
			pairs = append(pairs, pair{uriEncode(p.key, false), uriEncode(p.value, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if n := strings.Compare(a.key, b.key); n != 0 {
			return n
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}

const upperHex = "0123456789ABCDEF"

// uriEncode is AWS's UriEncode: every byte except RFC 3986's unreserved ones,
// and, for a path, the slash.
func uriEncode(s string, path bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', path && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// unescape decodes a path; one that holds an escape that is none is taken as it is.
func unescape(s string) string {
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	return s
}
