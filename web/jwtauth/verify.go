package jwtauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomiddy/middy/web/internal/claims"
	"github.com/gomiddy/middy/web/internal/jose"
)

// Verify verifies a token. The error is a [*TokenError] when the token is to
// blame, a [*KeyError] when it could not be judged, or what Config.Check returned.
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	if len(token) > v.cfg.MaxTokenBytes {
		return nil, &TokenError{Reason: fmt.Sprintf("the token has %d bytes, more than MaxTokenBytes, %d", len(token), v.cfg.MaxTokenBytes), Public: "The token is too long."}
	}
	var ring keyring
	if v.cfg.Secret != nil || v.cfg.PublicKey != nil {
		// Before the token is looked at: a key that cannot be used is our mistake, and
		// no bad token may hide it.
		var err error
		if ring, err = v.ownKeys(ctx); err != nil {
			return nil, err
		}
	}
	jws, err := jose.Parse(token, v.cfg.fromALB())
	if err != nil {
		return nil, v.malformed(err.Error(), err)
	}
	set, err := claims.Set(jws.Payload)
	if err != nil {
		return nil, v.malformed("JWT Claims Set must be a top-level JSON object", err)
	}
	alg, err := jws.Alg()
	if err != nil {
		return nil, &TokenError{Reason: err.Error()}
	}
	if err := jws.Critical(); err != nil {
		return nil, &TokenError{Reason: err.Error()}
	}
	// Nothing in the token is verified yet: it may only select among what is configured.
	switch {
	case len(v.issuers) > 0:
		ring, err = v.issuersKeys(ctx, jws.Header, alg, set)
	case len(v.cfg.LoadBalancers) > 0:
		ring, err = v.balancersKey(ctx, jws.Header, alg, set)
	}
	if err != nil {
		return nil, err
	}
	if !slices.Contains(ring.algorithms, alg) {
		return nil, errAlgorithm
	}
	if err := ring.verify(jws, alg); err != nil {
		return nil, &TokenError{Reason: "signature verification failed", Err: err}
	}
	about := set
	if ring.about != nil {
		about = ring.about
	}
	if err := v.check(jws.Header, about, ring.rules); err != nil {
		return nil, err
	}
	verified := &Token{Header: jws.Header, Claims: set, raw: jws.Payload}
	if v.cfg.Check != nil {
		if err := v.cfg.Check(ctx, verified); err != nil {
			return nil, checked(err)
		}
	}
	return verified, nil
}

// keyring is what a token is verified with.
type keyring struct {
	keys       []any
	algorithms []string
	rules
	about map[string]any // the claims that rules and times hold for, if not the token's own
}

type rules struct{ issuer, audience []string }

// verify tries each key, and returns the error of the last. Without a key nothing is
// verified.
func (k keyring) verify(jws *jose.JWS, alg string) error {
	err := errors.New("no key")
	for _, key := range k.keys {
		if err = jws.Verify(alg, key); err == nil {
			return nil
		}
	}
	return err
}

// issuersKeys are those of the issuer that the token names.
func (v *Verifier) issuersKeys(ctx context.Context, header map[string]any, alg string, set map[string]any) (keyring, error) {
	iss, _ := set["iss"].(string)
	issuer, ok := v.issuers[iss]
	if !ok { // also without iss: no issuer is called ""
		return keyring{}, &TokenError{Reason: "Unknown issuer"}
	}
	if !slices.Contains(issuer.algorithms, alg) {
		return keyring{}, errAlgorithm // before a key set is fetched for it
	}
	kid, err := keyID(header)
	if err != nil {
		return keyring{}, err
	}
	doc, err := issuer.keys.get(ctx, kid)
	if err != nil {
		return keyring{}, err
	}
	keys, err := doc.choose(kid, alg, issuer.algorithms)
	if err != nil {
		return keyring{}, err
	}
	return keyring{keys: keys, algorithms: issuer.algorithms, rules: rules{issuer: []string{iss}, audience: issuer.audience}}, nil
}

// errAlgorithm is never changed.
var errAlgorithm = &TokenError{Reason: `"alg" (Algorithm) Header Parameter value not allowed`}

func keyID(header map[string]any) (*string, error) {
	switch kid := header["kid"].(type) {
	case nil:
		return nil, nil
	case string:
		return &kid, nil
	default:
		return nil, &TokenError{Reason: "kid is not a string"}
	}
}

