package cors

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is configured and what a request says go through the same check.
func TestOriginsAreWhatBrowsersSend(t *testing.T) {
	for _, c := range []struct {
		origin   string
		sent     string // "" for what no browser sends
		refused  string // what Validate says of it in Origins; "" when it is accepted
		patterns string // the same, for what is a pattern there
	}{
		{origin: "null", sent: "null"},
		{origin: "https://example.com", sent: "https://example.com"},
		{origin: "https://Example.COM", sent: "https://example.com"},
		{origin: "HTTP://Example.COM:8080", sent: "http://example.com:8080"},
		{origin: "https://a_b.example-1.com", sent: "https://a_b.example-1.com"},
		{origin: "https://example.com.", sent: "https://example.com."},
		{origin: "https://xn--mnchen-3ya.de", sent: "https://xn--mnchen-3ya.de"},
		{origin: "http://localhost:3000", sent: "http://localhost:3000"},
		{origin: "http://localhost:443", sent: "http://localhost:443"},
		{origin: "https://localhost:80", sent: "https://localhost:80"},
		{origin: "http://localhost:65535", sent: "http://localhost:65535"},
		{origin: "http://127.0.0.1:8080", sent: "http://127.0.0.1:8080"},
		{origin: "http://[::1]:3000", sent: "http://[::1]:3000"},
		{origin: "http://[::ffff:102:304]", sent: "http://[::ffff:102:304]"},
		{origin: "zoom://x", sent: "zoom://x"},
		{origin: "a0://x", sent: "a0://x"},
		{origin: "a9://x", sent: "a9://x"},
		{origin: "app://\x80", refused: "xn--bcher-kva"},
		{origin: "https://\x80.example.com", refused: "xn--bcher-kva"},
		{origin: "http://[::ffff:7f00:1]", sent: "http://[::ffff:7f00:1]"},
		{origin: "chrome-extension://AbC", sent: "chrome-extension://AbC"},
		{origin: "capacitor://localhost", sent: "capacitor://localhost"},
		{origin: "https://1.example", sent: "https://1.example"},
		{origin: "https://0xg", sent: "https://0xg"},
		{origin: "https://abc.0xyz", sent: "https://abc.0xyz"},

		{origin: "https://*.example.com", patterns: "accepted"},
		{origin: "HTTPS://*.A.com", patterns: "accepted"},
		{origin: "http://localhost:*", patterns: "accepted"},
		{origin: "http://localhost:30*", patterns: "accepted"},
		{origin: "http://192.168.0.*", patterns: "accepted"},
		{origin: "http://*.0.0.1", patterns: "accepted"},
		{origin: "chrome-extension://*", patterns: "accepted"},

		{origin: "", refused: "give scheme and host"},
		{origin: "example.com", refused: "give scheme and host"},
		{origin: "*.example.com", refused: "give scheme and host"},
		{origin: "*://example.com", refused: "give scheme and host"},
		{origin: "1http://example.com", refused: "give scheme and host"},
		{origin: "a{b://x", refused: "give scheme and host"},
		{origin: "a!b://x", refused: "give scheme and host"},
		{origin: "://example.com", refused: "give scheme and host"},
		{origin: "Xhttp://A.COM", refused: "give scheme and host"},
		{origin: "h_ttp://example.com", refused: "give scheme and host"},
		{origin: "a+b-c.1://example.com", sent: "a+b-c.1://example.com"},
		{origin: " https://example.com", refused: "spaces and control"},
		{origin: "https://example.com\n", refused: "spaces and control"},
		{origin: "https://a\r\nX-Evil: y.example.com", refused: "spaces and control"},
		{origin: "https://a\x00.example.com", refused: "spaces and control"},
		{origin: "https://a\x7f.example.com", refused: "spaces and control"},
		{origin: "https://münchen.de", refused: "xn--bcher-kva"},
		{origin: "https://evil。com.example.com", refused: "xn--bcher-kva"},
		{origin: "https://１２７.0.0.1", refused: "xn--bcher-kva"},
		{origin: "https://\xff.example.com", refused: "xn--bcher-kva"},
		{origin: "https://", refused: "host is missing"},
		{origin: "https://.", refused: "host is missing"},
		{origin: "https://:8080", refused: "host is missing"},
		{origin: "app://", refused: "host is missing"},
		{origin: "https://example.com/", refused: "leave out the path"},
		{origin: "https:///example.com", refused: "leave out the path"},
		{origin: "https://example.com?q", refused: "leave out the path"},
		{origin: "https://evil.com#.example.com", refused: "leave out the path"},
		{origin: `https://evil.com\.example.com`, refused: "leave out the path"},
		{origin: "https://user@example.com", refused: "leave out the path"},
		{origin: "app://host/path", refused: "leave out the path"},
		{origin: "https://example.com:443", refused: "leave out :443"},
		{origin: "http://example.com:80", refused: "leave out :80"},
		{origin: "http://[::1]:80", refused: "leave out :80"},
		{origin: "https://example.com:", refused: "is not a port"},
		{origin: "https://example.com:0443", refused: "is not a port"},
		{origin: "https://example.com:65536", refused: "is not a port"},
		{origin: "https://example.com:+1", refused: "is not a port"},
		{origin: "https://example.com:x", refused: "is not a port"},
		{origin: "https://example.com:x*", refused: "is not a port"},
		{origin: "https://a:1:2", refused: `':' in a host`},
		{origin: "https://a%41.com", refused: `'%' in a host`},
		{origin: "https://a`b.com", refused: "'`' in a host"},
		{origin: "https://a{b.com", refused: `'{' in a host`},
		{origin: "https://[::1", refused: "IPv6 address as browsers write it"},
		{origin: "https://[0:0::1]", refused: "IPv6 address as browsers write it"},
		{origin: "https://[::ffff:127.0.0.1]", refused: "IPv6 address as browsers write it"},
		{origin: "https://[fe80::1%25eth]", refused: "IPv6 address as browsers write it"},
		{origin: "https://[1.2.3.4]", refused: "IPv6 address as browsers write it"},
		{origin: "https://[x]", refused: "IPv6 address as browsers write it"},
		{origin: "https://[::*]", refused: "IPv6 address as browsers write it"},
		{origin: "https://127.1", refused: "IPv4 address as browsers write it"},
		{origin: "https://127.0.0.01", refused: "IPv4 address as browsers write it"},
		{origin: "https://1.2.3.256", refused: "IPv4 address as browsers write it"},
		{origin: "https://1.2.3.4.", refused: "IPv4 address as browsers write it"},
		{origin: "https://2130706433", refused: "IPv4 address as browsers write it"},
		{origin: "https://0x7f.1", refused: "IPv4 address as browsers write it"},
		{origin: "https://a.0x1f", refused: "IPv4 address as browsers write it"},
	} {
		if got := sent(c.origin); got != c.sent {
			t.Errorf("a request of %q is one of %q, want %q", c.origin, got, c.sent)
		}
		err := Config{Origins: []string{c.origin}}.Validate()
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("Origins with %q: got %v, want %q", c.origin, err, c.refused)
		}
		if c.origin == "" { // as Origin, that is none
			continue
		}
		err = Config{Origin: c.origin}.Validate()
		if (err == nil) != (c.refused == "" && c.patterns == "") {
			t.Errorf("Origin %q: got %v", c.origin, err)
		}
	}
}

