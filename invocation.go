package middy

import (
	"context"
	"sync"
	"time"
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
	open  *openLayers // nil unless somebody asked
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

// invocationContext carries its Invocation in the same allocation.
type invocationContext struct {
	context.Context
	inv Invocation
}

func (c *invocationContext) Value(key any) any {
	if _, ok := key.(invocationKey); ok {
		return &c.inv
	}
	return c.Context.Value(key)
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
