package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
)

// Stream is [Handler] for a front door that passes the response on as it is
// written: a function URL with invoke mode RESPONSE_STREAM, or a REST API with
// response transfer mode STREAM. The event does not say which mode is in use, so
// that you have to; any other door would show the prelude to the client.
//
// Writes are sent when 4 KiB have come together, at every Flush ([http.Flusher],
// [http.ResponseController]), and at the end: what a server of net/http does.
// Lambda streams up to 200 MB. When Lambda does not read on, Write fails and the
// request's context ends.
//
// A panic or a failure after the first byte reaches the client as a response that
// breaks off. Header fields set after the first byte are lost: Lambda's streams
// have no trailers for them.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
func Stream(h http.Handler) func(context.Context, Request) (*StreamedResponse, error) {
	return func(ctx context.Context, e Request) (*StreamedResponse, error) {
		if e.Door == 0 {
			return nil, notHTTP(&e)
		}
		return stream(ctx, h, &e)
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

// stream runs h in a goroutine of its own, which ends before the last byte of the
// response is read. It returns when there is something to read.
func stream(ctx context.Context, h http.Handler, e *Request) (*StreamedResponse, error) {
	ctx, stop := context.WithCancel(ctx)
	r, pipe := io.Pipe()
	begun, done := make(chan struct{}), make(chan struct{})
	w := &streamer{
		door: e.Door, header: make(http.Header, 8), head: e.Method == http.MethodHead,
		out: bufio.NewWriterSize(pipe, 4<<10), begin: sync.OnceFunc(func() { close(begun) }),
	}
	var failed error
	go func() {
		defer close(done)
		defer stop()
		failed = w.run(ctx, h, e)
		_ = pipe.CloseWithError(failed) // nil is io.EOF
	}()
	select {
	case <-begun:
	case <-done:
		if failed != nil && !w.sent {
			return nil, failed
		}
	}
	return &StreamedResponse{r, stop, done}, nil
}

// streamer is the http.ResponseWriter of a streamed response.
type streamer struct {
	door   Door
	header http.Header
	head   bool
	status int
	out    *bufio.Writer
	sent   bool // the prelude is on its way
	begin  func()
}

// run returns what ended the response too early.
func (w *streamer) run(ctx context.Context, h http.Handler, e *Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = http.ErrAbortHandler
		default:
			err = fmt.Errorf("web: the handler of a streamed response panicked: %v\n%s", v, debug.Stack())
		}
	}()
	serve(ctx, h, w, e)
	w.FlushError() //nolint:errcheck // the reader is gone, and knows
	return nil
}

func (w *streamer) Header() http.Header { return w.header }

func (w *streamer) WriteHeader(status int) {
	checkStatus(status)
	if w.status != 0 || status < 200 { // a stream has one prelude, and so no 1xx
		return
	}
	w.status = status
	w.prelude(nil)
}

// Write implements [http.ResponseWriter].
func (w *streamer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
		w.prelude(p)
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.head {
		return len(p), nil
	}
	w.room(len(p))
	return w.out.Write(p)
}

// room lets the reader begin when the buffer will not hold n more bytes: from
// then on writing waits for it.
func (w *streamer) room(n int) {
	if n > w.out.Available() {
		w.begin()
	}
}

// FlushError is for [http.ResponseController].
func (w *streamer) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.begin()
	return w.out.Flush()
}

// Flush implements [http.Flusher].
func (w *streamer) Flush() { _ = w.FlushError() }

// prelude writes the status and the header, and the delimiter of eight zero bytes.
func (w *streamer) prelude(body []byte) {
	w.sent = true
	settleHeader(w.header, body, w.status, w.head)
	resp := Response{Status: w.status, Header: w.header}
	dst := append(make([]byte, 0, 512), `{"statusCode":`...)
	dst = strconv.AppendInt(dst, int64(w.status), 10)
	if w.door == RESTAPI {
		dst = resp.appendSingle(dst, func(_ string, v []string) bool { return len(v) == 1 })
		dst = resp.appendMulti(dst, func(v []string) bool { return len(v) > 1 })
	} else {
		dst = resp.appendSingle(dst, func(name string, _ []string) bool { return name != "Set-Cookie" })
		dst = resp.appendCookies(dst)
	}
	dst = append(dst, "}\x00\x00\x00\x00\x00\x00\x00\x00"...)
	w.room(len(dst))
	_, _ = w.out.Write(dst)
}
