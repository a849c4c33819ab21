package cors

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// allowed is the allowlist, compiled.
type allowed struct {
	fixed    string // Config.Origin, when there are no Origins
	listed   bool   // there are Origins
	any      bool
	exact    map[string]bool
	patterns []string
}

func compile(cfg Config) allowed {
	a := allowed{fixed: cfg.Origin, listed: len(cfg.Origins) > 0, exact: map[string]bool{}}
	if !a.listed {
		return a
	}
	for _, o := range append([]string{cfg.Origin}, cfg.Origins...) {
		switch o = canonical(o); {
		case o == "*":
			a.any = true
		case strings.Contains(o, "*"):
			a.patterns = append(a.patterns, o)
		case o != "":
			a.exact[o] = true
		}
	}
	return a
}

// depends says whether another origin would get another response.
func (a *allowed) depends(credentials bool) bool {
	if !a.listed {
		return a.fixed == "*" && credentials
	}
	return !a.any || credentials || len(a.exact) > 0
}

// origin is the value of Access-Control-Allow-Origin for a request of an origin, or "".
func (a *allowed) origin(incoming string, credentials bool) string {
	if !a.listed {
		if a.fixed == "*" && credentials {
			return canonical(incoming) // "" without one: * would be refused
		}
		return a.fixed
	}
	origin := canonical(incoming)
	switch {
	case a.exact[origin]:
		return origin
	case a.any && credentials:
		return origin
	case a.any:
		return "*"
	case len(origin) > maxOrigin:
		return ""
	}
	for _, p := range a.patterns {
		if match(p, origin) {
			return origin
		}
	}
	return ""
}

// maxOrigin is the length of the longest origin in bytes: a host has 253 bytes, and an
// escaped one that is as long three times as many.
const maxOrigin = 1024

// match says whether s fits a pattern in which * stands for any number of bytes that are
// not dots. It goes back to the last * only: a later one can take all that an earlier one
// could.
func match(pattern, s string) bool {
	star, mark := -1, 0 // the last * and where what it stands for ends
	p := 0
	for i := 0; i < len(s); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0 && s[mark] != '.':
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// canonical is the form in which origins are compared: as browsers write them, with the
// host in lower case and in ASCII. What is not an http origin stays as it is.
func canonical(origin string) string {
	if origin == "" || origin == "*" || len(origin) > maxOrigin {
		return origin
	}
	if isPlain(origin) {
		return strings.ToLower(origin)
	}
	scheme, rest, _ := strings.Cut(origin, "://")
	scheme = strings.ToLower(scheme)
	if port := defaultPort(scheme); port != "" && !strings.ContainsAny(rest, "\r\n") {
		if host, ok := host(rest, port); ok {
			return scheme + "://" + host
		}
	}
	return origin
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// isPlain says whether origin is http or https in any case, letters, digits, dots and
// hyphens, and perhaps a port: what needs no parsing.
func isPlain(origin string) bool {
	scheme, rest, ok := strings.Cut(origin, "://")
	if !ok || defaultPort(strings.ToLower(scheme)) == "" {
		return false
	}
	host, port, ok := strings.Cut(rest, ":")
	if host == "" || ok && !isDigits(port) {
		return false
	}
	for i := 0; i < len(host); i++ {
		if c := host[i]; c != '-' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// profile is how browsers make a host ASCII: the URL standard's "domain to ASCII", not
// strict, https://url.spec.whatwg.org/#idna.
var profile = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.CheckHyphens(false), idna.CheckJoiners(true), idna.BidiRule(), idna.VerifyDNSLength(false),
)

// host is the host and port of a URL, given from after its scheme, as a browser writes it.
func host(rest, defaultPort string) (string, bool) {
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:] // without user and password
	name, port := rest, ""
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, ']') {
		name, port = rest[:colon], rest[colon+1:]
	}
	port, ok := canonicalPort(port, defaultPort)
	if !ok {
		return "", false
	}
	if strings.HasPrefix(name, "[") {
		name, ok = ipv6(name)
	} else {
		name, ok = domain(name)
	}
	return name + port, ok
}

func canonicalPort(port, defaultPort string) (string, bool) {
	if port == "*" { // a pattern
		return ":*", true
	}
	if port == "" {
		return "", true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || !isDigits(port) {
		return "", false
	}
	if port = strconv.FormatUint(n, 10); port == defaultPort {
		return "", true
	}
	return ":" + port, true
}

func domain(name string) (string, bool) {
	name, err := profile.ToASCII(unescape(name))
	if err != nil || name == "" || strings.ContainsAny(name, "\x00\t\n\r #/:<>?@[\\]^|%\x7f") {
		return "", false
	}
	return name, true
}

// unescape decodes %41. What is not hexadecimal stays, and is refused later.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func ipv6(name string) (string, bool) {
	inner, ok := strings.CutSuffix(name[1:], "]")
	addr, err := netip.ParseAddr(inner)
	if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", false
	}
	if addr.Is4In6() { // browsers write hexadecimal there too
		b := addr.As16()
		hex := func(hi, lo byte) string { return strconv.FormatUint(uint64(hi)<<8|uint64(lo), 16) }
		return "[::ffff:" + hex(b[12], b[13]) + ":" + hex(b[14], b[15]) + "]", true
	}
	return "[" + addr.String() + "]", true
}

// wildcardsFit says whether each * of an origin stands in a label that stays as it is.
func wildcardsFit(origin string) bool {
	for label := range strings.SplitSeq(origin, ".") {
		if strings.Contains(label, "*") && strings.ContainsFunc(label, func(r rune) bool { return r >= 0x80 }) {
			return false
		}
	}
	return true
}
