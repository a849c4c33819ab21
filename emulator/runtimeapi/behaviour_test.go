package runtimeapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

func TestFailuresReachTheCallerAsLambdaReportsThem(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{Concurrency: 4})
	tests := []struct {
		name        string
		do          event
		typ         string
		message     string // contained
		explanation string // contained
		coldAfter   bool
	}{
		{"an error has its Go type", event{Do: "error", Text: "no stock"}, "errorString", "no stock", "no stock", false},
		{"an error of the function's own type", event{Do: "typed-error", Text: "42"}, "orderRejected", "order 42 was rejected", "rejected", false},
		{"a panic is reported, then the process ends", event{Do: "panic", Text: "boom"}, "string", "boom", "boom", true},
		{"an exit has its status", event{Do: "exit", Text: "bye"}, "Runtime.ExitError", "Error: Runtime exited with error: exit status 3", `leaving early: bye`, true},
		{"a response over 6 MB", event{Do: "large", Size: 6<<20 + 200}, "Function.ResponseSizeTooLarge", "(6291658 bytes) exceeded maximum allowed payload size (6291556 bytes)", "stream it", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := invoke(t, fn, tt.do)
			if r.FunctionError != "Unhandled" || r.ErrorType != tt.typ || !strings.Contains(r.ErrorMessage, tt.message) {
				t.Errorf("got %q %q %q, want Unhandled %q …%q…", r.FunctionError, r.ErrorType, r.ErrorMessage, tt.typ, tt.message)
			}
			if !strings.Contains(r.Explanation, tt.explanation) {
				t.Errorf("explanation %q does not say %q", r.Explanation, tt.explanation)
			}
			var body struct{ ErrorType, ErrorMessage string }
			if err := json.Unmarshal(r.Payload, &body); err != nil || body.ErrorType != tt.typ || body.ErrorMessage != r.ErrorMessage {
				t.Errorf("payload %s: %v", r.Payload, err)
			}
			idle(t, fn)
			if tt.coldAfter {
				if n := invoke(t, fn, event{Do: "count"}); string(n.Payload) != "1" || !n.Cold || n.InitDuration == 0 {
					t.Errorf("got %s (cold %v): the next invocation must be a cold start", n.Payload, n.Cold)
				}
			} else if n := invoke(t, fn, event{Do: "count"}); n.Cold {
				t.Errorf("the next invocation was cold, although the process did not end")
			}
			idle(t, fn)
		})
	}
	if t.Failed() {
		t.Log(rec.log())
	}
}

