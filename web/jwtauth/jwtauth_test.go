package jwtauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
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
	"github.com/gomiddy/middy/web/internal/jose"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// The keys of all tests, made once: RSA is slow.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	ec := func(c elliptic.Curve) crypto.Signer { return must(ecdsa.GenerateKey(c, rand.Reader)) }
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{
		"rsa":   must(rsa.GenerateKey(rand.Reader, 2048)),
		"rsa2":  must(rsa.GenerateKey(rand.Reader, 2048)),
		"p256":  ec(elliptic.P256()),
		"p256b": ec(elliptic.P256()),
		"p384":  ec(elliptic.P384()),
		"p521":  ec(elliptic.P521()),
		"p224":  ec(elliptic.P224()),
		"ed":    must(ed, err),
	}
})

const secret = "super-secret-key-for-testing-1234"

func sign(t testing.TB, alg string, key any, header map[string]any, claims map[string]any) string {
	t.Helper()
	if claims == nil {
		claims = map[string]any{}
	}
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), jwt.MapClaims(claims))
	delete(token.Header, "typ")
	for k, v := range header {
		token.Header[k] = v
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hs(t testing.TB, claims map[string]any) string {
	return sign(t, "HS256", []byte(secret), nil, claims)
}

func der(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// outcome is what a client and the log see.
type outcome struct {
	status    int
	challenge string
	body      string
	claims    map[string]any
	err       error
}

// serve asks a handler inside mw.
func serve(mw func(http.Handler) http.Handler, r *http.Request) outcome {
	var o outcome
	r = r.WithContext(web.WithErrorWriter(r.Context(), func(w http.ResponseWriter, r *http.Request, err error) {
		o.err = err
		web.WriteProblem(w, r, err)
	}))
	rec := httptest.NewRecorder()
	mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.claims, _ = Claims(r.Context()) })).ServeHTTP(rec, r)
	o.status, o.challenge, o.body = rec.Code, rec.Header().Get("WWW-Authenticate"), rec.Body.String()
	return o
}

func (o outcome) reason() string {
	if e, ok := errors.AsType[*TokenError](o.err); ok {
		return e.Reason
	}
	if e, ok := errors.AsType[*KeyError](o.err); ok {
		return e.Reason
	}
	if o.err != nil {
		return o.err.Error()
	}
	return ""
}

func request(token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func fixed(unix int64) func() time.Time { return func() time.Time { return time.Unix(unix, 0) } }

// The vectors of Middy's own tests, with their tokens.
func TestMiddysVectors(t *testing.T) {
	const (
		user  = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEifQ.xd8p6qI4_6yU3KkRrqbhnfsTxuEb_r53K7d3EHXBlPo"
		exp1  = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjF9.rpUFDblu6lMacfs2BosuwMWbn6-bSvnCsRCm2fkeo3I"
		nbf   = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEiLCJuYmYiOjMyNTAzNjgwMDAwfQ.uMmtw__SVHbjWKrvY5PStgBeZWQyOGzs0wuvYQAYVpM"
		iat1  = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEiLCJpYXQiOjF9.rRwVV-DS6MDEn9y183ef685mvqguflCiS29vks3gwT8"
		audZY = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEiLCJhdWQiOlsieiIsInkiXX0.HomhDJqJimGjA0AjZaoQ9FByW8X1eh3MFfqZTw_wyqM"
	)
	base := Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret))}
	none := "No token found in configured sources"
	for _, c := range []struct {
		rule   string
		change func(*Config)
		header http.Header
		query  string
		status int
		reason string
	}{
		{"HS256 ok", nil, http.Header{"Authorization": {"Bearer " + user}}, "", 200, ""},
		{"hyphen/dotted key and payloadKey: a Go value needs no path, the scheme is in lower case", nil, http.Header{"Authorization": {"bearer " + user}}, "", 200, ""},
		{"no header", nil, nil, "", 401, none},
		{"three parts", nil, http.Header{"Authorization": {"Bearer " + user + " junk"}}, "", 401, "the Authorization header has text behind the token"},
		{"expired", nil, http.Header{"Authorization": {"Bearer " + exp1}}, "", 401, `"exp" claim timestamp check failed`},
		{"nbf", nil, http.Header{"Authorization": {"Bearer " + nbf}}, "", 401, `"nbf" claim timestamp check failed`},
		{"requireExp", func(c *Config) { c.RequireExp = true }, http.Header{"Authorization": {"Bearer " + user}}, "", 401, `missing required "exp" claim`},
		{"maxTokenAge", func(c *Config) { c.MaxTokenAge = time.Hour }, http.Header{"Authorization": {"Bearer " + iat1}}, "", 401, `"iat" claim timestamp check failed (too far in the past)`},
		{"audience any-of", func(c *Config) { c.Audience = []string{"x", "y"} }, http.Header{"Authorization": {"Bearer " + audZY}}, "", 200, ""},
		{"of two headers, Middy takes the first", nil, http.Header{"Authorization": {"Bearer " + user, "Bearer other"}}, "", 401, "the header Authorization comes twice"},
		{"quoted cookie", func(c *Config) { c.Sources.Cookie = "t" }, http.Header{"Cookie": {`a=b; t="` + user + `"; c=d`}}, "", 200, ""},
		{"configured cookie suppresses Authorization", func(c *Config) { c.Sources.Cookie = "t" }, http.Header{"Authorization": {"Bearer " + user}}, "", 401, none},
		{"query after wrong scheme", func(c *Config) { c.Sources = bearer.Sources{Header: "Authorization", Query: "id_token"} }, http.Header{"Authorization": {"Basic dXNlcjpwYXNz"}}, "id_token=" + user, 200, ""},
		{"undefined key", func(c *Config) { c.Secret = Static([]byte(nil)) }, http.Header{"Authorization": {"Bearer a.b.c"}}, "", 500, "Secret is empty"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			cfg := base
			if c.change != nil {
				c.change(&cfg)
			}
			r := httptest.NewRequest("GET", "/?"+c.query, nil)
			r.Header = c.header
			got := serve(New(cfg), r)
			if got.status != c.status || got.reason() != c.reason {
				t.Fatalf("got %d %q, want %d %q", got.status, got.reason(), c.status, c.reason)
			}
			if c.status == 200 && got.claims["sub"] != "user-1" {
				t.Fatalf("claims %v", got.claims)
			}
		})
	}
	// "string key with RS in allowlist" cannot exist in Go: a secret and a public key are two
	// fields, and Validate refuses the mixture before any event. See TestValidate.
}

