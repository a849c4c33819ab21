// Package lambda serves Lambda's Invoke API for functions that run here.
//
// Code that calls a function, an AWS SDK, the aws command, a test, should not
// have to know that the function is on this machine. With this handler it needs
// another endpoint address and nothing else: the paths, headers, error shapes and
// stream frames are Lambda's.
//
// Served are Invoke (RequestResponse, Event with its retries, DryRun, log tail),
// InvokeWithResponseStream, and, for those that are known by name, GetFunction,
// GetFunctionConfiguration and ListFunctions. Functions may be named by name, ARN or partial
// ARN, with any qualifier: there is one build here, so every version and alias is
// it. Signatures are accepted unread: this listener guards itself by answering to
// a loopback Host only, and never to a web page (a request with an Origin).
//
// Sources: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and
// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html.
package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/internal/loopback"
)

const (
	invokePath = "/2015-03-31/functions/"
	streamPath = "/2021-11-15/functions/"
	// maxAsync is the largest asynchronous event: 1 MB since October 2025.
	maxAsync = 1 << 20
	// maxContext is the largest client context, encoded.
	maxContext = 3583
)

// API is the handler. It is safe for concurrent use.
type API struct {
	resolve func(name string) runtimeapi.Invoker
	list    []Description

	ctx   context.Context
	stop  context.CancelFunc
	async sync.WaitGroup
}

// Handler returns the Invoke API of the functions that resolve finds by their
// bare name; nil is no such function. When resolve does not know "function",
// which is the name that AWS's own emulator gives to every function, it is asked
// for "" instead. End asynchronous invocations with [API.Close].
func Handler(resolve func(name string) runtimeapi.Invoker) *API {
	a := &API{resolve: resolve}
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a
}

// A Description is what [API.Describe] makes known of a function.
type Description struct {
	Name, Region, AccountID string
	// MemoryMB and Timeout are as the function is run.
	MemoryMB int
	Timeout  time.Duration
}

// Describe makes functions known to GetFunction, GetFunctionConfiguration and
// ListFunctions. It is called before the handler serves.
func (a *API) Describe(list ...Description) *API {
	a.list = append(a.list, list...)
	return a
}

// Close drops the asynchronous invocations that wait for a retry, and returns
// when those that run have ended.
func (a *API) Close() {
	a.stop()
	a.async.Wait()
}

// Wait returns when every accepted asynchronous invocation has succeeded or was
// given up.
func (a *API) Wait() { a.async.Wait() }

// Match says whether a request is for this API, for those who serve other things
// on the same port.
func Match(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, invokePath) || strings.HasPrefix(r.URL.Path, streamPath) || isListing(r)
}

// A fault is an error of the API in its own words.
type fault struct {
	status  int
	code    string
	message string
	reason  string
}

func (f *fault) write(w http.ResponseWriter) {
	kind := "User"
	if f.status >= 500 {
		kind = "Service"
	}
	body := map[string]string{"Type": kind, "message": f.message, "Message": f.message}
	if f.reason != "" {
		body["Reason"] = f.reason
	}
	data, _ := json.Marshal(body) // strings only
	w.Header().Set("X-Amzn-Errortype", f.code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_, _ = w.Write(data)
}

// ServeHTTP serves the API.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", runtimeapi.NewRequestID())
	if !loopback.Host(r.Host) || r.Header.Get("Origin") != "" {
		(&fault{status: http.StatusForbidden, code: "AccessDeniedException", message: "This endpoint answers to a loopback host, and not to web pages."}).write(w)
		return
	}
	if r.Method == http.MethodGet {
		a.describe(w, r)
		return
	}
	c, bad := a.read(w, r)
	if bad != nil {
		bad.write(w)
		return
	}
	c.serve(w, r)
}

// A call is one understood request.
type call struct {
	api    *API
	fn     runtimeapi.Invoker
	req    runtimeapi.Request
	kind   string // invocation type
	tail   bool
	stream bool
}

