package jose

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
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
