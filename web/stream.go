package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/gomiddy/middy/internal/panics"
)

// Stream is [Handler] for a front door that passes the response on as it is
// written: a function URL with invoke mode RESPONSE_STREAM, or a REST API with
// response transfer mode STREAM. The event does not say which mode is in use, so
// that you have to; any other door would show the prelude to the client.
//
// Writes are sent when 4 KiB have come together, at every Flush ([http.Flusher],
// [http.ResponseController]), and at the end: what a server of net/http does. The
// header is kept back until a Flush, 512 bytes, or the end, so that the type of the
// body is found as there. Lambda streams up to 200 MB. When Lambda does not read on,
// Write fails and the request's context ends.
//
// A panic or a failure after the first byte was sent reaches the client as a
// response that breaks off; before, the invocation fails. Header fields set after
// the first byte are lost: Lambda's streams have no trailers for them. A
// Content-Length that the handler sets is passed on and must be met; the front doors
// have been seen to rename it X-Amzn-Remapped-Content-Length.
//
// Give a response a body where its status allows one, be it a line: function URLs have
// been seen to keep the client waiting for the body of a streamed response that has
// none, such as an error of WriteHeader alone
// (https://github.com/aws/aws-lambda-go/issues/596).
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
func Stream(h http.Handler) func(context.Context, Request) (*StreamedResponse, error) {
	return func(ctx context.Context, e Request) (*StreamedResponse, error) {
		if e.Door == 0 {
			return nil, notHTTP(&e)
		}
		return serveStream(ctx, h, &e)
	}
}

// A StreamedResponse is read by Lambda's runtime while the handler writes it. It
// must be read to its end or closed.
type StreamedResponse struct {
	r    *io.PipeReader
	stop context.CancelFunc
	done <-chan struct{} // closed when the handler has returned
}

// Read returns the prelude, and then the body.
func (s *StreamedResponse) Read(p []byte) (int, error) { return s.r.Read(p) }

// Close ends the handler's request and waits until it has returned, so that
// nothing of it crosses into a freeze.
func (s *StreamedResponse) Close() error {
	s.stop()
	_ = s.r.CloseWithError(http.ErrAbortHandler)
	<-s.done
	return nil
}

// ContentType tells the front door that the body begins with a prelude.
func (s *StreamedResponse) ContentType() string {
	return "application/vnd.awslambda.http-integration-response"
}

// serveStream runs h in a goroutine of its own, which ends before the last byte of
// the response is read. It returns when there is something to read.
func serveStream(ctx context.Context, h http.Handler, e *Request) (*StreamedResponse, error) {
	ctx, stop := context.WithCancel(ctx)
	r, pipe := io.Pipe()
	begun, done := make(chan struct{}), make(chan struct{})
	w := newWriter(e)
	w.out = &stream{
		door: e.Door, pipe: pipe, buf: bufio.NewWriterSize(pipe, 4<<10), begin: sync.OnceFunc(func() { close(begun) }),
	}
	failed := errGoexit
	go func() {
		defer close(done)
		defer stop()
		defer func() { _ = pipe.CloseWithError(failed) }() // nil is io.EOF
		failed = w.run(ctx, h, e)
	}()
	select {
	case <-begun:
	case <-done: // and nothing was sent
		if failed != nil {
			return nil, failed
		}
	}
	return &StreamedResponse{r, stop, done}, nil
}

var errGoexit = errors.New("web: the handler ended its goroutine with runtime.Goexit")

// run returns what ended the response too early.
func (w *writer) run(ctx context.Context, h http.Handler, e *Request) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panics.Recovered(v)
			if p, ok := err.(*panics.PanicError); ok { //nolint:errorlint // just made
				err = panicked{p}
			}
		}
	}()
	if err := serve(ctx, h, w, e); err != nil {
		return err
	}
	if err := w.finish(); err != nil {
		return err
	}
	_ = w.out.flush() // the reader is gone, and knows
	return nil
}

// panicked says where a panic was recovered: the stack of one in another goroutine
// does not lead to the engine.
type panicked struct{ *panics.PanicError }

func (p panicked) Error() string {
	return fmt.Sprintf("web: the handler of a streamed response panicked: %v", p.Value)
}

func (p panicked) Unwrap() error { return p.PanicError }

// stream is where a [writer] sends a response that goes out while it is written.
type stream struct {
	door  Door
	pipe  *io.PipeWriter
	buf   *bufio.Writer
	begin func() // there is something to read
}

func (s *stream) write(p []byte) (int, error) {
	s.room(len(p))
	return s.buf.Write(p)
}

func (s *stream) flush() error {
	s.begin()
	return s.buf.Flush()
}

// room lets the reader begin when the buffer will not hold n more bytes: from then
// on writing waits for it.
func (s *stream) room(n int) {
	if n > s.buf.Available() {
		s.begin()
	}
}

// prelude writes the status and the header, the delimiter of eight zero bytes, and
// what was kept back of the body.
func (s *stream) prelude(w *writer) {
	delete(w.sent, "Trailer") // there are none
	resp := Response{Status: w.status, Header: w.sent}
	dst := append(make([]byte, 0, 1024), `{"statusCode":`...)
	dst = strconv.AppendInt(dst, int64(w.status), 10)
	if s.door == RESTAPI {
		dst = resp.appendSingle(dst, func(_ string, v []string) bool { return len(v) == 1 })
		dst = resp.appendMulti(dst, func(v []string) bool { return len(v) > 1 })
	} else {
		dst = resp.appendSingle(dst, func(name string, _ []string) bool { return name != "Set-Cookie" })
		dst = resp.appendCookies(dst)
	}
	dst = append(dst, "}\x00\x00\x00\x00\x00\x00\x00\x00"...)
	if !w.head {
		dst = append(dst, w.body...)
	}
	_, _ = s.write(dst) // the reader is gone: the next write says so
}
