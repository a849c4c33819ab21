package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// A BoundError says that a value is too much to look at.
type BoundError struct{ Reason string }

func (e *BoundError) Error() string { return "validate: " + e.Reason }

// normal copies a value of JSON, so that it may be coerced, with all numbers as
// json.Number. It refuses what is too deep, and numbers that no float64 holds:
// exact arithmetic with 1e999999999 would take all day.
func normal(v any, depth int) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case json.Number:
		return bounded(v)
	case float64, float32:
		f, _ := strconv.ParseFloat(fmt.Sprint(v), 64)
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, &BoundError{"a number that is not finite"}
		}
		return json.Number(number(f)), nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return json.Number(fmt.Sprint(v)), nil
	case []any:
		if depth <= 0 {
			return nil, &BoundError{"the value is nested too deeply"}
		}
		list := make([]any, len(v))
		for i, item := range v {
			var err error
			if list[i], err = normal(item, depth-1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		if depth <= 0 {
			return nil, &BoundError{"the value is nested too deeply"}
		}
		object := make(map[string]any, len(v))
		for name, member := range v {
			var err error
			if object[name], err = normal(member, depth-1); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return nil, &BoundError{fmt.Sprintf("%T is no JSON value: decode into any", v)}
}

// bounded keeps a number's digits where they are few, and otherwise its float64. What
// is too small for a float64 is 0, as the handler will have it.
func bounded(n json.Number) (json.Number, error) {
	f, err := n.Float64()
	if err != nil {
		return "", &BoundError{"a number that is out of range"}
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(n.String()), "e")
	if f == 0 || len(mantissa) > 400 { // else the exponent is not much larger
		return json.Number(number(f)), nil
	}
	return n, nil
}

// number writes a float64 as JavaScript does.
func number(f float64) string {
	if f == 0 {
		return "0"
	}
	if a := math.Abs(f); a < 1e-6 || a >= 1e21 {
		// 1e-07 and 1e+21 in Go are 1e-7 and 1e+21 in JavaScript.
		return strings.NewReplacer("e-0", "e-", "e+0", "e+").Replace(strconv.FormatFloat(f, 'e', -1, 64))
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// exact is the number without rounding. n went through normal.
func exact(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return new(big.Rat)
	}
	return r
}

// rat is what a number is judged by: an integer is exact, and anything else is the
// shortest decimal that a float64 tells apart, since a float64 is what a handler makes
// of it. Else 0.99999999999999999999 were less than 1 here and 1 there.
func rat(n json.Number) *big.Rat {
	r := exact(n)
	if r.IsInt() {
		return r
	}
	f, _ := n.Float64()
	return exact(json.Number(number(f)))
}

// decimal is a limit of a schema, as a number again.
func decimal(r *big.Rat) json.Number {
	if r.IsInt() && len(r.Num().String()) <= 21 {
		return json.Number(r.Num().String())
	}
	f, _ := r.Float64()
	return json.Number(number(f))
}

func clone(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = clone(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name := range v {
			object[name] = clone(v[name])
		}
		return object
	}
	return v
}

// spelledOnce tells whether a number has one spelling: an enum may be long, and so may a
// list of numbers.
func spelledOnce(n json.Number) bool { return n != "-0" && !strings.ContainsAny(n.String(), ".eE") }

func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		return ok && (a == n || !(spelledOnce(a) && spelledOnce(n)) && rat(a).Cmp(rat(n)) == 0)
	case []any:
		list, ok := b.([]any)
		return ok && slices.EqualFunc(a, list, equal)
	case map[string]any:
		object, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, object, equal)
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

// canonical is the same text for equal values.
func canonical(v any) string {
	var b strings.Builder
	write(&b, v)
	return b.String()
}

func write(b *strings.Builder, v any) {
	switch v := v.(type) {
	case json.Number:
		b.WriteString(rat(v).RatString())
	case string:
		b.WriteString(strconv.Quote(v))
	case []any:
		b.WriteByte('[')
		for _, item := range v {
			write(b, item)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(strconv.Quote(name))
			b.WriteByte(':')
			write(b, v[name])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	default:
		fmt.Fprint(b, v)
	}
}

// duplicates finds the pair that Ajv finds, which looks from the end, in one pass.
// For items that are known to be scalars it names them the other way around.
func duplicates(v []any, items *node) (i, j int, twice bool) {
	keys := make([]string, len(v))
	before := make([]int, len(v)) // the nearest equal item before, or -1
	last := make(map[string]int, len(v))
	for i, item := range v {
		keys[i] = canonical(item)
		before[i] = -1
		if at, ok := last[keys[i]]; ok {
			before[i] = at
		}
		last[keys[i]] = i
	}
	scalars := items != nil && len(items.types) > 0 && !slices.Contains(items.types, "object") && !slices.Contains(items.types, "array")
	if !scalars {
		for i := len(v) - 1; i >= 0; i-- {
			if before[i] >= 0 {
				return i, before[i], true
			}
		}
		return 0, 0, false
	}
	after := make(map[string]int, len(v))
	for i := len(v) - 1; i >= 0; i-- {
		if at, ok := after[keys[i]]; ok {
			return i, at, true
		}
		after[keys[i]] = i
	}
	return 0, 0, false
}

// fill puts defaults where there is nothing, null or "": Ajv's useDefaults
// "empty".
func fill(n *node, v map[string]any) {
	for _, m := range n.props {
		if m.node.Default == nil {
			continue
		}
		if have := v[m.name]; have == nil || have == "" {
			if d, err := normal(*m.node.Default, 100); err == nil {
				v[m.name] = d
			}
		}
	}
}

// coerce turns a value of another type into one of types, by the rules of Ajv's
// coerceTypes "array". A number as text is a decimal one: not 0x10, not Infinity.
func coerce(v any, types []string) (any, bool) {
	if list, _ := v.([]any); len(list) == 1 {
		v = list[0]
		if slices.ContainsFunc(types, func(t string) bool { return isType(v, t) }) {
			return v, true
		}
	}
	for _, t := range types {
		if coerced, ok := coerceTo(v, t); ok {
			return coerced, true
		}
	}
	return nil, false
}

func coerceTo(v any, t string) (any, bool) {
	switch t {
	case "string":
		return toString(v)
	case "number", "integer":
		n, ok := toNumber(v)
		if !ok || t == "integer" && !exact(n).IsInt() {
			return nil, false
		}
		return n, true
	case "boolean":
		switch {
		case v == nil, v == "false", equal(v, json.Number("0")):
			return false, true
		case v == "true", equal(v, json.Number("1")):
			return true, true
		}
	case "null":
		if v == "" || v == false || equal(v, json.Number("0")) {
			return nil, true
		}
	case "array":
		switch v.(type) {
		case []any, map[string]any:
		default:
			return []any{v}, true
		}
	}
	return nil, false
}

func toString(v any) (any, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return v.String(), true // all its digits, where JavaScript has lost some
		}
		f, err := v.Float64()
		return number(f), err == nil
	}
	return nil, false
}

func toNumber(v any) (json.Number, bool) {
	switch v := v.(type) {
	case nil:
		return "0", true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	case string:
		return parseNumber(v)
	}
	return "", false
}

// parseNumber reads a decimal number as JavaScript does, which allows spaces
// around it, a sign, and a point at either end.
func parseNumber(s string) (json.Number, bool) {
	s = strings.TrimSpace(s)
	unsigned := strings.TrimLeft(s, "+-")
	if len(s)-len(unsigned) > 1 || unsigned == "" || strings.Trim(unsigned, "0123456789.eE+-") != "" {
		return "", false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return "", false
	}
	if strings.Trim(unsigned, "0123456789") != "" {
		return json.Number(number(f)), true
	}
	digits := strings.TrimLeft(unsigned, "0")
	switch {
	case digits == "":
		return "0", true
	case len(digits) > 400:
		return json.Number(number(f)), true
	case s[0] == '-':
		return json.Number("-" + digits), true
	}
	return json.Number(digits), true
}
