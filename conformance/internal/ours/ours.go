// Package ours runs conformance cases on the packages of this module.
//
// A case enters as a payload of a front door, through [web.Handler] and the
// engine, as in Lambda, and leaves as the JSON that the front door would read. In
// between stand our middlewares, configured from Middy's options by one adapter
// each, and a handler that does what the case says. An adapter translates names;
// it decides nothing.
package ours

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/web"
)

type object = map[string]any

// Run executes the cases, in order.
func Run(ctx context.Context, cases []conformance.Case) []conformance.Result {
	results := make([]conformance.Result, len(cases))
	for i := range cases {
		results[i] = conformance.Result{ID: cases[i].ID, Got: one(ctx, &cases[i])}
	}
	return results
}

func one(ctx context.Context, c *conformance.Case) (got json.RawMessage) {
	defer func() {
		if p := recover(); p != nil {
			got = encode(object{"panic": fmt.Sprint(p)})
		}
	}()
	switch {
	case c.Call != nil:
		return encode(call(c.Call))
	case c.Package() == "core":
		return encode(engine(ctx, c))
	case strings.HasPrefix(c.Package(), "ws-"):
		return encode(webSocket(ctx, c))
	}
	return encode(overHTTP(ctx, c))
}

func encode(v object) json.RawMessage {
	conformance.Shorten(v)
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(conformance.Encode(any(v))); err != nil {
		return json.RawMessage(fmt.Sprintf(`{"runner":%q}`, err))
	}
	return json.RawMessage(strings.TrimSpace(b.String()))
}

// run is one case while it runs.
type run struct {
	c       *conformance.Case
	context object // Middy's context: what the case seeds
	// facets tell what the handler sees, beyond what every request has. Adapters
	// add to them.
	facets map[string]func(r *http.Request) (any, error)
	// left are entries of Middy's context that a middleware has left in ours.
	left []func(r *http.Request, into object)

	// whole and returned are for validation: the event is judged in the place of a
	// body, and what Middy's handler returns is.
	whole, returned bool

	ran   int
	saw   object
	err   error
	log   []any
	calls [2]int
	sends []any
}

// An adapter makes our middleware from Middy's options.
type adapter func(r *run, o options) (func(http.Handler) http.Handler, error)

// errUnknown is the result of a case whose package has no counterpart.
type errUnknown string

func (e errUnknown) Error() string { return "no counterpart of " + string(e) }

func overHTTP(ctx context.Context, c *conformance.Case) object {
	r := &run{c: c, facets: map[string]func(*http.Request) (any, error){}}
	r.context, _ = value(c.Context).(object)
	f, err := r.build()
	var unknown errUnknown
	if errors.As(err, &unknown) {
		return object{"unsupported": string(unknown)}
	}
	if err != nil {
		return object{"error": object{"at": "construction", "message": err.Error()}}
	}
	if c.Steps == nil {
		return r.invoke(ctx, f, c.Event)
	}
	var steps []any
	for _, s := range c.Steps {
		steps = append(steps, r.invoke(ctx, f, s.Event))
	}
	return object{"steps": steps}
}

func value(b json.RawMessage) any {
	v, err := conformance.Value(b)
	if err != nil {
		return err
	}
	return v
}

// build puts the middlewares around the handler. What New refuses, as a panic or
// by Validate, is an error.
func (r *run) build() (f *middy.Function, err error) {
	defer func() {
		if p := recover(); p != nil {
			refused, ok := p.(error)
			if !ok {
				refused = fmt.Errorf("%v", p)
			}
			err = refused
		}
	}()
	h := r.scripted(r.c.Handler)
	uses := onion(r.c.Use)
	for i := len(uses) - 1; i >= 0; i-- {
		u := uses[i]
		adapt, ok := adapters[u.Name]
		if !ok {
			return nil, errUnknown(u.Name)
		}
		o, _ := value(u.Options).(object)
		mw, err := adapt(r, options{o, u.Options})
		if err != nil {
			return nil, err
		}
		h = mw(h)
	}
	return middy.New(web.Handler(r.outermost(h)))
}

// onion translates the one rule of order that differs. Middy's error handler is
// registered last and sees the errors of all middlewares, and its cors and security
// headers are on every answer: ours are outside of those that they are about. New
// says so of the headers, and the error handler's writes pass through them.
func onion(uses []conformance.Use) []conformance.Use {
	var errs, headers, rest []conformance.Use
	inside := false // of something that refuses
	for _, u := range uses {
		switch {
		case u.Name == "http-error-handler":
			errs = append(errs, u)
		case inside && (u.Name == "http-cors" || u.Name == "http-security-headers"):
			headers = append(headers, u)
		default:
			inside = inside || !slices.Contains(passes, u.Name)
			rest = append(rest, u)
		}
	}
	return slices.Concat(errs, headers, rest)
}

