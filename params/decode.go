package params

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gomiddy/middy/internal/awsapi/jsontext"
)

// A content is the bytes that a view decodes, and whether they are a JSON
// fragment, cut out by a field path.
type content struct {
	bytes    []byte
	fragment bool
	from     Secret // what to refer to instead of copying
}

// A decoder turns content into a T. The reason, if not empty, says why it could
// not, without any of the content.
type decoder[T any] func(c content) (v T, reason string)

// text is the content as text: a JSON string without its quotes, another scalar
// as it is written.
func (c content) text() (b []byte, reason string) {
	if !c.fragment {
		return c.bytes, ""
	}
	switch c.bytes[0] {
	case '"':
		b, err := jsontext.Unquote(c.bytes)
		if err != nil {
			return nil, "it is not valid JSON"
		}
		return b, ""
	case '{', '[', 'n':
		return nil, fmt.Sprintf("it is a %s", kindOf(c.bytes))
	}
	return c.bytes, ""
}

func decodeText[T any](parse func(string) (T, string)) decoder[T] {
	return func(c content) (v T, reason string) {
		b, reason := c.text()
		if reason != "" {
			return v, reason
		}
		return parse(string(b))
	}
}

func decodeBytes(c content) ([]byte, string) {
	b, reason := c.text()
	if reason != "" {
		return nil, reason
	}
	return append([]byte{}, b...), ""
}

func decodeSecret(c content) (Secret, string) {
	if !c.fragment {
		return c.from, "" // the bytes are not copied
	}
	b, reason := c.text()
	if reason != "" {
		return Secret{}, reason
	}
	return Secret{b: newBlob(append([]byte{}, b...)), version: c.from.version}, ""
}

func parseInt(s string) (int, string) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, "it is out of range"
	case err != nil:
		return 0, "it is not a whole number"
	}
	return n, ""
}

func parseBool(s string) (bool, string) {
	b, err := strconv.ParseBool(strings.TrimSpace(s))
	if err != nil {
		return false, "it is neither true nor false"
	}
	return b, ""
}

// Strings declares a value that is a list separated by commas, Parameter Store's
// StringList. As there, no element has a comma, and spaces are kept.
func Strings(s *Store, r Ref) *Value[[]string] {
	return declare(s, r, decodeText(func(s string) ([]string, string) { return strings.Split(s, ","), "" }))
}

func parseDuration(s string) (time.Duration, string) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil {
		return 0, `it is not a duration with a unit, such as "30s" or "1h15m"`
	}
	return d, ""
}

func decodeJSON[T any](c content) (v T, reason string) {
	data := trimBOM(c.bytes)
	if err := json.Unmarshal(data, &v); err != nil {
		var zero T
		return zero, jsonReason(err, data)
	}
	if path := missing(data[skipSpace(data, 0):], reflect.TypeFor[T]()); path != "" {
		var zero T
		return zero, fmt.Sprintf("the field %q is required and is not there", path)
	}
	if err := validated(&v); err != nil {
		var zero T
		return zero, fmt.Sprintf("its Validate method refused it (%T)", err) // its text may quote the content
	}
	return v, ""
}

// validated asks a T, or what v points to, that has a Validate method.
func validated[T any](v *T) error {
	for _, v := range []any{v, *v} {
		if v, ok := v.(interface{ Validate() error }); ok {
			return v.Validate()
		}
	}
	return nil
}

// missing returns the path of a member that a field of t requires (the tag
// required:"true", as for web.JSON) and doc, which decodes into a t, has not, or
// has as null. A part of t that decodes itself is not looked into. The path has
// names of the type and indexes, never content.
func missing(doc []byte, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case doc[0] == 'n' || decodesItself(t): // null
	case t.Kind() == reflect.Struct:
		return missingFields(doc, t)
	case t.Kind() == reflect.Map:
		for _, value := range members(doc) {
			if path := missing(value, t.Elem()); path != "" {
				return "*." + path
			}
		}
	case doc[0] == '[' && t.Kind() != reflect.Interface: // a slice or an array
		for i, value := range elements(doc) {
			if path := missing(value, t.Elem()); path != "" {
				return strconv.Itoa(i) + "." + path
			}
		}
	}
	return ""
}

func missingFields(doc []byte, t reflect.Type) string {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && f.Tag.Get("json") == "-", !f.IsExported() && !f.Anonymous:
			continue
		case name == "" && f.Anonymous && elem(f.Type).Kind() == reflect.Struct:
			if path := missing(doc, f.Type); path != "" { // its fields are those of t
				return path
			}
			continue
		case name == "":
			name = f.Name
		}
		value := memberLike(doc, name)
		absent := value == nil || value[0] == 'n'
		if required := f.Tag.Get("required"); absent && required != "" && required != "false" {
			return name
		}
		if !absent {
			if path := missing(value, f.Type); path != "" {
				return name + "." + path
			}
		}
	}
	return ""
}

func elem(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// memberLike is member with encoding/json's idea of equal names.
func memberLike(doc []byte, name string) (found []byte) {
	for quoted, value := range members(doc) {
		if b, _ := jsontext.Unquote(quoted); strings.EqualFold(string(b), name) {
			found = value
		}
	}
	return found
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func decodesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(jsonUnmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler)
}

// jsonReason says what encoding/json found wrong, without what it read: its own
// texts quote characters and numbers, and a type's UnmarshalJSON may quote all.
func jsonReason(err error, data []byte) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		if len(data) == 0 {
			return "it is empty, not JSON"
		}
		return fmt.Sprintf("it is not valid JSON (at byte %d of %d)", e.Offset, len(data))
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		kind, _, _ := strings.Cut(e.Value, " ") // "number 12" has the number
		where := ""
		if e.Field != "" {
			where = fmt.Sprintf(" in the field %q", e.Field)
		}
		return fmt.Sprintf("a JSON %s stands%s where the Go type has %v (at byte %d)", kind, where, e.Type, e.Offset)
	}
	return fmt.Sprintf("a decoding method of the Go type refused it (%T)", err)
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }
