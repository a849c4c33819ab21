// Package panics tells what a recovered value says, in one way for every place
// that recovers.
//
// A panic is a bug, but for two values that are none. One is
// [net/http.ErrAbortHandler]. The other is a value with a method Failure() error:
// something that cannot return an error, such as the Get of a required value,
// failed. The error that it carries is the invocation's error, with its own type.
package panics

import (
	"fmt"
	"runtime"
)

// Failure returns the error that a recovered value carries. It is false for any
// other panic.
func Failure(value any) (error, bool) {
	f, ok := value.(interface{ Failure() error })
	if !ok {
		return nil, false
	}
	err := f.Failure()
	return err, err != nil
}

// A PanicError is a panic as an error.
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

// Recovered makes an error of a recovered value: the one that it carries (see
// [Failure]), or a [*PanicError]. Call it in the deferred function that recovered,
// where the stack is still the panicking one.
func Recovered(value any) error {
	if err, ok := Failure(value); ok {
		return err
	}
	pcs := make([]uintptr, 48)
	pcs = pcs[:runtime.Callers(2, pcs)]
	for i, pc := range pcs { // what called panic is what the reader looks for
		if f := runtime.FuncForPC(pc - 1); f != nil && f.Name() == "runtime.gopanic" {
			pcs = pcs[i+1:]
			break
		}
	}
	return &PanicError{Value: value, Stack: pcs[:min(len(pcs), 32)]}
}
