package emulator

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator/sigv4"
)

// A KeyPair is what a client signs with. It prints as its access key alone.
type KeyPair struct {
	// AccessKeyID begins with AKIA, or ASIA for temporary credentials.
	AccessKeyID string
	// SecretAccessKey is the secret.
	SecretAccessKey string
	// SessionToken belongs to temporary credentials; otherwise empty.
	SessionToken string
	// Expires is when they end, on the virtual clock; zero is never.
	Expires time.Time
	// PrincipalARN is whose they are.
	PrincipalARN string
}

// String shows the access key alone, under every verb, in slog and in JSON.
func (k KeyPair) String() string { return "[redacted secret of " + k.AccessKeyID + "]" }

// GoString is [KeyPair.String].
func (k KeyPair) GoString() string { return k.String() }

// LogValue is [KeyPair.String].
func (k KeyPair) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes [KeyPair.String].
func (k KeyPair) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%q", k.String()), nil }

// Credentials issues key pairs and lets them die. All methods are safe for
// concurrent use. Get one from [NewCredentials].
type Credentials struct {
	clock   *Clock
	account string
	root    KeyPair

	mu       sync.RWMutex
	keys     map[string]KeyPair
	policies map[string][]Statement
}

// NewCredentials returns an issuer with one pair, [Credentials.Root]. An empty
// account is [DefaultAccountID], a nil clock the computer's.
func NewCredentials(clock *Clock, account string) *Credentials {
	if clock == nil {
		clock = &Clock{}
	}
	if account == "" {
		account = DefaultAccountID
	}
	c := &Credentials{clock: clock, account: account, keys: map[string]KeyPair{}, policies: map[string][]Statement{}}
	c.root = c.Issue("arn:aws:iam::"+account+":user/middy", 0, false)
	return c
}

// Root is a long-lived pair without a session token that may do everything.
func (c *Credentials) Root() KeyPair { return c.root }

// Issue makes a pair for a principal. A ttl above zero ends it on the virtual
// clock; zero never does. A session pair has a token, which every request must carry.
func (c *Credentials) Issue(principalARN string, ttl time.Duration, session bool) KeyPair {
	k := KeyPair{PrincipalARN: principalARN, AccessKeyID: "AKIA" + rand.Text()[:16], SecretAccessKey: secret(30)}
	if session {
		k.AccessKeyID = "ASIA" + k.AccessKeyID[4:]
		k.SessionToken = secret(96)
	}
	if ttl > 0 {
		k.Expires = c.clock.Now().Add(ttl).Truncate(time.Second)
	}
	c.Add(k)
	return k
}

func secret(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: https://pkg.go.dev/crypto/rand#Read
	return base64.StdEncoding.EncodeToString(b)
}

// Add accepts a pair that was made elsewhere, such as one written in a
// developer's shell. It replaces the pair with the same access key.
func (c *Credentials) Add(k KeyPair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[k.AccessKeyID] = k
}

// Expire ends a pair now: requests get ExpiredTokenException. It reports whether
// the pair exists.
func (c *Credentials) Expire(accessKeyID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.keys[accessKeyID]
	if ok {
		k.Expires = c.clock.Now()
		c.keys[accessKeyID] = k
	}
	return ok
}

// Revoke forgets a pair: requests get UnrecognizedClientException. It reports
// whether the pair existed.
func (c *Credentials) Revoke(accessKeyID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.keys[accessKeyID]
	delete(c.keys, accessKeyID)
	delete(c.policies, accessKeyID)
	return ok
}

// lookup answers the verifier.
func (c *Credentials) lookup(accessKeyID string) (sigv4.Credentials, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k, ok := c.keys[accessKeyID]
	return sigv4.Credentials{Secret: k.SecretAccessKey, SessionToken: k.SessionToken, Expires: k.Expires, PrincipalARN: k.PrincipalARN}, ok
}
