package awsapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

func FuzzAnswer(f *testing.F) {
	for _, body := range []string{"", "{}", `{"__type":"a#B:c","message":"m"}`, `{"code":7}`, `{"code":"x"}`, `<html>`, `{"Message":null}`, `[]`, `{"__type":7}`} {
		f.Add(200, "", body)
		f.Add(400, "X:y", body)
	}
	f.Fuzz(func(t *testing.T, status int, header, body string) {
		if status < 200 || status > 599 || strings.ContainsAny(header, "\r\n\x00") {
			return
		}
		w := &wire{answers: []answer{{status: status, header: map[string]string{"X-Amzn-ErrorType": header}, body: body}}}
		cfg := config(w)
		cfg.RetryMaxAttempts = 1
		var out struct{ Name string }
		err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, &out)
		if failed := status > 299; failed && err == nil {
			t.Fatal("a failure is none")
		} else if failed {
			if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() == "" || api.ErrorMessage() == "" {
				t.Fatalf("%d %q: %v", status, body, err)
			}
		}
	})
}

func TestAnswersAreBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		length int64
		body   io.Reader
		ok     bool
	}{
		"as long as it says":            {3, strings.NewReader("abc"), true},
		"shorter than it says":          {4, strings.NewReader("abc"), false},
		"of unknown length":             {-1, strings.NewReader("abc"), true},
		"too long by its own word":      {maxResponse + 1, strings.NewReader(""), false},
		"as long as allowed":            {-1, io.LimitReader(endless{}, maxResponse), true},
		"longer than allowed, unspoken": {-1, endless{}, false},
	} {
		if _, err := readBody(tt.body, tt.length); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := &wire{answers: []answer{{status: 200, body: strings.Repeat(" ", maxResponse+1)}}}
	if err := New(secretsService, config(w)).Do(t.Context(), "GetSecretValue", getInput{}, new(struct{})); err == nil || len(w.requests) != 1 {
		t.Errorf("an endless answer: %v after %d requests; want an error after one", err, len(w.requests))
	}
}

// brokenBody is a body that ends as a connection does.
type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }
func (brokenBody) Close() error               { return nil }

func TestAnAnswerThatBreaksOffIsAskedForAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		cause  error
		length int64
		status int
		out    any
		want   int // requests
		err    bool
	}{
		"a body that is too short":                  {io.ErrUnexpectedEOF, 10, 200, &getInput{}, 2, false},
		"no body at all":                            {io.EOF, 10, 200, &getInput{}, 2, false},
		"a body of unknown length":                  {io.ErrUnexpectedEOF, -1, 200, &getInput{}, 2, false},
		"a reset":                                   {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, 10, 200, &getInput{}, 2, false},
		"RST_STREAM":                                {errors.New("stream error: stream ID 1; INTERNAL_ERROR"), 10, 200, &getInput{}, 2, false},
		"GOAWAY":                                    {errors.New("http2: server sent GOAWAY and closed the connection"), 10, 200, &getInput{}, 2, false},
		"a refusal that broke off":                  {io.ErrUnexpectedEOF, 10, 400, &getInput{}, 2, false},
		"a success whose body nobody needs":         {io.ErrUnexpectedEOF, 10, 200, nil, 1, false},
		"a reader whose time is over is not helped": {context.Canceled, 10, 200, &getInput{}, 1, true},
	} {
		n := 0
		ctx, cancel := context.WithCancel(t.Context())
		cfg := config(&wire{})
		cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			resp := &http.Response{StatusCode: tt.status, Header: http.Header{}, Body: brokenBody{tt.cause}, ContentLength: tt.length, Request: r}
			if n++; n > 1 {
				resp.StatusCode, resp.Body, resp.ContentLength = 200, io.NopCloser(strings.NewReader("{}")), 2
			}
			if errors.Is(tt.cause, context.Canceled) {
				cancel()
			}
			return resp, nil
		})
		err := New(secretsService, cfg).Do(ctx, "GetSecretValue", getInput{}, tt.out)
		cancel()
		if (err != nil) != tt.err || n != tt.want {
			t.Errorf("%s: %v after %d requests; want %d", name, err, n, tt.want)
		}
	}
}

func TestASuccessThatIsNotTheOperationsAnswerIsAFailure(t *testing.T) {
	for _, body := range []string{"", " ", "<html>", "[]", `{"SecretId":"a`, `{"SecretId":7}`, `"x"`} {
		w := &wire{answers: []answer{{status: 200, body: body}}}
		err := New(secretsService, config(w)).Do(t.Context(), "GetSecretValue", getInput{}, new(getInput))
		if _, ok := errors.AsType[*smithy.DeserializationError](err); !ok || len(w.requests) != 1 {
			t.Errorf("200 with %q: %v after %d requests; want a DeserializationError after one", body, err, len(w.requests))
		}
	}
}

func TestOnlyA2xxIsASuccess(t *testing.T) {
	for status, ok := range map[int]bool{101: false, 199: false, 200: true, 299: true, 300: false} {
		cfg := config(&wire{answers: []answer{{status: status, body: `{"SecretId":"a"}`}}})
		cfg.RetryMaxAttempts = 1
		if err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, new(getInput)); (err == nil) != ok {
			t.Errorf("%d: %v; want success: %v", status, err, ok)
		}
	}
}

// As with a generated client: a middleware that answers for the service has to
// return an HTTP response.
func TestAnAnswerThatIsNoHTTPResponseIsAFailure(t *testing.T) {
	cfg := config(&wire{})
	cfg.APIOptions = append(cfg.APIOptions, func(s *middleware.Stack) error {
		return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("instead", func(context.Context, middleware.DeserializeInput, middleware.DeserializeHandler) (
			out middleware.DeserializeOutput, md middleware.Metadata, err error,
		) {
			return out, md, nil
		}), middleware.After)
	})
	err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, new(getInput))
	if _, ok := errors.AsType[*smithy.DeserializationError](err); !ok {
		t.Errorf("got %v; want a DeserializationError", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAnInputThatIsNotJSON(t *testing.T) {
	err := New(secretsService, config(&wire{})).Do(t.Context(), "GetSecretValue", func() {}, nil)
	if _, ok := errors.AsType[*smithy.SerializationError](err); !ok {
		t.Error(err)
	}
}

func TestTheBodyIsClosed(t *testing.T) {
	closed := false
	cfg := config(&wire{})
	cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: closer{strings.NewReader("{}"), &closed}, ContentLength: 2, Request: r}, nil
	})
	if err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil); err != nil || !closed {
		t.Error(err, closed)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error {
	*c.closed = true
	return nil
}
