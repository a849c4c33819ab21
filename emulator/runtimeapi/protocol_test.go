package runtimeapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// A rawRuntime is a runtime that the test plays itself, against the API of a
// process that only prints where that is.
type rawRuntime struct {
	t      *testing.T
	fn     *runtimeapi.Function
	rec    *recording
	api    string
	client *http.Client
}

// raw starts the process; an invocation or Warm has to be under way for it.
func raw(t *testing.T, cfg runtimeapi.Config) *rawRuntime {
	t.Helper()
	cfg.Env = append(cfg.Env, "FN_INIT=raw")
	cfg.Freeze = runtimeapi.FreezeNever
	fn, rec := start(t, cfg)
	transport := &http.Transport{}
	t.Cleanup(func() { // its runtime may never ask again: end it at once
		transport.CloseIdleConnections()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = fn.Shutdown(ctx)
	})
	return &rawRuntime{t: t, fn: fn, rec: rec, client: &http.Client{Transport: transport}}
}

// invokes starts an invocation and waits until the process has said its address.
func (r *rawRuntime) invokes(req runtimeapi.Request) <-chan *runtimeapi.Response {
	r.t.Helper()
	got := make(chan *runtimeapi.Response, 1)
	go func() {
		resp, err := r.fn.Invoke(context.WithoutCancel(r.t.Context()), req)
		if err != nil {
			r.t.Error(err)
		}
		got <- resp
	}()
	r.find()
	return got
}

func (r *rawRuntime) find() {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); r.api == ""; {
		r.rec.mu.Lock()
		grown := r.rec.grown
		for _, l := range r.rec.lines {
			if l.Stream == "stdout" {
				r.api = l.Text
			}
		}
		r.rec.mu.Unlock()
		if r.api != "" {
			return
		}
		select {
		case <-grown:
		case <-time.After(time.Until(deadline)):
			r.t.Fatal("the process did not say its address")
		}
	}
}

// call sends a request and returns the status, the header and the body.
func (r *rawRuntime) call(method, path, body string, header ...string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.api+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(data)
}

// want is call with an expected status and errorType ("" for none).
func (r *rawRuntime) want(status int, errorType, method, path, body string, header ...string) http.Header {
	r.t.Helper()
	got, h, answer := r.call(method, path, body, header...)
	var e struct{ ErrorType, ErrorMessage string }
	_ = json.Unmarshal([]byte(answer), &e)
	if got != status || e.ErrorType != errorType || errorType != "" && e.ErrorMessage == "" {
		r.t.Errorf("%s %s: %d %s, want %d %s", method, path, got, answer, status, errorType)
	}
	return h
}

const (
	nextPath = "/2018-06-01/runtime/invocation/next"
	invPath  = "/2018-06-01/runtime/invocation/"
)

func TestTheStatesOfARuntime(t *testing.T) {
	r := raw(t, runtimeapi.Config{})
	got := r.invokes(runtimeapi.Request{RequestID: "id-1"})
	r.want(200, "", "GET", "/2018-06-01/ping", "")
	r.want(400, "InvalidRequestID", "POST", invPath+"id-1/response", "{}") // not delivered yet
	h := r.want(200, "", "GET", nextPath, "")
	if h.Get("Lambda-Runtime-Aws-Request-Id") != "id-1" || h.Get("Content-Type") != "application/json" {
		t.Errorf("%v", h)
	}
	for _, absent := range []string{"Lambda-Runtime-Client-Context", "Lambda-Runtime-Cognito-Identity", "Lambda-Runtime-Aws-Tenant-Id"} {
		if _, ok := h[absent]; ok {
			t.Errorf("%s is sent empty", absent)
		}
	}
	r.want(403, "InvalidStateTransition", "GET", nextPath, "")                            // unanswered
	r.want(403, "InvalidStateTransition", "POST", "/2018-06-01/runtime/init/error", "{}") // too late
	r.want(400, "InvalidRequestID", "POST", invPath+"id-2/response", "{}")
	r.want(400, "InvalidRequestID", "POST", invPath+"id-2/error", "{}")
	r.want(400, "InvalidFunctionResponseMode", "POST", invPath+"id-1/response", "{}", "Lambda-Runtime-Function-Response-Mode", "buffered")
	r.want(404, "NotFound", "POST", invPath+"id-1/other", "")
	r.want(405, "MethodNotAllowed", "GET", invPath+"id-1/response", "")
	r.want(202, "", "POST", invPath+"id-1/response", `"done"`, "Lambda-Runtime-Function-Response-Mode", "streaming")
	if resp := <-got; string(resp.Payload) != `"done"` || resp.FunctionError != "" {
		t.Errorf("%+v", resp)
	}
	r.want(403, "InvalidStateTransition", "POST", invPath+"id-1/response", "{}")
	r.want(403, "InvalidStateTransition", "POST", invPath+"id-1/error", "{}")

	got = r.invokes(runtimeapi.Request{RequestID: "id-2"})
	r.want(200, "", "GET", nextPath, "")
	r.want(400, "InvalidRequestID", "POST", invPath+"id-1/response", "{}")
	r.want(202, "", "POST", invPath+"id-2/error", `not JSON`, "Lambda-Runtime-Function-Error-Type", "Function.Oops")
	if resp := <-got; resp.ErrorType != "Function.Oops" || string(resp.Payload) != "not JSON" {
		t.Errorf("%+v", resp)
	}
}

