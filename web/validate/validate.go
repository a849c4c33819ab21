// Package validate holds requests and responses against JSON Schemas, draft
// 2020-12, and tells the client everything that is wrong, and where.
//
// Validation by hand stops at the first mistake, so that a form is corrected field
// by field; it forgets the query; and what it says is not what the API's
// description says. With a schema, the description is the check. Here a request
// is refused with one entry for each finding, in problem details, in the words
// that Ajv and so Middy's validator use:
//
//	mux.Handle("POST /orders", validate.New(validate.Config{Body: orderSchema})(createOrder))
//
//	400 {"title":"Bad Request","status":400,"detail":"The request does not match its schema.",
//	     "errors":[{"pointer":"#/items/0/price","detail":"must be >= 0"}]}
//
// Schemas are compiled once, by [New]; a bad schema is a panic at cold start, and
// [Config.Validate] reports it in a test. Nothing is ever loaded from a file or
// from the network. [Compile] judges any value apart from HTTP.
//
// # Coercion
//
// A query has no types, so parameters are always coerced: "5" for an integer. The
// rules are Ajv's, see [Schema.Coerce]. A body is coerced with [Config.Coerce], as
// Middy does. The handler finds what came of it with [FromContext].
//
// # What is checked is what the handler reads
//
// encoding/json matches names to fields in any case, and of two members for one field
// the last one counts. A schema knows a name only as it is written. So a body is
// refused with 422 when a name comes twice in one object, also in another case, and
// when a name that the schema does not know differs only in case from one that it
// knows there, or from what one of its patternProperties matches. A pattern in
// propertyNames does not do that: close such objects with additionalProperties. And a
// keyword judges only
// values of its type: beside minimum stands a type, or a null passes, which leaves a
// number in Go at 0.
//
// A parameter that comes several times is an array; where its schema speaks of text or
// numbers and not of arrays, it is refused. Read parameters from [FromContext] or
// r.URL.Query: r.FormValue prefers a form in the body, which no schema has seen.
//
// A body with a Content-Encoding is answered with 415. Nothing in this module undoes
// one: no browser sends it, and a small body that unpacks to a large one is an attack.
//
// # Differences from Middy's validator
//
//   - The client reads the findings. In Middy they stay in the error's cause.
//   - Schemas are for the parts of a request and not for the event: Body, Query, Path
//     and Header. [Compile] takes a schema for anything.
//   - A body is coerced only on demand, a response never.
//   - "0x10", "Infinity" and a string of spaces are not numbers; Ajv takes them for 16, Infinity and 0.
//   - A value that matches exactly one schema of a oneOf as it is, is valid; a schema
//     that fails in anyOf, oneOf or not leaves no coercion behind.
//   - Formats are those of the RFCs that JSON Schema names, as in the tags of
//     package web: a uuid is no URN, a date-time has no blank, a duration no gap
//     (P1Y2D), an email may be quoted. A hostname's A-labels, xn--…, are not decoded.
//   - Patterns are ECMA-262's with the flag u, as with Ajv, and run in linear time, by
//     Go's engine. What that has not is an error of [Compile]: lookaround, such as in
//     rules for passwords, backreferences, and counts above 1000. Split such a rule
//     into an allOf of patterns.
//   - The schema is of draft 2020-12: another $schema is an error, and nullable and
//     example, of OpenAPI 3.0, are unknown keywords.
//   - multipleOf is exact: 0.07 is a multiple of 0.01. Integers keep all their digits;
//     any other number is judged as the float64 that a handler makes of it.
//   - Findings about unknown properties are in the order of their names.
//   - The schemaPath of a finding behind a recursive $ref begins at the root.
//   - Ajv's strictTypes, strictTuples and strictRequired, which judge the style of a
//     schema, are not there; unknown keywords and formats are refused likewise, and
//     with them those of ajv-keywords. errorMessage of ajv-errors is there, without
//     templates, which repeat what the client sent.
package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/content"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/jsontoken"
	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/internal/response"
	"github.com/gomiddy/middy/web/internal/urlencoded"
)

