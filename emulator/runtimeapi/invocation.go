package runtimeapi

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A Request is one invocation. Only Payload matters to most functions.
type Request struct {
	// Payload is the event, JSON. Empty: {}.
	Payload []byte
	// ContentType of the event. Default: application/json.
	ContentType string
	// ClientContext is JSON, decoded from the base64 of X-Amz-Client-Context.
	ClientContext string
	// CognitoIdentity and TenantID are left out when they are empty.
	CognitoIdentity CognitoIdentity
	TenantID        string
	// TraceID is an X-Ray header. Default: a new one, not sampled.
	TraceID string
	// RequestID defaults to a new UUID.
	RequestID string
	// Qualifier is the version or alias that the caller named, for the ARN.
	Qualifier string
	// Deadline replaces now + Config.Timeout, for what the function is told and
	// for when it is stopped.
	Deadline time.Time
	// Stream asks for the response as it comes, in [Response.Stream].
	Stream bool
}

// CognitoIdentity is who the caller is to Amazon Cognito.
type CognitoIdentity struct {
	ID     string `json:"cognitoIdentityId"`
	PoolID string `json:"cognitoIdentityPoolId"`
}

// A Response is the answer to a [Request]. A function's failure is an answer
// too: FunctionError is then "Unhandled" and Payload the error as JSON.
type Response struct {
	// Payload is the response when it is not Streamed.
	Payload []byte
	// Stream is the response when it is Streamed; the caller closes it. It ends
	// with io.EOF or, when the function failed on the way, a [*FunctionError].
	// What is said below to be known at the end is written before that end is read.
	Stream   io.ReadCloser
	Streamed bool
	// ContentType is what the function posted.
	ContentType string

	// FunctionError is empty or "Unhandled".
	FunctionError string
	// ErrorType and ErrorMessage are read from the error's JSON.
	ErrorType, ErrorMessage string
	// Explanation is a failure in one sentence for the person at the screen.
	Explanation string

	RequestID       string
	ExecutedVersion string
	SandboxID       string
	TraceID         string
	// Cold says that this invocation started the process. InitDuration is how long
	// its Init took, and 0 when an earlier invocation, or [Function.Warm], had it.
	Cold         bool
	InitDuration time.Duration
	// Waited is how long the invocation was queued for a sandbox ([Queue]).
	Waited time.Duration
	// Duration is from the event's delivery to the response's end. Known at the end.
	Duration time.Duration
	// LogTail is the last 4 KB of the invocation's log. Known at the end.
	LogTail []byte
}

type invocationState string

const (
	invRunning  invocationState = "Running"
	invResponse invocationState = "InvocationResponse"
	invError    invocationState = "InvocationErrorResponse"
	invSent     invocationState = "ResponseSent"
)

// tailSize is how much of the log X-Amz-Log-Type: Tail returns.
const tailSize = 4 << 10

// An invocation is one request on its way through a sandbox.
type invocation struct {
	req    Request
	id     string
	cold   bool
	initIn time.Duration
	waited time.Duration
	place  *sandbox

	// Guarded by boot.mu.
	state    invocationState
	fatal    *failure // what it failed with, when nothing better is heard
	settled  chan struct{}
	isSettle bool
	retried  bool
	again    chan struct{} // one value: the process ended before it took the event

	answered chan *Response // one value
	counted  bool           // in sandbox.answered; guarded by Function.mu

	mu       sync.Mutex
	started  time.Time
	deadline time.Time
	claimed  bool // somebody ends it
	left     bool // nobody waits for the answer
	answer   *Response
	pipe     *io.PipeWriter
	tail     []byte
	endType  string // for InvokeDone
	endText  string
}

func newInvocation(req Request) *invocation {
	return &invocation{
		req: req, id: req.RequestID, state: invRunning,
		settled: make(chan struct{}), answered: make(chan *Response, 1), again: make(chan struct{}, 1),
	}
}

// retry says whether another process may have the event, when the one that had
// other invocations ended before it took this: once, so that a function whose every
// process ends at once does not start for ever.
func (i *invocation) retry(perSandbox int) bool {
	first := perSandbox > 1 && !i.retried
	i.retried = i.retried || first
	return first
}

