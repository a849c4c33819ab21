package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy/web"
)

func decode(t testing.TB, door string) web.Request {
	t.Helper()
	var e web.Request
	if err := e.DecodeEvent(payload(t, door)); err != nil {
		t.Fatal(err)
	}
	return e
}

const delimiter = "\x00\x00\x00\x00\x00\x00\x00\x00"

func TestStream(t *testing.T) {
	big := strings.Repeat("x", 100<<10)
	for _, c := range []struct {
		rule, door string
		serve      http.HandlerFunc
		want       string
	}{
		{"the prelude has what the response of this door has", "functionurl", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
			w.WriteHeader(201)
			fmt.Fprint(w, "hi")
		}, `{"statusCode":201,"headers":{"Content-Type":"text/plain"},"cookies":["a=1","b=2"]}` + delimiter + "hi"},
		{"a REST API has multi-value headers", "rest", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		}, `{"statusCode":200,"headers":{},"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]}}` + delimiter},
		{"nothing written is 200", "functionurl", func(http.ResponseWriter, *http.Request) {}, `{"statusCode":200,"headers":{}}` + delimiter},
		{"the type is sniffed", "functionurl", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, `{"statusCode":200,"headers":{"Content-Type":"text/html; charset=utf-8"}}` + delimiter + "<html>"},
		{"bytes are bytes", "functionurl", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Write([]byte{0xff, 0})
		}, `{"statusCode":200,"headers":{"Content-Type":"image/png"}}` + delimiter + "\xff\x00"},
		{"204 has no body", "functionurl", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			if _, err := fmt.Fprint(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		}, `{"statusCode":204,"headers":{}}` + delimiter},
		{"1xx is passed over, and the first status stays", "functionurl", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(404)
			w.WriteHeader(500)
		}, `{"statusCode":404,"headers":{}}` + delimiter},
		{"a write larger than every buffer", "functionurl", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, big)
		}, `{"statusCode":200,"headers":{"Content-Type":"text/plain"}}` + delimiter + big},
		{"a header larger than every buffer", "functionurl", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Big", big)
		}, `{"statusCode":200,"headers":{"X-Big":"` + big + `"}}` + delimiter},
	} {
		t.Run(c.rule, func(t *testing.T) {
			resp, err := web.Stream(c.serve)(t.Context(), decode(t, c.door))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp)
			if err != nil || string(got) != c.want {
				t.Errorf("got  %.300q, %v\nwant %.300q", got, err, c.want)
			}
			if err := resp.Close(); err != nil || resp.ContentType() != "application/vnd.awslambda.http-integration-response" {
				t.Error(err, resp.ContentType())
			}
		})
	}
}

func TestAFlushSendsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan struct{})
		resp, err := web.Stream(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, s := range []string{"data: 1\n\n", "data: 2\n\n"} {
				fmt.Fprint(w, s)
				w.(http.Flusher).Flush()
				<-more
			}
		}))(t.Context(), decode(t, "functionurl"))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		for _, want := range []string{"data: 1\n\n", "data: 2\n\n"} {
			n, err := resp.Read(buf)
			if err != nil || !bytes.HasSuffix(buf[:n], []byte(want)) {
				t.Fatalf("got %q, %v", buf[:n], err)
			}
			more <- struct{}{}
		}
		if _, err := resp.Read(buf); err != io.EOF {
			t.Error(err)
		}
		_ = resp.Close()
	})
}

func TestNothingOfAStreamOutlivesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails when a goroutine is left
		var ended error
		resp, err := web.Stream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "begun")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			time.Sleep(time.Second) // what it still has to do
			_, ended = fmt.Fprint(w, strings.Repeat("late", 10000))
		}))(t.Context(), decode(t, "functionurl"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := resp.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := resp.Close(); err != nil {
			t.Fatal(err)
		}
		if ended == nil {
			t.Error("a write after the reader went did not fail, or the handler still runs after Close")
		}
	})
}

func TestAStreamThatFails(t *testing.T) {
	for _, c := range []struct {
		rule   string
		serve  http.HandlerFunc
		before bool // fails before there is a response
		want   string
	}{
		{"before the first byte the invocation fails", func(http.ResponseWriter, *http.Request) { panic("no") }, true, "panicked: no"},
		{"after it the response breaks off", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "a")
			w.(http.Flusher).Flush()
			panic("late")
		}, false, "panicked: late"},
		{"an aborted handler breaks it off without a stack", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, false, "net/http: abort Handler"},
		{"a handler that ends its goroutine", func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, true, "runtime.Goexit"},
		{"also after the first byte", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			runtime.Goexit()
		}, false, "runtime.Goexit"},
		{"a status that is none is the handler's mistake", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(7) }, true, "invalid WriteHeader code 7"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			resp, err := web.Stream(c.serve)(t.Context(), decode(t, "functionurl"))
			if c.before != (err != nil) {
				t.Fatal(err)
			}
			if err == nil {
				_, err = io.ReadAll(resp)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := web.Stream(http.NotFoundHandler())(t.Context(), web.Request{}); err == nil || !strings.Contains(err.Error(), "not from an HTTP front door") {
		t.Error(err)
	}
}

// A response that is sent while it is written.
func ExampleStream() {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 2 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush() // now the client has it
		}
	})
	serve := web.Stream(h) // in main: middy.Start(web.Stream(h))
	var e web.Request
	if err := e.DecodeEvent([]byte(`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}`)); err != nil {
		panic(err)
	}
	resp, err := serve(context.Background(), e)
	if err != nil {
		panic(err)
	}
	defer resp.Close() //nolint:errcheck // it has none
	b, err := io.ReadAll(resp)
	fmt.Printf("%q %v\n", b, err)
	// Output: "{\"statusCode\":200,\"headers\":{\"Content-Type\":\"text/event-stream\"}}\x00\x00\x00\x00\x00\x00\x00\x00data: 0\n\ndata: 1\n\n" <nil>
}
