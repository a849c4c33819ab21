// Package dpop lets a token that is bound to a key through only with a proof that the
// client holds the key: DPoP, RFC 9449.
//
// Whoever has a bearer token may use it: it need only leak into a log, a proxy or a crash
// report. A bound token names a key in its claim cnf, and each request brings a proof, a
// JWT that this key has signed just now, for this method, this URI and this token. A
// token without the key is worth nothing then. What goes wrong when that is checked by
// hand: the token is accepted with the scheme Bearer as well, and the binding is gone; the
// URI is taken from the Host header, which the client writes; of two proofs one is
// checked and the other used; or a symmetric algorithm is allowed, and anybody can sign.
//
// The middleware stands inside the one that verifies the token:
//
//	auth := jwtauth.New(jwtauth.Config{ /* … */ DPoP: true})
//	proof := dpop.New(dpop.Config{Origin: "https://api.example.com"})
//	http.ListenAndServe(addr, auth(proof(mux)))
//
// A token that is not bound passes as the bearer token that it is, so that clients can
// change one by one. [Config.Required] ends that.
//
// # Answers
//
// A proof that is no good is 401 with the challenge of section 7.1, DPoP with
// error="invalid_dpop_proof"; a binding that does not hold is error="invalid_token". The
// exact reason is a *bearer.TokenError in web.Error.Err, for the log. Without an Origin,
// and a front door that tells its domain, the answer is 500.
//
// # Replay
//
// A proof that is seen again within [Config.MaxAge] is accepted again, as in Middy: for
// the same method, URI and token. Section 11.1 leaves it to the server whether it
// remembers the jti of each proof, which takes a store that all sandboxes share. With
// one, [Config.Check] refuses the second.
//
// # Differences from Middy's http-dpop
//
//   - The token is the one that was verified, wherever the middleware outside found it.
//   - A header or claim that comes twice, also by case, is refused, and so is a crit
//     header; base64url has one spelling.
//   - URIs are compared after the normalization that section 4.3 asks for. In an API with
//     stages the URI is right with and without the stage.
//   - A token that is not bound is refused with the scheme DPoP, which asks for a binding,
//     and one whose cnf is malformed is not taken for a bearer token.
//   - exp and nbf are heeded in a proof that has them.
package dpop

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/claims"
	"github.com/gomiddy/middy/web/internal/jose"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/jwtauth"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// algorithms are those of asymmetric signatures that Middy accepts.
var algorithms = []string{"ES256", "ES384", "ES512", "PS256", "RS256", "EdDSA"}