// begin starts the clock, once: at the delivery, or before an Init that runs
// inside the invocation.
func (i *invocation) begin(timeout time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.started.IsZero() {
		return
	}
	i.started = time.Now()
	switch {
	case !i.req.Deadline.IsZero():
		i.deadline = i.req.Deadline
	case timeout > 0:
		i.deadline = i.started.Add(timeout)
	default:
		i.deadline = i.started.Add(24 * time.Hour)
	}
}

// times returns the start and the deadline.
func (i *invocation) times() (started, deadline time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.started, i.deadline
}

func (i *invocation) appendTail(line string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tail = append(append(i.tail, line...), '\n')
	if over := len(i.tail) - tailSize; over > 0 {
		i.tail = append(i.tail[:0], i.tail[over:]...)
	}
}

// open answers the caller with a stream. It reports whether there is still
// somebody to answer.
func (i *invocation) open(r *Response) (*io.PipeWriter, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.claimed || i.answer != nil {
		return nil, false
	}
	pr, pw := io.Pipe()
	if i.left {
		_ = pr.Close()
	}
	r.Stream, r.Streamed = pr, true
	i.answer, i.pipe = r, pw
	i.answered <- r
	return pw, true
}

// leave says that the caller has gone. The function is not told.
func (i *invocation) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.left = true
	if i.pipe != nil {
		_ = i.answer.Stream.Close()
	}
}

// claim makes the caller of claim the one who ends the invocation: the first.
// What happens to the process afterwards is kept for the InvokeDone event.
func (i *invocation) claim(f *failure) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f != nil && i.endType == "" {
		i.endType, i.endText = f.typ, f.sentence()
	}
	first := !i.claimed
	i.claimed = true
	return first
}

// end completes the answer: with r, or a failure, or, after a stream, its end.
// Only for who claimed it.
func (i *invocation) end(r *Response, f *failure) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.pipe != nil {
		i.answer.Duration = time.Since(i.started)
		i.answer.LogTail = append([]byte(nil), i.tail...)
		if f == nil {
			_ = i.pipe.Close()
			return
		}
		i.answer.FunctionError, i.answer.ErrorType, i.answer.ErrorMessage = "Unhandled", f.typ, f.message
		i.answer.Explanation = f.sentence()
		_ = i.pipe.CloseWithError(&FunctionError{RequestID: i.id, Type: f.typ, Message: f.message, Payload: f.payload})
		return
	}
	if f != nil {
		r.FunctionError, r.ErrorType, r.ErrorMessage = "Unhandled", f.typ, f.message
		r.Explanation, r.Payload = f.sentence(), f.payload
	}
	if !i.started.IsZero() {
		r.Duration = time.Since(i.started)
	}
	r.LogTail = append([]byte(nil), i.tail...)
	i.answer = r
	i.answered <- r
}

func (i *invocation) hasEnded() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.claimed
}

func (i *invocation) isOpen() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.pipe != nil
}

// ending is what went wrong, for the InvokeDone event.
func (i *invocation) ending() (typ, text string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.endType, i.endText
}

// reportLine is Lambda's REPORT. Durations are in milliseconds; the billed one is
// rounded up, and has included Init since August 2025.
func reportLine(id string, d, init time.Duration, memoryMB, peakMB int) string {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	billed := (d + init + time.Millisecond - 1) / time.Millisecond
	fields := []string{
		"REPORT RequestId: " + id,
		fmt.Sprintf("Duration: %.2f ms", ms(d)),
		fmt.Sprintf("Billed Duration: %d ms", billed),
		fmt.Sprintf("Memory Size: %d MB", memoryMB),
		fmt.Sprintf("Max Memory Used: %d MB", peakMB),
	}
	if init > 0 {
		fields = append(fields, fmt.Sprintf("Init Duration: %.2f ms", ms(init)))
	}
	return strings.Join(fields, "\t") + "\t"
}

// An Invoker runs a function: a [*Function], or something around one.
type Invoker interface {
	Invoke(ctx context.Context, req Request) (*Response, error)
}

var _ Invoker = (*Function)(nil)
