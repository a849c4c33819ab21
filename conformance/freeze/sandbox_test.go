package freeze

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// window is the scaled age that a signature may have: AWS's is 5 minutes.
const window = 2 * time.Second

// patience bounds whatever must come, on a busy machine.
const patience = 60 * time.Second

var built string // the directory with the functions

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "freeze")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", dir+string(filepath.Separator), "./testdata/fn", "./testdata/plain")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the functions: %v\n%s", err, out)
			return 1
		}
		built = dir
		return m.Run()
	}())
}

// An answer is what testdata/fn says of itself; see there.
type answer struct {
	Value                         string
	Values                        int
	Before, After, Pooled, Others int
	Alive                         string
	Probed                        bool
	Chain                         time.Duration
	Healed, Unhealed              map[string]int
}

// A sandbox is one function under the Runtime API, frozen between invocations.
type sandbox struct {
	*runtimeapi.Function
	aws    *emulatortest.Emulator
	frozen chan int // one for each freeze: the requests that were alive at the socket

	mu     sync.Mutex
	lines  []string
	thawed func() // called on each thaw; nil: nothing
}

// start runs testdata/<name> against the emulator.
func start(t *testing.T, name string, aws *emulatortest.Emulator, env ...string) *sandbox {
	t.Helper()
	s := &sandbox{aws: aws, frozen: make(chan int, 16)}
	f, err := runtimeapi.New(runtimeapi.Config{
		Command: []string{filepath.Join(built, name)},
		Env:     append(aws.Env(), env...),
		Timeout: patience, InitTimeout: patience,
		Events: s.event,
		Log: func(l runtimeapi.Line) {
			if l.Stream != "platform" {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.lines = append(s.lines, l.Text)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Function = f
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.Failed() && len(s.lines) > 0 {
			t.Logf("the function wrote:\n%s", strings.Join(s.lines[max(0, len(s.lines)-40):], "\n"))
		}
	})
	return s
}

func (s *sandbox) event(e runtimeapi.Event) {
	switch e.Type {
	case runtimeapi.Frozen:
		select {
		case s.frozen <- s.aws.InFlight():
		default: // a test that freezes by hand does not look
		}
	case runtimeapi.Thawed:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.thawed != nil {
			s.thawed()
		}
	}
}

// onThaw has f called when the process goes on.
func (s *sandbox) onThaw(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.thawed = f
}

// try invokes the function and returns when the kernel has stopped it again,
// with the number of requests that were alive at the emulator's socket then.
func (s *sandbox) try(t *testing.T) (resp *runtimeapi.Response, alive int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := s.Invoke(ctx, runtimeapi.Request{})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case alive = <-s.frozen:
		return resp, alive
	case <-ctx.Done():
		t.Fatalf("the sandbox was not frozen after its response: %+v", resp)
		return nil, 0
	}
}

// invoke is try for an invocation that has to succeed.
func (s *sandbox) invoke(t *testing.T) (a answer, resp *runtimeapi.Response, alive int) {
	t.Helper()
	resp, alive = s.try(t)
	if resp.FunctionError != "" {
		t.Fatalf("a failed invocation: %s: %s", resp.ErrorType, resp.ErrorMessage)
	}
	return decode(t, resp), resp, alive
}

// settle returns when the sandbox is frozen after its invocation, and forgets
// what was noted of freezes.
func (s *sandbox) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Idle(ctx); err != nil {
		t.Fatal(err)
	}
	for len(s.frozen) > 0 {
		<-s.frozen
	}
}

func decode(t *testing.T, resp *runtimeapi.Response) (a answer) {
	t.Helper()
	if err := json.Unmarshal(resp.Payload, &a); err != nil {
		t.Fatalf("%v: %s", err, resp.Payload)
	}
	return a
}

// rest lets real time pass: processes have no other.
func rest(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// needsFreeze skips where there are no such signals.
func needsFreeze(t *testing.T) {
	t.Helper()
	if os.PathSeparator == '\\' {
		t.Skip("Windows has no SIGSTOP: run this in WSL or a container")
	}
}
