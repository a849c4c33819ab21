package runtimeapi_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

func TestAnExitIsBlamedOnWhatItsOwnInvocationWrote(t *testing.T) {
	for _, c := range []struct {
		rule   string
		before []event
		last   event
		want   string
	}{
		{"it wrote nothing, others did", []event{{Do: "log", Text: "one"}, {Do: "log", Text: "two"}}, event{Do: "quit"},
			"(exit status 22), and wrote nothing to stderr"},
		{"it wrote a line", []event{{Do: "log", Text: "one"}}, event{Do: "exit", Text: "now"}, "; last on stderr: leaving early: now"},
		{"it panicked outside of the handler", []event{{Do: "log", Text: "one"}}, event{Do: "crash", Text: "no row"}, "(exit status 2): panic: no row"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			fn, _ := start(t, runtimeapi.Config{})
			for _, e := range c.before {
				invoke(t, fn, e)
			}
			if r := invoke(t, fn, c.last); !strings.HasSuffix(r.Explanation, c.want) {
				t.Errorf("it says %q, want at its end %q", r.Explanation, c.want)
			}
		})
	}
}

// aws-lambda-go reports a panic and then exits; until it has, its other runtimes ask
// for events.
func TestAfterAPanicTheDyingProcessGetsNoEvent(t *testing.T) {
	t.Parallel()
	fn, _ := start(t, runtimeapi.Config{PerSandbox: 4})
	invoke(t, fn, event{})
	for i := range 10 {
		if r := invoke(t, fn, event{Do: "panic", Text: "boom"}); r.ErrorMessage != "boom" {
			t.Fatalf("round %d: the panic is reported as %s %s", i, r.ErrorType, r.ErrorMessage)
		}
		parallel(t, 3, func(int) {
			if r := invoke(t, fn, event{Text: "hello"}); r.FunctionError != "" {
				t.Errorf("round %d: an event after the panic failed: %s", i, r.Explanation)
			}
		})
	}
}

// The same for a failure that is no panic: the process lives, and is not held up.
func TestAfterAnErrorTheProcessGoesOn(t *testing.T) {
	t.Parallel()
	fn, _ := start(t, runtimeapi.Config{PerSandbox: 4})
	invoke(t, fn, event{})
	begin := time.Now()
	for range 20 {
		invoke(t, fn, event{Do: "error", Text: "no"})
		if r := invoke(t, fn, event{}); r.Cold || r.FunctionError != "" {
			t.Fatalf("cold %v, %s; want the same process", r.Cold, r.Explanation)
		}
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("20 errors and as many events took %v: each waited", took)
	}
}

func TestAStrangersSignalsDoNotHangAFreeze(t *testing.T) {
	needsProc(t)
	fn, _ := start(t, runtimeapi.Config{})
	invoke(t, fn, event{})
	idle(t, fn)
	pid := fn.Stats().Sandboxes[0].PID
	stop := make(chan struct{})
	var stranger sync.WaitGroup
	stranger.Go(func() {
		tick := time.NewTicker(100 * time.Microsecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = syscall.Kill(pid, syscall.SIGCONT)
			}
		}
	})
	for i := range 50 {
		if r := invoke(t, fn, event{Do: "count"}); string(r.Payload) != fmt.Sprint(i+2) {
			t.Fatalf("invocation %d: %s %s", i, r.Payload, r.Explanation)
		}
		fn.Stats()
	}
	begin := time.Now()
	if err := fn.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("Shutdown took %v", took)
	}
	close(stop)
	stranger.Wait()
}

func TestAnInvocationSaysHowLongItWasQueued(t *testing.T) {
	t.Parallel()
	fn, _ := start(t, runtimeapi.Config{})
	if r := invoke(t, fn, event{}); r.Waited != 0 {
		t.Errorf("the first one waited %v", r.Waited)
	}
	var mu sync.Mutex
	longest := time.Duration(0)
	parallel(t, 2, func(int) {
		r := invoke(t, fn, event{Do: "wait", Ms: 200})
		mu.Lock()
		defer mu.Unlock()
		longest = max(longest, r.Waited)
	})
	if longest < 100*time.Millisecond {
		t.Errorf("of two at a time the second waited %v for the only sandbox, want its 200 ms", longest)
	}
}

func TestEachSandboxHasItsOwnTemporaryDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fn, _ := start(t, runtimeapi.Config{TempDir: dir, Concurrency: 2})
	var mu sync.Mutex
	places := map[string]bool{}
	parallel(t, 2, func(int) {
		invoke(t, fn, event{Do: "wait", Ms: 300}) // so that there are two
		var name string
		if r := invoke(t, fn, event{Do: "tmp"}); json.Unmarshal(r.Payload, &name) != nil || !strings.HasPrefix(name, dir) {
			t.Errorf("a temporary file is %s %s, want it below %s", r.Payload, r.Explanation, dir)
		}
		if r := invoke(t, fn, event{Do: "wait", Ms: 300}); r.FunctionError != "" {
			t.Error(r.Explanation)
		}
		mu.Lock()
		defer mu.Unlock()
		places[filepath.Dir(name)] = true
	})
	if len(places) == 0 {
		t.Error("no place was seen")
	}
	for place := range places {
		if filepath.Dir(place) != dir {
			t.Errorf("a sandbox writes to %s, want a directory of its own below %s", place, dir)
		}
	}
	if err := fn.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("after Shutdown there is %v (%v)", left, err)
	}
}

func TestRequestsOneAfterTheOtherFindTheSameSandbox(t *testing.T) {
	t.Parallel()
	fn, _ := start(t, runtimeapi.Config{Concurrency: 5})
	for i := range 50 {
		if got := string(invoke(t, fn, event{Do: "count"}).Payload); got != fmt.Sprint(i+1) {
			t.Fatalf("invocation %d is the sandbox's number %s: a second one was started", i+1, got)
		}
	}
}
