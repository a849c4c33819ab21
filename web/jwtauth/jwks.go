package jwtauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxKeys is more than any issuer has; each is parsed when the set arrives.
const maxKeys = 256

// keySet is the key set of one issuer, as it was last fetched.
type keySet struct {
	cfg Config
	url string

	mu        sync.Mutex
	doc       *keyDoc   // the last good one
	attempted time.Time // when the last fetch began, good or not
	flight    *flight
}

type flight struct {
	done chan struct{}
	// The rest is set before done is closed.
	doc       *keyDoc
	err       error
	abandoned bool // the request that fetched is over; those that waited are not
}

type keyDoc struct {
	keys []*jwk
	at   time.Time // when the fetch began
}

func newKeySet(cfg Config, url string) *keySet { return &keySet{cfg: cfg, url: url} }

// has reports whether the set has a key of that id. A token without kid asks for
// a key without one.
func (d *keyDoc) has(kid *string) bool {
	return slices.ContainsFunc(d.keys, func(k *jwk) bool { return same(k.Kid, kid) })
}

func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// get returns a set that has the key, if one can be had, or else the newest. It
// fetches when the set is not fresh, or lacks the key and was not just fetched.
func (s *keySet) get(ctx context.Context, kid *string) (*keyDoc, error) {
	for {
		s.mu.Lock()
		if doc := s.good(kid); doc != nil {
			s.mu.Unlock()
			return doc, nil
		}
		f, mine := s.flight, false
		if f == nil {
			f, mine = &flight{done: make(chan struct{})}, true
			s.flight, s.attempted = f, s.now()
		}
		s.mu.Unlock()
		if mine {
			s.lead(ctx, f)
			return s.landed(f)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, &KeyError{Reason: "JWKS fetch failed", Temporary: true, Err: ctx.Err()}
		}
		if f.abandoned {
			continue
		}
		return s.landed(f)
	}
}

// good is the set, when it will do without a fetch. s.mu is held.
func (s *keySet) good(kid *string) *keyDoc {
	if s.doc == nil {
		return nil
	}
	age, since := s.now().Sub(s.doc.at), s.now().Sub(s.attempted)
	fresh := age >= 0 && age <= s.cfg.CacheExpiry // a clock that was set back makes nothing fresh
	cooling := since >= 0 && since < s.cfg.Cooldown
	if fresh && (cooling || s.doc.has(kid)) || cooling && s.usable(s.doc) {
		return s.doc
	}
	return nil
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
	f.abandoned = f.err != nil && ctx.Err() != nil
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
	return nil, &KeyError{Reason: "JWKS fetch failed", Temporary: true, Err: f.err}
}

func (s *keySet) fetch(ctx context.Context) (*keyDoc, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.FetchTimeout)
	defer cancel()
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
	body, err := io.ReadAll(io.LimitReader(resp.Body, s.cfg.MaxJWKSBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > s.cfg.MaxJWKSBytes {
		return nil, fmt.Errorf("%s: more than %d bytes", s.url, s.cfg.MaxJWKSBytes)
	}
	doc, err := parseJWKS(body)
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
	doc := &keyDoc{}
	for _, raw := range set.Keys {
		k := &jwk{}
		if err := json.Unmarshal(raw, k); err != nil {
			continue // RFC 7517 section 5: what is not understood is ignored
		}
		k.key, k.err = k.parse()
		doc.keys = append(doc.keys, k)
	}
	return doc, nil
}

// choose returns the keys of that id that may verify alg. The error is that of
// the first that may not.
func (d *keyDoc) choose(kid *string, alg string, allowed []string) (any, error) {
	var keys []jwt.VerificationKey
	var first error
	for _, k := range d.keys {
		if !same(k.Kid, kid) {
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
		return jwt.VerificationKeySet{Keys: keys}, nil
	case first != nil:
		return nil, first
	case kid == nil:
		return nil, &TokenError{Reason: "No key in JWKS without kid, and the token has none"}
	}
	return nil, &TokenError{Reason: fmt.Sprintf("No key in JWKS with kid '%s'", *kid)}
}

// allows pins one algorithm to the key: the one that the set says, or else the
// only one that is both allowed and of the key's kind. RFC 8725 section 3.1: each
// key with exactly one algorithm.
func (k *jwk) allows(alg string, allowed []string) error {
	if !k.signs() {
		return &TokenError{Reason: "the JWK is not for signatures: its use or key_ops say so"}
	}
	if k.Alg != "" && !slices.Contains(allowed, k.Alg) {
		return &TokenError{Reason: fmt.Sprintf("JWK alg '%s' not in configured allowlist", k.Alg)}
	}
	if k.err != nil {
		return &TokenError{Reason: "JWK import failed: " + k.err.Error(), Err: k.err}
	}
	pinned := k.Alg
	if pinned == "" {
		fitting := slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return !fits(k.key, a) })
		if len(fitting) > 1 {
			return &TokenError{Reason: "JWK omits 'alg' and multiple algorithms configured; cannot disambiguate"}
		}
		if len(fitting) == 1 {
			pinned = fitting[0]
		}
	}
	if pinned != alg || !fits(k.key, alg) {
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
