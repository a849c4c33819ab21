package jwtauth

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gomiddy/middy/web/internal/jose"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// raw signs a header and claims as they are written.
func raw(t testing.TB, alg string, key any, header, claims string) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(header)) + "." + b64([]byte(claims))
	return signed + "." + b64(signature(t, alg, key, signed))
}

func signature(t testing.TB, alg string, key any, signed string) []byte {
	t.Helper()
	sig, err := jwt.GetSigningMethod(alg).Sign(signed, key)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func TestATokenThatTwoReadersCouldReadDifferentlyIsRefused(t *testing.T) {
	for _, c := range []struct {
		rule, header, claims string
		status               int
	}{
		{"a plain one", `{"alg":"HS256"}`, `{"sub":"u"}`, 200},
		{"a claim twice", `{"alg":"HS256"}`, `{"sub":"u","sub":"admin"}`, 401},
		{"a claim twice, once escaped", `{"alg":"HS256"}`, `{"sub":"u","s\u0075b":"admin"}`, 401},
		{"a claim twice by case", `{"alg":"HS256"}`, `{"iss":"b","sub":"u","ISS":"a","Sub":"admin"}`, 401},
		{"a claim twice by Unicode's case", `{"alg":"HS256"}`, `{"role":"user","kind":"a","\u212aind":"b"}`, 401},
		{"a registered claim in another case only", `{"alg":"HS256"}`, `{"Sub":"admin"}`, 401},
		{"a claim of the user's in any case", `{"alg":"HS256"}`, `{"sub":"u","Email":"a@b"}`, 200},
		{"a member twice within a claim", `{"alg":"HS256"}`, `{"sub":"u","realm_access":{"roles":["user"],"Roles":["admin"]}}`, 401},
		{"a header parameter twice", `{"alg":"HS256","alg":"HS256"}`, `{"sub":"u"}`, 401},
		{"a header parameter twice, of which one would be refused", `{"alg":"none","alg":"HS256"}`, `{"sub":"u"}`, 401},
		{"a kid twice", `{"alg":"HS256","kid":"a","kid":"b"}`, `{"sub":"u"}`, 401},
		{"claims with text behind them", `{"alg":"HS256"}`, `{"sub":"u"} {}`, 401},
		{"claims with a byte order mark", `{"alg":"HS256"}`, "\ufeff" + `{"sub":"u"}`, 401},
		{"claims that are not UTF-8", `{"alg":"HS256"}`, "{\"sub\":\"\xff\"}", 401},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got := serve(New(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret))}), request(raw(t, "HS256", []byte(secret), c.header, c.claims)))
			if got.status != c.status {
				t.Errorf("got %d (%v), want %d", got.status, got.err, c.status)
			}
		})
	}
}

// None of these is read; a token that leans on them has the wrong signature, and one
// that only carries them is as good as without.
func TestHeadersThatBringTheirOwnKeyAreNotRead(t *testing.T) {
	var fetched atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		io.WriteString(w, jwks("rsa2", "k", nil))
	}))
	defer evil.Close()
	srv := newServer(t)
	srv.set(jwks("rsa", "k", map[string]any{"alg": "RS256"}))
	mw := New(srv.config("RS256"))
	for name, value := range map[string]any{
		"jku": evil.URL, "x5u": evil.URL, "jwk": jwkOf("rsa2", "k", nil), "x5c": []string{base64.StdEncoding.EncodeToString(der(t, keys()["rsa2"]))}, "x5t": "AA",
		"b64": false, "cty": "JWT", "zip": "DEF", "enc": "A256GCM",
	} {
		header := map[string]any{"kid": "k", name: value}
		claims := map[string]any{"iss": "a"}
		if got := serve(mw, request(sign(t, "RS256", keys()["rsa2"], header, claims))); got.status != 401 || got.reason() != "signature verification failed" {
			t.Errorf("%s with another's key: got %d %q", name, got.status, got.reason())
		}
		if got := serve(mw, request(sign(t, "RS256", keys()["rsa"], header, claims))); got.status != 200 {
			t.Errorf("%s with the issuer's key: got %d %q", name, got.status, got.reason())
		}
	}
	if fetched.Load() != 0 || srv.calls.Load() != 1 {
		t.Errorf("%d fetches from the token's URL, %d from the issuer's", fetched.Load(), srv.calls.Load())
	}
	nested := raw(t, "RS256", keys()["rsa"], `{"alg":"RS256","kid":"k","cty":"JWT"}`, sign(t, "RS256", keys()["rsa"], nil, map[string]any{"iss": "a"}))
	if got := serve(mw, request(nested)); got.status != 401 {
		t.Errorf("a token in a token: got %d", got.status)
	}
}

