package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// DefaultWindow is how far X-Amz-Date may be from the service's clock.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
	DefaultWindow = 5 * time.Minute
	// S3Window is the same for S3.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
	S3Window = 15 * time.Minute
	// STSWindow is the same for STS, which documents none: its refusals in the
	// field say "- 15 min." (https://github.com/aws/aws-cli/issues/6676).
	STSWindow = 15 * time.Minute
	// DefaultMaxBody is what a verifier reads of a body: 10 MiB.
	DefaultMaxBody = 10 << 20
)

// Credentials are what belongs to an access key. They print as [redacted].
type Credentials struct {
	// Secret is the secret access key.
	Secret string
	// SessionToken goes with temporary credentials; empty for long-lived ones.
	SessionToken string
	// Expires is the instant after which they are refused; zero is never.
	Expires time.Time
	// PrincipalARN is whose they are.
	PrincipalARN string
}

// String hides the secrets under every verb, [Credentials.GoString] under %#v,
// [Credentials.LogValue] in slog, [Credentials.MarshalJSON] in JSON.
func (c Credentials) String() string { return "[redacted credentials of " + c.PrincipalARN + "]" }

// GoString is [Credentials.String].
func (c Credentials) GoString() string { return c.String() }

// LogValue is [Credentials.String].
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes [Credentials.String].
func (c Credentials) MarshalJSON() ([]byte, error) { return []byte(`"[redacted credentials]"`), nil }

// Config says what a verifier knows. The zero value refuses everybody.
type Config struct {
	// Lookup finds what was issued with an access key. It is called by many
	// goroutines at once. Nil knows no key.
	Lookup func(accessKeyID string) (Credentials, bool)
	// Now is the service's clock. Default: time.Now.
	Now func() time.Time
	// Window is the tolerance in age, both ways, inclusive. Default: the service's
	// own, [WindowOf]. Negative: age is not checked.
	Window time.Duration
	// MaxBody bounds the body in bytes. Default: 10 MiB. Negative: no bound.
	MaxBody int64
	// Debug adds the canonical request and the string to sign to the message of a
	// mismatch, as some AWS services did. They contain the session token's header.
	Debug bool
}

// An Endpoint is what a request was sent to: what its scope must name.
type Endpoint struct {
	// Service is the signing name, such as "secretsmanager".
	Service string
	// Regions are those the endpoint answers for; empty accepts any.
	Regions []string
	// UnsignedPayload accepts UNSIGNED-PAYLOAD and STREAMING-*. Always true for S3.
	UnsignedPayload bool
}

// A PayloadMode says how the body was bound to the signature.
type PayloadMode int

const (
	// Signed: the body's hash was verified.
	Signed PayloadMode = iota
	// UnsignedBody: the client did not sign the body.
	UnsignedBody
	// Streamed: the client signed chunks, which were not verified.
	Streamed
)

// An Identity is a verified request's origin.
type Identity struct {
	Claim
	// PrincipalARN is whose key it was.
	PrincipalARN string
	// Payload says whether the body is verified, too.
	Payload PayloadMode
}

// A Verifier verifies requests. It is immutable and safe for concurrent use.
type Verifier struct{ cfg Config }

