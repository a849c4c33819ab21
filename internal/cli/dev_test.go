package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must come. It is no measure of speed.
const patience = 60 * time.Second

// A running is one `middy dev --json --port 0` under test.
type running struct {
	t      *testing.T
	cancel context.CancelFunc
	events chan map[string]any
	code   chan int
	stderr *bytes.Buffer
	url    string
	pids   map[int]bool
}

func startDev(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	d := &running{t: t, cancel: cancel, events: make(chan map[string]any, 1000), code: make(chan int, 1), stderr: &bytes.Buffer{}, pids: map[int]bool{}}
	args = append([]string{"dev", "--json", "--port", "0"}, args...)
	go func() {
		code := Run(ctx, args, strings.NewReader(""), in, d.stderr, os.Environ())
		in.Close()
		d.code <- code
	}()
	go func() {
		defer close(d.events)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e map[string]any
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				e = map[string]any{"type": "not JSON: " + lines.Text()}
			}
			d.events <- e
		}
	}()
	t.Cleanup(func() { d.stop() })
	return d
}

// await returns the next event of a type, and fails on one that ends the wait.
func (d *running) await(typ string) map[string]any {
	d.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	var seen []string
	for {
		select {
		case e, ok := <-d.events:
			if !ok {
				d.t.Fatalf("dev ended before the event %q; it said %s; stderr: %s", typ, strings.Join(seen, "\n"), d.stderr)
			}
			if pid, ok := e["pid"].(float64); ok {
				d.pids[int(pid)] = true
			}
			if e["type"] == "ready" {
				d.url = e["url"].(string)
			}
			if e["type"] == typ {
				return e
			}
			seen = append(seen, fmt.Sprint(e))
		case <-late.C:
			d.t.Fatalf("no event %q within %v; seen: %s", typ, patience, strings.Join(seen, "\n"))
		}
	}
}

// stop is Ctrl-C. It returns the exit code, once.
func (d *running) stop() (code int) {
	d.cancel()
	for e := range d.events {
		if pid, ok := e["pid"].(float64); ok {
			d.pids[int(pid)] = true
		}
	}
	select {
	case code = <-d.code:
		d.code <- code
		return code
	case <-time.After(patience):
		d.t.Errorf("dev did not end within %v of Ctrl-C", patience)
		return -1
	}
}

