package emulatortest

import (
	"context"
	"net"
	"sync"
)

// A memory is a listener without a socket. Its connections are pipes, which a
// testing/synctest bubble can wait for; sockets it cannot.
type memory struct {
	port   string
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

var _ net.Listener = (*memory)(nil)

func newMemory(tls bool) *memory {
	m := &memory{port: "80", conns: make(chan net.Conn), closed: make(chan struct{})}
	if tls {
		m.port = "443"
	}
	return m
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return memoryAddr("localhost:" + m.port) }

// dial is an http.Transport's DialContext.
func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: m.Addr(), Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }
