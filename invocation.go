package middy

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// An Invocation is one event on its way through the layers. It belongs to that
// invocation alone: a goroutine that outlives the handler must not touch it.
type Invocation struct {
	// Payload is the event as delivered: JSON, read-only.
	Payload []byte
	// Event points to the decoded event, a *E. When the payload did not decode
	// it is what could be decoded, and the innermost step returns a
	// [*DecodeError] in place of calling the handler.
	Event any

	decodeErr error

	mu    sync.Mutex
	slots []slot
	open  *openLayers // nil without an early timeout
	spans *spans      // nil without an Observer
}

type slot struct {
	key   any
	value any
}

// A Key names a value that belongs to one invocation. A value set by an inner
// layer or by the handler is visible to outer layers on the way out, which a
// context value never is: an access log can print what the handler added.
//
// Declare keys at package level with [NewKey]. Keys are compared by identity.
// All methods are safe for concurrent use.
type Key[T any] struct{ name string }

// NewKey returns a new key. name appears in debugging output only.
func NewKey[T any](name string) *Key[T] { return &Key[T]{name: name} }

// String returns the key's name.
func (k *Key[T]) String() string { return "middy.Key(" + k.name + ")" }

// Set stores v for the invocation that ctx belongs to. It reports false, and
// does nothing, when ctx does not come from a Function.
func (k *Key[T]) Set(ctx context.Context, v T) bool {
	inv, ok := FromContext(ctx)
	if !ok {
		return false
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for i := range inv.slots {
		if inv.slots[i].key == any(k) {
			inv.slots[i].value = v
			return true
		}
	}
	inv.slots = append(inv.slots, slot{k, v})
	return true
}

// Get returns the value that was set last in this invocation.
func (k *Key[T]) Get(ctx context.Context) (v T, ok bool) {
	inv, found := FromContext(ctx)
	if !found {
		return v, false
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for i := range inv.slots {
		if inv.slots[i].key == any(k) {
			v, ok = inv.slots[i].value.(T)
			return v, ok
		}
	}
	return v, false
}

// FromContext returns the invocation that ctx belongs to.
func FromContext(ctx context.Context) (*Invocation, bool) {
	inv, ok := ctx.Value(invocationKey{}).(*Invocation)
	return inv, ok
}

type invocationKey struct{}

// invocationContext is the context of an invocation from the arrival of its event
// until its response has ended, and carries its Invocation in the same allocation.
type invocationContext struct {
	context.Context // what the loop gave; under an early timeout one that it cancels
	inv             Invocation
	f               *Function
	start           time.Time
	early           *early // nil without an early timeout

	after       context.Context // see rest
	cancelAfter context.CancelFunc
}

func (c *invocationContext) Value(key any) any {
	if _, ok := key.(invocationKey); ok {
		return &c.inv
	}
	return c.Context.Value(key)
}

// begin begins an invocation. The caller owes it one call of end.
func (f *Function) begin(ctx context.Context, payload []byte) *invocationContext {
	c := &invocationContext{Context: ctx, f: f, start: time.Now(), inv: Invocation{Payload: payload}}
	if len(f.observers) > 0 {
		c.inv.spans = &spans{observers: f.observers}
	}
	if f.timeout != nil {
		f.timeout.begin(c)
	}
	return c
}

// run makes an answer of the event. An invocation with a deadline, which each has
// in Lambda, has a goroutine of its own, so that whatever becomes of it there is
// an answer before the deadline.
func (c *invocationContext) run() outcome {
	if _, ok := c.Deadline(); !ok {
		return c.answer()
	}
	var answer outcome
	done := apart(func() error { answer = c.answer(); return answer.err })
	err, ended := c.wait(done)
	out := outcome{err: err}
	switch {
	case !ended:
		c.rest() // before two goroutines ask for it
		go func() {
			<-done               //nolint:errcheck // the answer has its error
			_ = answer.discard() // nobody will read it
		}()
	case err == nil:
		out = answer
	}
	if !c.expired() || out.json != nil {
		return out
	}
	ended = ended && out.discard() != errOverrun
	return c.f.timeout.answer(c, c.late(out.err, ended))
}

// answer runs the user's code: what happens at the thaw, the decoder, the layers
// and the encoder.
func (c *invocationContext) answer() (out outcome) {
	var result any
	err := guarded(func() (err error) {
		if len(c.f.thawers) > 0 {
			c.f.thaw(c)
		}
		c.inv.Event, c.inv.decodeErr = c.f.decode(c.inv.Payload)
		result, err = c.f.handler(c, &c.inv)
		return err
	})
	if err != nil {
		return outcome{err: err}
	}
	return c.respond(result)
}

// respond encodes the result. It is watched like a layer: outside of it there is
// only Lambda.
func (c *invocationContext) respond(result any) (out outcome) {
	index, begun := len(c.f.layers)+1, c.start
	if c.f.watches() {
		begun = time.Now()
	}
	if c.inv.open != nil {
		c.inv.open.enter(index, begun)
	}
	err := guarded(func() error { out = c.encode(result); return out.err })
	if err == nil {
		return out
	}
	if c.inv.spans != nil {
		c.inv.spans.leave(nil, &watched{Context: c, layer: c.f.layerName(index), index: index, since: begun}, err, false)
	}
	return outcome{err: err}
}

// end is the end of an invocation: its response has ended, with err, and what
// lived as long as that ends here.
func (c *invocationContext) end(err error) {
	c.cancel()
	if failure := guarded(func() error { c.inv.spans.end(err); return nil }); failure != nil {
		c.logError(fmt.Errorf("middy: an Observer failed: %w", failure))
	}
	c.settle()
	if len(c.f.thawers) > 0 {
		c.f.clock.busy()
	}
	if c.cancelAfter != nil {
		c.cancelAfter()
	}
}

// rest returns the context of what runs when the invocation's own may be over: it
// has the invocation's values, and ends a little before Lambda's deadline, so
// that the response can still be sent.
func (c *invocationContext) rest() context.Context {
	if c.after != nil {
		return c.after
	}
	c.after = context.WithoutCancel(c)
	if deadline, ok := c.Deadline(); ok {
		margin := min(time.Until(deadline)/10, 100*time.Millisecond)
		c.after, c.cancelAfter = context.WithDeadline(c.after, deadline.Add(-margin))
	}
	return c.after
}

// settleGrace is how long a Settle may take to notice that its context ended.
const settleGrace = 25 * time.Millisecond

// settle runs all Settlers.
func (c *invocationContext) settle() {
	if len(c.f.settlers) == 0 {
		return
	}
	ctx, tasks := c.rest(), make([]func() error, len(c.f.settlers))
	for i, s := range c.f.settlers {
		tasks[i] = func() error { s.value.Settle(ctx); return nil }
	}
	for i, err := range together(ctx, settleGrace, tasks...) {
		if err = failure("settle", c.f.settlers[i].name, err, ctx); err != nil {
			c.logError(err)
		}
	}
}

// logError writes a line of the engine's own, with what finds the invocation.
func (c *invocationContext) logError(err error, args ...any) {
	id := ""
	if lc, ok := lambdacontext.FromContext(c); ok {
		id = lc.AwsRequestID
	}
	args = append([]any{"errorType", errorType(err), "requestId", id}, args...)
	c.f.logger().ErrorContext(c, fmt.Sprint(err), args...)
}

// openLayers remembers which layers an invocation has entered and not left, for
// the explanation of a timeout.
type openLayers struct {
	mu      sync.Mutex
	entered []time.Time // zero: not inside
}

func (o *openLayers) enter(i int, now time.Time) {
	o.mu.Lock()
	o.entered[i] = now
	o.mu.Unlock()
}

func (o *openLayers) leave(i int) {
	o.mu.Lock()
	o.entered[i] = time.Time{}
	o.mu.Unlock()
}
