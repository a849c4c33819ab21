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
	// any case, one space, and the token; another header holds the token alone.
	Header string
	// Query is the name of a query parameter. URLs end in logs and in histories:
	// RFC 6750 section 2.3 advises against it. A parameter that comes twice is not
	// taken.
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

// Token returns the token of r. ok is false when no source has one.
func (s Sources) Token(r *http.Request) (token string, ok bool) {
	if s == (Sources{}) {
		s.Header = "Authorization"
	}
	if s.Cookie != "" {
		token = cookie(r.Header.Values("Cookie"), s.Cookie)
	}
	if token == "" && s.Header != "" {
		token = header(r.Header.Get(s.Header), s.Header)
	}
	if token == "" && s.Query != "" && r.URL != nil {
		token = query(r.URL.RawQuery, s.Query)
	}
	return token, token != ""
}

// cookie is the value of the first cookie of that name. net/http's parser drops a
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

func header(value, name string) string {
	if !strings.EqualFold(name, "Authorization") {
		return value
	}
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.Contains(token, " ") {
		return ""
	}
	return token
}

func query(raw, name string) string {
	values, err := url.ParseQuery(raw)
	if err != nil && len(values[name]) == 0 {
		return ""
	}
	if len(values[name]) != 1 {
		return ""
	}
	return values[name][0]
}

// Codes of RFC 6750 section 3.1.
const (
	InvalidRequest    = "invalid_request"
	InvalidToken      = "invalid_token"
	InsufficientScope = "insufficient_scope"
)

// A Challenge is the content of a WWW-Authenticate header: RFC 6750 section 3.
// All of it is public.
type Challenge struct {
	// Realm names what is protected.
	Realm string
	// Code is one of the three above; "" when the request had no token at all, as
	// the RFC asks.
	Code string
	// Description explains Code to a developer.
	Description string
	// Scope lists what would have been enough, separated by spaces.
	Scope string
}

// String is the header's value. Characters that a quoted string may not have
// there are left out.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString("Bearer")
	sep := " "
	for _, p := range []struct{ name, value string }{
		{"realm", c.Realm}, {"error", c.Code}, {"error_description", c.Description}, {"scope", c.Scope},
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
