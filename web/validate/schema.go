package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gomiddy/middy/web/internal/jsontoken"
	"github.com/gomiddy/middy/web/internal/pattern"
)

// Options of [Compile].
type Options struct {
	// Loose ignores keywords and formats that are not known, as the specification
	// has it. Otherwise they are errors: a keyword that is misspelt checks nothing.
	Loose bool
	// MaxDepth bounds how deep a value may be nested. 0 is 64.
	MaxDepth int
	// MaxFindings bounds how many findings are collected. 0 is 100.
	MaxFindings int
}

// A Schema is a compiled JSON Schema. It is immutable and safe for concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
	root     *node
	spelt    map[string][]string // of all nodes
	known    []string            // names of parameters, see names
	single   []string            // and of those that are no lists, see scalars
	options  Options
	beyond   bool // has keywords that only jsonschema judges
}

// schemaURL is where a schema seems to stand, so that a relative $ref leads to it
// or nowhere.
const schemaURL = "https://schema.invalid/schema.json"

// Compile compiles a JSON Schema of draft 2020-12. Formats are asserted. A $ref
// may lead anywhere in the schema itself, and to the meta-schemas; nothing is
// loaded. The error says what is wrong, and where.
func Compile(schema []byte, o Options) (*Schema, error) {
	if o.MaxDepth <= 0 {
		o.MaxDepth = 64
	}
	if o.MaxFindings <= 0 {
		o.MaxFindings = 100
	}
	raw, err := parseOrdered(schema)
	if err != nil {
		return nil, fmt.Errorf("validate: the schema is not JSON: %w", err)
	}
	if !o.Loose {
		var errs strict
		errs.schema(raw, "#")
		if len(errs) > 0 {
			return nil, fmt.Errorf("validate: %w", errors.Join(errs...))
		}
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("validate: the schema is not JSON: %w", err)
	}
	compiled, err := compileOnce(doc)
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	b := builder{raw: raw, nodes: map[*jsonschema.Schema]*node{}}
	root := b.node(compiled)
	if err := errors.Join(b.errs...); err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	all := map[string][]string{}
	for _, n := range b.nodes {
		for fold, names := range n.spelt {
			all[fold] = append(all[fold], names...)
		}
	}
	s := &Schema{compiled: compiled, root: root, spelt: all, options: o, beyond: b.beyond}
	s.known, s.single = s.names(), s.scalars()
	return s, nil
}

func compileOnce(doc any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(nowhere{})
	for name, check := range formats() {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: check})
	}
	// The meta-schema compiles each pattern to see that it is one, and then the schema
	// does.
	known := map[string]jsonschema.Regexp{}
	defer func() { known = nil }() // what comes later is a value of a client, with format regex
	c.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		if re := known[text]; re != nil {
			return re, nil
		}
		re, err := compilePattern(text)
		if known != nil {
			known[text] = re
		}
		return re, err
	})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// ecma is a pattern that is known by its own text.
type ecma struct {
	*regexp.Regexp
	text string
}

func (e ecma) String() string { return e.text }

func compilePattern(text string) (jsonschema.Regexp, error) {
	translated, err := pattern.Go(text)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		return nil, err
	}
	return ecma{re, text}, nil
}

// nowhere loads no schema: neither files nor URLs.
type nowhere struct{}

func (nowhere) Load(url string) (any, error) {
	return nil, fmt.Errorf("$ref leads to %s: only the schema itself may be referred to, put the other one into its $defs", url)
}

// A node is a schema with what jsonschema forgets: the order of its members, in
// which findings are told, and its place.
type node struct {
	*jsonschema.Schema
	path     string // "#/properties/a", as a URI fragment
	types    []string
	props    []member
	patterns []member
	requires []member // dependentRequired
	depends  []member // dependentSchemas
	ref      *node
	dynamic  *node
	not      *node
	if_      *node
	then     *node
	else_    *node
	anyOf    []*node
	oneOf    []*node
	allOf    []*node
	prefix   []*node
	items    *node
	contains *node
	names    *node
	extra    *node               // additionalProperties
	closed   bool                // additionalProperties: false
	spelt    map[string][]string // the names that the schema has for an object, by jsontoken.Fold
	enum     map[string]bool     // canonical
	ruled    map[string]bool
	messages *messages
}

type member struct {
	name  string
	node  *node
	match jsonschema.Regexp
	fold  *regexp.Regexp // match in any case
	names []string
}

type builder struct {
	raw   any
	nodes map[*jsonschema.Schema]*node
	// beyond is set by keywords that a node does not have.
	beyond bool
	errs   []error
}

