package frontdoor

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
)

// net/http gives every header name one spelling before a handler sees it, and a
// REST API passes them on as they were sent: x-request-id is another key of the
// event than X-Request-Id. So the names are read where they still are themselves,
// on the way from the socket.

// Listener lets [RESTAPI] see how header names were spelled, together with
// [ConnContext] in the same [http.Server]. It is for HTTP/1.1 without TLS; what
// cannot be followed keeps net/http's spelling.
func Listener(l net.Listener) net.Listener { return spellingListener{l} }

// ConnContext is for [http.Server]; see [Listener].
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*spellingConn); ok {
		return context.WithValue(ctx, spellingKey{}, &c.heads)
	}
	return ctx
}

type (
	spellingKey      struct{}
	spellingListener struct{ net.Listener }
	spellingConn     struct {
		net.Conn
		heads heads
	}
)

func (l spellingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &spellingConn{Conn: c}, nil
}

func (c *spellingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.heads.feed(p[:n])
	return n, err
}

// spelling returns how the request's header names were written, by net/http's
// name for them, in the order of their values; nil when that is not known.
func spelling(r *http.Request) map[string][]string {
	h, ok := r.Context().Value(spellingKey{}).(*heads)
	if !ok {
		return nil
	}
	return h.of(r.Method + " " + r.RequestURI + " ")
}

const (
	// maxHead bounds what is kept of one head; net/http takes 1 MB.
	maxHead = 1 << 20
	// keptHeads are enough for what net/http reads ahead of the request that it serves.
	keptHeads = 8
)

type head struct {
	line  string
	names map[string][]string
}

// heads follows the requests of one connection: where a head begins is only known
// to who has counted the body before it.
type heads struct {
	mu   sync.Mutex
	last []head
	lost bool // not followed any more

	buf  []byte // of the head, or the line, that is not complete
	skip int64  // bytes of a body
	next func(h *heads, line []byte)
}

// of finds the latest request with that beginning.
func (h *heads) of(begin string) map[string][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.last) - 1; i >= 0; i-- {
		if strings.HasPrefix(h.last[i].line, begin) {
			return h.last[i].names
		}
	}
	return nil
}

func (h *heads) feed(p []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(p) > 0 && !h.lost {
		if h.skip > 0 {
			n := min(h.skip, int64(len(p)))
			h.skip, p = h.skip-n, p[n:]
			continue
		}
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			h.buf = append(h.buf, p...)
			h.lost = len(h.buf) > maxHead
			return
		}
		h.buf = append(h.buf, p[:i+1]...)
		p = p[i+1:]
		if h.next == nil {
			h.next = (*heads).headLine
		}
		h.next(h, h.buf)
		h.lost = h.lost || len(h.buf) > maxHead
	}
	if h.lost {
		h.buf = nil
	}
}

// headLine gets the head up to the end of each of its lines.
func (h *heads) headLine(sofar []byte) {
	switch {
	case len(bytes.TrimRight(sofar, "\r\n")) == 0:
		h.buf = h.buf[:0] // before the first line
	case bytes.HasSuffix(sofar, []byte("\n\r\n")), bytes.HasSuffix(sofar, []byte("\n\n")):
		h.headEnd(string(sofar))
		h.buf = h.buf[:0]
	}
}

func (h *heads) headEnd(text string) {
	line, rest, _ := strings.Cut(text, "\n")
	names := map[string][]string{}
	chunked := false
	for field := range strings.SplitSeq(rest, "\n") {
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			continue
		}
		key := textproto.CanonicalMIMEHeaderKey(name)
		names[key] = append(names[key], name)
		value = strings.TrimSpace(value)
		switch key {
		case "Upgrade":
			h.lost = true // what follows may be no HTTP
		case "Content-Length":
			n, err := strconv.ParseInt(value, 10, 64)
			h.skip, h.lost = n, h.lost || err != nil || n < 0
		case "Transfer-Encoding":
			chunked = true
			h.lost = h.lost || !strings.EqualFold(value, "chunked")
		}
	}
	if chunked {
		h.skip, h.next = 0, (*heads).chunkLine
	}
	h.last = append(h.last, head{line, names})
	h.last = h.last[max(0, len(h.last)-keptHeads):]
}

// chunkLine gets the size before each chunk.
func (h *heads) chunkLine(line []byte) {
	size, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
	h.buf = h.buf[:0]
	n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	switch {
	case err != nil || n < 0:
		h.lost = true
	case n == 0:
		h.next = (*heads).trailerLine
	default:
		h.skip, h.next = n, (*heads).chunkEnd
	}
}

// chunkEnd gets the line end behind a chunk.
func (h *heads) chunkEnd(line []byte) {
	h.lost = len(bytes.TrimSpace(line)) > 0
	h.buf, h.next = h.buf[:0], (*heads).chunkLine
}

func (h *heads) trailerLine(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		h.next = (*heads).headLine
	}
	h.buf = h.buf[:0]
}
