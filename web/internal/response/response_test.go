package response

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOnHeaderIsCalledOnceBeforeTheFinalStatus(t *testing.T) {
	for _, c := range []struct {
		rule  string
		serve func(http.ResponseWriter)
		want  int
	}{
		{"WriteHeader", func(w http.ResponseWriter) { w.WriteHeader(404); w.WriteHeader(500) }, 404},
		{"Write without it", func(w http.ResponseWriter) { io.WriteString(w, "a"); io.WriteString(w, "b") }, 200},
		{"Flush without it", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, 200},
		{"nothing at all", func(http.ResponseWriter) {}, 200},
		{"an informational one first", func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(201) }, 201},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var calls, status int
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				hooked, finish := OnHeader(w, func(s int, h http.Header) int {
					calls, status = calls+1, s
					h.Set("X-Hook", "1")
					return s
				})
				c.serve(hooked)
				finish()
			}))
			defer srv.Close()
			resp, err := http.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if calls != 1 || status != c.want || resp.StatusCode != c.want || resp.Header.Get("X-Hook") != "1" {
				t.Errorf("%d calls, status %d, sent %d %v", calls, status, resp.StatusCode, resp.Header)
			}
		})
	}
}

func TestOnHeaderMayChangeTheStatus(t *testing.T) {
	rec := httptest.NewRecorder()
	w, finish := OnHeader(rec, func(int, http.Header) int { return 418 })
	w.WriteHeader(200)
	finish()
	if rec.Code != 418 {
		t.Error(rec.Code)
	}
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); !ok || u.Unwrap() != rec {
		t.Error("http.ResponseController does not find the writer beneath")
	}
}

func TestBuffer(t *testing.T) {
	for _, c := range []struct {
		rule  string
		limit int
		serve func(*Buffer)
		whole bool
		sent  string // before the middleware decides
	}{
		{"a response within the limit waits", 4, func(b *Buffer) { b.WriteHeader(201); b.WriteHeader(500); io.WriteString(b, "abcd") }, true, ""},
		{"a larger one goes through, whole", 4, func(b *Buffer) { b.WriteHeader(201); io.WriteString(b, "abc"); io.WriteString(b, "de") }, false, "abcde"},
		{"a flushed one cannot wait", 4, func(b *Buffer) { b.WriteHeader(201); io.WriteString(b, "a"); b.Flush(); io.WriteString(b, "b") }, false, "ab"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			rec := httptest.NewRecorder()
			b := NewBuffer(rec, c.limit)
			c.serve(b)
			status, body, ok := b.Whole()
			if ok != c.whole || rec.Body.String() != c.sent || status != 201 {
				t.Fatalf("whole %v, sent %q, status %d", ok, rec.Body, status)
			}
			if err := b.Send(202, append(body, '!')); err != nil {
				t.Fatal(err)
			}
			want := c.sent
			if c.whole {
				want = "abcd!"
			}
			if rec.Body.String() != want {
				t.Errorf("sent %q, want %q", rec.Body, want)
			}
		})
	}
}

func TestBufferEdges(t *testing.T) {
	rec := httptest.NewRecorder()
	b := NewBuffer(rec, 10)
	if status, body, ok := b.Whole(); status != 200 || body != nil || !ok {
		t.Error("a handler that wrote nothing:", status, body, ok)
	}
	if b.Unwrap() != rec || b.Header() == nil {
		t.Error("the writer beneath is lost")
	}
	broken := NewBuffer(brokenWriter{rec}, 1)
	if _, err := broken.Write([]byte(strings.Repeat("x", 2))); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if err := NewBuffer(brokenWriter{rec}, 9).FlushError(); !errors.Is(err, http.ErrNotSupported) {
		t.Error(err)
	}
}

// brokenWriter has a client that is gone, and cannot flush.
type brokenWriter struct{ rec *httptest.ResponseRecorder }

