// Package format checks the formats of JSON Schema by the documents that name them.
//
// Two readers need the same answer: the tags of a typed endpoint, package web, and
// schemas, package validate. With a check each, an address that one of them takes is
// refused by the other.
//
// https://json-schema.org/draft/2020-12/json-schema-validation#section-7.3
package format

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Check returns the check of a format, or nil when there is none here.
func Check(name string) func(string) bool { return checks[name] }

// Names are the formats that have a check.
func Names() []string {
	names := make([]string, 0, len(checks))
	for name := range checks {
		names = append(names, name)
	}
	return names
}

var checks = map[string]func(string) bool{
	"date":          date,
	"time":          func(s string) bool { return clock(s, false) },
	"date-time":     dateTime,
	"duration":      duration,
	"email":         email,
	"hostname":      hostname,
	"ipv4":          ipv4,
	"ipv6":          ipv6,
	"uri":           func(s string) bool { return identifier(s, syntax{}) },
	"uri-reference": func(s string) bool { return identifier(s, syntax{relative: true}) },
	"iri":           func(s string) bool { return identifier(s, syntax{international: true}) },
	"iri-reference": func(s string) bool { return identifier(s, syntax{international: true, relative: true}) },
	"uri-template":  template,
	"uuid":          uuid,
}

// uuid is 8-4-4-4-12 hexadecimal digits in any case: RFC 9562 section 4. A URN of it,
// urn:uuid:…, is a uri.
func uuid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if !hex(s[i]) {
			return false
		}
	}
	return true
}

// ipv4 is a dotted quad without leading zeros: RFC 2673 section 3.2.
func ipv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

// ipv6 is the text form of RFC 4291 section 2.2, without a zone.
func ipv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}

// hostname is labels of letters, digits and inner hyphens, up to 63 each and 253 in
// all: RFC 1123 section 2.1. An A-label, xn--…, is not decoded.
func hostname(s string) bool { return len(s) <= 253 && labels(s) }

func labels(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !only(label, alphanumeric, "-") {
			return false
		}
	}
	return true
}

// email is a Mailbox of RFC 5321 section 4.1.2, with the lengths of section 4.5.3.1:
// a quoted local part and an address in brackets are allowed. A domain of one label is
// not: section 2.3.5 forbids unqualified names.
func email(s string) bool {
	i := strings.LastIndexByte(s, '@')
	if i < 1 || i > 64 || len(s) > 254 {
		return false
	}
	local, domain := s[:i], s[i+1:]
	if inner, ok := strings.CutPrefix(domain, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		six, is6 := cutPrefixFold(inner, "IPv6:")
		return ok && (is6 && ipv6(six) || ipv4(inner)) && localPart(local)
	}
	return strings.Contains(domain, ".") && labels(domain) && localPart(local)
}

func localPart(s string) bool {
	if inner, ok := strings.CutPrefix(s, `"`); ok {
		return quoted(inner)
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || !only(atom, alphanumeric, "!#$%&'*+-/=?^_`{|}~") {
			return false
		}
	}
	return true
}

// quoted reads the rest of a Quoted-string.
func quoted(s string) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return i == len(s)-1
		case s[i] < ' ' || s[i] > '~':
			return false
		case s[i] == '\\':
			if i++; i == len(s) || s[i] < ' ' || s[i] > '~' {
				return false
			}
		}
	}
	return false
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// URL is an http, https or ftp URL with a host, which may be international.
func URL(s string) bool {
	scheme, rest, ok := strings.Cut(s, "://")
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp":
		return ok && rest != "" && strings.IndexByte("/?#:", rest[0]) < 0 && identifier(s, syntax{international: true})
	}
	return false
}

// A syntax is a variant of RFC 3986.
type syntax struct {
	international bool // RFC 3987
	relative      bool // a reference, which may lack the scheme
}

// identifier follows RFC 3986 appendix A.
func identifier(s string, x syntax) bool {
	s, fragment, _ := strings.Cut(s, "#")
	s, query, _ := strings.Cut(s, "?")
	if !x.chars(fragment, ":@/?", false) || !x.chars(query, ":@/?", true) {
		return false
	}
	switch i := strings.IndexAny(s, ":/"); {
	case i >= 0 && s[i] == ':':
		if !scheme(s[:i]) {
			return false
		}
		s = s[i+1:]
	case !x.relative:
		return false
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if !x.authority(rest[:end]) {
			return false
		}
		s = rest[end:]
	}
	return x.chars(s, ":@/", false)
}

