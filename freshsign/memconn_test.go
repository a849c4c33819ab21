package freshsign

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe returns two ends of a connection with buffers as a kernel has them: a write does not wait for its reader.
func pipe() (a, b net.Conn) {
	x, y := newBuffer(), newBuffer()
	return &end{in: x, out: y}, &end{in: y, out: x}
}

type buffer struct {
	mu     sync.Mutex
	cond   *sync.Cond
	data   []byte
	closed bool
	late   bool // the reader's deadline has passed
}

func newBuffer() *buffer {
	b := &buffer{}
	b.cond = sync.NewCond(&b.mu)
	return b
}

type end struct{ in, out *buffer }

func (e *end) Read(p []byte) (int, error) {
	b := e.in
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.data) == 0 && !b.closed && !b.late {
		b.cond.Wait()
	}
	switch {
	case b.late:
		return 0, os.ErrDeadlineExceeded
	case len(b.data) == 0:
		return 0, io.EOF
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (e *end) Write(p []byte) (int, error) {
	b := e.out
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.data = append(b.data, p...)
	b.cond.Broadcast()
	return len(p), nil
}

func (e *end) Close() error {
	for _, b := range []*buffer{e.in, e.out} {
		b.mu.Lock()
		b.closed = true
		b.cond.Broadcast()
		b.mu.Unlock()
	}
	return nil
}

// SetReadDeadline knows "now", by which net/http's server interrupts a read, and "never".
func (e *end) SetReadDeadline(t time.Time) error {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	e.in.late = !t.IsZero() && !t.After(time.Now())
	e.in.cond.Broadcast()
	return nil
}

func (e *end) SetDeadline(t time.Time) error  { return e.SetReadDeadline(t) }
func (*end) SetWriteDeadline(time.Time) error { return nil }
func (*end) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "memory"} }
func (*end) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "memory"} }
