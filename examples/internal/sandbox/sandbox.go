// Package sandbox runs an example as Lambda does, for the example's own test: built,
// in a process of its own, frozen between invocations.
//
// An example that is only compiled is a promise that nobody keeps. Here the test
// makes the requests that the example's comment tells the reader to make, to the
// program that the reader would start.
package sandbox

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// Config of [Start] and [New].
type Config struct {
	// Door defaults to the HTTP API.
	Door frontdoor.Door
	// Seed is a file of secrets and parameters. Default: no emulated AWS.
	Seed string
	// Env are further variables.
	Env []string
	// Timeout ends an invocation. Default: 30 s.
	Timeout time.Duration
}

// Start runs the package in the working directory behind a front door, until the
// test ends, and returns its URL.
func Start(t testing.TB, cfg Config) string {
	t.Helper()
	srv := httptest.NewServer(frontdoor.New(frontdoor.Config{
		Function: New(t, cfg), Door: cfg.Door,
		Warn: func(_ string, err error) { t.Log("front door:", err) },
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// New runs the package in the working directory, until the test ends.
func New(t testing.TB, cfg Config) *runtimeapi.Function {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	env := cfg.Env
	if cfg.Seed != "" {
		env = append(env, emulatortest.Start(t, emulatortest.Config{SeedFile: cfg.Seed}).Env()...)
	}
	var mu sync.Mutex
	ended := false
	f, err := runtimeapi.New(runtimeapi.Config{
		Command: []string{bin}, Env: env, Timeout: cmp.Or(cfg.Timeout, 30*time.Second),
		Log: func(l runtimeapi.Line) {
			mu.Lock()
			defer mu.Unlock()
			if !ended && l.Stream != "platform" {
				t.Log("function:", l.Text)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		ended = true
		mu.Unlock()
		if err := f.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// Client does not follow redirects and keeps no connection beyond the test.
func Client(t testing.TB) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
