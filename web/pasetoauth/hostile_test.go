package pasetoauth

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"aidanwoods.dev/go-paseto"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20"
)

// pae is the pre-authentication encoding of the specification.
func pae(parts ...string) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(parts)))
	for _, p := range parts {
		out = append(binary.LittleEndian.AppendUint64(out, uint64(len(p))), p...)
	}
	return out
}

// public and local write claims as they are given: go-paseto encodes a map.
func public(key ed25519.PrivateKey, claims, footer string) string {
	sig := ed25519.Sign(key, pae("v4.public.", claims, footer, ""))
	return "v4.public." + base64.RawURLEncoding.EncodeToString(append([]byte(claims), sig...)) + written(footer)
}

func local(key []byte, claims, footer string) string {
	nonce := strings.Repeat("n", 32)
	derive := func(size int, what string) []byte {
		h, err := blake2b.New(size, key)
		if err != nil {
			panic(err)
		}
		h.Write([]byte(what + nonce))
		return h.Sum(nil)
	}
	ek := derive(56, "paseto-encryption-key")
	stream, err := chacha20.NewUnauthenticatedCipher(ek[:32], ek[32:])
	if err != nil {
		panic(err)
	}
	sealed := make([]byte, len(claims))
	stream.XORKeyStream(sealed, []byte(claims))
	mac, err := blake2b.New(32, derive(32, "paseto-auth-key-for-aead"))
	if err != nil {
		panic(err)
	}
	mac.Write(pae("v4.local.", nonce, string(sealed), footer, ""))
	return "v4.local." + base64.RawURLEncoding.EncodeToString([]byte(nonce+string(sealed)+string(mac.Sum(nil)))) + written(footer)
}

func written(footer string) string {
	if footer == "" {
		return ""
	}
	return "." + base64.RawURLEncoding.EncodeToString([]byte(footer))
}

func TestATokenThatTwoReadersCouldReadDifferentlyIsRefused(t *testing.T) {
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := paseto.NewV4SymmetricKey().ExportBytes()
	key := Key{Public: Static(pub), Local: Static(secret)}
	for _, c := range []struct {
		rule, claims, footer string
		ok                   bool
	}{
		{"a plain one", `{"sub":"u"}`, ``, true},
		{"a footer that is an object", `{"sub":"u"}`, `{"kid":"1"}`, true},
		{"a footer that is a text", `{"sub":"u"}`, `{kid`, true},
		{"a claim twice", `{"sub":"u","sub":"admin"}`, ``, false},
		{"a claim twice by case", `{"sub":"u","Sub":"admin"}`, ``, false},
		{"a registered claim in another case only", `{"SUB":"admin"}`, ``, false},
		{"a member twice within a claim", `{"a":{"b":1,"B":2}}`, ``, false},
		{"a member of the footer twice", `{"sub":"u"}`, `{"kid":"2","kid":"1"}`, false},
		{"a member of the footer twice by case", `{"sub":"u"}`, `{"kid":"1","KID":"2"}`, false},
		{"claims that are a list", `[]`, ``, false},
		{"claims that are null", `null`, ``, false},
	} {
		for purpose, token := range map[string]string{"public": public(private, c.claims, c.footer), "local": local(secret, c.claims, c.footer)} {
			for rule, cfg := range map[string]Config{"Key": {Key: key}, "Keys": {Key: key, Keys: map[string]Key{"1": key}}} {
				got, err := NewVerifier(cfg).Verify(t.Context(), token, nil)
				if (err == nil) != c.ok {
					t.Errorf("%s, %s, %s: got %v", c.rule, purpose, rule, err)
				}
				if err == nil && (got.Claims["sub"] != "u" || string(got.raw) != c.claims) {
					t.Errorf("%s, %s: got %v from %s", c.rule, purpose, got.Claims, got.raw)
				}
			}
		}
	}
}

// A list of revoked tokens goes by their text.
func TestATokenHasOneSpelling(t *testing.T) {
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	secret := paseto.NewV4SymmetricKey().ExportBytes()
	v := NewVerifier(Config{Key: Key{Public: Static(pub), Local: Static(secret)}})
	for _, good := range []string{public(private, `{"sub":"u"}`, ""), public(private, `{"sub":"u"}`, "f"), local(secret, `{"sub":"u"}`, ""), local(secret, `{"sub":"u"}`, "f")} {
		if _, err := v.Verify(t.Context(), good, nil); err != nil {
			t.Fatal(err)
		}
		for at := range len(good) + 1 {
			for _, more := range []string{".", "\n", "\r", " ", "=", ".."} {
				if _, err := v.Verify(t.Context(), good[:at]+more+good[at:], nil); err == nil {
					t.Errorf("accepted with %q at %d of %s", more, at, good)
				}
			}
		}
	}
}

func TestTimesAreThoseOfRFC3339(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2099-01-01T00:00:00Z":      time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		"2099-01-01t00:00:00z":      time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		"2099-01-01T00:00:00.25z":   time.Date(2099, 1, 1, 0, 0, 0, 250_000_000, time.UTC),
		"2099-01-01T01:30:00+01:30": time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		"1998-12-31T23:59:60Z":      time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		"1990-12-31T15:59:60-08:00": time.Date(1991, 1, 1, 0, 0, 0, 0, time.UTC),
		"1998-12-31T23:58:60Z":      {},
		"1998-12-31T22:59:60Z":      {},
		"1998-12-31T23:59:61Z":      {},
		"2099-01-01":                {},
		"2099-01-01 00:00:00Z":      {},
		"2099-01-01T00:00:00":       {},
		"2099-01-01T00:00:00,5Z":    {},
		"2099-01-01T00:00:00+10:60": {},
		"2099-01-01T00:00:00-24:00": {},
		"2099-01-01T0:00:00Z":       {},
		"2099-02-30T00:00:00Z":      {},
		"2099-02-30T23:59:60Z":      {},
		"2099-01-01T24:00:00Z":      {},
		"2099-01-01T00:00:00+0100":  {},
		"2099-01-01T00:00:00Z\n":    {},
		"":                          {},
	} {
		got, err := parseTime(text)
		if (err == nil) != !want.IsZero() || err == nil && !got.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
}
