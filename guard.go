package middy

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A GoexitError says that the goroutine of a handler, a layer or another part of
// a function ended without returning: runtime.Goexit, or a FailNow of package
// testing. In an invocation it counts as a panic does: it is reported at once,
// and the sandbox is replaced.
type GoexitError struct{}

func (*GoexitError) Error() string {
	return "middy: a goroutine ended without returning (runtime.Goexit, or FailNow in a test)"
}

// errOverrun says that a task had not returned when its time was over.
var errOverrun = errors.New("it did not return in its time")

// guarded runs the user's code and returns its panic as an error.
func guarded(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = recovered(v)
		}
	}()
	return f()
}

// apart runs the user's code in a goroutine of its own. The channel gets its
// error, its panic, or a [*GoexitError].
func apart(f func() error) <-chan error {
	done := make(chan error, 1)
	go runGuarded(f, done)
	return done
}

// runGuarded is named so that a timeout can find its goroutine's stack.
func runGuarded(f func() error, done chan<- error) {
	var err error = &GoexitError{}
	defer func() { done <- err }()
	grow()
	err = guarded(f)
}

// grow makes the goroutine's stack large enough for encoding/json and a usual
// handler while it is empty. It would double several times otherwise, and each
// time copy what is on it: several microseconds of an invocation.
//
//go:noinline
func grow() {
	var room [6 << 10]byte
	use(&room)
}

//go:noinline
func use(*[6 << 10]byte) {}

// waitFor waits for what apart runs, for d at most.
func waitFor(done <-chan error, d time.Duration) (err error, ended bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err, true
	case <-timer.C:
	}
	select {
	case err := <-done: // both were ready
		return err, true
	default:
		return nil, false
	}
}

// together runs the tasks at the same time and returns an error for each: its
// own, or errOverrun when it had not returned a grace after ctx ended.
func together(ctx context.Context, grace time.Duration, tasks ...func() error) []error {
	done := make([]<-chan error, len(tasks))
	for i, task := range tasks {
		done[i] = apart(task)
	}
	end := sync.OnceValue(func() time.Time { return time.Now().Add(grace) })
	errs := make([]error, len(tasks))
	for i := range done {
		select {
		case errs[i] = <-done[i]:
		case <-ctx.Done():
			err, ended := waitFor(done[i], time.Until(end()))
			if !ended {
				err = errOverrun
			}
			errs[i] = err
		}
	}
	return errs
}
