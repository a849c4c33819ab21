package jwtauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// jwkOf is a public key as JSON, changed by extra.
func jwkOf(name, kid string, extra map[string]any) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	m := map[string]any{}
	switch k := keys()[name].Public().(type) {
	case *rsa.PublicKey:
		m = map[string]any{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		m = map[string]any{"kty": "EC", "crv": k.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}
	case ed25519.PublicKey:
		m = map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(k)}
	}
	if kid != "" {
		m["kid"] = kid
	}
	maps.Copy(m, extra)
	return m
}

func jwks(name, kid string, extra map[string]any) string { return keySetOf(jwkOf(name, kid, extra)) }

func keySetOf(list ...map[string]any) string {
	b, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// server is a key server on loopback.
type server struct {
	*httptest.Server
	calls  atomic.Int32
	mu     sync.Mutex
	status int
	body   string
}

func newServer(t testing.TB) *server {
	s := &server{status: 200}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		w.WriteHeader(s.status)
		io.WriteString(w, s.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) set(body string) { s.answer(200, body) }

func (s *server) answer(status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body = status, body
}

// config trusts the server as issuer "a".
func (s *server) config(algorithms ...string) Config {
	return Config{Algorithms: algorithms, AllowLoopbackHTTP: true, Issuers: map[string]Issuer{"a": {JWKS: s.URL}}}
}

func from(t testing.TB, iss, kid, key string) string {
	header := map[string]any{}
	if kid != "" {
		header["kid"] = kid
	}
	return sign(t, "ES256", keys()[key], header, map[string]any{"iss": iss})
}

// Middy's vectors with issuers, and the one that shows its defect.
func TestIssuers(t *testing.T) {
	a, b := newServer(t), newServer(t)
	a.set(jwks("p256", "k1", map[string]any{"alg": "ES256"}))
	b.set(jwks("p256b", "k1", map[string]any{"alg": "ES256"}))
	mw := New(Config{Algorithms: []string{"ES256"}, AllowLoopbackHTTP: true, Issuers: map[string]Issuer{
		"https://a": {JWKS: a.URL, Audience: nil}, "https://b": {JWKS: b.URL},
	}})
	for _, step := range []struct {
		rule, token string
		status      int
		reason      string
	}{
		{"issuers ok", from(t, "https://a", "k1", "p256"), 200, ""},
		{"unknown issuer", from(t, "https://c", "k1", "p256"), 401, "Unknown issuer"},
		{"no issuer", from(t, "", "k1", "p256"), 401, "Unknown issuer"},
		{"JavaScript's names are no issuer", from(t, "__proto__", "k1", "p256"), 401, "Unknown issuer"},
		{"an issuer is matched to the letter", from(t, "https://a/", "k1", "p256"), 401, "Unknown issuer"},
		{"unknown kid", from(t, "https://a", "ghost", "p256"), 401, `No key in JWKS with kid "ghost"`},
		{"no kid, where there is one key", from(t, "https://a", "", "p256"), 200, ""},
		{"same kid in two issuers: the other's key does not vouch", from(t, "https://b", "k1", "p256"), 401, "signature verification failed"},
		{"same kid in two issuers: its own does", from(t, "https://b", "k1", "p256b"), 200, ""},
		{"malformed", "a.b", 401, "Malformed token: Invalid Compact JWS"},
		{"malformed claims", "e30.bnVsbA.", 401, "Malformed token: JWT Claims Set must be a top-level JSON object"},
		{"no alg", "e30.e30.", 401, `JWS "alg" (Algorithm) Header Parameter missing or invalid`},
	} {
		got := serve(mw, request(step.token))
		if got.status != step.status || got.reason() != step.reason {
			t.Errorf("%s: got %d %q", step.rule, got.status, got.reason())
		}
	}
	if a.calls.Load() != 1 || b.calls.Load() != 1 {
		t.Errorf("%d and %d fetches: an unknown kid right after a fetch must not cause another", a.calls.Load(), b.calls.Load())
	}
}

func TestKeySetRules(t *testing.T) {
	for _, c := range []struct {
		rule       string
		set        string
		algorithms []string
		kid        string
		status     int
		reason     string
	}{
		{"without alg, the type decides", jwks("p256", "k", nil), []string{"ES256", "RS256", "EdDSA"}, "k", 200, ""},
		{"without kid on both sides", jwks("p256", "", nil), []string{"ES256"}, "", 200, ""},
		{"without kid in the token, the one of two keys that has none", keySetOf(jwkOf("p256", "", nil), jwkOf("p256b", "b", nil)), []string{"ES256"}, "", 200, ""},
		{"without kid in the set only", jwks("p256", "", nil), []string{"ES256"}, "k", 401, `No key in JWKS with kid "k"`},
		{"an empty kid is a kid", keySetOf(jwkOf("p256", "", map[string]any{"kid": ""}), jwkOf("p256b", "b", nil)), []string{"ES256"}, "", 401, "No key in JWKS without kid, and the token has none"},
		{"without kid in the token, the only key of the set", jwks("p256", "k", nil), []string{"ES256"}, "", 200, ""},
		{"without kid in the token, one of two keys", keySetOf(jwkOf("p256", "k", nil), jwkOf("p256b", "b", nil)), []string{"ES256"}, "", 401, "No key in JWKS without kid, and the token has none"},
		{"without kid in the token, two keys of which one is not understood", keySetOf(jwkOf("p256", "k", nil), map[string]any{"kty": 1}), []string{"ES256"}, "", 401, "No key in JWKS without kid, and the token has none"},
		{"without kid in the token, the only key is for encryption", jwks("p256", "k", map[string]any{"use": "enc"}), []string{"ES256"}, "", 401, "the JWK is not for signatures: its use or key_ops say so"},
		{"a kid in the token does not name the only key", jwks("p256", "k", nil), []string{"ES256"}, "x", 401, `No key in JWKS with kid "x"`},
		{"a JWK with a member twice is ignored", `{"keys":[` + strings.Replace(jwks("p256", "k", nil)[len(`{"keys":[`):], `"kty"`, `"KTY":"RSA","kty"`, 1), []string{"ES256"}, "k", 401, `No key in JWKS with kid "k"`},
		{"alg not allowed", jwks("rsa", "k", map[string]any{"alg": "RS512"}), []string{"RS256", "ES256"}, "k", 401, `JWK alg "RS512" not in configured allowlist`},
		{"alg of another key type", jwks("rsa", "k", map[string]any{"alg": "ES256"}), []string{"RS256", "ES256"}, "k", 401, errAlgorithm.Reason},
		{"RSA without alg is ambiguous", jwks("rsa", "k", nil), []string{"RS256", "PS256", "ES256"}, "k", 401, "JWK omits 'alg' and multiple algorithms configured; cannot disambiguate"},
		{"a key of another type", jwks("rsa", "k", nil), []string{"RS256", "ES256"}, "k", 401, errAlgorithm.Reason},
		{"for encryption", jwks("p256", "k", map[string]any{"use": "enc"}), []string{"ES256"}, "k", 401, "the JWK is not for signatures: its use or key_ops say so"},
		{"for signatures", jwks("p256", "k", map[string]any{"use": "sig", "key_ops": []string{"verify"}}), []string{"ES256"}, "k", 200, ""},
		{"not for verifying", jwks("p256", "k", map[string]any{"key_ops": []string{"sign"}}), []string{"ES256"}, "k", 401, "the JWK is not for signatures: its use or key_ops say so"},
		{"of several with a kid, the one that fits", keySetOf(jwkOf("rsa", "k", nil), jwkOf("p256b", "k", nil), jwkOf("p256", "k", nil)), []string{"ES256", "RS256"}, "k", 200, ""},
		{"what is not understood is ignored", `{"keys":[1,null,"x",{"kty":7},` + jwks("p256", "k", nil)[len(`{"keys":[`):], []string{"ES256"}, "k", 200, ""},
		{"a point that is not on the curve", jwks("p256", "k", map[string]any{"x": base64.RawURLEncoding.EncodeToString(make([]byte, 32))}), []string{"ES256"}, "k", 401, "JWK import failed:"},
		{"a short coordinate", jwks("p256", "k", map[string]any{"x": "AA"}), []string{"ES256"}, "k", 401, "JWK import failed:"},
		{"an unknown curve", jwks("p256", "k", map[string]any{"crv": "secp256k1"}), []string{"ES256"}, "k", 401, "JWK import failed:"},
		{"a secret in the set is no key", keySetOf(map[string]any{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}), []string{"ES256"}, "k", 401, "JWK import failed:"},
		{"an RSA key of 8 bits", keySetOf(map[string]any{"kty": "RSA", "n": "_w", "e": "AQAB", "kid": "k"}), []string{"ES256", "RS256"}, "k", 401, "JWK import failed:"},
		{"an RSA exponent of 5 bytes", jwks("rsa", "k", map[string]any{"e": "AQAAAAE"}), []string{"ES256", "RS256"}, "k", 401, "JWK import failed:"},
		{"an Ed25519 key of 1 byte", jwks("ed", "k", map[string]any{"x": "AA"}), []string{"ES256", "EdDSA"}, "k", 401, "JWK import failed:"},
		{"no keys", `{"keys":[]}`, []string{"ES256"}, "k", 401, `No key in JWKS with kid "k"`},
		{"no keys member", `{}`, []string{"ES256"}, "k", 503, "JWKS fetch failed"},
		{"null keys", `{"keys":null}`, []string{"ES256"}, "k", 503, "JWKS fetch failed"},
		{"no JSON", `<html>`, []string{"ES256"}, "k", 503, "JWKS fetch failed"},
		{"nothing", ``, []string{"ES256"}, "k", 503, "JWKS fetch failed"},
		{"256 keys", `{"keys":[{}` + strings.Repeat(",{}", 255) + `]}`, []string{"ES256"}, "k", 401, `No key in JWKS with kid "k"`},
		{"257 keys", `{"keys":[{}` + strings.Repeat(",{}", 256) + `]}`, []string{"ES256"}, "k", 503, "JWKS fetch failed"},
		{"1 MiB", `{"keys":[]}` + strings.Repeat(" ", 1<<20-11), []string{"ES256"}, "k", 401, `No key in JWKS with kid "k"`},
		{"1 MiB and a byte", `{"keys":[]}` + strings.Repeat(" ", 1<<20-10), []string{"ES256"}, "k", 503, "JWKS fetch failed"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			srv := newServer(t)
			srv.set(c.set)
			got := serve(New(srv.config(c.algorithms...)), request(from(t, "a", c.kid, "p256")))
			if got.status != c.status || !strings.HasPrefix(got.reason(), c.reason) || c.reason == "" && got.reason() != "" {
				t.Fatalf("got %d %q (%v)", got.status, got.reason(), got.err)
			}
		})
	}
}

func TestAKidThatIsNoStringIsRefused(t *testing.T) {
	srv := newServer(t)
	srv.set(jwks("p256", "", nil))
	got := serve(New(srv.config("ES256")), request(sign(t, "ES256", keys()["p256"], map[string]any{"kid": 1}, map[string]any{"iss": "a"})))
	if got.status != 401 || got.reason() != "kid is not a string" {
		t.Fatal(got.status, got.err)
	}
}

// A key that is for RS256 is not for PS256, which its type would fit: RFC 8725 section 3.1.
func TestAJWKIsForItsOneAlgorithm(t *testing.T) {
	srv := newServer(t)
	srv.set(jwks("rsa", "k", map[string]any{"alg": "RS256"}))
	mw := New(srv.config("RS256", "PS256"))
	for alg, want := range map[string]int{"RS256": 200, "PS256": 401} {
		if got := serve(mw, request(sign(t, alg, keys()["rsa"], map[string]any{"kid": "k"}, map[string]any{"iss": "a"}))); got.status != want {
			t.Errorf("%s: got %d %v, want %d", alg, got.status, got.err, want)
		}
	}
}

func TestAnAlgorithmThatIsNotAllowedCausesNoFetch(t *testing.T) {
	srv := newServer(t)
	srv.set(jwks("p256", "k", nil))
	got := serve(New(srv.config("RS256")), request(from(t, "a", "k", "p256")))
	if got.status != 401 || srv.calls.Load() != 0 {
		t.Fatal(got.status, srv.calls.Load())
	}
}

func TestEachIssuerHasItsAudienceAndAlgorithms(t *testing.T) {
	srv := newServer(t)
	srv.set(keySetOf(jwkOf("p256", "k", nil), jwkOf("rsa", "r", map[string]any{"alg": "RS256"})))
	cfg := srv.config("RS256")
	cfg.Issuers = map[string]Issuer{"a": {JWKS: srv.URL, Algorithms: []string{"ES256"}, Audience: []string{"x"}}, "b": {JWKS: srv.URL}}
	mw := New(cfg)
	for _, c := range []struct {
		alg, key, kid, iss, aud string
		want                    int
	}{
		{"ES256", "p256", "k", "a", "x", 200},
		{"ES256", "p256", "k", "a", "y", 401},
		{"RS256", "rsa", "r", "a", "x", 401},
		{"RS256", "rsa", "r", "b", "y", 200},
		{"ES256", "p256", "k", "b", "y", 401},
	} {
		token := sign(t, c.alg, keys()[c.key], map[string]any{"kid": c.kid}, map[string]any{"iss": c.iss, "aud": c.aud})
		if got := serve(mw, request(token)); got.status != c.want {
			t.Errorf("%+v: got %d %v", c, got.status, got.err)
		}
	}
}

// The life of a key set, on a clock that the test moves.
func TestTheLifeOfAKeySet(t *testing.T) {
	srv := newServer(t)
	now := time.Unix(1_000_000, 0)
	cfg := srv.config("ES256")
	cfg.Now = func() time.Time { return now }
	mw := New(cfg)
	old, fresh := from(t, "a", "old", "p256"), from(t, "a", "new", "p256b")
	step := func(rule, token string, status, calls int) {
		t.Helper()
		got := serve(mw, request(token))
		if got.status != status || int(srv.calls.Load()) != calls {
			t.Fatalf("%s: got %d after %d fetches, want %d after %d (%v)", rule, got.status, srv.calls.Load(), status, calls, got.err)
		}
	}
	srv.answer(503, "")
	step("the server is down at first", old, 503, 1)
	now = now.Add(2*time.Second - 1)
	step("and for two seconds the failure is remembered", old, 503, 1)
	now = now.Add(1)
	step("then the next request tries", old, 503, 2)
	srv.set(jwks("p256", "old", nil))
	step("a set that is back is not seen before they are over", old, 503, 2)
	now = now.Add(2 * time.Second)
	step("it is back", old, 200, 3)
	now = now.Add(10 * time.Minute)
	step("fresh to the last moment", old, 200, 3)
	srv.set(jwks("p256b", "new", nil))
	step("a new kid is fetched at once when the last fetch is long ago", fresh, 200, 4)
	step("a withdrawn key is gone", old, 401, 4)
	now = now.Add(30*time.Second - 1)
	step("within the cooldown an unknown kid does not fetch", old, 401, 4)
	now = now.Add(1)
	step("after it, it does", old, 401, 5)
	now = now.Add(10*time.Minute + 1)
	srv.answer(500, "")
	step("expired, and the server fails: the last set is used", fresh, 200, 6)
	step("and the server is left alone", fresh, 200, 6)
	now = now.Add(30 * time.Second)
	step("until the cooldown is over", fresh, 200, 7)
	now = now.Add(-20 * time.Minute)
	srv.set(jwks("p256b", "new", nil))
	step("a clock that was set back makes nothing fresh", fresh, 200, 8)
	now = now.Add(70 * time.Minute)
	srv.answer(500, "")
	step("stale to the last moment", fresh, 200, 9)
	now = now.Add(time.Second)
	step("then no more, and the failure is remembered for two seconds", fresh, 503, 9)
	now = now.Add(time.Second)
	step("and no longer, cooldown or not", fresh, 503, 10)
}

func TestMaxStaleAndCooldownCanBeSwitchedOff(t *testing.T) {
	srv := newServer(t)
	now := time.Unix(1_000_000, 0)
	cfg := srv.config("ES256")
	cfg.Now, cfg.MaxStale, cfg.Cooldown = func() time.Time { return now }, -1, -1
	mw := New(cfg)
	srv.set(jwks("p256", "k", nil))
	token := from(t, "a", "k", "p256")
	for range 2 {
		if got := serve(mw, request(token)); got.status != 200 || srv.calls.Load() != 1 {
			t.Fatal(got.err, srv.calls.Load()) // a set of this very moment is fresh
		}
	}
	if got := serve(mw, request(from(t, "a", "ghost", "p256"))); got.status != 401 || srv.calls.Load() != 2 {
		t.Fatal(got.status, srv.calls.Load())
	}
	now = now.Add(11 * time.Minute)
	srv.answer(500, "")
	for calls := int32(3); calls <= 4; calls++ { // without a cooldown each request tries
		if got := serve(mw, request(token)); got.status != 503 || srv.calls.Load() != calls {
			t.Fatalf("got %d after %d fetches, want 503 after %d", got.status, srv.calls.Load(), calls)
		}
	}
}

func TestPrefetch(t *testing.T) {
	a, b := newServer(t), newServer(t)
	a.set(jwks("p256", "k", nil))
	b.answer(404, "")
	v := NewVerifier(Config{Algorithms: []string{"ES256"}, AllowLoopbackHTTP: true, Issuers: map[string]Issuer{"a": {JWKS: a.URL}, "b": {JWKS: b.URL}}})
	if err := v.Prefetch(t.Context()); err == nil || !strings.Contains(err.Error(), "HTTP 404") {
		t.Fatal(err)
	}
	if got := serve(v.Handler, request(from(t, "a", "k", "p256"))); got.status != 200 || a.calls.Load() != 1 {
		t.Fatal(got.err, a.calls.Load())
	}
	b.set(jwks("p256", "k", nil)) // a hiccup at cold start does not outlast it
	if got := serve(v.Handler, request(from(t, "b", "k", "p256"))); got.status != 200 || b.calls.Load() != 2 {
		t.Errorf("after a prefetch that failed: got %d after %d fetches (%v)", got.status, b.calls.Load(), got.err)
	}
}

// roundTrip is a transport without a network, so that time can be synthetic.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(body string) *http.Response {
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}
}