func TestAKeyringWithoutKeysVerifiesNothing(t *testing.T) {
	jws, err := jose.Parse(hs(t, nil), false)
	if err != nil {
		t.Fatal(err)
	}
	if (keyring{}).verify(jws, "HS256") == nil {
		t.Error("verified with no key")
	}
}

func TestOneIssuersMalformedTokensSayThatThereAreIssuers(t *testing.T) {
	if got := serve(New(newServer(t).config("ES256")), request("a.b")); got.reason() != "Malformed token: Invalid Compact JWS" {
		t.Errorf("got %q", got.reason())
	}
}

// A kid selects among the keys of the set, by its bytes, and does nothing else.
func TestKidsAreTextOnly(t *testing.T) {
	srv := newServer(t)
	srv.set(keySetOf(jwkOf("p256", "k", nil), jwkOf("p256b", "other", nil)))
	mw := New(srv.config("ES256"))
	for _, kid := range []string{"../k", "K", "k ", "k\x00", "/dev/null", "k' OR '1'='1", "https://evil.example/k", "", "other"} {
		token := sign(t, "ES256", keys()["p256"], map[string]any{"kid": kid}, map[string]any{"iss": "a"})
		if got := serve(mw, request(token)); got.status != 401 {
			t.Errorf("kid %q: got %d, want 401", kid, got.status)
		}
	}
	if srv.calls.Load() != 1 {
		t.Errorf("%d fetches, want 1", srv.calls.Load())
	}
}

func TestTheSaltOfPSSIsAsLongAsTheHash(t *testing.T) {
	key := keys()["rsa"].(*rsa.PrivateKey)
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(`{"alg":"PS256"}`)) + "." + b64([]byte(`{"sub":"u"}`))
	sum := sha256.Sum256([]byte(signed))
	v := NewVerifier(Config{Algorithms: []string{"PS256"}, PublicKey: Static(PublicKey{Bytes: der(t, key)})})
	for salt, ok := range map[int]bool{32: true, rsa.PSSSaltLengthAuto: false, 1: false, 20: false, 31: false, 33: false, 64: false} {
		sig, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), signed+"."+b64(sig)); (err == nil) != ok {
			t.Errorf("a salt of %d bytes: got %v", salt, err)
		}
	}
}

// One token has one spelling: a list of revoked tokens, or a cache, goes by its text.
func TestATokenHasOneSpelling(t *testing.T) {
	good := hs(t, map[string]any{"sub": "u"})
	v := NewVerifier(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret))})
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for at := range len(good) + 1 {
		for _, more := range []string{"\n", "\r", "\r\n", " ", "\t", "=", "\x00", ".", "%0A", "\u200b"} {
			if _, err := v.Verify(t.Context(), good[:at]+more+good[at:]); err == nil {
				t.Errorf("accepted with %q at %d", more, at)
			}
		}
	}
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/" { // loose bits
		if other := good[:len(good)-1] + string(last); other != good {
			if _, err := v.Verify(t.Context(), other); err == nil {
				t.Errorf("accepted with %q at the end", last)
			}
		}
	}
}

func TestWhatTheClientSaysIsQuotedAndCutInTheLog(t *testing.T) {
	nasty := "\n\x1b[31m level=INFO forged \u202e" + strings.Repeat("x", 10_000)
	srv := newServer(t)
	srv.set(keySetOf(jwkOf("p256", "k", nil), jwkOf("p256b", "l", nil)))
	issuers := New(srv.config("ES256"))
	balancers := New(Config{LoadBalancers: []string{balancer}})
	own := New(Config{Algorithms: []string{"ES256"}, PublicKey: Static(PublicKey{Bytes: der(t, keys()["p256"])})})
	quoted, _ := json.Marshal(nasty)
	for rule, c := range map[string]struct {
		mw            func(http.Handler) http.Handler
		header, claim map[string]any
		raw           string
	}{
		"kid":                         {mw: issuers, header: map[string]any{"kid": nasty}, claim: map[string]any{"iss": "a"}},
		"crit":                        {mw: own, header: map[string]any{"crit": []string{nasty}}},
		"iss":                         {mw: issuers, claim: map[string]any{"iss": nasty}},
		"signer":                      {mw: balancers, header: map[string]any{"signer": nasty}},
		"a load balancer's kid":       {mw: balancers, header: map[string]any{"signer": balancer, "kid": nasty}},
		"a claim's name twice":        {mw: own, raw: `{` + string(quoted) + `:1,` + string(quoted) + `:1}`},
		"a registered claim's name":   {mw: own, raw: `{"SUB":1}`},
		"a date that is not a number": {mw: own, claim: map[string]any{"exp": nasty}},
	} {
		token := sign(t, "ES256", keys()["p256"], c.header, c.claim)
		if c.raw != "" {
			token = raw(t, "ES256", keys()["p256"], `{"alg":"ES256"}`, c.raw)
		}
		r := request(token)
		r.Header.Set(oidcData, token)
		got := serve(c.mw, r)
		var said []string
		for err := got.err; err != nil; err = errors.Unwrap(err) {
			said = append(said, err.Error())
		}
		all := strings.Join(said, "|")
		if got.status != 401 || strings.ContainsAny(all, "\n\x1b\u202e") || len(all) > 1200 {
			t.Errorf("%s: got %d, %d bytes: %.200q", rule, got.status, len(all), all)
		}
	}
}

