package pasetoauth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aidanwoods.dev/go-paseto"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

type outcome struct {
	status    int
	challenge string
	body      string
	token     *Token
	err       error
}

func serve(mw func(http.Handler) http.Handler, r *http.Request) outcome {
	var o outcome
	r = r.WithContext(web.WithErrorWriter(r.Context(), func(w http.ResponseWriter, r *http.Request, err error) {
		o.err = err
		web.WriteProblem(w, r, err)
	}))
	rec := httptest.NewRecorder()
	mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.token, _ = FromContext(r.Context()) })).ServeHTTP(rec, r)
	o.status, o.challenge, o.body = rec.Code, rec.Header().Get("WWW-Authenticate"), rec.Body.String()
	return o
}

func (o outcome) reason() string {
	if e, ok := errors.AsType[*bearer.TokenError](o.err); ok {
		return e.Reason
	}
	if e, ok := errors.AsType[*bearer.KeyError](o.err); ok {
		return e.Reason
	}
	return ""
}

func request(token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func token(t testing.TB, claims map[string]any, footer string) paseto.Token {
	t.Helper()
	if claims == nil {
		claims = map[string]any{}
	}
	tok, err := paseto.MakeToken(claims, []byte(footer))
	if err != nil {
		t.Fatal(err)
	}
	return *tok
}

func TestMiddysVectors(t *testing.T) {
	const (
		ok      = "v4.public.eyJzdWIiOiJ1c2VyLTEifd20AEP7F6P-QPx18elSrQfX9lIVuSQoxn36D03EpyVu1KU3fIy6zDzynOo3186kUTnk4zH93jBqj_b6tJv4mQo"
		expired = "v4.public.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOiIyMDAwLTAxLTAxVDAwOjAwOjAwLjAwMFoifZzvys1_nvOp79Oc2WoZnQEJ0o4-e_NzC1zqXIaA8jPo9syYymVik5lAigavDsVjFc-paNZ0i_guYVdM8Hoi1wI"
		audX    = "v4.public.eyJzdWIiOiJ1c2VyLTEiLCJhdWQiOiJ4In2cS8Wu6l9yfZ6KRBb27rhMUzZUXQqci8j36SAS8ZHUZhegf5tN4xue5WyC2_Aa4DXpeaHJecCHneUNcYhK_lsC"
	)
	key, err := base64.StdEncoding.DecodeString("MCowBQYDK2VwAyEA6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=")
	if err != nil {
		t.Fatal(err)
	}
	authorization := func(s string) http.Header { return http.Header{"Authorization": {"Bearer " + s}} }
	for _, c := range []struct {
		rule   string
		change func(*Config)
		header http.Header
		status int
		reason string
	}{
		{"ok", nil, authorization(ok), 200, ""},
		{"KMS shape + payloadKey: its bytes are the same DER", nil, authorization(ok), 200, ""},
		{"wrong version", nil, authorization("v3.public.sometoken"), 401, "Unsupported PASETO version or purpose"},
		{"local purpose", nil, authorization("v4.local.sometoken"), 401, "Unsupported PASETO version or purpose"},
		{"expired", nil, authorization(expired), 401, "token is expired"},
		{"audience", func(c *Config) { c.Audience = []string{"y"} }, authorization(audX), 401, "audience mismatch"},
		{"audience, the right one", func(c *Config) { c.Audience = []string{"y", "x"} }, authorization(audX), 200, ""},
		{"maxTokenAge without iat", func(c *Config) { c.MaxTokenAge = time.Hour }, authorization(ok), 401, "missing iat claim"},
		{"missing key", func(c *Config) { c.Key.Public = Static(nil) }, authorization("v4.public.sometoken"), 500, "the public key cannot be used"},
		{"null event: a request without headers", func(c *Config) { c.Sources.Cookie = "p" }, nil, 401, "No token found in configured sources"},
		{"cookie", func(c *Config) { c.Sources.Cookie = "p" }, http.Header{"Cookie": {"a=b; p=" + ok}}, 200, ""},
		{"a quote at the end, which Middy tolerates", func(c *Config) { c.Sources.Cookie = "p" }, http.Header{"Cookie": {"p=" + ok + `"`}}, 401, "invalid signature"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			cfg := Config{Key: Key{Public: Static(key)}}
			if c.change != nil {
				c.change(&cfg)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header = c.header
			got := serve(New(cfg), r)
			if got.status != c.status || got.reason() != c.reason {
				t.Fatalf("got %d %q", got.status, got.reason())
			}
			if c.status == 200 && got.token.Claims["sub"] != "user-1" {
				t.Fatalf("claims %v", got.token.Claims)
			}
		})
	}
}

func TestInLambda(t *testing.T) {
	secret := paseto.NewV4AsymmetricSecretKey()
	h := web.Handler(New(Config{Key: Key{Public: Static(secret.Public().ExportBytes())}, Sources: bearer.Sources{Cookie: "t"}})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := Decode[struct{ Sub string }](r.Context())
			fmt.Fprint(w, c.Sub, " ", err == nil)
		})))
	tok := token(t, map[string]any{"sub": "ann"}, "")
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": "/", "cookies": []string{"a=b", "t=" + tok.V4Sign(secret, nil)}, "headers": map[string]string{},
		"requestContext": map[string]any{"http": map[string]any{"method": "GET", "path": "/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := middytest.Respond(t, h, event); !bytes.Contains(got, []byte(`ann true`)) {
		t.Errorf("got %s", got)
	}
}

