package problem

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
)

// thrown is an error as JavaScript code throws it: with any of a status, an expose
// and headers.
type thrown struct {
	status  int
	expose  bool
	message string
	headers http.Header
}

func (e *thrown) Error() string        { return e.message }
func (e *thrown) StatusCode() int      { return e.status }
func (e *thrown) Expose() bool         { return e.expose }
func (e *thrown) Headers() http.Header { return e.headers }

// upstream is an error with a status that does not know of expose.
type upstream struct{ status int }

func (e upstream) Error() string   { return "A server error" }
func (e upstream) StatusCode() int { return e.status }

func serve(cfg Config, f web.HandlerFunc) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	New(cfg)(f).ServeHTTP(w, httptest.NewRequest("GET", "/a?token=secret", nil))
	return w
}

func failing(err error) web.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) error { return err }
}

// The vectors of Middy's own tests. Thrown strings have no form in Go; "existing
// response kept" is TestABegunResponseIsNeverOverwritten.
func TestMiddysVectors(t *testing.T) {
	for _, c := range []struct {
		name        string
		cfg         Config
		err         error
		status      int
		body, ctype string
	}{
		{"http error", Config{}, &thrown{422, true, "Unprocessable Entity", nil}, 422, "Unprocessable Entity", "text/plain"},
		{"http error of ours", Config{}, &web.Error{Status: 422}, 422, "Unprocessable Entity", "text/plain"},
		{"json fallback", Config{FallbackMessage: `{ "json": "error" }`}, errors.New(""), 500, `{ "json": "error" }`, "application/json"},
		{"non-http no fallback", Config{}, errors.New("secret"), 500, "", ""},
		{"plain error with statusCode", Config{ExposeStatusCode: true}, upstream{412}, 412, "A server error", "text/plain"},
		{"plain error with statusCode 500", Config{ExposeStatusCode: true}, upstream{500}, 500, "", ""},
		{"a reason with a status is a reason", Config{ExposeStatusCode: true}, &web.Error{Status: 404, Err: upstream{412}}, 404, "Not Found", "text/plain"},
		{"a title in place of a detail", Config{}, &web.Error{Status: 404, Title: "No such order"}, 404, "No such order", "text/plain"},
		{"500 hidden", Config{FallbackMessage: "Error: unknown"}, &thrown{500, false, "InternalError", nil}, 500, "Error: unknown", "text/plain"},
		{"500 of ours hidden", Config{FallbackMessage: "Error: unknown"}, &web.Error{Err: errors.New("secret")}, 500, "Error: unknown", "text/plain"},
		{"500 forced expose", Config{}, &thrown{500, true, "OkayError", nil}, 500, "OkayError", "text/plain"},
		{"404 expose false becomes 500", Config{FallbackMessage: "Error: unknown"}, &thrown{404, false, "NotFound", nil}, 500, "Error: unknown", "text/plain"},
		{"expose without a status becomes 500", Config{FallbackMessage: "F"}, &thrown{0, true, "x", nil}, 500, "F", "text/plain"},
		{"the last status", Config{}, &web.Error{Status: 599, Detail: "d"}, 599, "d", "text/plain"},
		{"a status behind the last", Config{}, &web.Error{Status: 600, Detail: "d"}, 500, "d", "text/plain"},
		{"the first status", Config{}, &web.Error{Status: 400, Detail: "d"}, 400, "d", "text/plain"},
		{"a status that is no error", Config{}, &thrown{399, true, "x", nil}, 500, "", ""},
		{"the first status of another package", Config{}, &thrown{400, true, "x", nil}, 400, "x", "text/plain"},
		{"the last one", Config{}, &thrown{599, true, "x", nil}, 599, "x", "text/plain"},
		{"a status that is none", Config{}, &thrown{600, true, "x", nil}, 500, "", ""},
		{"error headers", Config{}, &thrown{422, true, "<e/>", http.Header{"content-type": {"application/xml"}, "Location": {"/x"}}}, 422, "<e/>", "application/xml"},
		{"array message is json", Config{}, &thrown{400, true, "[1]", nil}, 400, "[1]", "application/json"},
		{"no message", Config{}, &thrown{404, true, "", nil}, 404, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Form, c.cfg.DisableLog = Plain, true
			w := serve(c.cfg, failing(fmt.Errorf("wrapped: %w", c.err)))
			if got := w.Header().Get("Content-Type"); w.Code != c.status || w.Body.String() != c.body || got != c.ctype {
				t.Errorf("got %d %q %q, want %d %q %q", w.Code, w.Body, got, c.status, c.body, c.ctype)
			}
			if c.name == "error headers" && w.Header().Get("Location") != "/x" {
				t.Error("no Location")
			}
		})
	}
}