func TestTheErrorTypeHeaderHasOneForm(t *testing.T) {
	r := raw(t, runtimeapi.Config{})
	for i, tt := range []struct{ header, want string }{
		{"Runtime.Oops", "Runtime.Oops"}, {"Function.Oops", "Function.Oops"},
		{"Function.Oops!", "Function.Unknown"}, {"Function.", "Function.Unknown"},
		{"Runtime.1", "Runtime.Unknown"}, {"Oops", "Runtime.Unknown"},
	} {
		id := fmt.Sprint("id-", i)
		got := r.invokes(runtimeapi.Request{RequestID: id})
		r.want(200, "", "GET", nextPath, "")
		r.want(202, "", "POST", invPath+id+"/error", `{}`, "Lambda-Runtime-Function-Error-Type", tt.header)
		if resp := <-got; resp.ErrorType != tt.want {
			t.Errorf("%s: recorded as %s, want %s", tt.header, resp.ErrorType, tt.want)
		}
	}
}

func TestAReportedInitErrorReachesTheCaller(t *testing.T) {
	r := raw(t, runtimeapi.Config{})
	done := make(chan error, 1)
	go func() { done <- r.fn.Warm(t.Context()) }()
	r.find()
	r.want(202, "", "POST", "/2018-06-01/runtime/init/error", `{"errorType":"Config.Missing","errorMessage":"no table"}`)
	if err := <-done; err == nil || err.Error() != `runtimeapi: function "function" failed in Init: Config.Missing: no table` {
		t.Errorf("Warm: %v", err)
	}
	r.api = ""
	r.rec.mu.Lock()
	r.rec.lines = nil
	r.rec.mu.Unlock()
	got := r.invokes(runtimeapi.Request{})
	r.want(202, "", "POST", "/2018-06-01/runtime/init/error", `{"errorType":"Config.Missing","errorMessage":"no table"}`)
	if resp := <-got; resp.ErrorType != "Config.Missing" || resp.ErrorMessage != "no table" || !resp.Cold {
		t.Errorf("%+v", resp)
	}
}

func TestRestoreAnswersAsIfNothingWasSnapshotted(t *testing.T) {
	r := raw(t, runtimeapi.Config{})
	got := r.invokes(runtimeapi.Request{RequestID: "id-1"})
	r.want(403, "InvalidStateTransition", "POST", "/2018-06-01/runtime/restore/error", "{}")
	r.want(200, "", "GET", "/2018-06-01/runtime/restore/next", "")
	r.want(403, "InvalidStateTransition", "GET", "/2018-06-01/runtime/restore/next", "")
	r.want(200, "", "GET", nextPath, "")
	r.want(202, "", "POST", invPath+"id-1/response", "1")
	<-got
}

func TestTelemetryIsDeclinedSoThatClientsGoOn(t *testing.T) {
	r := raw(t, runtimeapi.Config{})
	got := r.invokes(runtimeapi.Request{RequestID: "id-1"})
	r.want(202, "Telemetry.NotSupported", "PUT", "/2022-07-01/telemetry", "{}")
	r.want(202, "Logs.NotSupported", "PUT", "/2020-08-15/logs", "{}")
	r.want(200, "", "GET", nextPath, "")
	r.want(202, "", "POST", invPath+"id-1/response", "1")
	<-got
}