// node builds the node of a schema, once: schemas may be recursive.
func (b *builder) node(s *jsonschema.Schema) *node {
	if s == nil {
		return nil
	}
	if n, ok := b.nodes[s]; ok {
		return n
	}
	n := &node{Schema: s, ruled: map[string]bool{}}
	b.nodes[s] = n
	at, tokens := b.locate(s.Location)
	n.path = "#"
	for _, token := range tokens {
		if token == "$defs" { // as people write it in a $ref
			n.path += "/$defs"
			continue
		}
		n.path += "/" + fragment(token)
	}
	n.types = typesOf(at, s)
	if s.DynamicRef != nil {
		n.dynamic = b.node(s.DynamicRef.Ref)
	}
	b.beyond = b.beyond || s.DynamicRef != nil || s.UnevaluatedItems != nil || s.UnevaluatedProperties != nil
	n.ref, n.not, n.if_, n.then, n.else_ = b.node(s.Ref), b.node(s.Not), b.node(s.If), b.node(s.Then), b.node(s.Else)
	n.anyOf, n.oneOf, n.allOf, n.prefix = b.all(s.AnyOf), b.all(s.OneOf), b.all(s.AllOf), b.all(s.PrefixItems)
	n.items, n.contains, n.names = b.node(s.Items2020), b.node(s.Contains), b.node(s.PropertyNames)
	if s.Enum != nil {
		n.enum = make(map[string]bool, len(s.Enum.Values))
		for _, v := range s.Enum.Values {
			n.enum[canonical(v)] = true
		}
	}
	b.members(n, at)
	n.spell()
	if at != nil && at.values["errorMessage"] != nil {
		var err error
		n.messages, err = parseMessages(at.values["errorMessage"])
		b.errs = append(b.errs, err)
	}
	n.ruled["number"] = s.Maximum != nil || s.Minimum != nil || s.ExclusiveMaximum != nil || s.ExclusiveMinimum != nil || s.MultipleOf != nil || s.Format != nil
	n.ruled["string"] = s.MaxLength != nil || s.MinLength != nil || s.Pattern != nil || s.Format != nil
	n.ruled["array"] = s.MaxItems != nil || s.MinItems != nil || s.UniqueItems || n.prefix != nil || n.items != nil || n.contains != nil || s.UnevaluatedItems != nil
	n.ruled["object"] = s.MaxProperties != nil || s.MinProperties != nil || s.Required != nil || n.names != nil || n.extra != nil || n.closed ||
		n.props != nil || n.patterns != nil || n.requires != nil || n.depends != nil || s.UnevaluatedProperties != nil
	return n
}

func (b *builder) all(list []*jsonschema.Schema) []*node {
	var nodes []*node
	for _, s := range list {
		nodes = append(nodes, b.node(s))
	}
	return nodes
}

// members adds what has names, in the order of the text.
func (b *builder) members(n *node, at *ordered) {
	switch extra := n.AdditionalProperties.(type) {
	case bool:
		n.closed = !extra
	case *jsonschema.Schema:
		n.extra = b.node(extra)
	}
	for _, name := range names(at, "properties", n.Properties) {
		n.props = append(n.props, member{name: name, node: b.node(n.Properties[name])})
	}
	patterns := map[string]member{}
	for match, s := range n.PatternProperties {
		m := member{name: match.String(), match: match, node: b.node(s)}
		if e, ok := match.(ecma); ok { // and not of a meta-schema
			m.fold = regexp.MustCompile("(?i)" + e.Regexp.String())
		}
		patterns[m.name] = m
	}
	for _, name := range names(at, "patternProperties", patterns) {
		n.patterns = append(n.patterns, patterns[name])
	}
	for _, name := range names(at, "dependentRequired", n.DependentRequired) {
		n.requires = append(n.requires, member{name: name, names: n.DependentRequired[name]})
	}
	for _, name := range names(at, "dependentSchemas", n.DependentSchemas) {
		n.depends = append(n.depends, member{name: name, node: b.node(n.DependentSchemas[name])})
	}
}

// inPlace are n and the schemas that judge the same value, at whatever depth.
func (n *node) inPlace() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		seen := map[*node]bool{nil: true}
		var walk func(n *node) bool
		walk = func(n *node) bool {
			if seen[n] {
				return true
			}
			seen[n] = true
			if !yield(n) {
				return false
			}
			inner := slices.Concat(n.allOf, n.anyOf, n.oneOf, []*node{n.ref, n.dynamic, n.not, n.if_, n.then, n.else_})
			for _, m := range n.depends {
				inner = append(inner, m.node)
			}
			return !slices.ContainsFunc(inner, func(n *node) bool { return !walk(n) })
		}
		walk(n)
	}
}

// spell collects the names that the schema says something of.
func (n *node) spell() {
	all := slices.Clone(n.Required)
	for _, m := range slices.Concat(n.props, n.requires, n.depends) {
		all = append(append(all, m.name), m.names...)
	}
	for _, v := range n.constants() {
		if object, ok := v.(map[string]any); ok {
			all = slices.AppendSeq(all, maps.Keys(object))
		}
	}
	for inner := range n.names.inPlace() {
		for _, v := range inner.constants() {
			if name, ok := v.(string); ok {
				all = append(all, name)
			}
		}
	}
	for _, name := range all {
		if n.spelt == nil {
			n.spelt = map[string][]string{}
		}
		fold := jsontoken.Fold(name)
		n.spelt[fold] = append(n.spelt[fold], name)
	}
}

