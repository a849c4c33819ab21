package runtimeapi

import (
	"encoding/json"
	"net/http"
	"time"
)

// A Line is one line of output.
type Line struct {
	Time time.Time `json:"time"`
	// Stream is "stdout" or "stderr", or "platform" for the lines that Lambda
	// itself writes: INIT_START, START, END, REPORT and the reasons of failures.
	Stream string `json:"stream"`
	// Text has no line end.
	Text      string `json:"text"`
	SandboxID string `json:"sandboxId"`
	// RequestID is the invocation the line belongs to. It is empty outside of
	// invocations, and when several run at a time and the line names none.
	RequestID string `json:"requestId,omitempty"`
}

// An EventType names a step in a sandbox's life.
type EventType string

// The steps. Comments say which fields of [Event] they have beside Time,
// SandboxID and PID.
const (
	InitStart   EventType = "init.start"   // Phase
	InitDone    EventType = "init.done"    // Phase, Duration
	InitError   EventType = "init.error"   // Phase, Duration, ErrorType, Error
	InvokeStart EventType = "invoke.start" // RequestID, Cold
	// ResponseSent is the caller's answer: complete when buffered, the first byte
	// when streamed.
	ResponseSent EventType = "response" // RequestID, Duration, Bytes, Streamed, ErrorType, Error
	// InvokeDone is the end of the invoke phase: the runtime asked for the next
	// event, ended, or was ended.
	InvokeDone EventType = "invoke.done" // RequestID, Duration, ErrorType, Error
	Frozen     EventType = "frozen"
	Thawed     EventType = "thawed" // Duration: how long it was frozen
	Registered EventType = "extension.registered"
	Exit       EventType = "exit"     // Error: how the process ended
	Shutdown   EventType = "shutdown" // Error: why
)

// An Event is one step in a sandbox's life. As JSON its durations are
// milliseconds in durationMs.
type Event struct {
	Time      time.Time `json:"time"`
	Type      EventType `json:"type"`
	SandboxID string    `json:"sandboxId"`
	PID       int       `json:"pid,omitempty"`
	RequestID string    `json:"requestId,omitempty"`
	// Phase is "init", "invoke" (an Init suppressed into an invocation, after an
	// earlier one failed) or "provisioned".
	Phase    string        `json:"phase,omitempty"`
	Duration time.Duration `json:"-"`
	Cold     bool          `json:"cold,omitempty"`
	Streamed bool          `json:"streamed,omitempty"`
	Bytes    int64         `json:"bytes,omitempty"`
	// ErrorType is Lambda's or the function's; Error is a sentence for people.
	ErrorType string `json:"errorType,omitempty"`
	Error     string `json:"error,omitempty"`
}

// MarshalJSON adds durationMs.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	return json.Marshal(struct {
		plain
		DurationMs float64 `json:"durationMs,omitempty"`
	}{plain(e), float64(e.Duration) / float64(time.Millisecond)})
}

// A WireMessage is one request from the process, as it was received: what a test
// compares that holds one runtime beside another.
type WireMessage struct {
	Time      time.Time
	SandboxID string
	Method    string
	// Path starts with the API's version: /2018-06-01/runtime/…
	Path string
	// Header is without Host, which net/http keeps apart, and without Trailer.
	Header http.Header
	// Trailer has each declared trailer; those without a value were not sent.
	Trailer http.Header
	// TransferEncoding is as in [http.Request]; ContentLength is -1 if unknown.
	TransferEncoding []string
	ContentLength    int64
	// Body has at most [MaxPayload]+1 bytes.
	Body []byte
}