func TestProblemDetails(t *testing.T) {
	sentinel := errors.New("no rows")
	for _, c := range []struct {
		rule string
		cfg  Config
		err  error
		want string
	}{
		{"an error for clients", Config{}, web.Errorf(404, "there is no order 42"), `404 {"title":"Not Found","status":404,"detail":"there is no order 42"}`},
		{"another error says nothing", Config{}, errors.New("secret"), `500 {"title":"Internal Server Error","status":500}`},
		{"but the fallback", Config{FallbackMessage: "try again"}, errors.New("secret"), `500 {"title":"Internal Server Error","status":500,"detail":"try again"}`},
		{"a mapped error", Config{Map: func(err error) error {
			if errors.Is(err, sentinel) {
				return web.Errorf(404, "there is none")
			}
			return err
		}}, sentinel, `404 {"title":"Not Found","status":404,"detail":"there is none"}`},
		{"a Map that forgets", Config{Map: func(error) error { return nil }}, &web.Error{Status: 400}, `400 {"title":"Bad Request","status":400}`},
		{"an upstream's status is not ours", Config{}, upstream{404}, `500 {"title":"Internal Server Error","status":500}`},
		{"a body that a reader found too large", Config{}, fmt.Errorf("json: %w", &http.MaxBytesError{Limit: 7}), `413 {"title":"Request Entity Too Large","status":413,"detail":"the body must not be larger than 7 bytes"}`},
		{"a status out of range", Config{}, &web.Error{Status: 200}, `500 {"title":"Internal Server Error","status":500}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			c.cfg.DisableLog = true
			w := serve(c.cfg, failing(c.err))
			if got := fmt.Sprint(w.Code, " ", strings.TrimSpace(w.Body.String())); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTheReasonIsLoggedAndNotSent(t *testing.T) {
	var logged []error
	cfg := Config{Logger: func(_ *http.Request, err error) { logged = append(logged, err) }}
	reason := errors.New("secret")
	w := serve(cfg, failing(&web.Error{Status: 400, Detail: "public", Err: reason}))
	if len(logged) != 1 || !errors.Is(logged[0], reason) || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("logged %v, sent %s", logged, w.Body)
	}
}

func TestTheDefaultLogNamesTheRequestWithoutItsQuery(t *testing.T) {
	var b bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, nil)))
	defer slog.SetDefault(before)
	serve(Config{}, failing(&web.Error{Status: 404}))
	serve(Config{}, func(http.ResponseWriter, *http.Request) error { panic("boom") })
	lines := strings.Split(b.String(), "\n")
	if !strings.Contains(lines[0], "level=INFO") || !strings.Contains(lines[0], "method=GET path=/a status=404") {
		t.Error(lines[0])
	}
	if !strings.Contains(lines[1], "level=ERROR") || !strings.Contains(lines[1], "problem_test.go") {
		t.Error(lines[1])
	}
	if strings.Contains(b.String(), "token") {
		t.Error("the query was logged")
	}
}

func TestAPanicIsA500(t *testing.T) {
	for rule, value := range map[string]any{
		"a text":               "secret",
		"an error":             io.ErrUnexpectedEOF,
		"an error for clients": &web.Error{Status: 404, Detail: "secret"},
		"nil":                  nil,
		"not comparable":       []int{1},
	} {
		t.Run(rule, func(t *testing.T) {
			var logged error
			w := serve(Config{Logger: func(_ *http.Request, err error) { logged = err }}, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Length", "5")
				w.Header().Set("X-Kept", "1")
				panic(value)
			})
			if w.Code != 500 || strings.Contains(w.Body.String(), "secret") || w.Header().Get("Content-Length") != "" || w.Header().Get("X-Kept") != "1" {
				t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
			}
			p, ok := errors.AsType[*PanicError](logged)
			if !ok || !bytes.Contains(p.Stack, []byte("problem_test.go")) {
				t.Fatalf("logged %v", logged)
			}
			if err, ok := value.(error); ok && (!errors.Is(p, err) || !reflect.DeepEqual(p.Value, value)) {
				t.Errorf("the value is lost: %v", p)
			}
		})
	}
}

// panics runs f and returns what it panics with.
func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestABegunResponseIsNeverOverwritten(t *testing.T) {
	for _, c := range []struct {
		rule  string
		begin func(w http.ResponseWriter)
	}{
		{"by WriteHeader", func(w http.ResponseWriter) { w.WriteHeader(201) }},
		{"by Write", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "half") }},
		{"by Flush", func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			logged := 0
			cfg := Config{Logger: func(*http.Request, error) { logged++ }}
			for i, end := range []func() error{
				func() error { return errors.New("late") },
				func() error { panic("late") },
				func() error { panic(failure{errors.New("late")}) },
			} {
				w := httptest.NewRecorder()
				value := panics(func() {
					New(cfg)(web.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
						c.begin(w)
						return end()
					})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				})
				if value != http.ErrAbortHandler || logged != i+1 {
					t.Errorf("panicked with %v, logged %d, want ErrAbortHandler and %d", value, logged, i+1)
				}
				if w.Code >= 400 || strings.Contains(w.Body.String(), "status") {
					t.Errorf("something was written behind the response: %d %q", w.Code, w.Body)
				}
			}
		})
	}
}

// failure is what a required value panics with.
type failure struct{ err error }

func (f failure) Failure() error { return f.err }

func TestAFailureThatWasThrownIsAnErrorAndNoPanic(t *testing.T) {
	reason := errors.New("the secret cannot be read")
	var logged error
	cfg := Config{
		Logger: func(_ *http.Request, err error) { logged = err },
		Map: func(err error) error {
			if errors.Is(err, reason) {
				return &web.Error{Status: 503, Detail: "try later", Err: err}
			}
			return err
		},
	}
	w := serve(cfg, func(http.ResponseWriter, *http.Request) error { panic(failure{reason}) })
	if w.Code != 503 || !strings.Contains(w.Body.String(), "try later") {
		t.Errorf("got %d %s, want what Map makes of the error", w.Code, w.Body)
	}
	if _, panicked := errors.AsType[*PanicError](logged); panicked || logged != reason {
		t.Errorf("logged %#v, want the error itself", logged)
	}
}

// Every log format has the reason, and no client.
func TestTheReasonIsInEveryLogFormat(t *testing.T) {
	webErr := &web.Error{Status: 503, Detail: "try later", Err: errors.New("refused to 10.0.0.7")}
	for format, handler := range map[string]func(io.Writer) slog.Handler{
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
	} {
		for rule, err := range map[string]error{"itself": webErr, "wrapped": fmt.Errorf("orders: %w", webErr), "joined": errors.Join(webErr)} {
			t.Run(format+"/"+rule, func(t *testing.T) {
				var b bytes.Buffer
				before := slog.Default()
				slog.SetDefault(slog.New(handler(&b)))
				defer slog.SetDefault(before)
				w := serve(Config{}, failing(err))
				if !strings.Contains(b.String(), "refused to 10.0.0.7") {
					t.Errorf("the log has no reason: %s", &b)
				}
				if strings.Contains(w.Body.String(), "refused") || w.Code != 503 {
					t.Errorf("the client got %d %s", w.Code, w.Body)
				}
			})
		}
	}
}

func TestARedirectOfAnotherPackagesError(t *testing.T) {
	w := serve(Config{Form: Plain, DisableLog: true}, failing(&thrown{308, true, "moved", http.Header{"Location": {"/new"}}}))
	if w.Code != 308 || w.Header().Get("Location") != "/new" || w.Body.String() != "moved" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := serve(Config{DisableLog: true}, failing(&thrown{204, true, "done", nil})); w.Code != 500 {
		t.Errorf("an error that says it is a success: got %d, want 500", w.Code)
	}
}

func TestARedirectEndsAHandlerAsAnErrorDoes(t *testing.T) {
	for _, c := range []struct {
		rule   string
		cfg    Config
		status int
		want   int
		body   string
	}{
		{"a redirect, in problem details", Config{}, 302, 302, `{"title":"Found","status":302,"detail":"moved"}`},
		{"a redirect, in the plain form, as Middy has it", Config{Form: Plain}, 308, 308, "moved"},
		{"304 has no body, whatever the form", Config{}, 304, 304, ""},
		{"an error that says it is a success is a bug", Config{Form: Plain}, 201, 500, "moved"},
		{"an error that says more is to come", Config{Form: Plain}, 103, 500, "moved"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			c.cfg.DisableLog = true
			srv := httptest.NewServer(New(c.cfg)(failing(&web.Error{Status: c.status, Detail: "moved", Header: http.Header{"Location": {"https://app.example.com/"}}})))
			defer srv.Close()
			resp, err := http.DefaultTransport.RoundTrip(httptest.NewRequest("GET", srv.URL, nil))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if resp.StatusCode != c.want || strings.TrimSpace(string(b)) != c.body || err != nil {
				t.Errorf("got %d %q, %v; want %d %q", resp.StatusCode, b, err, c.want, c.body)
			}
			if got := resp.Header.Get("Location"); got != "https://app.example.com/" {
				t.Errorf("Location is %q", got)
			}
		})
	}
}

func TestErrAbortHandlerPasses(t *testing.T) {
	value := panics(func() {
		serve(Config{Logger: func(*http.Request, error) { t.Error("logged") }}, func(http.ResponseWriter, *http.Request) error {
			panic(http.ErrAbortHandler)
		})
	})
	if value != http.ErrAbortHandler {
		t.Errorf("got %v", value)
	}
}

func TestEarlyHintsAreNoBegin(t *testing.T) {
	srv := httptest.NewServer(New(Config{DisableLog: true})(web.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusEarlyHints)
		return web.Errorf(409, "conflict")
	})))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 409 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %v", resp.StatusCode, resp.Header)
	}
}

func TestAHalfResponseBreaksOffOnTheWire(t *testing.T) {
	for rule, end := range map[string]func() error{
		"after a panic":  func() error { panic("late") },
		"after an error": func() error { return errors.New("late") },
	} {
		t.Run(rule, func(t *testing.T) {
			srv := httptest.NewServer(New(Config{DisableLog: true})(web.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
				return end()
			})))
			defer srv.Close()
			resp, err := http.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("the client took %q for the whole response", b)
			}
		})
	}
}

func TestTheInnerOfTwoRenders(t *testing.T) {
	w := httptest.NewRecorder()
	h := New(Config{DisableLog: true})(New(Config{Form: Plain, DisableLog: true})(failing(web.Errorf(404, "no"))))
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Body.String() != "no" {
		t.Errorf("got %s", w.Body)
	}
}

func TestValidate(t *testing.T) {
	if (Config{Form: 7}).Validate() == nil || (Config{}).Validate() != nil || (Config{Form: Plain}).Validate() != nil {
		t.Error("Form")
	}
	if panics(func() { New(Config{Form: -1}) }) == nil {
		t.Error("New took a bad Config")
	}
}