func TestPurposesAndKeys(t *testing.T) {
	one, two := paseto.NewV4AsymmetricSecretKey(), paseto.NewV4AsymmetricSecretKey()
	local := paseto.NewV4SymmetricKey()
	pub := func(k paseto.V4AsymmetricSecretKey) Key { return Key{Public: Static(k.Public().ExportBytes())} }
	loc := Key{Local: Static(local.ExportBytes())}
	signed := func(k paseto.V4AsymmetricSecretKey, footer string) string {
		tok := token(t, map[string]any{"sub": "ann"}, footer)
		return tok.V4Sign(k, nil)
	}
	encrypted := func(footer string) string {
		tok := token(t, map[string]any{"sub": "ann"}, footer)
		return tok.V4Encrypt(local, nil)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKIXPublicKey(ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	oneDER, err := x509.MarshalPKIXPublicKey(ed(one))
	if err != nil {
		t.Fatal(err)
	}
	unsupported := "Unsupported PASETO version or purpose"
	for _, c := range []struct {
		rule   string
		cfg    Config
		token  string
		status int
		reason string
	}{
		{"public, 32 bytes", Config{Key: pub(one)}, signed(one, ""), 200, ""},
		{"public, DER", Config{Key: Key{Public: Static(oneDER)}}, signed(one, ""), 200, ""},
		{"public, PEM", Config{Key: Key{Public: Static(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: oneDER}))}}, signed(one, ""), 200, ""},
		{"public, an EC key", Config{Key: Key{Public: Static(ecDER)}}, signed(one, ""), 500, "the public key cannot be used"},
		{"local", Config{Key: loc}, encrypted(""), 200, ""},
		{"local, a short key", Config{Key: Key{Local: Static(local.ExportBytes()[1:])}}, encrypted(""), 500, "the local key has 31 bytes, not 32"},
		{"both", Config{Key: Key{Public: pub(one).Public, Local: loc.Local}}, encrypted(""), 200, ""},
		{"local where public is meant", Config{Key: pub(one)}, encrypted(""), 401, unsupported},
		{"public where local is meant", Config{Key: loc}, signed(one, ""), 401, unsupported},
		{"the public key as a local key", Config{Key: pub(one)}, strings.Replace(signed(one, ""), "public", "local", 1), 401, unsupported},
		{"another key", Config{Key: pub(two)}, signed(one, ""), 401, "invalid signature"},
		{"another local key", Config{Key: Key{Local: Static(make([]byte, 32))}}, encrypted(""), 401, "invalid signature"},
		{"a footer is verified", Config{Key: pub(one)}, signed(one, "a"), 200, ""},
		{"a changed footer", Config{Key: pub(one)}, strings.TrimSuffix(signed(one, "a"), "YQ") + "Yg", 401, "invalid signature"},
		{"kid selects", Config{Keys: map[string]Key{"1": pub(one), "2": pub(two)}}, signed(two, `{"kid":"2"}`), 200, ""},
		{"kid selects, and does not vouch", Config{Keys: map[string]Key{"1": pub(one), "2": pub(two)}}, signed(one, `{"kid":"2"}`), 401, "invalid signature"},
		{"kid selects a purpose", Config{Keys: map[string]Key{"1": pub(one), "l": loc}}, encrypted(`{"kid":"l"}`), 200, ""},
		{"kid of the other purpose", Config{Keys: map[string]Key{"1": pub(one), "l": loc}}, signed(one, `{"kid":"l"}`), 401, unsupported},
		{"kid of the other purpose, local", Config{Keys: map[string]Key{"1": pub(one), "l": loc}}, encrypted(`{"kid":"1"}`), 401, unsupported},
		{"unknown kid", Config{Key: pub(one), Keys: map[string]Key{"1": pub(one)}}, signed(one, `{"kid":"ghost"}`), 401, `no key with kid "ghost"`},
		{"no kid, no default", Config{Keys: map[string]Key{"1": pub(one)}}, signed(one, ""), 401, "the token's footer names no key"},
		{"no kid, a default", Config{Key: pub(two), Keys: map[string]Key{"1": pub(one)}}, signed(two, "not JSON"), 200, ""},
		{"a kid that is no string is none", Config{Keys: map[string]Key{"1": pub(one)}}, signed(one, `{"kid":1}`), 401, "the token's footer names no key"},
		{"a kid that is null is none", Config{Keys: map[string]Key{"1": pub(one)}}, signed(one, `{"kid":null}`), 401, "the token's footer names no key"},
		{"an empty kid is one", Config{Keys: map[string]Key{"": pub(one)}}, signed(one, `{"kid":""}`), 200, ""},
		{"KID is not kid", Config{Keys: map[string]Key{"1": pub(one)}}, signed(one, `{"KID":"1"}`), 401, "the token's footer names no key"},
		{"a kid without Keys is ignored", Config{Key: pub(one)}, signed(one, `{"kid":"ghost"}`), 200, ""},
		{"a footer that is no base64", Config{Keys: map[string]Key{"1": pub(one)}}, signed(one, "") + ".!", 401, "invalid signature"},
		{"the same, local", Config{Keys: map[string]Key{"1": loc}}, encrypted("") + ".!", 401, "invalid signature"},
		{"nothing after the header", Config{Key: pub(one)}, "v4.public.", 401, "invalid signature"},
		{"five parts", Config{Key: pub(one)}, signed(one, "a") + ".b", 401, "invalid signature"},
		{"junk", Config{Key: loc}, "v4.local.AAAA", 401, "invalid signature"},
		{"v2", Config{Key: pub(one)}, "v2.public.AAAA", 401, unsupported},
		{"upper case", Config{Key: pub(one)}, strings.ToUpper(signed(one, "")), 401, unsupported},
		{"too long", Config{Key: pub(one), MaxTokenBytes: 20}, signed(one, ""), 401, "the token has 113 bytes, more than MaxTokenBytes, 20"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got := serve(New(c.cfg), request(c.token))
			if got.status != c.status || got.reason() != c.reason {
				t.Fatalf("got %d %q (%v)", got.status, got.reason(), got.err)
			}
			if got.status == 401 && !strings.HasPrefix(got.challenge, `Bearer error="invalid_token"`) {
				t.Fatalf("challenge %s", got.challenge)
			}
		})
	}
}

