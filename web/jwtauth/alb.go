package jwtauth

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// oidcData is the header in which an Application Load Balancer says who has logged in:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#user-claims-encoding.
const oidcData = "X-Amzn-Oidc-Data"

// fromALB reports whether a load balancer writes the tokens, which pads base64url.
func (c *Config) fromALB() bool {
	return strings.EqualFold(c.Sources.Header, oidcData) && c.Sources == bearer.Sources{Header: c.Sources.Header}
}

var balancerARN = regexp.MustCompile(`^arn:(aws|aws-us-gov):elasticloadbalancing:([a-z]{2}(?:-[a-z]+)+-[0-9]):[0-9]{12}:loadbalancer/app/[A-Za-z0-9-]+/[0-9a-f]+$`)

// keyURL is where the keys of a load balancer's region are; a kid completes it.
func keyURL(arn string) (string, error) {
	m := balancerARN.FindStringSubmatch(arn)
	switch {
	case m == nil:
		return "", fmt.Errorf("%q is not the ARN of an Application Load Balancer in a partition whose keys are known, aws and aws-us-gov", arn)
	case m[1] == "aws-us-gov":
		return "https://s3-" + m[2] + ".amazonaws.com/aws-elb-public-keys-prod-" + m[2] + "/", nil
	}
	return "https://public-keys.auth.elb." + m[2] + ".amazonaws.com/", nil
}

var balancerKid = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`) // a UUID

// balancersKey is the key of the load balancer that the header names: it must be one
// that is configured, since every load balancer in the region signs with the same keys.
func (v *Verifier) balancersKey(ctx context.Context, header map[string]any, alg string, set map[string]any) (keyring, error) {
	signer, _ := header["signer"].(string)
	if !slices.Contains(v.cfg.LoadBalancers, signer) {
		return keyring{}, &TokenError{Reason: fmt.Sprintf("signed by %.128q, which is not among LoadBalancers", signer)}
	}
	if !slices.Contains(v.cfg.Algorithms, alg) {
		return keyring{}, errAlgorithm
	}
	kid, _ := header["kid"].(string)
	if !balancerKid.MatchString(kid) { // it becomes part of a URL
		return keyring{}, &TokenError{Reason: fmt.Sprintf("kid %.64q is not the id of a load balancer's key", kid)}
	}
	base, err := keyURL(signer)
	if err != nil {
		return keyring{}, err
	}
	doc, err := v.balancers.at(&v.cfg, base+kid, kid).get(ctx, &kid)
	if err != nil {
		return keyring{}, err
	}
	keys, err := doc.choose(&kid, alg, v.cfg.Algorithms)
	if err != nil {
		return keyring{}, err
	}
	// The payload is what the identity provider says of the user; what the load balancer
	// says of the token is in the header.
	about := maps.Clone(set)
	about["exp"], about["iss"], about["aud"] = header["exp"], header["iss"], header["client"]
	return keyring{keys: keys, algorithms: v.cfg.Algorithms, rules: rules{v.cfg.Issuer, v.cfg.Audience}, about: about}, nil
}

// balancerKeys are the keys of load balancers, each at a URL of its own.
type balancerKeys struct {
	mu   sync.Mutex
	sets map[string]*keySet
}

// maxBalancerKeys is more than regions have at a time.
const maxBalancerKeys = 64

func (b *balancerKeys) at(cfg *Config, url, kid string) *keySet {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, ok := b.sets[url]; ok {
		return s
	}
	// First go the kids that nobody has, then those that are being asked for, so that
	// many tokens that nobody signed drive out neither a known key nor, if there is
	// another way, one that is on its way.
	for _, flying := range []bool{false, true} {
		if len(b.sets) < maxBalancerKeys {
			break
		}
		maps.DeleteFunc(b.sets, func(_ string, s *keySet) bool { return s.empty(flying) })
	}
	if b.sets == nil || len(b.sets) >= maxBalancerKeys {
		b.sets = map[string]*keySet{}
	}
	s := &keySet{cfg: cfg, url: url, parse: func(pem []byte) (*keyDoc, error) {
		key, err := parsePublicKey(PublicKey{Bytes: pem})
		if err != nil {
			return nil, err
		}
		return &keyDoc{keys: []*jwk{{Kid: &kid, key: key}}}, nil
	}}
	b.sets[url] = s
	return s
}

// empty reports whether the set has no key, and, unless flying counts too, none on its
// way.
func (s *keySet) empty(flying bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doc == nil && (flying || s.flight == nil)
}
