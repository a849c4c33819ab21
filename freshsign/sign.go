package freshsign

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	// staleAfter is the age at which a signature is renewed when its connection is handed out. An ordinary
	// handshake is faster.
	staleAfter = time.Second

	// expiryMargin is how long before their end credentials count as dead: the request still has to arrive.
	expiryMargin = 5 * time.Second

	dateHeader  = "X-Amz-Date"
	authHeader  = "Authorization"
	tokenHeader = "X-Amz-Security-Token"
	dateLayout  = "20060102T150405Z"
)

// httpSigner is the method that every service's HTTPSignerV4 interface consists of.
type httpSigner interface {
	SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string, signingTime time.Time, optFns ...func(*v4.SignerOptions)) error
}

// A call is one operation of a client, with all its passes and attempts.
type call struct {
	engine *engine
	pass   int

	mu       sync.Mutex // a user's HTTP client may send from several goroutines
	sig      signature
	x        exchange
	provider aws.CredentialsProvider
	v4a      bool

	refused        bool // a request was held back because its credentials died; at most once a call
	renewedSession bool // the credentials were renewed; at most once a call
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// A signature is what was signed, and everything needed to sign it again.
type signature struct {
	signer  httpSigner
	req     *http.Request
	creds   aws.Credentials
	hash    string
	service string
	region  string
	options []func(*v4.SignerOptions)
	at      moment
}

// renewable reports whether a new signature may replace this one. The seed signature of a stream is chained to the
// chunks that follow it; everything else depends on headers and the payload's hash only.
func (s *signature) renewable() bool {
	return s.signer != nil && s.hash != "" && !strings.HasPrefix(s.hash, "STREAMING-")
}

// stale reports whether the signature must not leave at now.
func (s *signature) stale(now moment) bool {
	return now.epoch != s.at.epoch || now.wall.Sub(s.at.wall).Abs() > staleAfter
}

// died reports whether the credentials were alive at the signature and are not at now. Credentials that look dead
// already when signing are left alone: then it is our clock that is wrong, or nobody has better ones.
func (s *signature) died(now moment) bool {
	dead := func(at moment) bool { return at.service().After(s.creds.Expires.Add(-expiryMargin)) }
	return s.creds.CanExpire && dead(now) && !dead(s.at)
}

// signedAt is when the current signature for host was made; now, if the client's signer is not ours.
func (c *call) signedAt(host string) moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sig.signer == nil {
		return c.engine.look(host)
	}
	return c.sig.at
}

// A signer signs by our clock and the offset of the host that the request goes to, and remembers what it signed.
type signer struct {
	next     httpSigner
	engine   *engine
	provider aws.CredentialsProvider
	v4a      bool // the SDK corrects skew for this service, in vain: its V4 signatures are made by our clock
}

func (s *signer) SignHTTP(ctx context.Context, creds aws.Credentials, r *http.Request, hash, service, region string, at time.Time, optFns ...func(*v4.SignerOptions)) error {
	c := callFrom(ctx)
	if c == nil { // not an operation's request: somebody else's use of the client's signer
		return s.next.SignHTTP(ctx, creds, r, hash, service, region, at, optFns...)
	}
	now := s.engine.look(r.URL.Host)
	if err := s.next.SignHTTP(ctx, creds, r, hash, service, region, now.service(), optFns...); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.provider, c.v4a = s.provider, s.v4a
	c.sig = signature{
		signer: s.next, req: r, creds: creds, hash: hash, service: service, region: region,
		options: optFns, at: now,
	}
	return nil
}

// renew signs again, as of now, exactly the headers that were signed before, and puts the result into live, the
// headers that are about to be sent. Headers that others added since stay unsigned.
func (s *signature) renew(ctx context.Context, now moment, live http.Header) bool {
	signed := signedHeaders(live.Get(authHeader))
	if len(signed) == 0 {
		return false
	}
	header := make(http.Header, len(live))
	for name, values := range live {
		if slices.Contains(signed, strings.ToLower(name)) {
			header[name] = slices.Clone(values)
		}
	}
	url := *s.req.URL
	r := &http.Request{Method: s.req.Method, URL: &url, Host: s.req.Host, Header: header, ContentLength: s.req.ContentLength}
	if err := s.signer.SignHTTP(ctx, s.creds, r, s.hash, s.service, s.region, now.service(), s.options...); err != nil {
		return false
	}
	for _, name := range []string{authHeader, dateHeader, tokenHeader} {
		if v, ok := header[name]; ok {
			live[name] = v
		}
	}
	s.at = now
	return true
}

// signedHeaders returns the names in an Authorization header's SignedHeaders, in lower case, or nil.
func signedHeaders(authorization string) []string {
	_, rest, ok := strings.Cut(authorization, "SignedHeaders=")
	if !ok {
		return nil
	}
	list, _, _ := strings.Cut(rest, ",")
	if list = strings.TrimSpace(list); list == "" {
		return nil
	}
	return strings.Split(list, ";")
}