// Middy does not read event.cookies; here they are cookies like any other.
func TestInLambda(t *testing.T) {
	h := web.Handler(New(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret)), Sources: bearer.Sources{Cookie: "t"}})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := Decode[struct{ Sub string }](r.Context())
			fmt.Fprint(w, c.Sub, err)
		})))
	call := func(cookies ...string) []byte {
		event, _ := json.Marshal(map[string]any{
			"version": "2.0", "rawPath": "/", "cookies": cookies, "headers": map[string]string{},
			"requestContext": map[string]any{"http": map[string]any{"method": "GET", "path": "/"}},
		})
		return middytest.Respond(t, h, event)
	}
	if got := call("a=b", "t="+hs(t, map[string]any{"sub": "ann"})); !bytes.Contains(got, []byte(`ann<nil>`)) && !bytes.Contains(got, []byte(`ann\u003cnil\u003e`)) {
		t.Errorf("got %s", got)
	}
	if got := call("a=b"); !bytes.Contains(got, []byte(`401`)) {
		t.Errorf("got %s", got)
	}
}

func TestAlgorithms(t *testing.T) {
	for alg, key := range map[string]string{
		"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
		"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed",
	} {
		k := keys()[key]
		token := sign(t, alg, k, nil, map[string]any{"sub": "ann"})
		t.Run(alg+" from DER", func(t *testing.T) {
			cfg := Config{Algorithms: []string{alg}, PublicKey: Static(PublicKey{Bytes: der(t, k)})}
			if got := serve(New(cfg), request(token)); got.status != 200 || got.claims["sub"] != "ann" {
				t.Fatal(got.status, got.err)
			}
		})
		t.Run(alg+" from a key set", func(t *testing.T) {
			srv := newServer(t)
			srv.set(jwks(key, "k", nil))
			if got := serve(New(srv.config(alg)), request(sign(t, alg, k, map[string]any{"kid": "k"}, map[string]any{"iss": "a", "sub": "ann"}))); got.status != 200 || got.claims["sub"] != "ann" {
				t.Fatal(got.status, got.err)
			}
		})
	}
	for alg, n := range map[string]int{"HS256": 32, "HS384": 48, "HS512": 64} {
		secret := bytes.Repeat([]byte("s"), n)
		token := sign(t, alg, secret, nil, map[string]any{"sub": "ann"})
		if got := serve(New(Config{Algorithms: []string{alg}, Secret: Static(secret)}), request(token)); got.status != 200 {
			t.Errorf("%s: %v", alg, got.err)
		}
		short := secret[1:]
		token = sign(t, alg, short, nil, nil)
		if got := serve(New(Config{Algorithms: []string{alg}, Secret: Static(short)}), request(token)); got.status != 500 || strings.Contains(got.body, "bytes") {
			t.Errorf("%s with a short secret: %d %s", alg, got.status, got.body)
		}
		if got := serve(New(Config{Algorithms: []string{alg}, Secret: Static(short), AllowShortSecret: true}), request(token)); got.status != 200 {
			t.Errorf("%s with a short secret that is allowed: %v", alg, got.err)
		}
	}
}

