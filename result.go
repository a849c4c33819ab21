package middy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// maxResult is how many bytes of JSON Lambda takes as a result:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html ("6 MB"
// there; the Runtime API answers 413 beyond this number).
const maxResult = 6<<20 + 100

// A ResultSizeError says that a result is larger than Lambda takes. Lambda would
// refuse it, and aws-lambda-go would end the process; so it is not sent.
type ResultSizeError struct {
	// Size is the length of the result's JSON in bytes, Limit what Lambda takes.
	Size, Limit int
}

func (e *ResultSizeError) Error() string {
	return fmt.Sprintf("middy: the result has %d bytes, and Lambda takes %d: return an io.Reader to stream it, or a link to S3", e.Size, e.Limit)
}

// ErrorType is the name that Lambda itself gives to such a result.
func (e *ResultSizeError) ErrorType() string { return "Function.ResponseSizeTooLarge" }

// An outcome is what has become of an event: an error, JSON, or a stream.
type outcome struct {
	json   *jsonResult
	stream *stream
	err    error
}

// discard ends an answer that is not sent.
func (o outcome) discard() error {
	if o.stream == nil {
		return nil
	}
	return o.stream.discard()
}

// streamed returns v as a reader, when it is sent as a stream. A nil reader, also
// in a pointer, is not: it is sent as null, as aws-lambda-go does.
func streamed(v any) (io.Reader, bool) {
	if _, marshals := v.(json.Marshaler); marshals || isNil(v) {
		return nil, false
	}
	r, ok := v.(io.Reader)
	return r, ok
}

// isNull reports whether v is a nil pointer or a nil reader: null, whatever
// methods its type has for another purpose.
func isNull(v any) bool {
	if reflect.ValueOf(v).Kind() == reflect.Pointer {
		return isNil(v)
	}
	_, reads := v.(io.Reader)
	_, marshals := v.(json.Marshaler)
	return reads && !marshals && isNil(v)
}

// encode makes of a result what aws-lambda-go sends: of a reader a stream, of
// anything else JSON.
//
// aws-lambda-go sends a reader as JSON when it has exported fields, so that an
// *io.LimitedReader arrives as {"R":{},"N":6}. Here a reader is a stream, unless
// its type says how it is to be encoded (json.Marshaler).
func (c *invocationContext) encode(result any) outcome {
	v := c.f.unbox(result)
	if r, ok := streamed(v); ok {
		return outcome{stream: c.stream(r)}
	}
	if isNull(v) {
		v = nil
	}
	out := resultPool.Get().(*jsonResult)
	err := out.encode(v)
	// As aws-lambda-go: a reader whose own encoder has nothing to say is a stream.
	if r, ok := v.(io.Reader); ok && (err != nil || string(out.Bytes()) == "{}") {
		_ = out.Close()
		return outcome{stream: c.stream(r)}
	}
	if err == nil && out.Len() > maxResult {
		err = &ResultSizeError{Size: out.Len(), Limit: maxResult}
	}
	if err != nil {
		_ = out.Close()
		return outcome{err: err}
	}
	return outcome{json: out}
}

var resultPool = sync.Pool{New: func() any { return new(jsonResult) }}

// jsonResult is a pooled buffer that tells aws-lambda-go its content type and is
// closed by it when it was sent. It hides the buffer's methods from
// encoding/json, which finds no exported field.
type jsonResult struct{ buf bytes.Buffer }

func (b *jsonResult) Bytes() []byte               { return b.buf.Bytes() }
func (b *jsonResult) Len() int                    { return b.buf.Len() }
func (b *jsonResult) Write(p []byte) (int, error) { return b.buf.Write(p) }
func (b *jsonResult) Read(p []byte) (int, error)  { return b.buf.Read(p) }
func (b *jsonResult) ContentType() string         { return "application/json" }

// encode fills b with the JSON of v, without a newline.
func (b *jsonResult) encode(v any) error {
	if a, ok := v.(ResultAppender); ok {
		text, err := a.AppendJSON(b.buf.AvailableBuffer())
		_, _ = b.buf.Write(text)
		return unencodable(err)
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return unencodable(err)
	}
	b.buf.Truncate(b.buf.Len() - 1) // the encoder's newline
	return nil
}

func unencodable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("middy: the handler's result does not encode to JSON: %w", err)
}

