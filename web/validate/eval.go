package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/jsontoken"
)

// A Finding is one way in which a value does not match its schema, in the form of
// Ajv's error objects.
type Finding struct {
	// InstancePath is a JSON pointer to the value: "/items/0/price".
	InstancePath string `json:"instancePath"`
	// SchemaPath is where the keyword stands in the schema, as a URI fragment:
	// "#/properties/items/items/properties/price/minimum". Through a $ref it is
	// the place in the schema that is referred to.
	SchemaPath string `json:"schemaPath"`
	// Keyword is what did not match.
	Keyword string `json:"keyword"`
	// Params are what the keyword's message is made of.
	Params map[string]any `json:"params"`
	// Message in English. It never has the value in it.
	Message string `json:"message"`
	// PropertyName is set when it is a name that does not match propertyNames.
	PropertyName string `json:"propertyName,omitempty"`
}

func (f Finding) String() string {
	return fmt.Sprintf("%s %s (%s)", f.InstancePath, f.Message, f.SchemaPath)
}

// place is where a value stands, without allocation while all is well.
type place struct {
	parent *place
	token  string
	root   string // for the first one
}

func (p *place) String() string {
	if p == nil {
		return ""
	}
	if p.parent == nil {
		return p.root
	}
	return p.parent.String() + "/" + pointerEncoder.Replace(p.token)
}

func (p *place) in(token string) *place { return &place{parent: p, token: token} }

// evaluation is one value on its way through a schema. The order in which
// keywords are judged is Ajv's.
type evaluation struct {
	coerce bool
	// thorough judges by all schemas of an anyOf, as jsonschema does, which will judge
	// after us and has no budget.
	thorough bool
	limit    int
	out      []found
	budget   int // of steps
	// suspects are names in the body of a request that differ only in case from those
	// that the schema knows somewhere, by their fold, and misspelt those that do so where
	// it knows them: JSON itself knows no case folding, encoding/json does.
	suspects map[string]string
	misspelt []web.FieldError
	body     bool // it is that of a request

	steps     int
	base      int    // where the findings of the innermost trial begin
	trials    int    // how many anyOf, oneOf, not, if, contains, propertyNames we are in
	depth     int    // of schemas
	property  string // the name that is judged, in propertyNames
	exhausted bool
	compared  int // pairs of numbers that jsonschema will compare, see thorough
}

// maxCompared bounds them: each pair takes some microseconds of exact arithmetic.
const maxCompared = 300_000

// found is a Finding whose texts are not made yet: most of them are dropped, since
// another schema of an anyOf matches.
type found struct {
	node     *node
	place    *place
	keyword  string
	params   map[string]any
	message  string
	property string
}

func (f found) finding() Finding {
	return Finding{
		InstancePath: f.place.String(), SchemaPath: f.node.path + "/" + f.keyword, Keyword: f.keyword,
		Params: f.params, Message: f.message, PropertyName: f.property,
	}
}

// maxSchemaDepth ends a $ref that leads to itself, and a schema that is deeper
// than any value.
const maxSchemaDepth = 2000

// budget is how many steps a value may take: enough for fifty schemas at each
// place of it. A oneOf of schemas that refer to each other doubles the work with
// each level of a value, and somebody might send sixty.
func budget(v any) int { return 100_000 + 50*size(v) }

func size(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n += size(item)
		}
	case map[string]any:
		for _, member := range v {
			n += size(member)
		}
	}
	return n
}

func (e *evaluation) full() bool { return len(e.out)-e.base >= e.limit }

func (e *evaluation) add(n *node, p *place, keyword string, params map[string]any, message string) {
	if e.full() {
		return // the innermost trial has failed, and that is all that still matters
	}
	e.out = append(e.out, found{n, p, keyword, params, message, e.property})
}

// try judges without consequences for the value. Findings stay until the caller
// drops them.
func (e *evaluation) try(judge func()) (ok bool) {
	base, mark := e.base, len(e.out)
	e.base = mark
	e.trials++
	judge()
	e.trials--
	e.base = base
	return len(e.out) == mark
}