// Config of [New]. Each schema is JSON text; what is empty is not validated.
type Config struct {
	// Body is for the request's body, which must be JSON.
	Body []byte
	// Query is for an object of the query's parameters. One that comes several times
	// is an array.
	Query []byte
	// Path is for an object of the path's parameters, which are those that the schema
	// names, as with Header.
	Path []byte
	// Header is for an object of the headers, those that the schema names, in properties,
	// required or dependencies, anywhere in it, by the names that it gives them.
	Header []byte
	// Response is for the body of a response below 300, which must be JSON. One that
	// does not match is a 500. Responses to HEAD and without a body are not
	// validated.
	Response []byte

	// Coerce turns values of the body into the type that its schema wants, and fills
	// in defaults. The handler then reads the body so.
	Coerce bool
	// Loose ignores keywords and formats that are not known. Otherwise they are
	// errors.
	Loose bool

	// MaxBodyBytes bounds the body. 0 is 1 MiB; more is 413.
	MaxBodyBytes int64
	// MaxDepth bounds how deep a body is nested. 0 is 64; more is 400.
	MaxDepth int
	// MaxFindings bounds how many findings each schema has. 0 is 100.
	MaxFindings int
	// MaxResponseBytes is how much of a response waits in memory to be validated. 0
	// is 6 MiB, which is what Lambda takes. A response that is larger or flushed
	// passes, and the log says so.
	MaxResponseBytes int

	// Message says a finding in other words, or in another language. nil is Ajv's
	// English.
	Message func(r *http.Request, f Finding) string
	// Log hears of responses that do not match. nil is slog.Default.
	Log *slog.Logger
}

// Validate reports every schema that does not compile, joined.
func (c Config) Validate() error {
	_, err := c.compile()
	return err
}

type schemas struct{ body, query, path, header, response *Schema }

func (c Config) compile() (schemas, error) {
	var s schemas
	var errs []error
	o := Options{Loose: c.Loose, MaxDepth: c.MaxDepth, MaxFindings: c.MaxFindings}
	for _, part := range []struct {
		name string
		text []byte
		into **Schema
	}{{"Body", c.Body, &s.body}, {"Query", c.Query, &s.query}, {"Path", c.Path, &s.path}, {"Header", c.Header, &s.header}, {"Response", c.Response, &s.response}} {
		if len(part.text) == 0 {
			continue
		}
		var err error
		if *part.into, err = Compile(part.text, o); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
		}
	}
	if c.MaxBodyBytes < 0 || c.MaxDepth < 0 || c.MaxFindings < 0 || c.MaxResponseBytes < 0 {
		errs = append(errs, errors.New("validate: MaxBodyBytes, MaxDepth, MaxFindings and MaxResponseBytes must be >= 0: a limit cannot be switched off"))
	}
	return s, errors.Join(errs...)
}

// An Input is what a request had to say, coerced.
type Input struct {
	// Body is the decoded body, nil when it is not validated. Numbers are
	// json.Number.
	Body any
	// Query, Path and Header are nil when they are not validated.
	Query, Path, Header map[string]any
}

type inputKey struct{}

// FromContext returns the validated input of the request. Read only.
func FromContext(ctx context.Context) (*Input, bool) {
	in, ok := ctx.Value(inputKey{}).(*Input)
	return in, ok
}

// An Error is the reason of a refusal, in web.Error.Err.
type Error struct {
	// Part is what did not match: request or response.
	Part string
	// Findings, by the part of the request: those of the body have an InstancePath
	// that begins at its root, the others one that begins with "query", "path" or
	// "header".
	Findings []Finding
}

func (e *Error) Error() string {
	s := fmt.Sprintf("validate: the %s does not match its schema, %d findings", e.Part, len(e.Findings))
	for _, f := range e.Findings[:min(len(e.Findings), 5)] {
		s += "; " + f.String()
	}
	return s
}

type validator struct {
	schemas
	cfg Config
}