func (a *API) read(w http.ResponseWriter, r *http.Request) (*call, *fault) {
	c := &call{api: a, kind: r.Header.Get("X-Amz-Invocation-Type"), tail: r.Header.Get("X-Amz-Log-Type") == "Tail"}
	name, bad := c.route(r)
	if bad != nil {
		return nil, bad
	}
	if r.Method != http.MethodPost {
		return nil, &fault{status: http.StatusMethodNotAllowed, code: "InvalidRequestContentException", message: "use POST"}
	}
	if c.fn = a.find(name); c.fn == nil {
		return nil, &fault{status: http.StatusNotFound, code: "ResourceNotFoundException", message: "Function not found: " + name}
	}
	if c.kind == "" {
		c.kind = "RequestResponse"
	}
	if c.kind != "RequestResponse" && c.kind != "DryRun" && (c.kind != "Event" || c.stream) {
		return nil, invalid("the invocation type " + c.kind + " is not one of Event, RequestResponse, DryRun")
	}
	if bad := c.readContext(r); bad != nil {
		return nil, bad
	}
	limit := runtimeapi.MaxPayload
	if c.kind == "Event" {
		limit = maxAsync
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return nil, tooLarge(limit)
		}
		return nil, notJSON("the body broke off: " + err.Error())
	}
	if len(body) > 0 && !json.Valid(body) {
		return nil, notJSON("Could not parse request body into json")
	}
	c.req.Payload, c.req.Stream = body, c.stream
	return c, nil
}

func tooLarge(limit int) *fault {
	if limit == runtimeapi.MaxPayload {
		limit = 6 << 20 // what Lambda says
	}
	return &fault{status: http.StatusRequestEntityTooLarge, code: "RequestTooLargeException",
		message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit)}
}

func invalid(message string) *fault {
	return &fault{status: http.StatusBadRequest, code: "InvalidParameterValueException", message: message}
}

func notJSON(message string) *fault {
	return &fault{status: http.StatusBadRequest, code: "InvalidRequestContentException", message: message}
}

// route reads the operation and the function from the path.
func (c *call) route(r *http.Request) (name string, bad *fault) {
	path := r.URL.EscapedPath() // an ARN may come with its colons escaped
	rest, ok := strings.CutPrefix(path, invokePath)
	escaped, op, _ := strings.Cut(rest, "/")
	want := "invocations"
	if !ok {
		if rest, c.stream = strings.CutPrefix(path, streamPath); c.stream {
			escaped, op, _ = strings.Cut(rest, "/")
			want = "response-streaming-invocations"
		}
	}
	full, err := url.PathUnescape(escaped)
	if err != nil || op != want {
		return "", &fault{status: http.StatusNotFound, code: "UnknownOperationException", message: "no such operation here: " + r.URL.Path}
	}
	name, qualifier, err := ParseName(full)
	if err != nil {
		return "", invalid(err.Error())
	}
	asked := r.URL.Query().Get("Qualifier")
	if asked != "" && qualifier != "" && asked != qualifier {
		return "", invalid("The derived qualifier from the function name does not match the specified qualifier.")
	}
	if qualifier == "" {
		qualifier = asked
	}
	if !validQualifier.MatchString(qualifier) {
		return "", invalid(fmt.Sprintf("the qualifier %q is not a version, an alias or $LATEST", qualifier))
	}
	c.req.Qualifier = qualifier
	return name, nil
}

// find asks for the function, and for "" in place of RIE's "function".
func (a *API) find(name string) runtimeapi.Invoker {
	fn := a.resolve(name)
	if fn == nil && name == "function" {
		fn = a.resolve("")
	}
	return fn
}