// schema judges v and returns it, or what it was coerced to.
func (e *evaluation) schema(n *node, v any, p *place) any {
	if n == nil || e.full() {
		return v
	}
	if n.Bool != nil {
		if !*n.Bool {
			e.add(n, p, "false schema", map[string]any{}, "boolean schema is false")
		}
		return v
	}
	e.steps++
	e.depth++
	defer func() { e.depth-- }()
	if e.depth > maxSchemaDepth || e.steps > e.budget {
		e.exhausted = true
		return v
	}

	mark := len(e.out)
	v, later := e.types(n, v, p)
	v = e.any(n, v, p)
	switch v := v.(type) {
	case json.Number:
		e.number(n, v, p)
	case string:
		e.string(n, v, p)
	case []any:
		e.array(n, v, p)
	case map[string]any:
		e.object(n, v, p)
	}
	if later {
		e.wrongType(n, p)
	}
	e.reword(n, p, mark)
	return v
}

// types checks the type keyword, and coerces. later means that Ajv tells of the
// wrong type after the keywords of any type.
func (e *evaluation) types(n *node, v any, p *place) (_ any, later bool) {
	if len(n.types) == 0 || slices.ContainsFunc(n.types, func(t string) bool { return isType(v, t) }) {
		return v, false
	}
	coercible := e.coerce && !(len(n.types) == 1 && n.types[0] == "object")
	if coercible {
		if coerced, ok := coerce(v, n.types); ok {
			return coerced, false
		}
	} else if len(n.types) == 1 && n.ruled[n.types[0]] {
		return v, true
	}
	e.wrongType(n, p)
	return v, false
}

func (e *evaluation) wrongType(n *node, p *place) {
	var param any = n.types
	if len(n.types) == 1 {
		param = n.types[0]
	}
	e.add(n, p, "type", map[string]any{"type": param}, "must be "+strings.Join(n.types, ","))
}

func isType(v any, t string) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case json.Number:
		return t == "number" || t == "integer" && isInteger(v)
	case string:
		return t == "string"
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	}
	return false
}

// any judges by the keywords for values of any type.
func (e *evaluation) any(n *node, v any, p *place) any {
	v = e.schema(n.dynamic, v, p)
	v = e.schema(n.ref, v, p)
	if n.Const != nil && !equal(v, *n.Const) {
		e.add(n, p, "const", map[string]any{"allowedValue": *n.Const}, "must be equal to constant")
	}
	if _, ok := v.(json.Number); ok && n.Enum != nil && e.thorough {
		if e.compared += len(n.Enum.Values); e.compared > maxCompared {
			e.exhausted = true
		}
	}
	if n.Enum != nil && !n.enum[canonical(v)] {
		e.add(n, p, "enum", map[string]any{"allowedValues": n.Enum.Values}, "must be equal to one of the allowed values")
	}
	if n.not != nil {
		mark := len(e.out)
		ok := e.try(func() { e.schema(n.not, e.copied(v), p) })
		e.out = e.out[:mark]
		if ok {
			e.add(n, p, "not", map[string]any{}, "must NOT be valid")
		}
	}
	v = e.anyOf(n, v, p)
	v = e.oneOf(n, v, p)
	for _, s := range n.allOf {
		v = e.schema(s, v, p)
	}
	return e.conditional(n, v, p)
}

// copied is v for a trial, which may coerce it and fail.
func (e *evaluation) copied(v any) any {
	if !e.coerce {
		return v
	}
	return clone(v)
}

func (e *evaluation) anyOf(n *node, v any, p *place) any {
	if n.anyOf == nil {
		return v
	}
	mark, matched, result := len(e.out), false, v
	for _, s := range n.anyOf {
		trial := e.copied(v)
		if e.try(func() { trial = e.schema(s, trial, p) }) && !matched {
			matched, result = true, trial
		}
		if matched && !e.thorough {
			break
		}
	}
	if matched {
		e.out = e.out[:mark]
		return result
	}
	e.add(n, p, "anyOf", map[string]any{}, "must match a schema in anyOf")
	return v
}

