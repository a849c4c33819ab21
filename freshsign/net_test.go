package freshsign

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
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

// A request is on its way for six minutes while the server says goodbye to its HTTP/2 connection (GOAWAY). It was never
// looked at, so it is sent again on another connection, by net/http itself, with its body and without the SDK's loop. It
// is signed again, and the old bytes, which arrive last, are of no account.
func TestARequestThatMeetsAGOAWAYIsSentAgainWithAFreshSignature(t *testing.T) {
	get := func(cfg aws.Config) error {
		out, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.Retryer = aws.NopRetryer{}; o.UsePathStyle = true }).
			GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, out.Body)
		return errors.Join(err, out.Body.Close())
	}
	post := func(cfg aws.Config) error {
		_, err := secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }).GetSecretValue(context.Background(), getInput)
		return err
	}
	for name, caught := range map[string]func(aws.Config) error{"GET": get, "POST": post} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(false, true)
				defer l.close()
				var dialed []*lateReader
				tr := l.transport()
				defer tr.CloseIdleConnections()
				tr.DialContext = func(context.Context, string, string) (net.Conn, error) {
					a, b := pipe()
					late := &lateReader{Conn: b}
					dialed = append(dialed, late)
					l.listener.conns <- late
					return a, nil
				}
				cfg := l.config(tr)
				l.service.reply = func(n int, _ *http.Request) *answer {
					if n > 1 {
						return nil
					}
					dialed[0].by.Store(int64(6*time.Minute + time.Second/2)) // what is written from now on
					time.Sleep(6 * time.Minute)
					return &answer{status: 200, body: okBody, header: http.Header{"Connection": {"close"}}} // is GOAWAY in HTTP/2
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					if err := post(cfg); err != nil {
						t.Errorf("the request that was answered: %v", err)
					}
				})
				time.Sleep(time.Second) // its handler is at work
				began := l.now()
				wg.Go(func() {
					if err := caught(cfg); err != nil {
						t.Errorf("the request that was caught: %v", err)
					}
				})
				wg.Wait()
				if n, rejects := l.service.counts(); len(dialed) != 2 || n != 2 || rejects != 0 {
					t.Errorf("%d connections, %d requests, %d rejected", len(dialed), n, rejects)
				}
				if wait := l.service.last.Sub(began); wait < 6*time.Minute-2*time.Second {
					t.Errorf("the request that arrived was signed %v after it was made, so it did not meet the GOAWAY", wait)
				}
				time.Sleep(time.Minute) // the old bytes arrive, and the connection ends
				if n, _ := l.service.counts(); n != 2 {
					t.Errorf("the old bytes made %d requests", n)
				}
			})
		})
	}
}

// An HTTP/2 connection whose only stream is taken for six minutes is handed out, and signed for, long before the first
// byte. If the server then says goodbye, the connection is unusable, and the request, signed again, takes another. If the
// stream becomes free instead, the old signature leaves, and is healed.
func TestARequestThatWaitsForAStreamSucceeds(t *testing.T) {
	for _, c := range []struct {
		name            string
		header          http.Header
		requests, heals int
	}{
		{"the connection becomes unusable", http.Header{"Connection": {"close"}}, 2, 0},
		{"the stream becomes free", nil, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(false, true, func(s *http.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1} })
				defer l.close()
				tr := l.transport()
				tr.HTTP2 = &http.HTTP2Config{StrictMaxConcurrentRequests: true}
				defer tr.CloseIdleConnections()
				client := secretsmanager.NewFromConfig(l.config(tr))
				l.service.reply = func(n int, _ *http.Request) *answer {
					if n > 1 {
						return nil
					}
					time.Sleep(6 * time.Minute)
					return &answer{status: 200, body: okBody, header: c.header}
				}
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
							t.Error(err)
						}
					})
					time.Sleep(time.Second)
				}
				wg.Wait()
				if n, rejects := l.service.counts(); n != c.requests || rejects != c.heals {
					t.Errorf("%d requests, %d rejected", n, rejects)
				}
				time.Sleep(time.Minute) // the connection ends
			})
		})
	}
}

// A lateReader is a server's end of a connection on which bytes need their time.
type lateReader struct {
	net.Conn
	by atomic.Int64
}

func (c *lateReader) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	time.Sleep(time.Duration(c.by.Swap(0)))
	return n, err
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

func TestABodyCanBeHadAgainWhileItIsInMemoryOrAFile(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "body"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, _ = file.WriteString("..the body")
	_, _ = file.Seek(2, io.SeekStart)
	skipped := strings.NewReader("..the body")
	_, _ = skipped.Seek(2, io.SeekStart)
	for name, c := range map[string]struct {
		body  io.Reader
		again bool
	}{
		"bytes":                   {bytes.NewReader([]byte("the body")), true},
		"from where it was given": {skipped, true},
		"a file":                  {file, true},
		"a pipe":                  {io.MultiReader(strings.NewReader("the body")), false},
		"a seeker without ReadAt": {struct{ io.ReadSeeker }{strings.NewReader("the body")}, false},
		"an empty one":            {strings.NewReader(""), false},
		"none":                    {nil, false},
	} {
		r, err := smithyhttp.NewStackRequest().(*smithyhttp.Request).SetStream(c.body)
		if err != nil {
			t.Fatal(err)
		}
		r.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("of a stream that was replaced") }
		var built *http.Request
		_, _, err = resend{}.HandleDeserialize(t.Context(), middleware.DeserializeInput{Request: r}, middleware.DeserializeHandlerFunc(func(ctx context.Context, in middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			built = in.Request.(*smithyhttp.Request).Build(ctx)
			return middleware.DeserializeOutput{}, middleware.Metadata{}, nil
		}))
		if err != nil || (built.GetBody != nil) != c.again {
			t.Errorf("%s: %v; can be had again: %v, want %v", name, err, built.GetBody != nil, c.again)
			continue
		}
		for range 2 {
			if !c.again {
				break
			}
			_, _ = io.CopyN(io.Discard, built.Body, 3) // the first sending was under way
			again, err := built.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(again); string(text) != "the body" || err != nil {
				t.Errorf("%s: again it is %q, %v", name, text, err)
			}
		}
	}
}
