package pasetoauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// A Token is a verified token. It is shared by all who ask for it: read only.
type Token struct {
	// Claims are what the issuer says. Numbers are json.Number, so that no
	// identifier of 64 bits loses its last digits.
	Claims map[string]any
	// Footer is verified, and readable by anybody, also in v4.local. nil is none.
	Footer []byte

	raw json.RawMessage
}

// Decode decodes the claims into v, as [json.Unmarshal] does. It reads what was checked:
// a token with a claim that comes twice, also by case, is refused.
func (t *Token) Decode(v any) error { return json.Unmarshal(t.raw, v) }

type tokenKey struct{}

// FromContext returns the verified token of the request.
func FromContext(ctx context.Context) (*Token, bool) {
	t, ok := ctx.Value(tokenKey{}).(*Token)
	return t, ok
}

// Claims returns the claims of the request's token. Read only.
func Claims(ctx context.Context) (map[string]any, bool) {
	if t, ok := FromContext(ctx); ok {
		return t.Claims, true
	}
	return nil, false
}

// ErrNoToken says that the context has no verified token: the handler does not
// stand inside the middleware.
var ErrNoToken = errors.New("pasetoauth: the context has no verified token: put the handler inside pasetoauth.New")

// Decode decodes the claims of the request's token into a T. It returns
// [ErrNoToken], or what [json.Unmarshal] said.
func Decode[T any](ctx context.Context) (T, error) {
	var v T
	t, ok := FromContext(ctx)
	if !ok {
		return v, ErrNoToken
	}
	return v, t.Decode(&v)
}

// check holds the registered claims against the configuration, in the order of
// Middy's library, so that a token with two faults is refused for the same one:
// https://github.com/paseto-standard/paseto-spec/blob/master/docs/02-Implementation-Guide/04-Claims.md
func (v *Verifier) check(claims map[string]any) error {
	for _, c := range []struct {
		name, mismatch, public string
		want                   []string
	}{
		{"iss", "issuer mismatch", "", v.cfg.Issuer},
		{"sub", "", "", nil},
		{"aud", "audience mismatch", "The token is for another audience.", v.cfg.Audience},
	} {
		value, has := claims[c.name]
		text, ok := value.(string)
		if has && !ok {
			return &bearer.TokenError{Reason: "payload." + c.name + " must be a string"}
		}
		if len(c.want) > 0 && (!has || !slices.Contains(c.want, text)) {
			return &bearer.TokenError{Reason: c.mismatch, Public: c.public}
		}
	}
	return v.checkTime(claims)
}

func (v *Verifier) checkTime(claims map[string]any) error {
	now, tolerance := v.cfg.Now(), v.cfg.ClockTolerance
	iat, err := date(claims, "iat")
	if err != nil {
		return err
	}
	if iat.After(now.Add(tolerance)) {
		return &bearer.TokenError{Reason: "token issued in the future", Public: "The token is not valid yet."}
	}
	nbf, err := date(claims, "nbf")
	if err != nil {
		return err
	}
	if nbf.After(now.Add(tolerance)) {
		return &bearer.TokenError{Reason: "token is not active yet", Public: "The token is not valid yet."}
	}
	exp, err := date(claims, "exp")
	if err != nil {
		return err
	}
	switch _, has := claims["exp"]; {
	case !has && v.cfg.RequireExp:
		return &bearer.TokenError{Reason: "missing exp claim", Public: "The token lacks the claim exp."}
	case has && !exp.After(now.Add(-tolerance)):
		return &bearer.TokenError{Reason: "token is expired", Public: "The token has expired."}
	}
	if v.cfg.MaxTokenAge == 0 {
		return nil
	}
	if _, has := claims["iat"]; !has {
		return &bearer.TokenError{Reason: "missing iat claim", Public: "The token lacks the claim iat."}
	}
	if iat.Add(v.cfg.MaxTokenAge).Before(now.Add(-tolerance)) {
		return &bearer.TokenError{Reason: "maxTokenAge exceeded", Public: "The token is too old."}
	}
	return nil
}

// date is the time of a claim, or the zero time when it is not there.
func date(claims map[string]any, name string) (time.Time, error) {
	value, has := claims[name]
	if !has {
		return time.Time{}, nil
	}
	text, ok := value.(string)
	if !ok {
		return time.Time{}, &bearer.TokenError{Reason: fmt.Sprintf("payload.%s must be a string", name)}
	}
	t, err := parseTime(text)
	if err != nil {
		return time.Time{}, &bearer.TokenError{Reason: fmt.Sprintf("payload.%s must be a valid ISO8601 string", name)}
	}
	return t, nil
}

var dateTime = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// parseTime reads a date-time of RFC 3339 section 5.6: T and Z in either case, and 60
// seconds where there may be a leap second. time.Parse takes a comma and offsets that
// are none besides.
func parseTime(text string) (time.Time, error) {
	text = strings.ToUpper(text)
	if !dateTime.MatchString(text) {
		return time.Time{}, errors.New("not a date-time of RFC 3339")
	}
	leap := text[17:19] == "60"
	if leap {
		text = text[:17] + "59" + text[19:]
	}
	t, err := time.Parse(time.RFC3339, text)
	if leap {
		if utc := t.UTC(); utc.Hour() != 23 || utc.Minute() != 59 {
			return time.Time{}, errors.New("a leap second at another time than 23:59:60 UTC")
		}
		t = t.Add(time.Second)
	}
	return t, err
}