// oneOf asks first which schemas match the value as it is. Ajv coerces it for one
// after the other, so that "5" matches an integer and then, coerced back, a
// string, and is refused.
func (e *evaluation) oneOf(n *node, v any, p *place) any {
	if n.oneOf == nil {
		return v
	}
	mark := len(e.out)
	if e.coerce {
		e.coerce = false
		_, passing := e.passing(n, v, p)
		e.coerce = true
		e.out = e.out[:mark]
		if len(passing) == 1 {
			trial := v
			e.try(func() { trial = e.schema(n.oneOf[passing[0]], v, p) }) // for what is inside
			e.out = e.out[:mark]
			return trial
		}
	}
	trial, passing := e.passing(n, v, p)
	if len(passing) == 1 {
		e.out = e.out[:mark]
		return trial
	}
	var param any // null: none
	if len(passing) > 1 {
		param = passing[:2]
	}
	e.add(n, p, "oneOf", map[string]any{"passingSchemas": param}, "must match exactly one schema in oneOf")
	return v
}

func (e *evaluation) passing(n *node, v any, p *place) (matched any, passing []int) {
	for i, s := range n.oneOf {
		trial := e.copied(v)
		if e.try(func() { trial = e.schema(s, trial, p) }) {
			matched = trial
			passing = append(passing, i)
		}
	}
	return matched, passing
}

func (e *evaluation) conditional(n *node, v any, p *place) any {
	if n.if_ == nil {
		return v
	}
	mark := len(e.out)
	ok := e.try(func() { e.schema(n.if_, e.copied(v), p) })
	e.out = e.out[:mark]
	branch, keyword := n.then, "then"
	if !ok {
		branch, keyword = n.else_, "else"
	}
	v = e.schema(branch, v, p)
	if len(e.out) > mark {
		e.add(n, p, "if", map[string]any{"failingKeyword": keyword}, fmt.Sprintf("must match %q schema", keyword))
	}
	return v
}

func (e *evaluation) number(n *node, v json.Number, p *place) {
	if !n.ruled["number"] {
		return
	}
	for _, l := range []struct {
		keyword, comparison string
		limit               *big.Rat
		wrong               func(cmp int) bool
	}{
		{"maximum", "<=", n.Maximum, func(c int) bool { return c > 0 }},
		{"minimum", ">=", n.Minimum, func(c int) bool { return c < 0 }},
		{"exclusiveMaximum", "<", n.ExclusiveMaximum, func(c int) bool { return c >= 0 }},
		{"exclusiveMinimum", ">", n.ExclusiveMinimum, func(c int) bool { return c <= 0 }},
	} {
		if l.limit != nil && l.wrong(compare(v, l.limit)) {
			limit := decimal(l.limit)
			e.add(n, p, l.keyword, map[string]any{"comparison": l.comparison, "limit": limit}, "must be "+l.comparison+" "+limit.String())
		}
	}
	if n.MultipleOf != nil && !isMultiple(v, n.MultipleOf) {
		of := decimal(n.MultipleOf)
		e.add(n, p, "multipleOf", map[string]any{"multipleOf": of}, "must be multiple of "+of.String())
	}
	e.format(n, v, p)
}

func (e *evaluation) format(n *node, v any, p *place) {
	if n.Format != nil && n.Format.Validate(v) != nil {
		e.add(n, p, "format", map[string]any{"format": n.Format.Name}, fmt.Sprintf("must match format \"%s\"", n.Format.Name))
	}
}

// sized tells of a limit of a size.
func (e *evaluation) sized(n *node, p *place, size int, maxKeyword string, most *int, minKeyword string, least *int, what string) {
	if most != nil && size > *most {
		e.add(n, p, maxKeyword, map[string]any{"limit": *most}, fmt.Sprintf("must NOT have more than %d %s", *most, what))
	}
	if least != nil && size < *least {
		e.add(n, p, minKeyword, map[string]any{"limit": *least}, fmt.Sprintf("must NOT have fewer than %d %s", *least, what))
	}
}

