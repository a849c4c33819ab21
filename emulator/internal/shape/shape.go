// Package shape reads a request body as AWS's front end reads it, before any
// service looks at it.
//
// A client that sends a wrong type, forgets a member or exceeds a length meets
// two kinds of error on AWS: SerializationException when the JSON does not fit
// the types, and ValidationException, which counts and lists every broken
// constraint of the model in one sentence. Emulators commonly answer neither, so
// the mistake is found in production. [Decode] fills a struct and checks the
// constraints that its tags state:
//
//	SecretId string   `aws:"required,len=1:2048"`
//	Ids      []string `aws:"len=1:20" item:"len=1:2048"`
//	Sort     string   `enum:"asc|desc"`
//	Token    string   `aws:"len=36:256" pattern:"^[a-zA-Z0-9-]+$"`
//	Value    *string  `aws:"bytes=1:65536,sensitive"`
//
// len counts characters of a string and items of a list, bytes counts bytes,
// range bounds a number. The text of a sensitive member never appears in an
// error. Member names are matched exactly; unknown members are ignored, as AWS
// ignores them. The wording follows https://smithy.io/2.0/spec/constraint-traits.html
// as AWS's Java services print it.
package shape

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/gomiddy/middy/emulator/service"
)

// Decode fills the struct that into points to from the JSON object in body. An
// empty body counts as {}. The error, if any, is a [*service.Error] with the
// code SerializationException or ValidationException.
func Decode(body []byte, into any) error {
	members := map[string]any{}
	if len(bytes.TrimSpace(body)) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return &service.Error{Code: "SerializationException", Message: "The request body is not valid JSON."}
		}
		if _, err := d.Token(); err != io.EOF {
			return &service.Error{Code: "SerializationException", Message: "The request body has data after its JSON object."}
		}
		m, ok := v.(map[string]any)
		if !ok {
			return &service.Error{Code: "SerializationException", Message: "Unexpected token at the start of the request body: a JSON object is required."}
		}
		members = m
	}
	target := reflect.ValueOf(into).Elem()
	d := decoder{present: map[string]bool{}}
	if err := d.setStruct(target, members, ""); err != nil {
		return err
	}
	d.checkStruct(target, "")
	broken := d.broken
	if len(broken) == 0 {
		return nil
	}
	plural := "s"
	if len(broken) == 1 {
		plural = ""
	}
	return &service.Error{Code: "ValidationException",
		Message: fmt.Sprintf("%d validation error%s detected: %s", len(broken), plural, strings.Join(broken, "; "))}
}

// decoder is one run of Decode.
type decoder struct {
	present map[string]bool // paths of the members that were sent
	broken  []string        // constraints, in the order of the members
}

func (d *decoder) setStruct(dst reflect.Value, members map[string]any, prefix string) error {
	for i := range dst.NumField() {
		name := dst.Type().Field(i).Name
		v, ok := members[name]
		if !ok || v == nil {
			continue
		}
		path := prefix + lowerFirst(name)
		d.present[path] = true
		if err := d.set(dst.Field(i), v, path); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) set(dst reflect.Value, v any, path string) error {
	switch dst.Kind() {
	case reflect.Pointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		return d.set(dst.Elem(), v, path)
	case reflect.String:
		s, ok := v.(string)
		if !ok {
			return mismatch(v, "String")
		}
		dst.SetString(s)
	case reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			return mismatch(v, "Boolean")
		}
		dst.SetBool(b)
	case reflect.Int64:
		n, ok := v.(json.Number)
		if !ok {
			return mismatch(v, "Long")
		}
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil {
			return mismatch(v, "Long")
		}
		dst.SetInt(i)
	case reflect.Slice:
		return d.setSlice(dst, v, path)
	case reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return mismatch(v, "structure")
		}
		return d.setStruct(dst, m, path+".")
	default:
		return &service.Error{Status: 500, Code: "InternalFailure", Message: "shape: no rule to read a " + dst.Type().String() + "."}
	}
	return nil
}

func (d *decoder) setSlice(dst reflect.Value, v any, path string) error {
	if dst.Type().Elem().Kind() == reflect.Uint8 {
		s, ok := v.(string)
		if !ok {
			return mismatch(v, "Blob")
		}
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return &service.Error{Code: "SerializationException", Message: "A blob member is not valid base64."}
		}
		dst.SetBytes(b)
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return mismatch(v, "list")
	}
	out := reflect.MakeSlice(dst.Type(), 0, len(list))
	for i, e := range list {
		item := reflect.New(dst.Type().Elem()).Elem()
		if e != nil {
			if err := d.set(item, e, member(path, i)); err != nil {
				return err
			}
		}
		out = reflect.Append(out, item)
	}
	dst.Set(out)
	return nil
}

