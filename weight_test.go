package middy_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// buildShipped builds a function as it is deployed, and returns its path.
func buildShipped(t testing.TB, pkg, arch string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", bin, pkg)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// The promise of docs/performance.md: over the same function on the plain SDK,
// ours adds at most 400 KiB.
func TestTheOrdersFunctionIsNoHeavierThanOnThePlainSDK(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two functions")
	}
	ours := size(t, buildShipped(t, "./examples/orders", "arm64"))
	plain := size(t, buildShipped(t, "./testdata/ordersplain", "arm64"))
	t.Logf("linux/arm64, stripped: ours %d bytes, plain SDK %d bytes, %+d KiB", ours, plain, (ours-plain)/1024)
	if ours > plain+400<<10 {
		t.Errorf("ours adds %d KiB", (ours-plain)/1024)
	}
}

// BenchmarkColdStart is the time from the start of the process to the end of its
// init, with both values fetched from the embedded AWS over loopback.
func BenchmarkColdStart(b *testing.B) {
	cold := func(b *testing.B, bin string, env []string) time.Duration {
		var inits []time.Duration
		for range 15 {
			done := make(chan time.Duration, 1)
			f, err := runtimeapi.New(runtimeapi.Config{
				Command: []string{bin}, Env: env, Freeze: runtimeapi.FreezeNever,
				Events: func(e runtimeapi.Event) {
					if e.Type == runtimeapi.InitDone {
						done <- e.Duration
					}
				},
			})
			if err != nil {
				b.Fatal(err)
			}
			if err := f.Warm(context.Background()); err != nil {
				b.Fatal(err)
			}
			inits = append(inits, <-done)
			if err := f.Shutdown(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		slices.Sort(inits)
		return inits[len(inits)/2]
	}
	aws := emulatortest.Start(b, emulatortest.Config{SeedFile: "examples/orders/seed.yaml"})
	env := aws.Env()
	ours, plain := buildShipped(b, "./examples/orders", "amd64"), buildShipped(b, "./testdata/ordersplain", "amd64")
	for b.Loop() {
		o, p := cold(b, ours, env), cold(b, plain, env)
		b.ReportMetric(float64(o.Microseconds())/1000, "ours-ms")
		b.ReportMetric(float64(p.Microseconds())/1000, "plain-ms")
		b.ReportMetric(float64(o)/float64(p), "ratio")
	}
}

// BenchmarkInvocation is a whole invocation of a real process through the
// Runtime API: ours with three layers, and plain aws-lambda-go.
func BenchmarkInvocation(b *testing.B) {
	bin := buildShipped(b, "./testdata/twin", "amd64")
	start := func(env ...string) *runtimeapi.Function {
		f, err := runtimeapi.New(runtimeapi.Config{Command: []string{bin}, Env: env, Freeze: runtimeapi.FreezeNever})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = f.Shutdown(context.Background()) })
		return f
	}
	ours, plain := start(), start("PLAIN=1")
	one := func(f *runtimeapi.Function) time.Duration {
		begin := time.Now()
		if _, err := f.Invoke(context.Background(), runtimeapi.Request{Payload: []byte(`{"do":"success"}`)}); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	one(ours)
	one(plain)
	var o, p []time.Duration
	for b.Loop() { // in turn, so that the machine's mood is shared
		o, p = append(o, one(ours)), append(p, one(plain))
	}
	slices.Sort(o)
	slices.Sort(p)
	b.ReportMetric(float64(o[len(o)/2].Microseconds()), "ours-p50-µs")
	b.ReportMetric(float64(p[len(p)/2].Microseconds()), "plain-p50-µs")
	b.ReportMetric(float64(o[len(o)/2])/float64(p[len(p)/2]), "ratio")
}
