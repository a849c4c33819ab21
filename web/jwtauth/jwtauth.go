// Package jwtauth lets a request through when its JSON Web Token is genuine, for
// you, and still valid.
//
// What goes wrong with JWTs is known: the token chooses the algorithm, a public
// key is taken for an HMAC secret, "none" is accepted, the key of one issuer
// vouches for another, a key that was withdrawn lives on in a cache, and a key
// server that is down makes every valid token invalid. Here the algorithms are
// pinned by the configuration and narrowed by the key, keys are cached for each
// issuer apart, and an outage is a 503 and not the client's fault.
//
//	auth := jwtauth.New(jwtauth.Config{
//		Algorithms: []string{"RS256"},
//		Issuers: map[string]jwtauth.Issuer{
//			"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1": {
//				JWKS:     "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1/.well-known/jwks.json",
//				Audience: []string{"my-client"},
//			},
//		},
//		RequireExp: true,
//	})
//	http.ListenAndServe(addr, auth(mux))
//
// The handler reads the claims with [Decode] or [Claims].
//
// A key may also be yours: an HMAC secret, or a public key such as KMS gives out.
// Both come from a function of the context, so that a value of package params
// fits, and rotates:
//
//	Config{Algorithms: []string{"HS256"}, Secret: params.Bytes(store, ref).Lookup}
//
// # Answers
//
// No token, or a bad one, is 401 with the challenge of RFC 6750; the exact reason
// is a [*TokenError] in web.Error.Err, for the log. A key that cannot be used is
// 500, a key that cannot be had is 503.
//
// # The life of a sandbox
//
// No goroutine outlives its request. A key set is fetched within the request that needs it
// and by its deadline, one fetch at a time for each issuer; a client that hangs up does
// not end the fetch, since others wait for it. Nothing crosses a freeze, and no idle
// connection is kept. Ages go by the wall clock. To have the
// key sets before the first request, call [Verifier.Prefetch] at cold start.
//
// # Differences from Middy's http-jwt
//
//   - Keys are cached for each issuer. Middy caches by kid and algorithm alone, so
//     that one issuer can vouch for another.
//   - A key set that cannot be fetched is 503, not 401, and the last good one is
//     used for [Config.MaxStale].
//   - Fetches have a timeout and a size limit, need https, and follow only redirects
//     to https.
//   - A 401 has WWW-Authenticate. Cookies of API 2.0 events are read.
//   - A JWK without alg is used when its type leaves one allowed algorithm, not only
//     when one is configured. use and key_ops are heeded; an RSA key has 2048 to
//     16384 bits; a secret is as long as RFC 7518 asks, unless
//     [Config.AllowShortSecret].
//   - A token without kid is verified with the only key of a set, as OpenID Connect Core
//     section 10.1 has it.
//   - A token has one spelling, and its members come once: a header or a claim that comes
//     twice, also by case as encoding/json folds it, is refused, and so is a registered
//     claim in another case. Claims, Decode and the checks read the same.
//   - The token of an Application Load Balancer can be verified: [Config.LoadBalancers].
//   - Two Authorization headers, or a query parameter that comes twice, are refused.
package jwtauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/internal/loopback"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/jose"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// Config of [New]. Exactly one of Secret, PublicKey, Issuers and LoadBalancers is
// required, and, but for LoadBalancers, Algorithms.
type Config struct {
	// Algorithms that are accepted: HS256, HS384, HS512, RS256, RS384, RS512, PS256,
	// PS384, PS512, ES256, ES384, ES512, EdDSA (RFC 7518 section 3.1, RFC 8037).
	// "none" does not exist here. With Secret only those that begin with HS, with
	// PublicKey and Issuers none of these. Default: ES256 with LoadBalancers.
	Algorithms []string

	// Secret returns the HMAC secret. It is called for every token, so it should
	// cache; that of a params.Value does.
	Secret func(ctx context.Context) ([]byte, error)
	// PreviousSecret is accepted beside Secret: for the overlap of a rotation.
	PreviousSecret func(ctx context.Context) ([]byte, error)
	// AllowShortSecret accepts a secret with fewer bytes than the algorithm's hash,
	// which RFC 7518 section 3.2 forbids.
	AllowShortSecret bool

	// PublicKey returns the issuer's public key. It is called for every token; the
	// parsed key is kept for as long as the bytes stay the same.
	PublicKey func(ctx context.Context) (PublicKey, error)

	// Issuers by their name, which is the iss of their tokens to the letter.
	Issuers map[string]Issuer

	// LoadBalancers are the ARNs of Application Load Balancers that authenticate users.
	// Their token is in the header X-Amzn-Oidc-Data, signed with ES256 and a key that is
	// fetched by its kid; iss, client and exp are in its JOSE header, where Issuer and
	// Audience look for the first two. A target that is reached past the load balancer
	// gets the header from anybody, so the signer must be one of these:
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
	LoadBalancers []string

	// Sources of the token. Default: the Authorization header; X-Amzn-Oidc-Data with
	// LoadBalancers. A token that comes in X-Amzn-Oidc-Data alone may be padded, as load
	// balancers write it.
	Sources bearer.Sources
	// MaxTokenBytes is the longest token that is looked at. Default: 16 KiB.
	MaxTokenBytes int

	// Issuer lists the iss that are accepted. Default: any. Not with Issuers,
	// which pins it anyway.
	Issuer []string
	// Audience lists what aud may be; one in common is enough. Default: any.
	// With Issuers, each has its own.
	Audience []string
	// Type is what the typ header must be: "at+jwt" for an access token of RFC 9068,
	// with or without "application/", in any case. "" accepts any.
	Type string
	// ClockTolerance is how far the issuer's clock may be off, for exp, nbf and
	// MaxTokenAge. Default: none.
	ClockTolerance time.Duration
	// RequireExp refuses a token without exp, which would be valid for ever.
	RequireExp bool
	// MaxTokenAge refuses a token whose iat is older, or in the future, or missing.
	// Default: no limit.
	MaxTokenAge time.Duration
	// Check has the last word on a token that is valid so far, such as on Cognito's
	// token_use or client_id. A *web.Error is the answer as it is, any other error a
	// 401 with it as the reason.
	Check func(ctx context.Context, t *Token) error

	// Realm goes into WWW-Authenticate. Public.
	Realm string

	// DPoP also accepts the scheme DPoP, for tokens that are bound to a key. Put package
	// dpop inside, which checks the proof: without it such a token is a bearer token.
	DPoP bool

	// CacheExpiry is how long a key set is fresh. Default: 10 minutes.
	CacheExpiry time.Duration
	// Cooldown is the least time between two fetches of one key set, when a token
	// names a key that is not in it, or the last fetch failed. While there is no set that
	// may be used, it is at most 2 seconds, in which tokens are answered with 503.
	// Default: 30 seconds. Negative: none.
	Cooldown time.Duration
	// MaxStale is how long after CacheExpiry a key set is still used while its
	// server fails. A key that its issuer withdraws during an outage is believed for
	// this long. Default: 1 hour. Negative: not at all.
	MaxStale time.Duration
	// FetchTimeout bounds one fetch, within the request's own deadline.
	// Default: 5 seconds.
	FetchTimeout time.Duration
	// MaxJWKSBytes bounds a key set. Default: 1 MiB.
	MaxJWKSBytes int64
	// Client fetches key sets. Default: a client without keep-alive, since the
	// connection would not survive the freeze until the next fetch.
	Client *http.Client
	// AllowLoopbackHTTP lets a JWKS be plain http on a loopback address: for tests
	// and local work.
	AllowLoopbackHTTP bool

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// A PublicKey is an RSA, ECDSA (P-256, P-384, P-521) or Ed25519 key.
type PublicKey struct {
	// Bytes are a SubjectPublicKeyInfo (RFC 5280) in DER, as the GetPublicKey of KMS
	// returns it, or in PEM.
	Bytes []byte
	// Spec is the KeySpec of KMS, when known: a key of another kind is refused.
	// https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
	Spec string
}

// An Issuer of tokens.
type Issuer struct {
	// JWKS is the https URL of the key set (RFC 7517 section 5). Required.
	JWKS string
	// Audience lists what aud may be. Default: any.
	Audience []string
	// Algorithms of this issuer. Default: those of Config.
	Algorithms []string
}

// Static returns a source that always gives the same: a Secret that is known at
// start, or a PublicKey.
func Static[T any](v T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, nil }
}

