package middy

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

// A PanicError is a panic of the handler or of a middleware, as the layers
// outside it see it. If no layer turns it into an answer, it is reported to
// Lambda as aws-lambda-go reports a panic, and the sandbox is replaced.
type PanicError struct {
	// Value is what was given to panic.
	Value any
	// Stack holds the program counters of the panicking goroutine, innermost
	// first; at most 32.
	Stack []uintptr
}

// Error has no stack: error texts reach clients and logs of other systems.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value given to panic, when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A DecodeError says that an event was not what the handler takes. It travels
// through the layers like any failure of the handler.
type DecodeError struct {
	// Event is the handler's event type.
	Event reflect.Type
	// Err is what encoding/json said, or the event itself (EventDecoder).
	Err error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("middy: the event does not decode into %v: %v", e.Event, e.Err)
}

// Unwrap returns what encoding/json said.
func (e *DecodeError) Unwrap() error { return e.Err }

// ErrorType keeps the name that aws-lambda-go reports for such an event, which
// state machines may already match on.
func (e *DecodeError) ErrorType() string { return errorType(e.Err) }

// recovered turns a recovered value into an error. It is called in a deferred
// function, so the panicking frames are still on the stack.
func recovered(value any) *PanicError {
	pcs := make([]uintptr, 48)
	pcs = pcs[:runtime.Callers(2, pcs)]
	// Drop what is ours and the runtime's: everything up to the frame that
	// called panic. What is left starts where the reader wants to look.
	if i := afterGopanic(pcs); i > 0 {
		pcs = pcs[i:]
	}
	return &PanicError{Value: value, Stack: pcs[:min(len(pcs), 32)]}
}

func afterGopanic(pcs []uintptr) int {
	for i, pc := range pcs {
		if f := runtime.FuncForPC(pc - 1); f != nil && f.Name() == "runtime.gopanic" {
			return i + 1
		}
	}
	return 0
}

// reported is the error as it is given to aws-lambda-go, which sends the name of
// its Go type as errorType. It returns err itself wherever aws-lambda-go would
// report the right name anyway.
func reported(err error) error {
	if e := report(err); e.Type != typeName(err) || e.ShouldExit {
		return e
	}
	return err
}

// report is what Lambda gets to see of an error.
func report(err error) messages.InvokeResponse_Error {
	if e, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return e
	}
	if p, ok := errors.AsType[*PanicError](err); ok {
		return reportedPanic(p)
	}
	e := messages.InvokeResponse_Error{Message: fmt.Sprint(err), Type: errorType(err)} // a panic of Error is text
	if t, ok := errors.AsType[*TimeoutError](err); ok {
		e.ShouldExit = t.Abandoned // code of the user is still running: it must not meet the next event
	}
	if g, ok := errors.AsType[*GoexitError](err); ok {
		e.Type, e.ShouldExit = typeName(g), true
	}
	return e
}

func reportedPanic(p *PanicError) messages.InvokeResponse_Error {
	if e, ok := p.Value.(messages.InvokeResponse_Error); ok {
		return e
	}
	return messages.InvokeResponse_Error{
		Message:    fmt.Sprintf("%v", p.Value),
		Type:       typeName(p.Value),
		StackTrace: stackFrames(p.Stack),
		ShouldExit: true,
	}
}

// errorType is the name that Lambda, and a state machine's ErrorEquals, gets to
// see: the first error in the chain that says what went wrong, rather than that
// somebody added words to it.
func errorType(err error) (name string) {
	name = typeName(err)
	_ = guarded(func() error { // of the user's methods
		if meaningful, ok := meaningfulType(err); ok {
			name = meaningful
		}
		return nil
	})
	return name
}

func meaningfulType(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	if named, ok := err.(interface{ ErrorType() string }); ok && named.ErrorType() != "" {
		return named.ErrorType(), true
	}
	if code := errorCode(err); code != "" {
		return code, true
	}
	for _, inner := range wrapped(err) {
		if name, ok := meaningfulType(inner); ok {
			return name, true
		}
	}
	return typeName(err), !ofWords(pkgPath(err))
}