func TestKeysNarrowTheAlgorithms(t *testing.T) {
	all := []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"}
	for _, c := range []struct {
		rule       string
		key        PublicKey
		algorithms []string
		token      string
		status     int
		reason     string
	}{
		{"an RSA key takes RS256", PublicKey{Bytes: der(t, keys()["rsa"])}, all, sign(t, "RS256", keys()["rsa"], nil, nil), 200, ""},
		{"an RSA key takes no ES256", PublicKey{Bytes: der(t, keys()["rsa"])}, all, sign(t, "ES256", keys()["p256"], nil, nil), 401, errAlgorithm.Reason},
		{"P-384 takes no ES256", PublicKey{Bytes: der(t, keys()["p384"])}, []string{"ES256"}, "a.b.c", 500, `algorithm ["ES256"] incompatible with the public key, a key of KeySpec ECC_NIST_P384`},
		{"KMS mismatch", PublicKey{Bytes: der(t, keys()["ed"]), Spec: "RSA_2048"}, []string{"EdDSA"}, "a.b.c", 500, "the public key cannot be used"},
		{"KMS match", PublicKey{Bytes: der(t, keys()["rsa"]), Spec: "RSA_2048"}, all, sign(t, "PS256", keys()["rsa"], nil, nil), 200, ""},
		{"Middy's name of Ed25519", PublicKey{Bytes: der(t, keys()["ed"]), Spec: "ECC_NIST_ED25519"}, all, sign(t, "EdDSA", keys()["ed"], nil, nil), 200, ""},
		{"KMS's name of Ed25519", PublicKey{Bytes: der(t, keys()["ed"]), Spec: "ECC_NIST_EDWARDS25519"}, all, sign(t, "EdDSA", keys()["ed"], nil, nil), 200, ""},
		{"an unknown KeySpec trusts the key", PublicKey{Bytes: der(t, keys()["ed"]), Spec: "ECC_NEW"}, all, sign(t, "EdDSA", keys()["ed"], nil, nil), 200, ""},
		{"PEM", PublicKey{Bytes: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der(t, keys()["p521"])})}, all, sign(t, "ES512", keys()["p521"], nil, nil), 200, ""},
		{"PEM of something else", PublicKey{Bytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der(t, keys()["p521"])})}, all, "a.b.c", 500, "the public key cannot be used"},
		{"P-224 is not for tokens", PublicKey{Bytes: der(t, keys()["p224"])}, all, "a.b.c", 500, "the public key cannot be used"},
		{"no DER", PublicKey{Bytes: []byte("pem")}, all, "a.b.c", 500, "the public key cannot be used"},
		{"nothing", PublicKey{}, all, "a.b.c", 500, "the public key cannot be used"},
		{"another key's signature", PublicKey{Bytes: der(t, keys()["rsa2"])}, all, sign(t, "RS256", keys()["rsa"], nil, nil), 401, "signature verification failed"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got := serve(New(Config{Algorithms: c.algorithms, PublicKey: Static(c.key)}), request(c.token))
			if got.status != c.status || got.reason() != c.reason {
				t.Fatalf("got %d %q (%v)", got.status, got.reason(), got.err)
			}
		})
	}
}

func TestWeakRSAKeysAreRefused(t *testing.T) {
	n := new(big.Int).Lsh(big.NewInt(1), 2047)
	for rule, k := range map[string]*rsa.PublicKey{
		"1024 bits":  {N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537},
		"2047 bits":  {N: new(big.Int).Lsh(big.NewInt(1), 2046), E: 65537},
		"16385 bits": {N: new(big.Int).Lsh(big.NewInt(1), 16384), E: 65537},
		"exponent 1": {N: n, E: 1},
		"exponent 4": {N: n, E: 4},
	} {
		if jose.Sound(k) == nil {
			t.Errorf("%s passed", rule)
		}
	}
	if err := jose.Sound(&rsa.PublicKey{N: n, E: 3}); err != nil {
		t.Error(err)
	}
}

