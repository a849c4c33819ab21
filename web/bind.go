package web

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomiddy/middy/web/internal/format"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/schema"
	"github.com/gomiddy/middy/web/internal/urlencoded"
)

// A plan is how a request becomes an input. It is made once, from the tags of the
// input's type; serving a request looks at none.
type plan struct {
	params  []binding
	request []int   // of the field that takes the request itself
	queries bool    // there is a query parameter
	body    *value  // of the field that takes the whole body
	object  *object // of the members that the body's object has
	limits  limits
}

// limits bound the body.
type limits struct {
	bytes  int64
	depth  int
	values int
	strict bool
}

// A binding fills one field from a parameter.
type binding struct {
	schema.Param
	parse parser
	// elem is set for a slice: it parses one element.
	elem parser
}

// A parser sets v to what s says, and returns what is wrong with s, or "".
type parser func(v reflect.Value, s string) (wrong string)

// newPlan says everything that is wrong with t at once.
func newPlan(t reflect.Type, l limits) (*plan, error) {
	in, err := schema.InputOf(t)
	if err != nil {
		return nil, err
	}
	p := &plan{limits: l, request: in.Request}
	var errs []error
	for _, param := range in.Params {
		b, err := newBinding(param)
		errs = append(errs, err)
		p.params = append(p.params, b)
		p.queries = p.queries || param.In == schema.Query
	}
	c := compiler{objects: map[reflect.Type]*object{}}
	if in.Body != nil {
		p.body = &value{field: in.Body.Field}
		errs = append(errs, c.fill(p.body))
	}
	if len(in.Members) > 0 {
		p.object = &object{}
		errs = append(errs, c.members(p.object, in.Members))
	}
	return p, errors.Join(errs...)
}

func newBinding(p schema.Param) (b binding, err error) {
	b.Param = p
	t := p.Type
	if t.Kind() == reflect.Slice && !schema.DecodesText(t) {
		if p.In == schema.Path || p.In == schema.Cookie {
			return b, fmt.Errorf("the %s parameter %q is a %v: there is never more than one value", p.In, p.Name, t)
		}
		b.elem, err = newParser(t.Elem(), p.Rules)
	} else {
		b.parse, err = newParser(t, p.Rules)
	}
	if err != nil {
		return b, fmt.Errorf("the %s parameter %q: %w", p.In, p.Name, err)
	}
	if p.In == schema.Path && p.Rules.HasDefault {
		return b, fmt.Errorf("the path parameter %q has a default: a path without it is another path", p.Name)
	}
	if p.Rules.HasDefault {
		if wrong := b.setDefault(reflect.New(t).Elem()); wrong != "" {
			return b, fmt.Errorf("the %s parameter %q: its own default %q %s", p.In, p.Name, p.Rules.Default, wrong)
		}
	}
	return b, nil
}

// newParser returns the parser of a type that fits into a piece of text.
func newParser(t reflect.Type, r *schema.Rules) (parser, error) {
	switch {
	case t.Kind() == reflect.Pointer:
		inner, err := newParser(t.Elem(), r)
		return func(v reflect.Value, s string) string {
			p := reflect.New(t.Elem())
			wrong := inner(p.Elem(), s)
			if wrong == "" {
				v.Set(p)
			}
			return wrong
		}, err
	case schema.IsTime(t):
		return func(v reflect.Value, s string) string {
			t, ok := format.Time(s)
			if !ok {
				return "must be " + schema.DateTime
			}
			v.Set(reflect.ValueOf(t))
			return r.Text(s)
		}, nil
	case schema.IsDuration(t):
		return func(v reflect.Value, s string) string {
			d, err := time.ParseDuration(s)
			if err != nil {
				return "must be a duration, such as 1m30s"
			}
			v.SetInt(int64(d))
			return ""
		}, nil
	case schema.DecodesText(t):
		return text(r, "is not valid"), nil
	case schema.IsNumber(t):
		return func(v reflect.Value, s string) string {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil || !decimal(s) {
				return "must be a number"
			}
			v.SetString(strings.Clone(s)) // not a piece of the body
			return r.Number(f)
		}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value, s string) string {
			v.SetString(s)
			return r.Text(s)
		}, nil
	case reflect.Bool:
		return func(v reflect.Value, s string) string {
			v.SetBool(s == "true")
			if s != "true" && s != "false" {
				return "must be true or false"
			}
			return ""
		}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(v reflect.Value, s string) string { return setInt(v, s, r) }, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(v reflect.Value, s string) string { return setUint(v, s, r) }, nil
	case reflect.Float32, reflect.Float64:
		return func(v reflect.Value, s string) string { return setFloat(v, s, r) }, nil
	}
	return nil, fmt.Errorf("a %v cannot be read from text: use a string, a bool, a number, a time.Time, a time.Duration, a type that implements encoding.TextUnmarshaler, a pointer to one of these, or in a query or header a slice of them", t)
}

