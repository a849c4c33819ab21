package schema

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web/internal/format"
)

// Rules are the constraints of one field. A rule that a slice or a map cannot
// obey itself holds for its elements: `maxItems:"5" maxLength:"20"` on a []string
// is at most five strings of at most twenty characters.
type Rules struct {
	Required bool
	// Minimum and Maximum are nil without a bound. Numbers.
	Minimum, Maximum *float64
	// ExclusiveMinimum and ExclusiveMaximum are nil without a bound. Numbers.
	ExclusiveMinimum, ExclusiveMaximum *float64
	// MinLength and MaxLength count characters; MaxLength is -1 without a bound.
	MinLength, MaxLength int
	// Pattern is not anchored: it must say ^ and $ itself.
	Pattern *regexp.Regexp
	// Enum are the allowed values as text.
	Enum   []string
	Format string
	// MinItems and MaxItems are for slices, arrays and maps; MaxItems is -1
	// without a bound.
	MinItems, MaxItems int
	// Default is the value, as text, of a field that is not in the request.
	Default    string
	HasDefault bool

	minText, maxText, exMinText, exMaxText string
	numbers                                []float64 // Enum's, when all are numbers
}

// keywords are the kinds that a keyword can judge. What is not here fits all.
var keywords = map[string][]Kind{
	"minimum":          {Integer, Number},
	"maximum":          {Integer, Number},
	"exclusiveMinimum": {Integer, Number},
	"exclusiveMaximum": {Integer, Number},
	"minLength":        {String},
	"maxLength":        {String},
	"pattern":          {String},
	"format":           {String},
	"enum":             {String, Integer, Number},
	"minItems":         {Array, Map},
	"maxItems":         {Array, Map},
}

