package jwtauth

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// A Token is a verified token. It is shared by all who ask for it: read only.
type Token struct {
	// Header is the JOSE header.
	Header map[string]any
	// Claims are what the issuer says. Numbers are json.Number, so that no
	// identifier of 64 bits loses its last digits.
	Claims map[string]any

	raw json.RawMessage
}

// Decode decodes the claims into v, as [json.Unmarshal] does. It reads what was checked:
// a token with a claim that comes twice, also by case, is refused.
func (t *Token) Decode(v any) error { return json.Unmarshal(t.raw, v) }

// Subject is the sub claim, or "".
func (t *Token) Subject() string {
	s, _ := t.Claims["sub"].(string)
	return s
}

// Scopes are what the scope claim, or else scp, lists.
func (t *Token) Scopes() []string {
	for _, name := range []string{"scope", "scp"} {
		switch v := t.Claims[name].(type) {
		case string:
			return strings.Fields(v)
		case []any:
			var list []string
			for _, s := range v {
				if s, ok := s.(string); ok {
					list = append(list, s)
				}
			}
			return list
		}
	}
	return nil
}

type tokenKey struct{}

func withToken(ctx context.Context, t *Token) context.Context {
	return context.WithValue(ctx, tokenKey{}, t)
}

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
var ErrNoToken = errors.New("jwtauth: the context has no verified token: put the handler inside jwtauth.New")

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

// A TokenError says why a token was refused, for the log.
type TokenError = bearer.TokenError

// A KeyError says that a token could not be judged, for want of a key.
type KeyError = bearer.KeyError
