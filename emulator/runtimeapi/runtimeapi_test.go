package runtimeapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/internal/testfn"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

var fnBinary string

func TestMain(m *testing.M) { testfn.Main(m, &fnBinary) }

// A recording keeps everything that a Function tells about itself.
type recording struct {
	mu     sync.Mutex
	lines  []runtimeapi.Line
	events []runtimeapi.Event
	wire   []runtimeapi.WireMessage
	grown  chan struct{}
}

func newRecording() *recording { return &recording{grown: make(chan struct{})} }

func (r *recording) changed() {
	close(r.grown)
	r.grown = make(chan struct{})
}

func (r *recording) attach(cfg *runtimeapi.Config) {
	cfg.Log = func(l runtimeapi.Line) { r.mu.Lock(); defer r.mu.Unlock(); r.lines = append(r.lines, l); r.changed() }
	cfg.Events = func(e runtimeapi.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
		r.changed()
	}
	cfg.Wire = func(m runtimeapi.WireMessage) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.wire = append(r.wire, m)
		r.changed()
	}
}

func (r *recording) ofType(t runtimeapi.EventType) (found []runtimeapi.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == t {
			found = append(found, e)
		}
	}
	return found
}

// until waits for an event.
func (r *recording) until(t *testing.T, typ runtimeapi.EventType) runtimeapi.Event {
	t.Helper()
	return r.untilN(t, 1, typ)
}

// untilN waits for n of them and returns the last.
func (r *recording) untilN(t *testing.T, n int, typ runtimeapi.EventType) runtimeapi.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		r.mu.Lock()
		grown := r.grown
		r.mu.Unlock()
		if found := r.ofType(typ); len(found) >= n {
			return found[len(found)-1]
		}
		select {
		case <-grown:
		case <-ctx.Done():
			t.Fatalf("no event %s", typ)
		}
	}
}

func (r *recording) posts() (found []runtimeapi.WireMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.wire {
		if m.Method == "POST" {
			found = append(found, m)
		}
	}
	return found
}

func (r *recording) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, l := range r.lines {
		fmt.Fprintf(&b, "%s %s\n", l.Stream, l.Text)
	}
	return b.String()
}

// start returns a function on the test binary, and what it tells. Time limits
// are wide, because machines that run tests are slow.
func start(t *testing.T, cfg runtimeapi.Config) (*runtimeapi.Function, *recording) {
	t.Helper()
	if cfg.Command == nil {
		cfg.Command = []string{fnBinary}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.InitTimeout == 0 {
		cfg.InitTimeout = 30 * time.Second
	}
	rec := newRecording()
	rec.attach(&cfg)
	fn, err := runtimeapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = fn.Shutdown(ctx)
	})
	return fn, rec
}

type event struct {
	Do   string `json:"do"`
	Text string `json:"text,omitempty"`
	Size int    `json:"size,omitempty"`
	Ms   int    `json:"ms,omitempty"`
}

func invoke(t *testing.T, fn *runtimeapi.Function, e event) *runtimeapi.Response {
	t.Helper()
	payload, _ := json.Marshal(e)
	r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ExampleFunction_Invoke() {
	fn, err := runtimeapi.New(runtimeapi.Config{Command: []string{fnBinary}, Timeout: time.Minute, InitTimeout: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer fn.Shutdown(ctx)
	for _, payload := range []string{`{"do":"echo","text":"hello"}`, `{"do":"error","text":"out of stock"}`} {
		r, err := fn.Invoke(ctx, runtimeapi.Request{Payload: []byte(payload)})
		if err != nil {
			fmt.Println(err) // the event did not reach the function
			return
		}
		fmt.Printf("%q %s\n", r.FunctionError, r.Payload)
	}
	// Output:
	// "" {"text":"hello"}
	// "Unhandled" {"errorMessage":"out of stock","errorType":"errorString"}
}

func TestAnInvocationReturnsWhatTheHandlerReturned(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{})
	r := invoke(t, fn, event{Do: "echo", Text: "hello"})
	if got, want := string(r.Payload), `{"text":"hello"}`; got != want || r.FunctionError != "" {
		t.Fatalf("got %s (%s), want %s\n%s", got, r.FunctionError, want, rec.log())
	}
	if !r.Cold || r.InitDuration <= 0 || r.Duration <= 0 {
		t.Errorf("cold %v, init %v, duration %v: a first invocation is cold and takes time", r.Cold, r.InitDuration, r.Duration)
	}
	if r := invoke(t, fn, event{Do: "count"}); string(r.Payload) != "2" || r.Cold {
		t.Errorf("got %s, cold %v: the second invocation runs in the same process", r.Payload, r.Cold)
	}
}
