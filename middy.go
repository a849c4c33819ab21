package middy

import (
	"context"
	"reflect"
	"time"
)

// A Handler is a Lambda handler with its types erased. A nil error means that
// the result is sent to Lambda as JSON, or as a stream when it is an
// [io.Reader].
//
// The result of the user's function arrives here as a *R, so that outer layers
// may edit it in place; a layer may also answer with any other value that
// encodes to the JSON the caller expects.
type Handler func(ctx context.Context, inv *Invocation) (any, error)

// A Middleware decorates a [Handler].
//
// Wrap runs once, at cold start, before any event. The Handler that it returns
// must be safe for concurrent use: Lambda Managed Instances run several
// invocations in one process. It may call next once, several times (retry,
// hedge) or not at all (cache, warm-up), and must return next's error as it got
// it: Lambda reports the error's type, and Step Functions matches on that name.
type Middleware interface {
	Wrap(next Handler) Handler
}

// Func adapts an ordinary function to a [Middleware].
type Func func(next Handler) Handler

// Wrap calls f.
func (f Func) Wrap(next Handler) Handler { return f(next) }

// A middleware may implement any of the interfaces below. [New] finds them once,
// also behind wrappers that have a method Unwrap() Middleware.
type (
	// An Accepter checks that it fits the handler it is put around. event and
	// result are the handler's E and R.
	Accepter interface {
		Accepts(event, result reflect.Type) error
	}

	// A Validator checks its own configuration.
	Validator interface{ Validate() error }

	// An Initer does work at cold start, such as prefetching. All Inits of a
	// function run concurrently, and all have ended before the first event is
	// polled. An error fails the cold start.
	Initer interface {
		Init(ctx context.Context) error
	}

	// A Settler joins what it began in an invocation: refreshes, exports, whatever
	// has a goroutine or a request of its own.
	//
	// Settle runs exactly once in each invocation, also when no layer called this
	// one, when the handler panicked or never returns: after the response has
	// ended (the outermost layer has returned and its result is encoded; a stream
	// has been read, has failed or is closed; the early timeout has its answer)
	// and before the next event can come. All Settlers of a function run
	// concurrently. With aws-lambda-go's loop a response that is no stream is sent
	// after them.
	//
	// ctx has the invocation's values, so that a [Key] works. The context of the
	// invocation may be over; ctx ends a little before Lambda's deadline, and is
	// not waited for much longer. A panic is logged.
	Settler interface {
		Settle(ctx context.Context)
	}

	// A Closer flushes or wipes when the sandbox is told to end (SIGTERM).
	// Closers run one after another, the innermost first, and share a budget of
	// [CloseBudget].
	Closer interface {
		Close(ctx context.Context) error
	}

	// A Thawer is told, at the start of an invocation and before its Handler
	// runs, that the sandbox was idle or frozen since it was last busy, or that
	// its clocks were moved.
	Thawer interface {
		Thaw(ctx context.Context, gap Gap)
	}

	// An Observer is told how long each layer took. Without one, no layer is
	// measured. The spans of an invocation come one at a time, and none comes
	// after its end. Observe must not block.
	Observer interface {
		Observe(ctx context.Context, s Span)
	}

	// A Permitter names the IAM permissions that the function needs because of
	// it. They are printed by `middy iam`.
	Permitter interface{ Permissions() []Permission }
)

// An event or a result may know its own JSON. Both are for types on the path of
// every invocation; encoding/json is right for the others.
type (
	// An EventDecoder is an event type whose pointer decodes a whole payload, and
	// refuses what is not JSON. It may keep the payload, and must not change it.
	EventDecoder interface {
		DecodeEvent(payload []byte) error
	}

	// A ResultAppender is a result type that appends its JSON to dst, without a
	// newline, and returns the extended slice.
	ResultAppender interface {
		AppendJSON(dst []byte) ([]byte, error)
	}
)

// wrapper is what combinators implement so that New sees what they carry.
type wrapper interface{ Unwrap() Middleware }

// A Gap is the time between two looks at the clocks, by each of them. On Lambda
// both usually advance over a freeze; after a SnapStart restore the monotonic
// one may have stood still, so neither alone tells the truth.
type Gap struct {
	// Wall is by the wall clock; negative when it was set back.
	Wall time.Duration
	// Mono is by the monotonic clock.
	Mono time.Duration
}

// Skewed reports whether the clocks disagree by more than a second: the wall
// clock was stepped, or the process was restored from a snapshot.
func (g Gap) Skewed() bool {
	d := g.Wall - g.Mono
	return d > time.Second || d < -time.Second
}

// A Span is one phase of one layer in one invocation.
type Span struct {
	// Layer is the layer's name; the function itself is "handler". The encoding
	// of a result is "response"; it is reported only when it failed.
	Layer string
	// Index counts from 0, the outermost; the handler comes after the last
	// middleware, and the response after the handler.
	Index int
	// Phase is "before" (until the layer called next), "after" (since next
	// returned) or, for a layer that did not call next and for the handler,
	// "whole".
	//
	// The last phase of a layer that returned a stream lasts until that has
	// ended; so does that of a layer that does not return (a panic of a layer, an
	// early timeout): until the end of the invocation.
	Phase string
	// Duration is monotonic time.
	Duration time.Duration
	// Err is what the layer returned, or what ended its stream or the invocation;
	// it is set in the layer's last phase only.
	Err error
}

// A Permission is one statement of an IAM policy.
type Permission struct {
	Actions   []string                     `json:"actions"`
	Resources []string                     `json:"resources"`
	Condition map[string]map[string]string `json:"condition,omitempty"`
	// Reason says which declaration needs it, for the person who reviews the
	// policy.
	Reason string `json:"reason,omitempty"`
}