// Config configures [New]. The zero value is ready for use behind API Gateway and
// function URLs.
type Config struct {
	// Origin is the scheme and the host of the URIs that clients use, such as
	// "https://api.example.com". Behind a proxy, a load balancer and in a server it is
	// required. Default: https and the domain name that the front door says it was called
	// by, never the Host header.
	Origin string

	// Algorithms that a proof may be signed with, of ES256, ES384, ES512, PS256, RS256 and
	// EdDSA. Default: all of them.
	Algorithms []string

	// MaxAge is how far a proof's iat may be from now, in the past and in the future, since
	// clocks of clients are off both ways. Default: 1 minute.
	MaxAge time.Duration

	// MaxProofBytes is the longest proof that is looked at. Default: 8192.
	MaxProofBytes int

	// Required refuses tokens that are not bound to a key. Default: they pass as bearer
	// tokens.
	Required bool

	// Claims returns the claims of the verified token. Default: [jwtauth.Claims]; with
	// package pasetoauth, pasetoauth.Claims.
	Claims func(ctx context.Context) (map[string]any, bool)

	// ConfirmationClaim is the claim that has the thumbprint in its member jkt. Default:
	// "cnf" (RFC 7800).
	ConfirmationClaim string

	// Check has the last word on a proof that is valid so far, such as on its jti having
	// been seen. A *web.Error is the answer as it is, any other error a 401 with it as the
	// reason. Default: none.
	Check func(ctx context.Context, p *Proof) error

	// Realm goes into WWW-Authenticate. Public. Default: none.
	Realm string

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Validate reports everything that is wrong, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Origin != "" {
		u, err := url.Parse(c.Origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || c.Origin != u.Scheme+"://"+u.Host {
			errs = append(errs, fmt.Errorf("dpop: Origin is %q: give scheme and host and no more, such as https://api.example.com", c.Origin))
		}
	}
	for _, alg := range c.Algorithms {
		if !slices.Contains(algorithms, alg) {
			errs = append(errs, fmt.Errorf("dpop: Algorithms has %q: a proof is signed with one of %s", alg, strings.Join(algorithms, ", ")))
		}
	}
	if c.MaxAge < 0 || c.MaxProofBytes < 0 {
		errs = append(errs, errors.New("dpop: MaxAge and MaxProofBytes must be >= 0: a limit cannot be switched off"))
	}
	return errors.Join(errs...)
}

// A Proof is a verified proof. It is shared by all who ask for it: read only.
type Proof struct {
	// JTI is the proof's id, which no other proof has.
	JTI string
	// IssuedAt is when the client says that it made the proof.
	IssuedAt time.Time
	// Thumbprint is that of the key, in base64url: RFC 7638, with SHA-256.
	Thumbprint string
	// Claims are all claims of the proof. Numbers are json.Number.
	Claims map[string]any
}

type proofKey struct{}

// FromContext returns the proof of the request. ok is false when the token is not bound.
func FromContext(ctx context.Context) (p *Proof, ok bool) {
	p, ok = ctx.Value(proofKey{}).(*Proof)
	return p, ok
}

// A Request is what a proof must be for.
type Request struct {
	Method string
	// URI is that of the request. Query and fragment do not count.
	URI string
	// TokenHash is the SHA-256 of the access token. nil is none, as at a token endpoint.
	TokenHash []byte
}

// A Verifier verifies proofs apart from the middleware: in a Lambda authorizer, or at a
// token endpoint. It is safe for concurrent use.
type Verifier struct{ cfg Config }

// NewVerifier is [New] for those who need more than the middleware. It panics with the
// error of [Config.Validate].
func NewVerifier(cfg Config) *Verifier {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg.Algorithms = slices.Clone(cfg.Algorithms)
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = algorithms
	}
	cfg.MaxAge = cmp.Or(cfg.MaxAge, time.Minute)
	cfg.MaxProofBytes = cmp.Or(cfg.MaxProofBytes, 8192)
	cfg.ConfirmationClaim = cmp.Or(cfg.ConfirmationClaim, "cnf")
	if cfg.Claims == nil {
		cfg.Claims = jwtauth.Claims
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Verifier{cfg}
}

// New returns the middleware. It panics with the error of [Config.Validate].
func New(cfg Config) func(http.Handler) http.Handler { return NewVerifier(cfg).Handler }

// Verify verifies a proof: RFC 9449 section 4.3, without the binding to a token's key,
// which is to be compared with [Proof.Thumbprint]. The error is a *bearer.TokenError.
func (v *Verifier) Verify(proof string, r Request) (*Proof, error) {
	return v.verify(proof, r.Method, []string{r.URI}, r.TokenHash, false)
}

func refused(public, format string, args ...any) error {
	return &bearer.TokenError{Reason: "DPoP proof: " + fmt.Sprintf(format, args...), Public: public}
}

func (v *Verifier) verify(proof, method string, uris []string, tokenHash []byte, decoded bool) (*Proof, error) {
	if len(proof) > v.cfg.MaxProofBytes {
		return nil, refused("The DPoP proof is too long.", "it has %d bytes, more than MaxProofBytes, %d", len(proof), v.cfg.MaxProofBytes)
	}
	jws, err := jose.Parse(proof, false)
	if err != nil {
		return nil, refused("", "%v", err)
	}
	set, err := claims.Set(jws.Payload)
	if err != nil {
		return nil, refused("", "claims: %v", err)
	}
	if typ, _ := jws.Header["typ"].(string); typ != "dpop+jwt" {
		return nil, refused("", "typ is %.64q, want dpop+jwt", typ)
	}
	if err := jws.Critical(); err != nil {
		return nil, refused("", "%v", err)
	}
	alg, _ := jws.Header["alg"].(string)
	if !slices.Contains(v.cfg.Algorithms, alg) {
		return nil, refused("The DPoP proof is signed with an algorithm that is not accepted.", "alg is %.64q", alg)
	}
	key, err := publicKey(jws.Header["jwk"])
	if err != nil {
		return nil, err
	}
	public, err := key.Public()
	if err != nil {
		return nil, refused("", "jwk: %v", err)
	}
	if !jose.Fits(public, alg) {
		return nil, refused("", "jwk is no key for %s", alg)
	}
	if err := jws.Verify(alg, public); err != nil {
		return nil, refused("", "signature verification failed: %v", err)
	}
	p := &Proof{Claims: set, Thumbprint: key.Thumbprint()}
	if htm, _ := set["htm"].(string); htm != method {
		return nil, refused("The DPoP proof is for another method.", "htm is %.64q, want %.64q", htm, method)
	}
	if htu, _ := set["htu"].(string); !slices.ContainsFunc(uris, func(uri string) bool { return sameURI(htu, uri, decoded) }) {
		return nil, refused("The DPoP proof is for another URI.", "htu is %.256q, want %.256q", htu, uris[0])
	}
	if err := v.checkTime(p); err != nil {
		return nil, err
	}
	if p.JTI, _ = set["jti"].(string); p.JTI == "" {
		return nil, refused("", "jti is missing")
	}
	if tokenHash == nil {
		return p, nil
	}
	ath, _ := set["ath"].(string)
	if subtle.ConstantTimeCompare([]byte(ath), []byte(base64.RawURLEncoding.EncodeToString(tokenHash))) != 1 {
		return nil, refused("The DPoP proof is for another token.", "ath is not the hash of the token")
	}
	return p, nil
}

// privateMembers would make a JWK a private or secret key: RFC 9449 section 4.2 allows
// the public one only, and a client that sends more has lost it.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

func publicKey(v any) (key jose.Key, err error) {
	jwk, ok := v.(map[string]any)
	if !ok {
		return key, refused("", "jwk is missing")
	}
	for _, name := range privateMembers {
		if _, has := jwk[name]; has {
			return key, refused("The DPoP proof carries a private key.", "jwk has the private member %s", name)
		}
	}
	for name, field := range map[string]*string{"kty": &key.Kty, "crv": &key.Crv, "n": &key.N, "e": &key.E, "x": &key.X, "y": &key.Y} {
		*field, _ = jwk[name].(string)
	}
	return key, nil
}

// checkTime sets IssuedAt. exp and nbf are no claims of a proof, but mean what they mean
// in any JWT: RFC 7519 section 4.1.
func (v *Verifier) checkTime(p *Proof) error {
	instant := v.cfg.Now()
	now := float64(instant.Unix()) + float64(instant.Nanosecond())/1e9
	at := func(name string) (seconds float64, has bool, err error) {
		value, has := p.Claims[name]
		if !has {
			return 0, false, nil
		}
		n, _ := value.(json.Number)
		if seconds, err = n.Float64(); err != nil {
			return 0, true, refused("", "%s is not a number", name)
		}
		return seconds, true, nil
	}
	const stale = "The DPoP proof is too old, or from the future."
	iat, has, err := at("iat")
	switch {
	case err != nil:
		return err
	case !has:
		return refused("", "iat is missing")
	case math.Abs(now-iat) > v.cfg.MaxAge.Seconds():
		return refused(stale, "iat is %v seconds from now, more than MaxAge, %v", iat-now, v.cfg.MaxAge)
	}
	whole, fraction := math.Modf(iat)
	p.IssuedAt = time.Unix(int64(whole), int64(fraction*1e9))
	if exp, has, err := at("exp"); has && exp <= now { // one that is no number is 0
		return cmp.Or(err, refused(stale, "exp is over"))
	}
	if nbf, _, err := at("nbf"); err != nil || nbf > now+v.cfg.MaxAge.Seconds() {
		return cmp.Or(err, refused(stale, "nbf is not yet"))
	}
	return nil
}

// sameURI compares what a client wrote with the URI of the request: RFC 9449 section 4.3,
// without query and fragment, normalized by syntax and scheme (RFC 3986 section 6.2.2 and
// 6.2.3). decoded compares paths of which the front door has kept no encoding.
func sameURI(htu, uri string, decoded bool) bool {
	a, okA := normalize(htu)
	b, okB := normalize(uri)
	if !okA || !okB || a.Scheme != b.Scheme || a.Host != b.Host {
		return false
	}
	return a.RawPath == b.RawPath || decoded && a.Path == b.Path
}

// normalize leaves the path in RawPath with its encoding, and in Path without.
func normalize(raw string) (*url.URL, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return nil, false
	}
	host := strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, ":")
	host = strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	path, err := url.PathUnescape(encode(u.EscapedPath()))
	if err != nil {
		return nil, false
	}
	u = (&url.URL{}).ResolveReference(&url.URL{Scheme: u.Scheme, Host: host, Path: cmp.Or(path, "/"), RawPath: cmp.Or(encode(u.EscapedPath()), "/")})
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: encode(u.EscapedPath())}, true
}

