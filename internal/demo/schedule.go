package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomiddy/middy/emulator"
)

// window is how old a signature may be.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
const window = 5 * time.Minute

// An act is one case of the schedule. It leaves the value freshly fetched, or the
// function as it got over the case.
type act struct {
	name string
	play func(ctx context.Context, s *stage) error
}

// The schedule has the cases in which a client with the SDK's defaults is really
// exposed, as measured on whole processes. What is not here does not fail: a freeze
// in the dial or in the TLS handshake, for instance, ends in a timeout at the thaw,
// and the SDK signs anew.
var schedule = []act{
	{"quiet days", quiet},
	{"a refresh under way when the sandbox freezes", frozenRefresh},
	{"quiet days", quiet},
	{"a request in the socket when the machine pauses", pausedRequest},
	{"quiet days", quiet},
	{"an answer that slept, then a small stall", falseOffset},
	{"a good signature that the service rejects", spurious},
	{"quiet days", quiet},
	{"an outage of Secrets Manager after the TTL", outage},
}

// quiet is five invocations within the TTL.
func quiet(ctx context.Context, s *stage) error {
	if err := s.due1(ctx, ttl+time.Second); err != nil {
		return err
	}
	for range 4 {
		if err := s.invoke(ctx, 30*time.Second); err != nil {
			return err
		}
	}
	return s.fn.Idle(ctx)
}

// due1 is an invocation for which the value is due.
func (s *stage) due1(ctx context.Context, after time.Duration) error {
	s.due++
	if err := s.invoke(ctx, after); err != nil {
		return err
	}
	return s.fn.Idle(ctx)
}

// frozenRefresh: the value is refreshed ahead of time, beside the handler. The
// answer is slow, the handler is not; its response leaves, and the sandbox freezes
// for longer than the window. Whoever lets a request cross into the freeze finds
// it rejected after the thaw.
func frozenRefresh(ctx context.Context, s *stage) error {
	if err := s.due1(ctx, ttl+time.Second); err != nil {
		return err
	}
	release := s.hold()
	defer release()
	s.due++
	if err := s.invokeWorking(ctx, ttl-5*time.Second, 50*time.Millisecond); err != nil {
		return err
	}
	if err := s.fn.Idle(ctx); err != nil { // it is frozen now
		return err
	}
	err := until(ctx, 300*time.Millisecond, func() bool { return !s.held() })
	if errors.Is(err, errTooLong) { // it crossed
		err = s.judgedAfter(ctx, window+10*time.Second, release)
	}
	if err != nil {
		return err
	}
	release()
	if err := s.invoke(ctx, window+10*time.Second); err != nil {
		return err
	}
	return s.fn.Idle(ctx)
}

// pausedRequest: the value is due, the request is written, and everything stands
// still for longer than the window before the service reads it, as when a virtual
// machine is paused or moved.
func pausedRequest(ctx context.Context, s *stage) error {
	return s.stalled(ctx, window+10*time.Second, s.fn.Freeze)
}

// stalled plays a gap for a request that the handler waits for.
func (s *stage) stalled(ctx context.Context, gap time.Duration, freeze func() error) error {
	release := s.hold()
	defer release()
	s.due++
	done := make(chan error, 1)
	go func() { done <- s.invoke(ctx, ttl+time.Second) }()
	if err := until(ctx, 10*time.Second, s.held); err != nil {
		release()
		return errors.Join(fmt.Errorf("no request for the value that is due: %w", err), <-done)
	}
	if err := freeze(); err != nil {
		release()
		return errors.Join(err, <-done)
	}
	err := s.judgedAfter(ctx, gap, release)
	s.fn.Thaw()
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	return s.fn.Idle(ctx)
}

// falseOffset: an answer slept three minutes in its socket, so its Date is three
// minutes old. Nothing fails yet. Whoever takes the difference for a wrong clock
// signs the next request three minutes in the past, and a stall that is harmless by
// itself carries it over the window. Three minutes is below the four from which
// the SDK believes in a skew, so it does not sign again.
func falseOffset(ctx context.Context, s *stage) error {
	s.aws.Clock().SetDateOffset(-3 * time.Minute)
	err := s.due1(ctx, ttl+time.Second)
	s.aws.Clock().Reset()
	if err != nil {
		return err
	}
	return s.stalled(ctx, 2*time.Minute+10*time.Second, func() error { return nil })
}

// spurious: once, the service rejects a signature that is good.
func spurious(ctx context.Context, s *stage) error {
	remove := s.aws.Chaos().Add(emulator.Rule{Effect: emulator.SpuriousSignature, Times: 1})
	defer remove()
	return s.due1(ctx, ttl+time.Second)
}

// outage: the TTL is over and the service answers 500 for three invocations, then
// it is back.
func outage(ctx context.Context, s *stage) error {
	if err := s.due1(ctx, ttl+time.Second); err != nil {
		return err
	}
	remove := s.aws.Chaos().Add(emulator.Rule{Effect: emulator.InternalError})
	defer remove()
	for i := range 3 {
		after := 2 * time.Minute
		if i == 0 {
			after = ttl + time.Second
		}
		if err := s.due1(ctx, after); err != nil {
			return err
		}
	}
	remove()
	return s.due1(ctx, 2*time.Minute)
}
