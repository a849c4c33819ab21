package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web/internal/jsontoken"
	"github.com/gomiddy/middy/web/internal/schema"
)

// The body is decoded here and not by json.Unmarshal, which stops at the first
// value of a wrong type, does not say which members were there, and so can
// neither require one nor tell every mistake at once. What json.Unmarshal would
// make of a body that is accepted here is the same, but for integers that are
// written as 1.0 or 1e2; a fuzz test holds that.

// maxWrong bounds the list of errors: the answer to a request must not be larger
// than the request.
const maxWrong = 64

// checkJSON refuses with 400 what is not JSON, and what is nested too deeply;
// with 413 what has too many values.
func checkJSON(data []byte, l limits) error {
	bad := func(detail string, err error) error {
		return &Error{Status: http.StatusBadRequest, Detail: detail, Err: err}
	}
	depth, values := measure(data)
	switch {
	case depth > l.depth:
		return bad(fmt.Sprintf("The body is nested deeper than %d levels.", l.depth), nil)
	case values > l.values:
		return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body has more than %d values.", l.values)}
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return bad("The body begins with a byte order mark, which is no JSON.", nil) // RFC 8259 section 8.1
	case !utf8.Valid(data):
		return bad("The body is not UTF-8.", nil)
	case json.Valid(data):
		return nil
	}
	var any json.RawMessage
	err := json.Unmarshal(data, &any)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return bad(fmt.Sprintf("The body is not JSON: %s, at byte %d.", syntax.Error(), syntax.Offset), err)
	}
	return bad("The body is not JSON.", err)
}

// measure counts how deep the brackets go and how many values there are at most,
// without looking at anything else.
func measure(data []byte) (depth, values int) {
	level, quoted := 0, false
	values = 1
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			level++
			values++
			depth = max(depth, level)
		case c == ']' || c == '}':
			level--
		case c == ',':
			values++
		}
	}
	return depth, values
}

// A decoder goes over a text that is known to be JSON.
type decoder struct {
	data   []byte
	text   string // the same, for pieces that are only looked at
	pos    int
	strict bool
	path   []segment
	wrong  []FieldError
}

func newDecoder(data []byte, strict bool) decoder {
	d := decoder{data: data, text: string(data), strict: strict}
	d.space()
	return d
}

// A segment is one step from the root to a value: a member, or an item.
type segment struct {
	name  string
	index int // when name is ""
}

func (d *decoder) fail(detail string) {
	if len(d.wrong) < maxWrong {
		d.wrong = append(d.wrong, FieldError{Pointer: d.pointer(), Detail: detail})
	}
}

// pointer is a JSON pointer as a URI fragment: RFC 6901 section 6.
func (d *decoder) pointer() string {
	var b strings.Builder
	b.WriteByte('#')
	for _, s := range d.path {
		b.WriteByte('/')
		if s.name == "" && s.index >= 0 {
			b.WriteString(strconv.Itoa(s.index))
			continue
		}
		b.WriteString(url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(shorten(s.name))))
	}
	return b.String()
}

// shorten bounds a name that the client chose.
func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

func (d *decoder) enter(s segment) { d.path = append(d.path, s) }
func (d *decoder) leave()          { d.path = d.path[:len(d.path)-1] }

func (d *decoder) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return
		}
	}
}

func (d *decoder) peek() byte { return d.data[d.pos] }

// more steps over the opening bracket or a comma, and reports whether a member or
// an item follows; it steps over the closing bracket else.
func (d *decoder) more() bool {
	d.space()
	if c := d.peek(); c == '[' || c == '{' || c == ',' {
		d.pos++
		d.space()
	}
	if c := d.peek(); c == ']' || c == '}' {
		d.pos++
		return false
	}
	return true
}

// quoted steps over a string and returns it with its quotes.
func (d *decoder) quoted() []byte {
	start := d.pos
	for d.pos++; d.data[d.pos] != '"'; d.pos++ {
		if d.data[d.pos] == '\\' {
			d.pos++
		}
	}
	d.pos++
	return d.data[start:d.pos]
}

// literal steps over a number, true, false or null.
func (d *decoder) literal() string {
	start := d.pos
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return d.text[start:d.pos]
		}
		d.pos++
	}
	return d.text[start:]
}

// str steps over a string and returns what it says. It may be a piece of the text.
func (d *decoder) str() string {
	start := d.pos
	q := d.quoted()
	if bytes.IndexByte(q, '\\') < 0 {
		return d.text[start+1 : d.pos-1]
	}
	return unquote(q)
}