func TestHostileTokens(t *testing.T) {
	rsaKey := keys()["rsa"]
	pub := der(t, rsaKey)
	good := sign(t, "RS256", rsaKey, nil, map[string]any{"sub": "ann"})
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	cfg := Config{Algorithms: []string{"RS256"}, PublicKey: Static(PublicKey{Bytes: pub})}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})
	for rule, token := range map[string]string{
		"none":                           b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"None":                           b64([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".",
		"none with a signature":          b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + "." + parts[2],
		"HS256 over the DER":             sign(t, "HS256", pub, nil, map[string]any{"sub": "ann"}),
		"HS256 over the PEM":             sign(t, "HS256", pemKey, nil, map[string]any{"sub": "ann"}),
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"no dots":                        "abc",
		"two segments":                   parts[0] + "." + parts[1],
		"four segments":                  good + ".x",
		"five segments":                  "a.b.c.d.e",
		"empty":                          "..",
		"a changed payload":              parts[0] + "." + b64([]byte(`{"sub":"bob"}`)) + "." + parts[2],
		"padding":                        good + "=",
		"the standard alphabet":          parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+",
		"a null header":                  b64([]byte(`null`)) + "." + parts[1] + "." + parts[2],
		"a header that is a list":        b64([]byte(`[]`)) + "." + parts[1] + "." + parts[2],
		"an alg that is a number":        b64([]byte(`{"alg":1}`)) + "." + parts[1] + "." + parts[2],
		"no alg":                         b64([]byte(`{}`)) + "." + parts[1] + "." + parts[2],
		"an unknown alg":                 b64([]byte(`{"alg":"RS1"}`)) + "." + parts[1] + "." + parts[2],
		"null claims":                    parts[0] + "." + b64([]byte(`null`)) + "." + parts[2],
		"claims that are a list":         parts[0] + "." + b64([]byte(`[]`)) + "." + parts[2],
		"claims that are a string":       parts[0] + "." + b64([]byte(`"x"`)) + "." + parts[2],
		"claims that are deep":           parts[0] + "." + b64([]byte(strings.Repeat("[", 5000))) + "." + parts[2],
		"an extension that must be":      sign(t, "RS256", rsaKey, map[string]any{"crit": []string{"exp"}, "exp": 1}, nil),
		"b64, an unencoded payload":      sign(t, "RS256", rsaKey, map[string]any{"crit": []string{"b64"}, "b64": true}, nil),
		"crit that is empty":             sign(t, "RS256", rsaKey, map[string]any{"crit": []string{}}, nil),
		"crit that is no list":           sign(t, "RS256", rsaKey, map[string]any{"crit": "x"}, nil),
		"the key in the header":          sign(t, "RS256", keys()["rsa2"], map[string]any{"jwk": jwkOf("rsa2", "k", nil)}, nil),
		"exp that is a string":           sign(t, "RS256", rsaKey, nil, map[string]any{"exp": "9999999999"}),
		"exp that is null":               sign(t, "RS256", rsaKey, nil, map[string]any{"exp": nil}),
		"exp beyond every number":        sign(t, "RS256", rsaKey, nil, map[string]any{"exp": json.Number("1e999")}),
		"nbf that is a list":             sign(t, "RS256", rsaKey, nil, map[string]any{"nbf": []int{1}}),
		"iat that is a string":           sign(t, "RS256", rsaKey, nil, map[string]any{"iat": "1"}),
		"longer than MaxTokenBytes":      sign(t, "RS256", rsaKey, nil, map[string]any{"x": strings.Repeat("x", 16<<10)}),
		"JavaScript's names are no alg":  b64([]byte(`{"alg":"__proto__"}`)) + "." + parts[1] + "." + parts[2],
		"a signature of zeros":           parts[0] + "." + parts[1] + "." + b64(make([]byte, 256)),
		"whitespace within the segments": parts[0] + ".\n" + parts[1] + "." + parts[2],
	} {
		t.Run(rule, func(t *testing.T) {
			got := serve(New(cfg), request(token))
			if got.status != 401 || !strings.HasPrefix(got.challenge, `Bearer error="invalid_token", error_description="The token`) {
				t.Fatalf("got %d, %s, %v", got.status, got.challenge, got.err)
			}
			if got.reason() == "" || strings.Contains(got.body, token) {
				t.Fatalf("%q: %s", got.reason(), got.body)
			}
		})
	}
	if got := serve(New(cfg), request(good)); got.status != 200 {
		t.Fatal(got.err)
	}
}

func TestClaimRules(t *testing.T) {
	const now = 1_000_000
	for _, c := range []struct {
		rule   string
		change func(*Config)
		claims map[string]any
		reason string
	}{
		{"exp in the future", nil, map[string]any{"exp": now + 1}, ""},
		{"exp now is expired", nil, map[string]any{"exp": now}, `"exp" claim timestamp check failed`},
		{"exp now within the tolerance", func(c *Config) { c.ClockTolerance = time.Second }, map[string]any{"exp": now}, ""},
		{"exp at the end of the tolerance", func(c *Config) { c.ClockTolerance = time.Second }, map[string]any{"exp": now - 1}, `"exp" claim timestamp check failed`},
		{"exp with a fraction", nil, map[string]any{"exp": now + 0.5}, ""},
		{"nbf now is valid", nil, map[string]any{"nbf": now}, ""},
		{"nbf later is not", nil, map[string]any{"nbf": now + 1}, `"nbf" claim timestamp check failed`},
		{"nbf within the tolerance", func(c *Config) { c.ClockTolerance = time.Second }, map[string]any{"nbf": now + 1}, ""},
		{"nbf beyond the tolerance", func(c *Config) { c.ClockTolerance = time.Second }, map[string]any{"nbf": now + 2}, `"nbf" claim timestamp check failed`},
		{"iat in the future is nobody's business", nil, map[string]any{"iat": now + 1000}, ""},
		{"maxTokenAge: missing iat", func(c *Config) { c.MaxTokenAge = time.Hour }, nil, `missing required "iat" claim`},
		{"maxTokenAge: just old enough", func(c *Config) { c.MaxTokenAge = time.Hour }, map[string]any{"iat": now - 3600}, ""},
		{"maxTokenAge: too old", func(c *Config) { c.MaxTokenAge = time.Hour }, map[string]any{"iat": now - 3601}, `"iat" claim timestamp check failed (too far in the past)`},
		{"maxTokenAge: too old, tolerated", func(c *Config) { c.MaxTokenAge, c.ClockTolerance = time.Hour, time.Second }, map[string]any{"iat": now - 3601}, ""},
		{"maxTokenAge: from the future", func(c *Config) { c.MaxTokenAge = time.Hour }, map[string]any{"iat": now + 1}, `"iat" claim timestamp check failed (it should be in the past)`},
		{"maxTokenAge: from the future, tolerated", func(c *Config) { c.MaxTokenAge, c.ClockTolerance = time.Hour, time.Second }, map[string]any{"iat": now + 1}, ""},
		{"maxTokenAge: the shortest", func(c *Config) { c.MaxTokenAge = 1 }, nil, `missing required "iat" claim`},
		{"requireExp", func(c *Config) { c.RequireExp = true }, map[string]any{"iat": 1}, `missing required "exp" claim`},
		{"requireExp, there", func(c *Config) { c.RequireExp = true }, map[string]any{"exp": now + 1}, ""},
		{"audience: a string", func(c *Config) { c.Audience = []string{"x", "y"} }, map[string]any{"aud": "y"}, ""},
		{"audience: one of a list", func(c *Config) { c.Audience = []string{"x", "y"} }, map[string]any{"aud": []any{1, "y"}}, ""},
		{"audience: another", func(c *Config) { c.Audience = []string{"x"} }, map[string]any{"aud": "xx"}, `unexpected "aud" claim value`},
		{"audience: none of a list", func(c *Config) { c.Audience = []string{"x"} }, map[string]any{"aud": []string{"z", ""}}, `unexpected "aud" claim value`},
		{"audience: missing", func(c *Config) { c.Audience = []string{"x"} }, nil, `missing required "aud" claim`},
		{"audience: a number", func(c *Config) { c.Audience = []string{"x"} }, map[string]any{"aud": 1}, `unexpected "aud" claim value`},
		{"audience: null", func(c *Config) { c.Audience = []string{"x"} }, map[string]any{"aud": nil}, `unexpected "aud" claim value`},
		{"issuer: one of", func(c *Config) { c.Issuer = []string{"a", "b"} }, map[string]any{"iss": "b"}, ""},
		{"issuer: another", func(c *Config) { c.Issuer = []string{"a"} }, map[string]any{"iss": "A"}, `unexpected "iss" claim value`},
		{"issuer: missing", func(c *Config) { c.Issuer = []string{"a"} }, nil, `missing required "iss" claim`},
		{"issuer: a number is not the empty text", func(c *Config) { c.Issuer = []string{""} }, map[string]any{"iss": 1}, `unexpected "iss" claim value`},
		{"audience: a number in a list is not the empty text", func(c *Config) { c.Audience = []string{""} }, map[string]any{"aud": []any{1}}, `unexpected "aud" claim value`},
		{"issuer: a list", func(c *Config) { c.Issuer = []string{"a"} }, map[string]any{"iss": []string{"a"}}, `unexpected "iss" claim value`},
		{"iss comes before aud, iat and exp", func(c *Config) {
			c.Issuer, c.Audience, c.MaxTokenAge, c.RequireExp = []string{"a"}, []string{"x"}, time.Hour, true
		}, nil, `missing required "iss" claim`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			cfg := Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret)), Now: fixed(now)}
			if c.change != nil {
				c.change(&cfg)
			}
			got := serve(New(cfg), request(hs(t, c.claims)))
			if got.reason() != c.reason || (got.status == 200) != (c.reason == "") {
				t.Fatalf("got %d %q", got.status, got.reason())
			}
		})
	}
}

