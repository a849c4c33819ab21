package main

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/examples/internal/sandbox"
)

func TestSSERunsAsItsCommentSays(t *testing.T) {
	url := sandbox.Start(t, sandbox.Config{Door: frontdoor.FunctionURL{Stream: true}, Timeout: 2 * time.Second})
	client := sandbox.Client(t)
	open := func(path, last string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Last-Event-ID", last)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	read := func(resp *http.Response) string {
		t.Helper()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}

	whole := open("/words?every=0s", "")
	if got := read(whole); whole.Header.Get("Content-Type") != "text/event-stream" || strings.Count(got, "\ndata: ") != 21 || !strings.HasPrefix(got, "id: 1\ndata: An\n\n") || !strings.HasSuffix(got, "event: end\ndata:\n\n") {
		t.Errorf("the whole: %v %q", whole.Header, got)
	}
	if got := read(open("/words?every=0s", "20")); got != "id: 21\ndata: them.\n\nevent: end\ndata:\n\n" {
		t.Errorf("from event 20 on: %q", got)
	}
	if got := read(open("/words?every=0s", "-1; x")); !strings.HasPrefix(got, "id: 1\n") {
		t.Errorf("an id that is none: %q", got)
	}
	if resp := open("/words?every=soon", ""); resp.StatusCode != 400 {
		t.Errorf("no duration: %d", resp.StatusCode)
	}
	if got := read(open("/", "")); !strings.Contains(got, "EventSource") {
		t.Errorf("the page: %q", got)
	}
	// The next word comes in an hour, or would, if the function had the time. That
	// the first one is here proves that it was not waited for.
	first := open("/words?every=1h", "")
	lines := bufio.NewScanner(first.Body)
	for _, want := range []string{"id: 1", "data: An", ""} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q %v, want %q", lines.Text(), lines.Err(), want)
		}
	}
}
