package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// RFC 7638 section 3.1 and RFC 8037 appendix A.3.
func TestThumbprintsOfTheRFCs(t *testing.T) {
	for want, k := range map[string]Key{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": {Kty: "RSA", E: "AQAB", N: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": {Kty: "OKP", Crv: "Ed25519", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
		"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I": {Kty: "EC", Crv: "P-256", X: "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", Y: "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}, // RFC 9449 section 6.1
	} {
		if got := k.Thumbprint(); got != want {
			t.Errorf("%s: got %s, want %s", k.Kty, got, want)
		}
		if _, err := k.Public(); err != nil {
			t.Errorf("%s: %v", k.Kty, err)
		}
	}
}

func TestParse(t *testing.T) {
	b64, padded := base64.RawURLEncoding.EncodeToString, base64.URLEncoding.EncodeToString
	header, payload := `{"alg":"EdDSA"}`, `{"a":1,"b":2}`
	for _, c := range []struct {
		rule, token string
		padding     bool
		want        error
	}{
		{"three parts", b64([]byte(header)) + "." + b64([]byte(payload)) + "." + b64([]byte("sig")), false, nil},
		{"the payload may be any bytes", b64([]byte(header)) + "..", false, nil},
		{"two parts", "a.b", false, NotCompact},
		{"four parts", "a.b.c.d", false, NotCompact},
		{"no header", "..", false, BadHeader},
		{"a header in the standard alphabet", "+/+/.e30.", false, BadHeader},
		{"a header that is no object", b64([]byte(`[]`)) + ".e30.", false, BadHeader},
		{"a header with a member twice", b64([]byte(`{"a":1,"A":2}`)) + ".e30.", false, BadHeader},
		{"a line break in the header", "e3\n0.e30.", false, BadHeader},
		{"a line break in the payload", "e30.e3\r0.", false, BadPayload},
		{"a line break in the signature", "e30.e30.e3\n0", false, BadSignature},
		{"loose bits", "e30.e30.e31", false, BadSignature},
		{"padding", "e30=.e30=.", false, BadHeader},
		{"padding where it is allowed", "e30=.e30=.", true, nil},
		{"no padding where it is allowed", "e30.e30.", true, nil},
		{"padding in one part only", "e30=.e30.", true, BadPayload},
		{"too much padding", "e30=.e30==.", true, BadPayload},
	} {
		if _, err := Parse(c.token, c.padding); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.rule, err, c.want)
		}
	}
	if j, err := Parse(padded([]byte(header))+"."+padded([]byte(payload))+".", true); err != nil || string(j.Payload) != payload || j.Header["alg"] != "EdDSA" {
		t.Errorf("got %+v, %v", j, err)
	}
}

func TestAnAlgorithmThatIsNotKnownVerifiesNothing(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := "e30.e30"
	j, err := Parse(signed+"."+base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed))), false)
	if err != nil {
		t.Fatal(err)
	}
	for alg, ok := range map[string]bool{"EdDSA": true, "none": false, "": false, "ES256": false, "HS256": false} {
		if err := j.Verify(alg, public); (err == nil) != ok {
			t.Errorf("%s: got %v", alg, err)
		}
	}
	if _, err := j.Alg(); err == nil {
		t.Error("a header without alg has one")
	}
}

