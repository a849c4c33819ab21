package dpop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/jwtauth"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
	"github.com/gomiddy/middy/web/pasetoauth"
)

// The examples of RFC 9449: section 5, figure 4, and section 7.1, figure 13, with the
// token of figure 6 and the thumbprint of section 6.1.
const (
	rfcHeader        = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	rfcTokenProof    = rfcHeader + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfcResourceProof = rfcHeader + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcToken         = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	rfcThumbprint    = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
)

func hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func at(unix int64) func() time.Time { return func() time.Time { return time.Unix(unix, 0) } }

func TestTheExamplesOfTheRFC(t *testing.T) {
	v := NewVerifier(Config{Now: at(1562262620)})
	p, err := v.Verify(rfcTokenProof, Request{Method: "POST", URI: "https://server.example.com/token"})
	if err != nil || p.Thumbprint != rfcThumbprint || p.JTI != "-BwC3ESc6acc2lTc" || p.IssuedAt.Unix() != 1562262616 {
		t.Errorf("a token request: got %+v, %v", p, err)
	}
	p, err = v.Verify(rfcResourceProof, Request{Method: "GET", URI: "https://resource.example.org/protectedresource", TokenHash: hash(rfcToken)})
	if err != nil || p.Thumbprint != rfcThumbprint || p.Claims["ath"] != "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo" {
		t.Errorf("a resource: got %+v, %v", p, err)
	}
	for rule, r := range map[string]Request{
		"another method": {Method: "POST", URI: "https://resource.example.org/protectedresource", TokenHash: hash(rfcToken)},
		"another path":   {Method: "GET", URI: "https://resource.example.org/", TokenHash: hash(rfcToken)},
		"another host":   {Method: "GET", URI: "https://server.example.com/protectedresource", TokenHash: hash(rfcToken)},
		"another scheme": {Method: "GET", URI: "http://resource.example.org/protectedresource", TokenHash: hash(rfcToken)},
		"another token":  {Method: "GET", URI: "https://resource.example.org/protectedresource", TokenHash: hash("another")},
	} {
		if _, err := v.Verify(rfcResourceProof, r); err == nil {
			t.Errorf("%s: accepted", rule)
		}
	}
	for _, now := range []int64{1562262618 - 61, 1562262618 + 61} {
		if _, err := NewVerifier(Config{Now: at(now)}).Verify(rfcResourceProof, Request{Method: "GET", URI: "https://resource.example.org/protectedresource", TokenHash: hash(rfcToken)}); err == nil {
			t.Errorf("accepted at %d", now)
		}
	}
}

// The keys of all tests, made once: RSA is slow.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{
		"p256": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), "other": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"p384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), "p521": must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"rsa": must(rsa.GenerateKey(rand.Reader, 2048)), "ed": must(ed, err),
	}
})

var b64 = base64.RawURLEncoding.EncodeToString

func jwk(name string) map[string]any {
	switch k := keys()[name].Public().(type) {
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		return map[string]any{"kty": "EC", "crv": k.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(k)}
	}
	panic(name)
}

func thumbprint(name string) string {
	members := jwk(name)
	text, err := json.Marshal(members) // sorted, and without white space
	if err != nil {
		panic(err)
	}
	return b64(hash(string(text)))
}

const now = 1_700_000_000

