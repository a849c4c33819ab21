// Package jose reads signed tokens, RFC 7515, and the public keys that verify them.
//
// It decides nothing: which algorithms and which keys are right, its callers say. What
// it keeps out are the liberties that other readers take: line breaks and loose bits in
// base64url, members that come twice, PSS salts of any length, and keys that are weak or
// do not fit their algorithm.
package jose

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gomiddy/middy/web/internal/claims"
)

// A JWS is a token in compact serialization. Nothing in it is verified.
type JWS struct {
	Header  map[string]any
	Payload []byte

	signed    string
	signature []byte
}

// A Malformed says why a text is no JWS, in the words of the library that Middy uses.
type Malformed string

func (m Malformed) Error() string { return string(m) }

// What may be wrong with a JWS.
const (
	NotCompact    Malformed = "Invalid Compact JWS"
	BadHeader     Malformed = "JWS Protected Header is invalid"
	BadPayload    Malformed = "JWS Payload is invalid"
	BadSignature  Malformed = "JWS Signature is invalid"
	algorithmless Malformed = `JWS "alg" (Algorithm) Header Parameter missing or invalid`
)

// Parse takes a token apart. Each token has one spelling: base64url without padding,
// without line breaks, without loose bits (RFC 7515 section 2). padded also accepts the
// padding that Application Load Balancers write.
func Parse(token string, padded bool) (*JWS, error) {
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 {
		return nil, NotCompact
	}
	encoding := base64.RawURLEncoding.Strict()
	if padded && strings.Contains(token, "=") {
		encoding = base64.URLEncoding.Strict()
	}
	decode := func(i int, wrong Malformed) ([]byte, error) {
		b, err := encoding.DecodeString(parts[i])
		if err != nil || strings.ContainsAny(parts[i], "\r\n") {
			return nil, wrong
		}
		return b, nil
	}
	text, err := decode(0, BadHeader)
	if err != nil {
		return nil, err
	}
	header, err := claims.Object(text)
	if err != nil {
		return nil, BadHeader
	}
	payload, err := decode(1, BadPayload)
	if err != nil {
		return nil, err
	}
	signature, err := decode(2, BadSignature)
	if err != nil {
		return nil, err
	}
	return &JWS{Header: header, Payload: payload, signed: parts[0] + "." + parts[1], signature: signature}, nil
}

// Alg is the algorithm that the header names.
func (j *JWS) Alg() (string, error) {
	if alg, ok := j.Header["alg"].(string); ok {
		return alg, nil
	}
	return "", algorithmless
}

// Critical refuses every extension that must be understood: RFC 7515 section 4.1.11.
func (j *JWS) Critical() error {
	crit, ok := j.Header["crit"]
	if !ok {
		return nil
	}
	list, _ := crit.([]any)
	if len(list) == 0 {
		return Malformed(`"crit" (Critical) Header Parameter MUST be an array of non-empty strings when present`)
	}
	name, _ := list[0].(string)
	return Malformed(fmt.Sprintf("Extension Header Parameter %.64q is not recognized", name))
}

// Verify reports whether key, an algorithm of the caller's choice and the signature
// agree.
func (j *JWS) Verify(alg string, key any) error {
	method, ok := methods[alg]
	if !ok {
		return errors.New("unknown algorithm")
	}
	return method.Verify(j.signed, j.signature, key)
}

var methods = map[string]jwt.SigningMethod{
	"HS256": jwt.SigningMethodHS256, "HS384": jwt.SigningMethodHS384, "HS512": jwt.SigningMethodHS512,
	"RS256": jwt.SigningMethodRS256, "RS384": jwt.SigningMethodRS384, "RS512": jwt.SigningMethodRS512,
	"PS256": pss(jwt.SigningMethodPS256), "PS384": pss(jwt.SigningMethodPS384), "PS512": pss(jwt.SigningMethodPS512),
	"ES256": jwt.SigningMethodES256, "ES384": jwt.SigningMethodES384, "ES512": jwt.SigningMethodES512,
	"EdDSA": jwt.SigningMethodEdDSA,
}

// pss asks for a salt as long as the hash, RFC 7518 section 3.5. golang-jwt accepts any.
func pss(m *jwt.SigningMethodRSAPSS) jwt.SigningMethod {
	return &jwt.SigningMethodRSAPSS{SigningMethodRSA: m.SigningMethodRSA, Options: &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.Hash}}
}
