package freshsign

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const healID = "FreshSign"

// A heal surrounds the SDK's retry loop. It sees what the loop gives up with, and starts another loop only upon
// evidence that a new signature will be accepted: neither attempts nor retry tokens of the SDK are spent on it.
type heal struct{ engine *engine }

// ID is the name in the stack.
func (h *heal) ID() string { return healID }

// HandleFinalize runs the first pass; what follows a failure is in [heal.again].
func (h *heal) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	if h.engine.err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, h.engine.err
	}
	setTraceHeader(ctx, in.Request)
	c := &call{engine: h.engine}
	ctx = context.WithValue(ctx, callKey{}, c)
	out, md, err := next.HandleFinalize(ctx, in)
	if err == nil {
		return out, md, nil
	}
	return h.again(ctx, c, in, next, out, md, err)
}

// again judges a failed pass and runs another while there is reason to.
func (h *heal) again(ctx context.Context, c *call, in middleware.FinalizeInput, next middleware.FinalizeHandler, out middleware.FinalizeOutput, md middleware.Metadata, err error) (middleware.FinalizeOutput, middleware.Metadata, error) {
	var open []Incident
	limit := h.engine.MaxHeals
	for {
		incident, curable := c.judge(ctx, md, err)
		if incident.Cause == 0 {
			h.close(ctx, open, accepted(err))
			return out, md, err
		}
		open = append(open, incident)
		if !c.v4a && rejected(md) > 1 { // the SDK has learned to heal by itself
			limit = min(limit, 1)
		}
		if !curable || c.pass >= limit || ctx.Err() != nil || !c.prepare(ctx, incident.Cause, err, in.Request) {
			h.close(ctx, open, false)
			incident.Outcome = Unhealed
			return out, md, &Error{Incident: incident, Err: err}
		}
		c.pass++
		c.x, c.sig = exchange{}, signature{}
		if out, md, err = next.HandleFinalize(ctx, in); err == nil {
			h.close(ctx, open, true)
			return out, md, nil
		}
	}
}

// accepted reports whether err is a service's answer. A pass that ends with one, and without a signature fault, had
// its signature accepted; what failed is something else.
func accepted(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api)
}

// close reports the incidents of a call, now that their outcome is known.
func (h *heal) close(ctx context.Context, open []Incident, healed bool) {
	for _, i := range open {
		i.Outcome = Unhealed
		if healed {
			i.Outcome = Healed
		}
		h.engine.report(ctx, i)
	}
}

// judge names the cause of a failed pass, and says whether another one can help. A zero Cause is none of ours.
func (c *call) judge(ctx context.Context, md middleware.Metadata, err error) (Incident, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var died sessionDiedError
	if errors.As(err, &died) {
		return c.incident(ctx, ExpiredSession, Certain, 0), true
	}
	v := gather(c, md, err)
	age, known := v.age()
	late := age.Abs() >= c.engine.strong() // an age that is not known is 0
	if c.x.date.IsZero() {
		c.x.date = v.server // from the message
	}
	switch {
	case aboutSession(v.code):
		i := c.describe(ctx, v, ExpiredSession, Certain)
		return i, true
	case aboutSignature(v.code) && late, v.head && v.code == "Forbidden" && age.Abs() > c.engine.Window:
		return c.explain(ctx, v), true
	case aboutSignature(v.code) && known:
		return c.describe(ctx, v, WrongKey, Likely), false
	case aboutSignature(v.code):
		return c.describe(ctx, v, WrongKey, Possible), false
	}
	return Incident{}, false
}

// describe fills an incident with the evidence.
func (c *call) describe(ctx context.Context, v evidence, cause Cause, sure Confidence) Incident {
	i := c.incident(ctx, cause, sure, 0)
	i.SignedAt, i.ServerTime, i.RequestID = v.signed, v.server, v.request
	i.Age, _ = v.age()
	i.SentAt, i.Offset = c.x.start.wall, c.sig.at.offset
	i.EpochAtSign, i.EpochAtSend = c.sig.at.epoch, c.x.start.epoch
	return i
}

// explain tells a wrong clock from a wait, when the age is beyond doubt. The clock is to blame if it accounts for most
// of the age; and it is the offset that is to blame if the clock would have been right without. What no clock accounts
// for is the service's word alone.
func (c *call) explain(ctx context.Context, v evidence) Incident {
	age, _ := v.age()
	applied, found := c.sig.at.offset, c.x.skew()
	wait, sure := waited(c.sig.at, c.x.end, age), Certain
	switch {
	case c.x.trusted() && 2*(found-applied).Abs() < age.Abs():
		return c.describe(ctx, v, FreezeGap, wait)
	case c.x.trusted():
	case wait > Possible:
		return c.describe(ctx, v, FreezeGap, wait)
	default: // too slow to measure the clock, and too fast to be the wait
		found, sure = skewed(age+applied), Likely
	}
	if found == 0 {
		return c.describe(ctx, v, PoisonedSkew, sure)
	}
	i := c.describe(ctx, v, RealSkew, sure)
	i.Offset = found
	return i
}

// prepare does what the next pass needs: a rewound body, the right time, living credentials.
func (c *call) prepare(ctx context.Context, cause Cause, err error, request any) bool {
	if r, ok := request.(*smithyhttp.Request); !ok || r.RewindStream() != nil {
		return false
	}
	if cause != ExpiredSession {
		c.engine.learn(c.x, true)
		return true
	}
	if c.renewedSession {
		return false
	}
	c.renewedSession = true
	var unsent sessionDiedError // the next pass resolves the identity anyway
	return errors.As(err, &unsent) || c.newSession(ctx)
}

// newSession reports whether the provider has other credentials than those that were rejected.
func (c *call) newSession(ctx context.Context) bool {
	if c.provider == nil {
		return false
	}
	old := c.sig.creds
	other := func() bool {
		creds, err := c.provider.Retrieve(ctx)
		return err == nil && (creds.AccessKeyID != old.AccessKeyID || creds.SecretAccessKey != old.SecretAccessKey || creds.SessionToken != old.SessionToken)
	}
	if other() { // another call was faster
		return true
	}
	cache, ok := c.provider.(interface{ Invalidate() })
	if !ok {
		return false
	}
	cache.Invalidate()
	return other()
}

var _ interface{ Invalidate() } = (*aws.CredentialsCache)(nil)

const (
	traceEnv    = "_X_AMZN_TRACE_ID"
	traceKey    = "x-amzn-trace-id" // aws-lambda-go's context key, a plain string
	traceHeader = "X-Amzn-Trace-Id"
)

// setTraceHeader keeps Lambda's recursion detection alive where several invocations run at once: there aws-lambda-go
// leaves the environment variable, which the SDK reads, unset, and only the context knows the trace.
func setTraceHeader(ctx context.Context, request any) {
	id, _ := ctx.Value(traceKey).(string)
	r, ok := request.(*smithyhttp.Request)
	if id == "" || !ok || r.Header.Get(traceHeader) != "" {
		return
	}
	if _, set := os.LookupEnv(traceEnv); !set {
		r.Header.Set(traceHeader, escapeTrace(id))
	}
}

// escapeTrace makes an id safe in a header, as the SDK does with the one from the environment.
func escapeTrace(id string) string {
	var b []byte
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			b = append(b, c)
		case c == '-', c == '=', c == ';', c == ':', c == '+', c == '&', c == '[', c == ']', c == '{', c == '}', c == '"', c == '\'', c == ',':
			b = append(b, c)
		default:
			b = fmt.Appendf(b, "%%%02X", c)
		}
	}
	return string(b)
}