func (d *running) get(path string) (int, string) {
	d.t.Helper()
	resp, err := http.Get(d.url + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// functionSource answers with a word, so that a test sees which build it was.
const functionSource = `package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

const word = "WORD"

func main() {
	INIT
	lambda.Start(func(context.Context) (map[string]any, error) {
		return map[string]any{"statusCode": 200, "body": word + os.Getenv("SUFFIX")}, nil
	})
}
`

// functionDir is a module of its own with one function, to be edited by a test.
type functionDir struct {
	t   *testing.T
	dir string
}

func newFunction(t *testing.T) functionDir {
	t.Helper()
	f := functionDir{t, t.TempDir()}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	f.write("go.mod", strings.Replace(string(mod), "module github.com/gomiddy/middy", "module example.com/hello", 1))
	f.write("go.sum", string(sum))
	f.edit("one", "")
	return f
}

func (f functionDir) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f functionDir) edit(word, init string) {
	f.t.Helper()
	f.write("main.go", strings.NewReplacer("WORD", word, "INIT", init).Replace(functionSource))
}

func TestDevAnswersRebuildsAndKeepsTheLastGoodBuild(t *testing.T) {
	f := newFunction(t)
	f.write("vars", "# for the function\nexport SUFFIX='!'\n")
	d := startDev(t, "--env-file", filepath.Join(f.dir, "vars"), f.dir)
	d.await("ready")
	d.await("watching")
	begin := time.Now()
	if status, body := d.get("/hello"); status != 200 || body != "one!" {
		t.Fatalf("the first answer is %d %q, want 200 one!", status, body)
	}
	t.Logf("first answer after %v", time.Since(begin))

	begin = time.Now()
	f.edit("two", "")
	live := d.await("live")
	if _, body := d.get("/hello"); body != "two!" {
		t.Fatalf("after the edit it answers %q, want two!", body)
	}
	build := time.Duration(live["buildMs"].(float64) * float64(time.Millisecond))
	t.Logf("live %v after the edit, the build being %v of it", time.Since(begin), build)
	if rest := time.Since(begin) - build; rest > 2*time.Second {
		t.Errorf("besides its build of %v an edit took %v to be live; 2 s are promised for both", build, rest)
	}

	f.edit("three", "this does not compile")
	broken := d.await("build.failed")
	if text := broken["detail"].(string); !strings.Contains(text, "main.go:13:") {
		t.Errorf("the compiler's text does not name the file and line:\n%s", text)
	}
	if _, body := d.get("/hello"); body != "two!" {
		t.Errorf("after a broken edit it answers %q, want the last good build's two!", body)
	}

	f.edit("exits", `os.Exit(3)`)
	if e := d.await("init.failed"); !strings.Contains(e["message"].(string), "exit status 3") {
		t.Errorf("a build that exits in init is told as %v", e)
	}
	if _, body := d.get("/hello"); body != "two!" {
		t.Errorf("after an edit that exits in init it answers %q, want the last good build's two!", body)
	}

	f.edit("four", "")
	d.await("live")
	if _, body := d.get("/hello"); body != "four!" {
		t.Errorf("after the repair it answers %q, want four!", body)
	}

	if code := d.stop(); code != exitOK {
		t.Errorf("Ctrl-C ends dev with %d, want 0", code)
	}
	if len(d.pids) < 3 {
		t.Errorf("%d processes were seen, want one for each good build", len(d.pids))
	}
	for pid := range d.pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
	if d.stderr.Len() > 0 {
		t.Errorf("stderr is not empty: %s", d.stderr)
	}
}

func TestDevServesTheInvokeAPI(t *testing.T) {
	f := newFunction(t)
	d := startDev(t, "--no-watch", f.dir)
	d.await("ready")
	r := run(t, "invoke", "--url", d.url)
	r.wantCode(exitOK)
	if want := `{"body":"one","statusCode":200}`; strings.TrimSpace(r.stdout) != want {
		t.Errorf("invoke prints %q, want %q", r.stdout, want)
	}
	if end := d.await("end"); end["status"] != 200.0 || end["requestId"] == "" {
		t.Errorf("the end event is %v, want a status and an id", end)
	}
	req, err := http.NewRequest(http.MethodPost, d.url+"/2015-03-31/functions/function/invocations", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, header, value string }{
		{"another Host", "Host", "evil.example"},
		{"a web page's Origin", "Origin", "https://evil.example"},
	} {
		r := req.Clone(t.Context())
		r.Body = io.NopCloser(strings.NewReader("{}"))
		r.Header.Set(c.header, c.value)
		if c.header == "Host" {
			r.Host = c.value
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s gets %d, want 403", c.name, resp.StatusCode)
		}
	}
}

func TestDevSaysInOneSentenceWhyItDoesNotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	exits, broken, wrong := newFunction(t), newFunction(t), newFunction(t)
	exits.edit("one", `println("the database is missing"); os.Exit(3)`)
	broken.edit("one", "this does not compile")
	wrong.write("seed.yaml", "secrets: [\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"a taken port", []string{"--port", port, "./testdata/orders"}, exitFailed, []string{"port " + port + " is taken", "--port 0"}},
		{"an impossible port", []string{"--port", "70000", "./testdata/orders"}, exitUsage, []string{"--port 70000 is not a port"}},
		{"a function that does not build", []string{"--port", "0", "--no-watch", broken.dir}, exitFailed, []string{broken.dir + " does not build", "main.go:13:"}},
		{"a function that exits in init", []string{"--port", "0", "--no-watch", exits.dir}, exitFailed, []string{exits.dir + " does not start", "exit status 3", "the database is missing"}},
		{"a library", []string{"--port", "0", "./testdata/library"}, exitFailed, []string{"is package library, not a program"}},
		{"a missing seed", []string{"--port", "0", "--seed", "none.yaml", "./testdata/orders"}, exitFailed, []string{"--seed cannot be read", "none.yaml"}},
		{"a wrong seed", []string{"--port", "0", wrong.dir}, exitFailed, []string{"the seed file " + wrong.dir + "/seed.yaml cannot be used", "seed.yaml:1: "}},
		{"a reserved variable", []string{"--env", "AWS_REGION=x", "./testdata/orders"}, exitFailed, []string{"AWS_REGION is reserved by Lambda"}},
		{"a missing env file", []string{"--env-file", "none", "./testdata/orders"}, exitFailed, []string{"--env-file cannot be read"}},
		{"a door that does not exist", []string{"--front", "http,gate", "./testdata/orders"}, exitUsage, []string{"--front gate is not a door", "alb-multi (load balancer, multi-value headers)"}},
		{"no package", nil, exitUsage, []string{"name the directory of one function"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var out, errs lockedBuffer
			code := Run(ctx, append([]string{"dev"}, c.args...), strings.NewReader(""), &out, &errs, os.Environ())
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			all := out.String() + errs.String()
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("it says:\n%s\nwant %q", all, want)
				}
			}
			if strings.Contains(all, "goroutine ") {
				t.Errorf("a stack trace at the user:\n%s", all)
			}
		})
	}
}