func TestType(t *testing.T) {
	for typ, want := range map[string]int{"at+jwt": 200, "AT+JWT": 200, "application/at+jwt": 200, "JWT": 401, "": 401, "text/at+jwt": 401} {
		cfg := Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret)), Type: "at+jwt"}
		if got := serve(New(cfg), request(sign(t, "HS256", []byte(secret), map[string]any{"typ": typ}, nil))); got.status != want {
			t.Errorf("%q: %d", typ, got.status)
		}
	}
}

func TestPreviousSecret(t *testing.T) {
	old, now := bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("n"), 32)
	cfg := Config{Algorithms: []string{"HS256"}, Secret: Static(now), PreviousSecret: Static(old)}
	for _, key := range [][]byte{old, now} {
		if got := serve(New(cfg), request(sign(t, "HS256", key, nil, nil))); got.status != 200 {
			t.Errorf("%s: %v", key, got.err)
		}
	}
	for rule, previous := range map[string]func(context.Context) ([]byte, error){
		"empty": Static([]byte{}), "short": Static(old[1:]),
		"failing": func(context.Context) ([]byte, error) { return old, errors.New("gone") },
	} {
		cfg.PreviousSecret = previous
		if got := serve(New(cfg), request(sign(t, "HS256", old, nil, nil))); got.status != 401 {
			t.Errorf("%s: %d", rule, got.status)
		}
		if got := serve(New(cfg), request(sign(t, "HS256", now, nil, nil))); got.status != 200 {
			t.Errorf("%s: %v", rule, got.err)
		}
	}
}

