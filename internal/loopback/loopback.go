// Package loopback tells this machine from others, by name.
//
// A server on loopback is reached by every web page in the developer's browser: the
// page's own name may resolve to 127.0.0.1 (DNS rebinding). What gives it away is
// the Host header, which then has a name that is not this machine's.
package loopback

import (
	"net"
	"strings"
)

// Host says whether a Host header, with or without a port, names this machine by its
// loopback: localhost, a name below it, or an address. Any other name was brought
// here by DNS.
func Host(hostport string) bool {
	name := strings.ToLower(strings.TrimSuffix(Hostname(hostport), "."))
	return strings.HasSuffix(name, ".localhost") || Address(name)
}

// Address says whether a request to host, without a port, stays on this machine:
// localhost, or an address. A name below localhost may be looked up elsewhere.
func Address(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Hostname is a Host header without its port and brackets.
func Hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}
