package format

import (
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The formats have their table in package validate, which holds both of their readers
// to it.

func TestTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"2026-01-31T15:04:05.25+01:00": time.Date(2026, 1, 31, 14, 4, 5, 250_000_000, time.UTC),
		"1963-06-19t08:30:06z":         time.Date(1963, 6, 19, 8, 30, 6, 0, time.UTC),
		"1998-12-31T23:59:60Z":         time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		"1998-12-31T15:59:60.5-08:00":  time.Date(1999, 1, 1, 0, 0, 0, 500_000_000, time.UTC),
	} {
		if got, ok := Time(text); !ok || !got.Equal(want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, ok, want)
		}
	}
	if _, ok := Time("2026-01-31 15:04:05Z"); ok {
		t.Error("a blank between date and time is taken")
	}
}

// What is taken is what the standard library's more liberal readers take too.
func FuzzChecks(f *testing.F) {
	for _, s := range []string{"https://a:b@[::1]:80/p?q#f", `"a\"b"@[IPv6:::1]`, "{?a:3,b*}", "P1Y2M3DT4H5M6S", "23:59:60Z", "1998-12-31T23:59:60+00:00", "0192f0c4-0000-7000-8000-00000000abcd", "xn--a.b", "\xff%4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, check := range checks {
			if !check(s) {
				continue
			}
			switch name {
			case "uri":
				if u, err := url.Parse(s); err == nil && !u.IsAbs() {
					t.Errorf("%q is a %s without a scheme", s, name)
				}
				if strings.Trim(s, "\x00 \"<>\\^`{|}") != s || !Check("iri")(s) || !Check("uri-reference")(s) {
					t.Errorf("%q is a %s, and no iri or no reference", s, name)
				}
			case "email":
				if _, err := mail.ParseAddress(s); err != nil && !strings.Contains(s, "[") { // it knows no address literals of IPv6
					t.Errorf("%q is an %s, and net/mail says %v", s, name, err)
				}
			case "date-time":
				if _, ok := Time(s); !ok || !ISODateTime(s) {
					t.Errorf("%q is a %s and no time", s, name)
				}
			}
		}
	})
}
