package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomiddy/middy/web/internal/response"
)

// writer is the http.ResponseWriter of one invocation. It makes the promises that
// net/http's server makes to a handler, and has the methods that its writer has:
// frameworks ask for them by type assertion.
type writer struct {
	ctx      context.Context // the request's
	head     bool            // the request's method is HEAD
	header   http.Header     // the handler's
	status   int             // 0 until the handler or its first Write says it
	sent     http.Header     // the header as it was then
	declared int64           // the Content-Length that the handler promised, or -1
	written  int64           // bytes given to Write
	accepted int64           // of them, those that Write took
	settled  bool            // the header is decided
	body     []byte          // all of it, or what a stream keeps back until then
	out      *stream         // nil when the response is sent whole
	broken   response.Reason // why the response broke off

	mu    sync.Mutex // for the two below
	timer *time.Timer
	late  atomic.Bool // the write deadline has passed
}

func newWriter(e *Request) *writer {
	return &writer{header: make(http.Header, 8), head: e.Method == http.MethodHead, declared: -1}
}

// Header implements [http.ResponseWriter].
func (w *writer) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *writer) WriteHeader(status int) {
	if status < 100 || status > 999 { // as net/http does and says it, where the mistake can be found
		panic("invalid WriteHeader code " + strconv.Itoa(status))
	}
	switch {
	case w.status != 0:
		superfluous()
	case status < 200 && status != http.StatusSwitchingProtocols: // no front door sends informational responses
	default:
		w.status, w.sent = status, w.header.Clone()
		canonicalize(w.sent)
		w.declare()
	}
}

// superfluous logs what net/http's server logs, with the line that did it.
func superfluous() {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		f, more := frames.Next()
		if !more || !strings.HasPrefix(f.Function, "net/http.") && !strings.HasPrefix(f.Function, "github.com/gomiddy/middy/web.") &&
			!strings.HasPrefix(f.Function, "github.com/gomiddy/middy/web/internal/") {
			log.Printf("web: superfluous response.WriteHeader call from %s (%s:%d)", f.Function, f.File, f.Line)
			return
		}
	}
}

// declare reads the length that the handler promises. That of an encoded body is
// perhaps the length before a middleware encoded it, and promises nothing.
func (w *writer) declare() {
	line, ok := w.sent["Content-Length"]
	if !ok {
		return
	}
	n, err := strconv.ParseInt(strings.Join(line, ", "), 10, 64)
	switch {
	case err != nil || n < 0:
		delete(w.sent, "Content-Length")
	case w.sent.Get("Content-Encoding") == "":
		w.declared = n
	}
}

// Write implements [http.ResponseWriter].
func (w *writer) Write(p []byte) (int, error) { return write(w, p) }

// WriteString implements [io.StringWriter].
func (w *writer) WriteString(s string) (int, error) { return write(w, s) }

// ReadFrom implements [io.ReaderFrom]. Frameworks that wrap a writer ask for it, to
// pass it on; there is no connection that the kernel could copy to.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}

func write[T string | []byte](w *writer, p T) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(p)); w.declared >= 0 && w.written > w.declared {
		return 0, http.ErrContentLength
	}
	if w.late.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	n, rest := len(p), p
	switch {
	case w.head: // enough to know its type
		w.body = append(w.body, p[:min(n, max(0, sniffed-len(w.body)))]...)
		rest = p[n:]
	case w.out == nil:
		w.body = append(w.body, p...)
		rest = p[n:]
	case !w.settled:
		kept := min(n, sniffed-len(w.body))
		w.body = append(w.body, p[:kept]...)
		rest = p[kept:]
		if len(w.body) == sniffed {
			w.settle(false)
		}
	}
	if len(rest) > 0 {
		sent, err := w.out.write([]byte(rest))
		n += sent - len(rest)
		if err != nil {
			w.accepted += int64(n)
			return n, err
		}
	}
	w.accepted += int64(n)
	return n, nil
}

// Flush implements [http.Flusher]. A response that is sent whole ends there what
// net/http looks at to find the type; use [Stream] to send it as it comes.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController].
func (w *writer) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.settle(false)
	if w.late.Load() {
		return os.ErrDeadlineExceeded
	}
	if w.out == nil {
		return nil
	}
	return w.out.flush()
}

// Begun reports whether the final status is written: see package response.
func (w *writer) Begun() bool { return w.status != 0 }

