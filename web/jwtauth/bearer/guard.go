package bearer

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/layer"
)

// Config of [New]. Verify is required.
type Config struct {
	// Sources of the token. The default is the Authorization header.
	Sources Sources
	// MaxTokenBytes is the longest token that is given to Verify. 0 is 16 KiB.
	MaxTokenBytes int
	// Realm goes into WWW-Authenticate. Public.
	Realm string
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
			token, ok := cfg.Sources.Token(r)
			if !ok {
				web.WriteError(w, r, &web.Error{
					Status: http.StatusUnauthorized,
					Header: Challenge{Realm: cfg.Realm}.Header(),
					Err:    &TokenError{Reason: "No token found in configured sources"},
				})
				return
			}
			ctx, err := cfg.verify(r, token)
			if err != nil {
				web.WriteError(w, r, answer(err, cfg.Realm))
				return
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

// answer is what the client gets to read of err.
func answer(err error, realm string) *web.Error {
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
		Header: Challenge{Realm: realm, Code: InvalidToken, Description: description}.Header(),
		Err:    err,
	}
}

// A TokenError says why a token was refused. Its text is for the log.
type TokenError struct {
	// Reason is in Middy's words, where Middy has words for it.
	Reason string
	// Public is what the client may read. "" is "The token is not valid."
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