func ed(k paseto.V4AsymmetricSecretKey) any {
	key, err := parsePublicKey(k.Public().ExportBytes())
	if err != nil {
		panic(err)
	}
	return key
}

func TestClaimRules(t *testing.T) {
	key := paseto.NewV4SymmetricKey()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	for _, c := range []struct {
		rule   string
		change func(*Config)
		claims map[string]any
		reason string
	}{
		{"nothing is required", nil, nil, ""},
		{"exp later", nil, map[string]any{"exp": at(time.Nanosecond)}, ""},
		{"exp now is expired", nil, map[string]any{"exp": at(0)}, "token is expired"},
		{"exp tolerated", func(c *Config) { c.ClockTolerance = time.Second }, map[string]any{"exp": at(0)}, ""},
		{"exp not tolerated", func(c *Config) { c.ClockTolerance = time.Second }, map[string]any{"exp": at(-time.Second)}, "token is expired"},
		{"exp in another zone", nil, map[string]any{"exp": "2026-01-02T05:04:06+02:00"}, ""},
		{"exp missing", func(c *Config) { c.RequireExp = true }, nil, "missing exp claim"},
		{"exp a number", nil, map[string]any{"exp": 4102444800}, "payload.exp must be a string"},
		{"exp no date", nil, map[string]any{"exp": "tomorrow"}, "payload.exp must be a valid ISO8601 string"},
		{"exp null", nil, map[string]any{"exp": nil}, "payload.exp must be a string"},
		{"nbf now", nil, map[string]any{"nbf": at(0)}, ""},
		{"nbf later", nil, map[string]any{"nbf": at(1)}, "token is not active yet"},
		{"nbf tolerated", func(c *Config) { c.ClockTolerance = time.Second }, map[string]any{"nbf": at(time.Second)}, ""},
		{"nbf no date", nil, map[string]any{"nbf": ""}, "payload.nbf must be a valid ISO8601 string"},
		{"iat later", nil, map[string]any{"iat": at(1)}, "token issued in the future"},
		{"iat tolerated", func(c *Config) { c.ClockTolerance = time.Second }, map[string]any{"iat": at(time.Second)}, ""},
		{"iat no date", nil, map[string]any{"iat": "x"}, "payload.iat must be a valid ISO8601 string"},
		{"maxTokenAge just met", func(c *Config) { c.MaxTokenAge = time.Hour }, map[string]any{"iat": at(-time.Hour)}, ""},
		{"maxTokenAge exceeded", func(c *Config) { c.MaxTokenAge = time.Hour }, map[string]any{"iat": at(-time.Hour - 1)}, "maxTokenAge exceeded"},
		{"maxTokenAge tolerated", func(c *Config) { c.MaxTokenAge, c.ClockTolerance = time.Hour, time.Second }, map[string]any{"iat": at(-time.Hour - time.Second)}, ""},
		{"maxTokenAge without iat", func(c *Config) { c.MaxTokenAge = time.Hour }, nil, "missing iat claim"},
		{"issuer", func(c *Config) { c.Issuer = []string{"a", "b"} }, map[string]any{"iss": "b"}, ""},
		{"issuer mismatch", func(c *Config) { c.Issuer = []string{"a"} }, map[string]any{"iss": "A"}, "issuer mismatch"},
		{"issuer missing", func(c *Config) { c.Issuer = []string{"a"} }, nil, "issuer mismatch"},
		{"issuer a list", nil, map[string]any{"iss": []string{"a"}}, "payload.iss must be a string"},
		{"subject a number", nil, map[string]any{"sub": 1}, "payload.sub must be a string"},
		{"audience a list", func(c *Config) { c.Audience = []string{"a"} }, map[string]any{"aud": []string{"a"}}, "payload.aud must be a string"},
		{"audience missing", func(c *Config) { c.Audience = []string{""} }, nil, "audience mismatch"},
		{"issuer before audience before time", func(c *Config) { c.Issuer, c.Audience = []string{"a"}, []string{"a"} }, map[string]any{"exp": 1}, "issuer mismatch"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			cfg := Config{Key: Key{Local: Static(key.ExportBytes())}, Now: func() time.Time { return now }}
			if c.change != nil {
				c.change(&cfg)
			}
			tok := token(t, c.claims, "")
			got := serve(New(cfg), request(tok.V4Encrypt(key, nil)))
			if got.reason() != c.reason || (got.status == 200) != (c.reason == "") {
				t.Fatalf("got %d %q", got.status, got.reason())
			}
		})
	}
}

