package deadline

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gomiddy/middy/web/internal/response"
)

// A writer is the handler's response writer. The one beneath is used under its lock, and
// not at all once it has expired, so that an answer in the handler's place, and what
// net/http does with the writer afterwards, cannot race with the handler.
//
// It has no Unwrap: http.ResponseController would go around the lock.
type writer struct {
	header http.Header // the handler's own, for the same reason

	mu       sync.Mutex
	w        http.ResponseWriter
	started  bool // the final status is out
	finished bool // the handler has returned
	expired  bool
}

// expire forbids the handler to write. It reports false when that is too late.
func (w *writer) expire() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started || w.finished {
		return false
	}
	w.expired = true
	return true
}

// finish says that the handler has returned. It reports false when nobody waits for it.
func (w *writer) finish() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished = true
	return !w.expired
}

// complete hands over what the handler has put into the header and not sent: all of it
// when it wrote nothing, and trailers.
func (w *writer) complete() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.publish()
}

func (w *writer) publish() {
	to := w.w.Header()
	clear(to)
	maps.Copy(to, w.header)
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.expired {
		return
	}
	if w.started {
		w.w.WriteHeader(status) // net/http logs who did it
		return
	}
	w.start(status)
}

// start sends the header. An informational one is not the last.
func (w *writer) start(status int) {
	w.started = status >= 200 || status == http.StatusSwitchingProtocols
	w.publish()
	w.w.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.expired {
		return 0, http.ErrHandlerTimeout
	}
	if !w.started {
		w.start(http.StatusOK)
	}
	return w.w.Write(p)
}

// FlushError is for [http.ResponseController].
func (w *writer) FlushError() error {
	return w.control(func(c *http.ResponseController) error {
		if !w.started {
			w.start(http.StatusOK)
		}
		return c.Flush()
	})
}

// Flush implements [http.Flusher].
func (w *writer) Flush() { _ = w.FlushError() }

// CloseNotify implements the deprecated [http.CloseNotifier].
func (w *writer) CloseNotify() <-chan bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.expired {
		return make(chan bool)
	}
	return response.CloseNotify(w.w)
}

// Begun is for package response. The answer in the handler's place counts, too.
func (w *writer) Begun() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started || w.expired
}

// Hijack implements [http.Hijacker]. The connection is the handler's then, without a
// deadline.
func (w *writer) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	err = w.control(func(c *http.ResponseController) error {
		conn, rw, err = c.Hijack()
		w.started = w.started || err == nil
		return err
	})
	return conn, rw, err
}

// SetReadDeadline is for [http.ResponseController].
func (w *writer) SetReadDeadline(t time.Time) error {
	return w.control(func(c *http.ResponseController) error { return c.SetReadDeadline(t) })
}

// SetWriteDeadline is for [http.ResponseController].
func (w *writer) SetWriteDeadline(t time.Time) error {
	return w.control(func(c *http.ResponseController) error { return c.SetWriteDeadline(t) })
}

// EnableFullDuplex is for [http.ResponseController].
func (w *writer) EnableFullDuplex() error {
	return w.control((*http.ResponseController).EnableFullDuplex)
}

func (w *writer) control(do func(*http.ResponseController) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.expired {
		return http.ErrHandlerTimeout
	}
	return do(http.NewResponseController(w.w))
}
