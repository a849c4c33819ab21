package runtimeapi

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Names on the wire.
const (
	headerMode      = "Lambda-Runtime-Function-Response-Mode"
	headerErrorType = "Lambda-Runtime-Function-Error-Type"
	headerErrorBody = "Lambda-Runtime-Function-Error-Body"
	runtimePath     = "/2018-06-01/runtime/"
	extensionPath   = "/2020-01-01/extension/"
)

// An apiError is an error body of the two APIs.
type apiError struct {
	status  int
	typ     string
	message string
}

func (e *apiError) write(w http.ResponseWriter) {
	writeJSON(w, e.status, map[string]string{"errorMessage": e.message, "errorType": e.typ})
}

func badState(from, to string) *apiError {
	return forbidden("InvalidStateTransition", "the runtime is in state "+from+" and cannot go to "+to)
}

func badID(id string) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidRequestID", fmt.Sprintf("no invocation %q is running here", id)}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, _ := json.Marshal(v) // strings and numbers only
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that is gone needs no answer
}

func accepted(w http.ResponseWriter) {
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

// ServeHTTP serves both APIs to this boot's process.
func (b *boot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := b.record(r)
	defer rec.emit()
	path := r.URL.Path
	route := r.Method + " " + path
	switch route {
	case "GET " + runtimePath + "invocation/next":
		rec.emit()
		b.next(w, r)
	case "POST " + runtimePath + "init/error":
		b.initError(w, r, rec)
	case "GET " + runtimePath + "restore/next":
		b.restoreNext(w)
	case "POST " + runtimePath + "restore/error":
		b.restoreError(w, r, rec)
	case "POST " + extensionPath + "register":
		b.register(w, r)
	case "GET " + extensionPath + "event/next":
		rec.emit()
		b.nextEvent(w, r)
	case "POST " + extensionPath + "init/error":
		b.extensionError(w, r, errExtInit)
	case "POST " + extensionPath + "exit/error":
		b.extensionError(w, r, errExtExit)
	case "GET /2018-06-01/ping", "GET /ping":
		_, _ = io.WriteString(w, "pong")
	case "PUT /2022-07-01/telemetry":
		writeJSON(w, http.StatusAccepted, map[string]string{"errorMessage": "the Telemetry API is not supported here", "errorType": "Telemetry.NotSupported"})
	case "PUT /2020-08-15/logs":
		writeJSON(w, http.StatusAccepted, map[string]string{"errorMessage": "the Logs API is not supported here", "errorType": "Logs.NotSupported"})
	default:
		b.invocationRoute(w, r, rec)
	}
}

// invocationRoute serves POST /runtime/invocation/{id}/response and …/error.
func (b *boot) invocationRoute(w http.ResponseWriter, r *http.Request, rec *recorder) {
	rest, ok := strings.CutPrefix(r.URL.Path, runtimePath+"invocation/")
	id, verb, two := strings.Cut(rest, "/")
	if !ok || !two || verb != "response" && verb != "error" {
		(&apiError{http.StatusNotFound, "NotFound", "the Runtime API has no " + r.URL.Path}).write(w)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		(&apiError{http.StatusMethodNotAllowed, "MethodNotAllowed", "use POST"}).write(w)
		return
	}
	if verb == "error" {
		b.postError(w, r, id, rec)
		return
	}
	if mode := r.Header.Get(headerMode); mode != "" && mode != "streaming" {
		b.note(id, platformFailure(id, errResponseMode, "the response mode is "+strconv.Quote(mode)+"; only \"streaming\" exists"))
		(&apiError{http.StatusBadRequest, "InvalidFunctionResponseMode", headerMode + " can only be streaming"}).write(w)
		return
	}
	inv, bad := b.transition(id, invResponse)
	switch {
	case bad != nil:
		bad.write(w)
	case inv.req.Stream:
		b.streamResponse(w, r, inv, rec)
	default:
		b.bufferResponse(w, r, inv, rec)
	}
}

// next serves GET /runtime/invocation/next.
func (b *boot) next(w http.ResponseWriter, r *http.Request) {
	p, bad := b.poll()
	if bad != nil {
		bad.write(w)
		return
	}
	select {
	case inv := <-p.events:
		b.writeEvent(w, inv)
	case <-r.Context().Done():
		b.leave(p)
	case <-b.gone:
		b.leave(p)
	}
}

func (b *boot) writeEvent(w http.ResponseWriter, inv *invocation) {
	_, deadline := inv.times()
	h := w.Header()
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("Lambda-Runtime-Aws-Request-Id", inv.id)
	set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
	set("Lambda-Runtime-Invoked-Function-Arn", b.fn.cfg.arn(inv.req.Qualifier))
	set("Lambda-Runtime-Trace-Id", inv.req.TraceID)
	set("Lambda-Runtime-Client-Context", inv.req.ClientContext)
	set("Lambda-Runtime-Aws-Tenant-Id", inv.req.TenantID)
	if inv.req.CognitoIdentity != (CognitoIdentity{}) {
		id, _ := json.Marshal(inv.req.CognitoIdentity)
		set("Lambda-Runtime-Cognito-Identity", string(id))
	}
	set("Content-Type", inv.req.ContentType)
	set("Content-Length", strconv.Itoa(len(inv.req.Payload)))
	_, _ = w.Write(inv.req.Payload) // a broken connection ends the process, which is watched
}

// note keeps what the invocation fails with, should nothing better be heard.
func (b *boot) note(id string, f *failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if inv := b.active[id]; inv != nil && inv.fatal == nil {
		inv.fatal = f
	}
}

// transition moves a running invocation into its response.
func (b *boot) transition(id string, to invocationState) (*invocation, *apiError) {
	b.mu.Lock()
	defer b.mu.Unlock()
	inv := b.active[id]
	if inv == nil {
		for _, old := range b.sent {
			if old == id && b.fn.cfg.PerSandbox > 1 {
				return nil, badState(string(invSent), string(to))
			}
		}
		return nil, badID(id)
	}
	if inv.state != invRunning {
		return nil, badState(string(inv.state), string(to))
	}
	inv.state = to
	if to == invError && b.fn.cfg.PerSandbox > 1 {
		b.doubt()
	}
	return inv, nil
}

// sentResponse ends the response: the runtime may ask for the next event.
func (b *boot) sentResponse(inv *invocation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	inv.state = invSent
	if b.fn.cfg.PerSandbox > 1 { // a Next says nothing about which one ended
		b.settleOne(inv)
	}
}

func (b *boot) bufferResponse(w http.ResponseWriter, r *http.Request, inv *invocation, rec *recorder) {
	body, total, err := readBody(r.Body)
	rec.emit()
	if err == nil && total <= MaxPayload {
		resp := b.response(inv)
		resp.Payload, resp.ContentType = body, r.Header.Get("Content-Type")
		b.finish(inv, resp, trailerFailure(r.Trailer))
	}
	b.conclude(w, inv, total, MaxPayload, err)
}

// conclude ends a POST for its invocation: with a failure of the platform when
// the body broke off or was too large, and otherwise with 202.
func (b *boot) conclude(w http.ResponseWriter, inv *invocation, total, limit int64, err error) {
	answer := &apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("the body has more than %d bytes", limit)}
	switch {
	case err != nil: // what comes next decides: an exit, the next event, or the timeout
		b.note(inv.id, platformFailure(inv.id, errTruncated, "the body broke off before its end"))
		answer = &apiError{http.StatusBadRequest, "TruncatedHTTPRequest", "the body broke off before its end"}
	case total > limit:
		b.finish(inv, nil, tooLarge(inv.id, total, limit))
	default:
		answer = nil
	}
	b.sentResponse(inv)
	if answer != nil {
		answer.write(w)
		return
	}
	accepted(w)
}

