package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gomiddy/middy/web/internal/pattern"
	"github.com/gomiddy/middy/web/internal/schema"
)

// A node is a schema: JSON Schema 2020-12, which OpenAPI 3.1 is a superset of.
type node struct {
	Ref                  string     `json:"$ref,omitempty"`
	Type                 any        `json:"type,omitempty"` // a string, or several
	AnyOf                []*node    `json:"anyOf,omitempty"`
	Description          string     `json:"description,omitempty"`
	Format               string     `json:"format,omitempty"`
	ContentEncoding      string     `json:"contentEncoding,omitempty"`
	Pattern              string     `json:"pattern,omitempty"`
	Enum                 []any      `json:"enum,omitempty"`
	Minimum              *float64   `json:"minimum,omitempty"`
	Maximum              *float64   `json:"maximum,omitempty"`
	ExclusiveMinimum     *float64   `json:"exclusiveMinimum,omitempty"`
	ExclusiveMaximum     *float64   `json:"exclusiveMaximum,omitempty"`
	MinLength            int        `json:"minLength,omitempty"`
	MaxLength            *int       `json:"maxLength,omitempty"`
	MinItems             int        `json:"minItems,omitempty"`
	MaxItems             *int       `json:"maxItems,omitempty"`
	MinProperties        int        `json:"minProperties,omitempty"`
	MaxProperties        *int       `json:"maxProperties,omitempty"`
	Default              any        `json:"default,omitempty"`
	Items                *node      `json:"items,omitempty"`
	Properties           properties `json:"properties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	AdditionalProperties any        `json:"additionalProperties,omitempty"` // a *node, or false
	PropertyNames        *node      `json:"propertyNames,omitempty"`

	own map[string]any // in place of all others
}

// MarshalJSON writes the schema that a type gave itself, or the fields.
func (n *node) MarshalJSON() ([]byte, error) {
	if n.own != nil {
		return json.Marshal(n.own)
	}
	type plain node
	return json.Marshal((*plain)(n))
}

// properties keep the order of the fields, which is the order of explanation.
type properties []property

type property struct {
	name   string
	schema *node
}

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.schema)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// form is where a value stands: some look otherwise in a query than in JSON.
type form int

const (
	inJSON form = iota
	inText
)

// A registry makes schemas of types, and keeps the named ones.
type registry struct {
	nodes  map[key]*node
	names  map[key]string
	taken  map[string]bool
	strict bool // unknown members are refused in what is made now
	output bool // what is made now is a result
}

// A key is a component: the same type looks otherwise where some of its fields
// come from elsewhere, where unknown members are refused, and in a result.
type key struct {
	t                     reflect.Type
	input, strict, output bool
}

func newRegistry() *registry {
	return &registry{nodes: map[key]*node{}, names: map[key]string{}, taken: map[string]bool{}}
}

func (r *registry) components() map[string]*node {
	all := make(map[string]*node, len(r.names))
	for k, name := range r.names {
		all[name] = r.nodes[k]
	}
	return all
}

// A Schemer is a type that describes itself.
type Schemer interface {
	OpenAPISchema() map[string]any
}

// node is the schema of t under the rules of the field that holds it.
func (r *registry) node(t reflect.Type, rules *schema.Rules, in form) (*node, error) {
	t = schema.Base(t)
	if own, ok := reflect.New(t).Interface().(Schemer); ok {
		return &node{own: own.OpenAPISchema()}, nil
	}
	kind, err := schema.KindOf(t)
	if err != nil {
		return nil, err
	}
	n, err := r.ofKind(t, kind, rules, in)
	if err == nil && rules != nil && rules.HasDefault {
		n = besideRef(n)
		n.Default = defaultOf(t, rules.Default)
	}
	return n, err
}

func (r *registry) ofKind(t reflect.Type, kind schema.Kind, rules *schema.Rules, in form) (*node, error) {
	switch kind {
	case schema.Boolean:
		return &node{Type: "boolean"}, nil
	case schema.Integer:
		if schema.IsDuration(t) {
			return duration(in), nil
		}
		n := integer(t)
		n.obeyNumber(rules)
		return n, nil
	case schema.Number:
		n := &node{Type: "number"}
		switch t.Kind() {
		case reflect.Float32:
			n.Format = "float"
		case reflect.Float64:
			n.Format = "double"
		}
		n.obeyNumber(rules)
		return n, nil
	case schema.String:
		n := &node{Type: "string"}
		switch {
		case schema.IsTime(t):
			n.Format = "date-time"
		case schema.IsBytes(t) && !schema.DecodesText(t):
			n.ContentEncoding = "base64"
		}
		n.obeyText(rules)
		return n, nil
	case schema.Array:
		return r.array(t, rules, in)
	case schema.Map:
		return r.mapping(t, rules, in)
	case schema.Object:
		members, err := schema.Members(t)
		if err != nil {
			return nil, err
		}
		return r.component(t, members, false)
	}
	if t.Kind() == reflect.Map && !schema.DecodesJSON(t) {
		return r.keyed(t, in)
	}
	return &node{}, nil // anything
}

// keyed is a map whose keys are text for something else. encoding/json decodes it
// whole, and takes a null for every value.
func (r *registry) keyed(t reflect.Type, in form) (*node, error) {
	values, err := r.node(t.Elem(), nil, in)
	if err != nil {
		return nil, err
	}
	n := &node{Type: "object", AdditionalProperties: orNull(values, true)}
	switch key := t.Key(); {
	case schema.DecodesText(key):
	case key.Kind() >= reflect.Int && key.Kind() <= reflect.Int64:
		n.PropertyNames = &node{Pattern: `^[-+]?[0-9]+$`}
	default:
		n.PropertyNames = &node{Pattern: `^[0-9]+$`}
	}
	return n, nil
}

func duration(in form) *node {
	if in == inText {
		return &node{Type: "string", Pattern: `^[-+]?(0|([0-9]*\.?[0-9]*(ns|us|µs|μs|ms|s|m|h))+)$`, Description: "A duration, such as 1m30s."}
	}
	return &node{Type: "integer", Format: "int64", Description: "In nanoseconds."}
}

func integer(t reflect.Type) *node {
	n := &node{Type: "integer"}
	bound := func(low, high float64) { n.Minimum, n.Maximum = &low, &high }
	switch t.Kind() {
	case reflect.Int8, reflect.Int16:
		bound(-math.Exp2(float64(t.Bits()-1)), math.Exp2(float64(t.Bits()-1))-1)
	case reflect.Int32:
		n.Format = "int32"
	case reflect.Int, reflect.Int64:
		n.Format = "int64"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		bound(0, math.Exp2(float64(t.Bits()))-1)
	default:
		zero := 0.0
		n.Minimum = &zero
	}
	return n
}

func (r *registry) array(t reflect.Type, rules *schema.Rules, in form) (*node, error) {
	items, err := r.node(t.Elem(), elementRules(rules), in)
	if err != nil {
		return nil, err
	}
	n := &node{Type: "array", Items: orNull(items, t.Elem().Kind() == reflect.Pointer && in == inJSON)}
	if rules != nil {
		n.MinItems, n.MaxItems = rules.MinItems, atMost(rules.MaxItems)
	}
	if t.Kind() == reflect.Array {
		n.MinItems, n.MaxItems = t.Len(), atMost(t.Len())
	}
	return n, nil
}

func (r *registry) mapping(t reflect.Type, rules *schema.Rules, in form) (*node, error) {
	values, err := r.node(t.Elem(), elementRules(rules), in)
	if err != nil {
		return nil, err
	}
	n := &node{Type: "object", AdditionalProperties: orNull(values, t.Elem().Kind() == reflect.Pointer)}
	if rules != nil {
		n.MinProperties, n.MaxProperties = rules.MinItems, atMost(rules.MaxItems)
	}
	return n, nil
}

// elementRules are the rules that hold for what a collection holds.
func elementRules(r *schema.Rules) *schema.Rules {
	if r == nil {
		return nil
	}
	inner := *r
	inner.MinItems, inner.MaxItems, inner.HasDefault = 0, -1, false
	return &inner
}

func atMost(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

func (n *node) obeyNumber(r *schema.Rules) {
	if r == nil {
		return
	}
	if r.Minimum != nil {
		n.Minimum = r.Minimum
	}
	if r.Maximum != nil {
		n.Maximum = r.Maximum
	}
	n.ExclusiveMinimum, n.ExclusiveMaximum = r.ExclusiveMinimum, r.ExclusiveMaximum
	for _, e := range r.Enum {
		n.Enum = append(n.Enum, json.Number(e))
	}
}

func (n *node) obeyText(r *schema.Rules) {
	if r == nil {
		return
	}
	n.MinLength, n.MaxLength = r.MinLength, atMost(r.MaxLength)
	if r.Format != "" {
		n.Format = r.Format
	}
	if r.Pattern != nil {
		n.Pattern, _ = pattern.ECMA(r.Pattern.String()) // what has no like there is left out: it would refuse good values
	}
	for _, e := range r.Enum {
		n.Enum = append(n.Enum, e)
	}
}

// component is a struct: a reference to it, when it has a name.
func (r *registry) component(t reflect.Type, members []schema.Field, input bool) (*node, error) {
	k := key{t, input, r.strict, r.output && differs(t)}
	if t.Name() == "" {
		n := &node{}
		return n, r.object(n, members)
	}
	if _, ok := r.nodes[k]; !ok {
		n := &node{}
		r.nodes[k], r.names[k] = n, r.nameOf(k)
		if err := r.object(n, members); err != nil {
			return nil, err
		}
	}
	return &node{Ref: "#/components/schemas/" + r.names[k]}, nil
}

func (r *registry) object(n *node, members []schema.Field) error {
	n.Type = "object"
	if r.strict {
		n.AdditionalProperties = false
	}
	for _, m := range members {
		s, err := r.node(m.Type, m.Rules, inJSON)
		if err != nil {
			return fmt.Errorf("the member %q: %w", m.Name, err)
		}
		if m.Quoted {
			s = &node{Type: "string", Description: "The value, as JSON in a string."}
		}
		s = orNull(s, r.mayBeNull(m))
		if m.Doc != "" {
			s = besideRef(s)
			s.Description = m.Doc
		}
		n.Properties = append(n.Properties, property{m.Name, s})
		if m.Rules.Required && !(r.output && m.Omit) {
			n.Required = append(n.Required, m.Name)
		}
	}
	return nil
}

// mayBeNull says whether the member may be null. A request must have a value where it
// is required; a result has a null for it when the function left it out.
func (r *registry) mayBeNull(m schema.Field) bool {
	return (r.output || !m.Rules.Required) && !m.Omit && !m.Quoted && nullable(m.Type)
}

// nullable says whether encoding/json writes null for the zero value.
func nullable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map:
		return true
	case reflect.Slice:
		return !schema.DecodesJSON(t)
	}
	return false
}

// differs says whether a struct looks otherwise in a result than in a request: it, or
// one in it, has a required member that may be null or missing there.
func differs(t reflect.Type) bool {
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type) bool
	walk = func(t reflect.Type) bool {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			return walk(t.Elem())
		}
		if kind, err := schema.KindOf(t); err != nil || kind != schema.Object || seen[t] {
			return false
		}
		seen[t] = true
		members, _ := schema.Members(t) // who makes the schema hears of the error
		return slices.ContainsFunc(members, func(m schema.Field) bool {
			return m.Rules.Required && !m.Quoted && (m.Omit || nullable(m.Type)) || walk(m.Type)
		})
	}
	return walk(t)
}

// orNull allows null beside what n allows.
func orNull(n *node, null bool) *node {
	switch t, ok := n.Type.(string); {
	case !null, n.own == nil && n.Ref == "" && !ok: // what allows anything allows null
		return n
	case ok:
		c := *n
		c.Type = []string{t, "null"}
		if c.Enum != nil {
			c.Enum = append(c.Enum[:len(c.Enum):len(c.Enum)], nil)
		}
		return &c
	}
	return &node{AnyOf: []*node{n, {Type: "null"}}}
}

// besideRef is a copy of n that may get keywords of its own.
func besideRef(n *node) *node {
	if n.own != nil {
		return &node{AnyOf: []*node{n}}
	}
	c := *n
	return &c
}

func defaultOf(t reflect.Type, text string) any {
	t = schema.Base(t)
	if t.Kind() == reflect.Slice && !schema.DecodesText(t) {
		var all []any
		for s := range strings.SplitSeq(text, ",") {
			all = append(all, defaultOf(t.Elem(), s))
		}
		return all
	}
	kind, _ := schema.KindOf(t) // it was asked before
	switch {
	case kind == schema.Boolean:
		return text == "true"
	case (kind == schema.Integer || kind == schema.Number) && !schema.IsDuration(t):
		return json.Number(text)
	}
	return text
}

// nameOf is the type's name, with a number when another type has it.
func (r *registry) nameOf(k key) string {
	base := strings.Map(func(c rune) rune {
		if isLetter(c) || c == '.' || c == '-' {
			return c
		}
		return '_'
	}, short(k.t.Name()))
	if k.input {
		base += "Body"
	}
	name := base
	switch {
	case r.taken[name] && k.output:
		name += "Result"
	case r.taken[name] && differs(k.t):
		name += "Input"
	}
	base = name
	for i := 2; r.taken[name]; i++ {
		name = base + strconv.Itoa(i)
	}
	r.taken[name] = true
	return name
}

// short leaves the packages out of the arguments of a generic type.
func short(name string) string {
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(c rune) bool { return c == '[' || c == ']' || c == ',' }) {
		if i := strings.LastIndexByte(part, '/'); i >= 0 {
			part = part[i+1:]
		}
		if i := strings.LastIndexByte(part, '.'); i >= 0 {
			part = part[i+1:]
		}
		if b.Len() > 0 {
			b.WriteByte('_')
		}
		b.WriteString(part)
	}
	return b.String()
}
