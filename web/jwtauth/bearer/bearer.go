// Package bearer finds the token of a request, and says in WWW-Authenticate why
// it was refused.
//
// A token comes in the Authorization header, from a browser in a cookie, and for
// what cannot send headers, such as a WebSocket handshake, in the query. Code
// that reads them by hand accepts "Basic", takes the scheme's case literally,
// forgets the quotes of a cookie, or falls back to a source that was switched
// off. The rules are here once, for package jwtauth, package pasetoauth, and, with
// [New], for tokens of your own.
package bearer

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Sources say where a token may stand. They are asked in the order of the fields,
// and the first one that has a token decides: a bad token in a cookie is not made
// good by another one in a header.
//
// The zero value is the Authorization header. As soon as one field is set, only
// those that are set are asked.
//
// Sources are values, safe for concurrent use.
type Sources struct {
	// Cookie is the name of a cookie. Its value is taken as it stands, without one
	// pair of quotes around it. A browser sends it along with requests of other
	// sites too: set it with SameSite, and HttpOnly, or check the origin with
	// http.CrossOriginProtection.
	Cookie string
	// Header is the name of a header. Authorization must hold the scheme Bearer, in
	// any case, spaces, and the token (RFC 9110 section 11.4); another header holds the
	// token alone. A header that comes twice is refused.
	Header string
	// Query is the name of a query parameter. URLs end in logs and in histories:
	// RFC 6750 section 2.3 advises against it. A parameter that comes twice is refused.
	Query string
}

// Validate reports names that cannot be.
func (s Sources) Validate() error {
	var errs []error
	for _, n := range []struct{ field, name string }{{"Cookie", s.Cookie}, {"Header", s.Header}} {
		if !isToken(n.name) {
			errs = append(errs, fmt.Errorf("bearer: %s is %q: such a name has letters, digits and !#$%%&'*+-.^_`|~ only (RFC 9110 section 5.6.2)", n.field, n.name))
		}
	}
	return errors.Join(errs...)
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return true
}

// Token returns the token of r. ok is false when no source has one, and when the first
// that has, has more than one.
func (s Sources) Token(r *http.Request) (token string, ok bool) {
	_, token, err := s.find(r, false)
	return token, err == nil && token != ""
}

// find returns the token of r and the scheme of its Authorization header, "" for one
// that came elsewhere. dpop also accepts the scheme DPoP. An error says that a source has
// something that is no one token.
func (s Sources) find(r *http.Request, dpop bool) (scheme, token string, err error) {
	if s == (Sources{}) {
		s.Header = "Authorization"
	}
	if s.Cookie != "" {
		token = cookie(r.Header.Values("Cookie"), s.Cookie)
	}
	if token == "" && s.Header != "" {
		scheme, token, err = header(r.Header.Values(s.Header), s.Header, dpop)
	}
	if token == "" && err == nil && s.Query != "" && r.URL != nil {
		token, err = query(r.URL.RawQuery, s.Query)
	}
	return scheme, token, err
}

// cookie is the value of the first cookie of that name: a browser sends the one with the
// longest path first, and may well have several (RFC 6265 section 5.4). net/http's parser drops a
// cookie whose value has a character of which it disapproves; the one who
// verifies the token is the better judge.
func cookie(lines []string, name string) string {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			value, ok := strings.CutPrefix(strings.TrimSpace(pair), name+"=")
			if !ok {
				continue
			}
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return value
		}
	}
	return ""
}

func header(lines []string, name string, dpop bool) (scheme, token string, err error) {
	switch {
	case len(lines) == 0:
		return "", "", nil
	case len(lines) > 1:
		return "", "", &TokenError{Reason: "the header " + name + " comes twice", Public: "There is more than one token."}
	}
	value := strings.Trim(lines[0], " \t") // as net/http does, and not every front door
	if !strings.EqualFold(name, "Authorization") {
		return "", value, nil
	}
	scheme, token, _ = strings.Cut(value, " ")
	switch {
	case strings.EqualFold(scheme, Bearer):
		scheme = Bearer
	case dpop && strings.EqualFold(scheme, DPoP):
		scheme = DPoP
	default:
		return "", "", nil
	}
	token = strings.TrimLeft(token, " ")
	if strings.ContainsAny(token, " \t") {
		return scheme, "", &TokenError{Reason: "the Authorization header has text behind the token"}
	}
	return scheme, token, nil
}

func query(raw, name string) (string, error) {
	values, _ := url.ParseQuery(raw) // a broken parameter hurts itself only
	switch len(values[name]) {
	case 0:
		return "", nil
	case 1:
		return values[name][0], nil
	}
	return "", &TokenError{Reason: "the query parameter " + name + " comes twice", Public: "There is more than one token."}
}

// Schemes of the Authorization header.
const (
	Bearer = "Bearer" // RFC 6750
	DPoP   = "DPoP"   // RFC 9449
)

// Codes of RFC 6750 section 3.1.
const (
	InvalidRequest    = "invalid_request"
	InvalidToken      = "invalid_token"
	InsufficientScope = "insufficient_scope"
)

// A Challenge is the content of a WWW-Authenticate header: RFC 6750 section 3, RFC 9449
// section 7.1. All of it is public.
type Challenge struct {
	// Scheme is what the client has to use. Default: Bearer.
	Scheme string
	// Realm names what is protected.
	Realm string
	// Code is one of the three above; "" when the request had no token at all, as
	// the RFC asks.
	Code string
	// Description explains Code to a developer.
	Description string
	// Scope lists what would have been enough, separated by spaces.
	Scope string
	// Algs lists the algorithms of a DPoP proof, separated by spaces.
	Algs string
}

// String is the header's value. Characters that a quoted string may not have
// there are left out.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString(cmp.Or(c.Scheme, Bearer))
	sep := " "
	for _, p := range []struct{ name, value string }{
		{"realm", c.Realm}, {"error", c.Code}, {"error_description", c.Description}, {"scope", c.Scope}, {"algs", c.Algs},
	} {
		if p.value != "" {
			fmt.Fprintf(&b, `%s%s="%s"`, sep, p.name, strings.Map(quotable, p.value))
			sep = ", "
		}
	}
	return b.String()
}

// Header is a header with the challenge alone, for web.Error.
func (c Challenge) Header() http.Header {
	return http.Header{"Www-Authenticate": {c.String()}}
}

// quotable keeps the characters that RFC 6750 allows in error_description:
// %x20-21, %x23-5B, %x5D-7E.
func quotable(r rune) rune {
	if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
		return -1
	}
	return r
}