func TestKeysFitTheirAlgorithms(t *testing.T) {
	x := strings.Repeat("A", 43)
	for _, k := range []Key{
		{}, {Kty: "oct"}, {Kty: "OKP", Crv: "X25519", X: x}, {Kty: "OKP", Crv: "Ed25519", X: x + "AAA"}, {Kty: "OKP", Crv: "Ed25519", X: "!"},
		{Kty: "EC", Crv: "P-256", X: x, Y: x}, {Kty: "EC", Crv: "secp256k1", X: x, Y: x}, {Kty: "EC", Crv: "P-256", X: "!", Y: x}, {Kty: "EC", Crv: "P-256", X: x, Y: "!"},
		{Kty: "EC", Crv: "P-256", X: "AA", Y: x}, {Kty: "EC", Crv: "P-256", X: x, Y: "AA"},
		{Kty: "RSA", N: "!", E: "AQAB"}, {Kty: "RSA", N: "", E: "AQAB"}, {Kty: "RSA", N: x, E: "!"}, {Kty: "RSA", N: x, E: ""}, {Kty: "RSA", N: x, E: "AQAAAAE"}, {Kty: "RSA", N: x, E: "_____w"}, {Kty: "RSA", N: x, E: "AQAB"},
	} {
		if _, err := k.Public(); err == nil {
			t.Errorf("%+v is a key", k)
		}
	}
	if Fits("a secret", "HS256") || Fits(ed25519.PublicKey{}, "ES256") || Sound("a secret") == nil {
		t.Error("a text is a key, or Ed25519 fits ES256")
	}
}

func TestWhatMustBeUnderstoodIsRefused(t *testing.T) {
	for header, ok := range map[string]bool{
		`{}`: true, `{"crit":null}`: false, `{"crit":[]}`: false, `{"crit":"x"}`: false, `{"crit":["b64"],"b64":true}`: false, `{"crit":[1]}`: false, `{"crit":["a","b"]}`: false,
	} {
		j, err := Parse(base64.RawURLEncoding.EncodeToString([]byte(header))+".e30.", false)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Critical(); (err == nil) != ok {
			t.Errorf("%s: got %v", header, err)
		}
	}
	j, _ := Parse(base64.RawURLEncoding.EncodeToString([]byte(`{"crit":["b64"]}`))+".e30.", false)
	if err := j.Critical(); err == nil || err.Error() != `Extension Header Parameter "b64" is not recognized` {
		t.Errorf("got %v", err)
	}
	j, _ = Parse(base64.RawURLEncoding.EncodeToString([]byte(`{"crit":[]}`))+".e30.", false)
	if err := j.Critical(); err == nil || !strings.Contains(err.Error(), "MUST be an array of non-empty strings") {
		t.Errorf("got %v", err)
	}
}

func TestSoundKeys(t *testing.T) {
	bits := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n-1) }
	for _, c := range []struct {
		rule string
		key  any
		ok   bool
	}{
		{"2048 bits", &rsa.PublicKey{N: bits(2048), E: 65537}, true},
		{"2047 bits", &rsa.PublicKey{N: bits(2047), E: 65537}, false},
		{"16384 bits", &rsa.PublicKey{N: bits(16384), E: 65537}, true},
		{"16385 bits", &rsa.PublicKey{N: bits(16385), E: 65537}, false},
		{"an exponent of 3", &rsa.PublicKey{N: bits(2048), E: 3}, true},
		{"an exponent of 1", &rsa.PublicKey{N: bits(2048), E: 1}, false},
		{"an exponent of 2", &rsa.PublicKey{N: bits(2048), E: 2}, false},
		{"an exponent of 4", &rsa.PublicKey{N: bits(2048), E: 4}, false},
		{"P-256", &ecdsa.PublicKey{Curve: elliptic.P256()}, true},
		{"P-224", &ecdsa.PublicKey{Curve: elliptic.P224()}, false},
		{"Ed25519", ed25519.PublicKey{}, true},
	} {
		if err := Sound(c.key); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.rule, err)
		}
	}
}

func TestKeysFitOneFamily(t *testing.T) {
	all := []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "none", ""}
	for _, c := range []struct {
		key  any
		want string
	}{
		{&rsa.PublicKey{}, "RS256 RS384 RS512 PS256 PS384 PS512"},
		{&ecdsa.PublicKey{Curve: elliptic.P256()}, "ES256"},
		{&ecdsa.PublicKey{Curve: elliptic.P384()}, "ES384"},
		{&ecdsa.PublicKey{Curve: elliptic.P521()}, "ES512"},
		{ed25519.PublicKey{}, "EdDSA"},
		{[]byte("a secret"), ""},
	} {
		var got []string
		for _, alg := range all {
			if Fits(c.key, alg) {
				got = append(got, alg)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%T fits %q, want %q", c.key, got, c.want)
		}
	}
}