func remote(f roundTrip) Config {
	return Config{Algorithms: []string{"ES256"}, Issuers: map[string]Issuer{"a": {JWKS: "https://a.example/jwks"}}, Client: &http.Client{Transport: f}}
}

func TestConcurrentRequestsShareOneFetch(t *testing.T) {
	token, set := from(t, "a", "k", "p256"), jwks("p256", "k", nil)
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		v := NewVerifier(remote(func(*http.Request) (*http.Response, error) {
			calls.Add(1)
			time.Sleep(time.Second) // synthetic
			return reply(set), nil
		}))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := v.Verify(t.Context(), token); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if calls.Load() != 1 {
			t.Errorf("%d fetches", calls.Load())
		}
	})
}

func TestConcurrentRequestsShareAFailure(t *testing.T) {
	token := from(t, "a", "k", "p256")
	synctest.Test(t, func(t *testing.T) {
		bounded, cancel := context.WithTimeout(t.Context(), time.Minute) // which does not end the fetch
		defer cancel()
		for rule, ctx := range map[string]context.Context{"without a deadline": t.Context(), "with one": bounded} {
			var calls atomic.Int32
			v := NewVerifier(remote(func(*http.Request) (*http.Response, error) {
				calls.Add(1)
				time.Sleep(time.Second) // synthetic
				return nil, errors.New("refused")
			}))
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if _, err := v.Verify(ctx, token); err == nil || !strings.Contains(err.Error(), "refused") {
						t.Errorf("%s: got %v, want that it was refused", rule, err)
					}
				})
			}
			wg.Wait()
			if calls.Load() != 1 {
				t.Errorf("%s: %d fetches, want 1", rule, calls.Load())
			}
		}
	})
}

