// Package pasetoauth lets a request through when its PASETO, version 4, is
// genuine, for you, and still valid.
//
// PASETO leaves a token no say in how it is verified: v4.public is Ed25519 and
// v4.local is XChaCha20 with BLAKE2b, and that is all. What is left to get wrong
// is to accept both purposes where one was meant, to skip the claims, and to
// throw the footer away, which names the key. Here the keys that are set are the
// purposes that are accepted.
//
//	auth := pasetoauth.New(pasetoauth.Config{
//		Key:        pasetoauth.Key{Public: params.Bytes(store, ref).Lookup},
//		Audience:   []string{"orders"},
//		RequireExp: true,
//	})
//
// The handler reads the claims with [Decode] or [Claims]. Specification:
// https://github.com/paseto-standard/paseto-spec
//
// # Differences from Middy's http-paseto
//
//   - v4.local, keys by the footer's kid, implicit assertions, RequireExp and several
//     audiences and issuers are there; the footer is kept.
//   - A token has one spelling: base64 is decoded strictly, an empty footer has no period,
//     and junk after the token makes it invalid. Claims, and members of a footer that is
//     JSON, come once, also by case, so that Claims, Decode and the checks read the same.
//   - ClockTolerance makes MaxTokenAge more lenient, as it does exp. In Middy it
//     makes it stricter.
//   - Times are RFC 3339, as the specification says, and not whatever JavaScript's
//     Date or Go's time.Parse takes.
//   - A 401 has WWW-Authenticate. Cookies of API 2.0 events are read.
package pasetoauth

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"aidanwoods.dev/go-paseto"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20"

	"github.com/gomiddy/middy/web/internal/claims"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// Config of [New]. A key is required, in Key or in Keys.
type Config struct {
	// Key verifies tokens whose footer names no key, and all tokens while Keys is
	// empty.
	Key Key
	// Keys by the kid in the token's footer, a JSON object. When it is not empty, a
	// kid that is not in it is refused. The footer may only select among these keys:
	// it is verified with the token afterwards.
	Keys map[string]Key

	// Sources of the token. Default: the Authorization header.
	Sources bearer.Sources
	// MaxTokenBytes is the longest token that is looked at. Default: 16 KiB.
	MaxTokenBytes int

	// Implicit returns the implicit assertion, which is signed and not sent: a
	// tenant, say, from the request's host. Default: none. An error of its own is the
	// answer when it is a *web.Error, and otherwise a 401.
	Implicit func(r *http.Request) ([]byte, error)

	// Issuer lists the iss that are accepted. Default: any.
	Issuer []string
	// Audience lists the aud that are accepted. Default: any.
	Audience []string
	// ClockTolerance is how far the issuer's clock may be off. Default: none.
	ClockTolerance time.Duration
	// RequireExp refuses a token without exp, which would be valid for ever.
	RequireExp bool
	// MaxTokenAge refuses a token whose iat is older, or missing. Default: no limit.
	MaxTokenAge time.Duration
	// Check has the last word on a token that is valid so far. A *web.Error is the
	// answer as it is, any other error a 401 with it as the reason.
	Check func(ctx context.Context, t *Token) error

	// Realm goes into WWW-Authenticate. Public.
	Realm string

	// DPoP also accepts the scheme DPoP, for tokens that are bound to a key. Put package
	// dpop inside, which checks the proof: without it such a token is a bearer token.
	DPoP bool

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// A Key is what tokens are verified with. What is set is what is accepted. Both
// functions are called for every token, so they should cache; those of a
// params.Value do.
type Key struct {
	// Public returns the Ed25519 key for v4.public: its 32 bytes, or a
	// SubjectPublicKeyInfo (RFC 8410) in DER, as KMS gives it out, or in PEM.
	Public func(ctx context.Context) ([]byte, error)
	// Local returns the 32 secret bytes for v4.local.
	Local func(ctx context.Context) ([]byte, error)
}

func (k Key) empty() bool { return k.Public == nil && k.Local == nil }

// Static returns a source that always gives the same key.
func Static(key []byte) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return key, nil }
}

// Validate reports everything that is wrong, joined.
func (c Config) Validate() error {
	errs := []error{c.Sources.Validate()}
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf("pasetoauth: "+format, args...)) }
	if c.Key.empty() && len(c.Keys) == 0 {
		add("no key source configured: set Key or Keys")
	}
	for _, kid := range slices.Sorted(maps.Keys(c.Keys)) {
		if c.Keys[kid].empty() {
			add("Keys[%q] has neither Public nor Local", kid)
		}
	}
	if c.ClockTolerance < 0 || c.MaxTokenAge < 0 {
		add("ClockTolerance and MaxTokenAge must be >= 0")
	}
	if c.MaxTokenBytes < 0 {
		add("MaxTokenBytes must be >= 0: the limit cannot be switched off")
	}
	return errors.Join(errs...)
}