func TestTimesHaveFractions(t *testing.T) {
	now := time.Unix(1000, 5e8)
	for _, c := range []struct {
		claim string
		at    float64
		ok    bool
	}{
		{"exp", 1000.4, false}, {"exp", 1000.5, false}, {"exp", 1000.6, true}, {"nbf", 1000.4, true}, {"nbf", 1000.6, false},
		{"exp", -1, false}, {"exp", 1e300, true}, {"nbf", -1e300, true},
	} {
		v := NewVerifier(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret)), Now: func() time.Time { return now }})
		if _, err := v.Verify(t.Context(), hs(t, map[string]any{c.claim: c.at})); (err == nil) != c.ok {
			t.Errorf("%s %v at 1000.5: got %v", c.claim, c.at, err)
		}
	}
}

const balancer = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/orders/50dc6c495c0c9188"

// alb is a token as a load balancer writes it: padded, with its say in the header.
func alb(t testing.TB, key string, change map[string]any, claims map[string]any) string {
	t.Helper()
	header := map[string]any{"alg": "ES256", "kid": "c2f8", "signer": balancer, "iss": "https://idp.example", "client": "orders", "exp": 2_000}
	maps.Copy(header, change)
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.URLEncoding.EncodeToString(b)
	}
	signed := text(header) + "." + text(claims)
	return signed + "." + base64.URLEncoding.EncodeToString(signature(t, "ES256", keys()[key], signed))
}

// keyHost answers for the region's keys, and counts.
func keyHost(t testing.TB, urls *[]string) *http.Client {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der(t, keys()["p256"])}))
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		*urls = append(*urls, r.URL.String())
		if !strings.HasSuffix(r.URL.Path, "/c2f8") {
			return &http.Response{StatusCode: 403, Body: http.NoBody}, nil
		}
		return reply(text), nil
	})}
}

func TestLoadBalancers(t *testing.T) {
	user := map[string]any{"sub": "ann", "email": "ann@example.com", "exp": 2_000, "iss": "https://idp.example"}
	for _, c := range []struct {
		rule   string
		change func(*Config)
		key    string
		header map[string]any
		claims map[string]any
		status int
		reason string
	}{
		{"a genuine one", nil, "p256", nil, user, 200, ""},
		{"issuer and client are in the header", func(c *Config) { c.Issuer, c.Audience = []string{"https://idp.example"}, []string{"orders"} }, "p256", nil, map[string]any{"sub": "ann"}, 200, ""},
		{"another client", func(c *Config) { c.Audience = []string{"other"} }, "p256", nil, user, 401, `unexpected "aud" claim value`},
		{"another issuer", func(c *Config) { c.Issuer = []string{"other"} }, "p256", nil, user, 401, `unexpected "iss" claim value`},
		{"expired by its header", nil, "p256", map[string]any{"exp": 1_000}, user, 401, `"exp" claim timestamp check failed`},
		{"without exp", nil, "p256", map[string]any{"exp": nil}, user, 401, `"exp" claim must be a number`},
		{"another load balancer of the region", nil, "p256", map[string]any{"signer": balancer + "0"}, user, 401, `signed by "` + balancer + `0", which is not among LoadBalancers`},
		{"no signer", nil, "p256", map[string]any{"signer": nil}, user, 401, `signed by "", which is not among LoadBalancers`},
		{"another key", nil, "p256b", nil, user, 401, "signature verification failed"},
		{"a kid that leaves its path", nil, "p256", map[string]any{"kid": "../c2f8"}, user, 401, `kid "../c2f8" is not the id of a load balancer's key`},
		{"no kid", nil, "p256", map[string]any{"kid": nil}, user, 401, `kid "" is not the id of a load balancer's key`},
		{"a kid that is not there", nil, "p256", map[string]any{"kid": "0000"}, user, 503, "JWKS fetch failed"},
		{"another algorithm", nil, "p256", map[string]any{"alg": "HS256"}, user, 401, errAlgorithm.Reason},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var urls []string
			cfg := Config{LoadBalancers: []string{balancer}, Client: keyHost(t, &urls), Now: fixed(1_000)}
			if c.change != nil {
				c.change(&cfg)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("x-amzn-oidc-data", alb(t, c.key, c.header, c.claims))
			got := serve(New(cfg), r)
			if got.status != c.status || got.reason() != c.reason {
				t.Errorf("got %d %q (%v), want %d %q", got.status, got.reason(), got.err, c.status, c.reason)
			}
			if got.status == 200 && (got.claims["sub"] != "ann" || urls[0] != "https://public-keys.auth.elb.eu-west-1.amazonaws.com/c2f8") {
				t.Errorf("got claims %v from %v", got.claims, urls)
			}
		})
	}
}

