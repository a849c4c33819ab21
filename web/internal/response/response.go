// Package response stands between a handler and its http.ResponseWriter, for
// middlewares that look at or change what the handler answers.
//
// A wrapper that is written by hand forgets one of: the handler that never writes
// a header, the 1xx that comes before the real status, Flush, the CloseNotify that
// gin asserts, and http.ResponseController, which finds the writer beneath through
// Unwrap.
package response

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync/atomic"
)

// CloseNotify is for the method of that name of a wrapper around w. net/http's
// writers have it, and gin's Stream asserts it. Where no writer beneath has it, the
// channel never receives.
func CloseNotify(w http.ResponseWriter) <-chan bool {
	for {
		switch t := w.(type) {
		case interface{ CloseNotify() <-chan bool }:
			return t.CloseNotify()
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return make(chan bool)
		}
	}
}

// Track returns a writer for which [Begun] knows whether the response has begun: w
// itself when it knows.
func Track(w http.ResponseWriter) http.ResponseWriter {
	if _, ok := w.(interface{ Begun() bool }); ok {
		return w
	}
	return &onHeader{ResponseWriter: w}
}

// Begun reports whether the handler that writes to w has written its final status.
// It is false for a writer that does not know; see [Track].
func Begun(w http.ResponseWriter) bool {
	b, ok := w.(interface{ Begun() bool })
	return ok && b.Begun()
}

// A Reason keeps why a response broke off. The handler panics with
// [http.ErrAbortHandler] then, which every middleware lets through and which says
// nothing. It is safe for concurrent use.
type Reason struct{ err atomic.Pointer[error] }

// ReasonKey is the key of the *Reason in the context of a request.
type ReasonKey struct{}

// Record keeps the first reason for who serves the request. It is false when nobody
// asks for it, as net/http's server.
func Record(ctx context.Context, err error) bool {
	r, ok := ctx.Value(ReasonKey{}).(*Reason)
	if ok {
		r.err.CompareAndSwap(nil, &err)
	}
	return ok
}

// Load returns the reason, or nil.
func (r *Reason) Load() error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return nil
}

// OnHeader returns a writer that calls f once, just before the final status goes
// out, also when the handler calls Write or Flush without it. f may change the
// header and returns the status to send. Call the returned finish when the handler
// has returned: a handler that wrote nothing answers 200, and f hears of it.
func OnHeader(w http.ResponseWriter, f func(status int, h http.Header) int) (_ http.ResponseWriter, finish func()) {
	hook := &onHeader{ResponseWriter: w, f: f}
	return hook, hook.begin
}

type onHeader struct {
	http.ResponseWriter
	f     func(status int, h http.Header) int // nil keeps the status
	begun bool
}

func (w *onHeader) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols { // informational: another one follows
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if !w.begun { // a second status goes to the server, which logs who wrote it
		w.begun = true
		if w.f != nil {
			status = w.f(status, w.Header())
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *onHeader) begin() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
}

func (w *onHeader) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

func (w *onHeader) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *onHeader) Flush() { _ = w.FlushError() }

// Hijack is for [http.ResponseController]. Who has taken the connection over needs
// no header.
func (w *onHeader) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.begun = w.begun || err == nil
	return conn, rw, err
}

// CloseNotify implements the deprecated [http.CloseNotifier].
func (w *onHeader) CloseNotify() <-chan bool { return CloseNotify(w.ResponseWriter) }

// Begun is for the function of that name.
func (w *onHeader) Begun() bool { return w.begun }

// Unwrap is for [http.ResponseController].
func (w *onHeader) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A Buffer keeps a response until it is whole, so that a middleware can replace
// its body. A response that is flushed, or grows beyond the limit, cannot wait:
// from then on it passes through as it comes, and Whole reports false.
type Buffer struct {
	w       http.ResponseWriter
	limit   int
	status  int
	body    []byte
	through bool
}

// NewBuffer buffers up to limit bytes of a response to w.
func NewBuffer(w http.ResponseWriter, limit int) *Buffer { return &Buffer{w: w, limit: limit} }

// Header implements [http.ResponseWriter].
func (b *Buffer) Header() http.Header { return b.w.Header() }

// WriteHeader implements [http.ResponseWriter].
func (b *Buffer) WriteHeader(status int) {
	if status < 200 || b.through {
		b.w.WriteHeader(status)
		return
	}
	if b.status == 0 {
		b.status = status
	}
}

// Write implements [http.ResponseWriter].
func (b *Buffer) Write(p []byte) (int, error) {
	if b.status == 0 {
		b.status = http.StatusOK
	}
	if !b.through && len(b.body)+len(p) <= b.limit {
		b.body = append(b.body, p...)
		return len(p), nil
	}
	if err := b.pass(); err != nil {
		return 0, err
	}
	return b.w.Write(p)
}

// pass sends what is buffered and buffers no more.
func (b *Buffer) pass() error {
	if b.through {
		return nil
	}
	b.through = true
	if b.status == 0 {
		b.status = http.StatusOK
	}
	b.w.WriteHeader(b.status)
	var err error
	if len(b.body) > 0 {
		_, err = b.w.Write(b.body)
	}
	b.body = nil
	return err
}

// FlushError is for [http.ResponseController].
func (b *Buffer) FlushError() error {
	if err := b.pass(); err != nil {
		return err
	}
	return http.NewResponseController(b.w).Flush()
}

// Flush implements [http.Flusher].
func (b *Buffer) Flush() { _ = b.FlushError() }

// CloseNotify implements the deprecated [http.CloseNotifier].
func (b *Buffer) CloseNotify() <-chan bool { return CloseNotify(b.w) }

// Begun is for the function of that name.
func (b *Buffer) Begun() bool { return b.status != 0 }

// Unwrap is for [http.ResponseController].
func (b *Buffer) Unwrap() http.ResponseWriter { return b.w }

// Whole returns the buffered response, or false when it went through already.
// A handler that wrote nothing answered 200.
func (b *Buffer) Whole() (status int, body []byte, ok bool) {
	if b.through {
		return b.status, nil, false
	}
	if b.status == 0 {
		b.status = http.StatusOK
	}
	return b.status, b.body, true
}

// Send writes the response with another body, or the same one. It does nothing
// when the response went through already.
func (b *Buffer) Send(status int, body []byte) error {
	if b.through {
		return nil
	}
	b.status, b.body = status, body
	return b.pass()
}