// text parses a type that decodes itself.
func text(r *schema.Rules, wrong string) parser {
	return func(v reflect.Value, s string) string {
		if wrong := r.Text(s); wrong != "" {
			return wrong
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
			return wrong
		}
		return ""
	}
}

func setInt(v reflect.Value, s string, r *schema.Rules) string {
	n, err := strconv.ParseInt(s, 10, v.Type().Bits())
	if err != nil {
		return notInteger(err, -1<<(v.Type().Bits()-1), 1<<(v.Type().Bits()-1)-1)
	}
	v.SetInt(n)
	return r.Number(float64(n))
}

func setUint(v reflect.Value, s string, r *schema.Rules) string {
	n, err := strconv.ParseUint(s, 10, v.Type().Bits())
	if strings.HasPrefix(s, "-") {
		if _, negative := strconv.ParseInt(s, 10, 64); negative == nil {
			return "must be at least 0"
		}
	}
	if err != nil {
		return notInteger(err, 0, math.MaxUint64>>(64-v.Type().Bits()))
	}
	v.SetUint(n)
	return r.Number(float64(n))
}

func notInteger(err error, low int64, high uint64) string {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Sprintf("must be between %d and %d", low, high)
	}
	return "must be an integer"
}

func setFloat(v reflect.Value, s string, r *schema.Rules) string {
	f, err := strconv.ParseFloat(s, v.Type().Bits())
	switch {
	case errors.Is(err, strconv.ErrRange):
		return "is too large"
	case err != nil, !decimal(s):
		return "must be a number"
	}
	v.SetFloat(f)
	return r.Number(f)
}

// decimal leaves out what only Go calls a number: Inf, NaN, hexadecimals.
func decimal(s string) bool { return strings.Trim(s, "+-.0123456789eE") == "" }

// bind fills in, a pointer to the input, or says what is wrong: everything about
// the fields at once, as one [*Error].
func (p *plan) bind(w http.ResponseWriter, r *http.Request, in reflect.Value) error {
	var query url.Values
	if p.queries {
		query = urlencoded.Values(r.URL.RawQuery)
	}
	if p.request != nil {
		at(in, p.request).Set(reflect.ValueOf(r))
	}
	var wrong []FieldError
	for i := range p.params {
		b := &p.params[i]
		if b.In == schema.Path && r.PathValue(b.Name) == "" && !routed(r, b.Name) {
			return &Error{Err: fmt.Errorf("web: the endpoint binds the path parameter %q, and the route %q has none of that name", b.Name, r.Pattern)}
		}
		if detail := b.bind(r, query, at(in, b.Index)); detail != "" {
			wrong = append(wrong, FieldError{Parameter: b.Name, In: b.In, Detail: detail})
		}
	}
	if p.body != nil || p.object != nil {
		inBody, err := p.bindBody(w, r, in)
		if err != nil {
			return err
		}
		wrong = append(wrong, inBody...)
	}
	return invalid(wrong)
}

// routed reports whether the route may have the parameter, in the spelling of
// http.ServeMux or of package router. Other routers leave Pattern empty.
func routed(r *http.Request, name string) bool {
	return r.Pattern == "" || strings.Contains(r.Pattern, "{"+name+"}") || strings.Contains(r.Pattern, "{"+name+"...}") || strings.Contains(r.Pattern, "{"+name+"+}")
}

func (b *binding) bind(r *http.Request, query url.Values, v reflect.Value) (wrong string) {
	values := b.values(r, query)
	switch {
	case len(values) == 0 && (b.Rules.Required || b.In == schema.Path):
		return "is required"
	case len(values) == 0 && b.Rules.HasDefault:
		return b.setDefault(v)
	case len(values) == 0:
		return ""
	case b.elem != nil:
		return b.setAll(v, values)
	case b.In == schema.Header:
		return b.parse(v, strings.Join(values, ", ")) // one value, whatever the lines: RFC 9110 section 5.3
	case len(values) > 1:
		return "must be given once"
	}
	return b.parse(v, values[0])
}

func (b *binding) values(r *http.Request, query url.Values) []string {
	switch b.In {
	case schema.Path:
		if v := r.PathValue(b.Name); v != "" {
			return []string{v}
		}
	case schema.Query:
		return query[b.Name]
	case schema.Cookie:
		if c, err := r.Cookie(b.Name); err == nil {
			return []string{c.Value}
		}
	case schema.Header:
		if b.elem != nil {
			return slices.Collect(header.Elements(r.Header, b.Name))
		}
		if strings.EqualFold(b.Name, "Host") && r.Host != "" {
			return []string{r.Host} // net/http keeps it out of the map
		}
		return r.Header.Values(b.Name)
	}
	return nil
}