func (e *evaluation) string(n *node, v string, p *place) {
	if n.MaxLength != nil || n.MinLength != nil {
		e.sized(n, p, utf8.RuneCountInString(v), "maxLength", n.MaxLength, "minLength", n.MinLength, "characters")
	}
	if n.Pattern != nil && !n.Pattern.MatchString(v) {
		e.add(n, p, "pattern", map[string]any{"pattern": n.Pattern.String()}, fmt.Sprintf("must match pattern \"%s\"", n.Pattern))
	}
	e.format(n, v, p)
}

func (e *evaluation) array(n *node, v []any, p *place) {
	e.sized(n, p, len(v), "maxItems", n.MaxItems, "minItems", n.MinItems, "items")
	for i, s := range n.prefix {
		if i < len(v) {
			v[i] = e.schema(s, v[i], p.in(strconv.Itoa(i)))
		}
	}
	if n.items != nil && n.items.Bool != nil && !*n.items.Bool && len(n.prefix) > 0 {
		if len(v) > len(n.prefix) {
			e.add(n, p, "items", map[string]any{"limit": len(n.prefix)}, fmt.Sprintf("must NOT have more than %d items", len(n.prefix)))
		}
	} else if n.items != nil {
		for i := len(n.prefix); i < len(v); i++ {
			v[i] = e.schema(n.items, v[i], p.in(strconv.Itoa(i)))
		}
	}
	e.contains(n, v, p)
	if n.UniqueItems {
		if i, j, twice := duplicates(v, n.items); twice {
			e.add(n, p, "uniqueItems", map[string]any{"i": i, "j": j}, fmt.Sprintf("must NOT have duplicate items (items ## %d and %d are identical)", j, i))
		}
	}
}

func (e *evaluation) contains(n *node, v []any, p *place) {
	if n.contains == nil {
		return
	}
	least := 1
	if n.MinContains != nil {
		least = *n.MinContains
	}
	mark, count := len(e.out), 0
	for i := range v {
		trial := e.copied(v[i])
		if e.try(func() { trial = e.schema(n.contains, trial, p.in(strconv.Itoa(i))) }) {
			v[i] = trial
			count++
		}
		if n.MaxContains == nil && count >= least {
			break
		}
	}
	if count >= least && (n.MaxContains == nil || count <= *n.MaxContains) {
		e.out = e.out[:mark]
		return
	}
	params, message := map[string]any{"minContains": least}, fmt.Sprintf("must contain at least %d valid item(s)", least)
	if n.MaxContains != nil {
		params["maxContains"] = *n.MaxContains
		message = fmt.Sprintf("must contain at least %d and no more than %d valid item(s)", least, *n.MaxContains)
	}
	e.add(n, p, "contains", params, message)
}

func (e *evaluation) object(n *node, v map[string]any, p *place) {
	if e.coerce && e.trials == 0 {
		fill(n, v)
	}
	e.sized(n, p, len(v), "maxProperties", n.MaxProperties, "minProperties", n.MinProperties, "properties")
	for _, name := range n.Required {
		if _, ok := v[name]; !ok {
			e.add(n, p, "required", map[string]any{"missingProperty": name}, fmt.Sprintf("must have required property '%s'", name))
		}
	}
	if e.body && (len(e.suspects) > 0 || n.patterns != nil) {
		e.spell(n, v, p)
	}
	if n.names != nil || n.closed || n.extra != nil {
		e.named(n, v, p, slices.Sorted(maps.Keys(v)))
	}
	for _, m := range n.props {
		if value, ok := v[m.name]; ok {
			v[m.name] = e.schema(m.node, value, p.in(m.name))
		}
	}
	if n.patterns != nil {
		e.patterns(n, v, p, slices.Sorted(maps.Keys(v)))
	}
	e.dependent(n, v, p)
}

