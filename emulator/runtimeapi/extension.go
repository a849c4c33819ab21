package runtimeapi

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
)

// maxExtensions is Lambda's limit for one function.
const maxExtensions = 10

// An extension is one that registered from inside the process. Guarded by boot.mu.
type extension struct {
	id, name string
	invoke   bool // subscribed to INVOKE
	parked   bool // waits in event/next
	called   bool // has waited at least once
	queue    []extensionEvent
	wake     chan struct{} // has room for one
}

type extensionEvent struct {
	Type     string            `json:"eventType"`
	Deadline int64             `json:"deadlineMs"`
	ID       string            `json:"requestId"`
	ARN      string            `json:"invokedFunctionArn"`
	Tracing  map[string]string `json:"tracing"`
}

// settled says whether the sandbox may count this extension as done: after
// having asked once (Init), and, when it gets events, while it asks.
func (x *extension) settled() bool {
	if x.invoke {
		return x.parked && len(x.queue) == 0
	}
	return x.called
}

func (x *extension) deliver(inv *invocation, arn string) {
	if !x.invoke {
		return
	}
	_, deadline := inv.times()
	x.queue = append(x.queue, extensionEvent{
		Type: "INVOKE", Deadline: deadline.UnixMilli(), ID: inv.id, ARN: arn,
		Tracing: map[string]string{"type": "X-Amzn-Trace-Id", "value": inv.req.TraceID},
	})
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func forbidden(typ, message string) *apiError { return &apiError{http.StatusForbidden, typ, message} }

// register serves POST /extension/register.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-extensions-registration-api
func (b *boot) register(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get("Lambda-Extension-Name")
	var body struct {
		Events []string `json:"events"`
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	switch {
	case name == "":
		forbidden("Extension.InvalidExtensionName", "the header Lambda-Extension-Name is missing").write(w)
		return
	case err != nil:
		forbidden("InvalidRequestFormat", "the body is not JSON with a list of events").write(w)
		return
	}
	for _, e := range body.Events {
		if e != "INVOKE" {
			forbidden("Extension.InvalidEventType", "an extension inside the function's process can subscribe to INVOKE only, not to "+e).write(w)
			return
		}
	}
	x := &extension{id: NewRequestID(), name: name, invoke: len(body.Events) > 0, wake: make(chan struct{}, 1)}
	if err := b.admit(x); err != nil {
		err.write(w)
		return
	}
	b.emit(Event{Type: Registered})
	answer := map[string]string{
		"functionName": b.fn.cfg.FunctionName, "functionVersion": latest, "handler": b.fn.cfg.Handler,
	}
	if slices.Contains(r.Header.Values("Lambda-Extension-Accept-Feature"), "accountId") {
		answer["accountId"] = b.fn.cfg.AccountID
	}
	w.Header().Set("Lambda-Extension-Identifier", x.id)
	writeJSON(w, http.StatusOK, answer)
}

func (b *boot) admit(x *extension) *apiError {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, y := range b.extensions {
		if y.name == x.name {
			return forbidden("Extension.InvalidExtensionState", "an extension named "+x.name+" is registered already")
		}
	}
	switch {
	case b.state != rtStarted:
		return forbidden("Extension.RegistrationClosed", "the runtime has asked for its first event; register before that")
	case len(b.extensions) >= maxExtensions:
		return forbidden("Extension.TooManyExtensions", "a function has 10 extensions at most")
	}
	b.extensions[x.id] = x
	return nil
}

// caller finds the extension that a request is from.
func (b *boot) caller(r *http.Request) (*extension, *apiError) {
	id := r.Header.Get("Lambda-Extension-Identifier")
	if id == "" {
		return nil, forbidden("Extension.MissingExtensionIdentifier", "the header Lambda-Extension-Identifier is missing")
	}
	if !validUUID(id) {
		return nil, forbidden("Extension.InvalidExtensionIdentifier", "the extension's identifier is not a UUID")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.extensions[id]
	if x == nil {
		return nil, forbidden("Extension.UnknownExtensionIdentifier", "no extension registered with this identifier")
	}
	return x, nil
}

// nextEvent serves GET /extension/event/next. Without subscriptions it is never
// answered.
func (b *boot) nextEvent(w http.ResponseWriter, r *http.Request) {
	x, bad := b.caller(r)
	if bad != nil {
		bad.write(w)
		return
	}
	for {
		b.mu.Lock()
		if len(x.queue) > 0 {
			e := x.queue[0]
			x.queue = x.queue[1:]
			x.parked = false
			b.mu.Unlock()
			w.Header().Set("Lambda-Extension-Event-Identifier", NewRequestID())
			writeJSON(w, http.StatusOK, e)
			return
		}
		x.parked, x.called = true, true
		b.settle()
		b.mu.Unlock()
		select {
		case <-x.wake:
		case <-r.Context().Done():
			b.mu.Lock()
			x.parked = false
			b.mu.Unlock()
			return
		case <-b.gone:
			return
		}
	}
}

// extensionError serves POST /extension/init/error and /extension/exit/error.
func (b *boot) extensionError(w http.ResponseWriter, r *http.Request, typ string) {
	x, bad := b.caller(r)
	if bad != nil {
		bad.write(w)
		return
	}
	reason := r.Header.Get("Lambda-Extension-Function-Error-Type")
	if reason == "" {
		forbidden("Extension.MissingHeader", "the header Lambda-Extension-Function-Error-Type is missing").write(w)
		return
	}
	f := platformFailure("", typ, "extension "+x.name+" reported "+reason)
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
	if typ == errExtInit {
		b.failInit(f)
		return
	}
	b.mu.Lock()
	b.exitFatal = f
	b.mu.Unlock()
	_ = b.proc.signal(killGroup) // the environment ends with its extension
}

func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if r != '-' {
				return false
			}
		case (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F'):
			return false
		}
	}
	return true
}