// encode writes the percent-encoding of a path as RFC 3986 section 6.2.2 has it:
// hexadecimal digits in upper case, and none for letters, digits and -._~.
func encode(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' { // two digits follow: it is a path of package url
			b.WriteByte(path[i])
			continue
		}
		if c, _ := url.PathUnescape(path[i : i+3]); isUnreserved(c[0]) {
			b.WriteString(c)
		} else {
			b.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// uris are what the client may call the request. decoded says that the front door has
// decoded the path, so that its encoding cannot be compared.
func (v *Verifier) uris(r *http.Request) (uris []string, decoded bool, err error) {
	origin, stage := v.cfg.Origin, ""
	if e, ok := web.Event(r); ok {
		if origin == "" && e.DomainName != "" {
			origin = "https://" + e.DomainName
		}
		stage, decoded = e.Stage, e.Door == web.HTTPAPI
	}
	if origin == "" {
		return nil, false, errors.New("dpop: the URI of the request is not known: set Config.Origin")
	}
	// What a router in between has cut off, such as http.StripPrefix, is in RequestURI.
	path := r.URL.EscapedPath()
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		path = u.EscapedPath()
	}
	uris = []string{origin + path}
	if stage != "" && stage != "$default" {
		uris = append(uris, origin+"/"+url.PathEscape(stage)+path)
	}
	return uris, decoded, nil
}