// suspect looks whether a decoder in Go may take a name for another one.
func (e *evaluation) suspect(s *Schema, name string) {
	fold := jsontoken.Fold(name)
	if known, ok := s.spelt[fold]; ok && !slices.Contains(known, name) {
		if e.suspects == nil {
			e.suspects = map[string]string{}
		}
		e.suspects[name] = fold
	}
}

// spell finds the names of an object that differ only in case from what n speaks of:
// from a name, or from what a pattern matches. A pattern may know a name that a decoder
// takes for a property; then its value must be that property's, too.
func (e *evaluation) spell(n *node, v map[string]any, p *place) {
	for name, value := range v {
		known := n.knows(name)
		if n.closed && !known || len(e.misspelt) >= e.limit {
			continue // it is a finding already
		}
		detail := ""
		fold, suspect := e.suspects[name]
		switch {
		case suspect && len(n.spelt[fold]) > 0 && !(known && e.fitsAs(n, fold, value, p)):
			detail = fmt.Sprintf("must be written %q", n.spelt[fold][0])
		case !known && slices.ContainsFunc(n.patterns, func(m member) bool { return m.fold != nil && m.fold.MatchString(name) }):
			detail = "must be written in the case of the schema's patterns"
		}
		if detail != "" {
			e.misspelt = append(e.misspelt, web.FieldError{Pointer: pointerTo(p.in(name).String()), Detail: detail})
		}
	}
}

// fitsAs tells whether a value is valid for the properties of this fold.
func (e *evaluation) fitsAs(n *node, fold string, value any, p *place) bool {
	mark := len(e.out)
	ok := e.try(func() {
		for _, m := range n.props {
			if jsontoken.Fold(m.name) == fold {
				e.schema(m.node, e.copied(value), p)
			}
		}
	})
	e.out = e.out[:mark]
	return ok
}

// named judges by the keywords that look at names: propertyNames and
// additionalProperties.
func (e *evaluation) named(n *node, v map[string]any, p *place, names []string) {
	if n.names != nil {
		for _, name := range names {
			outer := e.property
			e.property = name
			ok := e.try(func() { e.schema(n.names, name, p) })
			e.property = outer
			if !ok {
				e.add(n, p, "propertyNames", map[string]any{"propertyName": name}, "property name must be valid")
			}
		}
	}
	if !n.closed && n.extra == nil {
		return
	}
	for _, name := range names {
		if n.knows(name) {
			continue
		}
		if n.closed {
			e.add(n, p, "additionalProperties", map[string]any{"additionalProperty": name}, "must NOT have additional properties")
			continue
		}
		v[name] = e.schema(n.extra, v[name], p.in(name))
	}
}

func (n *node) knows(name string) bool {
	if _, ok := n.Properties[name]; ok {
		return true
	}
	return slices.ContainsFunc(n.patterns, func(m member) bool { return m.match.MatchString(name) })
}

func (e *evaluation) patterns(n *node, v map[string]any, p *place, names []string) {
	for _, m := range n.patterns {
		for _, name := range names {
			if m.match.MatchString(name) {
				v[name] = e.schema(m.node, v[name], p.in(name))
			}
		}
	}
}

func (e *evaluation) dependent(n *node, v map[string]any, p *place) {
	for _, m := range n.requires {
		if _, ok := v[m.name]; !ok {
			continue
		}
		for _, name := range m.names {
			if _, ok := v[name]; ok {
				continue
			}
			deps, properties := strings.Join(m.names, ", "), "properties"
			if len(m.names) == 1 {
				properties = "property"
			}
			e.add(n, p, "dependentRequired", map[string]any{"property": m.name, "missingProperty": name, "depsCount": len(m.names), "deps": deps},
				fmt.Sprintf("must have %s %s when property %s is present", properties, deps, m.name))
		}
	}
	for _, m := range n.depends {
		if _, ok := v[m.name]; ok {
			e.schema(m.node, v, p)
		}
	}
}
