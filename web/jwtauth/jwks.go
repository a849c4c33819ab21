package jwtauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gomiddy/middy/web/internal/claims"
	"github.com/gomiddy/middy/web/internal/jose"
)

// maxKeys is more than any issuer has; each is parsed when the set arrives.
const maxKeys = 256

// keySet is the key set at one URL, as it was last fetched.
type keySet struct {
	cfg   *Config
	url   string
	parse func([]byte) (*keyDoc, error)

	mu        sync.Mutex
	doc       *keyDoc   // the last good one
	attempted time.Time // when the last fetch began, good or not
	failed    error     // why the last fetch failed
	flight    *flight
}

type flight struct {
	done chan struct{}
	// The rest is set before done is closed.
	doc       *keyDoc
	err       error
	abandoned bool // the deadline of the request that fetched has passed; those of others have not
}

type keyDoc struct {
	keys []*jwk
	only bool      // the set has one key in all
	at   time.Time // when the fetch began
}

// jwk is a key of a key set: RFC 7517 section 4. Secrets, which a public set cannot
// have, are not even read.
type jwk struct {
	Use    string   `json:"use"`
	KeyOps []string `json:"key_ops"`
	Alg    string   `json:"alg"`
	Kid    *string  `json:"kid"`
	jose.Key

	key any
	err error
}

// signs reports whether the set says that the key is for signatures, or does not
// say.
func (k *jwk) signs() bool {
	return (k.Use == "" || k.Use == "sig") && (len(k.KeyOps) == 0 || slices.Contains(k.KeyOps, "verify"))
}

// has reports whether the set has a key that a token with that kid names.
func (d *keyDoc) has(kid *string) bool {
	return slices.ContainsFunc(d.keys, func(k *jwk) bool { return d.named(k, kid) })
}

// named reports whether a token with that kid names k. One without a kid names a key
// without one, and the only key of a set: OpenID Connect Core section 10.1 asks for a
// kid when there are several.
func (d *keyDoc) named(k *jwk, kid *string) bool {
	if kid == nil {
		return k.Kid == nil || d.only
	}
	return k.Kid != nil && *k.Kid == *kid
}

// get returns a set that has the key, if one can be had, or else the newest. It
// fetches when the set is not fresh, or lacks the key and was not just fetched.
func (s *keySet) get(ctx context.Context, kid *string) (*keyDoc, error) {
	for again := false; ; again = true {
		s.mu.Lock()
		if doc := s.good(kid); doc != nil {
			s.mu.Unlock()
			return doc, nil
		}
		f, mine := s.flight, false
		if f == nil {
			if err := s.failed; err != nil && !again && s.since() < min(s.cfg.Cooldown, emptyCooldown) {
				s.mu.Unlock()
				return nil, unavailable(err)
			}
			f, mine = &flight{done: make(chan struct{})}, true
			s.flight, s.attempted, s.failed = f, s.now(), nil
		}
		s.mu.Unlock()
		if mine {
			s.lead(ctx, f)
			return s.landed(f)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		}
		if f.abandoned {
			continue // whoever waited takes over
		}
		return s.landed(f)
	}
}