// proof is one for GET https://api.example.com/orders, changed by header and claims; nil
// takes a member out.
func proof(t testing.TB, alg, key string, header, claims map[string]any) string {
	t.Helper()
	h := map[string]any{"typ": "dpop+jwt", "alg": alg, "jwk": jwk(key)}
	c := map[string]any{"jti": "1", "htm": "GET", "htu": "https://api.example.com/orders", "iat": now}
	for to, from := range map[*map[string]any]map[string]any{&h: header, &c: claims} {
		maps.Copy(*to, from)
		maps.DeleteFunc(*to, func(_ string, v any) bool { return v == nil })
	}
	return signed(t, alg, key, text(t, h), text(t, c))
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func signed(t testing.TB, alg, key, header, claims string) string {
	t.Helper()
	in := b64([]byte(header)) + "." + b64([]byte(claims))
	method := jwt.GetSigningMethod(alg)
	if method == nil || strings.HasPrefix(alg, "HS") || alg == "none" {
		method = jwt.SigningMethodES256
	}
	sig, err := method.Sign(in, keys()[key])
	if err != nil {
		t.Fatal(err)
	}
	return in + "." + b64(sig)
}

var orders = Request{Method: "GET", URI: "https://api.example.com/orders"}

func TestAlgorithms(t *testing.T) {
	for alg, key := range map[string]string{"ES256": "p256", "ES384": "p384", "ES512": "p521", "PS256": "rsa", "RS256": "rsa", "EdDSA": "ed"} {
		p, err := NewVerifier(Config{Now: at(now)}).Verify(proof(t, alg, key, nil, nil), orders)
		if err != nil || p.Thumbprint != thumbprint(key) {
			t.Errorf("%s: got %+v, %v", alg, p, err)
		}
		if _, err := NewVerifier(Config{Now: at(now), Algorithms: []string{alg}}).Verify(proof(t, alg, key, nil, nil), orders); err != nil {
			t.Errorf("%s alone: got %v", alg, err)
		}
		if alg != "ES256" {
			if _, err := NewVerifier(Config{Now: at(now), Algorithms: []string{"ES256"}}).Verify(proof(t, alg, key, nil, nil), orders); err == nil {
				t.Errorf("%s where ES256 is asked for: accepted", alg)
			}
		}
	}
	for _, alg := range []string{"RS384", "RS512", "PS384", "PS512"} { // as in Middy
		if _, err := NewVerifier(Config{Now: at(now)}).Verify(proof(t, alg, "rsa", nil, nil), orders); err == nil {
			t.Errorf("%s: accepted", alg)
		}
	}
}

func TestHostileProofs(t *testing.T) {
	good := proof(t, "ES256", "p256", nil, nil)
	parts := strings.Split(good, ".")
	with := func(member string, v any) map[string]any {
		m := jwk("p256")
		m[member] = v
		return map[string]any{"jwk": m}
	}
	claimed := func(name string, v any) string { return proof(t, "ES256", "p256", nil, map[string]any{name: v}) }
	headed := func(name string, v any) string { return proof(t, "ES256", "p256", map[string]any{name: v}, nil) }
	d := keys()["p256"].(*ecdsa.PrivateKey)
	secret, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte) string {
		in := b64([]byte(text(t, map[string]any{"typ": "dpop+jwt", "alg": "HS256", "jwk": map[string]any{"kty": "oct", "k": b64(key)}}))) + "." + parts[1]
		h := hmac.New(sha256.New, key)
		h.Write([]byte(in))
		return in + "." + b64(h.Sum(nil))
	}
	header := text(t, map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk("p256")})
	claims := `"jti":"1","htm":"GET","htu":"https://api.example.com/orders","iat":1700000000`
	for rule, token := range map[string]string{
		"nothing":                      "",
		"no JWT":                       "a.b",
		"four parts":                   good + ".x",
		"no signature":                 parts[0] + "." + parts[1] + ".",
		"a line break":                 good[:len(good)-1] + "\n" + good[len(good)-1:],
		"padding":                      good + "=",
		"a changed claim":              parts[0] + "." + b64([]byte(`{`+claims+`,"x":1}`)) + "." + parts[2],
		"alg none":                     b64([]byte(text(t, map[string]any{"typ": "dpop+jwt", "alg": "none", "jwk": jwk("p256")}))) + "." + parts[1] + ".",
		"alg none with a signature":    headed("alg", "none"),
		"a symmetric algorithm":        mac([]byte("a secret of at least thirty-two bytes")),
		"the public key as a secret":   headed("alg", "HS256"),
		"no alg":                       headed("alg", nil),
		"alg of another key":           headed("alg", "ES384"),
		"an algorithm of RSA":          headed("alg", "RS256"),
		"no typ":                       headed("typ", nil),
		"typ of an ordinary JWT":       headed("typ", "JWT"),
		"typ in another case":          headed("typ", "DPoP+JWT"),
		"no jwk":                       headed("jwk", nil),
		"a jwk that is text":           headed("jwk", text(t, jwk("p256"))),
		"an empty jwk":                 headed("jwk", map[string]any{}),
		"another's jwk":                headed("jwk", jwk("other")),
		"a private jwk":                proof(t, "ES256", "p256", with("d", b64(secret)), nil),
		"a private jwk, null":          proof(t, "ES256", "p256", with("d", nil), nil),
		"a jwk with a secret":          proof(t, "ES256", "p256", with("k", "AA"), nil),
		"a jwk with primes":            proof(t, "ES256", "p256", with("oth", []any{}), nil),
		"a jwk off its curve":          proof(t, "ES256", "p256", with("x", b64(make([]byte, 32))), nil),
		"a jwk with a number":          proof(t, "ES256", "p256", with("x", 1), nil),
		"a jwk with a member twice":    signed(t, "ES256", "p256", strings.Replace(header, `"crv":`, `"crv":"P-384","crv":`, 1), `{`+claims+`}`),
		"a header with a member twice": signed(t, "ES256", "p256", strings.Replace(header, `"alg":`, `"alg":"none","alg":`, 1), `{`+claims+`}`),
		"an extension that must be":    headed("crit", []string{"x"}),
		"a kid and a jku in its place": proof(t, "ES256", "p256", map[string]any{"jwk": nil, "jku": "https://evil.example", "kid": "k"}, nil),
		"a claim twice":                signed(t, "ES256", "p256", header, `{"htm":"POST",`+claims+`}`),
		"a claim twice by case":        signed(t, "ES256", "p256", header, `{"HTM":"POST",`+claims+`}`),
		"claims that are a list":       signed(t, "ES256", "p256", header, `[]`),
		"no htm":                       claimed("htm", nil),
		"another htm":                  claimed("htm", "POST"),
		"htm in another case":          claimed("htm", "get"),
		"an htm that is a list":        claimed("htm", []string{"GET"}),
		"no htu":                       claimed("htu", nil),
		"another path":                 claimed("htu", "https://api.example.com/orders/1"),
		"another path by its slash":    claimed("htu", "https://api.example.com/orders/"),
		"another path by its case":     claimed("htu", "https://api.example.com/Orders"),
		"another host":                 claimed("htu", "https://api.example.com.evil.example/orders"),
		"another host behind a user":   claimed("htu", "https://api.example.com@evil.example/orders"),
		"a user":                       claimed("htu", "https://a@api.example.com/orders"),
		"another port":                 claimed("htu", "https://api.example.com:8443/orders"),
		"another scheme":               claimed("htu", "http://api.example.com/orders"),
		"a path without host":          claimed("htu", "/orders"),
		"an htu that is no URI":        claimed("htu", "https://api.example.com/%zz"),
		"an htu that is a number":      claimed("htu", 1),
		"no iat":                       claimed("iat", nil),
		"an iat that is text":          claimed("iat", "1700000000"),
		"an iat beyond every number":   claimed("iat", json.Number("1e999")),
		"an iat of long ago":           claimed("iat", now-61),
		"an iat of the future":         claimed("iat", now+61),
		"an iat of the far future":     claimed("iat", 1e300),
		"no jti":                       claimed("jti", nil),
		"an empty jti":                 claimed("jti", ""),
		"a jti that is a number":       claimed("jti", 1),
		"expired":                      claimed("exp", now),
		"an exp that is text":          claimed("exp", "x"),
		"not valid yet":                claimed("nbf", now+61),
		"an nbf that is text":          claimed("nbf", "x"),
		"longer than 8192 bytes":       claimed("x", strings.Repeat("x", 8192)),
	} {
		_, err := NewVerifier(Config{Now: at(now)}).Verify(token, orders)
		e, ok := errors.AsType[*bearer.TokenError](err)
		if !ok || len(e.Reason) > 1500 || strings.ContainsAny(e.Reason, "\n\x1b") {
			t.Errorf("%s: got %v", rule, err)
		}
	}
	for rule, token := range map[string]string{
		"a plain one":             good,
		"at the end of its time":  claimed("iat", now-60),
		"of a clock that is fast": claimed("iat", now+60),
		"with a fraction":         claimed("iat", now-0.5),
		"valid for a while":       proof(t, "ES256", "p256", nil, map[string]any{"exp": now + 1, "nbf": now + 60}),
		"with a query":            claimed("htu", "https://api.example.com/orders?x=1#y"),
		"by scheme and host":      claimed("htu", "HTTPS://API.Example.com:443/orders"),
		"by its syntax":           claimed("htu", "https://api.example.com/a/../%6frders"),
		"with a nonce":            claimed("nonce", "n"),
		"with more in its jwk":    proof(t, "ES256", "p256", with("kid", "k"), nil),
	} {
		if p, err := NewVerifier(Config{Now: at(now)}).Verify(token, orders); err != nil || p.Thumbprint != thumbprint("p256") {
			t.Errorf("%s: got %+v, %v", rule, p, err)
		}
	}
	if _, err := NewVerifier(Config{Now: at(now)}).Verify(good, Request{Method: "GET", URI: orders.URI, TokenHash: hash("t")}); err == nil {
		t.Error("without ath, and with a token: accepted")
	}
	if _, err := NewVerifier(Config{Now: at(now), MaxAge: time.Second, MaxProofBytes: len(good)}).Verify(good, orders); err != nil {
		t.Errorf("as long as it may be: got %v", err)
	}
	if _, err := NewVerifier(Config{Now: at(now), MaxProofBytes: len(good) - 1}).Verify(good, orders); err == nil {
		t.Error("one byte too long: accepted")
	}
	if _, err := NewVerifier(Config{Now: at(now + 2), MaxAge: time.Second}).Verify(good, orders); err == nil {
		t.Error("older than MaxAge: accepted")
	}
}