func (w brokenWriter) Header() http.Header       { return w.rec.Header() }
func (w brokenWriter) WriteHeader(int)           {}
func (w brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAHijackedConnectionGetsNoHeader(t *testing.T) {
	called := false
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hooked, finish := OnHeader(w, func(status int, _ http.Header) int { called = true; return status })
		conn, _, err := http.NewResponseController(hooked).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		finish()
		_ = conn.Close()
	}))
	var logged strings.Builder
	srv.Config.ErrorLog = log.New(&logged, "", 0)
	srv.Start()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	srv.Close()
	if resp.StatusCode != 204 || called || logged.Len() > 0 {
		t.Errorf("status %d, called %v, logged %q", resp.StatusCode, called, logged.String())
	}

	rec := httptest.NewRecorder() // which cannot be hijacked
	hooked, finish := OnHeader(rec, func(int, http.Header) int { return 418 })
	if _, _, err := http.NewResponseController(hooked).Hijack(); err == nil {
		t.Error("a recorder was hijacked")
	}
	finish()
	if rec.Code != 418 {
		t.Error("a hijack that failed took the header away:", rec.Code)
	}
}

// bare is a writer with nothing but the interface.
type bare struct{ http.ResponseWriter }

// notifier is a writer of net/http's server.
type notifier struct {
	http.ResponseWriter
	gone chan bool
}

func (n notifier) CloseNotify() <-chan bool { return n.gone }

func TestCloseNotifyIsFoundBeneath(t *testing.T) {
	beneath := notifier{httptest.NewRecorder(), make(chan bool, 1)}
	hooked, _ := OnHeader(beneath, func(status int, _ http.Header) int { return status })
	for rule, w := range map[string]http.ResponseWriter{
		"the writer itself": beneath, "a hook": hooked, "a buffer": NewBuffer(hooked, 10), "a tracked one": Track(NewBuffer(beneath, 10)),
	} {
		beneath.gone <- true
		select {
		case <-CloseNotify(w):
		default:
			t.Errorf("%s: the client has gone, and nothing is heard of it", rule)
			<-beneath.gone
		}
	}
	select {
	case <-CloseNotify(bare{httptest.NewRecorder()}):
		t.Error("a writer that cannot tell said that the client has gone")
	default:
	}
}

func TestWhetherAResponseHasBegun(t *testing.T) {
	for _, c := range []struct {
		rule  string
		write func(http.ResponseWriter)
		want  bool
	}{
		{"nothing", func(http.ResponseWriter) {}, false},
		{"a header", func(w http.ResponseWriter) { w.Header().Set("X-A", "1") }, false},
		{"early hints", func(w http.ResponseWriter) { w.WriteHeader(103) }, false},
		{"a status", func(w http.ResponseWriter) { w.WriteHeader(204) }, true},
		{"a byte", func(w http.ResponseWriter) { _, _ = w.Write([]byte("a")) }, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			hooked, _ := OnHeader(httptest.NewRecorder(), func(status int, _ http.Header) int { return status })
			for name, w := range map[string]http.ResponseWriter{
				"a recorder": Track(httptest.NewRecorder()), "a hook": Track(hooked), "a buffer": Track(NewBuffer(httptest.NewRecorder(), 10)),
			} {
				c.write(w)
				if got := Begun(w); got != c.want {
					t.Errorf("%s: got %v, want %v", name, got, c.want)
				}
			}
		})
	}
	hooked, _ := OnHeader(httptest.NewRecorder(), nil)
	if Track(hooked) != hooked {
		t.Error("a writer that knows was wrapped")
	}
	if Begun(bare{}) {
		t.Error("a writer that does not know says that it has begun")
	}
}

func TestTheFirstReasonStays(t *testing.T) {
	var reason Reason
	ctx := context.WithValue(t.Context(), ReasonKey{}, &reason)
	if reason.Load() != nil {
		t.Errorf("got %v before there is one", reason.Load())
	}
	if !Record(ctx, io.EOF) || !Record(ctx, io.ErrUnexpectedEOF) || reason.Load() != io.EOF {
		t.Errorf("got %v, want the first", reason.Load())
	}
	if Record(t.Context(), io.EOF) {
		t.Error("nobody asks, and Record says that somebody does")
	}
}