// errorCode is the name that an AWS service, or a type like smithy.APIError, gives
// to what went wrong. The error of the SDK around it says only which operation
// failed.
func errorCode(err error) string {
	e, ok := err.(coded)
	if _, words := err.(operationError); words {
		e, ok = errors.AsType[coded](err)
	}
	if !ok {
		return ""
	}
	return telling(e.ErrorCode())
}

// operationError is what smithy.OperationError is known by.
type operationError interface {
	Service() string
	Operation() string
}

type coded interface {
	error
	ErrorCode() string
}

// telling returns code when it is a name: neither a number nor a sentence, nor
// the SDK's word for an answer without a code.
func telling(code string) string {
	for i, r := range code {
		letter := 'a' <= r|0x20 && r|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789._:-#", r)) {
			return ""
		}
	}
	if code == "UnknownError" {
		return ""
	}
	return code
}

// wrapped returns the errors that err only adds words to; none when err itself
// says what went wrong.
func wrapped(err error) []error {
	if e, ok := err.(interface{ WrappedErrors() []error }); ok { // go-multierror, errwrap
		return e.WrappedErrors()
	}
	if saysSomething(pkgPath(err), typeName(err)) {
		return nil
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	case interface{ Unwrap() error }:
		return []error{e.Unwrap()}
	case interface{ Errors() []error }: // multierr before 1.10
		return e.Errors()
	case interface{ Cause() error }: // pkg/errors before 0.9
		return []error{e.Cause()}
	}
	return nil
}

// librariesOfWords are packages whose types say that somebody added words, a
// stack or another error.
var librariesOfWords = []string{
	"errors", "fmt", "github.com/cockroachdb/errors", "github.com/go-errors/errors", "github.com/hashicorp/errwrap",
	"github.com/hashicorp/go-multierror", "github.com/pkg/errors", "github.com/rotisserie/eris", "github.com/samber/oops",
	"go.uber.org/multierr", "golang.org/x/xerrors",
}

func ofWords(path string) bool {
	return slices.ContainsFunc(librariesOfWords, func(l string) bool { return path == l || strings.HasPrefix(path, l+"/") })
}

// saysSomething reports whether a type that wraps an error was made to say what
// went wrong: exported types are, and what a function declares in its own package
// main. Others only add words.
func saysSomething(path, name string) bool {
	first, _ := utf8.DecodeRuneInString(name)
	return !ofWords(path) && (path == "main" || unicode.IsUpper(first))
}

func pkgPath(err error) string {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
}

// underLambda reports whether aws-lambda-go is among the callers. Its loop takes
// the name of an error from a messages.InvokeResponse_Error only, and that type
// cannot carry the error itself; every other caller wants that.
func underLambda() bool {
	pcs := make([]uintptr, 256)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "github.com/aws/aws-lambda-go/lambda.") {
			return true
		}
		if !more {
			return false
		}
	}
}

// typeName is the name that aws-lambda-go reports for a value.
func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t == nil {
		return ""
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// stackFrames formats program counters the way aws-lambda-go does: the package
// goes into the path, the label is the function.
func stackFrames(pcs []uintptr) []*messages.InvokeResponse_Error_StackFrame {
	if len(pcs) == 0 {
		return nil
	}
	var out []*messages.InvokeResponse_Error_StackFrame
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		out = append(out, stackFrame(f))
		if !more {
			return out
		}
	}
}

func stackFrame(f runtime.Frame) *messages.InvokeResponse_Error_StackFrame {
	path, label := f.File, f.Function
	// Keep as many folders of the path as the import path in the label has.
	i := len(path)
	for range strings.Count(label, "/") + 2 {
		if i = strings.LastIndexByte(path[:i], '/'); i < 0 {
			break
		}
	}
	label = label[strings.LastIndexByte(label, '/')+1:]
	label = label[strings.IndexByte(label, '.')+1:]
	return &messages.InvokeResponse_Error_StackFrame{Path: path[i+1:], Line: int32(f.Line), Label: label}
}