// The members of a JWK, one wrong at a time.
func TestMembersOfKeys(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := somePoint()
	if err != nil {
		t.Fatal(err)
	}
	n := b64(append([]byte{0x80}, make([]byte, 255)...))
	x, y := b64(point[1:33]), b64(point[33:])
	ed := b64(make([]byte, 32))
	for _, c := range []struct {
		rule, want string // "" is a key
		key        Key
	}{
		{"RSA", "", Key{Kty: "RSA", N: n, E: "AQAB"}},
		{"padding", "", Key{Kty: "RSA", N: n + "==", E: "AQAB"}},
		{"the largest exponent", "", Key{Kty: "RSA", N: n, E: "f____w"}},
		{"a larger exponent", "e is not a small number", Key{Kty: "RSA", N: n, E: "gAAAAQ"}},
		{"an exponent of five bytes", "e is not a small number", Key{Kty: "RSA", N: n, E: "AAAAAAM"}},
		{"no exponent", "e is not a small number", Key{Kty: "RSA", N: n}},
		{"an exponent that is no base64", "e is not a small number", Key{Kty: "RSA", N: n, E: "AQA!"}},
		{"no modulus", "n is not base64url", Key{Kty: "RSA", E: "AQAB"}},
		{"a modulus of a byte", "an RSA key of 8 bits", Key{Kty: "RSA", N: "_w", E: "AQAB"}},
		{"a modulus that is no base64", "n is not base64url", Key{Kty: "RSA", N: n + "!", E: "AQAB"}},
		{"EC", "", Key{Kty: "EC", Crv: "P-256", X: x, Y: y}},
		{"x that is no base64", "are not coordinates", Key{Kty: "EC", Crv: "P-256", X: x + "!", Y: y}},
		{"y that is no base64", "are not coordinates", Key{Kty: "EC", Crv: "P-256", X: x, Y: y + "!"}},
		{"a short x", "are not coordinates", Key{Kty: "EC", Crv: "P-256", X: b64(point[2:33]), Y: y}},
		{"a short y", "are not coordinates", Key{Kty: "EC", Crv: "P-256", X: x, Y: b64(point[34:])}},
		{"a short x and a long y", "are not coordinates", Key{Kty: "EC", Crv: "P-256", X: b64(point[1:32]), Y: b64(point[32:])}},
		{"off the curve", "", Key{Kty: "EC", Crv: "P-256", X: y, Y: y}},
		{"Ed25519", "", Key{Kty: "OKP", Crv: "Ed25519", X: ed}},
		{"a short Ed25519", "is not an Ed25519 key", Key{Kty: "OKP", Crv: "Ed25519", X: b64(make([]byte, 31))}},
		{"an Ed25519 that is no base64", "is not an Ed25519 key", Key{Kty: "OKP", Crv: "Ed25519", X: ed + "!"}},
		{"X25519", "unsupported", Key{Kty: "OKP", Crv: "X25519", X: ed}},
		{"Ed25519 of another type", "unsupported", Key{Kty: "EdDSA", Crv: "Ed25519", X: ed}},
	} {
		_, err := c.key.Public()
		if c.rule == "off the curve" {
			if err == nil {
				t.Errorf("%s: accepted", c.rule)
			}
			continue
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.rule, err, c.want)
		}
	}
}

func somePoint() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return key.PublicKey.Bytes()
}

func FuzzParse(f *testing.F) {
	f.Add("e30.e30.")
	f.Add("eyJhbGciOiJIUzI1NiJ9.e30.AA")
	f.Fuzz(func(t *testing.T, token string) {
		j, err := Parse(token, false)
		if err != nil {
			return
		}
		b64 := base64.RawURLEncoding.EncodeToString
		if j.signed+"."+b64(j.signature) != token || !strings.HasSuffix(j.signed, "."+b64(j.Payload)) {
			t.Fatalf("%q has another spelling", token)
		}
	})
}