// passes are the packages that refuse no request.
var passes = []string{"http-cors", "http-security-headers", "http-content-encoding", "http-event-normalizer", "http-header-normalizer", "http-partial-response", "http-response-serializer", "recover"}

// outermost notes an error that no middleware has made a response of.
func (r *run) outermost(h http.Handler) http.Handler {
	note := func(w http.ResponseWriter, _ *http.Request, err error) {
		r.err = err
		w.WriteHeader(http.StatusInternalServerError)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h.ServeHTTP(w, req.WithContext(web.WithErrorWriter(req.Context(), note)))
	})
}

func (r *run) invoke(ctx context.Context, f *middy.Function, event json.RawMessage) object {
	r.ran, r.saw, r.err, r.log, r.calls = 0, nil, nil, nil, [2]int{}
	complete := r.complete
	if r.c.Package() == "validator" {
		complete = r.asBody
	}
	payload, err := complete(event)
	if err != nil {
		return object{"runner": err.Error()}
	}
	out, err := f.Invoke(ctx, payload)
	got := object{}
	switch {
	case r.err != nil:
		got["error"] = errorOf(r.err)
	case err != nil:
		got["error"] = object{"status": nil, "message": err.Error()}
	default:
		resp, err := response(out)
		if err != nil {
			return object{"runner": err.Error()}
		}
		if !(r.ran > 0 && r.silent()) {
			got["response"] = resp
		}
		if body, ok := resp["body"].(string); ok && r.returned {
			got["response"] = value(json.RawMessage(body))
		}
	}
	if r.saw != nil {
		got["saw"] = r.saw
	}
	if r.ran == 0 && got["error"] == nil {
		got["skipped"] = true
	}
	if len(r.log) > 0 {
		got["log"] = r.log
	}
	if r.calls[0]+r.calls[1] > 0 {
		got["calls"] = []any{r.calls[0], r.calls[1]}
	}
	return got
}

// silent reports whether the case is about what the handler sees, not about what
// it answers.
func (r *run) silent() bool {
	return r.saw != nil && (r.c.Handler == nil || r.c.Handler.Return == nil)
}

// An exposer is an error that says its status and whether its text may be shown,
// as Middy's createError makes it.
type exposer struct {
	plain
	expose bool
}

func (e *exposer) Expose() bool { return e.expose }

// plain has a status only.
type plain struct {
	status  int
	message string
	header  http.Header
}

func (e *plain) Error() string        { return e.message }
func (e *plain) StatusCode() int      { return e.status }
func (e *plain) Headers() http.Header { return e.header }

// thrownValue is a value that is no error, which JavaScript can throw.
type thrownValue struct{ value any }

func (e *thrownValue) Error() string {
	if e.value == nil {
		return "null"
	}
	return fmt.Sprint(e.value)
}

func errorOf(err error) object {
	var e *web.Error
	var p interface{ StatusCode() int }
	var raw *thrownValue
	var api smithy.APIError
	switch {
	case errors.As(err, &raw):
		return object{"raw": raw.value}
	case errors.As(err, &api): // Middy's clients give the code as the text
		if api.ErrorCode() == "GoneException" {
			return object{"status": http.StatusGone, "message": api.ErrorCode()}
		}
		return object{"status": nil, "message": api.ErrorCode()}
	case errors.As(err, &e):
		status := e.Status
		if status == 0 {
			status = 500
		}
		message := e.Detail
		if message == "" {
			message = http.StatusText(status)
		}
		return object{"status": status, "message": message}
	case errors.As(err, &p) && p.StatusCode() != 0:
		return object{"status": p.StatusCode(), "message": err.Error()}
	}
	return object{"status": nil, "message": err.Error()}
}

// thrown is the error that a case throws.
func thrown(b json.RawMessage) error {
	t, _ := value(b).(object)
	if v, ok := t["value"]; ok {
		o, ok := v.(object)
		if !ok {
			return &thrownValue{v}
		}
		t = o // an object that is no Error
	}
	e := &exposer{}
	e.header = http.Header{}
	if headers, ok := t["headers"].(object); ok {
		for name, v := range headers {
			e.header.Set(name, fmt.Sprint(v))
		}
	}
	e.message, _ = t["message"].(string)
	if list, ok := t["http"].([]any); ok {
		code, _ := list[0].(float64)
		e.status, e.message, e.expose = int(code), http.StatusText(int(code)), code < 500
		if len(list) > 1 {
			e.message, _ = list[1].(string)
		}
		if len(list) > 2 {
			props, _ := list[2].(object) // of which Middy takes expose and cause, for an error's options
			if expose, ok := props["expose"].(bool); ok {
				e.expose = expose
			}
		}
		if expose, ok := t["expose"].(bool); ok {
			e.expose = expose
		}
		return e
	}
	if status, ok := t["statusCode"].(float64); ok {
		e.status = int(status)
	}
	if expose, ok := t["expose"].(bool); ok {
		e.expose = expose
		return e
	}
	if e.status == 0 {
		return errors.New(e.message)
	}
	return &e.plain
}

