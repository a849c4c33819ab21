package validate

import (
	"cmp"
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
func normal(v any, depth int, subnormal *int) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case json.Number:
		return bounded(v, subnormal)
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
			if list[i], err = normal(item, depth-1, subnormal); err != nil {
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
			if object[name], err = normal(member, depth-1, subnormal); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return nil, &BoundError{fmt.Sprintf("%T is no JSON value: decode into any", v)}
}

// maxSubnormal is how many numbers may be so close to 0 that a float64 holds them with
// fewer digits than others: to read one takes a thousand times as long.
const maxSubnormal = 1000

// bounded keeps a number's digits where they are few, and otherwise its float64. What
// is too small for a float64 is 0, as the handler will have it.
func bounded(n json.Number, subnormal *int) (json.Number, error) {
	d := exact(n)
	switch {
	case d.significand == "", d.magnitude() < -330:
		return "0", nil
	case d.subnormal():
		if *subnormal++; *subnormal > maxSubnormal {
			return "", &BoundError{"too many numbers that are next to 0"}
		}
	}
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

// A decimalValue is a number as significand × 10^exponent: no zero at either end of the
// significand, so that each number has one. It takes no arithmetic. As a fraction 1e-308
// has 308 digits, and a body has room for a hundred thousand of them.
type decimalValue struct {
	negative    bool
	significand string // "" is 0
	exponent    int
}

// exact is the number without rounding.
func exact(n json.Number) decimalValue {
	s, negative := strings.CutPrefix(n.String(), "-")
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent, _ = strconv.Atoi(s[i+1:]) // at an end of int when it is beyond
		exponent = max(-1<<30, min(exponent, 1<<30))
		s = s[:i]
	}
	if i := strings.IndexByte(s, '.'); i >= 0 {
		exponent -= len(s) - i - 1
		s = s[:i] + s[i+1:]
	}
	digits := strings.TrimRight(s, "0")
	exponent += len(s) - len(digits)
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return decimalValue{}
	}
	return decimalValue{negative, digits, exponent}
}

// magnitude is the power of ten that is next above the number.
func (d decimalValue) magnitude() int { return len(d.significand) + d.exponent }

func (d decimalValue) subnormal() bool {
	return d.magnitude() >= -330 && d.magnitude() < -306
}

func isInteger(n json.Number) bool { return exact(n).exponent >= 0 }

// judged is what a number is judged by: an integer is exact, and anything else is the
// shortest decimal that a float64 tells apart, since a float64 is what a handler makes
// of it. Else 0.99999999999999999999 were less than 1 here and 1 there.
func judged(n json.Number) json.Number {
	if isInteger(n) {
		return n
	}
	f, _ := n.Float64()
	return json.Number(number(f))
}

// compare compares a number with a limit. Rounding keeps the order, so that only what a
// float64 cannot tell apart takes exact arithmetic.
func compare(n json.Number, limit *big.Rat) int {
	f, _ := n.Float64()
	l, _ := limit.Float64()
	if f != l {
		return cmp.Compare(f, l)
	}
	return rat(n).Cmp(limit)
}

// rat is judged, for arithmetic.
func rat(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(judged(n).String())
	if !ok {
		return new(big.Rat)
	}
	return r
}

func isMultiple(n json.Number, of *big.Rat) bool {
	f, _ := n.Float64()
	if least, _ := of.Float64(); f != 0 && math.Abs(f) < least {
		return false
	}
	return new(big.Rat).Quo(rat(n), of).IsInt()
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

func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		return ok && exact(judged(a)) == exact(judged(n))
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
		d := exact(judged(v))
		fmt.Fprintf(b, "%t%se%d", d.negative, d.significand, d.exponent)
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
			if d, err := normal(*m.node.Default, 100, new(int)); err == nil {
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
		if !ok || t == "integer" && !isInteger(n) {
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
	if d := exact(json.Number(unsigned)); d.subnormal() {
		return "", false // there may be many, see maxSubnormal
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