// Handler is the middleware.
func (v *Verifier) Handler(next http.Handler) http.Handler {
	layer.Refuses("dpop", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := v.admit(r)
		if err != nil {
			web.WriteError(w, r, v.answer(err))
			return
		}
		if p != nil {
			r = r.WithContext(context.WithValue(r.Context(), proofKey{}, p))
		}
		next.ServeHTTP(w, r)
	})
}

// admit returns the proof of a request that may pass, or nil when its token is not bound.
func (v *Verifier) admit(r *http.Request) (*Proof, error) {
	set, ok := v.cfg.Claims(r.Context())
	if !ok {
		return nil, unbound("", "no verified token: put dpop.New inside jwtauth.New, or set Claims")
	}
	jkt, bound, err := v.confirmation(set)
	if err != nil {
		return nil, err
	}
	credentials, _ := bearer.FromContext(r.Context())
	switch {
	case !bound && v.cfg.Required:
		return nil, unbound("The token is not bound to a key.", "the token has no %s.jkt, and Required is set", v.cfg.ConfirmationClaim)
	case !bound && credentials.Scheme == bearer.DPoP:
		return nil, unbound("The token is not bound to a key.", "the scheme is DPoP, and the token has no %s.jkt", v.cfg.ConfirmationClaim)
	case !bound:
		return nil, nil
	case credentials.Scheme != bearer.DPoP: // section 7.2: else a thief would leave the proof out
		return nil, unbound("The token is bound to a key: send it with the scheme DPoP.", "a bound token came without the scheme DPoP; it is accepted when DPoP is set where the token is verified")
	}
	lines := r.Header["Dpop"]
	if len(lines) != 1 {
		return nil, refused("There must be one DPoP proof.", "there are %d DPoP headers", len(lines))
	}
	uris, decoded, err := v.uris(r)
	if err != nil {
		return nil, &web.Error{Status: http.StatusInternalServerError, Err: err}
	}
	p, err := v.verify(strings.Trim(lines[0], " \t"), r.Method, uris, credentials.TokenHash[:], decoded)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(p.Thumbprint), []byte(jkt)) != 1 {
		return nil, unbound("The token is bound to another key.", "the key of the proof is %s, and the token's is %.64q", p.Thumbprint, jkt)
	}
	if v.cfg.Check != nil {
		if err := v.cfg.Check(r.Context(), p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// confirmation is the thumbprint that a token is bound to. A claim that is no object, or a
// jkt that is no text, is not the same as none.
func (v *Verifier) confirmation(set map[string]any) (jkt string, bound bool, err error) {
	value, has := set[v.cfg.ConfirmationClaim]
	if !has {
		return "", false, nil
	}
	cnf, ok := value.(map[string]any)
	if !ok {
		return "", false, unbound("", "%s is not an object", v.cfg.ConfirmationClaim)
	}
	value, has = cnf["jkt"]
	if !has { // bound to something else, such as a certificate
		return "", false, nil
	}
	jkt, _ = value.(string)
	if len(jkt) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return "", false, unbound("", "%s.jkt is not a SHA-256 thumbprint", v.cfg.ConfirmationClaim)
	}
	return jkt, true, nil
}

// bindingError says that the proof may be good, and the token is not.
type bindingError struct{ bearer.TokenError }

func unbound(public, format string, args ...any) error {
	return &bindingError{bearer.TokenError{Reason: "DPoP: " + fmt.Sprintf(format, args...), Public: public}}
}

// Unwrap returns the *bearer.TokenError.
func (e *bindingError) Unwrap() error { return &e.TokenError }

// answer is what the client gets to read of err.
func (v *Verifier) answer(err error) *web.Error {
	if e, ok := errors.AsType[*web.Error](err); ok {
		return e
	}
	code, description := "invalid_dpop_proof", "The DPoP proof is not valid."
	if _, ok := errors.AsType[*bindingError](err); ok {
		code, description = bearer.InvalidToken, "The token is not valid."
	}
	if e, ok := errors.AsType[*bearer.TokenError](err); ok && e.Public != "" {
		description = e.Public
	}
	challenge := bearer.Challenge{Scheme: bearer.DPoP, Realm: v.cfg.Realm, Code: code, Description: description, Algs: strings.Join(v.cfg.Algorithms, " ")}
	return &web.Error{Status: http.StatusUnauthorized, Detail: description, Header: challenge.Header(), Err: err}
}
