package jwtauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Verify verifies a token. The error is a [*TokenError] when the token is to
// blame, a [*KeyError] when it could not be judged, or what Config.Check returned.
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	if len(token) > v.cfg.MaxTokenBytes {
		return nil, &TokenError{Reason: fmt.Sprintf("the token has %d bytes, more than MaxTokenBytes, %d", len(token), v.cfg.MaxTokenBytes), Public: "The token is too long."}
	}
	j := judgement{v: v, rules: rules{issuer: v.cfg.Issuer, audience: v.cfg.Audience}}
	if len(v.issuers) == 0 {
		// Before the token is looked at: a key that cannot be used is our mistake, and
		// no bad token may hide it.
		var err error
		if j.own, err = v.ownKeys(ctx); err != nil {
			return nil, err
		}
	}
	parser := jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	t, err := parser.ParseWithClaims(token, &j.claims, func(t *jwt.Token) (any, error) { return j.keys(ctx, t) })
	if err != nil {
		return nil, j.refusal(token, t, err)
	}
	if err := j.check(t.Header); err != nil {
		return nil, err
	}
	verified := &Token{Header: t.Header, Claims: j.claims.set, raw: j.claims.raw}
	if v.cfg.Check != nil {
		if err := v.cfg.Check(ctx, verified); err != nil {
			return nil, checked(err)
		}
	}
	return verified, nil
}

// judgement is one token on its way.
type judgement struct {
	v      *Verifier
	own    keyring // without Issuers
	rules  rules
	claims claims
}

type rules struct{ issuer, audience []string }

// keys chooses what the signature is verified with. The token has been decoded,
// and nothing in it is to be believed: it may only select among what is
// configured.
func (j *judgement) keys(ctx context.Context, t *jwt.Token) (any, error) {
	if j.claims.set == nil {
		return nil, &TokenError{Reason: "JWT Claims Set must be a top-level JSON object"}
	}
	if err := critical(t.Header); err != nil {
		return nil, err
	}
	alg := t.Method.Alg()
	if len(j.v.issuers) == 0 {
		if !slices.Contains(j.own.algorithms, alg) {
			return nil, errAlgorithm
		}
		return jwt.VerificationKeySet{Keys: j.own.keys}, nil
	}
	iss, _ := j.claims.set["iss"].(string)
	issuer, ok := j.v.issuers[iss]
	if !ok { // also without iss: no issuer is called ""
		return nil, &TokenError{Reason: "Unknown issuer"}
	}
	j.rules = rules{issuer: []string{iss}, audience: issuer.audience}
	if !slices.Contains(issuer.algorithms, alg) {
		return nil, errAlgorithm // before a key set is fetched for it
	}
	kid, err := keyID(t.Header)
	if err != nil {
		return nil, err
	}
	set, err := issuer.keys.get(ctx, kid)
	if err != nil {
		return nil, err
	}
	return set.choose(kid, alg, issuer.algorithms)
}

// errAlgorithm is never changed.
var errAlgorithm = &TokenError{Reason: `"alg" (Algorithm) Header Parameter value not allowed`}

// critical refuses every extension that must be understood: RFC 7515 section
// 4.1.11. golang-jwt does not look.
func critical(header map[string]any) error {
	crit, ok := header["crit"]
	if !ok {
		return nil
	}
	list, _ := crit.([]any)
	if len(list) == 0 {
		return &TokenError{Reason: `"crit" (Critical) Header Parameter MUST be an array of non-empty strings when present`}
	}
	name, _ := list[0].(string)
	return &TokenError{Reason: fmt.Sprintf("Extension Header Parameter %q is not recognized", name)}
}

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

// refusal puts golang-jwt's error into our words.
func (j *judgement) refusal(token string, t *jwt.Token, err error) error {
	if e, ok := errors.AsType[*TokenError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*KeyError](err); ok {
		return e
	}
	reason := "signature verification failed"
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		reason = malformed(token, t)
		if len(j.v.issuers) > 0 {
			reason = "Malformed token: " + reason
		}
	case errors.Is(err, jwt.ErrTokenUnverifiable) && t != nil && t.Method == nil:
		reason = errAlgorithm.Reason
		if _, ok := t.Header["alg"].(string); !ok {
			reason = `JWS "alg" (Algorithm) Header Parameter missing or invalid`
		}
	}
	return &TokenError{Reason: reason, Err: err}
}

func malformed(token string, t *jwt.Token) string {
	switch {
	case strings.Count(token, ".") != 2:
		return "Invalid Compact JWS"
	case t == nil || t.Header == nil:
		return "JWS Protected Header is invalid"
	default:
		return "JWT Claims Set must be a top-level JSON object"
	}
}

// check holds the claims against the configuration. The order is that of jose,
// so that a token with two faults is refused for the same one. RFC 7519 section
// 4.1.
func (j *judgement) check(header map[string]any) error {
	c, cfg := j.claims.set, &j.v.cfg
	if typ, _ := header["typ"].(string); cfg.Type != "" && mediaType(typ) != mediaType(cfg.Type) {
		return &TokenError{Reason: `unexpected "typ" JWT header value`, Public: "The token is of another type."}
	}
	for _, need := range []struct {
		claim string
		when  bool
	}{
		{"iss", len(j.rules.issuer) > 0}, {"aud", len(j.rules.audience) > 0}, {"iat", cfg.MaxTokenAge > 0}, {"exp", cfg.RequireExp},
	} {
		if _, has := c[need.claim]; need.when && !has {
			return &TokenError{Reason: fmt.Sprintf(`missing required "%s" claim`, need.claim), Public: "The token lacks the claim " + need.claim + "."}
		}
	}
	if iss, ok := c["iss"].(string); len(j.rules.issuer) > 0 && (!ok || !slices.Contains(j.rules.issuer, iss)) {
		return &TokenError{Reason: `unexpected "iss" claim value`}
	}
	if len(j.rules.audience) > 0 && !meant(c["aud"], j.rules.audience) {
		return &TokenError{Reason: `unexpected "aud" claim value`, Public: "The token is for another audience."}
	}
	return j.checkTime()
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

func (j *judgement) checkTime() error {
	cfg := &j.v.cfg
	now, tolerance := float64(cfg.Now().Unix()), cfg.ClockTolerance.Seconds()
	iat, hasIat, err := j.date("iat")
	if err != nil {
		return err
	}
	nbf, hasNbf, err := j.date("nbf")
	if err != nil {
		return err
	}
	if hasNbf && nbf > now+tolerance {
		return &TokenError{Reason: `"nbf" claim timestamp check failed`, Public: "The token is not valid yet."}
	}
	exp, hasExp, err := j.date("exp")
	if err != nil {
		return err
	}
	if hasExp && exp <= now-tolerance {
		return &TokenError{Reason: `"exp" claim timestamp check failed`, Public: "The token has expired."}
	}
	if cfg.MaxTokenAge == 0 || !hasIat {
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
func (j *judgement) date(claim string) (seconds float64, has bool, err error) {
	value, has := j.claims.set[claim]
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