func TestALoadBalancersKeyIsFetchedOnce(t *testing.T) {
	var urls []string
	v := NewVerifier(Config{LoadBalancers: []string{balancer}, Client: keyHost(t, &urls), Now: fixed(1_000)})
	token := alb(t, "p256", nil, map[string]any{"sub": "ann"})
	for range 3 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	// Kids that nobody has cost one fetch each, and do not drive the good one out.
	for i := range 3 * maxBalancerKeys {
		kid := "a" + strings.Repeat("b", i%32) + strings.Repeat("c", i/32)
		if _, err := v.Verify(t.Context(), alb(t, "p256", map[string]any{"kid": kid}, map[string]any{})); err == nil {
			t.Fatal("accepted with a key that is not there")
		}
		if n := len(v.balancers.sets); n > maxBalancerKeys {
			t.Fatalf("%d keys are kept, more than %d", n, maxBalancerKeys)
		}
	}
	if _, err := v.Verify(t.Context(), token); err != nil || len(urls) != 1+3*maxBalancerKeys {
		t.Errorf("%d fetches, want %d; %v", len(urls), 1+3*maxBalancerKeys, err)
	}
}

func TestKeysThatAreOnTheirWayDriveNoKeyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der(t, keys()["p256"])}))
		good, answer := 0, make(chan struct{})
		v := NewVerifier(Config{LoadBalancers: []string{balancer}, Now: fixed(1_000), Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/c2f8") {
				good++
				return reply(text), nil
			}
			<-answer
			return &http.Response{StatusCode: 403, Body: http.NoBody}, nil
		})}})
		ask := func(change map[string]any) error {
			_, err := v.Verify(t.Context(), alb(t, "p256", change, map[string]any{}))
			return err
		}
		if err := ask(nil); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 2 * maxBalancerKeys {
			wg.Go(func() { _ = ask(map[string]any{"kid": fmt.Sprint(i)}) }) // refused
		}
		synctest.Wait()
		if err := ask(nil); err != nil || good != 1 {
			t.Errorf("the good key was fetched %d times, want once; %v", good, err)
		}
		close(answer)
		wg.Wait()
	})
}

func TestTheKeysOfLoadBalancersAreBounded(t *testing.T) {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der(t, keys()["p256"])}))
	fetches := 0
	v := NewVerifier(Config{LoadBalancers: []string{balancer}, Now: fixed(1_000), Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		fetches++
		if strings.HasSuffix(r.URL.Path, "-none") {
			return &http.Response{StatusCode: 403, Body: http.NoBody}, nil
		}
		return reply(text), nil
	})}})
	ask := func(kid string) error {
		_, err := v.Verify(t.Context(), alb(t, "p256", map[string]any{"kid": kid}, map[string]any{}))
		return err
	}
	for _, kid := range []string{"1-none", "2-none", "1-none"} { // the failure of one is remembered beside another
		if ask(kid) == nil {
			t.Fatal("accepted with a key that is not there")
		}
	}
	if fetches != 2 {
		t.Errorf("%d fetches for two keys that are not there, want 2", fetches)
	}
	for i := range 200 {
		if err := ask(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if n := len(v.balancers.sets); n > 64 || i == 63 && n != 64 {
			t.Fatalf("%d keys are kept after %d good ones, want 64 at most", n, i+1)
		}
	}
}

