package params

import (
	"runtime"
	"sync"
)

// memory is the bytes of one version of a value. Readers hold mu while they look
// at them, so that nobody ever sees half-cleared bytes.
//
// The bytes are the variable of a closure, and not a field: what prints values by
// reflection and ignores their methods, as the difference in a failed test's log
// does, follows pointers and slices, but prints of a function only its address.
type memory struct {
	mu    sync.RWMutex
	bytes func() []byte // nil: they were wiped
}

func newMemory(b []byte) *memory { return &memory{bytes: func() []byte { return b }} }

func (m *memory) wipe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes != nil {
		clear(m.bytes())
		m.bytes = nil
	}
}

// A blob is a reference to memory that is counted by the garbage collector: when
// the entry and every Secret that was handed out have let go of a blob, its
// memory is cleared. A Secret that a handler holds across a rotation or an
// eviction therefore stays readable. [Store.Close] clears without waiting.
type blob struct {
	m *memory
	n int
}

func newBlob(b []byte) *blob {
	bl := &blob{m: newMemory(b), n: len(b)}
	runtime.AddCleanup(bl, (*memory).wipe, bl.m)
	return bl
}

// read calls fn with the bytes, which fn must not keep. It reports false, and
// does not call fn, when they were wiped.
func (bl *blob) read(fn func([]byte)) bool {
	bl.m.mu.RLock()
	defer bl.m.mu.RUnlock()
	if bl.m.bytes == nil {
		return false
	}
	fn(bl.m.bytes())
	runtime.KeepAlive(bl)
	return true
}

// custody knows the memory of all values of one Store that are still alive, so
// that they can be wiped at once.
type custody struct {
	mu    sync.Mutex
	alive map[*memory]struct{}
}

type released struct {
	c *custody
	m *memory
}

func (c *custody) take(b []byte) *blob {
	bl := newBlob(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alive == nil {
		c.alive = make(map[*memory]struct{})
	}
	c.alive[bl.m] = struct{}{}
	runtime.AddCleanup(bl, released.drop, released{c, bl.m})
	return bl
}

func (r released) drop() {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	delete(r.c.alive, r.m)
}

// wipeAll clears every value that is alive, in entries and in Secrets.
func (c *custody) wipeAll() (n int) {
	c.mu.Lock()
	alive := c.alive
	c.alive = nil
	c.mu.Unlock()
	for m := range alive {
		m.wipe()
	}
	return len(alive)
}
