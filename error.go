package middy

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

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
func (e *DecodeError) ErrorType() string { return typeName(e.Err) }

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
	if e, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		return e
	}
	if p, ok := errors.AsType[*PanicError](err); ok {
		return reportedPanic(p)
	}
	if t, ok := errors.AsType[*TimeoutError](err); ok && t.Abandoned {
		// Code of the user is still running: it must not meet the next event.
		return messages.InvokeResponse_Error{Message: err.Error(), Type: errorType(err), ShouldExit: true}
	}
	name := errorType(err)
	if name == typeName(err) {
		return err
	}
	return messages.InvokeResponse_Error{Message: err.Error(), Type: name}
}

func reportedPanic(p *PanicError) error {
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
func errorType(err error) string {
	if name, ok := meaningfulType(err); ok {
		return name
	}
	return typeName(err)
}

func meaningfulType(err error) (string, bool) {
	if named, ok := err.(interface{ ErrorType() string }); ok {
		return named.ErrorType(), true
	}
	if !onlyWords(err) {
		return typeName(err), true
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		if inner := u.Unwrap(); inner != nil {
			return meaningfulType(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range u.Unwrap() {
			if name, ok := meaningfulType(inner); ok {
				return name, true
			}
		}
	}
	return "", false
}

// onlyWords reports whether err's type is one of those behind fmt.Errorf,
// errors.New and errors.Join, whose names mean nothing.
func onlyWords(err error) bool {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "fmt" || t.PkgPath() == "errors"
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
