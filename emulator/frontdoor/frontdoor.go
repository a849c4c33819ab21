// Package frontdoor turns HTTP requests into the events that a function gets
// behind API Gateway, a function URL, a load balancer or VPC Lattice, and its
// results into HTTP responses.
//
// A function never sees HTTP. It sees JSON in which a gateway has lower-cased
// the header names, joined repeated ones with commas, moved the cookies away,
// decoded the path and perhaps encoded the body; and what it returns is read back
// by rules as particular. Code that is tried with curl against a plain web server
// meets these rules first in production. With this handler it meets them here.
//
// Each front door is a [Door]: [RESTAPI], [HTTPAPI1] and [HTTPAPI] (payload
// formats 1.0 and 2.0), [FunctionURL], [ALB] with single and multi-value headers,
// [Lattice] with both event versions. [New] puts one before a function:
//
//	http.Handle("/", frontdoor.New(frontdoor.Config{Function: fn, Door: frontdoor.HTTPAPI{}}))
//
// Where the documentation and the observed behaviour of the service differ, the
// observed one is implemented, and the comment says so, with the public report. What
// neither tells is said at the door that has to guess. Sources:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// and https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html.
package frontdoor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/internal/loopback"
)

// An Arrival is what a door knows of a request beside the request.
type Arrival struct {
	// RequestID is the door's id, in the form of this door. It is not the id of
	// the invocation.
	RequestID string
	// TraceID is the X-Ray root, Root=1-…
	TraceID string
	// Accept is the request's header of that name, for a door whose answer depends
	// on it.
	Accept string
	// Head says that the method is HEAD.
	Head bool
	Time time.Time
}

// Limits are a door's.
type Limits struct {
	// Body is the largest request body in bytes.
	Body int64
	// Head is the most that request line and header values may have together, and
	// Line the most for each of them, in bytes; 0 is what [http.Server] takes.
	Head, Line int
	// Wait is how long the door waits for the function; 0 is as long as it takes.
	Wait time.Duration
	// Stream says that the door passes the response on as it comes.
	Stream bool
}

// A Door is one kind of front door. Implementations are safe for concurrent use.
type Door interface {
	Limits() Limits
	// NewID makes a request id in this door's form.
	NewID() string
	// Event is the JSON of the request. The error is [ErrNoRoute] or [ErrUpgrade],
	// or says why there can be no event; only an [ErrLenient] comes beside one.
	Event(r *http.Request, body []byte, in Arrival) ([]byte, error)
	// Respond writes the function's result. [ErrLenient] says that it was written,
	// and that its author should hear of something; [ErrBroken] that the response
	// had begun and cannot be completed; any other error that nothing was written.
	Respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error
	// Refuse writes this door's answer to what went wrong: one of the errors
	// below, or another for anything else.
	Refuse(w http.ResponseWriter, reason error, in Arrival)
}

// What goes wrong at a door. Compare with [errors.Is].
var (
	// ErrNoRoute: no route of the API fits.
	ErrNoRoute = errors.New("frontdoor: no route fits the request")
	// ErrUpgrade: the door does not switch protocols.
	ErrUpgrade = errors.New("frontdoor: the request asks for another protocol")
	// ErrTooLarge: the body is larger than the door or Lambda takes.
	ErrTooLarge = errors.New("frontdoor: the request is too large")
	// ErrHeadTooLarge: the request line or the headers are.
	ErrHeadTooLarge = errors.New("frontdoor: the request's headers are too large")
	// ErrTooSlow: the door did not wait any longer.
	ErrTooSlow = errors.New("frontdoor: the function took longer than the front door waits")
	// ErrThrottled: Lambda refused for its concurrency.
	ErrThrottled = errors.New("frontdoor: the function is throttled")
	// ErrFunction: the function failed.
	ErrFunction = errors.New("frontdoor: the function failed")
	// ErrLenient: the result was read, although not every door would.
	ErrLenient = errors.New("frontdoor: the function's result was read leniently")
	// ErrBroken: the response failed after it had begun.
	ErrBroken = errors.New("frontdoor: the response broke off after it had begun")
	// ErrMalformed: the result is not in the form that this door reads.
	ErrMalformed = errors.New("frontdoor: the function's result is malformed")
)

