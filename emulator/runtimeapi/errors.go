package runtimeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Reasons why an invocation does not reach the function. Compare with
// [errors.Is]. What the function itself does wrong is no Go error: it is in
// [Response.FunctionError].
var (
	// ErrThrottled: every sandbox is busy, and Config.Overflow is [Refuse].
	ErrThrottled = errors.New("runtimeapi: every sandbox is busy")
	// ErrClosed: [Function.Shutdown] was called.
	ErrClosed = errors.New("runtimeapi: the function is shut down")
	// ErrTooLarge: the event is larger than [MaxPayload].
	ErrTooLarge = errors.New("runtimeapi: the event is too large")
	// ErrInvalid: the event or the client context is not JSON, or an id does not
	// fit into a header.
	ErrInvalid = errors.New("runtimeapi: the request is invalid")
	// ErrFreezeUnavailable: this system, or this kind of sandbox, has no freeze.
	ErrFreezeUnavailable = errors.New("runtimeapi: freezing is not available")
)

// An InvokeError is a failed [Function.Invoke] with its cause.
type InvokeError struct {
	Function string
	Reason   error // one of the sentinels above
	Detail   string
}

func (e *InvokeError) Error() string {
	return fmt.Sprintf("%v: function %q: %s", e.Reason, e.Function, e.Detail)
}

// Unwrap returns the reason.
func (e *InvokeError) Unwrap() error { return e.Reason }

// A FunctionError is a failure of the function after its response began to
// stream: the last error of [Response.Stream].
type FunctionError struct {
	RequestID string
	// Type and Message are those that the function reported.
	Type, Message string
	// Payload is the error as JSON, as a caller of Lambda gets it.
	Payload []byte
}

func (e *FunctionError) Error() string {
	return "runtimeapi: the function failed while its response was streaming: " + e.Type + ": " + e.Message
}

// Error types that Lambda itself reports.
const (
	errExit         = "Runtime.ExitError"
	errEntrypoint   = "Runtime.InvalidEntrypoint"
	errWorkingDir   = "Runtime.InvalidWorkingDir"
	errTruncated    = "Runtime.TruncatedResponse"
	errResponseMode = "Runtime.InvalidResponseModeHeader"
	errUnknown      = "Runtime.Unknown"
	errTooLarge     = "Function.ResponseSizeTooLarge"
	errTimeout      = "Sandbox.Timedout"
	errSandbox      = "Sandbox.Failure"
	errExtInit      = "Extension.InitError"
	errExtExit      = "Extension.ExitError"
)

// A failure is an invocation's or an Init's bad end.
type failure struct {
	typ     string // errorType
	message string // errorMessage
	explain string // one sentence for people; empty: message
	payload []byte // as the caller gets it
}

// platformFailure is a failure that Lambda, not the function, reports.
func platformFailure(requestID, typ, message string) *failure {
	if requestID != "" {
		message = "RequestId: " + requestID + " Error: " + message
	}
	payload, _ := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{typ, message})
	return &failure{typ: typ, message: message, payload: payload}
}

// reportedFailure is a failure that the function reported. header is the value
// of its error-type header or trailer.
func reportedFailure(payload []byte, header string) *failure {
	var body struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	_ = json.Unmarshal(payload, &body) // whatever it is, the caller gets it as it is
	f := &failure{typ: body.Type, message: body.Message, payload: payload}
	if f.typ == "" {
		f.typ = errorType(header)
	}
	return f
}

// errorType reads the error-type header, which has to be Runtime.X or Function.X.
func errorType(header string) string {
	for _, kind := range []string{"Runtime.", "Function."} {
		if name, ok := strings.CutPrefix(header, kind); ok {
			if name != "" && strings.Trim(name, letters) == "" {
				return header
			}
			return kind + "Unknown"
		}
	}
	return errUnknown
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func (f *failure) sentence() string {
	if f.explain != "" {
		return f.explain
	}
	return f.message
}