func TestAFetchBelongsToItsRequest(t *testing.T) {
	token, set := from(t, "a", "k", "p256"), jwks("p256", "k", nil)
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		v := NewVerifier(remote(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			select {
			case <-r.Context().Done():
				return nil, r.Context().Err()
			case <-time.After(2 * time.Second):
				return reply(set), nil
			}
		}))
		var wg sync.WaitGroup
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wg.Go(func() { // leads, and gives up
			_, err := v.Verify(short, token)
			if e, ok := errors.AsType[*KeyError](err); !ok || !e.Temporary || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the leader got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { // waits, and gives up first
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if _, err := v.Verify(ctx, token); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the impatient one got %v", err)
			}
		})
		wg.Go(func() { // waits, and takes over
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Errorf("the patient one got %v", err)
			}
		})
		wg.Wait()
		if calls.Load() != 2 {
			t.Errorf("%d fetches", calls.Load())
		}
	})
}

// A client that hangs up uses up nothing: else it could keep a new key from being seen,
// and a withdrawn one in use, by hanging up at the end of each cooldown.
func TestAFetchOutlivesTheClientThatAsked(t *testing.T) {
	token, set := from(t, "a", "k", "p256"), jwks("p256", "k", nil)
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		v := NewVerifier(remote(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			select {
			case <-r.Context().Done():
				return nil, r.Context().Err()
			case <-time.After(2 * time.Second):
				return reply(set), nil
			}
		}))
		ctx, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = v.Verify(ctx, token) })
		synctest.Wait()
		hangUp()
		wg.Wait()
		if _, err := v.Verify(t.Context(), token); err != nil || calls.Load() != 1 {
			t.Errorf("after %d fetches: %v", calls.Load(), err)
		}
	})
}