// tooLarge is in the words of Lambda, which users search for.
func tooLarge(id string, n, limit int64) *failure {
	f := platformFailure("", errTooLarge, fmt.Sprintf("Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", n, limit))
	f.explain = fmt.Sprintf("the response of %s has %d bytes; Lambda returns at most %d: stream it, or put it into S3", id, n, limit)
	return f
}

// trailerFailure reads what a runtime says after a body that broke off: the
// error's type, and its JSON in base64.
func trailerFailure(t http.Header) *failure {
	typ, body := t.Get(headerErrorType), t.Get(headerErrorBody)
	if typ == "" && body == "" {
		return nil
	}
	payload, err := base64.StdEncoding.DecodeString(body)
	if err != nil || len(payload) == 0 {
		return platformFailure("", cmp.Or(typ, errUnknown), "the function failed while it was streaming")
	}
	f := reportedFailure(payload, typ)
	if f.typ == errUnknown && typ != "" {
		f.typ = typ
	}
	return f
}

func (b *boot) streamResponse(w http.ResponseWriter, r *http.Request, inv *invocation, rec *recorder) {
	resp := b.response(inv)
	resp.ContentType = r.Header.Get("Content-Type")
	pipe, ok := inv.open(resp)
	if ok {
		started, _ := inv.times()
		b.emit(Event{Type: ResponseSent, RequestID: inv.id, Duration: time.Since(started), Streamed: true})
	}
	total, err := pump(r.Body, pipe)
	rec.emit()
	if err == nil && total <= MaxStream {
		b.finish(inv, nil, trailerFailure(r.Trailer))
	}
	b.conclude(w, inv, total, MaxStream, err)
}

