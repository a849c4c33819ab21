package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// An Effect is what a rule does to a request.
type Effect string

const (
	// Latency waits [Rule.Delay] before the request is looked at, as if it had sat
	// in a socket: its signature ages meanwhile.
	Latency Effect = "latency"
	// SlowResponse waits Delay after the work is done. Date is when it was sent.
	SlowResponse Effect = "slow-response"
	// FrozenResponse finishes the answer, Date included, and holds it for Delay;
	// with no delay until the rule is removed. It is what a client meets that slept
	// with an answer in its socket.
	FrozenResponse Effect = "frozen-response"
	// HalfResponse sends the headers and half of the body, and holds the rest for
	// Delay; with no delay until the rule is removed.
	HalfResponse Effect = "half-response"
	// Throttle answers ThrottlingException, 400.
	Throttle Effect = "throttle"
	// InternalError answers InternalServiceError, 500.
	InternalError Effect = "internal-error"
	// Unavailable answers ServiceUnavailable, 503.
	Unavailable Effect = "unavailable"
	// Reset closes the connection with a TCP RST before the request is looked at.
	Reset Effect = "reset"
	// ResetResponse does the work, then resets: the client cannot know that it was done.
	ResetResponse Effect = "reset-response"
	// BlackHole takes the request and never answers, until the rule is removed, the
	// client leaves, or the emulator closes. What it held is then reset.
	BlackHole Effect = "black-hole"
	// Outage is Reset, for reading: add it without Times and the service is gone.
	Outage Effect = "outage"
	// CutResponse does the work, sends the status, the headers and half of the
	// body, and ends the connection (HTTP/2: the stream).
	CutResponse Effect = "cut-response"
	// EmptySuccess answers 200 with the body {}, as a stub does.
	EmptySuccess Effect = "empty-success"
	// NoBody answers 200 with a body of no bytes.
	NoBody Effect = "no-body"
	// HTMLSuccess answers 200 with a page, as a proxy or a captive portal does.
	HTMLSuccess Effect = "html-success"
	// TruncatedSuccess answers 200 with half of a good body, whose length is right.
	TruncatedSuccess Effect = "truncated-success"
	// ForeignSuccess makes of a good answer one about another secret, parameter or
	// role: every name in it begins with "foreign-", every ARN ends in "-foreign".
	ForeignSuccess Effect = "foreign-success"
	// ExpiredToken answers ExpiredTokenException to credentials that are good.
	ExpiredToken Effect = "expired-token"
	// SpuriousSignature rejects a good signature as expired, as AWS rarely does:
	// the message's instants are made to fit, Date stays right.
	SpuriousSignature Effect = "spurious-signature"
	// NoDate leaves the Date header out.
	NoDate Effect = "no-date"
	// AgeHeader adds "Age: Delay in seconds", as a cache in between does.
	AgeHeader Effect = "age-header"
)

var effects = []Effect{Latency, SlowResponse, FrozenResponse, HalfResponse, Throttle, InternalError, Unavailable, Reset, ResetResponse,
	BlackHole, Outage, CutResponse, EmptySuccess, NoBody, HTMLSuccess, TruncatedSuccess, ForeignSuccess, ExpiredToken, SpuriousSignature, NoDate, AgeHeader}

// A Rule says which requests meet an effect. The zero value of every field but
// Effect is the widest: every request, until the rule is removed.
type Rule struct {
	// Effect is what happens. Required.
	Effect Effect
	// Service is a signing name, such as "secretsmanager"; Operation a bare name,
	// such as "GetSecretValue"; AccessKeyID the claimed key. Empty matches all.
	Service, Operation, AccessKeyID string
	// Skip lets that many matching requests pass first.
	Skip int
	// Times is how many requests it meets at most; 0 is no end.
	Times int
	// Probability, between 0 and 1, meets that share of the matching requests,
	// drawn from [Config.ChaosSeed]; 0 is all of them.
	Probability float64
	// Delay belongs to the effects that wait, and to AgeHeader.
	Delay time.Duration
}

// ErrRule is what [Rule.Validate]'s errors are.
var ErrRule = errors.New("emulator: bad chaos rule")

// Validate reports what makes the rule meaningless, as an [ErrRule].
func (r Rule) Validate() error {
	switch {
	case !slices.Contains(effects, r.Effect):
		return fmt.Errorf("%w: effect %q is none of %v", ErrRule, r.Effect, effects)
	case r.Probability < 0 || r.Probability > 1:
		return fmt.Errorf("%w: probability %v is not between 0 and 1", ErrRule, r.Probability)
	case r.Skip < 0 || r.Times < 0 || r.Delay < 0:
		return fmt.Errorf("%w: skip, times and delay cannot be negative", ErrRule)
	case (r.Effect == Latency || r.Effect == SlowResponse || r.Effect == AgeHeader) && r.Delay == 0:
		return fmt.Errorf("%w: effect %q needs a delay", ErrRule, r.Effect)
	}
	return nil
}

