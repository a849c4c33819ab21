package cors

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
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
		switch o = lower(o); {
		case o == "*":
			a.any = true
		case isHTTP(o) && strings.HasSuffix(o, ":*"): // the default port is one, and is not written
			a.patterns = append(a.patterns, o, strings.TrimSuffix(o, ":*"))
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
	if !a.listed && (a.fixed != "*" || !credentials) {
		return a.fixed
	}
	origin := sent(incoming)
	switch {
	case !a.listed, a.exact[origin]:
		return origin
	case a.any && credentials:
		return origin // "" without one: * would be refused
	case a.any:
		return "*"
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

// sent is an origin in the form in which it is compared, or "" for what no browser
// sends. It fails closed: a pattern is never held against a text that only looks like an
// origin.
func sent(origin string) string {
	if len(origin) > maxOrigin {
		return ""
	}
	origin = lower(origin)
	if checkOrigin(origin, "") != nil {
		return ""
	}
	return origin
}

// lower is an origin of http or https in lower case, as browsers write it. Other schemes
// have hosts with an upper case, such as those of extensions.
func lower(origin string) string {
	if l := strings.ToLower(origin); isHTTP(l) {
		return l
	}
	return origin
}

func isHTTP(origin string) bool {
	return strings.HasPrefix(origin, "http://") || strings.HasPrefix(origin, "https://")
}

// match says whether s fits a pattern in which * stands for any number of bytes that are
// not dots. It goes back to the last * only: a later one can take all that an earlier one
// could.
func match(pattern, s string) bool {
	star, mark := -1, 0 // the last * and where what it stands for ends //mutate:equivalent `1 -> (1+1)`: negative is none
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

// checkOrigin reports why no browser sends an origin:
// https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin.
// wildcard is "*" for a pattern, where it stands for characters, and "" for an origin.
func checkOrigin(o, wildcard string) error {
	if o == "null" {
		return nil
	}
	for i := range len(o) {
		switch c := o[i]; {
		case c >= 0x80:
			return errors.New("not ASCII: browsers send the host in Punycode, so write it so: https://xn--bcher-kva.example for https://bücher.example")
		case c <= ' ' || c == 0x7f:
			return errors.New("no browser sends spaces and control characters")
		}
	}
	scheme, rest, ok := strings.Cut(o, "://")
	if !ok || !isScheme(scheme) {
		return errors.New("no browser sends it: give scheme and host, such as https://app.example.com")
	}
	switch {
	case rest == "":
		return errors.New("the host is missing")
	case strings.ContainsAny(rest, `/?#@\`):
		return errors.New("an origin ends with its host and port: leave out the path, the query and the user")
	case wildcard == "" && strings.Contains(rest, "*"):
		return errors.New("* stands for nothing here")
	case !isHTTP(o):
		return nil // extensions and apps have their own
	}
	host, port, hasPort := rest, "", false
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, ']') {
		host, port, hasPort = rest[:colon], rest[colon+1:], true
	}
	if hasPort {
		if err := checkPort(scheme, port); err != nil {
			return err
		}
	}
	return checkHost(host)
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func checkPort(scheme, port string) error {
	if digits := strings.ReplaceAll(port, "*", ""); strings.Contains(port, "*") && strings.Trim(digits, "0123456789") == "" {
		return nil
	}
	n, _ := strconv.ParseUint(port, 10, 16) // what is no number, or too large, is written otherwise
	if strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("%q is not a port", port)
	}
	if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
		return fmt.Errorf("browsers leave out the default port: leave out :%d", n)
	}
	return nil
}

// checkHost accepts a host as browsers write it. With * in it, it cannot be an address.
func checkHost(host string) error {
	if strings.HasPrefix(host, "[") {
		if ipv6(host) != host {
			return fmt.Errorf("%q is not an IPv6 address as browsers write it", host)
		}
		return nil
	}
	if len(host) > 253+1 || strings.Trim(host, ".") == "" {
		return errors.New("the host is missing, or longer than a name can be")
	}
	for i := range len(host) {
		if c := host[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("-._*", c) < 0 {
			return fmt.Errorf("no browser sends %q in a host", c)
		}
	}
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	if last = strings.TrimSuffix(last, "."); isNumber(last) && !strings.Contains(host, "*") {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Errorf("%q is not an IPv4 address as browsers write it", host)
		}
	}
	return nil
}

// isNumber reports whether a last label makes its host an IPv4 address:
// https://url.spec.whatwg.org/#ends-in-a-number-checker.
func isNumber(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

// wide reports whether a pattern lets in hosts that anybody can register: nothing but
// "com" stands behind its last *.
func wide(origin string) bool {
	_, host, _ := strings.Cut(origin, "://")
	host, _, _ = strings.Cut(host, ":")
	star := strings.LastIndexByte(host, '*')
	if star < 0 || !strings.Contains(host, ".") {
		return false
	}
	_, fixed, _ := strings.Cut(host[star:], ".")
	return fixed != "localhost" && !strings.Contains(fixed, ".")
}

// ipv6 is the address in brackets, as browsers write it, or "".
func ipv6(name string) string {
	addr, _ := netip.ParseAddr(strings.TrimSuffix(name[1:], "]"))
	if !addr.Is6() || addr.Zone() != "" {
		return ""
	}
	if addr.Is4In6() { // browsers write hexadecimal there too
		b := addr.As16()
		hex := func(hi, lo byte) string { return strconv.FormatUint(uint64(hi)<<8|uint64(lo), 16) }
		return "[::ffff:" + hex(b[12], b[13]) + ":" + hex(b[14], b[15]) + "]"
	}
	return "[" + addr.String() + "]"
}
