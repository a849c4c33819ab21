package jwtauth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

type algFamily int

const (
	unknown algFamily = iota
	hmacFamily
	rsaFamily
	ecFamily
	okpFamily
)

// family is what kind of key an algorithm takes.
func family(alg string) algFamily {
	switch alg {
	case "HS256", "HS384", "HS512":
		return hmacFamily
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return rsaFamily
	case "ES256", "ES384", "ES512":
		return ecFamily
	case "EdDSA":
		return okpFamily
	}
	return unknown
}

// fits reports whether a key may be used with an algorithm. golang-jwt looks at
// the Go type only, and would take a P-384 key for ES256.
func fits(key any, alg string) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return family(alg) == rsaFamily
	case *ecdsa.PublicKey:
		return map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[alg] == key.Curve
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// keyring is what a token is verified with, without Issuers.
type keyring struct {
	keys       []jwt.VerificationKey
	algorithms []string
}

func (v *Verifier) ownKeys(ctx context.Context) (keyring, error) {
	if v.cfg.Secret != nil {
		return v.secrets(ctx)
	}
	pub, err := v.cfg.PublicKey(ctx)
	if err != nil {
		return keyring{}, &KeyError{Reason: "PublicKey failed", Temporary: true, Err: err}
	}
	key, err := v.parsed.get(pub)
	if err != nil {
		return keyring{}, &KeyError{Reason: "the public key cannot be used", Err: err}
	}
	ring := keyring{keys: []jwt.VerificationKey{key}}
	for _, alg := range v.cfg.Algorithms {
		if fits(key, alg) {
			ring.algorithms = append(ring.algorithms, alg)
		}
	}
	if len(ring.algorithms) == 0 {
		return keyring{}, &KeyError{Reason: fmt.Sprintf("algorithm %q incompatible with the public key, %s", v.cfg.Algorithms, kind(key))}
	}
	return ring, nil
}

func (v *Verifier) secrets(ctx context.Context) (keyring, error) {
	secret, err := v.cfg.Secret(ctx)
	if err != nil {
		return keyring{}, &KeyError{Reason: "Secret failed", Temporary: true, Err: err}
	}
	if len(secret) == 0 {
		return keyring{}, &KeyError{Reason: "Secret is empty"}
	}
	ring := keyring{keys: []jwt.VerificationKey{secret}}
	for _, alg := range v.cfg.Algorithms {
		if v.longEnough(secret, []string{alg}) {
			ring.algorithms = append(ring.algorithms, alg)
		}
	}
	if len(ring.algorithms) == 0 {
		return keyring{}, &KeyError{Reason: fmt.Sprintf("Secret has %d bytes, too few for %q: RFC 7518 section 3.2 asks for as many as the hash has. AllowShortSecret accepts it", len(secret), v.cfg.Algorithms)}
	}
	if v.cfg.PreviousSecret != nil {
		// What cannot be had is not accepted; the current secret still is.
		if previous, err := v.cfg.PreviousSecret(ctx); err == nil && v.longEnough(previous, ring.algorithms) {
			ring.keys = append(ring.keys, previous)
		}
	}
	return ring, nil
}

func (v *Verifier) longEnough(secret []byte, algorithms []string) bool {
	return len(secret) > 0 && (v.cfg.AllowShortSecret || !slices.ContainsFunc(algorithms, func(alg string) bool { return len(secret) < hashLen(alg) }))
}

func hashLen(alg string) int {
	return map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}[alg]
}

// parsedKey keeps a parsed key for as long as the bytes stay the same.
type parsedKey struct {
	mu  sync.Mutex
	pub PublicKey
	key any
	err error
}

func (p *parsedKey) get(pub PublicKey) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key == nil && p.err == nil || p.pub.Spec != pub.Spec || !bytes.Equal(p.pub.Bytes, pub.Bytes) {
		p.pub = PublicKey{Bytes: bytes.Clone(pub.Bytes), Spec: pub.Spec}
		p.key, p.err = parsePublicKey(pub)
	}
	return p.key, p.err
}

func parsePublicKey(pub PublicKey) (any, error) {
	der := pub.Bytes
	if bytes.HasPrefix(bytes.TrimSpace(der), []byte("-----BEGIN ")) {
		block, _ := pem.Decode(der)
		if block == nil || block.Type != "PUBLIC KEY" {
			return nil, errors.New("the PEM is not a PUBLIC KEY")
		}
		der = block.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("not a SubjectPublicKeyInfo in DER: %w", err)
	}
	if err := sound(key); err != nil {
		return nil, err
	}
	spec := strings.Replace(pub.Spec, "EDWARDS25519", "ED25519", 1) // KMS's name, and Middy's
	if spec != specs(key) && isSpec(spec) {
		return nil, fmt.Errorf("the KeySpec is %s, and the key is %s", spec, kind(key))
	}
	return key, nil
}

// sound refuses keys that are weak, or so large that verifying is an attack.
func sound(key any) error {
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
		if specs(key) == "" {
			return errors.New("a curve other than P-256, P-384 and P-521")
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("a key of type %T", key)
}

// specs is the key's KeySpec.
func specs(key any) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA_%d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return map[elliptic.Curve]string{elliptic.P256(): "ECC_NIST_P256", elliptic.P384(): "ECC_NIST_P384", elliptic.P521(): "ECC_NIST_P521"}[key.Curve]
	case ed25519.PublicKey:
		return "ECC_NIST_ED25519"
	}
	return ""
}

// isSpec reports whether we know the KeySpec; of one that KMS adds one day the
// key itself says enough.
func isSpec(spec string) bool {
	return slices.Contains([]string{"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_NIST_ED25519"}, spec)
}

func kind(key any) string { return "a key of KeySpec " + specs(key) }

// jwk is a key of a key set: RFC 7517 section 4, RFC 7518 section 6, RFC 8037.
// Secrets, which a public set cannot have, are not even read.
type jwk struct {
	Kty    string   `json:"kty"`
	Use    string   `json:"use"`
	KeyOps []string `json:"key_ops"`
	Alg    string   `json:"alg"`
	Kid    *string  `json:"kid"`
	Crv    string   `json:"crv"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	X      string   `json:"x"`
	Y      string   `json:"y"`

	key any
	err error
}

// signs reports whether the set says that the key is for signatures, or does not
// say.
func (k *jwk) signs() bool {
	return (k.Use == "" || k.Use == "sig") && (len(k.KeyOps) == 0 || slices.Contains(k.KeyOps, "verify"))
}

func (k *jwk) parse() (any, error) {
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
		return nil, fmt.Errorf("unsupported kty %q, crv %q", k.Kty, k.Crv)
	}
	if err != nil {
		return nil, err
	}
	return key, sound(key)
}

func (k *jwk) rsa() (any, error) {
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

func (k *jwk) ec() (any, error) {
	curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Crv]
	if !ok {
		return nil, fmt.Errorf("unsupported crv %q", k.Crv)
	}
	size := (curve.Params().BitSize + 7) / 8
	x, errX := octets(k.X)
	y, errY := octets(k.Y)
	if errX != nil || errY != nil || len(x) != size || len(y) != size { // RFC 7518 section 6.2.1.2: the full size
		return nil, fmt.Errorf("x and y are not coordinates of %s", k.Crv)
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
}

func octets(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}