func TestImplicitAssertions(t *testing.T) {
	key := paseto.NewV4SymmetricKey()
	cfg := Config{Key: Key{Local: Static(key.ExportBytes())}, Implicit: func(r *http.Request) ([]byte, error) {
		switch r.Host {
		case "":
			return nil, errors.New("canary")
		case "gone":
			return nil, &web.Error{Status: 421}
		}
		return []byte(r.Host), nil
	}}
	tok := token(t, nil, "")
	sealed := tok.V4Encrypt(key, []byte("tenant-1"))
	for host, want := range map[string]int{"tenant-1": 200, "tenant-2": 401, "": 401, "gone": 421} {
		r := request(sealed)
		r.Host = host
		if got := serve(New(cfg), r); got.status != want || strings.Contains(got.body, "canary") {
			t.Errorf("%q: %d %s", host, got.status, got.body)
		}
	}
}

func TestTheTokenInTheContext(t *testing.T) {
	if _, ok := Claims(t.Context()); ok {
		t.Error("claims from nowhere")
	}
	if _, err := Decode[int](t.Context()); !errors.Is(err, ErrNoToken) {
		t.Error(err)
	}
	key := paseto.NewV4SymmetricKey()
	tok := token(t, map[string]any{"id": 9007199254740993}, "foot")
	v := NewVerifier(Config{Key: Key{Local: Static(key.ExportBytes())}})
	got, err := v.Verify(t.Context(), tok.V4Encrypt(key, nil), nil)
	if err != nil || string(got.Footer) != "foot" || got.Claims["id"] != json.Number("9007199254740993") {
		t.Fatalf("%+v, %v", got, err)
	}
	ctx := context.WithValue(t.Context(), tokenKey{}, got)
	if c, err := Decode[struct{ ID int64 }](ctx); err != nil || c.ID != 9007199254740993 {
		t.Error(c, err)
	}
	if c, ok := Claims(ctx); !ok || len(c) != 1 {
		t.Error(c)
	}
	if _, err := v.Verify(t.Context(), strings.Repeat("x", 16<<10+1), nil); err == nil {
		t.Error("too long, and accepted")
	}
}