func TestAFetchEndsWithTheDeadlineOfItsRequest(t *testing.T) {
	token := from(t, "a", "k", "p256")
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(remote(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := v.Verify(ctx, token); err == nil || time.Since(begin) != time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// The set that is on its way may have the key.
func TestATokenWithANewKeyWaitsForTheFetchThatIsUnderWay(t *testing.T) {
	older, newer := from(t, "a", "old", "p256"), from(t, "a", "new", "p256b")
	sets := []string{jwks("p256", "old", nil), keySetOf(jwkOf("p256", "old", nil), jwkOf("p256b", "new", nil))}
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		v := NewVerifier(remote(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // synthetic
			return reply(sets[calls.Add(1)-1]), nil
		}))
		if _, err := v.Verify(t.Context(), older); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, err := v.Verify(t.Context(), newer); err != nil {
					t.Errorf("a new key during the fetch: %v", err)
				}
			})
		}
		synctest.Wait()
		begin := time.Now()
		if _, err := v.Verify(t.Context(), older); err != nil || time.Since(begin) != 0 {
			t.Errorf("a known key waited %v: %v", time.Since(begin), err)
		}
		wg.Wait()
		if calls.Load() != 2 {
			t.Errorf("%d fetches, want 2", calls.Load())
		}
	})
}

