package middy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

func TestStart(t *testing.T) {
	var reports []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reports = append(reports, r.Header.Get("Lambda-Runtime-Function-Error-Type"))
		w.WriteHeader(http.StatusAccepted)
	}))
	defer api.Close()
	inLambda := map[string]string{"AWS_LAMBDA_RUNTIME_API": strings.TrimPrefix(api.URL, "http://")}
	failing := &life{init: func(context.Context) error { return errors.New("no database") }}
	for _, c := range []struct {
		rule   string
		env    map[string]string
		mw     []Middleware
		status int
		loops  int
		stdout string
		stderr string
		report []string
	}{
		{"a misfit is reported", inLambda, []Middleware{nil}, 1, 0, "", "middleware 0 (nil): is nil", []string{"Function.Misfit"}},
		{"a misfit where nobody listens", map[string]string{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}, []Middleware{nil}, 1, 0, "", "could not be reported to Lambda", nil},
		{"described before any Init", map[string]string{DescribeEnv: "1"}, []Middleware{failing}, 0, 0, `"permissions":[{"actions":["secretsmanager:GetSecretValue"]`, "", nil},
		{"no Lambda around it", nil, nil, 1, 0, "", "run it with: middy dev", nil},
		{"a failed Init is reported", inLambda, []Middleware{failing}, 1, 0, "", "init of *middy.life: no database", []string{"Function.Init"}},
		{"then the loop", inLambda, []Middleware{Hooks{}}, 0, 1, "", "", nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			reports = nil
			var stdout, stderr bytes.Buffer
			loops := 0
			f, err := New(accept, c.mw...)
			status := start(f, err, process{
				getenv: func(k string) string { return c.env[k] },
				stdout: &stdout, stderr: &stderr,
				loop: func(any, ...lambda.Option) { loops++ },
			})
			if status != c.status || loops != c.loops || !reflect.DeepEqual(reports, c.report) {
				t.Errorf("status %d, %d loops, reports %q", status, loops, reports)
			}
			if !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) || (c.stderr == "" && stderr.Len() > 0) {
				t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
			}
		})
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestStartReportsADescriptionThatCannotBeWritten(t *testing.T) {
	var stderr bytes.Buffer
	f := mustNew(t, accept)
	status := start(f, nil, process{getenv: func(k string) string { return map[string]string{DescribeEnv: "1"}[k] }, stdout: broken{}, stderr: &stderr})
	if status != 1 || !strings.Contains(stderr.String(), io.ErrClosedPipe.Error()) {
		t.Fatalf("status %d, %s", status, stderr.String())
	}
}

func TestSIGTERMIsAskedForOnlyForAClosersSake(t *testing.T) {
	for _, c := range []struct {
		mw   Middleware
		want int
	}{{Hooks{}, 0}, {&life{}, 1}} {
		got := -1
		start(mustNew(t, accept, c.mw), nil, process{
			getenv: func(k string) string { return map[string]string{"AWS_LAMBDA_RUNTIME_API": "x"}[k] },
			stderr: io.Discard,
			loop:   func(_ any, o ...lambda.Option) { got = len(o) },
		})
		if got != c.want {
			t.Errorf("%T: %d options, want %d", c.mw, got, c.want)
		}
	}
	var stderr bytes.Buffer
	process{stderr: &stderr}.close(mustNew(t, accept, &life{close: func(context.Context) error { return errors.New("no flush") }}))
	if stderr.String() != "middy: close of *middy.life: no flush\n" {
		t.Errorf("close wrote %q", stderr.String())
	}
}

// What aws-lambda-go's loop gets of a delivery.
func TestDeliver(t *testing.T) {
	get := func(f *Function, event string) (string, error) {
		out, err := lambda.NewHandler(f.entry).Invoke(t.Context(), []byte(event))
		return string(out), err
	}
	if _, err := get(mustNew(t, accept), `{"total":"many"}`); typeName(err) != "InvokeResponse_Error" || err.(messages.InvokeResponse_Error).Type != "UnmarshalTypeError" {
		t.Errorf("an event of another type: %#v", err)
	}
	unencodable := func(context.Context, order) (any, error) { return func() {}, nil }
	if _, err := get(mustNew(t, unencodable), `{}`); err == nil || !strings.Contains(err.Error(), "does not encode to JSON") {
		t.Errorf("a result that does not encode: %v", err)
	}
	failed := func(context.Context, order) (order, error) { return order{}, notFound{} }
	if _, err := get(mustNew(t, failed), `{}`); err != (notFound{}) {
		t.Errorf("a failure: %v", err)
	}
	odd := func(context.Context, order) (any, error) { return oddReader{}, nil }
	if out, err := get(mustNew(t, odd), `{}`); err != nil || out != "read" {
		t.Errorf("a reader whose marshaler fails: %q, %v", out, err)
	}
	empty := func(context.Context, order) (any, error) { return emptyReader{}, nil }
	if out, err := get(mustNew(t, empty), `{}`); err != nil || out != "read" {
		t.Errorf("a reader that marshals to {}: %q, %v", out, err)
	}
	huge := func(context.Context, order) (string, error) { return strings.Repeat("x", 2<<20), nil }
	if out, err := get(mustNew(t, huge), `{}`); err != nil || len(out) != 2<<20+2 {
		t.Errorf("a huge result: %d bytes, %v", len(out), err)
	}
}

type oddReader struct{}

func (oddReader) Read(p []byte) (int, error)   { return copy(p, "read"), io.EOF }
func (oddReader) MarshalJSON() ([]byte, error) { return nil, io.ErrClosedPipe }

type emptyReader struct{ oddReader }

func (emptyReader) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

func TestTypesAndChains(t *testing.T) {
	f := mustNew(t, accept)
	if f.Event() != reflect.TypeFor[order]() || f.Result() != reflect.TypeFor[receipt]() {
		t.Errorf("%v %v", f.Event(), f.Result())
	}
	_, err := f.Invoke(t.Context(), []byte(`{`))
	if d, ok := errors.AsType[*DecodeError](err); !ok || errors.Unwrap(d) != d.Err || !errors.Is(err, d.Err) {
		t.Errorf("%v", err)
	}
}