// raw steps over any value.
func (d *decoder) raw() []byte {
	start, level := d.pos, 0
	for {
		switch d.peek() {
		case '"':
			d.quoted()
		case '[', '{':
			level++
			d.pos++
		case ']', '}':
			level--
			d.pos++
		case ',', ':', ' ', '\t', '\r', '\n':
			d.pos++
			continue
		default:
			d.literal()
		}
		if level == 0 {
			return d.data[start:d.pos]
		}
	}
}

func unquote(q []byte) string {
	if bytes.IndexByte(q, '\\') < 0 {
		return string(q[1 : len(q)-1])
	}
	var s string
	_ = json.Unmarshal(q, &s) // it is a JSON string
	return s
}

// A node decodes the value at the decoder's place into v.
type node func(d *decoder, v reflect.Value)

// A value is a field of an object, or the body.
type value struct {
	field  schema.Field
	decode node
	// null says that the type itself knows what to make of a null.
	null bool
	// preset sets the default, or is nil.
	preset func(v reflect.Value)
	// inner is set for a struct that is there even if its member is not.
	inner *object
}

// missing is called when a value is not in the body.
func (f *value) missing(d *decoder, v reflect.Value) {
	whole := len(d.path) == 0
	switch {
	case whole && (f.field.Rules.Required || v.Kind() != reflect.Pointer) && f.preset == nil:
		d.fail("a JSON body is required")
	case f.field.Rules.Required:
		d.fail("is required")
	case f.preset != nil:
		f.preset(v)
	case f.inner != nil:
		f.inner.preset(v)
	}
}

// An object decodes a struct.
type object struct {
	values []value
	byName map[string]int
}

// preset sets the defaults.
func (o *object) preset(v reflect.Value) {
	for i := range o.values {
		switch f := &o.values[i]; {
		case f.preset != nil:
			f.preset(at(v, f.field.Index))
		case f.inner != nil:
			f.inner.preset(at(v, f.field.Index))
		}
	}
}

// absent is decode of an object that is not there at all.
func (o *object) absent(d *decoder, v reflect.Value) {
	for i := range o.values {
		o.missing(d, v, &o.values[i])
	}
}

func (o *object) missing(d *decoder, v reflect.Value, f *value) {
	if !f.field.Rules.Required && f.preset == nil && f.inner == nil {
		return
	}
	d.enter(segment{name: f.field.Name})
	f.missing(d, at(v, f.field.Index))
	d.leave()
}

func (o *object) decode(d *decoder, v reflect.Value) {
	if d.peek() != '{' {
		d.fail("must be an object")
		d.raw()
		return
	}
	var few [32]sight
	seen := few[:]
	if len(o.values) > len(few) {
		seen = make([]sight, len(o.values))
	}
	for d.more() {
		key := d.quoted()
		d.space()
		d.pos++ // the colon
		d.space()
		i, name := o.find(key)
		if i < 0 {
			o.unknown(d, name)
			continue
		}
		o.member(d, v, &o.values[i], &seen[i])
	}
	for i := range o.values {
		if seen[i] != given {
			o.missing(d, v, &o.values[i])
		}
	}
}

// find looks a name up as encoding/json does: as it is, or else in any case.
func (o *object) find(key []byte) (int, string) {
	if bytes.IndexByte(key, '\\') < 0 {
		if i, ok := o.byName[string(key[1:len(key)-1])]; ok {
			return i, ""
		}
	}
	name := unquote(key)
	if i, ok := o.byName[name]; ok {
		return i, name
	}
	for i := range o.values {
		if strings.EqualFold(o.values[i].field.Name, name) {
			return i, name
		}
	}
	return -1, name
}

func (o *object) unknown(d *decoder, name string) {
	if d.strict {
		d.enter(segment{name: name, index: -1})
		d.fail("is not known here")
		d.leave()
	}
	d.raw()
}

// A sight says whether a member was in the object.
type sight byte

const (
	absent sight = iota
	null         // the same as absent where the type has no null
	given
)

func (o *object) member(d *decoder, v reflect.Value, f *value, seen *sight) {
	d.enter(segment{name: f.field.Name})
	defer d.leave()
	switch {
	case *seen != absent:
		// Of two values, one would be checked by one reader and used by another.
		d.fail("is given twice")
		d.raw()
		*seen = given
	case d.peek() == 'n' && !f.null:
		d.raw()
		*seen = null
	default:
		f.decode(d, at(v, f.field.Index))
		*seen = given
	}
}

// A compiler makes nodes. Structs are made once for each type, so that a type may
// contain itself.
type compiler struct{ objects map[reflect.Type]*object }

