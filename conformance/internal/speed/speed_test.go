package speed

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/conformance/internal/node"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// event asks for everything that the stack can do.
const event = `{"version":"1.0","resource":"/orders/{id}","path":"/orders/42","httpMethod":"POST",
"headers":{"content-type":"application/json","accept":"application/json","accept-encoding":"gzip","accept-language":"de, en;q=0.8","origin":"https://shop.example.com","user-agent":"bench"},
"queryStringParameters":{"fields":"id,name,items(sku,count)"},"multiValueQueryStringParameters":{"fields":["id,name,items(sku,count)"]},
"pathParameters":{"id":"42"},"requestContext":{"httpMethod":"POST","path":"/orders/42","stage":"$default","identity":{"sourceIp":"192.0.2.1"}},
"body":"{\"name\":\"Zo\u00eb\"}","isBase64Encoded":false}`

// function runs a command on the emulator until the benchmark ends.
func function(tb testing.TB, dir string, command ...string) *runtimeapi.Function {
	tb.Helper()
	f, err := runtimeapi.New(runtimeapi.Config{Command: command, Dir: dir, Freeze: runtimeapi.FreezeNever, Timeout: time.Minute, InitTimeout: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Shutdown(context.Background()) })
	return f
}

// ourCommand builds our stack.
func ourCommand(tb testing.TB) []string {
	tb.Helper()
	bin := filepath.Join(tb.TempDir(), "stack")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", bin, "./testdata/stack")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return []string{bin}
}

// middyCommand installs Middy's.
func middyCommand(tb testing.TB) (dir string, command []string) {
	tb.Helper()
	m, err := node.Install(context.Background())
	if errors.Is(err, node.ErrUnavailable) {
		tb.Skip("MISSING: Middy from npm; the comparison did not run: ", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	source, err := os.ReadFile("testdata/stack.mjs")
	if err != nil {
		tb.Fatal(err)
	}
	dir, command, err = m.Script("stack.mjs", source)
	if err != nil {
		tb.Fatal(err)
	}
	return dir, command
}

// answer is a response as far as both must agree on it.
func answer(tb testing.TB, f *runtimeapi.Function) (status int, encoding string) {
	tb.Helper()
	resp, err := f.Invoke(context.Background(), runtimeapi.Request{Payload: []byte(event)})
	if err != nil {
		tb.Fatal(err)
	}
	var out struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
	}
	if resp.FunctionError != "" || json.Unmarshal(resp.Payload, &out) != nil || !out.IsBase64Encoded || out.Headers["Access-Control-Allow-Origin"] != "https://shop.example.com" {
		tb.Fatalf("%s %s", resp.Explanation, resp.Payload)
	}
	return out.StatusCode, out.Headers["Content-Encoding"]
}

// BenchmarkTenMiddlewares is a whole invocation of a real process: the emulator's
// Runtime API, the event's decoding, ten middlewares on the way in and out, gzip.
func BenchmarkTenMiddlewares(b *testing.B) {
	dir, command := middyCommand(b)
	us, peer := function(b, "", ourCommand(b)...), function(b, dir, command...)
	for _, f := range []*runtimeapi.Function{us, peer} {
		if status, encoding := answer(b, f); status != 200 || encoding != "gzip" {
			b.Fatal(status, encoding)
		}
	}
	one := func(f *runtimeapi.Function) time.Duration {
		begin := time.Now()
		if _, err := f.Invoke(context.Background(), runtimeapi.Request{Payload: []byte(event)}); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	for range 500 { // what a just-in-time compiler needs
		one(us)
		one(peer)
	}
	var u, p []time.Duration
	for b.Loop() { // in turn, so that the machine's mood is shared
		u, p = append(u, one(us)), append(p, one(peer))
	}
	slices.Sort(u)
	slices.Sort(p)
	b.ReportMetric(float64(u[len(u)/2].Microseconds()), "µs-p50/us")
	b.ReportMetric(float64(p[len(p)/2].Microseconds()), "µs-p50/middy")
	b.ReportMetric(float64(p[len(p)/2])/float64(u[len(u)/2]), "x-faster")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTenMiddlewaresColdStart is from the start of the process to its first
// question for an event: what the first request waits for besides Lambda itself.
func BenchmarkTenMiddlewaresColdStart(b *testing.B) {
	dir, theirs := middyCommand(b)
	mine := ourCommand(b)
	start := func(dir string, command []string) time.Duration {
		done := make(chan time.Duration, 1)
		f, err := runtimeapi.New(runtimeapi.Config{
			Command: command, Dir: dir, Freeze: runtimeapi.FreezeNever, InitTimeout: time.Minute,
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
		if err := f.Shutdown(context.Background()); err != nil {
			b.Fatal(err)
		}
		return <-done
	}
	var u, p []time.Duration
	for b.Loop() {
		u, p = append(u, start("", mine)), append(p, start(dir, theirs))
	}
	slices.Sort(u)
	slices.Sort(p)
	b.ReportMetric(float64(u[len(u)/2].Microseconds())/1000, "ms-p50/us")
	b.ReportMetric(float64(p[len(p)/2].Microseconds())/1000, "ms-p50/middy")
	b.ReportMetric(float64(p[len(p)/2])/float64(u[len(u)/2]), "x-faster")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTenMiddlewaresAlone is the event's decoding, the ten middlewares and
// the response's encoding, without the Runtime API, whose two requests cost more
// than all of it.
func BenchmarkTenMiddlewaresAlone(b *testing.B) {
	dir, theirs := middyCommand(b)
	ours := ourCommand(b)
	alone := func(dir string, command []string) float64 {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TURNS=20000", "EVENT="+event)
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		return ns
	}
	var us, peer float64
	n := 0
	for b.Loop() {
		us, peer, n = us+alone("", ours), peer+alone(dir, theirs), n+1
	}
	b.ReportMetric(us/float64(n)/1000, "µs/us")
	b.ReportMetric(peer/float64(n)/1000, "µs/middy")
	b.ReportMetric(peer/us, "x-faster")
	b.ReportMetric(0, "ns/op")
}