func (b *jsonResult) Close() error {
	const keep = 1 << 20 // a rare huge result should not stay for ever
	b.buf.Reset()
	if b.buf.Cap() <= keep {
		resultPool.Put(b)
	}
	return nil
}

// A stream is a reader that the handler returned, on its way to Lambda. The
// invocation lives until the stream has ended: at io.EOF, at an error or a panic
// of the reader, at the early timeout, or when it is closed.
type stream struct {
	c           *invocationContext
	r           io.Reader
	contentType string

	buf  []byte        // of the user's Read: the caller has its own again when a Read is abandoned
	busy chan struct{} // holds a token during the user's Read; a mutex would stop the time of synctest
	next error         // came together with the last bytes

	once sync.Once
	end  atomic.Pointer[error]
}

// errClosed ends a stream that was closed before its end.
var errClosed = errors.New("middy: the stream was closed before its end")

// stream begins the response that r is.
func (c *invocationContext) stream(r io.Reader) *stream {
	s := &stream{c: c, r: r, busy: make(chan struct{}, 1)}
	if t, ok := r.(interface{ ContentType() string }); ok {
		s.contentType = t.ContentType()
	}
	return s
}

// Read reads from the user's reader, for as long as the early timeout lets it.
func (s *stream) Read(p []byte) (int, error) {
	if end := s.end.Load(); end != nil {
		return 0, *end
	}
	if s.next != nil || s.c.expired() {
		return 0, s.finish(s.next)
	}
	if s.buf == nil {
		s.buf = make([]byte, 32<<10)
	}
	n := min(len(p), len(s.buf))
	into := s.buf[:n:n]
	var got []byte
	err, ended := s.c.wait(apart(func() error {
		s.busy <- struct{}{}
		defer func() { <-s.busy }()
		n, err := s.r.Read(into)
		got = into[:n] // a count that cannot be is a panic
		return err
	}))
	if !ended {
		return 0, s.finish(nil)
	}
	if len(got) == 0 && err != nil {
		return 0, s.finish(err)
	}
	s.next = err
	return copy(p, got), nil
}

// Close ends the response, if it has not ended.
func (s *stream) Close() error {
	_ = s.finish(errClosed)
	return nil
}

// finish ends the response once, with io.EOF or with what broke it off, and
// returns what ended it.
func (s *stream) finish(err error) error {
	s.once.Do(func() {
		expired := s.next != io.EOF && s.c.expired()
		s.c.cancel()
		failure := s.discard()
		if err == io.EOF {
			err = failure
		}
		switch {
		case expired:
			err = s.c.late(err, failure != errOverrun)
		case failure == errOverrun:
			err = &TimeoutError{After: time.Since(s.c.start), Open: []OpenLayer{{"response", time.Since(s.c.start)}}, Abandoned: true}
		}
		end := err
		if err == nil {
			end = io.EOF
		} else if err != errClosed && !expired {
			s.c.logError(fmt.Errorf("middy: the stream of the response broke off: %w", err))
		}
		s.end.Store(&end)
		s.c.end(err)
	})
	return *s.end.Load()
}

// discard closes the user's reader and waits until its Read has returned. An
// error of Close is nobody's, as in aws-lambda-go; a panic is the response's.
func (s *stream) discard() error {
	ctx := s.c.rest()
	if deadline, ok := ctx.Deadline(); ok { // the other half is for Settle
		half, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
		ctx = half
	}
	return together(ctx, 0, func() error {
		if c, ok := s.r.(io.Closer); ok {
			_ = c.Close()
		}
		s.busy <- struct{}{}
		defer func() { <-s.busy }()
		return nil
	})[0]
}

// toLambda is a stream as aws-lambda-go's loop reads it.
type toLambda struct{ *stream }

// Read returns an error by the name that Lambda is to see.
func (s toLambda) Read(p []byte) (int, error) {
	n, err := s.stream.Read(p)
	if err != nil && err != io.EOF {
		err = report(err)
	}
	return n, err
}

// Close ends the process after a panic of the reader, and when the reader could
// not be stopped: it must not meet the next event. The loop knows no other way
// once a response has begun.
func (s toLambda) Close() error {
	_ = s.stream.Close()
	if e := report(*s.end.Load()); e.ShouldExit {
		panic("middy: the response broke off, and the sandbox is replaced: " + e.Type + ": " + e.Message)
	}
	return nil
}

// typedToLambda is one with a content type of its own.
type typedToLambda struct{ toLambda }

func (s typedToLambda) ContentType() string { return s.contentType }