func TestAKeyThatIsOnItsWayIsNotDropped(t *testing.T) {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der(t, keys()["p256"])}))
	token := func(kid string) string { return alb(t, "p256", map[string]any{"kid": kid}, map[string]any{}) }
	slow := token("slow")
	var nobodys []string
	for i := range 64 {
		nobodys = append(nobodys, token(fmt.Sprint(i)))
	}
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int32
		v := NewVerifier(Config{LoadBalancers: []string{balancer}, Now: fixed(1_000), Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/slow") {
				return &http.Response{StatusCode: 403, Body: http.NoBody}, nil
			}
			fetches.Add(1)
			time.Sleep(time.Second) // synthetic
			return reply(text), nil
		})}})
		var wg sync.WaitGroup
		verify := func() {
			if _, err := v.Verify(t.Context(), slow); err != nil {
				t.Error(err)
			}
		}
		wg.Go(verify)
		synctest.Wait()
		for _, token := range nobodys {
			if _, err := v.Verify(t.Context(), token); err == nil {
				t.Error("accepted with a key that is not there")
			}
		}
		wg.Go(verify)
		wg.Wait()
		if fetches.Load() != 1 {
			t.Errorf("%d fetches of one key, want 1", fetches.Load())
		}
	})
}

func TestPaddingIsForLoadBalancersOnly(t *testing.T) {
	token := alb(t, "p256", nil, map[string]any{"sub": "ann"})
	if !strings.Contains(token, "=") {
		t.Fatal("the token of the test has no padding")
	}
	for sources, ok := range map[bearer.Sources]bool{
		{Header: "X-Amzn-Oidc-Data"}:              true,
		{Header: "x-amzn-oidc-data"}:              true,
		{}:                                        false,
		{Header: "X-Token"}:                       false,
		{Header: "X-Amzn-Oidc-Data", Query: "t"}:  false,
		{Header: "X-Amzn-Oidc-Data", Cookie: "t"}: false,
		{Header: "X-Amzn-Oidc-Accesstoken"}:       false,
	} {
		v := NewVerifier(Config{Algorithms: []string{"ES256"}, PublicKey: Static(PublicKey{Bytes: der(t, keys()["p256"])}), Sources: sources})
		if _, err := v.Verify(t.Context(), token); (err == nil) != ok {
			t.Errorf("%+v: got %v", sources, err)
		}
		if _, err := v.Verify(t.Context(), sign(t, "ES256", keys()["p256"], nil, nil)); err != nil {
			t.Errorf("%+v without padding: got %v", sources, err)
		}
		if _, err := v.Verify(t.Context(), token+"="); err == nil {
			t.Errorf("%+v: accepted with one = too many", sources)
		}
	}
}

func TestWhereTheKeysOfALoadBalancerAre(t *testing.T) {
	for arn, want := range map[string]string{
		balancer: "https://public-keys.auth.elb.eu-west-1.amazonaws.com/",
		"arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:123456789012:loadbalancer/app/a/50dc": "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1/",
		"arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:loadbalancer/app/a/50dc":        "",
		"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/a/50dc":            "",
		"arn:aws:elasticloadbalancing:evil.example/:123456789012:loadbalancer/app/a/50dc":        "",
		"x" + balancer:  "",
		balancer + "\n": "",
		"":              "",
	} {
		got, err := keyURL(arn)
		valid := Config{LoadBalancers: []string{arn}}.Validate() == nil
		if got != want || (err == nil) != (want != "") || valid != (want != "") {
			t.Errorf("%q: got %q, %v", arn, got, err)
		}
	}
	for rule, cfg := range map[string]Config{
		"two sources of keys":         {LoadBalancers: []string{balancer}, Algorithms: []string{"ES256"}, PublicKey: Static(PublicKey{})},
		"a token from somewhere else": {LoadBalancers: []string{balancer}, Sources: bearer.Sources{Cookie: "t"}},
		"a secret's algorithm":        {LoadBalancers: []string{balancer}, Algorithms: []string{"HS256"}},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", rule)
		}
	}
	if err := (Config{LoadBalancers: []string{balancer}, Sources: bearer.Sources{Header: "x-amzn-oidc-data"}}).Validate(); err != nil {
		t.Errorf("the header that it is: %v", err)
	}
}