// malformed refuses what is no JWT, in the words of Middy, which has others for issuers.
func (v *Verifier) malformed(reason string, err error) error {
	if len(v.issuers) > 0 {
		reason = "Malformed token: " + reason
	}
	return &TokenError{Reason: reason, Err: err}
}

// check holds the claims against the configuration. The order is that of jose,
// so that a token with two faults is refused for the same one. RFC 7519 section
// 4.1.
func (v *Verifier) check(header, c map[string]any, rules rules) error {
	cfg := &v.cfg
	if typ, _ := header["typ"].(string); cfg.Type != "" && mediaType(typ) != mediaType(cfg.Type) {
		return &TokenError{Reason: `unexpected "typ" JWT header value`, Public: "The token is of another type."}
	}
	for _, need := range []struct {
		claim string
		when  bool
	}{
		{"iss", len(rules.issuer) > 0}, {"aud", len(rules.audience) > 0}, {"iat", cfg.MaxTokenAge > 0}, {"exp", cfg.RequireExp},
	} {
		if _, has := c[need.claim]; need.when && !has {
			return &TokenError{Reason: fmt.Sprintf(`missing required "%s" claim`, need.claim), Public: "The token lacks the claim " + need.claim + "."}
		}
	}
	if iss, ok := c["iss"].(string); len(rules.issuer) > 0 && (!ok || !slices.Contains(rules.issuer, iss)) {
		return &TokenError{Reason: `unexpected "iss" claim value`}
	}
	if len(rules.audience) > 0 && !meant(c["aud"], rules.audience) {
		return &TokenError{Reason: `unexpected "aud" claim value`, Public: "The token is for another audience."}
	}
	return v.checkTime(c)
}

// mediaType is the full name of a typ header in lower case: RFC 7515 section
// 4.1.9.
func mediaType(typ string) string {
	if !strings.Contains(typ, "/") {
		typ = "application/" + typ
	}
	return strings.ToLower(typ)
}

func meant(aud any, ours []string) bool {
	switch aud := aud.(type) {
	case string:
		return slices.Contains(ours, aud)
	case []any:
		return slices.ContainsFunc(aud, func(a any) bool {
			s, ok := a.(string)
			return ok && slices.Contains(ours, s)
		})
	}
	return false
}

func (v *Verifier) checkTime(c map[string]any) error {
	cfg := &v.cfg
	instant, tolerance := cfg.Now(), cfg.ClockTolerance.Seconds()
	now := float64(instant.Unix()) + float64(instant.Nanosecond())/1e9 // a NumericDate may have a fraction
	iat, _, err := date(c, "iat")                                      // there when MaxTokenAge is set
	if err != nil {
		return err
	}
	nbf, _, err := date(c, "nbf") // 1970 when there is none
	if err != nil {
		return err
	}
	if nbf > now+tolerance {
		return &TokenError{Reason: `"nbf" claim timestamp check failed`, Public: "The token is not valid yet."}
	}
	exp, hasExp, err := date(c, "exp")
	if err != nil {
		return err
	}
	if hasExp && exp <= now-tolerance {
		return &TokenError{Reason: `"exp" claim timestamp check failed`, Public: "The token has expired."}
	}
	if cfg.MaxTokenAge == 0 {
		return nil
	}
	if now-iat-tolerance > cfg.MaxTokenAge.Seconds() {
		return &TokenError{Reason: `"iat" claim timestamp check failed (too far in the past)`, Public: "The token is too old."}
	}
	if now-iat < -tolerance {
		return &TokenError{Reason: `"iat" claim timestamp check failed (it should be in the past)`, Public: "The token is not valid yet."}
	}
	return nil
}

// date is a NumericDate. One that is there and is no number is refused: RFC 7519
// section 2.
func date(set map[string]any, claim string) (seconds float64, has bool, err error) {
	value, has := set[claim]
	if !has {
		return 0, false, nil
	}
	if n, ok := value.(json.Number); ok {
		if seconds, err := n.Float64(); err == nil {
			return seconds, true, nil
		}
	}
	return 0, true, &TokenError{Reason: fmt.Sprintf("%q claim must be a number", claim)}
}

// checked leaves a *web.Error alone, which is the answer, and takes any other
// error of Check for a refusal.
func checked(err error) error {
	return &checkError{err}
}

type checkError struct{ err error }

func (e *checkError) Error() string { return "jwtauth: Check: " + e.err.Error() }
func (e *checkError) Unwrap() error { return e.err }