// New returns the middleware. It panics with the error of [Config.Validate].
// Put it outside everything that trusts the caller.
func New(cfg Config) func(http.Handler) http.Handler {
	return NewVerifier(cfg).Handler
}

// Validate reports everything that is wrong, joined.
func (c Config) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf("jwtauth: "+format, args...)) }
	sources := 0
	for _, set := range []bool{c.Secret != nil, c.PublicKey != nil, len(c.Issuers) > 0, len(c.LoadBalancers) > 0} {
		if set {
			sources++
		}
	}
	switch {
	case sources == 0:
		add("no key source configured: set Secret, PublicKey, Issuers or LoadBalancers")
	case sources > 1:
		add("set exactly one of Secret, PublicKey, Issuers and LoadBalancers")
	}
	if c.PreviousSecret != nil && c.Secret == nil {
		add("PreviousSecret is set without Secret")
	}
	for _, arn := range c.LoadBalancers {
		if _, err := keyURL(arn); err != nil {
			add("LoadBalancers: %w", err)
		}
	}
	if len(c.LoadBalancers) > 0 && c.Sources != (bearer.Sources{}) && !c.fromALB() {
		add("Sources does not go with LoadBalancers: they write the header %s only", oidcData)
	}
	needed := len(c.Issuers) == 0 && len(c.LoadBalancers) == 0
	for _, i := range c.Issuers {
		if len(i.Algorithms) == 0 {
			needed = true
		}
	}
	if len(c.Algorithms) == 0 && needed {
		add("Algorithms is empty: list those that your tokens are signed with")
	}
	c.checkAlgorithms(c.Algorithms, "Algorithms", add)
	for name, i := range c.Issuers {
		if name == "" {
			add("Issuers has an entry without a name: its key is the iss of the tokens")
		}
		c.checkAlgorithms(i.Algorithms, fmt.Sprintf("Issuers[%q].Algorithms", name), add)
		if err := c.checkURL(i.JWKS); err != nil {
			add("Issuers[%q].JWKS: %w", name, err)
		}
	}
	if len(c.Issuers) > 0 && (len(c.Issuer) > 0 || len(c.Audience) > 0) {
		add("Issuer and Audience do not go with Issuers: the keys of the map are the issuers, and each has its own Audience")
	}
	for name, d := range map[string]time.Duration{"ClockTolerance": c.ClockTolerance, "MaxTokenAge": c.MaxTokenAge, "FetchTimeout": c.FetchTimeout, "CacheExpiry": c.CacheExpiry} {
		if d < 0 {
			add("%s is %v: must be >= 0", name, d)
		}
	}
	if c.MaxTokenBytes < 0 || c.MaxJWKSBytes < 0 {
		add("MaxTokenBytes and MaxJWKSBytes must be >= 0: a limit cannot be switched off")
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // maps have no order
	if err := c.Sources.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c Config) checkAlgorithms(list []string, where string, add func(string, ...any)) {
	for _, alg := range list {
		switch {
		case strings.EqualFold(alg, "none"):
			add("algorithm 'none' is not allowed (%s)", where)
		case jose.FamilyOf(alg) == jose.Unknown:
			add("algorithm %q is not known (%s)", alg, where)
		case c.Secret != nil && jose.FamilyOf(alg) != jose.HMAC:
			add("%s has %s: a Secret goes with HS256, HS384 and HS512 only", where, alg)
		case c.Secret == nil && jose.FamilyOf(alg) == jose.HMAC:
			add("%s has %s: who can verify with a shared secret can sign with it, so it is never a public key. Set Secret, or leave %s out", where, alg, alg)
		}
	}
}