// A set that is too old, and usable, serves while its successor is on its way.
func TestOneRequestWaitsForTheNextSet(t *testing.T) {
	token, set := from(t, "a", "k", "p256"), jwks("p256", "k", nil)
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(remote(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // synthetic
			return reply(set), nil
		}))
		waits := func() time.Duration {
			begin := time.Now()
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
			return time.Since(begin)
		}
		_ = waits()
		time.Sleep(11 * time.Minute)
		var first time.Duration
		var wg sync.WaitGroup
		wg.Go(func() { first = waits() })
		synctest.Wait()
		second := waits()
		wg.Wait()
		if first != time.Second || second != 0 {
			t.Errorf("the requests waited %v and %v, want 1s and not at all", first, second)
		}
	})
}

func TestAFetchHasATimeout(t *testing.T) {
	token := from(t, "a", "k", "p256")
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		v := NewVerifier(remote(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		_, err := v.Verify(t.Context(), token)
		if e, ok := errors.AsType[*KeyError](err); !ok || !e.Temporary {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestAFetchThatPanicsHurtsOnlyItself(t *testing.T) {
	token, set := from(t, "a", "k", "p256"), jwks("p256", "k", nil)
	calls := 0
	v := NewVerifier(remote(func(*http.Request) (*http.Response, error) {
		if calls++; calls == 1 {
			panic("transport")
		}
		return reply(set), nil
	}))
	func() {
		defer func() { _ = recover() }()
		v.Verify(t.Context(), token)
	}()
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
}

func TestRedirectsStayOnHTTPS(t *testing.T) {
	token, set := from(t, "a", "k", "p256"), jwks("p256", "k", nil)
	for _, c := range []struct {
		rule, location string
		ok             bool
	}{
		{"to https", "https://b.example/jwks", true},
		{"to http", "http://b.example/jwks", false},
		{"to the metadata service", "http://169.254.169.254/latest/meta-data", false},
		{"to a file", "file:///etc/passwd", false},
		{"in a circle", "https://a.example/jwks", false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			v := NewVerifier(remote(func(r *http.Request) (*http.Response, error) {
				if r.URL.Scheme != "https" {
					t.Errorf("asked %s", r.URL)
				}
				if r.URL.Host == "b.example" {
					return reply(set), nil
				}
				return &http.Response{StatusCode: 302, Header: http.Header{"Location": {c.location}}, Body: http.NoBody, Request: r}, nil
			}))
			if _, err := v.Verify(t.Context(), token); (err == nil) != c.ok {
				t.Fatalf("got %v", err)
			}
		})
	}
	for n, ok := range map[int]bool{3: true, 4: false} {
		left := n
		v := NewVerifier(remote(func(r *http.Request) (*http.Response, error) {
			if left--; left < 0 {
				return reply(set), nil
			}
			return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://b.example/"}}, Body: http.NoBody, Request: r}, nil
		}))
		if _, err := v.Verify(t.Context(), token); (err == nil) != ok {
			t.Errorf("%d redirects: %v", n, err)
		}
	}
	// The caller's own rule still holds.
	cfg := remote(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://b.example/"}}, Body: http.NoBody, Request: r}, nil
	})
	asked := false
	cfg.Client.CheckRedirect = func(*http.Request, []*http.Request) error { asked = true; return errors.New("no") }
	if _, err := NewVerifier(cfg).Verify(t.Context(), token); err == nil || !asked {
		t.Fatal(err, asked)
	}
}

func TestAKeyServersHeadersAreBounded(t *testing.T) {
	if got := (Config{}).fetcher().Transport.(*http.Transport).MaxResponseHeaderBytes; got != 65536 {
		t.Errorf("got %d bytes, want 64 KiB", got)
	}
}

func TestAKeyServerWithTLS(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "application/jwk-set+json") {
			t.Errorf("asked for %q", r.Header.Get("Accept"))
		}
		io.WriteString(w, jwks("p256", "k", nil))
	}))
	defer srv.Close()
	cfg := Config{Algorithms: []string{"ES256"}, Issuers: map[string]Issuer{"a": {JWKS: srv.URL}}, Client: srv.Client()}
	if got := serve(New(cfg), request(from(t, "a", "k", "p256"))); got.status != 200 {
		t.Fatal(got.err)
	}
	if srv.Client().CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
	// Without the test's certificate authority the server is not believed.
	cfg.Client = nil
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if got := serve(New(cfg), request(from(t, "a", "k", "p256"))); got.status != 503 {
		t.Fatal(got.status, got.err)
	}
}
