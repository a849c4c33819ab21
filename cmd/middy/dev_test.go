//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const probe = "./cmd/middy/testdata/probe"

// dev starts middy dev and returns it with its first door's address.
func dev(t *testing.T, env []string, args ...string) (*command, string) {
	t.Helper()
	c := start(t, t.TempDir(), env, append([]string{"dev", "--port", "0"}, args...)...)
	return c, c.url()
}

func TestRequestsInParallelGetASandboxEach(t *testing.T) {
	c, url := dev(t, nil, "--no-watch", probe)
	get(t, url+"/sleep?ms=1")
	begin := time.Now()
	var all sync.WaitGroup
	for range 14 {
		all.Go(func() {
			if status, body := get(t, url+"/sleep?ms=2500"); status != 200 || body != "slept" {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	all.Wait()
	t.Logf("14 requests of 2.5 s took %v", time.Since(begin)) // 2.7 s where nothing else runs
	c.await(`(?s)(END .*){15}`)
	// One that has just answered is waited for, 100 ms at most.
	if regexp.MustCompile(`waited [0-9.]+ s for a sandbox`).MatchString(c.output()) {
		t.Errorf("of 14 requests at a time one waited for another's end:\n%s", c.output())
	}
}

func TestWhoFindsNoSandboxWaitsAndIsToldHowLong(t *testing.T) {
	c, url := dev(t, nil, "--no-watch", "--concurrency", "1", probe)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { get(t, url+"/sleep?ms=400") })
	}
	all.Wait()
	c.await(`END .* 200 .*, waited \d+ ms for a sandbox`)
}

// folder copies the probe's source into a folder of this module, where a test may edit
// it, with a file that is deployed beside it.
func folder(t *testing.T) (dir, arg string) {
	t.Helper()
	dir, err := os.MkdirTemp("testdata", "edited")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	source, err := os.ReadFile("testdata/probe/main.go")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "main.go", string(source))
	write(t, dir, "data.txt", "one")
	return dir, "./cmd/middy/" + dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheFunctionIsHostedAsOnLambda(t *testing.T) {
	dir, arg := folder(t)
	write(t, dir, "seed.yaml", "secrets: {a: one}\n")
	c, url := dev(t, nil, arg)
	if _, body := get(t, url+"/read"); body != "bootstrap data.txt: one" {
		t.Errorf("its directory has %q, want the binary and what is deployed beside it, without source and seed", body)
	}
	_, body := get(t, url+"/write")
	m := regexp.MustCompile(`^wd=(\S+) task=(\S+) tmp=(\S+) here=(.*) there=(.*)$`).FindStringSubmatch(body)
	if m == nil {
		t.Fatal(body)
	}
	if m[1] != m[2] || !strings.HasPrefix(m[1], c.temp) || !strings.HasPrefix(m[3], c.temp) || m[1] == m[3] {
		t.Errorf("it runs in %s, LAMBDA_TASK_ROOT is %s, TMPDIR %s; want a directory of its own twice, and another one", m[1], m[2], m[3])
	}
	if m[5] != "<nil>" {
		t.Errorf("TMPDIR cannot be written: %s", m[5])
	}
	if _, err := os.Stat(filepath.Join(dir, "notes.db")); err == nil {
		t.Error("it wrote into the package's folder")
	}
	if os.Geteuid() == 0 {
		c.await(`warn +the function wrote notes.db into its own directory, which is read-only on Lambda`)
	} else if m[4] == "<nil>" {
		t.Error("its own directory can be written")
	}
	c.await("Ctrl-C ends it")
	write(t, dir, "data.txt", "two")
	c.await(`live +built`)
	if _, body := get(t, url+"/read"); body != "bootstrap data.txt: two" {
		t.Errorf("after the file has changed it reads %q", body)
	}
}

func TestAFirstStartThatFailsWaitsForTheEdit(t *testing.T) {
	dir, arg := folder(t)
	source, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "main.go", "package main\n\nfunc main() { this does not compile }\n")
	c := start(t, t.TempDir(), nil, "dev", "--port", "0", "--json", arg)
	c.await(`"build.failed"`)
	c.await(`"watching"`)
	write(t, dir, "main.go", "package main\n\nfunc main() { panic(\"no issuer\") }\n")
	c.await(`"init.failed","message":".*panic: no issuer`)
	write(t, dir, "main.go", string(source))
	url := c.await(`"ready".*?"url":"([^"]*)"`)
	if status, body := get(t, url+"/"); status != 200 || body != "ok" {
		t.Errorf("%d %s", status, body)
	}
}

func TestAPanicInMainIsShownOnceAndFirst(t *testing.T) {
	c := start(t, t.TempDir(), nil, "dev", "--port", "0", "--no-watch", "--env", "NEEDS_QUEUE=1", "./cmd/middy/testdata/queue")
	if code := c.wait(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	<-c.done
	said := c.output()
	if n := strings.Count(said, "panic: QUEUE_NAME is not set"); n != 1 {
		t.Errorf("the reason stands there %d times, want once", n)
	}
	if reason, trace := strings.Index(said, "panic: "), strings.Index(said, "goroutine 1"); reason < 0 || trace < reason || strings.Count(said, "goroutine 1 ") != 1 {
		t.Errorf("want the reason, then the trace, once:\n%s", said)
	}
	if strings.Contains(said, "main has to reach") {
		t.Errorf("the advice has nothing to do with a panic:\n%s", said)
	}
}

func TestRequestsWaitForTheFirstBuildAndThoseThatLeaveAreNone(t *testing.T) {
	bin := t.TempDir()
	gate := filepath.Join(bin, "gate")
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	write(t, bin, "go", fmt.Sprintf("#!/bin/sh\ncase $1 in build) while [ ! -e %s ]; do sleep 0.05; done;; esac\nexec %s \"$@\"\n", gate, real))
	if err := os.Chmod(filepath.Join(bin, "go"), 0o700); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	c := start(t, t.TempDir(), []string{"PATH=" + bin + ":" + os.Getenv("PATH")}, "dev", "--port", port, "--no-watch", probe)
	c.await("build ")
	for range 3 {
		for _, method := range []string{"GET /gone HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST /gone HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab"} {
			conn := dial(t, "127.0.0.1:"+port)
			if _, err := io.WriteString(conn, method); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
	}
	answered := make(chan string, 1)
	go func() {
		_, body := get(t, "http://127.0.0.1:"+port+"/stays")
		answered <- body
	}()
	write(t, bin, "gate", "")
	if body := <-answered; body != "ok" {
		t.Errorf("the one that stayed gets %q", body)
	}
	c.await("START .* GET /stays")
	if strings.Contains(c.output(), "/gone") {
		t.Errorf("clients that hung up during the build are invocations:\n%s", c.output())
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	var conn net.Conn
	eventually(t, addr+" is open", func() (ok bool) {
		c, err := net.Dial("tcp", addr)
		conn = c
		return err == nil
	})
	return conn
}

func TestRequestsThatAreNotWholeAreRefused(t *testing.T) {
	_, url := dev(t, nil, "--no-watch", "--front", "http,rest,alb,url", probe)
	addr := strings.TrimPrefix(url, "http://")
	for _, c := range []struct {
		name, request, want string
	}{
		{"a chunk that is malformed", "POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n", "HTTP/1.1 400 "},
		{"a chunk that is shorter than it says", "POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n", "HTTP/1.1 400 "},
		{"a body that does not come", "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1 408 "},
		{"an event that does not come", "POST /2015-03-31/functions/probe/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1 400 "},
		{"another host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 403 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, addr)
			defer conn.Close()
			if _, err := io.WriteString(conn, c.request); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, 1<<10)
			n, err := conn.Read(answer)
			if err != nil || !strings.HasPrefix(string(answer[:n]), c.want) {
				t.Errorf("it is answered %q (%v), want %s", answer[:n], err, c.want)
			}
			if c.name == "another host" && !strings.Contains(string(answer[:n]), `"evil.example"`) {
				t.Errorf("the answer does not name the host: %s", answer[:n])
			}
		})
	}
}

func TestCallsToOtherServicesStayHere(t *testing.T) {
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer outside.Close()
	keys := []string{"AWS_ACCESS_KEY_ID=AKIADEVELOPER", "AWS_SECRET_ACCESS_KEY=developers-secret", "AWS_ENDPOINT_URL_S3=" + outside.URL, "AWS_PROFILE="}
	c, url := dev(t, keys, "--no-watch", probe)
	c.await("warn +AWS_ENDPOINT_URL_S3 of your shell is not passed on")
	begin := time.Now()
	_, body := get(t, url+"/s3")
	if !strings.Contains(body, "NotEmulated") || !strings.Contains(body, "AWS_ENDPOINT_URL_S3") {
		t.Errorf("the client gets %s; want an error that names the variable", body)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v: it was tried again", took)
	}
	if line := c.await(`(aws +middy dev does not emulate s3: .*)`); !strings.Contains(line, "AWS_ENDPOINT_URL_S3") || !strings.Contains(line, "--pass s3") {
		t.Errorf("the console says %q", line)
	}
	if n := strings.Count(c.output(), "does not emulate s3"); n != 1 {
		t.Errorf("the console says it %d times", n)
	}
	if _, env := get(t, url+"/env"); strings.Contains(env, "DEVELOPER") || strings.Contains(env, outside.URL) {
		t.Errorf("the function has the developer's own:\n%s", env)
	}
	if _, body := get(t, url+"/lambda"); !strings.Contains(body, "ResourceNotFoundException") {
		t.Errorf("another function is called: %s", body)
	}
}

func TestAnEndpointOfTheDevelopersIsTaken(t *testing.T) {
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/my-bucket/a%20b/%C3%BC" {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer own.Close()
	_, url := dev(t, nil, "--no-watch", "--env", "AWS_ENDPOINT_URL_S3="+own.URL, probe)
	if _, body := get(t, url+"/s3"); body != "found" {
		t.Errorf("%s", body)
	}
}

// The passed service verifies what arrives with the developer's key.
func TestPassSignsAnewWithTheDevelopersCredentials(t *testing.T) {
	var mu sync.Mutex
	var got []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Authorization")+" "+r.Header.Get("X-Amz-Security-Token")+" "+verdict(r, "AKIADEVELOPER", "developers-secret"))
	}))
	defer service.Close()
	keys := []string{"AWS_ACCESS_KEY_ID=AKIADEVELOPER", "AWS_SECRET_ACCESS_KEY=developers-secret", "AWS_SESSION_TOKEN=", "AWS_ENDPOINT_URL_S3=" + service.URL}
	c, url := dev(t, keys, "--no-watch", "--pass", "s3", "--region", "eu-west-1", probe)
	if _, body := get(t, url+"/s3"); body != "found" {
		t.Errorf("%s\n%s", body, c.output())
	}
	mu.Lock()
	if len(got) != 1 || !strings.Contains(got[0], "AKIADEVELOPER/") || !strings.Contains(got[0], "/eu-west-1/s3/") || !strings.HasSuffix(got[0], " valid") {
		t.Errorf("the service got %q", got)
	}
	mu.Unlock()
	_, env := get(t, url+"/env")
	if strings.Contains(env, "DEVELOPER") || strings.Contains(env, "developers-secret") {
		t.Error("the function has the developer's key")
	}
	m := regexp.MustCompile(`AWS_ENDPOINT_URL_S3=(\S+)`).FindStringSubmatch(env)
	if m == nil {
		t.Fatalf("no address for S3 in\n%s", env)
	}
	for _, origin := range []string{"", "https://evil.example"} { // whoever finds the address
		req, err := http.NewRequest(http.MethodGet, m[1]+"/my-bucket", nil)
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("an unsigned request from %q is passed on: %d", origin, resp.StatusCode)
		}
	}
	if mu.Lock(); len(got) != 1 {
		t.Errorf("the service got %q", got)
	}
	mu.Unlock()
}

