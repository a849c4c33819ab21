package validate

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

var errFormat = errors.New("does not match")

// knownFormat reports whether a format is checked. These are jsonschema's own and
// those of formats.
func knownFormat(name string) bool {
	_, ours := formats()[name]
	return ours || slices.Contains([]string{
		"regex", "json-pointer", "relative-json-pointer", "duration", "period", "ipv4", "ipv6", "hostname",
		"date", "time", "date-time", "uri", "iri", "uri-reference", "iri-reference", "uri-template", "semver",
	}, name)
}

// formats are those that jsonschema lacks, or understands otherwise than Ajv.
func formats() map[string]func(any) error {
	return map[string]func(any) error{
		"email":                     text(isEmail),
		"uuid":                      text(isUUID),
		"url":                       text(isURL),
		"byte":                      text(isBase64),
		"iso-time":                  text(func(s string) bool { return parses(s, "15:04:05", "15:04:05Z07:00", "15:04:05Z0700", "15:04:05Z07") }),
		"iso-date-time":             text(isDateTime),
		"json-pointer-uri-fragment": text(isFragment),
		"int32":                     numeric(func(n json.Number) bool { return inRange(n, 31) }),
		"int64":                     numeric(func(n json.Number) bool { return inRange(n, 63) }),
		"float":                     anything, // for readers
		"double":                    anything,
		"password":                  anything,
		"binary":                    anything,
	}
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
		if n, is := v.(json.Number); is && !ok(n) {
			return errFormat
		}
		return nil
	}
}

// isEmail is the rule of HTML, with a domain of two labels at least, as in
// ajv-formats.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && len(s) <= 254 && localPart().MatchString(local) && domainName().MatchString(domain)
}

func isUUID(s string) bool {
	if len(s) > 9 && strings.EqualFold(s[:9], "urn:uuid:") {
		s = s[9:]
	}
	return uuid().MatchString(s)
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains([]string{"http", "https", "ftp"}, u.Scheme)
}

func isBase64(s string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}

func isFragment(s string) bool {
	rest, ok := strings.CutPrefix(s, "#")
	return ok && pointer().MatchString(rest)
}

func isDateTime(s string) bool {
	return parses(strings.Replace(s, " ", "T", 1), "2006-01-02T15:04:05", time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07")
}

func parses(s string, layouts ...string) bool {
	return slices.ContainsFunc(layouts, func(layout string) bool { _, err := time.Parse(layout, s); return err == nil })
}

func inRange(n json.Number, bits int) bool {
	r := rat(n)
	if !r.IsInt() {
		return false
	}
	i := r.Num()
	return i.BitLen() <= bits || i.Sign() < 0 && i.BitLen() == bits+1 && i.TrailingZeroBits() == uint(bits)
}

// Compiled when they are first needed: a function's cold start pays for none of
// them.
var (
	localPart  = lazily("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
	domainName = lazily(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	uuid       = lazily(`^[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$`)
	pointer    = lazily(`^(/([A-Za-z0-9_\-.!$&'()*+,;:=@]|%[0-9A-Fa-f]{2}|~0|~1)*)*$`)
)

func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