// CloseNotify implements the deprecated [http.CloseNotifier], which gin asserts. It
// follows the request's context.
func (w *writer) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(w.ctx, func() { gone <- true })
	return gone
}

// Hijack implements [http.Hijacker], which gin asserts.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, fmt.Errorf("web: a function has no connection to take over: %w", http.ErrNotSupported)
}

// SetReadDeadline is for [http.ResponseController]. The request is there as a
// whole, and reading it does not wait.
func (w *writer) SetReadDeadline(time.Time) error { return nil }

// EnableFullDuplex is for [http.ResponseController]. The request is there as a
// whole, and writing does not disturb reading.
func (w *writer) EnableFullDuplex() error { return nil }

// SetWriteDeadline is for [http.ResponseController]. Writing fails from then on,
// also the write that waits for the reader, and the response breaks off.
func (w *writer) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	left := time.Until(t)
	switch {
	case t.IsZero():
		w.late.Store(false)
	case left <= 0:
		w.expire()
	default:
		w.late.Store(false)
		w.timer = time.AfterFunc(left, w.expire)
	}
	return nil
}

func (w *writer) expire() {
	w.late.Store(true)
	if w.out != nil {
		_ = w.out.pipe.CloseWithError(os.ErrDeadlineExceeded)
	}
}

const (
	// sniffed is how many bytes http.DetectContentType looks at.
	sniffed = 512
	// serverBuffer is how much of a body net/http's server holds back. It counts the
	// length of what fits.
	serverBuffer = 2048
)

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// settle decides the header once, when net/http's server sends it: at the first
// Flush, when enough of the body is there, or when the handler is done.
func (w *writer) settle(done bool) {
	if w.settled {
		return
	}
	w.settled = true
	h := w.sent
	for _, line := range h["Connection"] { // what it names ends there, too
		for name := range strings.SplitSeq(line, ",") {
			delete(h, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
	_, counted := h["Content-Length"]
	switch {
	case !bodyAllowed(w.status):
		delete(h, "Content-Length")
		if w.status == http.StatusNotModified {
			delete(h, "Content-Type")
		}
	case !w.head && (w.out == nil || w.declared < 0):
		delete(h, "Content-Length") // the front door counts
	case !counted && done && 0 < w.accepted && w.accepted <= serverBuffer:
		h["Content-Length"] = []string{strconv.FormatInt(w.accepted, 10)}
	}
	if _, has := h["Content-Type"]; !has && len(w.body) > 0 && h.Get("Content-Encoding") == "" {
		h["Content-Type"] = []string{http.DetectContentType(w.body)}
	}
	if w.out != nil {
		w.out.prelude(w)
	}
}

// hopByHop are the header fields that end at the front door: RFC 9110 section
// 7.6.1.
var hopByHop = [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Te"}

var errSwitch = errors.New("web: the handler answered 101, and no front door of a function switches protocols: for WebSockets see package ws")

// finish ends the response when the handler is done. The error is what net/http's
// server breaks the connection off for.
func (w *writer) finish() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.mu.Lock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	switch {
	case w.status == http.StatusSwitchingProtocols:
		return errSwitch
	case w.late.Load():
		return fmt.Errorf("web: the handler's write deadline has passed: %w", os.ErrDeadlineExceeded)
	case !w.head && bodyAllowed(w.status) && w.accepted < w.declared:
		return fmt.Errorf("web: the handler declared a Content-Length of %d and wrote %d bytes: %w", w.declared, w.accepted, http.ErrAbortHandler)
	}
	w.settle(true)
	return nil
}

// response is what was written, for a front door that gets it whole.
func (w *writer) response(door Door) (Response, error) {
	if err := w.finish(); err != nil {
		return Response{}, err
	}
	w.trailers()
	resp := Response{Door: door, Status: w.status, Header: w.sent, Body: w.body}
	if w.head {
		resp.Body = nil
	}
	return resp, resp.fits()
}

// trailers become header fields: the response is not sent before they are known,
// and Lambda has no other way to send them. RFC 9110 section 6.5.1 allows it to
// the sender that defined them.
func (w *writer) trailers() {
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
			w.sent[http.CanonicalHeaderKey(rest)] = v
		}
	}
}

var (
	_ http.Flusher    = (*writer)(nil)
	_ http.Hijacker   = (*writer)(nil)
	_ io.ReaderFrom   = (*writer)(nil)
	_ io.StringWriter = (*writer)(nil)
)
