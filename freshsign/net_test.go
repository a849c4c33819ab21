package freshsign

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func (l *lab) config(tr http.RoundTripper) aws.Config {
	cfg := aws.Config{
		Region: "eu-central-1", BaseEndpoint: aws.String("http://service.invalid"),
		Credentials: static(keyPair), HTTPClient: &http.Client{Transport: tr},
	}
	Config{Clock: l.clock}.Apply(&cfg)
	return cfg
}

// MaxConnsPerHost 1, a holder of six minutes, and a thousand waiters: every signature is as young as its connection.
func TestWaitersForABusyPoolAreSignedWhenTheirTurnComes(t *testing.T) {
	for _, waiters := range []int{1, 1000} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(false, false)
			defer l.close()
			tr := l.transport()
			tr.MaxConnsPerHost = 1
			defer tr.CloseIdleConnections()
			client := secretsmanager.NewFromConfig(l.config(tr), func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
			var first atomic.Bool
			l.service.reply = func(int, *http.Request) *answer {
				if first.CompareAndSwap(false, true) {
					time.Sleep(6 * time.Minute)
				}
				return nil
			}
			var wg sync.WaitGroup
			for range 1 + waiters {
				wg.Go(func() {
					if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n, rejects := l.service.counts(); n != 1+waiters || rejects != 0 {
				t.Errorf("%d requests, %d rejected", n, rejects)
			}
		})
	}
}

// Connections that died while the process was frozen are noticed before the first write, or not used at all, even by
// a client without retries.
func TestDeadKeepAlivesAfterAFreezeFailNobody(t *testing.T) {
	for _, d := range []time.Duration{61 * time.Second, 89 * time.Second, 91 * time.Second, 350 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(false, false)
			defer l.close()
			tr := l.transport()
			tr.IdleConnTimeout = time.Hour // a user's own
			var conns []*mute
			dial := tr.DialContext
			tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := dial(ctx, network, addr)
				m := &mute{Conn: c}
				conns = append(conns, m)
				return m, err
			}
			defer tr.CloseIdleConnections()
			client := secretsmanager.NewFromConfig(l.config(tr), func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
			if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			conns[0].dead.Store(true) // the NAT gateway forgot it: a write gets a reset
			if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
				t.Errorf("%v: %v", d, err)
			}
			if len(conns) != 2 {
				t.Errorf("%v: %d connections", d, len(conns))
			}
		})
	}
}

type mute struct {
	net.Conn
	dead atomic.Bool
}

func (c *mute) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// A GET without a body is replayed by net/http itself when a kept connection turns out to be dead; the replay is
// signed again like everything else.
func TestAReplayByTheTransportIsSignedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(false, false)
		defer l.close()
		l.service.reply = func(int, *http.Request) *answer { return &answer{status: 200, body: "content"} }
		tr := l.transport()
		defer tr.CloseIdleConnections()
		var conns []*mute
		dial := tr.DialContext
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if len(conns) == 1 {
				time.Sleep(6 * time.Minute) // the second dial is slow, after the replay was decided
			}
			c, err := dial(ctx, network, addr)
			m := &mute{Conn: c}
			conns = append(conns, m)
			return m, err
		}
		client := s3.NewFromConfig(l.config(tr), func(o *s3.Options) { o.Retryer = aws.NopRetryer{}; o.UsePathStyle = true })
		get := func() {
			out, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, out.Body)
			out.Body.Close()
		}
		get()
		conns[0].dead.Store(true)
		get()
		if n, rejects := l.service.counts(); len(conns) != 2 || n != 2 || rejects != 0 {
			t.Errorf("%d connections, %d requests, %d rejected", len(conns), n, rejects)
		}
		if age := l.now().Sub(l.service.last); age > 5*time.Second {
			t.Errorf("the replay was signed %v ago", age)
		}
	})
}

// The same request given twice to a transport, by a client that retries below the signer: old bytes never leave.
func TestARetryingClientBelowTheSignerSendsFreshSignatures(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(false, h2)
			defer l.close()
			tr := l.transport()
			defer tr.CloseIdleConnections()
			twice := roundTrip(func(r *http.Request) (*http.Response, error) {
				body, _ := io.ReadAll(r.Body)
				for try := 1; ; try++ {
					r.Body = io.NopCloser(&reader{b: body})
					resp, err := tr.RoundTrip(r)
					if try == 2 || err != nil {
						return resp, err
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					time.Sleep(6 * time.Minute)
				}
			})
			client := secretsmanager.NewFromConfig(l.config(twice), func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
			if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
				t.Fatal(err)
			}
			if n, rejects := l.service.counts(); n != 2 || rejects != 0 {
				t.Errorf("http2 %v: %d requests, %d rejected", h2, n, rejects)
			}
		})
	}
}

type reader struct{ b []byte }

func (r *reader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}
