package validate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Validate judges a value of JSON: nil, bool, string, a number, []any or
// map[string]any, as [json.Unmarshal] decodes into any, and leaves it alone. No
// findings is a valid value. The error is a [*BoundError]: the value is too much
// to look at.
func (s *Schema) Validate(v any) ([]Finding, error) {
	_, findings, err := s.judge(s.evaluation(false), v, "")
	return findings, err
}

// Coerce is Validate of a copy of v that is first coerced, and filled with
// defaults, as Ajv does with coerceTypes "array" and useDefaults "empty". It
// returns the copy, with all numbers as json.Number.
//
//   - A number, boolean or null becomes a string; a decimal string, a boolean or null
//     a number; "true", "false", 1, 0 and null a boolean; "", 0 and false null.
//   - A scalar becomes an array of itself, and an array of one its only item.
//   - A default is put where a property is missing, null or "".
func (s *Schema) Coerce(v any) (any, []Finding, error) {
	return s.judge(s.evaluation(true), v, "")
}

func (s *Schema) evaluation(coerce bool) *evaluation {
	return &evaluation{coerce: coerce, thorough: s.beyond, limit: s.options.MaxFindings}
}

// judge evaluates. A schema with keywords that evaluation does not know is judged
// by jsonschema as well, which decides. root is where v stands.
func (s *Schema) judge(e *evaluation, v any, root string) (any, []Finding, error) {
	v, err := normal(v, s.options.MaxDepth, new(int))
	if err != nil {
		return nil, nil, err
	}
	e.budget = budget(v)
	v = e.schema(s.root, v, &place{root: root})
	if e.exhausted {
		return nil, nil, &BoundError{"the value takes too many steps to judge"}
	}
	var findings []Finding
	for _, f := range e.out[:min(len(e.out), s.options.MaxFindings)] {
		findings = append(findings, f.finding())
	}
	if !s.beyond {
		return v, findings, nil
	}
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](s.compiled.Validate(v)); ok {
		return v, confirm(findings, invalid, root, s.options.MaxFindings), nil
	}
	return v, nil, nil
}

// confirm adds what jsonschema found and evaluation did not: unevaluatedItems and
// unevaluatedProperties, and what a $dynamicRef leads to.
func confirm(findings []Finding, invalid *jsonschema.ValidationError, root string, limit int) []Finding {
	var more []Finding
	var leaves func(v *jsonschema.ValidationError)
	leaves = func(v *jsonschema.ValidationError) {
		for _, cause := range v.Causes {
			leaves(cause)
		}
		if len(v.Causes) == 0 {
			if f := translate(v, root); len(findings) == 0 || strings.HasPrefix(f.Keyword, "unevaluated") {
				more = append(more, f)
			}
		}
	}
	leaves(invalid)
	slices.SortFunc(more, func(a, b Finding) int {
		if c := strings.Compare(a.InstancePath, b.InstancePath); c != 0 {
			return c
		}
		return strings.Compare(a.SchemaPath+fmt.Sprint(a.Params), b.SchemaPath+fmt.Sprint(b.Params))
	})
	findings = append(findings, more...)
	return findings[:min(len(findings), limit)]
}

func translate(v *jsonschema.ValidationError, root string) Finding {
	_, pointer, _ := strings.Cut(v.SchemaURL, "#")
	path := root
	for _, token := range v.InstanceLocation {
		path += "/" + pointerEncoder.Replace(token)
	}
	keyword := pointer[strings.LastIndexByte(pointer, '/')+1:]
	if _, ok := v.ErrorKind.(*kind.FalseSchema); ok && strings.HasPrefix(keyword, "unevaluated") && len(v.InstanceLocation) > 0 {
		last := v.InstanceLocation[len(v.InstanceLocation)-1]
		f := Finding{
			InstancePath: path[:strings.LastIndexByte(path, '/')], SchemaPath: "#" + pointer, Keyword: keyword,
			Params: map[string]any{"unevaluatedProperty": last}, Message: "must NOT have unevaluated properties",
		}
		if keyword == "unevaluatedItems" {
			f.Params, f.Message = map[string]any{"index": last}, "must NOT have unevaluated items"
		}
		return f
	}
	keyword = "false schema"
	if names := v.ErrorKind.KeywordPath(); len(names) > 0 {
		keyword = names[0]
	}
	return Finding{
		InstancePath: path, SchemaPath: "#" + pointer + "/" + keyword, Keyword: keyword,
		Params: map[string]any{}, Message: fmt.Sprintf("must pass %q keyword validation", keyword),
	}
}
