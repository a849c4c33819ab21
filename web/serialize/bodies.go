package serialize

import (
	"bufio"
	"net"
	"net/http"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/response"
)

func (c *Config) serveBodies(next http.Handler, w http.ResponseWriter, r *http.Request) {
	b := &bodyWriter{ResponseWriter: w, limit: c.MaxBytes}
	next.ServeHTTP(b, r)
	if b.buf == nil {
		return
	}
	status, body, whole := b.buf.Whole()
	if !whole {
		return
	}
	w.Header().Del("Content-Length") // of another body
	header.Replaced(w.Header())
	if len(body) == 0 {
		_ = b.buf.Send(status, nil) // the client has gone; there is nobody to tell
		return
	}
	if err := c.write(w, r, status, string(body)); err != nil {
		web.WriteError(w, r, err)
	}
}

// A bodyWriter keeps a response for which no Content-Type is set when it begins, and
// lets every other one through.
type bodyWriter struct {
	http.ResponseWriter
	limit int
	to    http.ResponseWriter // nil: not begun
	buf   *response.Buffer    // set while the response is kept
}

func (b *bodyWriter) begin(status int) {
	if b.to != nil {
		return
	}
	if b.Header().Get("Content-Type") != "" || noBody(status) {
		b.to = b.ResponseWriter
		return
	}
	b.buf = response.NewBuffer(b.ResponseWriter, b.limit)
	b.to = b.buf
}

func (b *bodyWriter) WriteHeader(status int) {
	if status < 200 {
		b.ResponseWriter.WriteHeader(status)
		return
	}
	b.begin(status)
	b.to.WriteHeader(status)
}

func (b *bodyWriter) Write(p []byte) (int, error) {
	b.begin(http.StatusOK)
	return b.to.Write(p)
}

// FlushError is for [http.ResponseController]. A response that begins with it is a
// stream, and is not kept.
func (b *bodyWriter) FlushError() error {
	if b.to == nil {
		b.to = b.ResponseWriter
	}
	return http.NewResponseController(b.to).Flush()
}

// Flush implements [http.Flusher].
func (b *bodyWriter) Flush() { _ = b.FlushError() }

// CloseNotify implements the deprecated [http.CloseNotifier].
func (b *bodyWriter) CloseNotify() <-chan bool { return response.CloseNotify(b.ResponseWriter) }

// Hijack implements [http.Hijacker]: from then on the response is the caller's.
func (b *bodyWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(b.ResponseWriter).Hijack()
}

// Unwrap is for [http.ResponseController].
func (b *bodyWriter) Unwrap() http.ResponseWriter { return b.ResponseWriter }
