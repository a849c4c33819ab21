package secure

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhatNoBrowserCanReadIsRefused(t *testing.T) {
	type d = Directive
	for _, c := range []struct {
		rule string
		cfg  Config
		want string // "" is valid
	}{
		{"a feature in upper case", Config{PermissionsPolicy: Permissions(d{"Camera", "self"})}, `"Camera" is no feature's name`},
		{"a feature with a space", Config{PermissionsPolicy: Permissions(d{"web share", ""})}, `"web share" is no feature's name`},
		{"a feature with a comma", Config{PermissionsPolicy: Permissions(d{"a,b", ""})}, `"a,b" is no feature's name`},
		{"a feature without a name", Config{PermissionsPolicy: Permissions(d{"", "self"})}, `"" is no feature's name`},
		{"a feature that begins with a digit", Config{PermissionsPolicy: Permissions(d{"3d", "self"})}, `"3d" is no feature's name`},
		{"a feature with letters and signs", Config{PermissionsPolicy: Permissions(d{"a1_-.*", "self"})}, ""},
		{"a feature that is off may be misspelt", Config{PermissionsPolicy: Permissions(d{"Camera", Off})}, ""},
		{"a string that does not end", Config{PermissionsPolicy: Permissions(d{"camera", `self "https://a.example`})}, "is not who may use camera"},
		{"a list in a list", Config{PermissionsPolicy: Permissions(d{"camera", "(self)"})}, "is not who may use camera"},
		{"a value that adds a feature", Config{PermissionsPolicy: Permissions(d{"camera", "self), microphone=(*"})}, "is not who may use camera"},
		{"a value that is for all beside others", Config{PermissionsPolicy: Permissions(d{"camera", `self "https://*.example.com"`})}, ""},
		{"an origin without quotes", Config{PermissionsPolicy: Permissions(d{"camera", "https://a.example"})}, "is for somebody who is not"},
		{"a misspelt self", Config{PermissionsPolicy: Permissions(d{"camera", "slef"})}, "is for somebody who is not"},
		{"a policy written by hand", Config{PermissionsPolicy: `camera=(self "https://a.example"), microphone=*, usb=self, serial=();report-to=main`}, ""},
		{"a feature that is a boolean", Config{PermissionsPolicy: "camera"}, "is for somebody who is not"},
		{"a feature twice", Config{PermissionsPolicy: "camera=(), camera=(self)"}, "camera comes twice"},
		{"a comma at the end", Config{PermissionsPolicy: "camera=(), "}, "does not begin with a name"},
		{"Feature-Policy's syntax", Config{PermissionsPolicy: "camera 'none'; usb 'self'"}, "stands where a comma should"},
		{"a number", Config{PermissionsPolicy: "camera=1"}, "is for somebody who is not"},

		{"an endpoint in upper case", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"Main", "https://a.example"})}, `"Main" is no endpoint's name`},
		{"an endpoint that begins with a digit", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"1st", "https://a.example"})}, `"1st" is no endpoint's name`},
		{"an endpoint that adds another", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{`a="https://x", b`, "https://a.example"})}, "is no endpoint's name"},
		{"an endpoint twice", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", "/1"}, Endpoint{"a", "/2"})}, "comes twice"},
		{"a tab in a URL", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", "https://a.example/\t"})}, "ASCII that prints"},
		{"a URL in another script", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", "https://ü.example/"})}, "ASCII that prints"},
		{"a URL of http", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", "http://a.example/"})}, "is not https"},
		{"a URL with a space", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", "https://a.example/a b"})}, "is not a URL"},
		{"a URL without a host", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", "https:///x"})}, "is not https"},
		{"no URL", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", ""})}, "is not a URL"},
		{"a broken URL", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", "https://a.example/%zz"})}, "is not a URL"},
		{"a path of this server", Config{ReportingEndpoints: ReportingEndpoints(Endpoint{"a", `/reports?q="x\y"`}, Endpoint{"b", "https://b.example"})}, ""},
		{"an endpoint that is a token", Config{ReportingEndpoints: "a=https://a.example"}, "is not a URL in double quotes"},
		{"an endpoint that is a list", Config{ReportingEndpoints: `a=("https://a.example")`}, "is not a URL in double quotes"},
		{"an endpoint that is nothing", Config{ReportingEndpoints: `a`}, "is not a URL in double quotes"},

		{"groups", Config{ReportTo: ReportTo(Group{URL: "https://a.example"}, Group{Name: "b", URL: "/b", MaxAge: -1})}, ""},
		{"a group of http", Config{ReportTo: ReportTo(Group{URL: "http://a.example"})}, "is not https"},
		{"a group that is no JSON", Config{ReportTo: "{ group: 'a' }"}, "it is not JSON objects"},
		{"a group without endpoints", Config{ReportTo: `{"group":"a","max_age":1}`}, "no endpoints"},
		{"a group without max_age", Config{ReportTo: `{"endpoints":[{"url":"https://a.example"}]}`}, "no max_age"},
		{"a group with a negative max_age", Config{ReportTo: `{"max_age":-1,"endpoints":[{"url":"https://a.example"}]}`}, "no max_age"},

		{"a year of HTTPS", Config{StrictTransportSecurity: HSTS(365*24*time.Hour, true, true)}, ""},
		{"HTTPS no more", Config{StrictTransportSecurity: HSTS(-1, false, false)}, ""},
		{"an age in quotes, any case, spare semicolons", Config{StrictTransportSecurity: `; Max-Age = "1" ;INCLUDESUBDOMAINS; preload;`}, ""},
		{"an age that is no number", Config{StrictTransportSecurity: "max-age=abc"}, `"max-age=abc" is not max-age=<seconds>`},
		{"a negative age", Config{StrictTransportSecurity: "max-age=-1"}, "is not max-age=<seconds>"},
		{"no age", Config{StrictTransportSecurity: "includeSubDomains"}, "max-age=<seconds> is missing"},
		{"an age twice", Config{StrictTransportSecurity: "max-age=1; max-age=2"}, "max-age comes twice"},
		{"subdomains twice", Config{StrictTransportSecurity: "max-age=1; includeSubDomains; includesubdomains"}, "includesubdomains comes twice"},
		{"a misspelt directive", Config{StrictTransportSecurity: "max-age=1; includeSubDomain"}, `"includeSubDomain" is not`},
		{"a comma", Config{StrictTransportSecurity: "max-age=1, includeSubDomains"}, "is not max-age=<seconds>"},

		{"sources", Config{ContentSecurityPolicy: CSP(d{"default-src", "'self' https://*.example.com data: 'nonce-abc+/_-=='"}, d{"script-src", "'sha256-YQ==' 'strict-dynamic'"})}, ""},
		{"self without quotes", Config{ContentSecurityPolicy: CSP(d{"default-src", "self"})}, "unless it stands in single quotes: 'self'"},
		{"none without quotes", Config{ContentSecurityPolicy: "object-src none"}, "unless it stands in single quotes: 'none'"},
		{"a keyword in capitals without quotes", Config{ContentSecurityPolicy: "script-src UNSAFE-INLINE"}, "unless it stands in single quotes"},
		{"a nonce without quotes", Config{ContentSecurityPolicy: "script-src nonce-abc"}, "unless it stands in single quotes"},
		{"a hash without quotes", Config{ContentSecurityPolicy: "script-src sha384-abc"}, "unless it stands in single quotes"},
		{"a host with such a beginning", Config{ContentSecurityPolicy: "script-src self.example none.example sha256.example"}, ""},
		{"a name that is no source", Config{ContentSecurityPolicy: "report-to none; trusted-types self; sandbox"}, ""},
		{"an empty nonce", Config{ContentSecurityPolicy: "script-src 'nonce-'"}, "not base64"},
		{"a nonce that is no base64", Config{ContentSecurityPolicy: `script-src 'sha512-a"b'`}, "not base64"},
		{"a quote that does not end", Config{ContentSecurityPolicy: "script-src 'self"}, "quotes do not pair"},
		{"a quote that does not begin", Config{ContentSecurityPolicy: "script-src self'"}, "quotes do not pair"},
		{"a quote alone", Config{ContentSecurityPolicy: "script-src '"}, "quotes do not pair"},
		{"two keywords without a space", Config{ContentSecurityPolicy: "script-src 'self''unsafe-eval'"}, "quotes do not pair"},
		{"a value that adds a directive", Config{ContentSecurityPolicy: CSP(d{"img-src", "'self'; script-src 'unsafe-inline'"})}, "without ; and ,"},
		{"a value that adds a policy", Config{ContentSecurityPolicy: CSP(d{"img-src", "'self', default-src *"})}, "without ; and ,"},
		{"a name that adds a directive", Config{ContentSecurityPolicy: CSP(d{"img-src *; script-src", "'self'"})}, "is no directive's name"},
		{"a name with a space", Config{ContentSecurityPolicy: CSP(d{"img src", "'self'"})}, "is no directive's name"},
		{"no name", Config{ContentSecurityPolicy: CSP(d{"", "'self'"})}, "is no directive's name"},
		{"a bare directive with a bad name", Config{ContentSecurityPolicy: "up_grade"}, "is no directive's name"},
		{"a value in another script", Config{ContentSecurityPolicy: "img-src https://ü.example"}, "a value is ASCII"},
		{"a directive twice", Config{ContentSecurityPolicy: "img-src *; IMG-SRC 'self'"}, "img-src comes twice"},
		{"two policies", Config{ContentSecurityPolicy: "img-src *;, img-src 'self'"}, ""},
		{"an empty policy", Config{ContentSecurityPolicy: "img-src *, ;"}, "no directive"},
		{"report only is checked too", Config{ReportOnly: true, ContentSecurityPolicy: "img-src self"}, "single quotes"},

		{"one of a pair that is no list", Config{FrameOptions: "DENY, SAMEORIGIN"}, "use DENY, SAMEORIGIN"},
		{"a policy with its endpoint", Config{CrossOriginEmbedderPolicy: `require-corp; report-to="main"`, CrossOriginOpenerPolicy: `same-origin;report-to="main"`}, ""},
		{"a policy with something else", Config{CrossOriginEmbedderPolicy: "require-corp, unsafe-none"}, "stands behind the value"},
		{"a policy that is a string", Config{CrossOriginOpenerPolicy: `"same-origin`}, "does not end"},
		{"a filter that is off", Config{XSSProtection: "0"}, ""},
		{"a filter that blocks", Config{XSSProtection: "1; mode=block"}, ""},
		{"a filter that is not known", Config{XSSProtection: "on"}, "use 0"},
	} {
		err := c.cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.rule, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), mistake) {
			t.Errorf("%s: the error is not text: %q", c.rule, err)
		}
	}
}

// RFC 9651 sections 3.1, 3.2 and 4.2.
func TestDictionaries(t *testing.T) {
	for field, want := range map[string]string{
		`a`:                           "a?",
		`a=?0, b=?1;x`:                "a? b?",
		"  a=1 \t,\t b=token  ":       "a0 bt:token",
		`a="x\"y\\z"`:                 `a":x"y\z`,
		`a=(x  "y" );p=1;q="r", b=()`: `a(t:x ":y) b()`,
		`*=*`:                         "*t:*",
		`a=b/c:d!#$%&'*+-.^_|~`:       "at:b/c:d!#$%&'*+-.^_|~",
		`a;`:                          "", "a;B": "", `a;b=`: "", `a=(b;C)`: "",
		``: "", `A`: "", `a,`: "", `,a`: "", `a b`: "", `a=`: "", `a=(`: "", `a=(x"y")`: "", `a=(x`: "", `a=x)`: "", `a="`: "", `a="\x"`: "", `a="\`: "", "a=\"\x80\"": "", "a=\"\x1f\"": "",
		"a=\"\x7f\"": "", `a=?2`: "", `a=:YQ==:`: "", `a=1234567890123456`: "", `a=123456789012345`: "a0", "\ta": "", `a=1x`: "", `a, a`: "",
	} {
		members, err := dictionary(field)
		var parts []string
		for _, m := range members {
			var items []string
			for _, it := range m.items {
				s := string(it.kind)
				if it.kind == 't' || it.kind == '"' {
					s += ":" + it.text
				}
				items = append(items, s)
			}
			s := strings.Join(items, " ")
			if m.list {
				s = "(" + s + ")"
			}
			parts = append(parts, m.key+s)
		}
		if got := strings.Join(parts, " "); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", field, got, err, want)
		}
	}
}

func FuzzDictionary(f *testing.F) {
	for _, seed := range []string{`a=(self "https://x"), b=*`, `a;b=c`, `a="\"`, `a=(;`, `a=1`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		members, err := dictionary(field)
		if err != nil {
			return
		}
		if strings.ContainsFunc(field, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
			t.Fatalf("%q is accepted", field)
		}
		var keys []string
		for _, m := range members {
			if !isKey(m.key) || slices.Contains(keys, m.key) || !m.list && len(m.items) != 1 {
				t.Fatalf("%q has the member %+v", field, m)
			}
			keys = append(keys, m.key)
		}
	})
}
