package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// A Family is the kind of key that an algorithm takes.
type Family int

// The families. Unknown is the one of an algorithm that does not exist here, "none"
// among them.
const (
	Unknown Family = iota
	HMAC
	RSA
	EC
	OKP
)

// FamilyOf is the kind of key that an algorithm takes: RFC 7518 section 3.1, RFC 8037.
func FamilyOf(alg string) Family {
	switch alg {
	case "HS256", "HS384", "HS512":
		return HMAC
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return RSA
	case "ES256", "ES384", "ES512":
		return EC
	case "EdDSA":
		return OKP
	}
	return Unknown
}

// Fits reports whether a public key may be used with an algorithm. golang-jwt looks at
// the Go type only, and would take a P-384 key for ES256.
func Fits(key any, alg string) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return FamilyOf(alg) == RSA
	case *ecdsa.PublicKey:
		return map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[alg] == key.Curve
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// Sound refuses keys that are weak, or so large that verifying is an attack.
func Sound(key any) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 || n > 16384 {
			return fmt.Errorf("an RSA key of %d bits: need 2048 (RFC 7518 section 3.3) to 16384", n)
		}
		if key.E < 3 || key.E%2 == 0 {
			return fmt.Errorf("an RSA exponent of %d", key.E)
		}
		return nil
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, key.Curve) {
			return errors.New("a curve other than P-256, P-384 and P-521")
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("a key of type %T", key)
}

// A Key has the members of a public JWK: RFC 7518 section 6, RFC 8037.
type Key struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	N   string `json:"n"`
	E   string `json:"e"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// Public is the key, when it is sound.
func (k Key) Public() (any, error) {
	var key any
	var err error
	switch {
	case k.Kty == "RSA":
		key, err = k.rsa()
	case k.Kty == "EC":
		key, err = k.ec()
	case k.Kty == "OKP" && k.Crv == "Ed25519":
		x, e := octets(k.X)
		if e != nil || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("x is not an Ed25519 key")
		}
		key = ed25519.PublicKey(x)
	default:
		return nil, fmt.Errorf("unsupported kty %.64q, crv %.64q", k.Kty, k.Crv)
	}
	if err != nil {
		return nil, err
	}
	return key, Sound(key)
}

// Thumbprint is the SHA-256 thumbprint of RFC 7638 in base64url: over the members that
// make the key, in order, and no others.
func (k Key) Thumbprint() string {
	var members any
	switch k.Kty {
	case "RSA":
		members = struct {
			E   string `json:"e"`
			Kty string `json:"kty"`
			N   string `json:"n"`
		}{k.E, k.Kty, k.N}
	case "EC":
		members = struct {
			Crv string `json:"crv"`
			Kty string `json:"kty"`
			X   string `json:"x"`
			Y   string `json:"y"`
		}{k.Crv, k.Kty, k.X, k.Y}
	default: // OKP: RFC 8037 section 2
		members = struct {
			Crv string `json:"crv"`
			Kty string `json:"kty"`
			X   string `json:"x"`
		}{k.Crv, k.Kty, k.X}
	}
	text, _ := json.Marshal(members) // strings have no way to fail
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (k Key) rsa() (any, error) {
	n, err := octets(k.N)
	if err != nil || len(n) == 0 {
		return nil, errors.New("n is not base64url")
	}
	e, err := octets(k.E)
	if err != nil || len(e) == 0 || len(e) > 4 {
		return nil, errors.New("e is not a small number")
	}
	exponent := new(big.Int).SetBytes(e).Int64()
	if exponent > 1<<31-1 {
		return nil, errors.New("e is not a small number")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent)}, nil
}

func (k Key) ec() (any, error) {
	curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Crv]
	if !ok {
		return nil, fmt.Errorf("unsupported crv %.64q", k.Crv)
	}
	size := (curve.Params().BitSize + 7) / 8
	x, errX := octets(k.X)
	y, errY := octets(k.Y)
	if errX != nil || errY != nil || len(x) != size || len(y) != size { // RFC 7518 section 6.2.1.2: the full size
		return nil, fmt.Errorf("x and y are not coordinates of %s", k.Crv)
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
}

// octets forgives padding, which some issuers write.
func octets(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}