// New returns a verifier. It does no I/O and does not fail.
func New(cfg Config) *Verifier {
	if cfg.Lookup == nil {
		cfg.Lookup = func(string) (Credentials, bool) { return Credentials{}, false }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	return &Verifier{cfg: cfg}
}

// Verify reads the body, bounded, puts it back into r, and returns who signed
// the request. A refusal is an [*Error]; any other error is the connection's.
func (v *Verifier) Verify(r *http.Request, at Endpoint) (*Identity, error) {
	body, err := v.readBody(r)
	if err != nil {
		return nil, err
	}
	now := v.cfg.Now()
	window := v.window(at)
	id, err := v.verify(r, body, at, now, window)
	if refused, ok := errors.AsType[*Error](err); ok {
		refused.ServerTime, refused.Window = now, window
	}
	return id, err
}

func (v *Verifier) window(at Endpoint) time.Duration {
	if v.cfg.Window != 0 {
		return v.cfg.Window
	}
	return WindowOf(at.Service)
}

// WindowOf is the tolerance of the service with that signing name.
func WindowOf(service string) time.Duration {
	switch service {
	case "s3":
		return S3Window
	case "sts":
		return STSWindow
	default:
		return DefaultWindow
	}
}

func (v *Verifier) readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	src := io.Reader(r.Body)
	if v.cfg.MaxBody > 0 {
		src = io.LimitReader(src, v.cfg.MaxBody+1)
	}
	body, err := io.ReadAll(src)
	if err != nil {
		return nil, err
	}
	if v.cfg.MaxBody > 0 && int64(len(body)) > v.cfg.MaxBody {
		return nil, refuse(TooLarge, "Request body is larger than %d bytes.", v.cfg.MaxBody)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

func (v *Verifier) verify(r *http.Request, body []byte, at Endpoint, now time.Time, window time.Duration) (*Identity, error) {
	c, err := parse(r)
	if err != nil {
		return nil, err
	}
	if err := checkAge(&c, now, window); err != nil {
		return nil, err
	}
	if err := checkShape(r, &c); err != nil {
		return nil, err
	}
	if err := checkScope(&c, at); err != nil {
		return nil, err
	}
	creds, err := v.credentials(&c, now)
	if err != nil {
		return nil, err
	}
	hash, mode, err := payloadHash(r, &c, body, at)
	if err != nil {
		return nil, err
	}
	if err := v.checkSignature(r, &c, creds.Secret, hash); err != nil {
		return nil, err
	}
	return &Identity{Claim: c.Claim, PrincipalARN: creds.PrincipalARN, Payload: mode}, nil
}

// checkAge compares whole seconds: a signature made at 12:00:00.9 says 12:00:00,
// and must not look a second old to a window of one.
func checkAge(c *parsed, now time.Time, window time.Duration) error {
	if window < 0 {
		return nil
	}
	age := now.UTC().Truncate(time.Second).Sub(c.SignedAt)
	switch {
	case age < -window:
		return c.refuse(NotYetCurrent, "%s", NotYetCurrentMessage(c.SignedAt, now, window))
	case c.Expires > 0 && age > c.Expires:
		return c.refuse(PresignExpired, "%s", ExpiredMessage(c.SignedAt, now, c.Expires))
	case c.Expires == 0 && age > window:
		return c.refuse(Expired, "%s", ExpiredMessage(c.SignedAt, now, window))
	}
	return nil
}

func checkShape(r *http.Request, c *parsed) error {
	if !slices.Contains(c.SignedHeaders, "host") && !slices.Contains(c.SignedHeaders, ":authority") {
		return c.refuse(Unsigned, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if c.algorithm != algorithm {
		return c.refuse(Incomplete, "Unsupported AWS 'algorithm': '%s' (only AWS4-HMAC-SHA256 for now). ", c.algorithm)
	}
	if c.AccessKeyID == "" {
		return c.refuse(Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", c.credential)
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && name != "x-amz-content-sha256" && !slices.Contains(c.SignedHeaders, name) {
			return c.refuse(Unsigned, "There were headers present in the request which were not signed: %s", name)
		}
	}
	return nil
}

// checkScope collects everything that is wrong with the scope into one message,
// as AWS does.
func checkScope(c *parsed, at Endpoint) error {
	var wrong []string
	if len(at.Regions) > 0 && !slices.Contains(at.Regions, c.Region) {
		wrong = append(wrong, "Credential should be scoped to a valid region, not '"+c.Region+"'.")
	}
	if at.Service != "" && c.Service != at.Service {
		wrong = append(wrong, "Credential should be scoped to correct service: '"+at.Service+"'.")
	}
	if c.Terminator != terminator {
		wrong = append(wrong, "Credential should be scoped with a valid terminator: 'aws4_request', not '"+c.Terminator+"'.")
	}
	if day := c.SignedAt.Format("20060102"); c.Date != day {
		wrong = append(wrong, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+
			c.Date+"' != '"+day+"', from '"+c.SignedAt.Format(basicTime)+"'.")
	}
	if len(wrong) == 0 {
		return nil
	}
	return c.refuse(Scope, "%s", strings.Join(wrong, " "))
}

func (v *Verifier) credentials(c *parsed, now time.Time) (Credentials, error) {
	creds, ok := v.cfg.Lookup(c.AccessKeyID)
	if !ok || creds.Secret == "" {
		return Credentials{}, c.refuse(UnknownKey, "The security token included in the request is invalid.")
	}
	if subtle.ConstantTimeCompare([]byte(c.token), []byte(creds.SessionToken)) != 1 {
		return Credentials{}, c.refuse(WrongToken, "The security token included in the request is invalid.")
	}
	if !creds.Expires.IsZero() && !now.Before(creds.Expires) {
		return Credentials{}, c.refuse(TokenExpired, "The security token included in the request is expired")
	}
	return creds, nil
}

const unsignedPayload = "UNSIGNED-PAYLOAD"

func payloadHash(r *http.Request, c *parsed, body []byte, at Endpoint) (string, PayloadMode, error) {
	s3 := c.Service == "s3"
	declared := r.Header.Get("X-Amz-Content-Sha256")
	if declared == "" && c.Presigned {
		declared = parseQuery(r.URL.RawQuery).get("X-Amz-Content-Sha256")
	}
	if declared == "" && c.Presigned && s3 {
		declared = unsignedPayload
	}
	if s3 || at.UnsignedPayload {
		switch {
		case declared == unsignedPayload:
			return declared, UnsignedBody, nil
		case strings.HasPrefix(declared, "STREAMING-"):
			return declared, Streamed, nil
		}
	}
	sum := sha256.Sum256(body)
	actual := hex.EncodeToString(sum[:])
	if declared != "" && subtle.ConstantTimeCompare([]byte(declared), []byte(actual)) != 1 {
		return "", 0, c.refuse(Payload, mismatchMessage)
	}
	return actual, Signed, nil
}

func (v *Verifier) checkSignature(r *http.Request, c *parsed, secret, hash string) error {
	canonical, absent := canonicalRequest(r, c, hash)
	if absent != "" {
		return c.refuse(Mismatch, mismatchMessage)
	}
	toSign := stringToSign(c, canonical)
	want := hex.EncodeToString(hmacSHA256(signingKey(secret, c), toSign)) // lower case, as the algorithm's Hex() is
	if hmac.Equal([]byte(c.signature), []byte(want)) {
		return nil
	}
	if v.cfg.Debug {
		return c.refuse(Mismatch, "%s\n\nThe Canonical String for this request should have been\n'%s'\n\nThe String-to-Sign should have been\n'%s'\n",
			mismatchMessage, canonical, toSign)
	}
	return c.refuse(Mismatch, mismatchMessage)
}

func stringToSign(c *parsed, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	scope := strings.Join([]string{c.Date, c.Region, c.Service, c.Terminator}, "/")
	return strings.Join([]string{c.algorithm, c.SignedAt.Format(basicTime), scope, hex.EncodeToString(sum[:])}, "\n")
}

func signingKey(secret string, c *parsed) []byte {
	key := hmacSHA256([]byte("AWS4"+secret), c.Date)
	key = hmacSHA256(key, c.Region)
	key = hmacSHA256(key, c.Service)
	return hmacSHA256(key, c.Terminator)
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
