package panics_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/gomiddy/middy/internal/panics"
)

type failed struct{ err error }

func (f failed) Failure() error { return f.err }

func recovered(value any) (err error) {
	defer func() { err = panics.Recovered(recover()) }()
	panic(value)
}

func TestRecovered(t *testing.T) {
	for _, c := range []struct {
		rule   string
		value  any
		want   string
		is     error // in the chain
		panics bool
	}{
		{"a failure is the error that it carries", failed{io.EOF}, "EOF", io.EOF, false},
		{"a failure without an error is a panic", failed{}, "panic: {<nil>}", nil, true},
		{"a text is a panic", "no", "panic: no", nil, true},
		{"an error is a panic, and in its chain", io.ErrUnexpectedEOF, "panic: unexpected EOF", io.ErrUnexpectedEOF, true},
		{"a value that cannot be compared", []int{1}, "panic: [1]", nil, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			err := recovered(c.value)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not in the chain of %v", c.is, err)
			}
			p, ok := errors.AsType[*panics.PanicError](err)
			if ok != c.panics {
				t.Fatalf("got a PanicError: %v, want %v", ok, c.panics)
			}
			if ok {
				if first, _ := runtime.CallersFrames(p.Stack).Next(); !strings.Contains(first.Function, "panics_test.recovered") {
					t.Errorf("the stack begins at %s, want the caller of panic", first.Function)
				}
			}
		})
	}
}

func ExampleFailure() {
	defer func() {
		if err, ok := panics.Failure(recover()); ok {
			fmt.Println("the invocation fails with:", err)
		}
	}()
	panic(failed{errors.New("the secret cannot be read")})
	// Output: the invocation fails with: the secret cannot be read
}