func (c *compiler) members(o *object, fields []schema.Field) error {
	o.byName = make(map[string]int, len(fields))
	o.values = make([]value, len(fields))
	var errs []error
	for i, f := range fields {
		o.byName[f.Name] = i
		o.values[i].field = f
		if err := c.fill(&o.values[i]); err != nil {
			errs = append(errs, fmt.Errorf("the JSON member %q: %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

// fill makes the node of a field, and its default.
func (c *compiler) fill(f *value) (err error) {
	t := f.field.Type
	if f.decode, err = c.node(t, f.field.Rules); err != nil {
		return err
	}
	if f.field.Quoted {
		f.decode = inString(f.decode)
	}
	kind, err := schema.KindOf(schema.Base(t))
	if err != nil {
		return err
	}
	f.null = kind == schema.Raw && t.Kind() != reflect.Pointer
	f.inner = c.objects[t] // nil for what is no struct
	if !f.field.Rules.HasDefault {
		return nil
	}
	b, err := newBinding(schema.Param{In: schema.Query, Field: f.field})
	if err != nil {
		return err
	}
	f.preset = func(v reflect.Value) { b.setDefault(v) }
	return nil
}

// inString decodes what stands in a string: encoding/json's option string.
func inString(decode node) node {
	return func(d *decoder, v reflect.Value) {
		if d.peek() != '"' {
			d.fail("must be a string that holds the value")
			d.raw()
			return
		}
		inner := []byte(d.str())
		if !json.Valid(inner) || bytes.TrimSpace(inner)[0] == 'n' {
			d.fail("must be a string that holds the value")
			return
		}
		sub := newDecoder(inner, d.strict)
		sub.path, sub.wrong = d.path, d.wrong
		decode(&sub, v)
		d.wrong = sub.wrong
	}
}

func (c *compiler) node(t reflect.Type, r *schema.Rules) (node, error) {
	if t.Kind() == reflect.Pointer {
		return c.pointer(t, r)
	}
	kind, err := schema.KindOf(t)
	if err != nil {
		return nil, err
	}
	switch kind {
	case schema.Raw:
		return raw, nil
	case schema.Boolean:
		return boolean, nil
	case schema.Integer, schema.Number:
		return numeric(t, kind, r)
	case schema.String:
		return c.text(t, r)
	case schema.Array:
		return c.array(t, r)
	case schema.Map:
		return c.mapping(t, r)
	default:
		o, err := c.object(t)
		if err != nil {
			return nil, err
		}
		return o.decode, nil
	}
}

func (c *compiler) object(t reflect.Type) (*object, error) {
	if o, ok := c.objects[t]; ok {
		return o, nil
	}
	fields, err := schema.Members(t)
	if err != nil {
		return nil, err
	}
	o := &object{}
	c.objects[t] = o
	return o, c.members(o, fields)
}

func (c *compiler) pointer(t reflect.Type, r *schema.Rules) (node, error) {
	inner, err := c.node(t.Elem(), r)
	return func(d *decoder, v reflect.Value) {
		if d.peek() == 'n' {
			d.raw()
			return
		}
		p := reflect.New(t.Elem())
		inner(d, p.Elem())
		v.Set(p)
	}, err
}

// raw lets the type decode itself. It may match names to fields in any case, or keep
// the text for somebody who does, and so nothing in it may be given twice.
func raw(d *decoder, v reflect.Value) {
	text := d.raw()
	if text[0] == '{' || text[0] == '[' {
		if jsontoken.Unique(text) != nil {
			d.fail("has a name that is given twice")
			return
		}
	}
	if err := json.Unmarshal(text, v.Addr().Interface()); err != nil {
		d.fail("is not valid")
	}
}

func boolean(d *decoder, v reflect.Value) {
	switch d.peek() {
	case 't', 'f':
		v.SetBool(d.literal()[0] == 't')
	default:
		d.fail("must be true or false")
		d.raw()
	}
}

func numeric(t reflect.Type, kind schema.Kind, r *schema.Rules) (node, error) {
	if t.Kind() == reflect.Uintptr {
		return nil, fmt.Errorf("a %v cannot come from a request", t)
	}
	want := "must be a number"
	parse, err := parser(nil), error(nil)
	switch {
	case kind == schema.Number:
		parse, err = newParser(t, r)
	case schema.IsDuration(t):
		want = "must be an integer, in nanoseconds" // as encoding/json has it
		parse = func(v reflect.Value, s string) string { return setInt(v, withoutFraction(s), r) }
	default:
		want = "must be an integer"
		var plain parser
		plain, err = newParser(t, r)
		parse = func(v reflect.Value, s string) string { return plain(v, withoutFraction(s)) }
	}
	return func(d *decoder, v reflect.Value) {
		if c := d.peek(); c != '-' && (c < '0' || c > '9') {
			d.fail(want)
			d.raw()
			return
		}
		if wrong := parse(v, d.literal()); wrong != "" {
			d.fail(wrong)
		}
	}, err
}

// withoutFraction writes 1.0 and 1e2, which JSON Schema calls integers, as such.
// encoding/json takes neither; Python writes the first one.
func withoutFraction(s string) string {
	if !strings.ContainsAny(s, ".eE") {
		return s
	}
	if mantissa, _, _ := strings.Cut(strings.ToLower(s), "e"); strings.Trim(mantissa, "-0.") == "" {
		return "0"
	}
	f, _ := strconv.ParseFloat(s, 64)
	if len(s) > 64 || math.Abs(f) >= 1<<64 || math.Abs(f) < 1 {
		return s // no integer, or more digits than one has: exact arithmetic is slow, and for 1e-999999 very slow
	}
	if r, _ := new(big.Rat).SetString(s); r.IsInt() { // a float64 has lost digits
		return r.Num().String()
	}
	return s
}

func (c *compiler) text(t reflect.Type, r *schema.Rules) (node, error) {
	var parse parser
	var err error
	if schema.IsBytes(t) && !schema.DecodesText(t) {
		parse = func(v reflect.Value, s string) string {
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				return "must be base64"
			}
			v.SetBytes(b)
			return r.Text(s)
		}
	} else {
		parse, err = newParser(t, r)
	}
	return func(d *decoder, v reflect.Value) {
		if d.peek() != '"' {
			d.fail("must be a string")
			d.raw()
			return
		}
		said := d.str()
		if t.Kind() == reflect.String {
			said = strings.Clone(said) // it stays, and the body should not stay with it
		}
		if wrong := parse(v, said); wrong != "" {
			d.fail(wrong)
		}
	}, err
}

func (c *compiler) array(t reflect.Type, r *schema.Rules) (node, error) {
	elem, err := c.element(t.Elem(), r)
	if err != nil {
		return nil, err
	}
	return func(d *decoder, v reflect.Value) {
		if d.peek() != '[' {
			d.fail("must be an array")
			d.raw()
			return
		}
		most := r.MaxItems
		if t.Kind() == reflect.Array {
			most = t.Len()
		} else {
			v.Set(reflect.MakeSlice(t, 0, 0))
		}
		n := 0
		for ; d.more(); n++ {
			if most >= 0 && n >= most {
				d.raw() // nobody will see it
				continue
			}
			if t.Kind() == reflect.Slice {
				v.Grow(1)
				v.SetLen(n + 1)
			}
			d.enter(segment{index: n})
			elem(d, v.Index(n))
			d.leave()
		}
		if wrong := r.Items(n); wrong != "" {
			d.fail(wrong)
		} else if t.Kind() == reflect.Array && n != t.Len() {
			d.fail(fmt.Sprintf("must have %d items", t.Len()))
		}
	}, nil
}

// element is the node of an item, which must not be null unless its type has a
// null.
func (c *compiler) element(t reflect.Type, r *schema.Rules) (node, error) {
	inner := *r
	inner.MinItems, inner.MaxItems = 0, -1 // the outermost collection obeyed them
	decode, err := c.node(t, &inner)
	if err != nil {
		return nil, err
	}
	kind, err := schema.KindOf(schema.Base(t))
	if err != nil {
		return nil, err
	}
	if kind == schema.Raw || t.Kind() == reflect.Pointer {
		return decode, nil
	}
	return func(d *decoder, v reflect.Value) {
		if d.peek() == 'n' {
			d.fail("must not be null")
			d.raw()
			return
		}
		decode(d, v)
	}, nil
}

func (c *compiler) mapping(t reflect.Type, r *schema.Rules) (node, error) {
	elem, err := c.element(t.Elem(), r)
	if err != nil {
		return nil, err
	}
	return func(d *decoder, v reflect.Value) {
		if d.peek() != '{' {
			d.fail("must be an object")
			d.raw()
			return
		}
		v.Set(reflect.MakeMap(t))
		n := 0
		for ; d.more(); n++ {
			name := strings.Clone(d.str())
			d.space()
			d.pos++ // the colon
			d.space()
			if r.MaxItems >= 0 && n >= r.MaxItems {
				d.raw()
				continue
			}
			key := reflect.ValueOf(name).Convert(t.Key())
			item := reflect.New(t.Elem()).Elem()
			d.enter(segment{name: name, index: -1})
			if v.MapIndex(key).IsValid() {
				d.fail("is given twice")
				d.raw()
			} else {
				elem(d, item)
				v.SetMapIndex(key, item)
			}
			d.leave()
		}
		if wrong := r.Items(n); wrong != "" {
			d.fail(wrong)
		}
	}, nil
}