func TestAProofHasAtMost8192Bytes(t *testing.T) {
	v := NewVerifier(Config{Now: at(now)})
	for n, want := range map[int]string{8192: "DPoP proof: Invalid Compact JWS", 8193: "DPoP proof: it has 8193 bytes, more than MaxProofBytes, 8192"} {
		_, err := v.Verify(strings.Repeat("x", n), orders)
		if e, ok := errors.AsType[*bearer.TokenError](err); !ok || e.Reason != want {
			t.Errorf("%d bytes: got %v, want %q", n, err, want)
		}
	}
}

func TestTimesHaveFractions(t *testing.T) {
	v := NewVerifier(Config{Now: func() time.Time { return time.Unix(now, 5e8) }})
	for iat, want := range map[float64]string{
		now - 59.5: "", now + 60.5: "",
		now - 59.75: "DPoP proof: iat is -60.25 seconds from now, more than MaxAge, 1m0s",
		now + 60.75: "DPoP proof: iat is 60.25 seconds from now, more than MaxAge, 1m0s",
	} {
		p, err := v.Verify(proof(t, "ES256", "p256", nil, map[string]any{"iat": iat}), orders)
		e, _ := errors.AsType[*bearer.TokenError](err)
		if (err == nil) != (want == "") || e != nil && e.Reason != want {
			t.Errorf("iat %v: got %v, want %q", iat, err, want)
		}
		if err == nil && p.IssuedAt != time.Unix(int64(iat), 5e8) {
			t.Errorf("iat %v: issued at %v", iat, p.IssuedAt)
		}
	}
}

