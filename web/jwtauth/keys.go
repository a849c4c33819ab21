package jwtauth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gomiddy/middy/web/internal/jose"
)

// ownKeys are those of Secret or PublicKey.
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
	ring := keyring{keys: []any{key}, rules: rules{v.cfg.Issuer, v.cfg.Audience}}
	for _, alg := range v.cfg.Algorithms {
		if jose.Fits(key, alg) {
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
	ring := keyring{keys: []any{secret}, rules: rules{v.cfg.Issuer, v.cfg.Audience}}
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
	if err := jose.Sound(key); err != nil {
		return nil, err
	}
	spec := strings.ReplaceAll(pub.Spec, "EDWARDS25519", "ED25519") // KMS's name, and Middy's
	if spec != specs(key) && isSpec(spec) {
		return nil, fmt.Errorf("the KeySpec is %s, and the key is %s", spec, kind(key))
	}
	return key, nil
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
