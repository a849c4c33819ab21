package deadline

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/problem"
)

// call serves one request with a timeout of Lambda's, and tells how long it took.
func call(t *testing.T, cfg Config, timeout time.Duration, h http.HandlerFunc) (*httptest.ResponseRecorder, time.Duration) {
	t.Helper()
	ctx := t.Context()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	w := httptest.NewRecorder()
	start := time.Now()
	New(cfg)(h).ServeHTTP(w, httptest.NewRequest("GET", "/a", nil).WithContext(ctx))
	return w, time.Since(start)
}

// sleeping is a handler that hears its context.
func sleeping(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			_, _ = io.WriteString(w, "done")
		case <-r.Context().Done():
			_, _ = io.WriteString(w, "too late")
		}
	}
}

func TestWhenTheClientIsAnswered(t *testing.T) {
	for _, c := range []struct {
		rule           string
		cfg            Config
		timeout, takes time.Duration
		status         int
		after          time.Duration
	}{
		{"in time", Config{}, 3 * time.Second, time.Second, 200, time.Second},
		{"half a second before the timeout", Config{}, 3 * time.Second, time.Minute, 503, 2500 * time.Millisecond},
		{"another reserve", Config{Reserve: time.Second}, 3 * time.Second, time.Minute, 503, 2 * time.Second},
		{"hardly a reserve", Config{Reserve: 1}, 3 * time.Second, time.Minute, 503, 3*time.Second - 1},
		{"less than the reserve is left", Config{}, 400 * time.Millisecond, time.Minute, 503, 0},
		{"a limit of one's own", Config{Timeout: time.Second}, 0, time.Minute, 503, time.Second},
		{"the earlier one: the limit", Config{Timeout: time.Second}, 3 * time.Second, time.Minute, 503, time.Second},
		{"the earlier one: the deadline", Config{Timeout: time.Minute}, 3 * time.Second, time.Hour, 503, 2500 * time.Millisecond},
		{"no limit at all", Config{}, 0, time.Hour, 200, time.Hour},
		{"another status", Config{Status: 504}, 3 * time.Second, time.Minute, 504, 2500 * time.Millisecond},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, took := call(t, c.cfg, c.timeout, sleeping(c.takes))
				if w.Code != c.status || took != c.after {
					t.Errorf("got %d after %v, want %d after %v", w.Code, took, c.status, c.after)
				}
				if w.Code != 200 && (w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"detail":"the request took too long"`)) {
					t.Errorf("got %v %s", w.Header(), w.Body)
				}
			})
		})
	}
}

func TestNoReserveAnswersAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w, took := call(t, Config{Reserve: -1}, 3*time.Second, func(http.ResponseWriter, *http.Request) { <-release })
		close(release)
		if w.Code != 503 || took != 3*time.Second {
			t.Errorf("got %d after %v", w.Code, took)
		}
	})
}

func TestTheHandlerIsNotStartedWithoutTime(t *testing.T) {
	w, _ := call(t, Config{}, time.Nanosecond, func(http.ResponseWriter, *http.Request) { t.Error("started") })
	if w.Code != 503 {
		t.Errorf("got %d", w.Code)
	}
}

func TestTheLeastTime(t *testing.T) {
	for _, c := range []struct {
		rule    string
		cfg     Config
		timeout time.Duration
		started bool
	}{
		{"exactly the reserve", Config{}, 500 * time.Millisecond, false},
		{"a nanosecond more", Config{}, 500*time.Millisecond + 1, true},
		{"a limit of a nanosecond", Config{Timeout: 1}, 0, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				started := false
				w, _ := call(t, c.cfg, c.timeout, func(_ http.ResponseWriter, r *http.Request) {
					started = true
					<-r.Context().Done()
				})
				if w.Code != 503 || started != c.started {
					t.Errorf("got %d, started %v", w.Code, started)
				}
			})
		})
	}
}

func TestWithoutADeadlineNoGoroutineIsStarted(t *testing.T) {
	before := runtime.NumGoroutine()
	inside := 0
	call(t, Config{}, 0, func(http.ResponseWriter, *http.Request) { inside = runtime.NumGoroutine() })
	if inside > before {
		t.Errorf("%d goroutines, %d before", inside, before)
	}
}

func TestRetryAfter(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Nanosecond: "1", 1500 * time.Millisecond: "2", time.Minute: "60", -1: ""} {
		w, _ := call(t, Config{RetryAfter: d}, time.Nanosecond, nil)
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// What a handler does after its time has no effect on the response, and its context
// says why.
func TestALateHandlerWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := call(t, Config{}, time.Second, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Handler", "1")
			<-r.Context().Done()
			if cause := context.Cause(r.Context()); cause != ErrTimeout || !errors.Is(cause, context.DeadlineExceeded) {
				t.Errorf("the cause is %v", cause)
			}
			w.Header().Set("X-Handler", "2")
			w.WriteHeader(500)
			if _, err := w.Write([]byte("late")); err != http.ErrHandlerTimeout {
				t.Errorf("Write: %v", err)
			}
			c := http.NewResponseController(w)
			_, _, hijack := c.Hijack()
			for what, err := range map[string]error{
				"Flush": c.Flush(), "Hijack": hijack, "SetReadDeadline": c.SetReadDeadline(time.Time{}),
				"SetWriteDeadline": c.SetWriteDeadline(time.Time{}), "EnableFullDuplex": c.EnableFullDuplex(),
			} {
				if err != http.ErrHandlerTimeout {
					t.Errorf("%s: %v", what, err)
				}
			}
			w.(http.Flusher).Flush()
		})
		if w.Code != 503 || strings.Contains(w.Body.String(), "late") || w.Header().Get("X-Handler") != "" {
			t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
		}
	})
}

func TestTheGrace(t *testing.T) {
	for _, c := range []struct {
		rule          string
		cfg           Config
		needs, answer time.Duration // to return after the cancellation; from the start
	}{
		{"it returns at once", Config{}, 0, 500 * time.Millisecond},
		{"it needs a little", Config{}, 100 * time.Millisecond, 600 * time.Millisecond},
		{"it needs too long", Config{}, time.Hour, 750 * time.Millisecond},
		{"a longer grace", Config{Grace: 400 * time.Millisecond}, time.Hour, 900 * time.Millisecond},
		{"no grace", Config{Grace: -1}, time.Hour, 500 * time.Millisecond},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan struct{})
				w, took := call(t, c.cfg, time.Second, func(_ http.ResponseWriter, r *http.Request) {
					defer close(ended)
					<-r.Context().Done()
					<-time.After(c.needs)
				})
				<-ended
				if w.Code != 503 || took != c.answer {
					t.Errorf("got %d after %v, want %v", w.Code, took, c.answer)
				}
			})
		})
	}
}

func TestAResponseThatHasBegunIsLeftAlone(t *testing.T) {
	for rule, begin := range map[string]func(w http.ResponseWriter){
		"by Write":       func(w http.ResponseWriter) { _, _ = io.WriteString(w, "a") },
		"by WriteHeader": func(w http.ResponseWriter) { w.WriteHeader(201) },
		"by Flush":       func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, took := call(t, Config{Timeout: time.Second}, 0, func(w http.ResponseWriter, r *http.Request) {
					begin(w)
					<-time.After(time.Minute)
					if r.Context().Err() != nil {
						t.Error("its context was cancelled")
					}
					if _, err := io.WriteString(w, "end"); err != nil {
						t.Error(err)
					}
				})
				if w.Code >= 500 || !strings.HasSuffix(w.Body.String(), "end") || took != time.Minute {
					t.Errorf("got %d %q after %v", w.Code, w.Body, took)
				}
			})
		})
	}
}

func TestHeadersReachTheClient(t *testing.T) {
	outside := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Outside", "1")
			w.Header().Set("X-Removed", "1")
			next.ServeHTTP(w, r)
		})
	}
	for rule, h := range map[string]http.HandlerFunc{
		"nothing written": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Inside", "1")
			w.Header().Del("X-Removed")
		},
		"written": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Inside", "1")
			w.Header().Del("X-Removed")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(200)
			_, _ = io.WriteString(w, "x")
		},
		"with a trailer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Inside", "1")
			w.Header().Del("X-Removed")
			w.Header().Set("Trailer", "X-Trailer")
			_, _ = io.WriteString(w, "x")
			w.Header().Set("X-Trailer", "1")
		},
	} {
		srv := httptest.NewServer(outside(New(Config{Timeout: time.Minute})(h)))
		resp, err := http.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if h := resp.Header; resp.StatusCode != 200 || h.Get("X-Outside") != "1" || h.Get("X-Inside") != "1" || h.Get("X-Removed") != "" {
			t.Errorf("%s: %d %v", rule, resp.StatusCode, h)
		}
		if rule == "with a trailer" && resp.Trailer.Get("X-Trailer") != "1" {
			t.Errorf("the trailer is %v", resp.Trailer)
		}
		srv.Close()
	}
}

// panics runs f and returns what it panics with.
func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestPanicsPass(t *testing.T) {
	for _, value := range []any{"text", http.ErrAbortHandler} {
		got := panics(func() {
			call(t, Config{Timeout: time.Minute}, 0, func(http.ResponseWriter, *http.Request) { panic(value) })
		})
		if got != value {
			t.Errorf("got %v, want %v", got, value)
		}
	}
	got := panics(func() {
		call(t, Config{Timeout: time.Minute}, 0, func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
	})
	if got != http.ErrAbortHandler {
		t.Errorf("after Goexit: %v", got)
	}
}

func throws() { panic("boom") }

func TestTheStackOfAPanicIsTheHandlers(t *testing.T) {
	var logged error
	h := problem.New(problem.Config{Logger: func(_ *http.Request, err error) { logged = err }})(New(Config{Timeout: time.Minute})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { throws() })))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	p, ok := errors.AsType[*problem.PanicError](logged)
	if w.Code != 500 || !ok || !bytes.Contains(p.Stack, []byte("deadline.throws")) {
		t.Errorf("got %d, logged %v", w.Code, logged)
	}
}

func TestALatePanicIsReportedAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reported []any
		late := func(r *http.Request, value any, stack []byte) {
			if r.URL.Path != "/a" || !bytes.Contains(stack, []byte("deadline.throws")) {
				t.Errorf("%s: %s", r.URL, stack)
			}
			reported = append(reported, value)
		}
		call(t, Config{Late: late}, time.Second, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		w, _ := call(t, Config{Late: late}, time.Second, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); throws() })
		call(t, Config{Late: late}, time.Second, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		synctest.Wait()
		if w.Code != 503 || fmt.Sprint(reported) != "[boom]" {
			t.Errorf("got %d, reported %v", w.Code, reported)
		}
	})
}

func TestALatePanicIsLogged(t *testing.T) {
	var b bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		call(t, Config{}, time.Second, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); throws() })
		synctest.Wait()
	})
	if got := b.String(); !strings.Contains(got, "panic=boom") || !strings.Contains(got, "deadline.throws") {
		t.Errorf("logged %s", got)
	}
}

// A handler that returns its context's error after the client was answered is logged,
// and its answer goes nowhere.
func TestALateErrorIsOnlyLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := make(chan error, 2)
		h := problem.New(problem.Config{Logger: func(_ *http.Request, err error) { logged <- err }})(New(Config{Timeout: time.Second, Grace: -1})(
			web.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
				<-r.Context().Done()
				return fmt.Errorf("query: %w", context.Cause(r.Context()))
			})))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		for range 2 {
			if err := <-logged; !errors.Is(err, ErrTimeout) {
				t.Errorf("logged %v", err)
			}
		}
		if w.Code != 503 || strings.Count(w.Body.String(), "status") != 1 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}

func TestTheFormIsTheUsersChoice(t *testing.T) {
	h := problem.New(problem.Config{Form: problem.Plain, DisableLog: true})(New(Config{Reserve: time.Hour})(http.NotFoundHandler()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if w.Body.String() != "the request took too long" {
		t.Errorf("got %s", w.Body)
	}
}

func TestHijack(t *testing.T) {
	srv := httptest.NewServer(New(Config{Timeout: time.Minute})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c := http.NewResponseController(w)
		if err := errors.Join(c.SetReadDeadline(time.Now().Add(time.Minute)), c.SetWriteDeadline(time.Now().Add(time.Minute)), c.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
		conn, _, err := c.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
		_ = conn.Close()
	})))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(bufio.NewReader(resp.Body)); string(b) != "hi" {
		t.Errorf("got %q", b)
	}
}

// hijackable is a writer whose connection can be had.
type hijackable struct {
	*httptest.ResponseRecorder
	err error
}

func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, h.err }

func TestAConnectionThatWasHijackedIsTheHandlers(t *testing.T) {
	for _, c := range []struct {
		rule   string
		err    error
		begin  func(w http.ResponseWriter)
		status int // what the recorder has
	}{
		{"hijacked", nil, func(http.ResponseWriter) {}, 200},
		{"not to be had", http.ErrNotSupported, func(http.ResponseWriter) {}, 503},
		{"not to be had, and begun", http.ErrNotSupported, func(w http.ResponseWriter) { w.WriteHeader(201) }, 201},
		{"switched", http.ErrNotSupported, func(w http.ResponseWriter) { w.WriteHeader(http.StatusSwitchingProtocols) }, 101},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := hijackable{httptest.NewRecorder(), c.err}
				New(Config{Timeout: time.Second, Grace: -1})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					c.begin(w)
					if _, _, err := http.NewResponseController(w).Hijack(); err != c.err { //nolint:errorlint // the same
						t.Errorf("got %v", err)
					}
					<-time.After(time.Minute)
				})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if w.Code != c.status {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
				<-time.After(time.Minute)
			})
		})
	}
}

// The handler writes at the very moment at which its time is up: whoever comes first,
// there is one whole response.
func TestOneResponseAtTheLimit(t *testing.T) {
	const limit = 10 * time.Millisecond
	counts := map[int]int{}
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			w, _ := call(t, Config{Timeout: limit}, 0, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Handler", "1")
				<-time.After(limit)
				w.WriteHeader(201)
				_, _ = io.WriteString(w, "done")
			})
			counts[w.Code]++
			switch {
			case w.Code == 201 && w.Body.String() == "done" && w.Header().Get("X-Handler") == "1":
			case w.Code == 503 && !strings.Contains(w.Body.String(), "done") && w.Header().Get("X-Handler") == "":
			default:
				t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
			}
		})
	}
	t.Log(counts)
}

func TestValidate(t *testing.T) {
	for rule, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"zero":               {Config{}, ""},
		"no reserve":         {Config{Reserve: -1, Grace: -1}, ""},
		"a grace in it":      {Config{Reserve: time.Second, Grace: time.Second}, ""},
		"a negative limit":   {Config{Timeout: -1}, "deadline: Timeout is -1ns; leave it 0 for none"},
		"the lowest status":  {Config{Status: 500}, ""},
		"the highest status": {Config{Status: 599}, ""},
		"too low a status":   {Config{Status: 499}, "deadline: Status is 499; it answers for the server and must be from 500 to 599"},
		"too high a status":  {Config{Status: 600}, "deadline: Status is 600; it answers for the server and must be from 500 to 599"},
		"no time for grace":  {Config{Reserve: -1, Grace: 1}, "deadline: Grace is 1ns; it must not be longer than Reserve, -1ns"},
		"a status":           {Config{Status: 404}, "deadline: Status is 404; it answers for the server and must be from 500 to 599"},
		"a long grace":       {Config{Grace: time.Second}, "deadline: Grace is 1s; it must not be longer than Reserve, 500ms"},
	} {
		err := c.cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if panics(func() { New(Config{Status: 404}) }) == nil {
		t.Error("New took a bad Config")
	}
	if e, ok := ErrTimeout.(interface{ Timeout() bool }); !ok || !e.Timeout() || ErrTimeout.Error() == "" {
		t.Error("ErrTimeout is no timeout")
	}
}

func BenchmarkDeadline(b *testing.B) {
	h := New(Config{Timeout: time.Minute})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	r := httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// failure is what a required value panics with: no bug.
type failure struct{ err error }

func (f failure) Failure() error { return f.err }

func TestALateFailureIsAnErrorWithoutAStack(t *testing.T) {
	reason := errors.New("the secret cannot be read")
	synctest.Test(t, func(t *testing.T) {
		var reported []any
		late := func(_ *http.Request, value any, stack []byte) {
			if stack != nil {
				t.Errorf("a failure has the stack %s", stack)
			}
			reported = append(reported, value)
		}
		call(t, Config{Late: late}, time.Second, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(failure{reason})
		})
		synctest.Wait()
		if len(reported) != 1 || reported[0] != reason {
			t.Errorf("reported %v, want the error itself", reported)
		}
	})
	got := panics(func() {
		call(t, Config{Timeout: time.Minute}, 0, func(http.ResponseWriter, *http.Request) { panic(failure{reason}) })
	})
	if got != (failure{reason}) {
		t.Errorf("in time: panicked with %v, want the value itself", got)
	}
}