func scheme(s string) bool {
	return s != "" && letter(s[0]) && only(s, alphanumeric, "+-.")
}

func (x syntax) authority(s string) bool {
	if user, host, ok := strings.Cut(s, "@"); ok {
		if !x.chars(user, ":", false) {
			return false
		}
		s = host
	}
	if literal, ok := strings.CutPrefix(s, "["); ok {
		literal, port, closed := strings.Cut(literal, "]")
		return closed && (ipv6(literal) || future(literal)) && (port == "" || port[0] == ':' && only(port[1:], digit, ""))
	}
	host, port, _ := strings.Cut(s, ":")
	return x.chars(host, "", false) && only(port, digit, "")
}

// future is an IPvFuture.
func future(s string) bool {
	version, address, ok := strings.Cut(s, ".")
	return ok && len(version) > 1 && (version[0] == 'v' || version[0] == 'V') && only(version[1:], hex, "") &&
		address != "" && only(address, alphanumeric, "-._~!$&'()*+,;=:")
}

// chars reports whether s has only unreserved characters, sub-delims, escapes and
// those of also.
func (x syntax) chars(s, also string, private bool) bool {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%':
			if !escape(s[i:]) {
				return false
			}
			i += 3
		case alphanumeric(c) || strings.IndexByte("-._~!$&'()*+,;=", c) >= 0 || strings.IndexByte(also, c) >= 0:
			i++
		case c < utf8.RuneSelf || !x.international:
			return false
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if !ucschar(r) && !(private && iprivate(r)) {
				return false
			}
			i += n
		}
	}
	return true
}

// ucschar and iprivate are RFC 3987 section 2.2's.
func ucschar(r rune) bool {
	switch {
	case r < 0x10000:
		return r >= 0xA0 && r <= 0xD7FF || r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFEF
	case r >= 0xE0000:
		return r >= 0xE1000 && r <= 0xEFFFD
	}
	return r&0xFFFF <= 0xFFFD
}

func iprivate(r rune) bool {
	return r >= 0xE000 && r <= 0xF8FF || r >= 0xF0000 && r <= 0xFFFFD || r >= 0x100000 && r <= 0x10FFFD
}

// template follows RFC 6570 section 2, with erratum 6937, which allows an apostrophe.
func template(s string) bool {
	for s != "" {
		literal, rest, open := strings.Cut(s, "{")
		if !literals(literal) {
			return false
		}
		if !open {
			return true
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed || !expression(inner) {
			return false
		}
		s = after
	}
	return true
}

func literals(s string) bool {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%':
			if !escape(s[i:]) {
				return false
			}
			i += 3
		case c <= ' ' || c == 0x7F || strings.IndexByte("\"<>\\^`|}", c) >= 0:
			return false
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if !ucschar(r) && !iprivate(r) {
				return false
			}
			i += n
		}
	}
	return true
}

func expression(s string) bool {
	if s != "" && strings.IndexByte("+#./;?&=,!@|", s[0]) >= 0 {
		s = s[1:]
	}
	for spec := range strings.SplitSeq(s, ",") {
		name, length, prefixed := strings.Cut(spec, ":")
		switch {
		case prefixed && (length == "" || len(length) > 4 || length[0] == '0' || !only(length, digit, "")):
			return false
		case !prefixed:
			name = strings.TrimSuffix(name, "*")
		}
		if !variable(name) {
			return false
		}
	}
	return true
}

// variable is a varname: a dot stands only between two other characters.
func variable(s string) bool {
	dot := true // before
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '%':
			if !escape(s[i:]) {
				return false
			}
			dot = false
			i += 3
		case alphanumeric(c) || c == '_':
			dot = false
			i++
		case c == '.' && !dot:
			dot = true
			i++
		default:
			return false
		}
	}
	return !dot
}

func escape(s string) bool { return len(s) >= 3 && s[0] == '%' && hex(s[1]) && hex(s[2]) }

// only reports whether all bytes of s are of a class or in also.
func only(s string, class func(byte) bool, also string) bool {
	for i := range len(s) {
		if !class(s[i]) && strings.IndexByte(also, s[i]) < 0 {
			return false
		}
	}
	return true
}

func digit(c byte) bool        { return '0' <= c && c <= '9' }
func letter(c byte) bool       { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func alphanumeric(c byte) bool { return digit(c) || letter(c) }
func hex(c byte) bool          { return digit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
