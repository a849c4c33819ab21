package middy_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// A twin is testdata/twin under the Runtime API, with what it sent.
type twin struct {
	*runtimeapi.Function
	mu    sync.Mutex
	sent  []runtimeapi.WireMessage
	lines []string
	cold  atomic.Int32 // sandboxes that began
}

func buildTwin(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "twin")
	if out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", bin, "./testdata/twin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func startTwin(t *testing.T, bin string, env ...string) *twin {
	t.Helper()
	w := &twin{}
	f, err := runtimeapi.New(runtimeapi.Config{
		Command: []string{bin},
		Env:     env,
		Timeout: 30 * time.Second,
		Wire:    func(m runtimeapi.WireMessage) { w.mu.Lock(); w.sent = append(w.sent, m); w.mu.Unlock() },
		Events: func(e runtimeapi.Event) {
			if e.Type == runtimeapi.InitStart {
				w.cold.Add(1)
			}
		},
		Log: func(l runtimeapi.Line) { w.mu.Lock(); w.lines = append(w.lines, l.Text); w.mu.Unlock() },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Function = f
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return w
}

// A message is what reaches Lambda, without what differs from run to run.
type message struct {
	Kind, Body       string
	Header, Trailer  map[string][]string
	TransferEncoding []string
	ContentLength    int64
}

// ask invokes the twin and returns the requests that it sent for that event.
func (w *twin) ask(t *testing.T, event string) []message {
	t.Helper()
	w.mu.Lock()
	w.sent = nil
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	resp, err := w.Invoke(ctx, runtimeapi.Request{Payload: []byte(event), RequestID: "00000000-0000-4000-8000-000000000001"})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Stream != nil {
		_, _ = io.Copy(io.Discard, resp.Stream)
		_ = resp.Stream.Close()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []message
	for _, m := range w.sent {
		if m.Method != "POST" {
			continue
		}
		out = append(out, message{
			Kind:             m.Path[strings.LastIndex(m.Path, "/")+1:],
			Body:             withoutOurFrames(m.Body),
			Header:           headers(m.Header),
			Trailer:          headers(m.Trailer),
			TransferEncoding: m.TransferEncoding,
			ContentLength:    m.ContentLength,
		})
	}
	return out
}

func headers(h map[string][]string) map[string][]string {
	out := maps.Clone(h)
	// The X-Ray cause repeats the stack and names the working directory.
	if _, ok := out["Lambda-Runtime-Function-Xray-Error-Cause"]; ok {
		out["Lambda-Runtime-Function-Xray-Error-Cause"] = []string{"present"}
	}
	if b := out["Lambda-Runtime-Function-Error-Body"]; len(b) == 1 {
		text, _ := base64.StdEncoding.DecodeString(b[0])
		out["Lambda-Runtime-Function-Error-Body"] = []string{string(text)}
	}
	return out
}

// withoutOurFrames keeps of a stack trace the user's frames: those around them
// are aws-lambda-go's, or ours.
func withoutOurFrames(body []byte) string {
	var report struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
		Stack   []struct {
			Path  string `json:"path"`
			Line  int    `json:"line"`
			Label string `json:"label"`
		} `json:"stackTrace"`
	}
	if json.Unmarshal(body, &report) != nil || report.Stack == nil {
		return string(body)
	}
	// aws-lambda-go's frames have the path of a module cache; the handler's is
	// relative to the package.
	report.Stack = slices.DeleteFunc(report.Stack, func(f struct {
		Path  string `json:"path"`
		Line  int    `json:"line"`
		Label string `json:"label"`
	}) bool {
		return !strings.HasSuffix(f.Path, "twin/main.go") || f.Label != "handle"
	})
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(report)
	return b.String()
}

// What Lambda gets to see of a function is what it sees without us.
func TestTheWireIsAwsLambdaGos(t *testing.T) {
	bin := buildTwin(t)
	plain, ours := startTwin(t, bin, "PLAIN=1"), startTwin(t, bin)
	for _, do := range []string{"success", "null", "error", "words", "panic", "panic with an error", "stream", "mid-stream error", "nil reader", "panic of the encoder", "unknown"} {
		t.Run(do, func(t *testing.T) {
			event, _ := json.Marshal(map[string]string{"do": do})
			want, got := plain.ask(t, string(event)), ours.ask(t, string(event))
			if len(want) == 0 {
				t.Fatal("aws-lambda-go sent nothing")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("aws-lambda-go (-) and ours (+):\n%s", diff)
			}
		})
	}
}

// What aws-lambda-go answers with the end of the process, or not before the
// deadline, has a name; so it has under lambda.Start. The sandbox is replaced
// where it must be, and nowhere else.
func TestWhatTheUsersCodeDoesAfterTheHandlerHasAName(t *testing.T) {
	bin := buildTwin(t)
	for rule, env := range map[string]string{"Start": "X=1", "Start without a Timeout": "NO_TIMEOUT=1", "lambda.Start": "UNDER_LAMBDA_START=1"} {
		w := startTwin(t, bin, env)
		for _, c := range []struct {
			do, name string
			replaced bool
		}{
			{"too large", "Function.ResponseSizeTooLarge", false},
			{"error", "notFound", false},
			{"panic", "string", true},
			{"goexit", "GoexitError", true},
			{"panic of the encoder", "string", true},
			{"panic of the stream", "notFound", true},
		} {
			t.Run(rule+": "+c.do, func(t *testing.T) {
				w.ask(t, `{"do":"success"}`) // there is a sandbox
				starts := w.cold.Load()
				event, _ := json.Marshal(map[string]string{"do": c.do})
				sent := w.ask(t, string(event))
				if len(sent) != 1 {
					t.Fatalf("sent %v", sent)
				}
				name := sent[0].Trailer["Lambda-Runtime-Function-Error-Type"]
				if sent[0].Kind == "error" {
					var body struct {
						Type string `json:"errorType"`
					}
					if err := json.Unmarshal([]byte(sent[0].Body), &body); err != nil {
						t.Fatal(err)
					}
					name = []string{body.Type}
				}
				if !slices.Equal(name, []string{c.name}) {
					t.Errorf("Lambda gets the name %q, want %q", name, c.name)
				}
				if got := w.ask(t, `{"do":"success"}`); len(got) != 1 || got[0].Kind != "response" {
					t.Errorf("the next event: %v", got)
				}
				if replaced := w.cold.Load() > starts; replaced != c.replaced {
					t.Errorf("the sandbox was replaced: %v, want %v", replaced, c.replaced)
				}
			})
		}
	}
}

func TestAMisfitIsToldToLambdaInOneSentence(t *testing.T) {
	w := startTwin(t, buildTwin(t), "MISFIT=1")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	resp, err := w.Invoke(ctx, runtimeapi.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if resp.ErrorMessage != "middy: middleware 1 (nil): is nil" || resp.ErrorType != "Function.Misfit" {
		t.Fatalf("%+v", resp)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.lines, "middy: middleware 1 (nil): is nil") {
		t.Errorf("not in the log: %q", w.lines)
	}
}

func TestAFunctionDescribesItself(t *testing.T) {
	cmd := exec.Command(buildTwin(t))
	cmd.Env = []string{"MIDDY_DESCRIBE=1"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"event":"main.event","result":"interface {}","layers":["middy.Timeout","main.main.func1","middy.Hooks"],"permissions":[]}` + "\n"; string(out) != want {
		t.Fatalf("got %s", out)
	}
}

func TestOutsideLambdaTheProgramSaysHowToRunIt(t *testing.T) {
	cmd := exec.Command(buildTwin(t))
	cmd.Env = []string{"HOME=/"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "middy dev") {
		t.Fatalf("%v: %s", err, stderr.String())
	}
}