// New returns the middleware. It compiles the schemas, and panics with the error
// of [Config.Validate]. Put it right around the handler, inside everything that
// compresses a body: path parameters are known only inside the router.
func New(cfg Config) func(http.Handler) http.Handler {
	s, err := cfg.compile()
	if err != nil {
		panic(err)
	}
	if cfg.MaxBodyBytes == 0 {
		cfg.MaxBodyBytes = 1 << 20
	}
	if cfg.MaxResponseBytes == 0 {
		cfg.MaxResponseBytes = 6 << 20
	}
	if cfg.Message == nil {
		cfg.Message = func(_ *http.Request, f Finding) string { return f.Message }
	}
	v := &validator{schemas: s, cfg: cfg}
	return func(next http.Handler) http.Handler {
		layer.Refuses("validate", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { v.serve(w, r, next) })
	}
}

func (v *validator) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	r = r.WithContext(r.Context()) // a copy: the query and the body of the original stay
	in, err := v.request(w, r)
	if err != nil {
		web.WriteError(w, r, err)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), inputKey{}, in))
	if v.response == nil || r.Method == http.MethodHead {
		next.ServeHTTP(w, r)
		return
	}
	buffer := response.NewBuffer(w, v.cfg.MaxResponseBytes)
	next.ServeHTTP(buffer, r)
	status, body, whole := buffer.Whole()
	if !whole {
		v.log().WarnContext(r.Context(), "a response was not validated: it was flushed or is larger than MaxResponseBytes", "method", r.Method, "path", r.URL.Path)
		return
	}
	if err := v.answer(w.Header(), status, body); err != nil {
		v.log().ErrorContext(r.Context(), "a response does not match its schema", "method", r.Method, "path", r.URL.Path, "error", err)
		web.WriteError(w, r, &web.Error{Status: http.StatusInternalServerError, Err: err})
		return
	}
	_ = buffer.Send(status, body) // the client has gone; there is nobody to tell
}

func (v *validator) log() *slog.Logger {
	if v.cfg.Log != nil {
		return v.cfg.Log
	}
	return slog.Default()
}

// answer judges a response.
func (v *validator) answer(h http.Header, status int, body []byte) error {
	if status >= 300 || status == http.StatusNoContent {
		return nil
	}
	if contentType := header.ContentType(h); !isJSON(contentType) {
		return fmt.Errorf("validate: the response's type is %q, and its schema is for JSON", contentType)
	}
	value, err := decode(body, v.response.options.MaxDepth, nil)
	if err != nil {
		return err
	}
	findings, err := v.response.Validate(value)
	if err != nil {
		return err
	}
	if len(findings) > 0 {
		return &Error{Part: "response", Findings: findings}
	}
	return nil
}

// request judges all parts of a request. The error is a *web.Error.
func (v *validator) request(w http.ResponseWriter, r *http.Request) (*Input, error) {
	in := &Input{}
	refused := &Error{Part: "request"}
	var fields []web.FieldError
	for _, part := range []struct {
		name   string
		schema *Schema
		read   func() (map[string]any, error)
		into   *map[string]any
	}{
		{"path", v.path, func() (map[string]any, error) { return pathOf(r, v.path.known), nil }, &in.Path},
		{"query", v.query, func() (map[string]any, error) { return queryOf(r) }, &in.Query},
		{"header", v.header, func() (map[string]any, error) { return headerOf(r, v.header.known), nil }, &in.Header},
	} {
		if part.schema == nil {
			continue
		}
		object, err := part.read()
		if err != nil {
			return nil, err
		}
		coerced, findings, err := part.schema.judge(part.schema.evaluation(true), object, part.name)
		if err != nil {
			return nil, tooMuch(err)
		}
		*part.into, _ = coerced.(map[string]any)
		refused.Findings = append(refused.Findings, findings...)
		for _, f := range findings {
			fields = append(fields, v.parameter(r, f, part.name))
		}
		fields = append(fields, repeated(object, part.schema.single, findings, part.name)...)
	}
	if v.body != nil {
		findings, err := v.judgeBody(w, r, in)
		if err != nil {
			return nil, err
		}
		refused.Findings = append(refused.Findings, findings...)
		for _, f := range findings {
			fields = append(fields, web.FieldError{Pointer: pointerOf(f), Detail: v.cfg.Message(r, f)})
		}
	}
	if len(fields) > 0 {
		return nil, &web.Error{Status: http.StatusBadRequest, Detail: "The request does not match its schema.", Fields: fields, Err: refused}
	}
	return in, nil
}