// constants are the values of const and enum.
func (n *node) constants() []any {
	var values []any
	if n.Const != nil {
		values = append(values, *n.Const)
	}
	if n.Enum != nil {
		values = append(values, n.Enum.Values...)
	}
	return values
}

// names are the keys of m in the order of the text.
func names[T any](at *ordered, keyword string, m map[string]T) []string {
	var list []string
	if at != nil {
		if o, ok := at.values[keyword].(*ordered); ok {
			list = slices.DeleteFunc(slices.Clone(o.keys), func(k string) bool { _, ok := m[k]; return !ok })
		}
	}
	if len(list) == len(m) {
		return list
	}
	list = list[:0]
	for name := range m { // a meta-schema, of which there is no text
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func typesOf(at *ordered, s *jsonschema.Schema) []string {
	if s.Types == nil {
		return nil
	}
	if at != nil {
		switch t := at.values["type"].(type) {
		case string:
			return []string{t}
		case []any:
			var list []string
			for _, v := range t {
				if v, ok := v.(string); ok {
					list = append(list, v)
				}
			}
			return list
		}
	}
	return s.Types.ToStrings()
}

// locate follows a location into the text. A location in a meta-schema has none.
func (b *builder) locate(location string) (*ordered, []string) {
	base, pointer, _ := strings.Cut(location, "#")
	var tokens []string
	at := b.raw
	if base != schemaURL {
		at = nil
	}
	for _, token := range strings.Split(pointer, "/")[1:] {
		if s, err := url.PathUnescape(token); err == nil {
			token = s
		}
		token = pointerDecoder.Replace(token)
		tokens = append(tokens, token)
		switch v := at.(type) {
		case *ordered:
			at = v.values[token]
		case []any:
			i, _ := strconv.Atoi(token) // jsonschema has been there
			at = v[i]
		default:
			at = nil
		}
	}
	o, _ := at.(*ordered)
	return o, tokens
}

// The escapes of a JSON pointer's tokens: RFC 6901 section 3.
var (
	pointerEncoder = strings.NewReplacer("~", "~0", "/", "~1")
	pointerDecoder = strings.NewReplacer("~1", "/", "~0", "~")
)

// fragment writes a token of a JSON pointer as encodeURIComponent does: RFC 6901
// section 6.
func fragment(token string) string {
	var b strings.Builder
	for _, c := range []byte(pointerEncoder.Replace(token)) {
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// ordered is a JSON object with the order of its members.
type ordered struct {
	keys   []string
	values map[string]any
}

func parseOrdered(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	v, err := orderedValue(dec)
	if err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("there is more after its end")
	}
	return v, nil
}

func orderedValue(dec *json.Decoder) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := &ordered{values: map[string]any{}}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			name, _ := key.(string)
			if _, twice := o.values[name]; twice {
				return nil, fmt.Errorf("the member %q comes twice", name)
			}
			o.keys = append(o.keys, name)
			if o.values[name], err = orderedValue(dec); err != nil {
				return nil, err
			}
		}
		_, err := dec.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := orderedValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	return t, nil
}

// strict collects what Ajv's strict mode refuses as well.
type strict []error

func (s *strict) schema(raw any, path string) {
	o, ok := raw.(*ordered)
	if !ok {
		return // a boolean; anything else the meta-schema refuses
	}
	for _, key := range o.keys {
		value, at := o.values[key], path+"/"+fragment(key)
		switch key {
		case "not", "if", "then", "else", "items", "contains", "propertyNames", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "contentSchema":
			s.schema(value, at)
		case "allOf", "anyOf", "oneOf", "prefixItems":
			list, _ := value.([]any)
			for i, v := range list {
				s.schema(v, fmt.Sprintf("%s/%d", at, i))
			}
		case "properties", "patternProperties", "dependentSchemas", "$defs", "definitions":
			if m, ok := value.(*ordered); ok {
				for _, name := range m.keys {
					s.schema(m.values[name], at+"/"+fragment(name))
				}
			}
		case "format":
			if name, ok := value.(string); ok && !knownFormat(name) {
				*s = append(*s, fmt.Errorf("unknown format %q in schema at path %q", name, path))
			}
		case "$schema":
			if value != "https://json-schema.org/draft/2020-12/schema" {
				*s = append(*s, fmt.Errorf("$schema is %v: only https://json-schema.org/draft/2020-12/schema is known", value))
			}
		default:
			if !slices.Contains(plainKeywords(), key) {
				*s = append(*s, fmt.Errorf("strict mode: unknown keyword: %q at path %q", key, path))
			}
		}
	}
	if o.values["if"] != nil && o.values["then"] == nil && o.values["else"] == nil {
		*s = append(*s, fmt.Errorf(`strict mode: "if" without "then" and "else" is ignored at path %q`, path))
	}
}

// plainKeywords are those that hold no schemas.
func plainKeywords() []string {
	return []string{
		"$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment",
		"type", "const", "enum", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf",
		"maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
		"maxProperties", "minProperties", "required", "dependentRequired",
		"title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples",
		"contentMediaType", "contentEncoding",
		"errorMessage", // of ajv-errors
	}
}
