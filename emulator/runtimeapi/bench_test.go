package runtimeapi_test

import (
	"context"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// BenchmarkInvoke is a warm invocation of a real process, and what freezing it
// afterwards adds: the freeze is waited for.
func BenchmarkInvoke(b *testing.B) {
	for name, mode := range map[string]runtimeapi.FreezeMode{"frozen": runtimeapi.FreezeAlways, "running": runtimeapi.FreezeNever} {
		b.Run(name, func(b *testing.B) {
			fn, err := runtimeapi.New(runtimeapi.Config{Command: []string{fnBinary}, Freeze: mode, Timeout: time.Minute, InitTimeout: time.Minute})
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			defer fn.Shutdown(ctx)
			b.ReportAllocs()
			for b.Loop() {
				r, err := fn.Invoke(ctx, runtimeapi.Request{})
				if err != nil || r.FunctionError != "" {
					b.Fatal(err, r)
				}
				if err := fn.Idle(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