// scripted is the handler of a case.
func (r *run) scripted(h *conformance.Handler) http.Handler {
	if h == nil {
		h = &conformance.Handler{}
	}
	return web.HandlerFunc(func(w http.ResponseWriter, req *http.Request) error {
		r.ran++
		if h.Tag != "" {
			r.saw = object{"tag": h.Tag}
		}
		for _, facet := range h.Echo {
			if r.saw == nil {
				r.saw = object{}
			}
			v, err := r.facet(facet, req)
			if err != nil {
				return err
			}
			r.saw[facet] = v
		}
		if h.Throw != nil {
			return thrown(h.Throw)
		}
		if h.Return == nil && r.saw != nil {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		v := any("ok")
		if h.Return != nil {
			v = value(h.Return)
		}
		r.answer(w, v)
		return nil
	})
}

// answer writes what a handler of Middy returns.
func (r *run) answer(w http.ResponseWriter, v any) {
	if r.returned {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(compact(v)))
		return
	}
	status := http.StatusOK
	body := v
	if _, undefined := v.(conformance.Undefined); undefined {
		status = http.StatusInternalServerError // what Middy makes of it
	}
	if o, ok := v.(object); ok {
		code, hasStatus := o["statusCode"].(float64)
		headers, hasHeaders := o["headers"].(object)
		_, hasBody := o["body"]
		if hasStatus || hasHeaders || hasBody {
			body, status = o["body"], http.StatusInternalServerError // what Middy makes of one without a status
			if hasStatus {
				status = int(code)
			}
			for name, value := range headers {
				w.Header().Add(name, fmt.Sprint(value))
			}
		}
		if encoded, _ := o["isBase64Encoded"].(bool); encoded {
			if s, ok := body.(string); ok {
				body = decodeBase64(s)
			}
		}
		if cookies, ok := o["cookies"].([]any); ok {
			for _, c := range cookies {
				w.Header().Add("Set-Cookie", fmt.Sprint(c))
			}
		}
	}
	// Package compress leaves a body alone whose type is withheld.
	if w.Header().Get("Content-Type") == "" && r.c.Package() != "http-content-encoding" {
		w.Header()["Content-Type"] = nil // Middy does not guess; net/http would
	}
	w.WriteHeader(status)
	_, _ = w.Write(bytesOf(body))
}

func bytesOf(body any) []byte {
	switch b := body.(type) {
	case nil, conformance.Undefined:
		return nil
	case string:
		return []byte(b)
	case []byte:
		return b
	case object, []any:
		out, _ := json.Marshal(b) // it came from JSON
		return out
	}
	return fmt.Append(nil, body)
}

// facet is what the handler sees of the request, under Middy's name.
func (r *run) facet(name string, req *http.Request) (any, error) {
	if f, ok := r.facets[name]; ok {
		return f(req)
	}
	switch name {
	case "body":
		return rawBody(req)
	case "headers":
		h := object{}
		for name, values := range req.Header {
			h[name] = strings.Join(values, ", ")
		}
		return h, nil
	case "queryStringParameters":
		return query(req), nil
	case "multiValueQueryStringParameters":
		return multiQuery(req), nil
	case "pathParameters":
		e, _ := web.Event(req)
		p := object{}
		for name := range e.PathParameters {
			p[name] = req.PathValue(name)
		}
		return p, nil
	case "context":
		out := object{}
		for k, v := range r.context {
			out[k] = v
		}
		for _, f := range r.left {
			f(req, out)
		}
		return out, nil
	}
	return conformance.Undefined{}, nil
}

// query is the request's query in the form of its front door: the last value in a
// REST API, all of them with commas in an HTTP API.
func query(req *http.Request) object {
	q := object{}
	e, _ := web.Event(req)
	for name, values := range req.URL.Query() {
		q[name] = strings.Join(values, ",")
		if e.Door == web.RESTAPI || e.Door == web.HTTPAPI1 {
			q[name] = values[len(values)-1]
		}
	}
	return q
}

func multiQuery(req *http.Request) any {
	if e, _ := web.Event(req); e.Door != web.RESTAPI && e.Door != web.HTTPAPI1 {
		return conformance.Undefined{}
	}
	return plainJSON(req.URL.Query())
}

func rawBody(req *http.Request) (any, error) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return conformance.Undefined{}, nil
	}
	if utf8.Valid(b) {
		return string(b), nil
	}
	return b, nil
}
