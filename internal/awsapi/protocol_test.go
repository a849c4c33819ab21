package awsapi

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
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
	if err := New(secretsService, config(w)).Do(t.Context(), "GetSecretValue", getInput{}, nil); err == nil {
		t.Error("an endless answer was taken")
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