// readContext reads what goes with the event.
func (c *call) readContext(r *http.Request) *fault {
	if t := r.Header.Get("Content-Type"); t != "" && t != "application/octet-stream" {
		c.req.ContentType = t // SDKs send the other to say nothing
	}
	c.req.TraceID = r.Header.Get("X-Amzn-Trace-Id")
	c.req.TenantID = r.Header.Get("X-Amz-Tenant-Id")
	encoded := r.Header.Get("X-Amz-Client-Context")
	if encoded == "" {
		return nil
	}
	if len(encoded) > maxContext {
		return notJSON(fmt.Sprintf("Client context must be at most %d bytes, encoded.", maxContext))
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !json.Valid(decoded) {
		return notJSON("Client context must be a valid Base64-encoded JSON object.")
	}
	c.req.ClientContext = string(decoded)
	return nil
}

var (
	validName      = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,140}$`)
	validAccount   = regexp.MustCompile(`^[0-9]{12}$`)
	validQualifier = regexp.MustCompile(`^(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9_-]{1,128})?$`)
)

// ParseName takes a function's name apart: a name, a name with a qualifier, a
// partial ARN (123456789012:function:name) or an ARN, both with or without a
// qualifier. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func ParseName(full string) (name, qualifier string, err error) {
	parts := strings.Split(full, ":")
	switch {
	case len(parts) >= 7 && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function" && validAccount.MatchString(parts[4]):
		parts = parts[6:]
	case len(parts) >= 3 && parts[1] == "function" && validAccount.MatchString(parts[0]):
		parts = parts[2:]
	}
	if len(parts) > 2 || !validName.MatchString(parts[0]) {
		return "", "", fmt.Errorf("lambda: %q is not a function's name, ARN or partial ARN", full)
	}
	if len(parts) == 2 {
		qualifier = parts[1]
	}
	return parts[0], qualifier, nil
}

func (c *call) serve(w http.ResponseWriter, r *http.Request) {
	switch c.kind {
	case "DryRun":
		w.Header().Set("X-Amz-Executed-Version", "$LATEST")
		w.WriteHeader(http.StatusNoContent)
	case "Event":
		c.req.RequestID = w.Header().Get("X-Amzn-Requestid")
		c.api.async.Go(c.retry)
		w.WriteHeader(http.StatusAccepted)
	default:
		c.req.RequestID = w.Header().Get("X-Amzn-Requestid")
		resp, err := c.fn.Invoke(r.Context(), c.req)
		switch {
		case err != nil:
			failed(err).write(w)
		case c.stream:
			c.writeStream(w, resp)
		default:
			c.write(w, resp)
		}
	}
}

// failed is an invocation that did not reach the function.
func failed(err error) *fault {
	switch {
	case errors.Is(err, runtimeapi.ErrThrottled):
		return &fault{status: http.StatusTooManyRequests, code: "TooManyRequestsException", message: "Rate Exceeded.", reason: "ReservedFunctionConcurrentInvocationLimitExceeded"}
	case errors.Is(err, runtimeapi.ErrTooLarge):
		return tooLarge(runtimeapi.MaxPayload)
	case errors.Is(err, runtimeapi.ErrInvalid):
		return notJSON(err.Error())
	default:
		return &fault{status: http.StatusInternalServerError, code: "ServiceException", message: err.Error()}
	}
}

// write answers a buffered invocation. A failure of the function is a 200 too.
func (c *call) write(w http.ResponseWriter, resp *runtimeapi.Response) {
	h := w.Header()
	h.Set("X-Amz-Executed-Version", resp.ExecutedVersion)
	h.Set("X-Amzn-Trace-Id", resp.TraceID)
	h.Set("Content-Type", "application/json")
	if resp.FunctionError != "" {
		h.Set("X-Amz-Function-Error", resp.FunctionError)
	}
	if c.tail {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(resp.LogTail))
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(resp.Payload) // a caller who is gone needs no answer
}

// retry runs an asynchronous invocation: again after 1 and after 2 minutes when
// the function fails, and for up to 6 hours, ever slower, while it is throttled.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
func (c *call) retry() {
	const retries, maxAge = 2, 6 * time.Hour
	began := time.Now()
	throttled := time.Second
	for failures := 0; ; {
		resp, err := c.fn.Invoke(c.api.ctx, c.req)
		wait := throttled
		switch {
		case err == nil && resp.FunctionError == "":
			return
		case errors.Is(err, runtimeapi.ErrThrottled):
			throttled = min(2*throttled, 5*time.Minute)
		case err != nil:
			return // it cannot be delivered, now or later
		default:
			failures++
			if failures > retries {
				return
			}
			wait = time.Duration(failures) * time.Minute
		}
		if time.Since(began)+wait > maxAge {
			return
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-c.api.ctx.Done():
			t.Stop()
			return
		}
	}
}
