package freshsign

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// A vault hands out numbered credentials; the service knows the newest only.
type vault struct {
	fetched int
	expires func() time.Time
	fail    error
	frozen  bool // always the same
}

func (v *vault) Retrieve(context.Context) (aws.Credentials, error) {
	if v.fail != nil && v.fetched > 0 {
		return aws.Credentials{}, v.fail
	}
	if v.fetched++; v.frozen {
		v.fetched = 1
	}
	c := keyPair
	c.SessionToken = fmt.Sprint("token-", v.fetched)
	if v.expires != nil {
		c.CanExpire, c.Expires = true, v.expires()
	}
	return c, nil
}

func tokenOf(r *http.Request) string { return r.Header.Get(tokenHeader) }

func TestAnExpiredSessionIsRenewedOnce(t *testing.T) {
	for _, code := range []string{"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"} {
		g := newRig()
		v := &vault{}
		g.cfg.Credentials = aws.NewCredentialsCache(v)
		g.service.reply = func(_ int, r *http.Request) *answer {
			if tokenOf(r) == "token-1" {
				return failure(400, code, "expired")
			}
			return nil
		}
		g.wants(t, g.get(), 2, ExpiredSession, Healed)
		if v.fetched != 2 || g.incidents[0].Confidence != Certain {
			t.Errorf("%s: fetched %d times, %v", code, v.fetched, g.incidents)
		}
	}
}

func TestASessionThatStaysExpiredIsNotTriedAgain(t *testing.T) {
	always := func(int, *http.Request) *answer { return failure(400, "ExpiredTokenException", "expired") }
	for name, c := range map[string]struct {
		p        aws.CredentialsProvider
		requests int
	}{
		"static":                  {static(keyPair), 1},
		"cached, never other":     {aws.NewCredentialsCache(&vault{frozen: true}), 1},
		"cached, always other":    {aws.NewCredentialsCache(&vault{}), 2},
		"cached, provider failed": {aws.NewCredentialsCache(&vault{fail: errors.New("no")}), 1},
		"uncached, other":         {&vault{}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig()
			g.cfg.Credentials = c.p
			g.service.reply = always
			g.wants(t, g.get(), c.requests, ExpiredSession, Unhealed)
		})
	}
}

func TestOnlyTheCallThatIsFirstInvalidates(t *testing.T) {
	for name, other := range map[string]aws.Credentials{
		"key":    {AccessKeyID: "x", SecretAccessKey: keyPair.SecretAccessKey, SessionToken: keyPair.SessionToken},
		"secret": {AccessKeyID: keyPair.AccessKeyID, SecretAccessKey: "x", SessionToken: keyPair.SessionToken},
		"token":  {AccessKeyID: keyPair.AccessKeyID, SecretAccessKey: keyPair.SecretAccessKey, SessionToken: "x"},
	} {
		c := &call{provider: static(other), sig: signature{creds: keyPair}}
		if !c.newSession(t.Context()) {
			t.Errorf("another %s is not seen as another session", name)
		}
	}
	if (&call{}).newSession(t.Context()) {
		t.Error("a session without a provider")
	}
}

// dying makes a rig whose credentials end at the given distance from the start, and whose connection takes wait.
func dying(life, wait time.Duration) (*rig, *vault) {
	g := newRig()
	v := &vault{}
	v.expires = func() time.Time {
		if v.fetched == 1 {
			return start.Add(life)
		}
		return start.Add(100 * time.Hour)
	}
	p := aws.NewCredentialsCache(v) // by the real clock these are never expired
	g.cfg.Credentials = p
	n := 0
	g.wire.dial = func() error {
		if n++; n == 1 {
			g.clock.move(wait, wait)
		}
		return nil
	}
	return g, v
}

// A dead conn is what HTTP/1.1 does after refuse: the write fails.
type closable struct {
	net.Conn
	closed *atomic.Bool
}

func (c closable) Close() error { c.closed.Store(true); return nil }