func TestCheckHasTheLastWord(t *testing.T) {
	key := paseto.NewV4SymmetricKey()
	cfg := Config{Key: Key{Local: Static(key.ExportBytes())}, Check: func(_ context.Context, t *Token) error {
		if t.Claims["role"] != "admin" {
			return &web.Error{Status: 403, Detail: "admins only"}
		}
		return nil
	}}
	for role, want := range map[string]int{"admin": 200, "user": 403} {
		tok := token(t, map[string]any{"role": role}, "")
		if got := serve(New(cfg), request(tok.V4Encrypt(key, nil))); got.status != want {
			t.Errorf("%s: %d", role, got.status)
		}
	}
}

func TestAKeyThatCannotBeHadIsNotTheClientsFault(t *testing.T) {
	fail := func(context.Context) ([]byte, error) { return nil, errors.New("canary") }
	for purpose, cfg := range map[string]Config{"public": {Key: Key{Public: fail}}, "local": {Key: Key{Local: fail}}} {
		got := serve(New(cfg), request("v4."+purpose+".AAAA"))
		if got.status != 503 || strings.Contains(got.body, "canary") {
			t.Errorf("%s: %d %s", purpose, got.status, got.body)
		}
	}
}

func TestValidate(t *testing.T) {
	key := Key{Local: Static(nil)}
	for want, cfg := range map[string]Config{
		"no key source configured":         {},
		`Keys["a"] has neither`:            {Keys: map[string]Key{"a": {}}},
		"ClockTolerance and MaxTokenAge":   {Key: key, MaxTokenAge: -1},
		"MaxTokenBytes must be >= 0":       {Key: key, MaxTokenBytes: -1},
		"letters, digits and":              {Key: key, Sources: bearer.Sources{Header: "a b"}},
		"ClockTolerance and MaxTokenAge m": {Key: key, ClockTolerance: -1},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New did not panic")
		}
	}()
	New(Config{})
}

func FuzzVerify(f *testing.F) {
	secret, local := paseto.NewV4AsymmetricSecretKey(), paseto.NewV4SymmetricKey()
	f.Add("v4.public.eyJzdWIiOiJ1c2VyLTEifd20AEP7F6P-QPx18elSrQfX9lIVuSQoxn36D03EpyVu1KU3fIy6zDzynOo3186kUTnk4zH93jBqj_b6tJv4mQo")
	f.Add("v4.local.AAAA.eyJraWQiOiIxIn0")
	f.Add("v4.public..")
	key := Key{Public: Static(secret.Public().ExportBytes()), Local: Static(local.ExportBytes())}
	v := NewVerifier(Config{Keys: map[string]Key{"1": key}, Key: key})
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := v.Verify(t.Context(), token, nil); err == nil {
			t.Fatal("forged")
		} else if _, ok := errors.AsType[*bearer.TokenError](err); !ok {
			t.Fatalf("%T: %v", err, err)
		}
	})
}

func TestTheLongestTokenIs16KiB(t *testing.T) {
	v := NewVerifier(Config{Key: Key{Local: Static(make([]byte, 32))}})
	for n, want := range map[int]string{16384: "Unsupported PASETO version or purpose", 16385: "the token has 16385 bytes, more than MaxTokenBytes, 16384"} {
		_, err := v.Verify(t.Context(), strings.Repeat("x", n), nil)
		if e, ok := errors.AsType[*bearer.TokenError](err); !ok || e.Reason != want {
			t.Errorf("%d: %v", n, err)
		}
	}
}