// Anybody can sign with nothing.
func TestAnEmptyPreviousSecretVerifiesNothing(t *testing.T) {
	now := bytes.Repeat([]byte("n"), 32)
	for previous, want := range map[string]int{"": 401, "x": 200} {
		cfg := Config{Algorithms: []string{"HS256"}, Secret: Static(now), PreviousSecret: Static([]byte(previous)), AllowShortSecret: true}
		if got := serve(New(cfg), request(sign(t, "HS256", []byte(previous), nil, nil))); got.status != want {
			t.Errorf("%q: got %d, want %d", previous, got.status, want)
		}
	}
}

func TestAPublicKeyIsParsedOnceForAsLongAsItStays(t *testing.T) {
	var p parsedKey
	pub := PublicKey{Bytes: der(t, keys()["rsa"]), Spec: "RSA_2048"}
	first, err := p.get(pub)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := p.get(pub); again != first {
		t.Error("the same bytes were parsed again")
	}
	if _, err := p.get(PublicKey{Bytes: pub.Bytes, Spec: "RSA_4096"}); err == nil {
		t.Error("another KeySpec was not looked at")
	}
	_, wrong := p.get(PublicKey{Bytes: []byte("x")})
	if _, again := p.get(PublicKey{Bytes: []byte("x")}); wrong == nil || again != wrong {
		t.Errorf("a key that is none was parsed again: %v, %v", wrong, again)
	}
	if other, err := p.get(PublicKey{Bytes: der(t, keys()["rsa2"])}); err != nil || other == first {
		t.Errorf("another key: %v", err)
	}
}

func TestASecretThatRotates(t *testing.T) {
	current := bytes.Repeat([]byte("1"), 32)
	mw := New(Config{Algorithms: []string{"HS256"}, Secret: func(context.Context) ([]byte, error) { return current, nil }})
	one := sign(t, "HS256", current, nil, nil)
	if got := serve(mw, request(one)); got.status != 200 {
		t.Fatal(got.err)
	}
	current = bytes.Repeat([]byte("2"), 32)
	if got := serve(mw, request(one)); got.status != 401 {
		t.Fatal("the old secret is still good")
	}
	if got := serve(mw, request(sign(t, "HS256", current, nil, nil))); got.status != 200 {
		t.Fatal(got.err)
	}
}

func TestAPublicKeyThatRotates(t *testing.T) {
	current := PublicKey{Bytes: der(t, keys()["p256"])}
	mw := New(Config{Algorithms: []string{"ES256"}, PublicKey: func(context.Context) (PublicKey, error) { return current, nil }})
	one, two := sign(t, "ES256", keys()["p256"], nil, nil), sign(t, "ES256", keys()["p256b"], nil, nil)
	for range 2 {
		if got := serve(mw, request(one)); got.status != 200 {
			t.Fatal(got.err)
		}
	}
	current = PublicKey{Bytes: der(t, keys()["p256b"])}
	if a, b := serve(mw, request(one)), serve(mw, request(two)); a.status != 401 || b.status != 200 {
		t.Fatal(a.status, b.status)
	}
}

func TestAKeyThatCannotBeHadIsNotTheClientsFault(t *testing.T) {
	fail := errors.New("canary: throttled")
	for rule, cfg := range map[string]Config{
		"secret":     {Algorithms: []string{"HS256"}, Secret: func(context.Context) ([]byte, error) { return nil, fail }},
		"public key": {Algorithms: []string{"ES256"}, PublicKey: func(context.Context) (PublicKey, error) { return PublicKey{}, fail }},
	} {
		got := serve(New(cfg), request("a.b.c"))
		if got.status != 503 || !errors.Is(got.err, fail) || strings.Contains(got.body, "canary") || got.challenge != "" {
			t.Errorf("%s: %d %s %v", rule, got.status, got.body, got.err)
		}
	}
}

func TestCheckHasTheLastWord(t *testing.T) {
	cfg := Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret)), Realm: "orders"}
	cfg.Check = func(_ context.Context, tok *Token) error {
		switch tok.Claims["token_use"] {
		case "access":
			return nil
		case "id":
			return fmt.Errorf("wrapped: %w", &web.Error{Status: 403, Detail: "an access token, please"})
		}
		return errors.New("canary: token_use is missing")
	}
	for use, want := range map[string]int{"access": 200, "id": 403, "": 401} {
		got := serve(New(cfg), request(hs(t, map[string]any{"token_use": use})))
		if got.status != want || strings.Contains(got.body, "canary") {
			t.Errorf("%q: %d %s", use, got.status, got.body)
		}
		if want == 401 && got.challenge != `Bearer realm="orders", error="invalid_token", error_description="The token is not valid."` {
			t.Errorf("%s", got.challenge)
		}
	}
}

func TestChallenges(t *testing.T) {
	cfg := Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret)), Realm: "orders"}
	if got := serve(New(cfg), httptest.NewRequest("GET", "/", nil)); got.challenge != `Bearer realm="orders"` {
		t.Errorf("without a token: %s", got.challenge)
	}
	if got := serve(New(cfg), request(hs(t, map[string]any{"exp": 1}))); got.challenge != `Bearer realm="orders", error="invalid_token", error_description="The token has expired."` {
		t.Errorf("expired: %s", got.challenge)
	}
}