// prefetch fetches the set, and remembers no failure: the first request tries again.
func (s *keySet) prefetch(ctx context.Context) error {
	_, err := s.get(ctx, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = nil
	return err
}

// emptyCooldown is how long a failure is remembered when there is no set to go on with:
// long enough that tokens nobody signed do not wait for a broken server one after the
// other, and short enough that a hiccup at cold start is no outage.
const emptyCooldown = 2 * time.Second

func unavailable(err error) error {
	return &KeyError{Reason: "JWKS fetch failed", Temporary: true, Err: err}
}

// good is the set, when it will do without a fetch. s.mu is held.
func (s *keySet) good(kid *string) *keyDoc {
	if s.doc == nil {
		return nil
	}
	age, has := s.now().Sub(s.doc.at), s.doc.has(kid)
	fresh := age >= 0 && age <= s.cfg.CacheExpiry // a clock that was set back makes nothing fresh
	if fresh && has {
		return s.doc
	}
	// A key that is not there may be in the set that is on its way.
	if (has || s.flight == nil) && s.since() < s.cfg.Cooldown && s.usable(s.doc) {
		return s.doc
	}
	return nil
}

// since is how long ago the last fetch began: for ever, when the clock was set back.
func (s *keySet) since() time.Duration {
	if d := s.now().Sub(s.attempted); d >= 0 {
		return d
	}
	return math.MaxInt64
}

func (s *keySet) usable(doc *keyDoc) bool {
	return s.now().Sub(doc.at) <= s.cfg.CacheExpiry+s.cfg.MaxStale
}

// now is the wall clock: the monotonic one stands still in a freeze.
func (s *keySet) now() time.Time { return s.cfg.Now().Round(0) }

// lead fetches for all who wait on f, in the caller's goroutine.
func (s *keySet) lead(ctx context.Context, f *flight) {
	f.err = errors.New("the fetch panicked") // unless it did not
	defer func() {
		s.mu.Lock()
		if f.err == nil {
			f.doc.at = s.attempted
			s.doc = f.doc
		}
		s.flight = nil
		s.mu.Unlock()
		close(f.done)
	}()
	f.doc, f.err = s.fetch(ctx)
	deadline, bounded := ctx.Deadline()
	f.abandoned = bounded && !time.Now().Before(deadline)
	s.mu.Lock()
	s.failed = f.err
	s.mu.Unlock()
}

// landed is the result of a flight: a set that is too old is better than none,
// for as long as MaxStale says.
func (s *keySet) landed(f *flight) (*keyDoc, error) {
	if f.err == nil {
		return f.doc, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doc != nil && s.usable(s.doc) {
		return s.doc, nil
	}
	return nil, unavailable(f.err)
}

// fetch keeps to the deadline of ctx, and not to its cancellation: a client that hangs
// up must not use up the cooldown, since it would keep a new key unseen and an old one
// in use for everybody.
func (s *keySet) fetch(ctx context.Context) (*keyDoc, error) {
	deadline, bounded := ctx.Deadline()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.FetchTimeout)
	defer cancel()
	if bounded {
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.cfg.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: HTTP %d", s.url, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, s.cfg.MaxJWKSBytes+1)) //mutate:equivalent `1 -> (1+1)`: more than the limit either way
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > s.cfg.MaxJWKSBytes {
		return nil, fmt.Errorf("%s: more than %d bytes", s.url, s.cfg.MaxJWKSBytes)
	}
	doc, err := s.parse(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.url, err)
	}
	return doc, nil
}

func parseJWKS(body []byte) (*keyDoc, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("invalid JWKS document: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("invalid JWKS document: missing keys array")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, more than %d", len(set.Keys), maxKeys)
	}
	doc := &keyDoc{only: len(set.Keys) == 1}
	for _, raw := range set.Keys {
		k := &jwk{}
		// RFC 7517 section 5: what is not understood is ignored.
		if _, err := claims.Object(raw); err != nil || json.Unmarshal(raw, k) != nil {
			continue
		}
		k.key, k.err = k.Public()
		doc.keys = append(doc.keys, k)
	}
	return doc, nil
}

// choose returns the keys of that id that may verify alg. The error is that of
// the first that may not.
func (d *keyDoc) choose(kid *string, alg string, allowed []string) ([]any, error) {
	var keys []any
	var first error
	for _, k := range d.keys {
		if !d.named(k, kid) {
			continue
		}
		if err := k.allows(alg, allowed); err == nil {
			keys = append(keys, k.key)
		} else if first == nil {
			first = err
		}
	}
	switch {
	case len(keys) > 0:
		return keys, nil
	case first != nil:
		return nil, first
	case kid == nil:
		return nil, &TokenError{Reason: "No key in JWKS without kid, and the token has none"}
	}
	return nil, &TokenError{Reason: fmt.Sprintf("No key in JWKS with kid %.64q", *kid)}
}

// allows pins one algorithm to the key: the one that the set says, or else the
// only one that is both allowed and of the key's kind. RFC 8725 section 3.1: each
// key with exactly one algorithm.
func (k *jwk) allows(alg string, allowed []string) error {
	if !k.signs() {
		return &TokenError{Reason: "the JWK is not for signatures: its use or key_ops say so"}
	}
	if k.Alg != "" && !slices.Contains(allowed, k.Alg) {
		return &TokenError{Reason: fmt.Sprintf("JWK alg %.64q not in configured allowlist", k.Alg)}
	}
	if k.err != nil {
		return &TokenError{Reason: "JWK import failed: " + k.err.Error(), Err: k.err}
	}
	pinned := k.Alg
	if pinned == "" {
		fitting := slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return !jose.Fits(k.key, a) })
		if len(fitting) > 1 {
			return &TokenError{Reason: "JWK omits 'alg' and multiple algorithms configured; cannot disambiguate"}
		}
		if len(fitting) == 1 {
			pinned = fitting[0]
		}
	}
	if pinned != alg || !jose.Fits(k.key, alg) {
		return errAlgorithm
	}
	return nil
}

// fetcher is the client for key sets, with redirects watched.
func (c Config) fetcher() *http.Client {
	client := &http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true, // the next fetch is minutes away, and a freeze between
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}}
	if c.Client != nil {
		copied := *c.Client
		client = &copied
	}
	theirs := client.CheckRedirect
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("more than 3 redirects")
		}
		if err := c.mayFetch(req.URL); err != nil {
			return err
		}
		if theirs != nil {
			return theirs(req, via)
		}
		return nil
	}
	return client
}