func TestTheShellFileLeadsHereWhateverTheShellHad(t *testing.T) {
	c, _ := dev(t, nil, "--no-watch", probe)
	file := c.await(`shell +\. (\S+)`)
	cmd := exec.Command("sh", "-c", ". "+file+"; env")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "AWS_PROFILE=prod", "AWS_DEFAULT_PROFILE=prod", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
		"HTTP_PROXY=http://proxy.example", "NO_PROXY=corp.example", "AWS_ACCESS_KEY_ID=AKIAREAL", "AWS_REGION=eu-west-3"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	env := "\n" + string(out)
	for _, gone := range []string{"\nAWS_PROFILE=", "\nAWS_DEFAULT_PROFILE=", "\nAWS_IGNORE_CONFIGURED_ENDPOINT_URLS=", "AKIAREAL", "eu-west-3"} {
		if strings.Contains(env, gone) {
			t.Errorf("it keeps %q:%s", gone, env)
		}
	}
	for _, there := range []string{"\nNO_PROXY=127.0.0.1,localhost,corp.example\n", "\nno_proxy=127.0.0.1,localhost\n", "\nAWS_ENDPOINT_URL=http://127.0.0.1:", "\nAWS_ENDPOINT_URL_STS=http://127.0.0.1:"} {
		if !strings.Contains(env, there) {
			t.Errorf("it lacks %q:%s", there, env)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(text, []byte("awscli 2.13, boto3 1.28")) {
		t.Errorf("it does not name the versions it needs (%v):\n%s", err, text)
	}
}

func TestASeedEditReachesTheFunctionAtOnce(t *testing.T) {
	dir, arg := folder(t)
	write(t, dir, "seed.yaml", "secrets: {a: one}\n")
	c, url := dev(t, nil, arg)
	c.await("Ctrl-C ends it")
	get(t, url+"/count")
	if _, body := get(t, url+"/count"); body != "2" {
		t.Errorf("the second count is %s", body)
	}
	write(t, dir, "seed.yaml", "secrets: {a: two}\n")
	c.await("seed .* is loaded")
	if _, body := get(t, url+"/count"); body != "1" {
		t.Errorf("after the edit the count is %s, want a new sandbox's 1", body)
	}
}

func TestASeedMayComeLaterAndWhatIsBuiltToBeDeployedIsNotInTheWay(t *testing.T) {
	dir, arg := folder(t)
	write(t, dir, "bootstrap", "an earlier build")
	write(t, dir, "function.zip", "and its package")
	c, url := dev(t, nil, arg)
	c.await("Ctrl-C ends it")
	if status, body := get(t, url+"/count"); status != 200 || body != "1" {
		t.Fatalf("beside a build to be deployed the function answers %d %q\n%s", status, body, c.output())
	}
	write(t, dir, "seed.yaml", "secrets: {a: one}\n")
	c.await("seed .* is loaded")
}

func TestAFunctionOfAnotherServiceHasNoHTTPDoor(t *testing.T) {
	c, url := dev(t, nil, "--no-watch", "--region", "eu-central-1", "./cmd/middy/testdata/queue")
	c.await(`door +none: the function takes events of SQS`)
	if status, body := get(t, url+"/"); status != 404 || !strings.Contains(body, "middy invoke") {
		t.Errorf("a browser gets %d %s", status, body)
	}
	out, err := exec.Command(middy, "invoke", "--url", url, "--template", "sqs", "--body", "hello", "--region", "eu-central-1").CombinedOutput()
	if err != nil || string(out) != "\"1 messages\"\n" {
		t.Errorf("%s %v", out, err)
	}
	c.await("message hello from arn:aws:sqs:eu-central-1:")
	given, url := dev(t, nil, "--no-watch", "--front", "http", "./cmd/middy/testdata/queue")
	if status, _ := get(t, url+"/"); status != 200 {
		t.Errorf("a door that was asked for answers %d\n%s", status, given.output())
	}
}

func TestVerboseShowsEventsAndResponses(t *testing.T) {
	c, url := dev(t, nil, "--no-watch", "--verbose", probe)
	get(t, url+"/count?n=%1b%5b31m")
	c.await(`EVENT .*"rawPath":"/count"`)
	c.await(`RESULT .*"statusCode":200`)
	resp, err := http.Post(url+"/body", "text/plain", strings.NewReader(strings.Repeat("y", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	c.await(`EVENT .*\(\d+ bytes more\)`)
	if strings.ContainsRune(c.output(), '\x1b') {
		t.Error("a control character came to the terminal")
	}
}

func TestWhatTheFunctionPrintsCannotHarmATerminal(t *testing.T) {
	c, url := dev(t, nil, "--no-watch", probe)
	get(t, url+"/print")
	c.await(`\\x1b\[31mred\\x00`)
	c.await(`xxx … \(\d+ bytes more\)`)
	get(t, url+"/%1b[2J")
	c.await(`START .*/\\x1b\[2J`)
	if strings.ContainsAny(c.output(), "\x1b\x00") {
		t.Error("a control character came to the terminal")
	}
	for line := range strings.Lines(c.output()) {
		if len(line) > 6000 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

func TestDebugBuildsForADebugger(t *testing.T) {
	c, url := dev(t, nil, "--debug", "--no-watch", "--env", "SLOW=1", "./cmd/middy/testdata/queue")
	pid := c.await(`dlv attach (\d+)`)
	exe, err := os.Readlink("/proc/" + pid + "/exe")
	if err != nil {
		t.Skip("there is no /proc:", err)
	}
	out, err := exec.Command("go", "version", "-m", exe).Output()
	if err != nil || !strings.Contains(string(out), "-gcflags=\"all=-N -l\"") || strings.Contains(string(out), "-trimpath=true") {
		t.Errorf("%v %s", err, out)
	}
	out, err = exec.Command(middy, "invoke", "--url", url, "--template", "sqs").Output() // longer than the usual time limit
	if err != nil || string(out) != "\"1 messages\"\n" {
		t.Errorf("%s %v", out, err)
	}
	if state, err := os.ReadFile("/proc/" + pid + "/stat"); err != nil || strings.Contains(string(state), ") T ") {
		t.Errorf("the process is frozen: %s %v", state, err)
	}
}

func TestANameThatLambdaDoesNotTakeIsLeftOutOfAnEnvFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".env", "A=1\nAWS_REGION=eu-west-1\nGOOD_ONE=yes\n")
	c, url := dev(t, nil, "--no-watch", "--env-file", filepath.Join(dir, ".env"), probe)
	c.await(`warn .*left out: variable "A"`)
	c.await(`warn .*left out: variable AWS_REGION is reserved`)
	if _, env := get(t, url+"/env"); !strings.Contains(env, "GOOD_ONE=yes") || strings.Contains(env, "\nA=1") || !strings.Contains(env, "AWS_REGION=us-east-1") {
		t.Errorf("%s", env)
	}
}

func TestJSONHasTwoLinesForARequest(t *testing.T) {
	c := start(t, t.TempDir(), nil, "dev", "--port", "0", "--no-watch", "--json", probe)
	url := c.await(`"ready".*?"url":"([^"]*)"`)
	before := len(c.output())
	for range 10 {
		get(t, url+"/")
	}
	eventually(t, "ten ends", func() bool { return strings.Count(c.output(), `"type":"end"`) == 10 })
	said := c.output()[before:]
	if n := strings.Count(said, "\n"); n != 20 || len(said) > 10*600 {
		t.Errorf("10 requests are %d lines and %d bytes; want a start and an end each\n%s", n, len(said), said)
	}
	var e map[string]any
	for line := range strings.Lines(said) {
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestIAMTakesTheEnvironmentThatMainReads(t *testing.T) {
	out, err := exec.Command(middy, "iam", "--env", "NEEDS_QUEUE=1", "./testdata/queue").CombinedOutput()
	said := regexp.MustCompile(`(?m)^building .*\n`).ReplaceAllString(string(out), "")
	if err == nil || !strings.Contains(said, "panic: QUEUE_NAME is not set") || strings.Contains(said, "goroutine") || strings.Count(said, "\n") != 1 {
		t.Errorf("without it: %s %v; want one line with the reason", out, err)
	}
}

func TestADataFolderBelongsToOneDev(t *testing.T) {
	data := t.TempDir()
	_, url := dev(t, nil, "--no-watch", "--data", data, probe)
	second := start(t, t.TempDir(), nil, "dev", "--port", "0", "--no-watch", "--data", data, probe)
	second.await(`--data \S+ cannot be used: .*`)
	if status := second.wait(); status == 0 {
		t.Errorf("the second middy dev with one --data ended with 0 and said:\n%s", second.output())
	}
	if code, body := get(t, url+"/sleep?ms=1"); code != 200 {
		t.Errorf("the first answers %d %q afterwards", code, body)
	}
}
