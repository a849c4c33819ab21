package freshsign

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"
)

// The points of one fetch at which a process can be frozen.
const (
	beforeIdentity = iota
	insideCredentials
	afterSigning
	poolWait
	dns
	tcpConnect
	proxyConnect
	tlsHandshake
	afterGotConn
	inKernel
	headersWaiting
	bodyHalfRead
	backOff
	singleFlight
	points
)

var pointNames = [points]string{
	"before GetIdentity", "inside the credential fetch", "between Signing and RoundTrip", "pool wait", "DNS",
	"TCP connect", "CONNECT", "TLS handshake", "between GotConn and first write", "in the kernel's send buffer",
	"response headers waiting", "body half read", "SDK back-off", "single-flight wait",
}

var freezes = []time.Duration{
	time.Second, 4*time.Minute + 59*time.Second, 5 * time.Minute, 5*time.Minute + time.Second, 6 * time.Minute,
	14*time.Minute + 59*time.Second, 15*time.Minute + time.Second, 2 * time.Hour, 9 * time.Hour, 36 * time.Hour,
}

type freeze struct {
	point int
	d     time.Duration
}

// A lab is a client over net/http and an in-memory network, a service behind it, and a plan of freezes.
type lab struct {
	standing bool // CLOCK_MONOTONIC stands still over a freeze
	jump     atomic.Int64
	service  *service
	listener *memory
	server   *http.Server
	h2       bool

	mu   sync.Mutex
	plan []freeze

	answered atomic.Bool
}

func newLab(standing, h2 bool, edit ...func(*http.Server)) *lab {
	l := &lab{standing: standing, h2: h2, listener: &memory{conns: make(chan net.Conn), closed: make(chan struct{})}}
	l.service = newService(l.now)
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	l.server = &http.Server{Handler: l, Protocols: &p}
	for _, f := range edit {
		f(l.server)
	}
	go l.server.Serve(l.listener)
	return l
}

func (l *lab) close() { l.server.Close() }

func (l *lab) now() time.Time { return time.Now().Add(time.Duration(l.jump.Load())) }

var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (l *lab) clock() (time.Time, time.Duration) { return l.now(), time.Since(bubbleStart) }

// at freezes the process if the plan says so for this point.
func (l *lab) at(point int) {
	l.mu.Lock()
	var d time.Duration
	for i, f := range l.plan {
		if f.point == point {
			d = f.d
			l.plan = append(l.plan[:i:i], l.plan[i+1:]...)
			break
		}
	}
	l.mu.Unlock()
	switch {
	case d == 0:
	case l.standing:
		l.jump.Add(int64(d))
	default:
		time.Sleep(d)
	}
}

// ServeHTTP is the service's side.
func (l *lab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	// A network takes time. In the bubble this lets the client's write loop come to its end first: smithy closes the
	// request's body as soon as it has the response, and net/http, still looking whether the body has more, would take
	// that for a failed write and drop the connection. No server is fast enough for that, except one in memory.
	time.Sleep(time.Millisecond)
	l.at(inKernel) // the bytes were written, but arrive only now
	a := l.service.serve(r, r.Header, body)
	for k, v := range a.header {
		w.Header()[k] = v
	}
	l.answered.Store(true)
	w.WriteHeader(a.status)
	half := len(a.body) / 2
	io.WriteString(w, a.body[:half])
	w.(http.Flusher).Flush()
	l.at(bodyHalfRead)
	io.WriteString(w, a.body[half:])
}