func TestDevTellsPeopleWhereEverythingIs(t *testing.T) {
	f := newFunction(t)
	f.write("seed.yaml", "secrets: {a: one}\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs lockedBuffer
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, []string{"dev", "--port", "0", "--front", "url", "--no-freeze", f.dir}, strings.NewReader(""), &out, &errs, os.Environ())
	}()
	await := func(text string) {
		t.Helper()
		tick, late := time.NewTicker(10*time.Millisecond), time.NewTimer(patience)
		defer tick.Stop()
		defer late.Stop()
		for !strings.Contains(out.String(), text) {
			select {
			case <-tick.C:
			case <-late.C:
				t.Fatalf("no %q in:\n%s%s", text, out.String(), errs.String())
			}
		}
	}
	await("Ctrl-C ends it")
	for _, want := range []string{"hello is ready: built in ", "(function URL)", "aws lambda invoke --endpoint-url http://127.0.0.1:", "1 secret and 0 parameters from ", "1 directory; "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	f.write("seed.yaml", "secrets: {a: two}\n")
	await("is loaded; the next invocation finds a new sandbox")
	f.write("main.go", strings.Replace(functionSource, "INIT", "this does not compile", 1))
	await("the last good build keeps running\n  ")
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d, want 0", got)
	}
	await("every process of the function has ended")
}

// The first line of the README, held: the example answers, its secret is read from
// the emulated AWS, and what it prints does not have it.
func TestDevRunsTheOrdersExample(t *testing.T) {
	d := startDev(t, "../../examples/orders")
	ready := d.await("ready")
	if ready["initMs"].(float64) > 3000 {
		t.Errorf("init took %v ms; the first answer is promised within 3 s of the build", ready["initMs"])
	}
	d.await("watching")
	if status, body := d.get("/orders/42"); status != 200 || !strings.Contains(body, `"id":"42"`) {
		t.Errorf("GET /orders/42 answers %d %s, want 200 and the id", status, body)
	}
	for {
		e := d.await("log")
		if text := e["text"].(string); strings.Contains(text, "not-a-real-password") {
			t.Errorf("a log line has the secret: %s", text)
		} else if strings.Contains(text, "order read") {
			break
		}
	}
}

func TestDevLoadsAChangedSeedAndKeepsTheOldOneWhenItIsWrong(t *testing.T) {
	f := newFunction(t)
	f.write("seed.yaml", "secrets:\n  a: one\n")
	d := startDev(t, f.dir)
	d.await("ready")
	d.await("watching")
	f.write("seed.yaml", "secrets:\n  a: two\n  b: {value: 1, nonsense: 2}\n")
	if e := d.await("seeded"); !strings.Contains(fmt.Sprint(e["detail"]), "nonsense") {
		t.Errorf("a wrong seed is told as %v, want the name of what is wrong", e)
	}
	f.write("seed.yaml", "secrets:\n  a: two\n")
	if e := d.await("seeded"); e["message"] != nil {
		t.Errorf("a good seed is told as %v", e)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