func (b *binding) setAll(v reflect.Value, values []string) string {
	if wrong := b.Rules.Items(len(values)); wrong != "" {
		return wrong
	}
	all := reflect.MakeSlice(v.Type(), len(values), len(values))
	for i, s := range values {
		if wrong := b.elem(all.Index(i), s); wrong != "" {
			switch {
			case len(values) > 1:
				wrong = "item " + strconv.Itoa(i+1) + " " + wrong
			case b.In == schema.Query && strings.Contains(s, ","):
				wrong += "; for several values repeat the parameter, " + b.Name + "=…&" + b.Name + "=…"
			}
			return wrong
		}
	}
	v.Set(all)
	return ""
}

// setDefault reads the default as if it had been sent: nothing is shared between
// requests. The elements of a list are separated by commas.
func (b *binding) setDefault(v reflect.Value) string {
	if b.elem != nil {
		return b.setAll(v, strings.Split(b.Rules.Default, ","))
	}
	return b.parse(v, b.Rules.Default)
}

// bindBody fills what the body is bound to.
func (p *plan) bindBody(w http.ResponseWriter, r *http.Request, in reflect.Value) ([]FieldError, error) {
	data, err := readJSON(w, r, p.limits)
	if err != nil {
		return nil, err
	}
	d := newDecoder(data, p.limits.strict)
	switch {
	case p.object != nil && len(data) == 0:
		p.object.absent(&d, in)
	case p.object != nil:
		p.object.decode(&d, in)
	case len(data) == 0:
		p.body.missing(&d, at(in, p.body.field.Index))
	default:
		p.body.decode(&d, at(in, p.body.field.Index))
	}
	return d.wrong, nil
}

// readJSON returns the body, which is JSON within the limits, or nothing.
func readJSON(w http.ResponseWriter, r *http.Request, l limits) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > 0 { // do not read what will not be used
		if err := wantJSON(r); err != nil {
			return nil, err
		}
	}
	data, err := readAll(w, r, l.bytes)
	if len(data) == 0 {
		return nil, err
	}
	if r.ContentLength < 0 {
		if err := wantJSON(r); err != nil {
			return nil, err
		}
	}
	return data, checkJSON(data, l)
}

// wantJSON refuses other media types with 415, and says which one is right:
// RFC 9110 section 15.5.16. A type that is not given is refused, too: a browser
// sends such a request across origins without asking first.
func wantJSON(r *http.Request) error {
	refuse := func(detail string) error {
		return &Error{Status: http.StatusUnsupportedMediaType, Detail: detail, Header: http.Header{"Accept": {"application/json"}}}
	}
	given := header.ContentType(r.Header)
	mediaType, utf8 := header.Media(given)
	switch {
	case given == "":
		return refuse("The request has a body and no Content-Type; send application/json.")
	case !header.IsJSON(mediaType):
		return refuse("The Content-Type is not a JSON one; send application/json.")
	case !utf8:
		return refuse("The charset of JSON is UTF-8.") // RFC 8259 section 8.1
	case header.Coding(r.Header) != "":
		return &Error{
			Status: http.StatusUnsupportedMediaType, Detail: "The body has a Content-Encoding; send it as it is.",
			Header: http.Header{"Accept-Encoding": {"identity"}}, // RFC 9110 section 12.5.3
		}
	}
	return nil
}

func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body := io.Reader(r.Body)
	if limit > 0 {
		if r.ContentLength > limit {
			return nil, tooLarge(limit)
		}
		body = http.MaxBytesReader(w, r.Body, limit)
	}
	var data []byte
	var err error
	if n := r.ContentLength; n > 0 && n <= 1<<20 {
		data = make([]byte, n)
		var got int
		got, err = io.ReadFull(body, data)
		data = data[:got]
	} else {
		data, err = io.ReadAll(body) // what a header promises is not yet there
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge(limit)
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return nil, own // of a middleware that bounds the body
	}
	if err != nil {
		return nil, &Error{Status: http.StatusBadRequest, Detail: "The body ended early.", Err: err}
	}
	return data, nil
}

func tooLarge(limit int64) error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", limit)}
}

// at is the field at index, in structs that are made where they are missing.
func at(v reflect.Value, index []int) reflect.Value {
	for _, x := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v
}

// invalid is the answer to an input with these errors, or nil without any.
func invalid(wrong []FieldError) error {
	switch n := len(wrong); {
	case n == 0:
		return nil
	case n == 1:
		return &Error{Status: http.StatusUnprocessableEntity, Detail: "One field is invalid.", Fields: wrong}
	case n >= maxWrong:
		return &Error{Status: http.StatusUnprocessableEntity, Detail: fmt.Sprintf("Many fields are invalid; these are the first %d.", n), Fields: wrong}
	default:
		return &Error{Status: http.StatusUnprocessableEntity, Detail: fmt.Sprintf("%d fields are invalid.", n), Fields: wrong}
	}
}