// rulesOf reads the tags of f, a field of t.
func rulesOf(t reflect.Type, f reflect.StructField) (*Rules, error) {
	r := &Rules{MaxLength: -1, MaxItems: -1}
	var errs []error
	for _, keyword := range []string{
		"required", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength",
		"pattern", "enum", "format", "minItems", "maxItems", "default",
	} {
		text, ok := f.Tag.Lookup(keyword)
		if !ok {
			continue
		}
		err := fits(keyword, f.Type)
		if err == nil {
			err = r.set(keyword, text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%v.%s: the tag %s:%q: %w", t, f.Name, keyword, text, err))
		}
	}
	if kind := elementKind(f.Type); (kind == Integer || kind == Number) && len(r.numbers) < len(r.Enum) {
		errs = append(errs, fmt.Errorf("%v.%s: the tag enum:%q: they must be numbers, as the field is, and below 2^53", t, f.Name, f.Tag.Get("enum")))
	}
	if r.Required && r.HasDefault {
		errs = append(errs, fmt.Errorf("%v.%s is required and has a default: the default would never be used", t, f.Name))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return r, nil
}

// elementKind is the kind of t, or of what it is a collection of. Raw is also what
// cannot be in JSON.
func elementKind(t reflect.Type) Kind {
	for {
		t = Base(t)
		kind, err := KindOf(t)
		if err != nil || kind != Array && kind != Map {
			return kind
		}
		t = t.Elem()
	}
}

// fits says whether a keyword means anything for t or its elements: a rule that
// is never checked is worse than none.
func fits(keyword string, t reflect.Type) error {
	kinds, ok := keywords[keyword]
	if !ok {
		return nil
	}
	t = Base(t)
	for {
		kind, err := KindOf(t)
		if err != nil {
			return err
		}
		if slices.Contains(kinds, kind) && !IsDuration(t) {
			return nil
		}
		if kind != Array && kind != Map {
			return fmt.Errorf("it means nothing for a %v", t)
		}
		t = Base(t.Elem())
	}
}

func (r *Rules) set(keyword, text string) (err error) {
	switch keyword {
	case "required":
		r.Required, err = strconv.ParseBool(text)
	case "minimum":
		r.minText = text
		r.Minimum, err = number(text)
	case "maximum":
		r.maxText = text
		r.Maximum, err = number(text)
	case "exclusiveMinimum":
		r.exMinText = text
		r.ExclusiveMinimum, err = number(text)
	case "exclusiveMaximum":
		r.exMaxText = text
		r.ExclusiveMaximum, err = number(text)
	case "minLength":
		r.MinLength, err = count(text)
	case "maxLength":
		r.MaxLength, err = count(text)
	case "minItems":
		r.MinItems, err = count(text)
	case "maxItems":
		r.MaxItems, err = count(text)
	case "pattern":
		r.Pattern, err = regexp.Compile(text)
	case "enum":
		r.Enum = strings.Split(text, ",")
		for _, e := range r.Enum {
			if f, err := number(e); err == nil {
				r.numbers = append(r.numbers, *f)
			}
		}
	case "format":
		r.Format = text
		if format.Check(text) == nil {
			err = fmt.Errorf("the format must be one of %s; for another one use pattern", strings.Join(slices.Sorted(slices.Values(format.Names())), ", "))
		}
	case "default":
		r.Default, r.HasDefault = text, true
	}
	return err
}

func number(text string) (*float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("it must be a number")
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && int64(f) != i || math.Abs(f) >= 1<<53 {
		return nil, errors.New("the number is too large to be compared exactly: keep it below 2^53")
	}
	return &f, nil
}

func count(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errors.New("it must be a count, 0 or more")
	}
	return n, nil
}

// Number says what is wrong with a number, or "". An integer that f has rounded is
// beyond all limits, and f is as well.
func (r *Rules) Number(f float64) string {
	switch {
	case r.Minimum != nil && f < *r.Minimum:
		return "must be at least " + r.minText
	case r.Maximum != nil && f > *r.Maximum:
		return "must be at most " + r.maxText
	case r.ExclusiveMinimum != nil && f <= *r.ExclusiveMinimum:
		return "must be more than " + r.exMinText
	case r.ExclusiveMaximum != nil && f >= *r.ExclusiveMaximum:
		return "must be less than " + r.exMaxText
	case r.Enum != nil && !slices.Contains(r.numbers, f):
		return r.oneOf()
	}
	return ""
}

func (r *Rules) oneOf() string { return "must be one of " + strings.Join(r.Enum, ", ") }

// Text says what is wrong with a string, or "".
func (r *Rules) Text(s string) string {
	if r.MinLength > 0 || r.MaxLength >= 0 {
		n := utf8.RuneCountInString(s)
		switch {
		case n < r.MinLength:
			return "must have at least " + plural(r.MinLength, "character")
		case r.MaxLength >= 0 && n > r.MaxLength:
			return "must have at most " + plural(r.MaxLength, "character")
		}
	}
	switch {
	case r.Enum != nil && !slices.Contains(r.Enum, s):
		return r.oneOf()
	case r.Pattern != nil && !r.Pattern.MatchString(s):
		return "must match " + r.Pattern.String()
	case r.Format != "" && !format.Check(r.Format)(s):
		return "must be " + formatName(r.Format)
	}
	return ""
}

// Items says what is wrong with the number of elements, or "".
func (r *Rules) Items(n int) string {
	switch {
	case n < r.MinItems:
		return "must have at least " + plural(r.MinItems, "item")
	case r.MaxItems >= 0 && n > r.MaxItems:
		return "must have at most " + plural(r.MaxItems, "item")
	}
	return ""
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func formatName(name string) string {
	switch name {
	case "date":
		return "a date, such as 2026-01-31"
	case "time":
		return "a time of RFC 3339, such as 15:04:05Z"
	case "date-time":
		return DateTime
	case "duration":
		return "a duration of RFC 3339, such as P3DT12H"
	case "email":
		return "an e-mail address"
	case "hostname":
		return "a host name"
	case "ipv4":
		return "an IPv4 address"
	case "ipv6":
		return "an IPv6 address"
	case "uri":
		return "a URI with its scheme"
	case "iri":
		return "an IRI with its scheme"
	case "uri-reference":
		return "a URI or a relative reference"
	case "iri-reference":
		return "an IRI or a relative reference"
	case "uri-template":
		return "a URI template of RFC 6570"
	}
	return "a UUID"
}

// DateTime is what a date-time is, for messages.
const DateTime = "a date and time of RFC 3339, such as 2026-01-31T15:04:05Z"