func (c Config) checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("%q is not a URL", raw)
	}
	return c.mayFetch(u)
}

// mayFetch judges a URL before the first byte is sent, redirects included.
func (c Config) mayFetch(u *url.URL) error {
	if u.Hostname() == "" || u.User != nil {
		return fmt.Errorf("%q must be an absolute https URL without a user", u.Redacted())
	}
	if u.Scheme == "https" || u.Scheme == "http" && c.AllowLoopbackHTTP && loopback.Address(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q is not https: who is on the way could replace the keys", u.Redacted())
}

func (c Config) withDefaults() Config {
	c.MaxTokenBytes = cmp.Or(c.MaxTokenBytes, 16<<10)
	c.MaxJWKSBytes = cmp.Or(c.MaxJWKSBytes, 1<<20)
	c.CacheExpiry = cmp.Or(c.CacheExpiry, 10*time.Minute)
	c.Cooldown = cmp.Or(c.Cooldown, 30*time.Second)
	c.MaxStale = max(cmp.Or(c.MaxStale, time.Hour), 0)
	c.FetchTimeout = cmp.Or(c.FetchTimeout, 5*time.Second)
	if len(c.LoadBalancers) > 0 {
		c.Sources = bearer.Sources{Header: oidcData}
		if len(c.Algorithms) == 0 {
			c.Algorithms = []string{"ES256"}
		}
	}
	c.LoadBalancers = slices.Clone(c.LoadBalancers)
	c.Algorithms, c.Issuer, c.Audience = slices.Clone(c.Algorithms), slices.Clone(c.Issuer), slices.Clone(c.Audience)
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Client = c.fetcher()
	return c
}

// A Verifier verifies tokens apart from a request: in a Lambda authorizer, or for
// a WebSocket's $connect. It is safe for concurrent use.
type Verifier struct {
	cfg     Config
	issuers map[string]*issuer
	parsed  parsedKey
	guard   func(http.Handler) http.Handler

	balancers balancerKeys
}

// NewVerifier is [New] for those who need more than the middleware. It panics
// with the error of [Config.Validate].
func NewVerifier(cfg Config) *Verifier {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg = cfg.withDefaults()
	v := &Verifier{cfg: cfg, issuers: make(map[string]*issuer, len(cfg.Issuers))}
	v.guard = bearer.New(bearer.Config{Sources: cfg.Sources, MaxTokenBytes: cfg.MaxTokenBytes, Realm: cfg.Realm, DPoP: cfg.DPoP, Verify: v.verify})
	for name, i := range cfg.Issuers {
		algorithms := slices.Clone(i.Algorithms)
		if len(algorithms) == 0 {
			algorithms = cfg.Algorithms
		}
		v.issuers[name] = &issuer{algorithms: algorithms, audience: slices.Clone(i.Audience), keys: &keySet{cfg: &v.cfg, url: i.JWKS, parse: parseJWKS}}
	}
	return v
}

type issuer struct {
	algorithms, audience []string
	keys                 *keySet
}

// Prefetch fetches the key sets of all issuers at the same time, and returns when
// all have come or failed. Call it at cold start, so that the first request does
// not wait. An error does no harm: the set is fetched when a token needs it.
func (v *Verifier) Prefetch(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(v.issuers))
	for i, name := range slices.Sorted(maps.Keys(v.issuers)) {
		wg.Go(func() { errs[i] = v.issuers[name].keys.prefetch(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Handler is the middleware.
func (v *Verifier) Handler(next http.Handler) http.Handler { return v.guard(next) }

func (v *Verifier) verify(r *http.Request, token string) (context.Context, error) {
	t, err := v.Verify(r.Context(), token)
	if err != nil {
		return nil, err
	}
	return withToken(r.Context(), t), nil
}

// RequireScopes returns a middleware that lets a token through that has all the
// scopes: in its scope claim, a string (RFC 8693 section 4.2) or a list, or in
// scp. Others are answered with 403 insufficient_scope. Put it inside [New]; a
// request without a token is a 401 here too.
func RequireScopes(scopes ...string) func(http.Handler) http.Handler {
	scopes = slices.Clone(scopes)
	challenge := bearer.Challenge{Code: bearer.InsufficientScope, Scope: strings.Join(scopes, " ")}
	return func(next http.Handler) http.Handler {
		layer.Refuses("jwtauth", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t, ok := FromContext(r.Context())
			if !ok {
				web.WriteError(w, r, &web.Error{Status: http.StatusUnauthorized, Header: bearer.Challenge{}.Header(), Err: &TokenError{Reason: "RequireScopes found no verified token: put it inside jwtauth.New"}})
				return
			}
			have := t.Scopes()
			for _, s := range scopes {
				if !slices.Contains(have, s) {
					web.WriteError(w, r, &web.Error{Status: http.StatusForbidden, Detail: "The token lacks a scope.", Header: challenge.Header(), Err: &TokenError{Reason: "missing scope " + s}})
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
