package cors

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOriginsAreComparedAsBrowsersWriteThem(t *testing.T) {
	for origin, want := range map[string]string{
		"":                              "",
		"*":                             "*",
		"null":                          "null",
		"example.com":                   "example.com",
		"chrome-extension://AbC":        "chrome-extension://AbC",
		"Xhttp://A.COM":                 "Xhttp://A.COM",
		"https://Example.COM":           "https://example.com",
		"HTTP://Example.COM:8080":       "http://example.com:8080",
		"https://example.com:443":       "https://example.com:443", // plain: no browser writes it
		"https://AZaz09-.com:443":       "https://azaz09-.com:443", // plain from end to end
		"https://a`b.com:443":           "https://a`b.com",         // one beside: parsed
		"https://a{b.com:443":           "https://a{b.com",
		"https://münchen.de":            "https://xn--mnchen-3ya.de",
		"https://MÜNCHEN.de:443":        "https://xn--mnchen-3ya.de",
		"https://münchen.de:0443/x?y#z": "https://xn--mnchen-3ya.de",
		"http://münchen.de:443":         "http://xn--mnchen-3ya.de:443",
		"http://user:pw@münchen.de":     "http://xn--mnchen-3ya.de",
		"https://*.münchen.de":          "https://*.xn--mnchen-3ya.de",
		"https://*.A.com":               "https://*.a.com",
		"https://a.com/":                "https://a.com",
		`https://a.com\evil.com`:        "https://a.com",
		"https://evil.com#.a.com":       "https://evil.com",
		"https://a_b.com":               "https://a_b.com",
		"https://faß.de":                "https://xn--fa-hia.de", // not "fass.de"
		"https://r3---sn.com/x":         "https://r3---sn.com",
		"https://%41.com":               "https://a.com",
		"https://%2e.com":               "https://..com",
		"https://１２７.0.0.1":             "https://127.0.0.1",
		"http://[::1]:3000":             "http://[::1]:3000",
		"http://[0:0::1]:80":            "http://[::1]",
		"http://[::FFFF:127.0.0.1]":     "http://[::ffff:7f00:1]",
		"http://localhost:*":            "http://localhost:*",
		"HTTPS://*.A.com":               "https://*.a.com",

		// What no URL can be stays as it is.
		"https://":                "https://",
		"https://a b.com":         "https://a b.com",
		"https://ü.com:99999":     "https://ü.com:99999",
		"https://ü.com:+80":       "https://ü.com:+80",
		"https://a.com:x":         "https://a.com:x",
		"https://[::1":            "https://[::1",
		"https://[1.2.3.4]":       "https://[1.2.3.4]",
		"https://[fe80::1%25eth]": "https://[fe80::1%25eth]",
		"https://ü%zz.com":        "https://ü%zz.com",
		"https://ü.com\nx":        "https://ü.com\nx",
		"https://xn--\u00fc.com":  "https://xn--\u00fc.com",
	} {
		if got := canonical(origin); got != want {
			t.Errorf("%q became %q, want %q", origin, got, want)
		}
	}
}

func TestOriginsOfUpTo1024BytesAreCompared(t *testing.T) {
	list := compile(Config{Origins: []string{"https://*.a.com"}})
	origin := func(n int) string { return "https://" + strings.Repeat("X", n-len("https://.a.com")) + ".a.com" }
	if o := origin(1024); canonical(o) != strings.ToLower(o) || list.origin(o, false) != strings.ToLower(o) {
		t.Error("1024 bytes are too many")
	}
	if o := origin(1025); canonical(o) != o || list.origin(strings.ToLower(o), false) != "" {
		t.Error("1025 bytes are not too many")
	}
}

// The peer matches with a regular expression, anchored, in which * is [^.]*.
func TestAPatternIsThePeersRegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("ab.*")), 0, 10, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.SampledFrom([]rune("ab.")), 0, 12, -1).Draw(t, "origin")
		re := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, "[^.]*") + "$")
		if got, want := match(pattern, s), re.MatchString(s); got != want {
			t.Fatalf("%q matches %q: %v, want %v", pattern, s, got, want)
		}
	})
}

// What is canonical stays so; what browsers send is not changed; nothing that could
// split a header comes out of what could not.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://a.com", "https://*.münchen.de", "HTTP://A:80", "https://user@[::1]:443/x", "null", "https://%zz%", "https://xn--a", "http://\u202e.com", "https://[::ffff:1.2.3.4]"} {
		f.Add(seed)
	}
	list := compile(Config{Origins: []string{"https://a.com", "https://*.a.com", "http://localhost:*"}})
	f.Fuzz(func(t *testing.T, origin string) {
		once := canonical(origin)
		if twice := canonical(once); twice != once {
			t.Fatalf("%q became %q, and then %q", origin, once, twice)
		}
		if isValue(origin) && !isValue(once) {
			t.Fatalf("%q became %q", origin, once)
		}
		switch got := list.origin(origin, true); {
		case got == "":
		case got == "https://a.com", strings.HasPrefix(got, "http://localhost:") && !strings.Contains(got[7:], "."):
		case strings.HasPrefix(got, "https://") && strings.HasSuffix(got, ".a.com") && strings.Count(got, ".") == 2:
		default:
			t.Fatalf("%q is allowed as %q", origin, got)
		}
	})
}
