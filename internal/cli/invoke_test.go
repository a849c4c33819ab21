package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// invokeAPI is the Invoke API with one canned answer.
func invokeAPI(t *testing.T, status int, header map[string]string, body string) (url string, got *string) {
	t.Helper()
	got = new(string)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, _ := io.ReadAll(r.Body)
		*got = r.Method + " " + r.URL.EscapedPath() + " " + string(event)
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

func TestInvokePrintsTheResult(t *testing.T) {
	url, got := invokeAPI(t, 200, nil, `{"id":"42"}`)
	r := runWith(t, `{"order":42}`, "invoke", "--event", "-", "--url", url, "orders")
	r.wantCode(exitOK)
	if r.stdout != "{\"id\":\"42\"}\n" || r.stderr != "" {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
	if want := `POST /2015-03-31/functions/orders/invocations {"order":42}`; *got != want {
		t.Errorf("sent %q, want %q", *got, want)
	}
}

func TestInvokeFailsWithTheFunctionsError(t *testing.T) {
	url, _ := invokeAPI(t, 200, map[string]string{"X-Amz-Function-Error": "Unhandled"}, `{"errorType":"OrderRejected","errorMessage":"order 42 was rejected"}`)
	r := run(t, "invoke", "--url", url)
	r.wantCode(exitFailed)
	if want := "the function failed: OrderRejected: order 42 was rejected"; !strings.Contains(r.stderr, want) {
		t.Errorf("stderr %q, want %q", r.stderr, want)
	}
	j := run(t, "invoke", "--json", "--url", url)
	j.wantCode(exitFailed)
	if want := `"functionError":"Unhandled","payload":{"errorType":"OrderRejected"`; !strings.Contains(j.stdout, want) {
		t.Errorf("--json prints %q, want %q", j.stdout, want)
	}
}

func TestInvokeSaysWhatIsWrongWithTheEvent(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ name, file, want string }{
		{"broken on the third line", write("a.json", "{\n  \"a\": 1,\n  \"b\" 2\n}"), "is not JSON: line 3, column 7: invalid character '2' after object key"},
		{"cut off", write("b.json", `{"a":`), "is not JSON: line 1, column "},
		{"two values", write("c.json", `{} {}`), "is not JSON: line 1, column 4: "},
		{"empty", write("d.json", " \n"), "is empty; an event is a JSON value"},
		{"too large", write("e.json", `"`+strings.Repeat("x", maxEvent)+`"`), "is larger than 6 MB"},
		{"missing", filepath.Join(dir, "none.json"), "the event cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, "invoke", "--event", c.file)
			r.wantCode(exitFailed)
			if !strings.Contains(r.stderr, c.want) || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("stderr %q, want one line with %q", r.stderr, c.want)
			}
		})
	}
}

func TestInvokeSaysWhenNothingAnswers(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	r := run(t, "invoke", "--url", srv.URL)
	r.wantCode(exitFailed)
	if want := "start the function with `middy dev ./pkg`"; !strings.Contains(r.stderr, want) {
		t.Errorf("stderr %q, want %q", r.stderr, want)
	}
	url, _ := invokeAPI(t, 404, nil, `{"Type":"User","message":"Function not found: nope"}`)
	r = run(t, "invoke", "--url", url, "nope")
	r.wantCode(exitFailed)
	if want := "function nope was not called: Function not found: nope"; !strings.Contains(r.stderr, want) {
		t.Errorf("stderr %q, want %q", r.stderr, want)
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{"", "{", "{}\n{}", "\xff", "[1,\n2,,]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := checkJSON(data); err != nil && strings.Contains(err.Error(), "column 0") {
			t.Errorf("columns start at 1: %v", err)
		}
	})
}

func TestInvokeHasTheEventsOfEveryDoor(t *testing.T) {
	url, got := invokeAPI(t, 200, nil, `{}`)
	for _, k := range frontKinds {
		if k.name == "ws" || k.name == noFront {
			continue
		}
		run(t, "invoke", "--template", k.name, "--url", url).wantCode(exitOK)
		if _, event, _ := strings.Cut(*got, " {"); whatIs([]byte("{"+event)) != "GET /" {
			t.Errorf("%s: %s", k.name, *got)
		}
	}
	for _, name := range []string{"alb-health", "alb-multi-health"} {
		run(t, "invoke", "--template", name, "--url", url).wantCode(exitOK)
		if !strings.Contains(*got, "ELB-HealthChecker/2.0") || strings.Contains(*got, "multiValue") != strings.Contains(name, "multi") {
			t.Errorf("%s: %s", name, *got)
		}
	}
	for _, args := range [][]string{{"--template", "ws"}, {"--template", "rest-health"}, {"--template", "alb", "--event", "-"}} {
		run(t, append([]string{"invoke", "--url", url}, args...)...).wantCode(exitUsage)
	}
}