type ruleJSON struct {
	Effect      Effect  `json:"effect"`
	Service     string  `json:"service,omitempty"`
	Operation   string  `json:"operation,omitempty"`
	AccessKeyID string  `json:"accessKeyId,omitempty"`
	Skip        int     `json:"skip,omitempty"`
	Times       int     `json:"times,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	Delay       string  `json:"delay,omitempty"`
}

// MarshalJSON writes the delay as "1.5s".
func (r Rule) MarshalJSON() ([]byte, error) {
	j := ruleJSON{r.Effect, r.Service, r.Operation, r.AccessKeyID, r.Skip, r.Times, r.Probability, ""}
	if r.Delay != 0 {
		j.Delay = r.Delay.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what [Rule.MarshalJSON] writes.
func (r *Rule) UnmarshalJSON(b []byte) error {
	var j ruleJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	var delay time.Duration
	if j.Delay != "" {
		var err error
		if delay, err = time.ParseDuration(j.Delay); err != nil {
			return fmt.Errorf("%w: delay %q: write it as 250ms or 1m30s", ErrRule, j.Delay)
		}
	}
	*r = Rule{j.Effect, j.Service, j.Operation, j.AccessKeyID, j.Skip, j.Times, j.Probability, delay}
	return nil
}

// Chaos injects faults by rules. Rules that match the same request all apply, in
// the order in which they were added; among those that end a request the first
// wins. All methods are safe for concurrent use. Get it from [Server.Chaos].
type Chaos struct {
	mu    sync.Mutex
	rand  *rand.Rand
	seed  uint64
	next  int
	rules []*activeRule
}

// An activeRule counts. gone is closed when it is removed: what it holds goes on.
type activeRule struct {
	Rule
	id   int
	seen int
	hits int
	held int
	gone chan struct{}
}

func newChaos(seed uint64) *Chaos {
	return &Chaos{seed: seed, rand: rand.New(rand.NewPCG(seed, seed))}
}

// Add puts a rule into force, and returns what takes it back and releases
// everything it holds; calling that twice is harmless. A rule that is not valid
// is a mistake in a test's source: Add panics with [Rule.Validate]'s error.
func (c *Chaos) Add(r Rule) (remove func()) {
	if err := r.Validate(); err != nil {
		panic(err)
	}
	id := c.add(r)
	return func() { c.Remove(id) }
}

func (c *Chaos) add(r Rule) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	c.rules = append(c.rules, &activeRule{Rule: r, id: c.next, gone: make(chan struct{})})
	return c.next
}

// Remove takes the rule with that number, as [Chaos.Rules] shows it, out of
// force and releases what it holds. It reports whether it was there.
func (c *Chaos) Remove(id int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.rules, func(r *activeRule) bool { return r.id == id })
	if i < 0 {
		return false
	}
	close(c.rules[i].gone)
	c.rules = slices.Delete(c.rules, i, i+1)
	return true
}

// Clear removes all rules and starts the seed anew.
func (c *Chaos) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rules {
		close(r.gone)
	}
	c.rules = nil
	c.rand = rand.New(rand.NewPCG(c.seed, c.seed))
}

// An InForce is a rule with its number, the count of requests it met, and of
// those it holds at this moment.
type InForce struct {
	ID   int  `json:"id"`
	Hits int  `json:"hits"`
	Held int  `json:"held"`
	Rule Rule `json:"rule"`
}

// Rules lists what is in force. A rule whose Times are used up stays listed, and
// meets nothing more, until it is removed: what it holds is still held.
func (c *Chaos) Rules() []InForce {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]InForce, 0, len(c.rules))
	for _, r := range c.rules {
		out = append(out, InForce{r.id, r.hits, r.held, r.Rule})
	}
	return out
}

// pick decides, in order of arrival, which rules a request meets.
func (c *Chaos) pick(service, operation, accessKeyID string) []*activeRule {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*activeRule
	for _, r := range c.rules {
		if !matches(r.Service, service) || !matches(r.Operation, operation) || !matches(r.AccessKeyID, accessKeyID) {
			continue
		}
		if r.Times > 0 && r.hits >= r.Times {
			continue
		}
		if r.Probability > 0 && c.rand.Float64() >= r.Probability {
			continue
		}
		r.seen++
		if r.seen <= r.Skip {
			continue
		}
		r.hits++
		out = append(out, r)
	}
	return out
}

// holding counts a request that r begins (1) or ceases (-1) to hold.
func (c *Chaos) holding(r *activeRule, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.held += n
}

func matches(want, got string) bool { return want == "" || want == got }

// find returns the first rule of that effect, or nil.
func find(rules []*activeRule, e ...Effect) *activeRule {
	for _, r := range rules {
		if slices.Contains(e, r.Effect) {
			return r
		}
	}
	return nil
}
