package freshsign

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A transport sends through the client that the SDK, or the user, chose.
type transport struct {
	engine *engine

	mu     sync.Mutex
	client aws.HTTPClient
	pool   uint64
}

// current returns the client, without its idle connections if they became suspect since the last call. The SDK's own
// client cannot drop them, but a copy of it starts with an empty pool; the old pool's time out by themselves.
func (t *transport) current(pool uint64) aws.HTTPClient {
	t.mu.Lock()
	defer t.mu.Unlock()
	if pool != t.pool {
		t.pool = pool
		switch c := t.client.(type) {
		case *awshttp.BuildableClient:
			t.client = c.WithTransportOptions()
		case closeIdler:
			c.CloseIdleConnections()
		}
	}
	return t.client
}

// A sending is one request handed to the HTTP client.
type sending struct {
	trace   httptrace.ClientTrace
	call    *call
	req     *http.Request
	start   moment // of the exchange; the signature's until a connection is handed out
	refused bool
	renewed Incident // set if an old signature was caught in time
}

// Do sends the request. Until the connection is handed out nothing has been serialized, so the last moment to sign is
// GotConn, in HTTP/1.1 and HTTP/2 alike, for first sends and for resends inside net/http.
func (t *transport) Do(req *http.Request) (*http.Response, error) {
	c := callFrom(req.Context())
	if c == nil {
		return t.current(t.engine.look(req.URL.Host).pool).Do(req)
	}
	start := c.signedAt(req.URL.Host)
	client := t.current(start.pool)
	s := &sending{call: c, start: start}
	s.trace.GotConn = s.gotConn
	s.req = req.WithContext(httptrace.WithClientTrace(req.Context(), &s.trace))
	resp, err := client.Do(s.req)
	if s.renewed.Cause != 0 {
		t.engine.report(req.Context(), s.renewed)
	}
	if s.refused && err != nil {
		delete(s.req.Header, unsendable)
		return resp, errSessionDied
	}
	if resp != nil && err == nil {
		s.received(resp)
	}
	return resp, err
}

// A resend lets net/http have the body again. A request that the server never took, because it closed the connection
// (GOAWAY in HTTP/2, a close while idle in HTTP/1.1), is then sent again by the transport, with a signature of its own,
// and not given up. A body that is not in memory or in a file cannot be had twice at a time.
type resend struct{}

// ID is the name in the stack.
func (resend) ID() string { return "FreshSignResend" }

// HandleDeserialize is the last to see the request before it is built: nothing replaces its stream any more.
func (resend) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	if r, ok := in.Request.(*smithyhttp.Request); ok {
		r.GetBody = nil
		stream, again := r.GetStream().(interface {
			io.ReaderAt
			io.Seeker
		})
		if again && r.ContentLength > 0 {
			if start, err := stream.Seek(0, io.SeekCurrent); err == nil {
				size := r.ContentLength
				r.GetBody = func() (io.ReadCloser, error) {
					return io.NopCloser(io.NewSectionReader(stream, start, size)), nil
				}
			}
		}
	}
	return next.HandleDeserialize(ctx, in)
}

// errSessionDied counts as a connection error, so that the SDK's loop tries again with new credentials.
var errSessionDied error = sessionDiedError{}

type sessionDiedError struct{}

func (sessionDiedError) Error() string {
	return "freshsign: the credentials expired while the request waited for a connection, so it was not sent"
}
func (sessionDiedError) ConnectionError() bool { return true }

func (s *sending) gotConn(info httptrace.GotConnInfo) {
	c := s.call
	now := c.engine.look(s.req.URL.Host)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.start = now
	switch {
	case s.refused || !c.refused && c.sig.died(now):
		c.refused, s.refused = true, true
		s.refuse(info)
	case c.sig.renewable() && c.sig.stale(now):
		old := c.sig
		if !c.sig.renew(s.req.Context(), now, s.req.Header) {
			return
		}
		if age := now.wall.Sub(old.at.wall); age.Abs() >= c.engine.strong() || now.epoch != old.at.epoch {
			s.renewed = c.caught(s.req.Context(), old.at, now)
		}
	}
}

// unsendable is a header name that HTTP/2's encoder refuses before it writes a byte.
const unsendable = "\x00"

// refuse makes the request fail before its first byte. HTTP/1.1 has the connection to itself and loses it; HTTP/2
// shares it with other requests, so there only this one fails.
func (s *sending) refuse(info httptrace.GotConnInfo) {
	if c, ok := info.Conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol == "h2" {
		s.req.Header[unsendable] = []string{""}
		return
	}
	_ = info.Conn.Close()
}

// received keeps the exchange for the heal, and learns from it at once if it succeeded.
func (s *sending) received(resp *http.Response) {
	c := s.call
	x := exchange{start: s.start, end: c.engine.look(s.req.URL.Host), date: serverDate(resp.Header)}
	c.mu.Lock()
	c.x = x
	c.mu.Unlock()
	if resp.StatusCode >= 400 {
		return
	}
	c.engine.learn(x, false)
	if late := x.date.Sub(x.end.wall); !x.date.IsZero() && !x.trusted() && late.Abs() >= noSkew {
		i := c.incident(s.req.Context(), PoisonedSkew, waited(x.start, x.end, -late), Refused)
		i.SentAt, i.ServerTime, i.Offset, i.EpochAtSend = x.start.wall, x.date, late, x.end.epoch
		c.engine.report(s.req.Context(), i)
	}
}

// serverDate returns the instant in the Date header, or zero if there is not exactly one readable Date or if a cache
// answered.
func serverDate(h http.Header) time.Time {
	dates := h["Date"]
	if len(dates) != 1 || h.Get("Age") != "" {
		return time.Time{}
	}
	t, err := http.ParseTime(dates[0])
	if err != nil {
		return time.Time{}
	}
	return t
}

var _ interface{ ConnectionError() bool } = sessionDiedError{}
