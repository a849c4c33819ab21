package validate

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gomiddy/middy/web/internal/format"
)

var errFormat = errors.New("does not match")

// knownFormat reports whether a format is checked. These are jsonschema's own and
// those of formats.
func knownFormat(name string) bool {
	_, ours := formats()[name]
	return ours || slices.Contains([]string{"regex", "json-pointer", "relative-json-pointer", "period", "semver"}, name)
}

// formats are those of package format, which the tags of package web have too, and
// those that only Ajv knows.
func formats() map[string]func(any) error {
	all := map[string]func(any) error{
		"url":                       text(format.URL),
		"byte":                      text(isBase64),
		"iso-time":                  text(format.ISOTime),
		"iso-date-time":             text(format.ISODateTime),
		"json-pointer-uri-fragment": text(isFragment),
		"int32":                     numeric(func(n json.Number) bool { return inRange(n, 31) }),
		"int64":                     numeric(func(n json.Number) bool { return inRange(n, 63) }),
		"float":                     anything, // for readers
		"double":                    anything,
		"password":                  anything,
		"binary":                    anything,
	}
	for _, name := range format.Names() {
		all[name] = text(format.Check(name))
	}
	return all
}

func anything(any) error { return nil }

func text(ok func(string) bool) func(any) error {
	return func(v any) error {
		if s, is := v.(string); is && !ok(s) {
			return errFormat
		}
		return nil
	}
}

func numeric(ok func(json.Number) bool) func(any) error {
	return func(v any) error {
		if n, _ := v.(json.Number); !ok(n) { // what is no number is ok: exact takes it for 0
			return errFormat
		}
		return nil
	}
}

func isBase64(s string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}

func isFragment(s string) bool {
	rest, ok := strings.CutPrefix(s, "#")
	return ok && pointer().MatchString(rest)
}

func inRange(n json.Number, bits int) bool {
	if f, _ := n.Float64(); math.Abs(f) > 1<<63 || !isInteger(n) {
		return false
	}
	i := rat(n).Num()
	return i.BitLen() <= bits || i.Sign() < 0 && i.BitLen() == bits+1 && i.TrailingZeroBits() == uint(bits)
}

// Compiled when it is first needed: a function's cold start does not pay for it.
var pointer = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(/([A-Za-z0-9_\-.!$&'()*+,;:=@]|%[0-9A-Fa-f]{2}|~0|~1)*)*$`)
})
