package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/layer"
)

// Config of [New]. Verify is required.
type Config struct {
	// Sources of the token. Default: the Authorization header.
	Sources Sources
	// MaxTokenBytes is the longest token that is given to Verify. Default: 16 KiB.
	MaxTokenBytes int
	// Realm goes into WWW-Authenticate. Public. Default: none.
	Realm string
	// DPoP also accepts the scheme DPoP in the Authorization header. It checks no proof:
	// package dpop does, inside this middleware, with what [FromContext] returns.
	DPoP bool
	// Verify returns the context for the handler, with what the token says in it. Of
	// its errors a [*KeyError] is answered with 500 or 503, a *web.Error as it is,
	// and any other with 401.
	Verify func(r *http.Request, token string) (context.Context, error)
}

// Validate reports everything that is wrong, joined.
func (c Config) Validate() error {
	errs := []error{c.Sources.Validate()}
	if c.Verify == nil {
		errs = append(errs, errors.New("bearer: Verify is nil"))
	}
	if c.MaxTokenBytes < 0 {
		errs = append(errs, errors.New("bearer: MaxTokenBytes must be >= 0: the limit cannot be switched off"))
	}
	return errors.Join(errs...)
}

// New returns a middleware that lets a request through when Verify accepts its
// token. It panics with the error of [Config.Validate].
//
// Without a token, and with a bad one, the answer is 401 with the challenge of RFC
// 6750.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.MaxTokenBytes == 0 {
		cfg.MaxTokenBytes = 16 << 10
	}
	return func(next http.Handler) http.Handler {
		layer.Refuses("jwtauth/bearer", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			scheme, token, err := cfg.Sources.find(r, cfg.DPoP)
			if err == nil && token == "" {
				web.WriteError(w, r, &web.Error{
					Status: http.StatusUnauthorized,
					Header: cfg.challenge(Challenge{Realm: cfg.Realm}),
					Err:    &TokenError{Reason: "No token found in configured sources"},
				})
				return
			}
			ctx := r.Context()
			if err == nil {
				ctx, err = cfg.verify(r, token)
			}
			if err != nil {
				web.WriteError(w, r, cfg.answer(err, scheme))
				return
			}
			if cfg.DPoP {
				ctx = context.WithValue(ctx, credentialsKey{}, Credentials{Scheme: scheme, TokenHash: sha256.Sum256([]byte(token))})
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func (c *Config) verify(r *http.Request, token string) (context.Context, error) {
	if len(token) > c.MaxTokenBytes {
		return nil, &TokenError{Reason: fmt.Sprintf("the token has %d bytes, more than MaxTokenBytes, %d", len(token), c.MaxTokenBytes), Public: "The token is too long."}
	}
	return c.Verify(r, token)
}

// Credentials are what a request was let through with.
type Credentials struct {
	// Scheme is Bearer or DPoP, or "" for a token that did not come in the Authorization
	// header.
	Scheme string
	// TokenHash is the SHA-256 of the token's text.
	TokenHash [sha256.Size]byte
}

type credentialsKey struct{}

// FromContext returns the credentials of the request. ok is false when no middleware
// with Config.DPoP let it through.
func FromContext(ctx context.Context) (c Credentials, ok bool) {
	c, ok = ctx.Value(credentialsKey{}).(Credentials)
	return c, ok
}

// challenge is a header with c, and with the other scheme that would do.
func (c *Config) challenge(first Challenge) http.Header {
	h := first.Header()
	if c.DPoP {
		other := Challenge{Scheme: DPoP, Realm: c.Realm}
		if first.Scheme == DPoP {
			other.Scheme = Bearer
		}
		h.Add("WWW-Authenticate", other.String())
	}
	return h
}

// answer is what the client gets to read of err.
func (c *Config) answer(err error, scheme string) *web.Error {
	if e, ok := errors.AsType[*web.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*KeyError](err); ok {
		if e.Temporary {
			return &web.Error{Status: http.StatusServiceUnavailable, Detail: "The keys that tokens are verified with cannot be had at the moment.", Header: http.Header{"Retry-After": {"5"}}, Err: err}
		}
		return &web.Error{Status: http.StatusInternalServerError, Err: err}
	}
	description := "The token is not valid."
	if e, ok := errors.AsType[*TokenError](err); ok && e.Public != "" {
		description = e.Public
	}
	return &web.Error{
		Status: http.StatusUnauthorized,
		Detail: description,
		Header: c.challenge(Challenge{Scheme: scheme, Realm: c.Realm, Code: InvalidToken, Description: description}),
		Err:    err,
	}
}

// A TokenError says why a token was refused. Its text is for the log.
type TokenError struct {
	// Reason is in Middy's words, where Middy has words for it.
	Reason string
	// Public is what the client may read. Default: "The token is not valid."
	Public string
	// Err is what a library said, or nil.
	Err error
}

func (e *TokenError) Error() string { return "bearer: token refused: " + e.Reason }

// Unwrap returns what a library said.
func (e *TokenError) Unwrap() error { return e.Err }

// A KeyError says that a token could not be judged, for want of a key.
type KeyError struct {
	// Reason is in Middy's words, where Middy has words for it.
	Reason string
	// Temporary means that it may work later: answered with 503, otherwise with 500.
	Temporary bool
	// Err is what happened, or nil.
	Err error
}

func (e *KeyError) Error() string {
	s := "bearer: no key to judge the token with: " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what happened.
func (e *KeyError) Unwrap() error { return e.Err }