// Config configures [New].
type Config struct {
	// Function is what is behind the door. Required.
	Function runtimeapi.Invoker
	// Door defaults to [HTTPAPI].
	Door Door
	// Warn receives, with the door's request id, what the caller is not told: why
	// a response was a 500, or that a 200 was broken off. Optional.
	Warn func(requestID string, reason error)
	// Now defaults to time.Now.
	Now func() time.Time
}

// Handler is a front door on a socket. It answers to a loopback Host only. It is
// safe for concurrent use.
type Handler struct{ cfg Config }

// New returns the handler. It does no I/O.
func New(cfg Config) *Handler {
	if cfg.Door == nil {
		cfg.Door = HTTPAPI{}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Warn == nil {
		cfg.Warn = func(string, error) {}
	}
	return &Handler{cfg}
}

var _ http.Handler = (*Handler)(nil)

// ServeHTTP takes one request through the door and back.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !loopback.Host(r.Host) { // a name that DNS brought here
		http.Error(w, "frontdoor: this address answers to localhost only", http.StatusForbidden)
		return
	}
	door := h.cfg.Door
	in := Arrival{RequestID: door.NewID(), TraceID: traceRoot(r), Accept: r.Header.Get("Accept"), Head: r.Method == http.MethodHead, Time: h.cfg.Now()}
	ctx := r.Context()
	if wait := door.Limits().Wait; wait > 0 { // until the response has been sent, a streamed one too
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, fmt.Errorf("%w, which is %v", ErrTooSlow, wait))
		defer cancel()
	}
	result, err := h.invoke(ctx, w, r, in)
	if err == nil {
		err = h.respond(w, result, in)
	}
	if err == nil || r.Context().Err() != nil { // nobody is there to hear of it
		return
	}
	h.cfg.Warn(in.RequestID, err)
	switch {
	case errors.Is(err, ErrLenient):
	case errors.Is(err, ErrBroken):
		panic(http.ErrAbortHandler) // so that the client does not take it for the end
	default:
		door.Refuse(w, err, in)
	}
}

func (h *Handler) invoke(ctx context.Context, w http.ResponseWriter, r *http.Request, in Arrival) (*runtimeapi.Response, error) {
	limits := h.cfg.Door.Limits()
	if err := limits.checkHead(r); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limits.Body))
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limits.Body)
		}
		return nil, fmt.Errorf("frontdoor: reading the request: %w", err)
	}
	payload, err := h.cfg.Door.Event(r, body, in)
	switch {
	case errors.Is(err, ErrLenient) && payload != nil:
		h.cfg.Warn(in.RequestID, err)
	case err != nil:
		return nil, err
	}
	result, err := h.cfg.Function.Invoke(ctx, runtimeapi.Request{Payload: payload, TraceID: in.TraceID, Stream: limits.Stream})
	switch {
	case errors.Is(err, runtimeapi.ErrThrottled):
		return nil, fmt.Errorf("%w: %w", ErrThrottled, err)
	case errors.Is(err, runtimeapi.ErrTooLarge):
		return nil, fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return result, err
}

func (h *Handler) respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	if result.Stream != nil {
		defer result.Stream.Close()
	}
	if result.FunctionError != "" && !result.Streamed {
		return fmt.Errorf("%w: %s: %s", ErrFunction, result.ErrorType, result.Explanation)
	}
	return h.cfg.Door.Respond(w, result, in)
}

// checkHead says whether request line and headers are within the limits.
func (l Limits) checkHead(r *http.Request) error {
	total := 0
	add := func(what string, n int) error {
		total += n
		switch {
		case l.Line > 0 && n > l.Line:
			return fmt.Errorf("%w: %s has %d bytes, and this door takes %d", ErrHeadTooLarge, what, n, l.Line)
		case l.Head > 0 && total > l.Head:
			return fmt.Errorf("%w: request line and header values have more than %d bytes", ErrHeadTooLarge, l.Head)
		}
		return nil
	}
	err := add("the request line", len(r.Method)+len(r.URL.RequestURI())+len(r.Proto)+2)
	for name, values := range r.Header {
		for _, v := range values {
			if err == nil {
				err = add("header "+name, len(v))
			}
		}
	}
	return err
}

// traceRoot is the caller's X-Ray root, or a new one.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func traceRoot(r *http.Request) string {
	for field := range strings.SplitSeq(r.Header.Get("X-Amzn-Trace-Id"), ";") {
		if field = strings.TrimSpace(field); strings.HasPrefix(field, "Root=1-") {
			return field
		}
	}
	root, _, _ := strings.Cut(runtimeapi.NewTraceID(), ";")
	return root
}