// RFC 3986 section 2.3.
func TestUnreservedCharacters(t *testing.T) {
	for c := range 256 {
		want := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", byte(c)) >= 0
		if got := isUnreserved(byte(c)); got != want {
			t.Errorf("%q is unreserved: %v, want %v", byte(c), got, want)
		}
	}
}

// What the front door says of the request, and what the client has written.
func TestTheURIOfAnEvent(t *testing.T) {
	const httpAPI = `{"version":"2.0","rawPath":"/prod/orders/a/b","rawQueryString":"","headers":{%s},"requestContext":{"domainName":"api.example.com","stage":"prod","http":{"method":"GET","path":"/prod/orders/a/b"}}}`
	const restAPI = `{"resource":"/{p+}","path":"/orders/a%%2Fb","httpMethod":"GET","headers":{%s},"multiValueHeaders":null,"requestContext":{"domainName":"api.example.com","stage":"prod","path":"/prod/orders/a%%2Fb","requestId":"r"}}`
	const balancer = `{"path":"/orders","httpMethod":"GET","headers":{%s},"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b"}}}`
	one := token(t, bound("p256"))
	for _, c := range []struct {
		rule, event, htu string
		status           int
	}{
		{"with its stage", httpAPI, "https://api.example.com/prod/orders/a/b", 200},
		{"without its stage, behind a domain of one's own", httpAPI, "https://api.example.com/orders/a/b", 200},
		{"encoded, where the front door has decoded", httpAPI, "https://api.example.com/prod/orders/a%2Fb", 200},
		{"another stage", httpAPI, "https://api.example.com/test/orders/a/b", 401},
		{"another domain", httpAPI, "https://api.example.org/prod/orders/a/b", 401},
		{"encoded, where the front door leaves it so", restAPI, "https://api.example.com/prod/orders/a%2fb", 200},
		{"decoded, where the front door leaves it encoded", restAPI, "https://api.example.com/prod/orders/a/b", 401},
		{"a load balancer does not say its domain", balancer, "https://api.example.com/orders", 500},
	} {
		h := web.Handler(jwtauth.New(jwtauth.Config{Algorithms: []string{"HS256"}, Secret: jwtauth.Static([]byte(secret)), DPoP: true})(
			New(Config{Now: at(now)})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
		headers := fmt.Sprintf(`"host":"evil.example","authorization":"DPoP %s","dpop":%q`, one, proof(t, "ES256", "p256", nil, map[string]any{"htu": c.htu, "ath": b64(hash(one))}))
		got := middytest.Respond(t, h, fmt.Appendf(nil, c.event, headers))
		if !strings.Contains(string(got), fmt.Sprintf(`"statusCode":%d`, c.status)) {
			t.Errorf("%s: got %s, want %d", c.rule, got, c.status)
		}
	}
}

// The client knows nothing of how routes are made.
func TestWhatARouterCutsOffIsPartOfTheURI(t *testing.T) {
	one := token(t, bound("p256"))
	h := http.StripPrefix("/v1", jwtauth.New(jwtauth.Config{Algorithms: []string{"HS256"}, Secret: jwtauth.Static([]byte(secret)), DPoP: true})(
		New(Config{Now: at(now), Origin: "https://api.example.com"})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
	for htu, want := range map[string]int{"https://api.example.com/v1/orders": 200, "https://api.example.com/orders": 401} {
		r := httptest.NewRequest("GET", "/v1/orders", nil)
		r.Header.Set("Authorization", "DPoP "+one)
		r.Header.Set("DPoP", proof(t, "ES256", "p256", nil, map[string]any{"htu": htu, "ath": b64(hash(one))}))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: got %d, want %d", htu, w.Code, want)
		}
		r.RequestURI = "" // as in a request that was made by hand
		w = httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code == want {
			t.Errorf("%s, without RequestURI: got %d", htu, w.Code)
		}
	}
}

func TestURIs(t *testing.T) {
	for _, c := range []struct {
		htu, uri string
		decoded  bool
		same     bool
	}{
		{"https://a.example", "https://a.example/", false, true},
		{"https://a.example:/x", "https://a.example/x", false, true},
		{"https://A.example:443/x", "https://a.example/x", false, true},
		{"http://a.example:80/x", "http://a.example/x", false, true},
		{"http://a.example:443/x", "http://a.example/x", false, false},
		{"https://a.example:80/x", "https://a.example/x", false, false},
		{"https://a.example/%7e", "https://a.example/~", false, true},
		{"https://a.example/%7eb/%2f", "https://a.example/~b/%2F", false, true},
		{"https://a.example/a%2Fb", "https://a.example/a/b", false, false},
		{"https://a.example/a%2Fb", "https://a.example/a/b", true, true},
		{"https://a.example/a%2Fc", "https://a.example/a/b", true, false},
		{"https://a.example/%c3%bc", "https://a.example/%C3%BC", false, true},
		{"https://a.example/ü", "https://a.example/%C3%BC", false, true},
		{"https://a.example/a%20b", "https://a.example/a b", false, true},
		{"https://a.example/./a/./b/../c", "https://a.example/a/c", false, true},
		{"https://a.example/%2e%2e/c", "https://a.example/c", false, true},
		{"https://a.example//a", "https://a.example/a", false, false},
		{"https://a.example/%", "https://a.example/%", false, false},
		{"https:a.example", "https://a.example/", false, false},
		{"ftp://a.example/", "ftp://a.example/", false, false},
		{"https:///x", "https:///x", false, false},
		{"", "", false, false},
		{"https://a.example/", "https:///", false, false},
		{"https://[::1]:443/", "https://[::1]/", false, true},
	} {
		if got := sameURI(c.htu, c.uri, c.decoded); got != c.same {
			t.Errorf("%s is %s: %v, want %v", c.htu, c.uri, got, c.same)
		}
	}
}

const secret = "a secret of at least thirty-two bytes"

func token(t testing.TB, claims map[string]any) string {
	t.Helper()
	s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims)).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func bound(key string) map[string]any {
	return map[string]any{"sub": "ann", "cnf": map[string]any{"jkt": thumbprint(key)}}
}

func TestTheMiddleware(t *testing.T) {
	const algs = `algs="ES256 ES384 ES512 PS256 RS256 EdDSA"`
	challenge := func(code, description string) string {
		return fmt.Sprintf(`DPoP realm="orders", error=%q, error_description=%q, %s`, code, description, algs)
	}
	one, free := token(t, bound("p256")), token(t, map[string]any{"sub": "ann"})
	with := func(access string, header, claims map[string]any) string {
		c := map[string]any{"ath": b64(hash(access))}
		maps.Copy(c, claims)
		return proof(t, "ES256", "p256", header, c)
	}
	for _, c := range []struct {
		rule          string
		change        func(*Config)
		authorization string
		proofs        []string
		status        int
		challenge     string
	}{
		{"a bound token with its proof", nil, "DPoP " + one, []string{with(one, nil, nil)}, 200, ""},
		{"the scheme in any case, and space", nil, "dpop   " + one, []string{" " + with(one, nil, nil) + " "}, 200, ""},
		{"a token that is not bound", nil, "Bearer " + free, nil, 200, ""},
		{"a token that is not bound, with a proof", nil, "Bearer " + free, []string{"x"}, 200, ""},
		{"a token that is not bound, where it must be", func(c *Config) { c.Required = true }, "Bearer " + free, nil, 401, challenge("invalid_token", "The token is not bound to a key.")},
		{"a bound token, where it must be", func(c *Config) { c.Required = true }, "DPoP " + one, []string{with(one, nil, nil)}, 200, ""},
		{"a token that is not bound, with the scheme that asks for it", nil, "DPoP " + free, []string{with(free, nil, nil)}, 401, challenge("invalid_token", "The token is not bound to a key.")},
		{"a bound token as a bearer token", nil, "Bearer " + one, nil, 401, challenge("invalid_token", "The token is bound to a key: send it with the scheme DPoP.")},
		{"a bound token as a bearer token, with its proof", nil, "Bearer " + one, []string{with(one, nil, nil)}, 401, challenge("invalid_token", "The token is bound to a key: send it with the scheme DPoP.")},
		{"no proof", nil, "DPoP " + one, nil, 401, challenge("invalid_dpop_proof", "There must be one DPoP proof.")},
		{"two proofs", nil, "DPoP " + one, []string{with(one, nil, nil), with(one, nil, nil)}, 401, challenge("invalid_dpop_proof", "There must be one DPoP proof.")},
		{"two proofs that a front door has joined", nil, "DPoP " + one, []string{with(one, nil, nil) + ", " + with(one, nil, nil)}, 401, challenge("invalid_dpop_proof", "The DPoP proof is not valid.")},
		{"a proof for another token", nil, "DPoP " + one, []string{with(free, nil, nil)}, 401, challenge("invalid_dpop_proof", "The DPoP proof is for another token.")},
		{"a proof without ath", nil, "DPoP " + one, []string{proof(t, "ES256", "p256", nil, nil)}, 401, challenge("invalid_dpop_proof", "The DPoP proof is for another token.")},
		{"a proof for another URI", nil, "DPoP " + one, []string{with(one, nil, map[string]any{"htu": "https://api.example.com/"})}, 401, challenge("invalid_dpop_proof", "The DPoP proof is for another URI.")},
		{"a proof for the Host that the client says", nil, "DPoP " + one, []string{with(one, nil, map[string]any{"htu": "https://evil.example/orders"})}, 401, challenge("invalid_dpop_proof", "The DPoP proof is for another URI.")},
		{"a proof for another method", nil, "DPoP " + one, []string{with(one, nil, map[string]any{"htm": "POST"})}, 401, challenge("invalid_dpop_proof", "The DPoP proof is for another method.")},
		{"an old proof", nil, "DPoP " + one, []string{with(one, nil, map[string]any{"iat": now - 61})}, 401, challenge("invalid_dpop_proof", "The DPoP proof is too old, or from the future.")},
		{"a proof that is too long", func(c *Config) { c.MaxProofBytes = 10 }, "DPoP " + one, []string{with(one, nil, nil)}, 401, challenge("invalid_dpop_proof", "The DPoP proof is too long.")},
		{"a private key", nil, "DPoP " + one, []string{with(one, map[string]any{"jwk": map[string]any{"kty": "EC", "d": "AA"}}, nil)}, 401, challenge("invalid_dpop_proof", "The DPoP proof carries a private key.")},
		{"a proof with another key", nil, "DPoP " + one, []string{proof(t, "ES256", "other", nil, map[string]any{"ath": b64(hash(one))})}, 401, challenge("invalid_token", "The token is bound to another key.")},
		{"an algorithm that is not accepted", func(c *Config) { c.Algorithms = []string{"EdDSA"} }, "DPoP " + one, []string{with(one, nil, nil)}, 401,
			`DPoP realm="orders", error="invalid_dpop_proof", error_description="The DPoP proof is signed with an algorithm that is not accepted.", algs="EdDSA"`},
		{"no origin", func(c *Config) { c.Origin = "" }, "DPoP " + one, []string{with(one, nil, nil)}, 500, ""},
		{"no origin, and a token that is not bound", func(c *Config) { c.Origin = "" }, "Bearer " + free, nil, 200, ""},
		{"no claims", func(c *Config) { c.Claims = func(context.Context) (map[string]any, bool) { return nil, false } }, "Bearer " + free, nil, 401, challenge("invalid_token", "The token is not valid.")},
		{"another claim", func(c *Config) { c.ConfirmationClaim = "binding" }, "Bearer " + token(t, map[string]any{"binding": map[string]any{"jkt": thumbprint("p256")}}), nil, 401, challenge("invalid_token", "The token is bound to a key: send it with the scheme DPoP.")},
		{"bound to a certificate", nil, "Bearer " + token(t, map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}), nil, 200, ""},
		{"a cnf that is text", nil, "Bearer " + token(t, map[string]any{"cnf": "x"}), nil, 401, challenge("invalid_token", "The token is not valid.")},
		{"a cnf that is null", nil, "Bearer " + token(t, map[string]any{"cnf": nil}), nil, 401, challenge("invalid_token", "The token is not valid.")},
		{"a jkt that is null", nil, "Bearer " + token(t, map[string]any{"cnf": map[string]any{"jkt": nil}}), nil, 401, challenge("invalid_token", "The token is not valid.")},
		{"a jkt that is empty", nil, "DPoP " + token(t, map[string]any{"cnf": map[string]any{"jkt": ""}}), nil, 401, challenge("invalid_token", "The token is not valid.")},
		{"Check says no", func(c *Config) { c.Check = func(context.Context, *Proof) error { return errors.New("canary: seen") } }, "DPoP " + one, []string{with(one, nil, nil)}, 401, challenge("invalid_dpop_proof", "The DPoP proof is not valid.")},
		{"Check has its answer", func(c *Config) { c.Check = func(context.Context, *Proof) error { return &web.Error{Status: 429} } }, "DPoP " + one, []string{with(one, nil, nil)}, 429, ""},
		{"Check says yes", func(c *Config) {
			c.Check = func(_ context.Context, p *Proof) error { return map[bool]error{false: errors.New("no")}[p.JTI == "1"] }
		}, "DPoP " + one, []string{with(one, nil, nil)}, 200, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			cfg := Config{Origin: "https://api.example.com", Realm: "orders", Now: at(now)}
			if c.change != nil {
				c.change(&cfg)
			}
			var got *Proof
			var handled bool
			h := jwtauth.New(jwtauth.Config{Algorithms: []string{"HS256"}, Secret: jwtauth.Static([]byte(secret)), DPoP: true})(
				New(cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					got, _ = FromContext(r.Context())
					handled = true
				})))
			r := httptest.NewRequest("GET", "/orders?page=2", nil)
			r.Host = "evil.example"
			r.Header.Set("Authorization", c.authorization)
			r.Header["Dpop"] = c.proofs
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("WWW-Authenticate") != c.challenge || handled != (c.status == 200) || strings.Contains(w.Body.String(), "canary") {
				t.Errorf("got %d %s %s, want %d %s", w.Code, w.Header(), w.Body, c.status, c.challenge)
			}
			if c.status == 200 && (got != nil) != (strings.EqualFold(c.authorization[:4], "dpop")) {
				t.Errorf("the handler got the proof %+v", got)
			}
		})
	}
}