func TestCredentialsThatDieInTheWaitAreNotSent(t *testing.T) {
	for _, c := range []struct {
		life, wait time.Duration
		refused    bool
	}{
		{10 * time.Minute, 10*time.Minute - 5*time.Second, false},
		{10 * time.Minute, 10*time.Minute - 5*time.Second + time.Millisecond, true},
		{10 * time.Minute, 20 * time.Minute, true},
		{5 * time.Second, time.Second, true}, // alive when signed, by no margin at all
		{4 * time.Second, time.Hour, false},  // dead when signed: our clock is wrong, or nobody has better ones
		{-time.Hour, time.Hour, false},       //
	} {
		var closed atomic.Bool
		g, _ := dying(c.life, c.wait)
		g.wire.info.Conn = closable{closed: &closed}
		g.wire.afterConn = func() error {
			if closed.Swap(false) {
				return net.ErrClosed
			}
			return nil
		}
		sent := 0
		g.service.reply = func(_ int, r *http.Request) *answer { sent++; return nil }
		err := g.get(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
		if err != nil || sent != 1 {
			t.Errorf("%+v: %v, sent %d", c, err, sent)
		}
		var refused bool
		for _, i := range g.incidents {
			refused = refused || i.Cause == ExpiredSession && i.Outcome == Healed
		}
		if refused != c.refused {
			t.Errorf("%+v: refused %v; %v", c, refused, g.incidents)
		}
	}
}

func TestCredentialsThatCannotExpireDoNot(t *testing.T) {
	s := signature{at: moment{wall: start}, creds: aws.Credentials{Expires: start.Add(time.Minute)}}
	if s.died(moment{wall: start.Add(time.Hour)}) {
		t.Error("died of a date that does not count")
	}
	if s.creds.CanExpire = true; !s.died(moment{wall: start.Add(time.Hour)}) {
		t.Error("did not die")
	}
}

func TestAnExchangeStartsWithItsSignatureUntilThereIsAConnection(t *testing.T) {
	v := newVirtual()
	c := &call{engine: newEngine(Config{Clock: v.read})}
	if m := c.signedAt(""); !m.wall.Equal(start) {
		t.Errorf("a foreign signature: %v", m)
	}
	c.sig = signature{signer: &signer{}, at: moment{wall: start.Add(-time.Hour)}}
	if m := c.signedAt(""); !m.wall.Equal(start.Add(-time.Hour)) {
		t.Errorf("our own: %v", m)
	}
}

func TestRefusingHappensOnceACall(t *testing.T) {
	g, v := dying(10*time.Minute, 20*time.Minute)
	v.expires = func() time.Time { // every session dies during its wait
		w, _ := g.clock.read()
		return w.Add(10 * time.Minute)
	}
	var closed atomic.Bool
	g.wire.info.Conn = closable{closed: &closed}
	g.wire.dial = func() error { g.clock.move(20*time.Minute, 20*time.Minute); return nil }
	g.wire.afterConn = func() error {
		if closed.Swap(false) {
			return net.ErrClosed
		}
		return nil
	}
	if err := g.get(); err != nil {
		t.Error(err)
	}
	if n, _ := g.service.counts(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// Over real TLS: nothing of the dead token reaches the server, in HTTP/1.1 and HTTP/2, and other requests on the same
// HTTP/2 connection live.
func TestDeadTokensNeverReachTheWireOverTLS(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprint("http2 ", h2), func(t *testing.T) {
			var tokens []string
			var proto string
			wrote := make(chan struct{}, 9) // see lab.ServeHTTP
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-wrote
				tokens, proto = append(tokens, tokenOf(r)), r.Proto
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				fmt.Fprint(w, okBody)
			}))
			srv.EnableHTTP2 = h2
			srv.StartTLS()
			defer srv.Close()
			var jump atomic.Int64
			v := &vault{}
			began := time.Now()
			v.expires = func() time.Time {
				if v.fetched == 1 {
					return time.Now().Add(10 * time.Minute)
				}
				return time.Now().Add(100 * time.Hour)
			}
			cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &srv.URL, HTTPClient: srv.Client(), Credentials: v}
			Config{Clock: func() (time.Time, time.Duration) {
				d := time.Duration(jump.Load())
				return time.Now().Add(d), time.Since(began) + d
			}}.Apply(&cfg)
			c := secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GetConn: func(string) { jump.Store(int64(20 * time.Minute)) },
				WroteRequest: func(i httptrace.WroteRequestInfo) {
					if i.Err == nil {
						wrote <- struct{}{}
					}
				}})
			if _, err := c.GetSecretValue(ctx, getInput); err != nil {
				t.Fatal(err)
			}
			if len(tokens) != 1 || tokens[0] != "token-2" || (proto == "HTTP/2.0") != h2 {
				t.Errorf("the server saw %v over %s", tokens, proto)
			}
		})
	}
}

func TestOnlyTheRequestIsRefusedOnASharedConnection(t *testing.T) {
	h := http.Header{}
	s := &sending{req: &http.Request{Header: h}}
	var closed atomic.Bool
	s.refuse(httptrace.GotConnInfo{Conn: closable{closed: &closed}})
	if !closed.Load() || len(h) != 0 {
		t.Error("HTTP/1.1 did not lose its connection")
	}
	s.refuse(httptrace.GotConnInfo{Conn: tls.Client(closable{closed: &closed}, &tls.Config{})})
	if len(h) != 0 {
		t.Error("TLS without HTTP/2 is not HTTP/2")
	}
}

// An HTTP client that sends all the same (a fake, a proxy of its own) has the last word.
func TestAnAnswerBeatsARefusal(t *testing.T) {
	g, _ := dying(10*time.Minute, 20*time.Minute)
	g.service.window = time.Hour
	g.wire.info.Conn = closable{closed: new(atomic.Bool)}
	if err := g.get(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }); err != nil {
		t.Errorf("the request was answered, and the call gave %v", err)
	}
	if n, _ := g.service.counts(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// net/http may try a refused request on its other idle connections: none of them gets it.
func TestARefusedSendingIsRefusedOnEveryConnection(t *testing.T) {
	v := newVirtual()
	c := &call{engine: newEngine(Config{Clock: v.read})}
	c.sig = signature{at: moment{wall: start}, creds: aws.Credentials{CanExpire: true, Expires: start.Add(time.Minute)}}
	s := &sending{call: c, req: httpRequest()}
	v.move(time.Hour, time.Hour)
	for i := range 3 {
		var closed atomic.Bool
		s.gotConn(httptrace.GotConnInfo{Conn: closable{closed: &closed}})
		if !closed.Load() {
			t.Errorf("connection %d may carry credentials that have ended", i+1)
		}
	}
}