func TestScopes(t *testing.T) {
	auth := New(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret))})
	mw := func(h http.Handler) http.Handler { return auth(RequireScopes("read", "write")(h)) }
	for _, c := range []struct {
		claims map[string]any
		want   int
	}{
		{map[string]any{"scope": "write read admin"}, 200},
		{map[string]any{"scope": []string{"write", "read"}}, 200},
		{map[string]any{"scp": []any{"write", "read", 1}}, 200},
		{map[string]any{"scope": "readwrite"}, 403},
		{map[string]any{"scope": "read"}, 403},
		{map[string]any{"scope": 1, "scp": nil}, 403},
		{nil, 403},
	} {
		got := serve(mw, request(hs(t, c.claims)))
		if got.status != c.want || c.want == 403 && got.challenge != `Bearer error="insufficient_scope", scope="read write"` {
			t.Errorf("%v: %d %s", c.claims, got.status, got.challenge)
		}
	}
	if got := serve(RequireScopes("read"), request("x")); got.status != 401 {
		t.Errorf("outside: %d", got.status)
	}
}

func TestTheTokenInTheContext(t *testing.T) {
	if _, ok := Claims(t.Context()); ok {
		t.Error("claims from nowhere")
	}
	if _, err := Decode[int](t.Context()); !errors.Is(err, ErrNoToken) {
		t.Error(err)
	}
	const id = 9007199254740993 // no float64 holds it
	v := NewVerifier(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret))})
	token, err := v.Verify(t.Context(), hs(t, map[string]any{"sub": "ann", "id": id}))
	if err != nil {
		t.Fatal(err)
	}
	ctx := withToken(t.Context(), token)
	got, err := Decode[struct{ ID int64 }](ctx)
	if err != nil || got.ID != id || token.Claims["id"] != json.Number("9007199254740993") || token.Subject() != "ann" || token.Header["alg"] != "HS256" {
		t.Errorf("%+v, %v, %v", got, token.Claims, err)
	}
	if _, err := Decode[int](ctx); err == nil {
		t.Error("an object became an int")
	}
}

func TestValidate(t *testing.T) {
	s, p := Static([]byte(secret)), Static(PublicKey{})
	issuers := map[string]Issuer{"a": {JWKS: "https://a/jwks"}}
	rs := []string{"RS256"}
	for _, c := range []struct {
		cfg  Config
		want string // "" is valid
	}{
		{Config{Algorithms: rs, Issuers: issuers}, ""},
		{Config{Issuers: map[string]Issuer{"a": {JWKS: "https://a/jwks", Algorithms: rs}}}, ""},
		{Config{Algorithms: []string{"HS256"}, Secret: s}, ""},
		{Config{}, "no key source configured"},
		{Config{Algorithms: rs, PublicKey: p, Issuers: issuers}, "exactly one"},
		{Config{Algorithms: rs, PublicKey: p, Secret: s}, "exactly one"},
		{Config{PublicKey: p}, "Algorithms is empty"},
		{Config{Issuers: issuers}, "Algorithms is empty"},
		{Config{Algorithms: []string{"none"}, PublicKey: p}, "algorithm 'none' is not allowed (Algorithms)"},
		{Config{Algorithms: []string{"NONE"}, Secret: s}, "algorithm 'none' is not allowed (Algorithms)"},
		{Config{Issuers: map[string]Issuer{"a": {JWKS: "https://a/jwks", Algorithms: []string{"none"}}}}, `algorithm 'none' is not allowed (Issuers["a"].Algorithms)`},
		{Config{Algorithms: []string{"rs256"}, PublicKey: p}, "not known"},
		{Config{Algorithms: []string{"RS256", "HS256"}, Secret: s}, "a Secret goes with"},
		{Config{Algorithms: []string{"RS256", "HS256"}, PublicKey: p}, "never a public key"},
		{Config{Algorithms: []string{"HS256"}, Issuers: issuers}, "never a public key"},
		{Config{Algorithms: rs, Issuers: map[string]Issuer{"": {JWKS: "https://a/jwks"}}}, "without a name"},
		{Config{Algorithms: rs, Issuers: map[string]Issuer{"a": {}}}, "JWKS"},
		{Config{Algorithms: rs, Issuers: map[string]Issuer{"a": {JWKS: "http://a/jwks"}}}, "not https"},
		{Config{Algorithms: rs, Issuers: map[string]Issuer{"a": {JWKS: "http://127.0.0.1/jwks"}}}, "not https"},
		{Config{Algorithms: rs, AllowLoopbackHTTP: true, Issuers: map[string]Issuer{"a": {JWKS: "http://a/jwks"}}}, "not https"},
		{Config{Algorithms: rs, AllowLoopbackHTTP: true, Issuers: map[string]Issuer{"a": {JWKS: "http://169.254.169.254/jwks"}}}, "not https"},
		{Config{Algorithms: rs, AllowLoopbackHTTP: true, Issuers: map[string]Issuer{"a": {JWKS: "http://[::1]:1/jwks"}}}, ""},
		{Config{Algorithms: rs, AllowLoopbackHTTP: true, Issuers: map[string]Issuer{"a": {JWKS: "http://localhost/jwks"}}}, ""},
		{Config{Algorithms: rs, Issuers: map[string]Issuer{"a": {JWKS: "https://u:p@a/jwks"}}}, "without a user"},
		{Config{Algorithms: rs, Issuers: map[string]Issuer{"a": {JWKS: "file:///etc/passwd"}}}, "absolute https"},
		{Config{Algorithms: rs, Issuers: map[string]Issuer{"a": {JWKS: "https://a/%zz"}}}, "not a URL"},
		{Config{Algorithms: rs, Issuers: issuers, Audience: []string{"x"}}, "do not go with Issuers"},
		{Config{Algorithms: rs, Issuers: issuers, Issuer: []string{"a"}}, "do not go with Issuers"},
		{Config{Algorithms: rs, PublicKey: p, Issuer: []string{"a"}, Audience: []string{"x"}}, ""},
		{Config{Algorithms: rs, Issuers: issuers, ClockTolerance: -1}, "ClockTolerance"},
		{Config{Algorithms: rs, Issuers: issuers, MaxTokenBytes: -1}, "MaxTokenBytes"},
		{Config{Algorithms: rs, Issuers: issuers, MaxJWKSBytes: -1}, "MaxJWKSBytes"},
		{Config{Algorithms: rs, Issuers: issuers, Sources: bearer.Sources{Cookie: "a b"}}, "bearer"},
		{Config{Algorithms: rs, Issuers: issuers, PreviousSecret: s}, "without Secret"},
	} {
		err := c.cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("want %q, got %v", c.want, err)
		}
		if err != nil && strings.Contains(err.Error(), "u:p@") {
			t.Error("the password is in the error")
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New did not panic")
		}
	}()
	New(Config{})
}