func TestExtensionsInsideTheProcess(t *testing.T) {
	const register, event = "/2020-01-01/extension/register", "/2020-01-01/extension/event/next"
	r := raw(t, runtimeapi.Config{FunctionName: "orders", AccountID: "123456789012"})
	got := r.invokes(runtimeapi.Request{RequestID: "id-1", TraceID: "Root=1-a-b"})
	r.want(403, "Extension.InvalidExtensionName", "POST", register, `{"events":[]}`)
	r.want(403, "InvalidRequestFormat", "POST", register, `{`, "Lambda-Extension-Name", "a")
	r.want(403, "Extension.InvalidEventType", "POST", register, `{"events":["SHUTDOWN"]}`, "Lambda-Extension-Name", "a")
	_, _, body := r.call("POST", register, `{"events":null}`, "Lambda-Extension-Name", "quiet", "Lambda-Extension-Accept-Feature", "accountId")
	if body != `{"accountId":"123456789012","functionName":"orders","functionVersion":"$LATEST","handler":"bootstrap"}` {
		t.Errorf("%s", body)
	}
	r.want(403, "Extension.InvalidExtensionState", "POST", register, `{}`, "Lambda-Extension-Name", "quiet")
	id := r.want(200, "", "POST", register, `{"events":["INVOKE"]}`, "Lambda-Extension-Name", "loud").Get("Lambda-Extension-Identifier")
	quiet := ""
	for i := range 8 {
		quiet = r.want(200, "", "POST", register, `{}`, "Lambda-Extension-Name", fmt.Sprint("filler-", i)).Get("Lambda-Extension-Identifier")
	}
	r.want(403, "Extension.TooManyExtensions", "POST", register, `{}`, "Lambda-Extension-Name", "eleventh")

	r.want(403, "Extension.MissingExtensionIdentifier", "GET", event, "")
	r.want(403, "Extension.InvalidExtensionIdentifier", "GET", event, "", "Lambda-Extension-Identifier", "x")
	r.want(403, "Extension.UnknownExtensionIdentifier", "GET", event, "", "Lambda-Extension-Identifier", runtimeapi.NewRequestID())
	r.want(403, "Extension.MissingHeader", "POST", "/2020-01-01/extension/exit/error", "", "Lambda-Extension-Identifier", quiet)
	if len(r.rec.ofType(runtimeapi.InitDone)) != 0 {
		t.Error("Init is done before the extensions have asked for their first event")
	}
	r.want(202, "", "POST", "/2020-01-01/extension/init/error", "", "Lambda-Extension-Identifier", id, "Lambda-Extension-Function-Error-Type", "Extension.Bad")
	if e := r.rec.until(t, runtimeapi.InitError); e.ErrorType != "Extension.InitError" || !strings.Contains(e.Error, "loud reported Extension.Bad") {
		t.Errorf("%+v", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = r.fn.Shutdown(ctx)
	<-got
}

func TestTheInvokePhaseLastsUntilAnExtensionIsDone(t *testing.T) {
	const register, event = "/2020-01-01/extension/register", "/2020-01-01/extension/event/next"
	r := raw(t, runtimeapi.Config{})
	got := r.invokes(runtimeapi.Request{RequestID: "id-1", TraceID: "Root=1-a-b"})
	id := r.want(200, "", "POST", register, `{"events":["INVOKE"]}`, "Lambda-Extension-Name", "loud").Get("Lambda-Extension-Identifier")
	events := make(chan string, 2)
	ask := func() {
		_, h, body := r.call("GET", event, "", "Lambda-Extension-Identifier", id)
		if h.Get("Lambda-Extension-Event-Identifier") == "" {
			t.Error("the event has no identifier")
		}
		events <- body
	}
	go ask()
	r.want(200, "", "GET", nextPath, "")
	if e := <-events; !strings.Contains(e, `"eventType":"INVOKE"`) || !strings.Contains(e, `"requestId":"id-1"`) || !strings.Contains(e, `"value":"Root=1-a-b"`) {
		t.Errorf("%s", e)
	}
	r.want(403, "Extension.RegistrationClosed", "POST", register, `{}`, "Lambda-Extension-Name", "late")
	r.want(202, "", "POST", invPath+"id-1/response", "1")
	<-got
	second := make(chan int, 1)
	go func() {
		status, _, _ := r.call("GET", nextPath, "")
		second <- status
	}()
	if n := len(r.rec.ofType(runtimeapi.InvokeDone)); n != 0 {
		t.Errorf("the invoke phase is over, and the extension is not done")
	}
	go ask()
	r.rec.until(t, runtimeapi.InvokeDone)
	got = r.invokes(runtimeapi.Request{RequestID: "id-2"})
	if status := <-second; status != 200 {
		t.Errorf("%d", status)
	}
	<-events
	r.want(202, "", "POST", "/2020-01-01/extension/exit/error", "", "Lambda-Extension-Identifier", id, "Lambda-Extension-Function-Error-Type", "Extension.Gone")
	if resp := <-got; resp.ErrorType != "Extension.ExitError" || !strings.Contains(resp.ErrorMessage, "loud reported Extension.Gone") {
		t.Errorf("%+v", resp)
	}
}

func TestABodyThatBreaksOffIsNoResponse(t *testing.T) {
	r := raw(t, runtimeapi.Config{})
	got := r.invokes(runtimeapi.Request{RequestID: "id-1"})
	r.want(200, "", "GET", nextPath, "")
	addr, path, _ := strings.Cut(r.api, "/")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /%s%sid-1/response HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{\"half\":", path, invPath, addr)
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, _ := io.ReadAll(c); !strings.Contains(string(answer), "400 Bad Request") || !strings.Contains(string(answer), "TruncatedHTTPRequest") {
		t.Errorf("%s", answer)
	}
	_ = c.Close()
	delivered := make(chan http.Header, 1)
	go func() {
		_, h, _ := r.call("GET", nextPath, "")
		delivered <- h
	}()
	if resp := <-got; resp.ErrorType != "Runtime.TruncatedResponse" {
		t.Errorf("%+v", resp)
	}
	next := r.invokes(runtimeapi.Request{RequestID: "id-2"})
	if id := (<-delivered).Get("Lambda-Runtime-Aws-Request-Id"); id != "id-2" {
		t.Errorf("the next event is %q", id)
	}
	r.want(202, "", "POST", invPath+"id-2/response", "2")
	if resp := <-next; string(resp.Payload) != "2" {
		t.Errorf("the runtime goes on after it: %+v", resp)
	}
}

func TestStrangersGetNothing(t *testing.T) {
	r := raw(t, runtimeapi.Config{})
	got := r.invokes(runtimeapi.Request{RequestID: "id-1"})
	addr, _, _ := strings.Cut(r.api, "/")
	for name, tt := range map[string]struct{ url, host string }{
		"without the path":    {"http://" + addr + nextPath, addr},
		"with a guessed path": {"http://" + addr + "/0123456789abcdef0123456789abcdef" + nextPath, addr},
		"with another Host":   {"http://" + r.api + nextPath, "attacker.example"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 403 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	r.want(200, "", "GET", nextPath, "")
	r.want(202, "", "POST", invPath+"id-1/response", "1")
	<-got
}

func TestAWrongConfigurationIsToldWhole(t *testing.T) {
	_, err := runtimeapi.New(runtimeapi.Config{
		Timeout: time.Hour, Concurrency: -1, Freeze: 9, Overflow: 9,
		Env: []string{"NOVALUE", "AWS_LAMBDA_RUNTIME_API=x"},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Command is empty", "Timeout is 1h0m0s", "cannot be negative", "Freeze is 9", "Overflow is 9", `"NOVALUE"`, "AWS_LAMBDA_RUNTIME_API"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not told: %s\n%v", want, err)
		}
	}
}

func TestDeclaredVariablesFollowLambdasRules(t *testing.T) {
	for name, tt := range map[string]struct {
		env  []string
		want string
	}{
		"fine":                {[]string{"TABLE=orders", "a1=", "X_Y=z"}, ""},
		"one character":       {[]string{"A=1"}, "at least 2 characters"},
		"underscore first":    {[]string{"_AB=1"}, "starts with a letter"},
		"reserved":            {[]string{"AWS_REGION=eu-west-1"}, "reserved by Lambda"},
		"no value":            {[]string{"hunter2"}, "no \"=\""},
		"no value, named":     {[]string{"FOO"}, "variable FOO has no"},
		"more than 4 KB":      {[]string{"BIG=" + strings.Repeat("x", 4<<10)}, "Lambda allows 4096"},
		"exactly 4 KB passes": {[]string{"BIG=" + strings.Repeat("x", 4<<10-3)}, ""},
	} {
		err := runtimeapi.ValidateEnv(tt.env)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a value", name)
		}
	}
}

func TestAnEventIsJSONWithItsDurationInMilliseconds(t *testing.T) {
	got, err := json.Marshal(runtimeapi.Event{Type: runtimeapi.Thawed, SandboxID: "s", Duration: 1500 * time.Microsecond})
	want := `{"time":"0001-01-01T00:00:00Z","type":"thawed","sandboxId":"s","durationMs":1.5}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}
