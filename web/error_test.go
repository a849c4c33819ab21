package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
)

func TestWriteError(t *testing.T) {
	for _, c := range []struct {
		rule   string
		err    error
		status int
		body   string
	}{
		{"an error that was not written for clients is a 500 and says nothing", errors.New("password=hunter2"), 500, `{"title":"Internal Server Error","status":500}`},
		{"nor does the reason of one that was", &web.Error{Status: 409, Detail: "taken", Err: errors.New("hunter2")}, 409, `{"title":"Conflict","status":409,"detail":"taken"}`},
		{"an error in a chain", fmt.Errorf("hunter2: %w", &web.Error{Status: 404}), 404, `{"title":"Not Found","status":404}`},
		{"the zero value is a 500", &web.Error{}, 500, `{"title":"Internal Server Error","status":500}`},
		{"a status that is no error is a 500", &web.Error{Status: 200}, 500, `{"title":"Internal Server Error","status":500}`},
		{"a problem with a type of its own", &web.Error{Status: 403, Type: "https://example.com/probs/credit", Title: "Not enough credit"}, 403, `{"type":"https://example.com/probs/credit","title":"Not enough credit","status":403}`},
		{"one entry for each field", &web.Error{Status: 422, Fields: []web.FieldError{{Pointer: "#/age", Detail: "must be 18"}, {Parameter: "limit", In: "query", Detail: "must be a number"}}}, 422,
			`{"title":"Unprocessable Entity","status":422,"errors":[{"pointer":"#/age","detail":"must be 18"},{"parameter":"limit","in":"query","detail":"must be a number"}]}`},
		{"Errorf is public", web.Errorf(400, "no such color: %w", errors.New("pinkish")), 400, `{"title":"Bad Request","status":400,"detail":"no such color: pinkish"}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			rec := httptest.NewRecorder()
			rec.Header().Set("Content-Encoding", "gzip")
			rec.Header().Set("Etag", `"stale"`)
			rec.Header().Set("Content-Digest", "sha-256=:stale:")
			web.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return c.err }).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
			if rec.Code != c.status || strings.TrimSpace(rec.Body.String()) != c.body {
				t.Errorf("got %d %s", rec.Code, rec.Body)
			}
			if h := rec.Header(); h.Get("Content-Type") != "application/problem+json" || h.Get("Content-Encoding") != "" || h.Get("Etag") != "" || h.Get("Content-Digest") != "" {
				t.Errorf("the header describes another response: %v", h)
			}
		})
	}
}

func TestAnErrorForTheLogHasItsReason(t *testing.T) {
	err := &web.Error{Status: 502, Detail: "try later", Err: io.ErrUnexpectedEOF}
	if got := err.Error(); got != "web: 502 Bad Gateway: try later: unexpected EOF" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(got)
	}
	if got := (&web.Error{Status: 404, Detail: "no order 42"}).Error(); got != "web: 404 Not Found: no order 42" {
		t.Errorf("without a reason: got %q", got)
	}
	if got := web.Errorf(400, "%w", io.EOF).Error(); got != "web: 400 Bad Request: EOF" {
		t.Error(got)
	}
}

func TestTheUserChoosesHowErrorsAreWritten(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(web.WithErrorWriter(r.Context(), func(w http.ResponseWriter, _ *http.Request, err error) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, err)
	}))
	rec := httptest.NewRecorder()
	web.WriteError(rec, r, errors.New("mine"))
	if rec.Code != http.StatusTeapot || rec.Body.String() != "mine" {
		t.Error(rec.Code, rec.Body)
	}
	rec = httptest.NewRecorder()
	web.WriteError(rec, httptest.NewRequest("GET", "/", nil), &web.Error{Status: 405, Header: http.Header{"allow": {"GET"}}})
	if rec.Header().Get("Allow") != "GET" {
		t.Error(rec.Header())
	}
}

// Behind a server nobody asks for the reason: the log of the ErrorWriter has it, or
// slog's, and not both.
func TestAResponseThatBreaksOffIsLoggedOnce(t *testing.T) {
	var logged strings.Builder
	log.SetOutput(&logged) // where slog's default writes
	defer log.SetOutput(os.Stderr)
	begun := web.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "half of it")
		return errors.New("the table has gone")
	})
	for _, c := range []struct {
		rule           string
		chosen         bool
		written, inLog int
	}{
		{"by slog", false, 0, 1},
		{"by the ErrorWriter", true, 1, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			logged.Reset()
			written := 0
			r := httptest.NewRequest("GET", "/", nil)
			if c.chosen {
				r = r.WithContext(web.WithErrorWriter(r.Context(), func(http.ResponseWriter, *http.Request, error) { written++ }))
			}
			func() {
				defer func() {
					if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // net/http compares so
						t.Errorf("got %v, want a response that breaks off", v)
					}
				}()
				begun.ServeHTTP(httptest.NewRecorder(), r)
			}()
			if inLog := strings.Count(logged.String(), "the table has gone"); written != c.written || inLog != c.inLog {
				t.Errorf("the ErrorWriter heard of %d errors and slog of %d, want %d and %d: %s", written, inLog, c.written, c.inLog, &logged)
			}
		})
	}
}

func TestEventsAndResponsesAreJSONOfTheirOwn(t *testing.T) {
	text := string(payload(t, "rest"))
	var e web.Request
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.Door != web.RESTAPI {
		t.Fatal(err)
	}
	var again, before any
	b, err := json.Marshal(e)
	if err != nil || json.Unmarshal(b, &again) != nil || json.Unmarshal([]byte(text), &before) != nil || fmt.Sprint(again) != fmt.Sprint(before) {
		t.Errorf("an event does not marshal to what it was: %v", err)
	}
	if b, err := json.Marshal(web.Request{}); err != nil || string(b) != "null" {
		t.Errorf("%s, %v", b, err)
	}
	b, err = json.Marshal(web.Response{Status: 200, Header: http.Header{"A": {"\""}}, Body: []byte("\x00")})
	if err != nil || string(b) != `{"statusCode":200,"headers":{"A":"\""},"body":"AA==","isBase64Encoded":true}` {
		t.Errorf("%s, %v", b, err)
	}
}
