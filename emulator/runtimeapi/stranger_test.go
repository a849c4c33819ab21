//go:build unix

package runtimeapi_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

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