// dial is what the transport calls; a user's transport need not have the SDK's limits of 30 and 10 seconds.
func (l *lab) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	for p := dns; p <= tlsHandshake; p++ {
		l.at(p)
	}
	a, b := pipe()
	select {
	case l.listener.conns <- b:
		return &labConn{Conn: a, lab: l}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type labConn struct {
	net.Conn
	lab *lab
}

func (c *labConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.lab.answered.CompareAndSwap(true, false) {
		c.lab.at(headersWaiting)
	}
	return n, err
}

// memory is a listener without a network.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}
func (m *memory) Close() error   { m.once.Do(func() { close(m.closed) }); return nil }
func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (l *lab) transport() *http.Transport {
	t := &http.Transport{DialContext: l.dial}
	t.Protocols = new(http.Protocols)
	if l.h2 {
		t.Protocols.SetUnencryptedHTTP2(true)
	} else {
		t.Protocols.SetHTTP1(true)
	}
	return t
}

// frozenRetryer freezes in the back-off.
type frozenRetryer struct {
	aws.RetryerV2
	lab *lab
}

func (r frozenRetryer) RetryDelay(int, error) (time.Duration, error) {
	r.lab.at(backOff)
	return time.Millisecond, nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// fetch makes one call under the plan, with a new client, and returns the number of requests and rejections.
func (l *lab) fetch(plan ...freeze) (requests, rejects int, err error) {
	hiccup := false
	for _, f := range plan {
		hiccup = hiccup || f.point == backOff
	}
	l.plan = append([]freeze(nil), plan...)
	l.answered.Store(false)
	r0, j0 := l.service.counts()
	l.service.reply = func(int, *http.Request) *answer {
		if !hiccup {
			return nil
		}
		hiccup = false
		return failure(500, "InternalServiceError", "hiccup")
	}
	tr := l.transport()
	defer tr.CloseIdleConnections()
	cfg := aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String("http://service.invalid"),
		Retryer:      func() aws.Retryer { return frozenRetryer{retry.NewStandard(), l} },
		HTTPClient:   &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) { l.at(poolWait); return tr.RoundTrip(r) })},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			l.at(beforeIdentity)
			l.at(insideCredentials)
			return keyPair, nil
		}),
		APIOptions: []func(*middleware.Stack) error{func(s *middleware.Stack) error {
			return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("freeze", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
				l.at(afterSigning)
				return next.HandleDeserialize(ctx, in)
			}), middleware.After)
		}},
	}
	Config{Clock: l.clock}.Apply(&cfg)
	// net/http calls this after freshsign's own hook, and before it writes.
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { l.at(afterGotConn) },
	})
	l.at(singleFlight)
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, getInput)
	if err == nil && aws.ToString(out.SecretString) != "s" {
		err = fmt.Errorf("wrong secret %q", aws.ToString(out.SecretString))
	}
	r1, j1 := l.service.counts()
	return r1 - r0, j1 - j0, err
}

// check runs a plan and holds it against the promises: no failure, at most one more request for each freeze after the
// connection was handed out, none for one before.
func (l *lab) check(t *testing.T, plan ...freeze) {
	requests, rejects, err := l.fetch(plan...)
	allowed, hiccup := 0, 0
	var late time.Duration // freezes too short to kill a signature alone add up
	for _, f := range plan {
		switch {
		case f.point == backOff:
			hiccup = 1
		case f.point != afterGotConn && f.point != inKernel:
		case f.d >= 5*time.Minute:
			allowed++
		default:
			late += f.d
		}
	}
	if late >= 5*time.Minute {
		allowed++
	}
	if err != nil || rejects > allowed || requests > 1+hiccup+allowed {
		t.Errorf("%s: %d requests, %d rejected, want at most %d; error: %v", describe(plan), requests, rejects, 1+hiccup+allowed, err)
	}
}

func describe(plan []freeze) string {
	var b bytes.Buffer
	for _, f := range plan {
		fmt.Fprintf(&b, "[%s for %v] ", pointNames[f.point], f.d)
	}
	return b.String()
}

// everyLab runs f in a bubble for both clock models and both protocols.
func everyLab(t *testing.T, f func(t *testing.T, l *lab)) {
	for _, standing := range []bool{false, true} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("monotonic stands %v, http2 %v", standing, h2), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLab(standing, h2)
					defer l.close()
					f(t, l)
				})
			})
		}
	}
}

func TestOneFreezeAtEveryPoint(t *testing.T) {
	n := 0
	everyLab(t, func(t *testing.T, l *lab) {
		for p := range points {
			for _, d := range freezes {
				l.check(t, freeze{p, d})
				n++
			}
		}
	})
	t.Logf("%d cases", n)
}

// Every pair of points, every pair of durations: 105 × 100 × 4 = 42,000. Under the race detector, and with -short, a
// pair of points meets each duration once in either place: 105 × 10 × 4.
func TestTwoFreezesAtEveryPairOfPoints(t *testing.T) {
	reduced := testing.Short() || raceEnabled
	n := 0
	everyLab(t, func(t *testing.T, l *lab) {
		for p := range points {
			for q := p; q < points; q++ {
				for i, d := range freezes {
					for j, e := range freezes {
						if reduced && (i+3*p+q)%len(freezes) != j {
							continue
						}
						l.check(t, freeze{p, d}, freeze{q, e})
						n++
					}
				}
			}
		}
	})
	t.Logf("%d cases", n)
}

// The points must be reached, or the tests above prove nothing.
func TestEveryPointIsReached(t *testing.T) {
	everyLab(t, func(t *testing.T, l *lab) {
		for p := range points {
			if _, _, err := l.fetch(freeze{p, time.Second}); err != nil || len(l.plan) != 0 {
				t.Errorf("%s: error %v, freezes left %d", pointNames[p], err, len(l.plan))
			}
		}
	})
}