// mismatch names the kind of the token, never its text.
func mismatch(v any, want string) error {
	msg := ""
	switch t := v.(type) {
	case string:
		msg = "STRING_VALUE can not be converted to a " + want
	case json.Number:
		msg = "NUMBER_VALUE can not be converted to a " + want
	case bool:
		msg = strings.ToUpper(strconv.FormatBool(t)) + "_VALUE can not be converted to a " + want
	case []any:
		msg = "Start of list found where not expected"
	default:
		msg = "Start of structure or map found where not expected."
	}
	return &service.Error{Code: "SerializationException", Message: msg}
}

// member is the path of a list's item, counted from 1 as AWS counts.
func member(list string, i int) string { return list + "." + strconv.Itoa(i+1) + ".member" }

func (d *decoder) checkStruct(v reflect.Value, prefix string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		d.checkMember(v.Field(i), f, prefix+lowerFirst(f.Name))
	}
}

func (d *decoder) checkMember(v reflect.Value, f reflect.StructField, path string) {
	rules := parseRules(f.Tag.Get("aws"))
	if !d.present[path] {
		if rules.required {
			d.broken = append(d.broken, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", path))
		}
		return
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	d.check(v, rules, f.Tag.Get("pattern"), f.Tag.Get("enum"), path)
	if v.Kind() == reflect.Struct {
		d.checkStruct(v, path+".")
	}
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() == reflect.Uint8 {
		return
	}
	itemRules := parseRules(f.Tag.Get("item"))
	for i := range v.Len() {
		if v.Index(i).Kind() == reflect.Struct {
			d.checkStruct(v.Index(i), member(path, i)+".")
			continue
		}
		d.check(v.Index(i), itemRules, f.Tag.Get("itempattern"), "", member(path, i))
	}
}

func (d *decoder) check(v reflect.Value, r rules, pattern, enum, path string) {
	fail := func(format string, args ...any) {
		d.broken = append(d.broken, "Value"+quoted(v, r.sensitive)+" at '"+path+"' failed to satisfy constraint: "+fmt.Sprintf(format, args...))
	}
	switch v.Kind() {
	case reflect.Int64:
		if r.hasRange && v.Int() < r.min {
			fail("Member must have value greater than or equal to %d", r.min)
		}
		if r.hasRange && v.Int() > r.max {
			fail("Member must have value less than or equal to %d", r.max)
		}
		return
	case reflect.String, reflect.Slice:
	default:
		return
	}
	size := int64(v.Len())
	if v.Kind() == reflect.String && !r.countBytes {
		size = int64(utf8.RuneCountInString(v.String()))
	}
	if r.hasLen && size < r.min {
		fail("Member must have length greater than or equal to %d", r.min)
	}
	if r.hasLen && size > r.max {
		fail("Member must have length less than or equal to %d", r.max)
	}
	if v.Kind() != reflect.String {
		return
	}
	if pattern != "" && !compiled(pattern).MatchString(v.String()) {
		fail("Member must satisfy regular expression pattern: %s", pattern)
	}
	if enum != "" && !oneOf(enum, v.String()) {
		fail("Member must satisfy enum value set: [%s]", strings.ReplaceAll(enum, "|", ", "))
	}
}

func quoted(v reflect.Value, sensitive bool) string {
	if sensitive || v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		return ""
	}
	switch v.Kind() {
	case reflect.String:
		return " '" + v.String() + "'"
	case reflect.Int64:
		return " '" + strconv.FormatInt(v.Int(), 10) + "'"
	}
	if v.Type().Elem().Kind() != reflect.String {
		return ""
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = v.Index(i).String()
	}
	return " '[" + strings.Join(items, ", ") + "]'"
}

func oneOf(enum, s string) bool {
	for e := range strings.SplitSeq(enum, "|") {
		if e == s {
			return true
		}
	}
	return false
}

type rules struct {
	required, sensitive          bool
	hasLen, countBytes, hasRange bool
	min, max                     int64
}

func parseRules(tag string) rules {
	var r rules
	for part := range strings.SplitSeq(tag, ",") {
		name, bounds, _ := strings.Cut(part, "=")
		switch name {
		case "required":
			r.required = true
		case "sensitive":
			r.sensitive = true
		case "len", "bytes", "range":
			r.hasLen = name != "range"
			r.countBytes = name == "bytes"
			r.hasRange = name == "range"
			low, high, _ := strings.Cut(bounds, ":")
			r.min, _ = strconv.ParseInt(low, 10, 64)
			r.max, _ = strconv.ParseInt(high, 10, 64)
		}
	}
	return r
}

var patterns sync.Map // the text of a tag → *regexp.Regexp

func compiled(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(pattern)
	patterns.Store(pattern, re)
	return re
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