// pump copies the body to the caller, chunk by chunk. A caller that is gone does
// not stop the function: the rest is read and dropped.
func pump(body io.Reader, to *io.PipeWriter) (total int64, err error) {
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		total += int64(n)
		if total > MaxStream {
			_, _ = io.CopyN(io.Discard, body, MaxStream)
			return total, nil
		}
		if n > 0 && to != nil {
			if _, werr := to.Write(buf[:n]); werr != nil {
				to = nil
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// readBody reads at most [MaxPayload] bytes and counts the rest, up to a bound.
func readBody(r io.Reader) (body []byte, total int64, err error) {
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(r, MaxPayload+1))
	if err != nil || n <= MaxPayload {
		return buf.Bytes(), n, err
	}
	rest, err := io.CopyN(io.Discard, r, MaxStream)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return nil, n + rest, err
}

// postError serves POST /runtime/invocation/{id}/error.
func (b *boot) postError(w http.ResponseWriter, r *http.Request, id string, rec *recorder) {
	inv, bad := b.transition(id, invError)
	if bad != nil {
		bad.write(w)
		return
	}
	body, total, err := readBody(r.Body)
	rec.emit()
	if err == nil && total <= MaxPayload {
		b.finish(inv, nil, reportedFailure(body, r.Header.Get(headerErrorType)))
	}
	b.conclude(w, inv, total, MaxPayload, err)
}

// initError serves POST /runtime/init/error.
func (b *boot) initError(w http.ResponseWriter, r *http.Request, rec *recorder) {
	b.mu.Lock()
	bad := b.state != rtStarted
	name := b.stateName()
	if !bad {
		b.state = rtInitError
	}
	b.mu.Unlock()
	if bad {
		badState(name, string(rtInitError)).write(w)
		return
	}
	b.reportInit(w, r, rec)
}

func (b *boot) reportInit(w http.ResponseWriter, r *http.Request, rec *recorder) {
	body, _, err := readBody(r.Body)
	rec.emit()
	if err != nil {
		(&apiError{http.StatusBadRequest, "TruncatedHTTPRequest", "the body ended before its end"}).write(w)
	} else {
		accepted(w)
	}
	f := reportedFailure(body, r.Header.Get(headerErrorType))
	f.explain = fmt.Sprintf("function %q failed in Init: %s: %s", b.fn.cfg.FunctionName, f.typ, f.message)
	_ = http.NewResponseController(w).Flush()
	b.failInit(f)
}

// restoreNext serves GET /runtime/restore/next: there are no snapshots here, so
// the restore is over as soon as it is asked for.
func (b *boot) restoreNext(w http.ResponseWriter) {
	b.mu.Lock()
	bad := b.state != rtStarted
	name := b.stateName()
	if !bad {
		b.state = rtRestoring
	}
	b.mu.Unlock()
	if bad {
		badState(name, "RestoreReady").write(w)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// restoreError serves POST /runtime/restore/error.
func (b *boot) restoreError(w http.ResponseWriter, r *http.Request, rec *recorder) {
	b.mu.Lock()
	bad := b.state != rtRestoring
	name := b.stateName()
	if !bad {
		b.state = rtInitError
	}
	b.mu.Unlock()
	if bad {
		badState(name, "RestoreError").write(w)
		return
	}
	b.reportInit(w, r, rec)
}

// A recorder copies a request for Config.Wire.
type recorder struct {
	b    *boot
	r    *http.Request
	body bytes.Buffer
	at   time.Time
	done bool
}

func (b *boot) record(r *http.Request) *recorder {
	rec := &recorder{b: b, r: r, at: time.Now()}
	if b.fn.cfg.Wire == nil {
		rec.done = true
		return rec
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, rec), r.Body}
	return rec
}

// Write keeps the beginning of the body.
func (rec *recorder) Write(p []byte) (int, error) {
	if room := MaxPayload + 1 - rec.body.Len(); room > 0 {
		rec.body.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// emit reports the request, once. Handlers call it before they answer whoever
// waits for the invocation.
func (rec *recorder) emit() {
	if rec.done {
		return
	}
	rec.done = true
	rec.b.fn.emitWire(WireMessage{
		Time: rec.at, SandboxID: rec.b.sandbox, Method: rec.r.Method, Path: rec.r.URL.Path,
		Header: rec.r.Header.Clone(), Trailer: rec.r.Trailer.Clone(),
		TransferEncoding: rec.r.TransferEncoding, ContentLength: rec.r.ContentLength,
		Body: bytes.Clone(rec.body.Bytes()),
	})
}
