package freeze

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/gomiddy/middy/emulator/emulatortest"
)

// A relay is the part of a frozen sandbox that SIGSTOP does not stop: the network
// card of its virtual machine. What the process has written lies in it until the
// machine goes on. Answers pass.
type relay struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	gate    chan struct{} // closed: bytes pass
	arrived chan struct{} // one for each piece that met a closed gate
	conns   []net.Conn
}

func newRelay(t *testing.T, aws *emulatortest.Emulator) *relay {
	t.Helper()
	u, err := url.Parse(aws.URL())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, target: u.Host, gate: make(chan struct{}), arrived: make(chan struct{}, 64)}
	close(r.gate)
	r.wg.Go(r.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		r.release()
		r.mu.Lock()
		for _, c := range r.conns {
			_ = c.Close()
		}
		r.mu.Unlock()
		r.wg.Wait()
	})
	return r
}

// url is the address for a function.
func (r *relay) url() string { return "http://" + r.listener.Addr().String() }

// hold keeps what arrives from now on.
func (r *relay) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate = make(chan struct{})
	for len(r.arrived) > 0 {
		<-r.arrived
	}
}

// release lets it go.
func (r *relay) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.gate:
	default:
		close(r.gate)
	}
}

func (r *relay) accept() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, in, out)
		r.mu.Unlock()
		r.wg.Go(func() { r.forward(in, out) })
		r.wg.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
	}
}

func (r *relay) forward(in, out net.Conn) {
	defer out.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			r.mu.Lock()
			gate := r.gate
			r.mu.Unlock()
			select {
			case <-gate:
			default:
				select {
				case r.arrived <- struct{}{}:
				default:
				}
				<-gate
			}
			if _, err := out.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