// New returns the middleware. It panics with the error of [Config.Validate].
// Put it outside everything that trusts the caller.
func New(cfg Config) func(http.Handler) http.Handler {
	return NewVerifier(cfg).Handler
}

// A Verifier verifies tokens apart from a request: in a Lambda authorizer, or for
// a WebSocket's $connect. It is safe for concurrent use.
type Verifier struct {
	cfg   Config
	guard func(http.Handler) http.Handler
}

// NewVerifier is [New] for those who need more than the middleware. It panics
// with the error of [Config.Validate].
func NewVerifier(cfg Config) *Verifier {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxTokenBytes == 0 {
		cfg.MaxTokenBytes = 16 << 10
	}
	cfg.Keys, cfg.Issuer, cfg.Audience = maps.Clone(cfg.Keys), slices.Clone(cfg.Issuer), slices.Clone(cfg.Audience)
	v := &Verifier{cfg: cfg}
	v.guard = bearer.New(bearer.Config{Sources: cfg.Sources, MaxTokenBytes: cfg.MaxTokenBytes, Realm: cfg.Realm, DPoP: cfg.DPoP, Verify: v.verify})
	return v
}

// Handler is the middleware.
func (v *Verifier) Handler(next http.Handler) http.Handler { return v.guard(next) }

func (v *Verifier) verify(r *http.Request, token string) (context.Context, error) {
	var implicit []byte
	if v.cfg.Implicit != nil {
		var err error
		if implicit, err = v.cfg.Implicit(r); err != nil {
			return nil, err
		}
	}
	t, err := v.Verify(r.Context(), token, implicit)
	if err != nil {
		return nil, err
	}
	return context.WithValue(r.Context(), tokenKey{}, t), nil
}

// Verify verifies a token with the implicit assertion, nil for none. The error is
// a *bearer.TokenError when the token is to blame, a *bearer.KeyError when it
// could not be judged, or what Config.Check returned.
func (v *Verifier) Verify(ctx context.Context, token string, implicit []byte) (*Token, error) {
	if len(token) > v.cfg.MaxTokenBytes {
		return nil, &bearer.TokenError{Reason: fmt.Sprintf("the token has %d bytes, more than MaxTokenBytes, %d", len(token), v.cfg.MaxTokenBytes), Public: "The token is too long."}
	}
	t, err := v.open(ctx, token, implicit)
	if err != nil {
		return nil, err
	}
	if t.Claims, err = claims.Set(t.raw); err != nil {
		return nil, &bearer.TokenError{Reason: "All PASETO payloads MUST be a JSON object", Err: err}
	}
	if _, err := footerObject(t.Footer); err != nil {
		return nil, &bearer.TokenError{Reason: "the footer is refused", Err: err}
	}
	if err := v.check(t.Claims); err != nil {
		return nil, err
	}
	if v.cfg.Check != nil {
		if err := v.cfg.Check(ctx, t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// open verifies or decrypts a token, and leaves its claims alone.
func (v *Verifier) open(ctx context.Context, token string, implicit []byte) (*Token, error) {
	// go-paseto's own rules go by time.Now, and accept claims of the wrong type.
	parser := paseto.NewParserWithoutExpiryCheck()
	switch {
	case strings.HasSuffix(token, "."): // an empty footer has no period: a token has one spelling
		return nil, &bearer.TokenError{Reason: "invalid signature"}
	case strings.HasPrefix(token, "v4.public."):
		key, err := v.key(parser, paseto.V4Public, token)
		if err != nil {
			return nil, err
		}
		if key.Public == nil {
			break
		}
		public, err := publicKey(ctx, key.Public)
		if err != nil {
			return nil, err
		}
		t, err := parser.ParseV4Public(public, token, implicit)
		return opened(t, err, func(payload []byte) ([]byte, error) { return payload[:len(payload)-ed25519.SignatureSize], nil }, token)
	case strings.HasPrefix(token, "v4.local."):
		key, err := v.key(parser, paseto.V4Local, token)
		if err != nil {
			return nil, err
		}
		if key.Local == nil {
			break
		}
		local, err := localKey(ctx, key.Local)
		if err != nil {
			return nil, err
		}
		t, err := parser.ParseV4Local(local, token, implicit)
		return opened(t, err, func(payload []byte) ([]byte, error) { return decrypt(local.ExportBytes(), payload) }, token)
	}
	return nil, &bearer.TokenError{Reason: "Unsupported PASETO version or purpose"}
}

// opened is a token that go-paseto has found genuine, with its claims as they are
// written: go-paseto keeps one of two claims with the same name.
func opened(t *paseto.Token, err error, text func(payload []byte) ([]byte, error), token string) (*Token, error) {
	if err != nil {
		return nil, &bearer.TokenError{Reason: "invalid signature", Err: err}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[2])
	if err != nil {
		return nil, &bearer.TokenError{Reason: "invalid signature", Err: err}
	}
	raw, err := text(payload)
	if err != nil {
		return nil, &bearer.TokenError{Reason: "invalid signature", Err: err}
	}
	return &Token{Footer: t.Footer(), raw: raw}, nil
}

// decrypt is the plaintext of a v4.local payload whose tag has been verified:
// https://github.com/paseto-standard/paseto-spec/blob/master/docs/01-Protocol-Versions/Version4.md
func decrypt(key, payload []byte) ([]byte, error) {
	const nonceSize, tagSize = 32, 32
	hash, err := blake2b.New(chacha20.KeySize+chacha20.NonceSizeX, key)
	if err != nil {
		return nil, err
	}
	hash.Write([]byte("paseto-encryption-key"))
	hash.Write(payload[:nonceSize])
	derived := hash.Sum(nil)
	stream, err := chacha20.NewUnauthenticatedCipher(derived[:chacha20.KeySize], derived[chacha20.KeySize:])
	if err != nil {
		return nil, err
	}
	text := payload[nonceSize : len(payload)-tagSize]
	stream.XORKeyStream(text, text)
	return text, nil
}

// key selects by the footer, which is not verified yet.
func (v *Verifier) key(parser paseto.Parser, protocol paseto.Protocol, token string) (Key, error) {
	if len(v.cfg.Keys) == 0 {
		return v.cfg.Key, nil
	}
	footer, err := parser.UnsafeParseFooter(protocol, token)
	if err != nil {
		return Key{}, &bearer.TokenError{Reason: "invalid signature", Err: err}
	}
	object, err := footerObject(footer)
	if err != nil {
		return Key{}, &bearer.TokenError{Reason: "the footer is refused", Err: err}
	}
	kid, ok := object["kid"].(string)
	if !ok {
		if v.cfg.Key.empty() {
			return Key{}, &bearer.TokenError{Reason: "the token's footer names no key"}
		}
		return v.cfg.Key, nil
	}
	key, ok := v.cfg.Keys[kid]
	if !ok {
		return Key{}, &bearer.TokenError{Reason: fmt.Sprintf("no key with kid %.64q", kid)}
	}
	return key, nil
}

// footerObject is a footer that is a JSON object; any other text is nil and no error.
func footerObject(footer []byte) (map[string]any, error) {
	if !json.Valid(footer) || !bytes.HasPrefix(bytes.TrimSpace(footer), []byte("{")) {
		return nil, nil
	}
	return claims.Object(footer)
}

func publicKey(ctx context.Context, source func(context.Context) ([]byte, error)) (paseto.V4AsymmetricPublicKey, error) {
	var none paseto.V4AsymmetricPublicKey
	b, err := source(ctx)
	if err != nil {
		return none, &bearer.KeyError{Reason: "Key.Public failed", Temporary: true, Err: err}
	}
	key, err := parsePublicKey(b)
	if err != nil {
		return none, &bearer.KeyError{Reason: "the public key cannot be used", Err: err}
	}
	return paseto.NewV4AsymmetricPublicKeyFromEd25519(key)
}

func parsePublicKey(b []byte) (ed25519.PublicKey, error) {
	if len(b) == ed25519.PublicKeySize {
		return ed25519.PublicKey(b), nil
	}
	if block, _ := pem.Decode(b); block != nil && block.Type == "PUBLIC KEY" {
		b = block.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("neither 32 bytes nor a SubjectPublicKeyInfo: %w", err)
	}
	ed, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%T, and v4.public needs an Ed25519 key", key)
	}
	return ed, nil
}

func localKey(ctx context.Context, source func(context.Context) ([]byte, error)) (paseto.V4SymmetricKey, error) {
	var none paseto.V4SymmetricKey
	b, err := source(ctx)
	if err != nil {
		return none, &bearer.KeyError{Reason: "Key.Local failed", Temporary: true, Err: err}
	}
	if len(b) != 32 { // before go-paseto, which makes a random key in place of a bad one
		return none, &bearer.KeyError{Reason: fmt.Sprintf("the local key has %d bytes, not 32", len(b))}
	}
	return paseto.V4SymmetricKeyFromBytes(b)
}