func TestTheConfigIsCopied(t *testing.T) {
	cfg := Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret)), Audience: []string{"x"}}
	mw := New(cfg)
	cfg.Audience[0], cfg.Algorithms[0] = "y", "HS512"
	if got := serve(mw, request(hs(t, map[string]any{"aud": "x"}))); got.status != 200 {
		t.Error(got.err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEifQ.xd8p6qI4_6yU3KkRrqbhnfsTxuEb_r53K7d3EHXBlPo")
	f.Add("eyJhbGciOiJub25lIn0.bnVsbA.")
	f.Add("e30.e30.")
	srv := newServer(f)
	srv.set(jwks("p256", "k", nil))
	verifiers := []*Verifier{
		NewVerifier(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte("another secret, of thirty-two bytes"))}),
		NewVerifier(Config{Algorithms: []string{"ES256"}, PublicKey: Static(PublicKey{Bytes: der(f, keys()["p256"])})}),
		NewVerifier(srv.config("ES256")),
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, v := range verifiers {
			if _, err := v.Verify(t.Context(), token); err == nil {
				t.Fatal("forged")
			} else if _, ok := errors.AsType[*TokenError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
		}
	})
}

func FuzzJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},null,1,{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := parseJWKS(b)
		if err != nil {
			return
		}
		for _, k := range doc.keys {
			if k.err == nil && jose.Sound(k.key) != nil {
				t.Fatal("an unsound key")
			}
			_, _ = doc.choose(k.Kid, "ES256", []string{"ES256", "RS256"})
		}
	})
}

func TestTheLongestTokenIs16KiB(t *testing.T) {
	v := NewVerifier(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret))})
	for n, want := range map[int]string{16384: "Invalid Compact JWS", 16385: "the token has 16385 bytes, more than MaxTokenBytes, 16384"} {
		_, err := v.Verify(t.Context(), strings.Repeat("x", n))
		if e, ok := errors.AsType[*TokenError](err); !ok || e.Reason != want {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestReasonsOfMalformedTokens(t *testing.T) {
	mw := New(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret))})
	for token, want := range map[string]string{
		"abc":                          "Invalid Compact JWS",
		"a.b.c.d":                      "Invalid Compact JWS",
		"!.e30.":                       "JWS Protected Header is invalid",
		"bnVsbA.!.":                    "JWS Protected Header is invalid",
		"eyJhbGciOiJIUzI1NiJ9.bnVsbA.": "JWT Claims Set must be a top-level JSON object",
		"eyJhbGciOiJIUzI1NiJ9.W10.":    "JWT Claims Set must be a top-level JSON object",
		"eyJhbGciOiJSUzEifQ.e30.":      errAlgorithm.Reason,
		"e30.e30.":                     `JWS "alg" (Algorithm) Header Parameter missing or invalid`,
	} {
		if got := serve(mw, request(token)); got.status != 401 || got.reason() != want {
			t.Errorf("%s: got %d %q, want %q", token, got.status, got.reason(), want)
		}
	}
}
