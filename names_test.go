package middy

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/smithy-go"
)

// What other people's libraries wrap errors in. None of them is a dependency, so
// these look alike.
type (
	withStack  struct{ error }              // pkg/errors, cockroachdb/errors
	withCause  struct{ error }              // pkg/errors before 0.9
	multiError struct{ errs []error }       // multierr
	oldMulti   struct{ errs []error }       // multierr before 1.10
	Collected  struct{ errs []error }       // go-multierror: exported
	inner      struct{ outer, inner error } // errwrap
	rejection  struct{ err error }          // one of one's own
	Rejection  struct{ err error }
	coder      struct{ code string }
	nameless   struct{ notFound }
)

func (w *withStack) Unwrap() error          { return w.error }
func (w *withCause) Cause() error           { return w.error }
func (m *multiError) Error() string         { return "several" }
func (m *multiError) Unwrap() []error       { return m.errs }
func (m *oldMulti) Error() string           { return "several" }
func (m *oldMulti) Errors() []error         { return m.errs }
func (c *Collected) Error() string          { return "several" }
func (c *Collected) WrappedErrors() []error { return c.errs }
func (w *inner) Error() string              { return "outer" }
func (w *inner) WrappedErrors() []error     { return []error{w.outer, w.inner} }
func (r *rejection) Error() string          { return "rejected" }
func (r *rejection) Unwrap() error          { return r.err }
func (r *Rejection) Error() string          { return "rejected" }
func (r *Rejection) Unwrap() error          { return r.err }
func (c coder) Error() string               { return "coded" }
func (c coder) ErrorCode() string           { return c.code }
func (nameless) ErrorType() string          { return "" }

func TestErrorTypeBehindOtherPeoplesWrappers(t *testing.T) {
	words := errors.New("words")
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException"}
	operation := func(err error) error {
		return &smithy.OperationError{ServiceID: "SSM", OperationName: "GetParameter", Err: err}
	}
	for _, c := range []struct {
		rule string
		err  error
		want string
	}{
		{"behind a stack", &withStack{notFound{}}, "notFound"},
		{"behind a stack around words around it", &withStack{fmt.Errorf("x: %w", &withStack{notFound{}})}, "notFound"},
		{"behind a cause", &withCause{notFound{}}, "notFound"},
		{"behind several, the first that tells", &multiError{[]error{words, notFound{}}}, "notFound"},
		{"behind several of an old version", &oldMulti{[]error{words, notFound{}}}, "notFound"},
		{"behind an exported list", &Collected{[]error{words, notFound{}}}, "notFound"},
		{"behind a pair", &inner{words, notFound{}}, "notFound"},
		{"an unexported wrapper around words has a name", &rejection{words}, "rejection"},
		{"also behind words", fmt.Errorf("x: %w", &rejection{words}), "rejection"},
		{"an unexported wrapper around nothing, too", &rejection{}, "rejection"},
		{"an exported wrapper says what went wrong", &Rejection{notFound{}}, "Rejection"},
		{"only words: as aws-lambda-go", fmt.Errorf("a: %w", words), "wrapError"},
		{"joined words: as aws-lambda-go", errors.Join(words, words), "joinError"},
		{"words around nothing", fmt.Errorf("a: %w", error(nil)), "wrapError"},

		{"a name of one's own that is empty counts for nothing", nameless{}, "nameless"},
		{"a service's code", denied, "AccessDeniedException"},
		{"behind the SDK's operation", operation(denied), "AccessDeniedException"},
		{"behind words and the SDK's operation", fmt.Errorf("x: %w", operation(fmt.Errorf("y: %w", denied))), "AccessDeniedException"},
		{"an operation without an answer", operation(words), "OperationError"},
		{"an operation whose answer has no code", operation(&smithy.GenericAPIError{Code: "UnknownError"}), "OperationError"},
		{"an operation that failed by a type of another kind", operation(&Rejection{words}), "OperationError"},
		{"a code with digits and dots", coder{"AWS.SimpleQueueService.V2_x:y-z#1"}, "AWS.SimpleQueueService.V2_x:y-z#1"},
		{"a letter at the ends of the alphabet", coder{"azAZ"}, "azAZ"},
		{"a number is no name", coder{"404"}, "coder"},
		{"nor is a sentence", coder{"not found"}, "coder"},
		{"nor what is beside the letters", coder{"a@"}, "coder"},
		{"nor what is behind them", coder{"a{"}, "coder"},
		{"nor nothing", coder{""}, "coder"},
		{"an error whose methods panic keeps its type", (*rejection)(nil), "rejection"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := errorType(c.err); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWordsAreKnownByTheirPackage(t *testing.T) {
	for path, want := range map[string]bool{
		"fmt": true, "errors": true, "github.com/pkg/errors": true, "golang.org/x/xerrors": true, "go.uber.org/multierr": true,
		"github.com/hashicorp/go-multierror": true, "github.com/hashicorp/errwrap": true, "github.com/cockroachdb/errors/withstack": true,
		"main": false, "fmtx": false, "example.com/app/errors": false, "github.com/pkg/errorsx": false,
	} {
		if got := ofWords(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	// A function's own package has unexported types, made to say something.
	for path, want := range map[string]bool{"main": true, "example.com/app": false} {
		if got := saysSomething(path, "rejection"); got != want {
			t.Errorf("%s.rejection: %v, want %v", path, got, want)
		}
	}
}
