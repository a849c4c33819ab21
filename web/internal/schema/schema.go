// Package schema reads what the struct tags of a typed endpoint say: where a
// field comes from, what it is called, and what its value must be.
//
// Two readers need the same answer: package web, which checks requests, and
// package openapi, which publishes the checks. Were each to read tags for itself,
// the document would promise one thing and the endpoint do another.
//
// The tags are named after the keywords of JSON Schema, so that they need no
// explanation of their own:
// https://json-schema.org/draft/2020-12/json-schema-validation
package schema

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Where a field of an input comes from: the names of the tags, in the order in
// which they are asked. Body is the whole JSON body.
const (
	Path   = "path"
	Query  = "query"
	Header = "header"
	Cookie = "cookie"
	Body   = "body"
)

var sources = []string{Path, Query, Header, Cookie, Body}

// A Field is one value of a struct.
type Field struct {
	// Name is the parameter's, or the member's in the JSON object.
	Name string
	// Index leads to it, as in [reflect.Value.FieldByIndex].
	Index []int
	Type  reflect.Type
	// Doc is what the tag doc says of it.
	Doc string
	// Quoted is encoding/json's option string.
	Quoted bool
	// Omit is encoding/json's omitempty or omitzero.
	Omit  bool
	Rules *Rules
}

// A Param is a field that does not come from the JSON object.
type Param struct {
	Field
	// In is one of Path, Query, Header, Cookie and Body.
	In string
}

// An Input is a struct as a request fills it.
type Input struct {
	Params []Param // Path, Query, Header and Cookie
	// Body is the field that takes the whole body, or nil.
	Body *Param
	// Members are the fields of the JSON object that the body is, when Body is nil.
	Members []Field
	// Request leads to the field that takes the request itself, or is nil.
	Request []int
}

var requestType = reflect.TypeFor[*http.Request]()

// InputOf reads the tags of t. Embedded structs count as part of it. A field
// without any tag is an error: it would be filled from nowhere.
func InputOf(t reflect.Type) (*Input, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("the input is %v; it must be a struct whose fields say where they come from", t)
	}
	in := &Input{}
	if err := in.params(t, nil, nil); err != nil {
		return nil, err
	}
	members, err := members(t, true)
	if err != nil {
		return nil, err
	}
	if in.Body != nil && len(members) > 0 {
		return nil, fmt.Errorf("%v has a field with the tag body, which takes the whole body, and the JSON member %q, which would be a part of it: remove one of them", t, members[0].Name)
	}
	in.Members = members
	return in, in.unique()
}

// embedded reads the fields of a struct that f embeds, in t, by value or by pointer.
func (in *Input) embedded(t reflect.Type, f reflect.StructField, at []int, above []reflect.Type) error {
	inner := embedded(f, "")
	switch {
	case slices.Contains(above, inner):
		return nil // it holds itself: encoding/json goes once around, too
	case f.Type.Kind() == reflect.Pointer && !f.IsExported():
		return fmt.Errorf("%v embeds a pointer to the unexported %v: nobody can set it", t, inner)
	}
	return in.params(inner, at, above)
}

func (in *Input) params(t reflect.Type, index []int, above []reflect.Type) error {
	above = append(above[:len(above):len(above)], t)
	var errs []error
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(index), i)
		from, name, tagged := source(f)
		_, member := f.Tag.Lookup("json")
		switch {
		case f.Type == requestType && f.IsExported() && !tagged && !member:
			in.Request = at
			continue
		case !tagged && !member && embedded(f, "") != nil:
			errs = append(errs, in.embedded(t, f, at, above))
			continue
		case !tagged && (member || !f.IsExported()):
			continue
		case !tagged:
			errs = append(errs, fmt.Errorf("%v.%s has no tag that says where it comes from: path, query, header, cookie, body or json; json:\"-\" leaves it out", t, f.Name))
			continue
		case !f.IsExported():
			errs = append(errs, fmt.Errorf("%v.%s has the tag %s and is not exported: nobody can set it", t, f.Name, from))
			continue
		}
		rules, err := rulesOf(t, f)
		p := Param{In: from, Field: Field{Name: name, Index: at, Type: f.Type, Doc: f.Tag.Get("doc"), Rules: rules}}
		switch {
		case err != nil:
			errs = append(errs, err)
		case from == Body && in.Body != nil:
			errs = append(errs, fmt.Errorf("%v has two fields with the tag body", t))
		case from == Body:
			in.Body = &p
		case name == "":
			errs = append(errs, fmt.Errorf("%v.%s: the tag %s has no name", t, f.Name, from))
		default:
			in.Params = append(in.Params, p)
		}
	}
	return errors.Join(errs...)
}

func (in *Input) unique() error {
	seen := map[string]bool{}
	for _, p := range in.Params {
		key := p.In + " " + p.Name
		if p.In == Header {
			key = strings.ToLower(key)
		}
		if seen[key] {
			return fmt.Errorf("the %s parameter %q is bound twice", p.In, p.Name)
		}
		seen[key] = true
	}
	return nil
}

func source(f reflect.StructField) (from, name string, ok bool) {
	for _, from := range sources {
		if name, ok := f.Tag.Lookup(from); ok {
			name, _, _ = strings.Cut(name, ",")
			return from, name, true
		}
	}
	return "", "", false
}

// Members are the members of the JSON object that a struct is, by encoding/json's
// rules.
func Members(t reflect.Type) ([]Field, error) { return members(t, false) }