// judgeBody reads the body, and leaves it for the handler to read.
func (v *validator) judgeBody(w http.ResponseWriter, r *http.Request, in *Input) ([]Finding, error) {
	if contentType := header.ContentType(r.Header); !isJSON(contentType) {
		return nil, content.Unsupported(contentType, "application/json")
	}
	if err := content.Encoded(r.Header); err != nil {
		return nil, err
	}
	text, err := content.Read(w, r, v.cfg.MaxBodyBytes)
	if err != nil {
		return nil, err
	}
	e := v.body.evaluation(v.cfg.Coerce)
	e.body = true
	value, err := decode(text, v.body.options.MaxDepth, func(name string) { e.suspect(v.body, name) })
	if bound, ok := errors.AsType[*BoundError](err); ok {
		return nil, tooMuch(bound)
	}
	if twice, ok := errors.AsType[*jsontoken.Error](err); ok && twice.Reason == jsontoken.Duplicate {
		return nil, &web.Error{Status: http.StatusUnprocessableEntity, Detail: "The body is ambiguous: " + twice.Error() + ".", Err: err}
	}
	if err != nil {
		return nil, &web.Error{Status: http.StatusUnprocessableEntity, Detail: "The body is not valid JSON.", Err: err}
	}
	coerced, findings, err := v.body.judge(e, value, "")
	if err != nil {
		return nil, tooMuch(err)
	}
	if len(e.misspelt) > 0 {
		slices.SortFunc(e.misspelt, func(a, b web.FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
		e.misspelt = slices.Compact(e.misspelt)
		return nil, &web.Error{Status: http.StatusUnprocessableEntity, Detail: "The body is ambiguous: names differ only in case from those of its schema.", Fields: e.misspelt}
	}
	in.Body = coerced
	if v.cfg.Coerce {
		if text, err = json.Marshal(coerced); err != nil {
			return nil, err
		}
	}
	content.Replace(r, text)
	return findings, nil
}

func tooMuch(err error) error {
	detail := "The request is too much to look at."
	if e, ok := errors.AsType[*BoundError](err); ok {
		detail = strings.ToUpper(e.Reason[:1]) + e.Reason[1:] + "."
	}
	return &web.Error{Status: http.StatusBadRequest, Detail: detail, Err: err}
}

// isJSON reports whether a Content-Type is JSON in UTF-8.
func isJSON(contentType string) bool {
	mediaType, utf8 := header.Media(contentType)
	return utf8 && header.IsJSON(mediaType)
}

// decode decodes one JSON value. Its depth is counted before anything is made of
// it. With saw, which hears of every name, names must not come twice in one object.
func decode(text []byte, depth int, saw func(name string)) (any, error) {
	s := jsontoken.New(text, depth)
	s.Unique = saw != nil
	for {
		tok, err := s.Next()
		if e, ok := errors.AsType[*jsontoken.Error](err); ok && e.Reason == jsontoken.Depth {
			return nil, &BoundError{"the value is nested too deeply"}
		}
		if err != nil {
			return nil, err
		}
		if tok.Kind == jsontoken.EOF {
			break
		}
		if tok.Kind == jsontoken.Key && saw != nil {
			saw(jsontoken.Unquote(text[tok.Start:tok.End]))
		}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

// names are the parameters that a schema names, anywhere in what it says of them.
func (s *Schema) names() []string {
	var names []string
	for n := range s.root.inPlace() {
		names = append(names, slices.Concat(slices.Collect(maps.Values(n.spelt))...)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// scalars are the parameters of which the schema says something, and nothing of a
// list: pattern, format, minimum and the like are silent about one.
func (s *Schema) scalars() []string {
	judged, list := map[string]bool{}, map[string]bool{}
	for n := range s.root.inPlace() {
		for _, m := range n.props {
			for inner := range m.node.inPlace() {
				judged[m.name] = judged[m.name] || inner.ruled["string"] || inner.ruled["number"]
				list[m.name] = list[m.name] || inner.ruled["array"] || slices.Contains(inner.types, "array")
			}
		}
	}
	maps.DeleteFunc(judged, func(name string, is bool) bool { return !is || list[name] })
	return slices.Sorted(maps.Keys(judged))
}

// repeated finds parameters that came several times and slipped past their schema so:
// the handler reads the first one.
func repeated(object map[string]any, scalars []string, findings []Finding, in string) []web.FieldError {
	var fields []web.FieldError
	for _, name := range scalars {
		at := (&place{root: in}).in(name).String()
		_, several := object[name].([]any)
		if several && !slices.ContainsFunc(findings, func(f Finding) bool { return f.InstancePath == at }) {
			fields = append(fields, web.FieldError{Parameter: name, In: in, Detail: "must be given once"})
		}
	}
	return fields
}

func pathOf(r *http.Request, names []string) map[string]any {
	object := map[string]any{}
	for _, name := range names {
		if v := r.PathValue(name); v != "" {
			object[name] = v
		}
	}
	return object
}

// queryOf reads the query, and writes it anew for the handler when url.ParseQuery would
// read it in another way, or not at all.
func queryOf(r *http.Request) (map[string]any, error) {
	query := urlencoded.Values(r.URL.RawQuery)
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		plain := *r.URL
		plain.RawQuery = query.Encode()
		if _, err := url.ParseQuery(plain.RawQuery); err != nil {
			return nil, &web.Error{Status: http.StatusBadRequest, Detail: "The query has too many parameters.", Err: err}
		}
		r.URL = &plain
	}
	object := map[string]any{}
	for name, values := range query {
		object[name] = several(values)
	}
	return object, nil
}

func headerOf(r *http.Request, names []string) map[string]any {
	object := map[string]any{}
	for _, name := range names {
		values := r.Header.Values(name)
		if strings.EqualFold(name, "Host") && r.Host != "" {
			values = []string{r.Host} // net/http keeps it out of the map
		}
		if len(values) > 0 {
			object[name] = several(values)
		}
	}
	return object
}

func several(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
}

// parameter is a finding about a parameter. Its InstancePath begins with in.
func (v *validator) parameter(r *http.Request, f Finding, in string) web.FieldError {
	path := strings.TrimPrefix(f.InstancePath, in)
	name, inner, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		name = missing(f)
	} else {
		name = pointerDecoder.Replace(name)
	}
	detail := v.cfg.Message(r, f)
	if inner != "" {
		detail = inner + " " + detail
	}
	return web.FieldError{Parameter: name, In: in, Detail: detail}
}

// missing is the property that a finding of an object is about, or "".
func missing(f Finding) string {
	for _, param := range []string{"missingProperty", "additionalProperty", "propertyName", "unevaluatedProperty"} {
		if name, ok := f.Params[param].(string); ok {
			return name
		}
	}
	if errs, _ := f.Params["errors"].([]used); len(errs) == 1 && errs[0].InstancePath == f.InstancePath {
		return missing(errs[0].Finding) // reworded
	}
	return f.PropertyName
}

// pointerTo writes a JSON pointer as a URI fragment.
func pointerTo(path string) string {
	pointer := "#"
	for _, token := range strings.Split(path, "/")[1:] {
		pointer += "/" + fragment(pointerDecoder.Replace(token))
	}
	return pointer
}

// pointerOf is where the mistake must be corrected, as a URI fragment: for a
// property that is missing or too many, its own place.
func pointerOf(f Finding) string {
	pointer := pointerTo(f.InstancePath)
	if name := missing(f); name != "" {
		pointer += "/" + fragment(name)
	}
	return pointer
}