func TestItStandsInsideWhatVerifiesTheToken(t *testing.T) {
	r := httptest.NewRequest("GET", "/orders", nil)
	w := httptest.NewRecorder()
	New(Config{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") })).ServeHTTP(w, r)
	if w.Code != 401 {
		t.Errorf("got %d, want 401", w.Code)
	}
	// Outside, without DPoP: a bound token cannot come with its scheme, nor without.
	one := token(t, bound("p256"))
	h := jwtauth.New(jwtauth.Config{Algorithms: []string{"HS256"}, Secret: jwtauth.Static([]byte(secret))})(New(Config{Origin: "https://a.example"})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") })))
	for _, scheme := range []string{"DPoP", "Bearer"} {
		r := httptest.NewRequest("GET", "/orders", nil)
		r.Header.Set("Authorization", scheme+" "+one)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 401 {
			t.Errorf("%s: got %d, want 401", scheme, w.Code)
		}
	}
}

// Both verifiers give their claims out in the same way.
var _ = []Config{{Claims: jwtauth.Claims}, {Claims: pasetoauth.Claims}}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		cfg Config
		ok  bool
	}{
		{Config{}, true},
		{Config{Origin: "https://api.example.com"}, true},
		{Config{Origin: "http://localhost:8080", Algorithms: []string{"ES256", "EdDSA"}}, true},
		{Config{Origin: "api.example.com"}, false},
		{Config{Origin: "https://api.example.com/"}, false},
		{Config{Origin: "https://api.example.com?x"}, false},
		{Config{Origin: "https://a@api.example.com"}, false},
		{Config{Origin: "ftp://api.example.com"}, false},
		{Config{Origin: "https://"}, false},
		{Config{Origin: "https://%zz"}, false},
		{Config{Algorithms: []string{"HS256"}}, false},
		{Config{Algorithms: []string{"none"}}, false},
		{Config{Algorithms: []string{"ES256", "RS512"}}, false},
		{Config{MaxAge: -1}, false},
		{Config{MaxProofBytes: -1}, false},
	} {
		if err := c.cfg.Validate(); (err == nil) != c.ok {
			t.Errorf("%+v: got %v", c.cfg, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes what Validate refuses")
		}
	}()
	New(Config{MaxAge: -1})
}

func TestTheConfigIsCopied(t *testing.T) {
	cfg := Config{Algorithms: []string{"ES256"}, Now: at(now)}
	v := NewVerifier(cfg)
	cfg.Algorithms[0] = "EdDSA"
	if _, err := v.Verify(proof(t, "ES256", "p256", nil, nil), orders); err != nil {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(rfcResourceProof, "https://resource.example.org/protectedresource")
	f.Add(rfcHeader+"..", "https://a/%zz")
	f.Add("e30.e30.", "https://[::1]:443/../a//b")
	v := NewVerifier(Config{Now: at(1562262618)})
	f.Fuzz(func(t *testing.T, proof, uri string) {
		p, err := v.Verify(proof, Request{Method: "GET", URI: "https://resource.example.org/protectedresource", TokenHash: hash(rfcToken)})
		if err == nil && (proof != rfcResourceProof || p.Thumbprint != rfcThumbprint) {
			t.Fatalf("forged: %q", proof)
		}
		if err != nil {
			if _, ok := errors.AsType[*bearer.TokenError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
		}
		if u, ok := normalize(uri); ok {
			again, ok := normalize(u.Scheme + "://" + u.Host + u.RawPath)
			if !ok || again.RawPath != u.RawPath || again.Host != u.Host {
				t.Fatalf("%q became %q, and then %q", uri, u.RawPath, again)
			}
		}
	})
}