// members leaves out, in an input, what comes from another part of the request.
func members(t reflect.Type, input bool) ([]Field, error) {
	var all []member
	if err := collect(t, nil, input, map[reflect.Type]bool{t: true}, &all); err != nil {
		return nil, err
	}
	var fields []Field
	done := map[string]bool{}
	for _, m := range all {
		if done[m.Name] {
			continue
		}
		done[m.Name] = true
		if f, ok := dominant(all, m.Name); ok {
			fields = append(fields, f)
		}
	}
	return fields, nil
}

type member struct {
	Field
	depth  int
	tagged bool
}

// dominant is the field that a name means: the shallowest one, among several of
// one depth the one that is tagged, and none when that does not decide.
func dominant(all []member, name string) (Field, bool) {
	var best []member
	for _, m := range all {
		switch {
		case m.Name != name || len(best) > 0 && (m.depth > best[0].depth || m.depth == best[0].depth && best[0].tagged && !m.tagged):
		case len(best) > 0 && m.depth == best[0].depth && m.tagged == best[0].tagged:
			best = append(best, m)
		default:
			best = []member{m}
		}
	}
	if len(best) != 1 {
		return Field{}, false
	}
	return best[0].Field, true
}

func collect(t reflect.Type, index []int, input bool, above map[reflect.Type]bool, all *[]member) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if _, _, bound := source(f); input && (bound || f.Type == requestType) {
			continue
		}
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" {
			continue
		}
		at := append(slices.Clone(index), i)
		if inner := embedded(f, name); inner != nil {
			if above[inner] {
				continue // it holds itself: encoding/json goes once around, too
			}
			if f.Type.Kind() == reflect.Pointer && !f.IsExported() {
				return fmt.Errorf("%v embeds a pointer to the unexported %v: nobody can set it", t, inner)
			}
			above[inner] = true
			err := collect(inner, at, input, above, all)
			delete(above, inner)
			if err != nil {
				return err
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		rules, err := rulesOf(t, f)
		if err != nil {
			return err
		}
		m := member{depth: len(index), tagged: name != "", Field: Field{Name: name, Index: at, Type: f.Type, Doc: f.Tag.Get("doc"), Quoted: hasOption(options, "string"), Omit: hasOption(options, "omitempty") || hasOption(options, "omitzero"), Rules: rules}}
		if name == "" {
			m.Name = f.Name
		}
		*all = append(*all, m)
	}
	return nil
}

// embedded is the struct whose fields f stands for, or nil.
func embedded(f reflect.StructField, name string) reflect.Type {
	if !f.Anonymous || name != "" {
		return nil
	}
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

func hasOption(options, option string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == option {
			return true
		}
	}
	return false
}

// A Kind is how a type looks in JSON.
type Kind int

// The kinds. Raw is anything: its type decodes itself, or is an interface.
const (
	Raw Kind = iota
	Boolean
	Integer
	Number
	String
	Array
	Object
	Map
)

var (
	timeType      = reflect.TypeFor[time.Time]()
	durationType  = reflect.TypeFor[time.Duration]()
	numberType    = reflect.TypeFor[json.Number]()
	unmarshalJSON = reflect.TypeFor[json.Unmarshaler]()
	unmarshalText = reflect.TypeFor[encoding.TextUnmarshaler]()
	marshalJSON   = reflect.TypeFor[json.Marshaler]()
	marshalText   = reflect.TypeFor[encoding.TextMarshaler]()
)

// DecodesJSON says whether t, or a pointer to it, decodes itself from JSON.
func DecodesJSON(t reflect.Type) bool { return reflect.PointerTo(t).Implements(unmarshalJSON) }

// DecodesText says whether t, or a pointer to it, decodes itself from a string.
func DecodesText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(unmarshalText) }

// IsTime, IsDuration and IsNumber tell the types that have a form of their own.
func IsTime(t reflect.Type) bool { return t == timeType }

// IsDuration reports whether t is a time.Duration.
func IsDuration(t reflect.Type) bool { return t == durationType }

// IsNumber reports whether t is a json.Number.
func IsNumber(t reflect.Type) bool { return t == numberType }

// IsBytes reports whether t is base64 in JSON.
func IsBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !DecodesText(t.Elem()) && !DecodesJSON(t.Elem())
}

// KindOf says how t looks in JSON, read or written. t is no pointer. The error
// says why it cannot be in JSON at all.
func KindOf(t reflect.Type) (Kind, error) {
	switch {
	case t == timeType:
		return String, nil
	case t == numberType:
		return Number, nil
	case DecodesJSON(t), t.Implements(marshalJSON):
		return Raw, nil
	case DecodesText(t), t.Implements(marshalText), IsBytes(t):
		return String, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return Boolean, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return Integer, nil
	case reflect.Float32, reflect.Float64:
		return Number, nil
	case reflect.String:
		return String, nil
	case reflect.Slice, reflect.Array:
		return Array, nil
	case reflect.Struct:
		return Object, nil
	case reflect.Map:
		if t.Key().Kind() == reflect.String && !DecodesText(t.Key()) {
			return Map, nil
		}
		return Raw, nil
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return Raw, nil
		}
		return 0, fmt.Errorf("%v is an interface with methods: JSON cannot say which type is meant", t)
	}
	return 0, fmt.Errorf("a %v cannot come from a request", t)
}

// Base is what t points at, through any number of pointers.
func Base(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