// With credentials a pattern must not let in hosts that anybody can register.
func TestPatternsThatAreTooWideForCredentials(t *testing.T) {
	for origin, ok := range map[string]bool{
		"https://*.example.com": true, "https://app-*.example.com": true, "https://*.*.example.com": true, "https://*.example.com:*": true, "http://*.localhost": true,
		"http://localhost:*": true, "https://*": true, "*": true, "https://example.com": true,
		"https://*.com": false, "https://*.com:*": false, "https://app-*.com": false, "https://example.*": false, "https://*.*": false, "https://a.*.com": false, "HTTPS://*.COM": false,
	} {
		if err := (Config{Origins: []string{origin}, Credentials: true}).Validate(); (err == nil) != ok {
			t.Errorf("%s: got %v", origin, err)
		}
		if err := (Config{Origins: []string{origin}}).Validate(); err != nil {
			t.Errorf("%s without credentials: got %v", origin, err)
		}
	}
}

func TestWhatIsAllowed(t *testing.T) {
	list := compile(Config{Origins: []string{"https://*.example.com", "http://localhost:*", "http://*.test:*", "app://x:*"}})
	for origin, want := range map[string]string{
		"https://a.example.com":              "https://a.example.com",
		"HTTPS://A.Example.com":              "https://a.example.com",
		"http://localhost":                   "http://localhost", // port 80, which is not written
		"http://localhost:1":                 "http://localhost:1",
		"http://a.test":                      "http://a.test",
		"http://a.test:99":                   "http://a.test:99",
		"app://x:1":                          "app://x:1",
		"app://x":                            "", // no scheme of the web: it has no default port
		"http://localhost:80":                "",
		"http://localhost:x":                 "",
		"http://localhostx":                  "",
		"xhttps://a.example.com":             "",
		"https://example.com":                "",
		"https://a.b.example.com":            "",
		"https://a\r\nX-Evil: y.example.com": "",
		"https:///evil。com.example.com":      "",
		"https://evil.com/.example.com":      "",
		"https://evil@a.example.com":         "",
		"https://a\x00.example.com":          "",
		"https://a.example.com:443":          "",
		"https://münchen.example.com":        "",
		"https://*.example.com":              "",
		"app://*":                            "",
		"":                                   "",
		"null":                               "",
		"https://" + strings.Repeat("a", 241) + ".example.com": "https://" + strings.Repeat("a", 241) + ".example.com",
		"https://" + strings.Repeat("a", 242) + ".example.com": "https://" + strings.Repeat("a", 242) + ".example.com", // 254 bytes: a dot at the end is one
		"https://" + strings.Repeat("a", 243) + ".example.com": "",
	} {
		for _, credentials := range []bool{false, true} {
			if got := list.origin(origin, credentials); got != want {
				t.Errorf("%.60q is allowed as %.60q, want %.60q", origin, got, want)
			}
		}
	}
	every := compile(Config{Origins: []string{"*"}})
	for origin, want := range map[string]string{"https://a.com": "https://a.com", "": "", "https://a b": "", "https://ü": "", "app://" + strings.Repeat("x", 1018): "app://" + strings.Repeat("x", 1018), "app://" + strings.Repeat("x", 1019): ""} {
		if got := every.origin(origin, true); got != want {
			t.Errorf("all with credentials: %.60q is allowed as %.60q, want %.60q", origin, got, want)
		}
		if got := every.origin(origin, false); got != "*" {
			t.Errorf("all: %.60q is allowed as %.60q, want *", origin, got)
		}
	}
	one := compile(Config{Origin: "*"})
	if got := one.origin("https://a b", true); got != "" {
		t.Errorf("what is no origin is allowed as %q", got)
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

// What is sent stays as it is, and nothing that could split a header is.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://a.com", "https://*.xn--a.de", "HTTP://A:80", "https://user@[::1]:443/x", "null", "https://%zz%", "https://xn--a", "http://\u202e.com", "https://[::ffff:1.2.3.4]"} {
		f.Add(seed)
	}
	list := compile(Config{Origins: []string{"https://a.com", "https://*.a.com", "http://localhost:*"}})
	f.Fuzz(func(t *testing.T, origin string) {
		once := sent(origin)
		if twice := sent(once); twice != once {
			t.Fatalf("%q became %q, and then %q", origin, once, twice)
		}
		if !isValue(once) || strings.ContainsAny(once, " \\/@?#*") && !strings.Contains(once, "://") {
			t.Fatalf("%q became %q", origin, once)
		}
		switch got := list.origin(origin, true); {
		case got == "":
		case got == "https://a.com", got == "http://localhost", strings.HasPrefix(got, "http://localhost:") && !strings.Contains(got[7:], "."):
		case strings.HasPrefix(got, "https://") && strings.HasSuffix(got, ".a.com") && strings.Count(got, ".") == 2:
		default:
			t.Fatalf("%q is allowed as %q", origin, got)
		}
	})
}