func idle(t *testing.T, fn *runtimeapi.Function) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := fn.Idle(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAResponseOfExactlyTheLimitPasses(t *testing.T) {
	fn, _ := start(t, runtimeapi.Config{})
	r := invoke(t, fn, event{Do: "large", Size: runtimeapi.MaxPayload - 2}) // and two quotes
	if r.FunctionError != "" || len(r.Payload) != runtimeapi.MaxPayload {
		t.Fatalf("%s, %d bytes", r.ErrorMessage, len(r.Payload))
	}
	if r := invoke(t, fn, event{Do: "large", Size: runtimeapi.MaxPayload - 1}); r.ErrorType != "Function.ResponseSizeTooLarge" {
		t.Fatalf("one byte more: %q", r.ErrorType)
	}
}

func TestEventsThatCannotBeDelivered(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{})
	tests := []struct {
		name string
		req  runtimeapi.Request
		want error
	}{
		{"not JSON", runtimeapi.Request{Payload: []byte("{")}, runtimeapi.ErrInvalid},
		{"too large", runtimeapi.Request{Payload: bytes.Repeat([]byte(" "), runtimeapi.MaxPayload+1)}, runtimeapi.ErrTooLarge},
		{"client context not JSON", runtimeapi.Request{ClientContext: "{"}, runtimeapi.ErrInvalid},
		{"line break in an id", runtimeapi.Request{RequestID: "a\r\nb"}, runtimeapi.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fn.Invoke(t.Context(), tt.req)
			var failed *runtimeapi.InvokeError
			if !errors.Is(err, tt.want) || !errors.As(err, &failed) || failed.Function != "function" {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if n := len(rec.ofType(runtimeapi.InitStart)); n != 0 {
		t.Errorf("%d processes started for nothing", n)
	}
}

func TestTheFunctionSeesItsContext(t *testing.T) {
	fn, _ := start(t, runtimeapi.Config{FunctionName: "orders", AccountID: "123456789012", Region: "eu-west-1"})
	deadline := time.Now().Add(20 * time.Second).Truncate(time.Millisecond)
	r, err := fn.Invoke(t.Context(), runtimeapi.Request{
		Payload: []byte(`{"do":"context"}`), RequestID: "11111111-2222-4333-8444-555555555555", Qualifier: "live",
		ClientContext: `{"client":{"app_title":"shop"}}`, TenantID: "blue", TraceID: "Root=1-5759e988-bd862e3fe1be46a994272793",
		CognitoIdentity: runtimeapi.CognitoIdentity{ID: "me", PoolID: "pool"}, Deadline: deadline,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"arn":"arn:aws:lambda:eu-west-1:123456789012:function:orders:live","client":"shop","deadline":%d,"id":"11111111-2222-4333-8444-555555555555","identity":"me","tenant":"blue","trace":"Root=1-5759e988-bd862e3fe1be46a994272793"}`, deadline.UnixMilli())
	if string(r.Payload) != want {
		t.Errorf("got  %s\nwant %s", r.Payload, want)
	}
	r = invoke(t, fn, event{Do: "context"})
	var seen struct{ ID, Tenant, Client, Identity, Trace string }
	if err := json.Unmarshal(r.Payload, &seen); err != nil || seen.Tenant+seen.Client+seen.Identity != "" {
		t.Errorf("empty values are left out: %s (%v)", r.Payload, err)
	}
	if seen.ID != r.RequestID || !strings.HasPrefix(seen.Trace, "Root=1-") || !strings.HasSuffix(seen.Trace, ";Sampled=0") {
		t.Errorf("ids are made when the caller has none: %+v", seen)
	}
}

func TestTheEnvironmentIsLambdasAndNothingElse(t *testing.T) {
	t.Setenv("MIDDY_TEST_SECRET_OF_THE_SHELL", "x")
	fn, _ := start(t, runtimeapi.Config{Env: []string{"TABLE=orders", "TZ=UTC"}, MemoryMB: 256, FunctionName: "orders"})
	var env []string
	if err := json.Unmarshal(invoke(t, fn, event{Do: "env"}).Payload, &env); err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		have[k] = v
	}
	for k, want := range map[string]string{
		"TABLE": "orders", "TZ": "UTC", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
		"AWS_LAMBDA_FUNCTION_NAME": "orders", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local",
		"_HANDLER": "bootstrap", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders",
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR", "LAMBDA_RUNTIME_DIR": "/var/runtime",
	} {
		if have[k] != want {
			t.Errorf("%s=%q, want %q", k, have[k], want)
		}
	}
	for _, k := range []string{"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT", "PATH"} {
		if have[k] == "" {
			t.Errorf("%s is not set", k)
		}
	}
	for _, k := range []string{"MIDDY_TEST_SECRET_OF_THE_SHELL", "HOME", "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_EXECUTION_ENV"} {
		if v, ok := have[k]; ok {
			t.Errorf("%s=%q is set", k, v)
		}
	}
}

func TestASandboxIsFrozenBetweenInvocations(t *testing.T) {
	needsProc(t)
	fn, rec := start(t, runtimeapi.Config{})
	var pid int
	for i := range 20 {
		if got := string(invoke(t, fn, event{Do: "count"}).Payload); got != strconv.Itoa(i+1) {
			t.Fatalf("invocation %d: %s", i+1, got)
		}
		idle(t, fn)
		info := fn.Stats().Sandboxes[0]
		pid = info.PID
		if s := procState(t, pid); s != "T" || !info.Frozen {
			t.Fatalf("after invocation %d the process is in state %s (frozen: %v), want T", i+1, s, info.Frozen)
		}
	}
	if f, th := len(rec.ofType(runtimeapi.Frozen)), len(rec.ofType(runtimeapi.Thawed)); f != 20 || th != 19 {
		t.Errorf("%d freezes, %d thaws; want 20 and 19", f, th)
	}
	if err := fn.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("process %d is left after Shutdown: %v", pid, err)
	}
}

func TestFreezeModes(t *testing.T) {
	needsProc(t)
	t.Run("never", func(t *testing.T) {
		fn, _ := start(t, runtimeapi.Config{Freeze: runtimeapi.FreezeNever})
		invoke(t, fn, event{})
		idle(t, fn)
		if s := procState(t, fn.Stats().Sandboxes[0].PID); s == "T" {
			t.Error("frozen")
		}
	})
	t.Run("on request, also in the middle of an invocation", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{Freeze: runtimeapi.FreezeOnRequest})
		invoke(t, fn, event{})
		idle(t, fn)
		pid := fn.Stats().Sandboxes[0].PID
		if s := procState(t, pid); s == "T" {
			t.Fatal("frozen before anybody asked")
		}
		if err := fn.Freeze(); err != nil || procState(t, pid) != "T" {
			t.Fatalf("Freeze: %v, state %s", err, procState(t, pid))
		}
		fn.Thaw()
		if procState(t, pid) == "T" {
			t.Fatal("Thaw did not thaw")
		}
		if err := fn.Freeze(); err != nil {
			t.Fatal(err)
		}
		invoke(t, fn, event{}) // thaws by itself
		if rec.until(t, runtimeapi.Thawed).Duration <= 0 {
			t.Error("a thaw does not say how long the freeze was")
		}

		done := make(chan *runtimeapi.Response)
		go func() {
			r, _ := fn.Invoke(t.Context(), runtimeapi.Request{Payload: []byte(`{"do":"wait","ms":1}`)})
			done <- r
		}()
		if err := fn.Freeze(); err != nil {
			t.Fatal(err)
		}
		for len(done) == 0 && fn.Stats().Sandboxes[0].Frozen {
			fn.Thaw()
		}
		if r := <-done; string(r.Payload) != `"waited"` {
			t.Errorf("after a freeze in the middle: %s", r.Payload)
		}
	})
	t.Run("a warmed sandbox is frozen before its first event", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{})
		if err := fn.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := procState(t, fn.Stats().Sandboxes[0].PID); s != "T" {
			t.Errorf("state %s", s)
		}
		if r := invoke(t, fn, event{Do: "env"}); r.Cold || !strings.Contains(string(r.Payload), "AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency") {
			t.Errorf("cold: %v, %s", r.Cold, r.Payload)
		}
		if e := rec.until(t, runtimeapi.InitDone); e.Phase != "provisioned" || e.PID == 0 {
			t.Errorf("%+v", e)
		}
	})
}

func needsProc(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here to see a frozen process in")
	}
}

// procState is the process's state letter, and "gone" when there is none.
func procState(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "gone"
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return after[:1]
}

func TestATimeoutEndsTheProcess(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{Timeout: 250 * time.Millisecond, Freeze: runtimeapi.FreezeNever})
	r := invoke(t, fn, event{Do: "block"})
	want := "RequestId: " + r.RequestID + " Error: Task timed out after 0.25 seconds"
	if r.ErrorType != "Sandbox.Timedout" || r.ErrorMessage != want {
		t.Errorf("got %q %q, want %q", r.ErrorType, r.ErrorMessage, want)
	}
	if !strings.Contains(string(r.LogTail), "Task timed out after 0.25 seconds") {
		t.Errorf("log tail: %s", r.LogTail)
	}
	idle(t, fn)
	rec.until(t, runtimeapi.Exit)
	r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: []byte(`{"do":"count"}`), Deadline: time.Now().Add(30 * time.Second)})
	if err != nil || string(r.Payload) != "1" || !r.Cold {
		t.Errorf("after a timeout: %s cold %v, %v", r.Payload, r.Cold, err)
	}
	if st := fn.Stats(); st.Timeouts != 1 || st.Errors != 1 || st.ColdStarts != 2 || st.Invocations != 2 {
		t.Errorf("%+v", st)
	}
}

func TestARuntimeThatAnswersAndNeverComesBackIsStopped(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{Env: []string{"FN_MODE=stream"}})
	r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: []byte(`{"do":"late"}`), Deadline: time.Now().Add(time.Second)})
	if err != nil || string(r.Payload) != "answered" {
		t.Fatalf("%+v %v", r, err)
	}
	idle(t, fn)
	rec.until(t, runtimeapi.Exit)
	if e := rec.until(t, runtimeapi.InvokeDone); e.ErrorType != "Sandbox.Timedout" || !strings.Contains(e.Error, "did not ask for the next event") {
		t.Errorf("%+v", e)
	}
	if r := invoke(t, fn, event{}); !r.Cold || string(r.Payload) != "first second " {
		t.Errorf("got %s from a process that hangs", r.Payload)
	}
}

func TestInitFailures(t *testing.T) {
	t.Run("an exit in Init is told in one sentence with the last words", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{Env: []string{"FN_INIT=exit"}, FunctionName: "orders"})
		r := invoke(t, fn, event{})
		if r.ErrorType != "Runtime.ExitError" || !strings.HasSuffix(r.ErrorMessage, "Error: Runtime exited with error: exit status 2") {
			t.Errorf("%q %q", r.ErrorType, r.ErrorMessage)
		}
		want := `function "orders" ended during Init (exit status 2), before it asked for its first event; last on stderr: config: DATABASE_URL is missing; main has to reach lambda.Start`
		if r.Explanation != want || strings.Contains(r.Explanation, "\n") {
			t.Errorf("got  %s\nwant %s", r.Explanation, want)
		}
		phases := func() (s string) {
			for _, e := range rec.ofType(runtimeapi.InitError) {
				s += e.Phase + " "
			}
			return s
		}
		if got := phases(); got != "init invoke " {
			t.Errorf("phases %q: Init runs once by itself, then inside the invocation", got)
		}
		invoke(t, fn, event{})
		if got := phases(); got != "init invoke invoke " {
			t.Errorf("phases %q: later only inside the invocation", got)
		}
		if err := fn.Warm(t.Context()); err == nil || !strings.Contains(err.Error(), "DATABASE_URL is missing") {
			t.Errorf("Warm: %v", err)
		}
	})
	t.Run("the suppressed Init may succeed", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{Env: []string{"FN_INIT=once", "FN_FILE=" + filepath.Join(t.TempDir(), "tried")}})
		r := invoke(t, fn, event{Do: "count"})
		if string(r.Payload) != "1" || r.FunctionError != "" || len(rec.ofType(runtimeapi.InitStart)) != 2 {
			t.Errorf("%s %s", r.Payload, r.ErrorMessage)
		}
	})
	t.Run("a slow Init is stopped, also inside the invocation", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{Env: []string{"FN_INIT=block"}, InitTimeout: 50 * time.Millisecond, Timeout: 100 * time.Millisecond})
		r := invoke(t, fn, event{})
		if r.ErrorType != "Sandbox.Timedout" || !strings.Contains(r.ErrorMessage, "Task timed out after 0.10 seconds") || !strings.Contains(r.Explanation, "did not ask for its first event") {
			t.Errorf("%q %q %q", r.ErrorType, r.ErrorMessage, r.Explanation)
		}
		if got := len(rec.ofType(runtimeapi.Exit)); got != 2 {
			t.Errorf("%d processes ended, want 2", got)
		}
	})
	t.Run("a binary that is not there", func(t *testing.T) {
		fn, _ := start(t, runtimeapi.Config{Command: []string{filepath.Join(t.TempDir(), "bootstrap")}})
		if r := invoke(t, fn, event{}); r.ErrorType != "Runtime.InvalidEntrypoint" || !strings.Contains(r.Explanation, "no such file") {
			t.Errorf("%q %q", r.ErrorType, r.Explanation)
		}
	})
	t.Run("a directory that is not there", func(t *testing.T) {
		fn, _ := start(t, runtimeapi.Config{Dir: filepath.Join(t.TempDir(), "gone")})
		if r := invoke(t, fn, event{}); r.ErrorType != "Runtime.InvalidWorkingDir" {
			t.Errorf("%q %q", r.ErrorType, r.Explanation)
		}
	})
}

func invokeStream(t *testing.T, fn *runtimeapi.Function, e event) *runtimeapi.Response {
	t.Helper()
	payload, _ := json.Marshal(e)
	r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: payload, Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStreaming(t *testing.T) {
	fn, _ := start(t, runtimeapi.Config{Env: []string{"FN_MODE=stream"}})
	t.Run("the beginning arrives before the end exists", func(t *testing.T) {
		r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: []byte(`{"do":"block"}`), Stream: true, Deadline: time.Now().Add(time.Second)})
		if err != nil || !r.Streamed {
			t.Fatalf("%+v %v", r, err)
		}
		first := make([]byte, len("first "))
		if _, err := io.ReadFull(r.Stream, first); err != nil || string(first) != "first " {
			t.Fatalf("%q %v", first, err)
		}
		_, err = io.ReadAll(r.Stream)
		var failed *runtimeapi.FunctionError
		if !errors.As(err, &failed) || failed.Type != "Sandbox.Timedout" {
			t.Errorf("a stream that never ends: %v", err)
		}
		idle(t, fn)
	})
	t.Run("success ends with EOF and fills the rest", func(t *testing.T) {
		r := invokeStream(t, fn, event{Size: 9 << 20}) // more than a buffered response may have
		body, err := io.ReadAll(r.Stream)
		if err != nil || len(body) != len("first second ")+9<<20 {
			t.Fatalf("%d bytes, %v", len(body), err)
		}
		if r.Duration <= 0 || !strings.Contains(string(r.LogTail), "END RequestId: "+r.RequestID) || r.ContentType != "application/octet-stream" {
			t.Errorf("%v %s %s", r.Duration, r.LogTail, r.ContentType)
		}
	})
	t.Run("a failure on the way is the stream's last error", func(t *testing.T) {
		r := invokeStream(t, fn, event{Do: "break", Text: "7"})
		body, err := io.ReadAll(r.Stream)
		var failed *runtimeapi.FunctionError
		if string(body) != "first " || !errors.As(err, &failed) || failed.Type != "orderRejected" || failed.Message != "order 7 was rejected" {
			t.Fatalf("%q %v", body, err)
		}
		if !json.Valid(failed.Payload) || r.FunctionError != "Unhandled" || r.ErrorType != "orderRejected" || failed.RequestID != r.RequestID {
			t.Errorf("%s %+v", failed.Payload, r)
		}
	})
	t.Run("an exit on the way", func(t *testing.T) {
		r := invokeStream(t, fn, event{Do: "exit"})
		if !r.Streamed {
			t.Fatalf("what was sent before the exit is lost: %s", r.Payload)
		}
		body, err := io.ReadAll(r.Stream)
		var failed *runtimeapi.FunctionError
		if !errors.As(err, &failed) || failed.Type != "Runtime.ExitError" || !strings.HasPrefix(string(body), "first ") {
			t.Fatalf("%q %v", body, err)
		}
		idle(t, fn)
	})
	t.Run("an error before the stream is no stream", func(t *testing.T) {
		r := invokeStream(t, fn, event{Do: "error", Text: "no"})
		if r.Streamed || r.ErrorType != "errorString" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a caller that leaves does not stop the function", func(t *testing.T) {
		r := invokeStream(t, fn, event{Size: 1 << 20})
		if err := r.Stream.Close(); err != nil {
			t.Fatal(err)
		}
		idle(t, fn)
		if n := invokeStream(t, fn, event{}); n.Cold {
			t.Error("the process was restarted")
		} else {
			_ = n.Stream.Close()
		}
		idle(t, fn)
	})
	t.Run("buffered, the pieces come together", func(t *testing.T) {
		if r := invoke(t, fn, event{}); string(r.Payload) != "first second " {
			t.Errorf("%s", r.Payload)
		}
		if r := invoke(t, fn, event{Do: "break", Text: "7"}); r.ErrorType != "orderRejected" || r.FunctionError == "" {
			t.Errorf("%+v", r)
		}
	})
}

func TestWireHasTheBytesThatTheRuntimeSent(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{Env: []string{"FN_MODE=stream"}})
	r := invokeStream(t, fn, event{Do: "break", Text: "7"})
	_, _ = io.ReadAll(r.Stream)
	posts := rec.posts()
	if len(posts) != 1 {
		t.Fatalf("%d posts", len(posts))
	}
	m := posts[0]
	if m.Path != "/2018-06-01/runtime/invocation/"+r.RequestID+"/response" || string(m.Body) != "first " {
		t.Errorf("%s %q", m.Path, m.Body)
	}
	if m.ContentLength != -1 || len(m.TransferEncoding) != 1 || m.TransferEncoding[0] != "chunked" {
		t.Errorf("%d %v", m.ContentLength, m.TransferEncoding)
	}
	if !strings.HasPrefix(m.Header.Get("User-Agent"), "aws-lambda-go/") {
		t.Errorf("%v", m.Header)
	}
	body, err := base64.StdEncoding.DecodeString(m.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil || m.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "orderRejected" || !strings.Contains(string(body), "order 7 was rejected") {
		t.Errorf("%v %s %v", m.Trailer, body, err)
	}
}

func TestTheLogKnowsItsInvocation(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{MemoryMB: 512})
	r := invoke(t, fn, event{Do: "log", Text: "here"})
	tail := string(r.LogTail)
	for _, want := range []string{
		"START RequestId: " + r.RequestID + " Version: $LATEST\n", "on stdout: here\n", "on stderr, no line end: here\n",
		"END RequestId: " + r.RequestID + "\n", "REPORT RequestId: " + r.RequestID + "\tDuration: ", "\tMemory Size: 512 MB\t", "\tInit Duration: ",
	} {
		if !strings.Contains(tail, want) {
			t.Errorf("the tail lacks %q:\n%s", want, tail)
		}
	}
	if strings.Contains(tail, "Max Memory Used: 0 MB") {
		needsProc(t)
		t.Error("the peak of memory was not measured")
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, l := range rec.lines {
		if strings.Contains(l.Text, "here") && (l.RequestID != r.RequestID || l.SandboxID != r.SandboxID) {
			t.Errorf("%+v", l)
		}
	}
}

func TestTheTailIsTheLastFourKilobytes(t *testing.T) {
	fn, _ := start(t, runtimeapi.Config{})
	r := invoke(t, fn, event{Do: "log", Text: strings.Repeat("y", 9000)})
	if len(r.LogTail) != 4096 || !strings.Contains(string(r.LogTail), "REPORT") {
		t.Errorf("%d bytes", len(r.LogTail))
	}
}

func TestConcurrency(t *testing.T) {
	t.Run("50 invocations, 3 sandboxes: all are served by 3 processes", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{Concurrency: 3})
		parallel(t, 50, func(i int) {
			r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: fmt.Appendf(nil, `{"do":"echo","text":"%d"}`, i)})
			if err != nil || string(r.Payload) != fmt.Sprintf(`{"text":"%d"}`, i) {
				t.Errorf("%d: %v %v", i, r, err)
			}
		})
		if n := len(rec.ofType(runtimeapi.InitDone)); n == 0 || n > 3 {
			t.Errorf("%d processes", n)
		}
		if st := fn.Stats(); st.Invocations != 50 || st.Throttles != 0 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("refusing: what does not fit is throttled", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{Concurrency: 3, Overflow: runtimeapi.Refuse})
		ctx, release := context.WithCancel(t.Context())
		var busy sync.WaitGroup
		for range 3 {
			busy.Go(func() {
				_, _ = fn.Invoke(ctx, runtimeapi.Request{Payload: []byte(`{"do":"block"}`), Deadline: time.Now().Add(time.Second)})
			})
		}
		rec.untilN(t, 3, runtimeapi.InvokeStart)
		if _, err := fn.Invoke(t.Context(), runtimeapi.Request{}); !errors.Is(err, runtimeapi.ErrThrottled) {
			t.Errorf("got %v", err)
		}
		release()
		busy.Wait()
		if st := fn.Stats(); st.Throttles != 1 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("a caller may leave the queue", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{})
		var busy sync.WaitGroup
		busy.Go(func() {
			_, _ = fn.Invoke(t.Context(), runtimeapi.Request{Payload: []byte(`{"do":"block"}`), Deadline: time.Now().Add(time.Second)})
		})
		rec.until(t, runtimeapi.InvokeStart)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := fn.Invoke(ctx, runtimeapi.Request{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		busy.Wait()
		if r := invoke(t, fn, event{Do: "count"}); string(r.Payload) != "1" {
			t.Errorf("%s", r.Payload)
		}
	})
}

func parallel(t *testing.T, n int, f func(i int)) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func TestAManagedInstanceRunsSeveralInvocationsAndNeverFreezes(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{PerSandbox: 4})
	parallel(t, 40, func(i int) {
		r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: fmt.Appendf(nil, `{"do":"echo","text":"%d"}`, i)})
		if err != nil || string(r.Payload) != fmt.Sprintf(`{"text":"%d"}`, i) {
			t.Errorf("%d: %v %v", i, r, err)
		}
	})
	if n := len(rec.ofType(runtimeapi.InitDone)); n != 1 {
		t.Errorf("%d processes, want 1", n)
	}
	if n := len(rec.ofType(runtimeapi.Frozen)); n != 0 {
		t.Errorf("frozen %d times", n)
	}
	if err := fn.Freeze(); !errors.Is(err, runtimeapi.ErrFreezeUnavailable) {
		t.Errorf("Freeze: %v", err)
	}
	// Its timeout ends the invocation, not the code: the process answers others.
	r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: []byte(`{"do":"wait","ms":600}`), Deadline: time.Now().Add(200 * time.Millisecond)})
	if err != nil || r.ErrorType != "Sandbox.Timedout" {
		t.Fatalf("%+v %v", r, err)
	}
	if r := invoke(t, fn, event{Do: "echo", Text: "still here"}); r.Cold || string(r.Payload) != `{"text":"still here"}` {
		t.Errorf("%s", r.Payload)
	}
	idle(t, fn)
	if n := len(rec.ofType(runtimeapi.Exit)); n != 0 {
		t.Errorf("%d exits", n)
	}
}

func TestWhenAManagedInstanceDiesAllItsInvocationsDo(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{PerSandbox: 4})
	invoke(t, fn, event{})
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			r, err := fn.Invoke(t.Context(), runtimeapi.Request{Payload: []byte(`{"do":"block"}`)})
			if err != nil || r.ErrorType != "Runtime.ExitError" {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
	rec.untilN(t, 3, runtimeapi.InvokeStart)
	if r := invoke(t, fn, event{Do: "exit"}); r.ErrorType != "Runtime.ExitError" {
		t.Errorf("%+v", r)
	}
	others.Wait()
	if r := invoke(t, fn, event{Do: "count"}); string(r.Payload) != "1" || !r.Cold {
		t.Errorf("%s", r.Payload)
	}
}

func TestACallerWhoLeftDoesNotStopTheFunction(t *testing.T) {
	for _, stream := range []bool{false, true} {
		fn, rec := start(t, runtimeapi.Config{Env: []string{map[bool]string{false: "FN_MODE=", true: "FN_MODE=stream"}[stream]}})
		ctx, cancel := context.WithCancel(t.Context())
		var calling sync.WaitGroup
		calling.Go(func() {
			r, err := fn.Invoke(ctx, runtimeapi.Request{Payload: []byte(`{"do":"wait","ms":100,"size":100000}`), Stream: stream})
			if err == nil && r.Streamed { // the stream was quicker than the caller's leave
				_ = r.Stream.Close()
			}
		})
		rec.until(t, runtimeapi.InvokeStart)
		cancel()
		calling.Wait()
		if e := rec.until(t, runtimeapi.InvokeDone); e.ErrorType != "" {
			t.Errorf("stream %v: %+v", stream, e)
		}
		if n := len(rec.ofType(runtimeapi.Exit)); n != 0 {
			t.Errorf("stream %v: the process ended", stream)
		}
	}
}

func TestWarmWithEverySandboxBusyHasNothingToDo(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{Overflow: runtimeapi.Refuse})
	var busy sync.WaitGroup
	busy.Go(func() { invoke(t, fn, event{Do: "wait", Ms: 200}) })
	rec.until(t, runtimeapi.InvokeStart)
	if err := fn.Warm(t.Context()); err != nil {
		t.Errorf("Warm: %v", err)
	}
	busy.Wait()
	if st := fn.Stats(); st.Invocations != 1 || st.ColdStarts != 1 {
		t.Errorf("%+v", st)
	}
}

func TestReplaceIsAColdStartOfTheNewBinary(t *testing.T) {
	fn, rec := start(t, runtimeapi.Config{})
	invoke(t, fn, event{})
	idle(t, fn)
	second := filepath.Join(t.TempDir(), "second")
	if out, err := exec.Command("cp", fnBinary, second).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}

	inFlight := make(chan *runtimeapi.Response, 1)
	go func() {
		r, _ := fn.Invoke(t.Context(), runtimeapi.Request{Payload: []byte(`{"do":"wait","ms":300}`)})
		inFlight <- r
	}()
	rec.untilN(t, 2, runtimeapi.InvokeStart)
	fn.Replace([]string{second})
	r := invoke(t, fn, event{Do: "count"})
	if string(r.Payload) != "1" || !r.Cold {
		t.Errorf("%s, cold %v: want the new binary's first", r.Payload, r.Cold)
	}
	if old := <-inFlight; string(old.Payload) != `"waited"` || old.SandboxID == r.SandboxID {
		t.Errorf("in flight: %s in %s", old.Payload, old.SandboxID)
	}
	idle(t, fn)
	if e := rec.until(t, runtimeapi.Shutdown); e.Error != "replaced by a newer build" {
		t.Errorf("%+v", e)
	}
	rec.until(t, runtimeapi.Exit)
}

func TestShutdown(t *testing.T) {
	t.Run("with an internal extension the process gets SIGTERM, even frozen", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{Env: []string{"FN_MODE=sigterm"}, ShutdownBudget: 20 * time.Second})
		invoke(t, fn, event{})
		idle(t, fn)
		if err := fn.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(rec.log(), "stdout got SIGTERM") {
			t.Errorf("the handler did not run:\n%s", rec.log())
		}
		if e := rec.until(t, runtimeapi.Exit); e.Error != "Runtime exited without providing a reason" {
			t.Errorf("%+v", e)
		}
	})
	t.Run("without one it is killed", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{})
		invoke(t, fn, event{})
		if err := fn.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := rec.until(t, runtimeapi.Exit); !strings.HasSuffix(e.Error, "signal: killed") {
			t.Errorf("%+v", e)
		}
		if _, err := fn.Invoke(t.Context(), runtimeapi.Request{}); !errors.Is(err, runtimeapi.ErrClosed) {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("what does not end in time is ended", func(t *testing.T) {
		fn, rec := start(t, runtimeapi.Config{})
		got := make(chan *runtimeapi.Response, 1)
		go func() {
			r, _ := fn.Invoke(context.WithoutCancel(t.Context()), runtimeapi.Request{Payload: []byte(`{"do":"block"}`)})
			got <- r
		}()
		rec.until(t, runtimeapi.InvokeStart)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := fn.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown: %v", err)
		}
		if r := <-got; r.ErrorType != "Sandbox.Failure" {
			t.Errorf("%+v", r)
		}
	})
}

func TestTheChildDiesWithItsParent(t *testing.T) {
	needsProc(t)
	if os.Getenv("MIDDY_PARENT") == "1" {
		fn, err := runtimeapi.New(runtimeapi.Config{Command: []string{os.Getenv("MIDDY_FN")}, Timeout: 30 * time.Second, InitTimeout: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fn.Invoke(t.Context(), runtimeapi.Request{}); err != nil {
			t.Fatal(err)
		}
		_ = fn.Idle(t.Context())
		fmt.Printf("pid=%d\n", fn.Stats().Sandboxes[0].PID)
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheChildDiesWithItsParent$", "-test.v")
	cmd.Env = append(os.Environ(), "MIDDY_PARENT=1", "MIDDY_FN="+fnBinary)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	var seen string
	for !strings.Contains(seen, "pid=") || !strings.HasSuffix(seen, "\n") {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("%v after %s", err, seen)
		}
		seen += string(buf[:n])
	}
	_, after, _ := strings.Cut(seen, "pid=")
	pid, _ := strconv.Atoi(strings.TrimSpace(after))
	if s := procState(t, pid); s != "T" {
		t.Fatalf("the child is in state %s before its parent dies", s)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for s := procState(t, pid); s != "gone" && s != "Z"; s = procState(t, pid) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlived its parent, in state %s", pid, s)
		}
	}
}
