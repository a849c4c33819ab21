package secure_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/secure"
)

const (
	defaultCSP = "default-src 'report-sample' 'report-sha256'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; report-to default; require-trusted-types-for 'script'; sandbox; upgrade-insecure-requests"

	defaultPermissions = "accelerometer=(), all-screens-capture=(), ambient-light-sensor=(), autoplay=(), battery=(), camera=(), cross-origin-isolated=(), display-capture=(), document-domain=(), encrypted-media=(), execution-while-not-rendered=(), execution-while-out-of-viewport=(), fullscreen=(), geolocation=(), gyroscope=(), keyboard-map=(), magnetometer=(), microphone=(), midi=(), monetization=(), navigation-override=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), sync-xhr=(), usb=(), web-share=(), xr-spatial-tracking=(), clipboard-read=(), clipboard-write=(), gamepad=(), speaker-selection=(), conversion-measurement=(), focus-without-user-activation=(), hid=(), idle-detection=(), interest-cohort=(), serial=(), sync-script=(), trust-token-redemption=(), window-placement=(), vertical-scroll=()"
)

var defaults = map[string]string{
	"Content-Security-Policy":           defaultCSP,
	"Cross-Origin-Embedder-Policy":      "require-corp",
	"Cross-Origin-Opener-Policy":        "same-origin",
	"Cross-Origin-Resource-Policy":      "same-origin",
	"Permissions-Policy":                defaultPermissions,
	"Origin-Agent-Cluster":              "?1",
	"Referrer-Policy":                   "no-referrer",
	"Strict-Transport-Security":         "max-age=15552000; includeSubDomains",
	"X-Content-Type-Options":            "nosniff",
	"X-DNS-Prefetch-Control":            "off",
	"X-Download-Options":                "noopen",
	"X-Frame-Options":                   "DENY",
	"X-Permitted-Cross-Domain-Policies": "none",
}

// off is a Config that sends nothing.
var off = secure.Config{
	ContentSecurityPolicy: secure.Off, CrossOriginEmbedderPolicy: secure.Off, CrossOriginOpenerPolicy: secure.Off,
	CrossOriginResourcePolicy: secure.Off, PermissionsPolicy: secure.Off, OriginAgentCluster: secure.Off, ReferrerPolicy: secure.Off,
	ReportTo: secure.Off, ReportingEndpoints: secure.Off, StrictTransportSecurity: secure.Off, ContentTypeOptions: secure.Off,
	DNSPrefetchControl: secure.Off, DownloadOptions: secure.Off, FrameOptions: secure.Off, PermittedCrossDomainPolicies: secure.Off,
	XSSProtection: secure.Off,
}

// header is what the function sent, without what front doors add.
func header(h http.Header) map[string]string {
	got := map[string]string{}
	for name, lines := range h {
		if strings.HasPrefix(name, "X-Amz") || strings.HasPrefix(name, "Apigw-") {
			continue
		}
		if name == "X-Dns-Prefetch-Control" {
			name = "X-DNS-Prefetch-Control"
		}
		if name == "X-Xss-Protection" {
			name = "X-XSS-Protection"
		}
		got[name] = strings.Join(lines, " | ")
	}
	for _, name := range []string{"Date", "Content-Length", "Content-Type", "Connection"} {
		delete(got, name)
	}
	return got
}

func answers(pairs ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
		io.WriteString(w, "{}")
	})
}

func TestEachHeaderHasItsDefaultOrWhatItIsGiven(t *testing.T) {
	// with are the defaults, but for pairs; "" is absent.
	with := func(pairs ...string) map[string]string {
		want := maps.Clone(defaults)
		for i := 0; i < len(pairs); i += 2 {
			if want[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(want, pairs[i])
			}
		}
		return want
	}
	tests := []struct {
		name    string
		config  secure.Config
		handler http.Handler
		want    map[string]string
	}{
		// Middy's own cases.
		{"defaults", secure.Config{}, answers(), with()},
		{
			"config",
			secure.Config{
				ContentSecurityPolicy: secure.Off, DNSPrefetchControl: "on", ReferrerPolicy: secure.Off, XSSProtection: "0",
				StrictTransportSecurity: secure.HSTS(15552000*time.Second, false, false), PermittedCrossDomainPolicies: "all",
				ReportTo:           secure.ReportTo(secure.Group{URL: "https://e.com/a", Subdomains: true}),
				ReportingEndpoints: secure.ReportingEndpoints(secure.Endpoint{Name: "csp", URL: "https://e.com/a"}, secure.Endpoint{Name: "perms", URL: "https://e.com/b"}),
			},
			answers(),
			with(
				"Content-Security-Policy", "", "Referrer-Policy", "", "X-DNS-Prefetch-Control", "on", "X-XSS-Protection", "0",
				"Strict-Transport-Security", "max-age=15552000", "X-Permitted-Cross-Domain-Policies", "all",
				"Report-To", `{ "group": "default", "max_age": 31536000, "endpoints": [ { "url": "https://e.com/a" } ], "include_subdomains": true }`,
				"Reporting-Endpoints", `csp="https://e.com/a", perms="https://e.com/b"`,
			),
		},
		{
			// Deviation from Middy, which calls each group default.
			"each group has its name",
			secure.Config{ReportTo: secure.ReportTo(secure.Group{Name: "default", URL: "https://d", Subdomains: true}, secure.Group{Name: "custom", URL: "https://c"}, secure.Group{Name: "off"})},
			answers(),
			with("Report-To", `{ "group": "default", "max_age": 31536000, "endpoints": [ { "url": "https://d" } ], "include_subdomains": true }, { "group": "custom", "max_age": 31536000, "endpoints": [ { "url": "https://c" } ], "include_subdomains": false }`),
		},
		{
			"preload needs a year", secure.Config{StrictTransportSecurity: secure.HSTS(31536000*time.Second, true, true)}, answers(),
			with("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload"),
		},
		{
			"report only",
			secure.Config{ReportOnly: true, ContentSecurityPolicy: secure.CSP(
				secure.Directive{Name: "default-src", Value: "'self'"}, secure.Directive{Name: "sandbox", Value: secure.Off}, secure.Directive{Name: "upgrade-insecure-requests", Value: secure.Off},
			)},
			answers(),
			with("Content-Security-Policy", "", "Content-Security-Policy-Report-Only", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; report-to default; require-trusted-types-for 'script'"),
		},
		{
			// Deviation from Middy, which replaces what the handler set, and leaves a "server" in lower case.
			"what tells the software goes, what the handler set stays", secure.Config{}, answers("server", "A", "X-Powered-By", "B", "X-Frame-Options", "SAMEORIGIN"),
			with("X-Frame-Options", "SAMEORIGIN"),
		},
		{
			"with force, what the handler set goes", secure.Config{Force: true}, answers("x-frame-options", "SAMEORIGIN"),
			with(),
		},
		{
			"what tells the software may stay", secure.Config{KeepServer: true}, answers("X-Powered-By", "B"),
			with("X-Powered-By", "B"),
		},
		{
			"an error has the headers", secure.Config{}, web.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return io.ErrUnexpectedEOF }),
			with(),
		},
		{
			// Deviation from Middy, whose policy begins with a semicolon here.
			"a policy of two words",
			secure.Config{ContentSecurityPolicy: secure.CSP(
				secure.Directive{Name: "default-src"}, secure.Directive{Name: "base-uri"}, secure.Directive{Name: "form-action"},
				secure.Directive{Name: "frame-ancestors"}, secure.Directive{Name: "report-to"}, secure.Directive{Name: "require-trusted-types-for"},
			)},
			answers(),
			with("Content-Security-Policy", "sandbox; upgrade-insecure-requests"),
		},

		{"all can be off", off, answers(), map[string]string{}},
		{
			"a handler can take a header back", secure.Config{},
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Origin-Agent-Cluster"] = nil }),
			with("Origin-Agent-Cluster", ""),
		},
		{"frame options in any case", secure.Config{FrameOptions: "sameorigin"}, answers(), with("X-Frame-Options", "SAMEORIGIN")},
		{"a referrer policy with a fallback", secure.Config{ReferrerPolicy: "no-referrer, strict-origin-when-cross-origin"}, answers(), with("Referrer-Policy", "no-referrer, strict-origin-when-cross-origin")},
		{"a handler that does nothing", secure.Config{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), with()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			middytest.Everywhere(t, secure.New(tt.config)(tt.handler), func(t *testing.T, url string) {
				resp, err := http.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if diff := cmp.Diff(tt.want, header(resp.Header)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Not behind a REST API, which renames it.
func TestServerStaysWithKeepServer(t *testing.T) {
	for keep, want := range map[bool]string{false: "", true: "AMZN"} {
		w := httptest.NewRecorder()
		secure.New(secure.Config{KeepServer: keep})(answers("Server", "AMZN")).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if got := w.Header().Get("Server"); got != want {
			t.Errorf("KeepServer %v: %q", keep, got)
		}
	}
}

func TestPolicies(t *testing.T) {
	type d = secure.Directive
	every := func(names ...string) (all []d) {
		for _, name := range names {
			all = append(all, d{Name: name, Value: secure.Off})
		}
		return all
	}
	features := func() (all []string) {
		for f := range strings.SplitSeq(defaultPermissions, "=(), ") {
			all = append(all, strings.TrimSuffix(f, "=()"))
		}
		return all
	}()
	for _, tt := range []struct{ name, got, want string }{
		{"a directive keeps its place", secure.CSP(d{Name: "base-uri", Value: "'self'"}), strings.Replace(defaultCSP, "base-uri 'none'", "base-uri 'self'", 1)},
		{"a new directive comes last, before those without a value", secure.CSP(d{Name: "img-src", Value: "*"}), strings.Replace(defaultCSP, "; sandbox", "; img-src *; sandbox", 1)},
		{"a sandbox with a value stands in its place", secure.CSP(d{Name: "sandbox", Value: "allow-scripts"}, d{Name: "img-src", Value: "*"}), strings.Replace(defaultCSP, "; sandbox", "; sandbox allow-scripts; img-src *", 1)},
		{"a policy without directives is none", secure.CSP(every("default-src", "base-uri", "form-action", "frame-ancestors", "report-to", "require-trusted-types-for", "sandbox", "upgrade-insecure-requests")...), secure.Off},
		{"a feature for all, for some, and a new one", secure.Permissions(d{Name: "accelerometer", Value: "*"}, d{Name: "camera", Value: `self "https://a.com"`}, d{Name: "new"}), strings.NewReplacer("accelerometer=()", "accelerometer=*", "camera=()", `camera=(self "https://a.com")`).Replace(defaultPermissions) + ", new=()"},
		{"a feature less", secure.Permissions(every("accelerometer")...), strings.TrimPrefix(defaultPermissions, "accelerometer=(), ")},
		{"a policy without features is none", secure.Permissions(every(features...)...), secure.Off},
		{"an age is in seconds, rounded", secure.HSTS(1500*time.Millisecond, false, true), "max-age=2"},
		{"an age of nothing takes it back", secure.HSTS(0, true, true), "max-age=0; includeSubDomains"},
		{"no group", secure.ReportTo(secure.Group{Name: "a"}), secure.Off},
		{"a group to forget", secure.ReportTo(secure.Group{Name: "a", URL: "u", MaxAge: -1}), `{ "group": "a", "max_age": 0, "endpoints": [ { "url": "u" } ], "include_subdomains": false }`},
		{"what is quoted in a group", secure.ReportTo(secure.Group{Name: `a"b`, URL: "https://e.com/?a&b", MaxAge: time.Minute}), `{ "group": "a\"b", "max_age": 60, "endpoints": [ { "url": "https://e.com/?a&b" } ], "include_subdomains": false }`},
		{"no endpoint", secure.ReportingEndpoints(), secure.Off},
		{"what is quoted in an endpoint", secure.ReportingEndpoints(secure.Endpoint{Name: "a", URL: `x"y\z`}), `a="x\"y\\z"`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, tt.got, tt.want)
		}
	}
	if got := secure.CSP(); got != defaultCSP { // what is given once does not stay
		t.Errorf("the default is now %s", got)
	}
}

func TestEveryMistakeInAConfigIsReported(t *testing.T) {
	err := secure.Config{
		ContentSecurityPolicy: "default-src 'self'\r\nX: y", CrossOriginEmbedderPolicy: "require", CrossOriginOpenerPolicy: "x", CrossOriginResourcePolicy: "x",
		OriginAgentCluster: "1", ReferrerPolicy: "no-referrer, never", ContentTypeOptions: "sniff", DNSPrefetchControl: "yes", DownloadOptions: "x",
		FrameOptions: "ALLOW-FROM https://a.com", PermittedCrossDomainPolicies: "x",
	}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	var names []string
	for line := range strings.Lines(err.Error()) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "secure: "), " ")
		names = append(names, name)
	}
	want := []string{
		"Content-Security-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Origin-Agent-Cluster", "Referrer-Policy",
		"X-Content-Type-Options", "X-Dns-Prefetch-Control", "X-Download-Options", "X-Frame-Options", "X-Permitted-Cross-Domain-Policies",
	}
	if !slices.Equal(names, want) {
		t.Errorf("reported: %v", err)
	}
	for _, cfg := range []secure.Config{{}, off} {
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes what Validate refuses")
		}
	}()
	secure.New(secure.Config{FrameOptions: "maybe"})
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// The wrapper alone: all values are made once.
func TestAResponseAllocatesLittle(t *testing.T) {
	handler := secure.New(secure.Config{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r, h := httptest.NewRequest(http.MethodGet, "/", nil), http.Header{}
	if n := testing.AllocsPerRun(100, func() { clear(h); handler.ServeHTTP(discard{h}, r) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSecure(b *testing.B) {
	handler := secure.New(secure.Config{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r, h := httptest.NewRequest(http.MethodGet, "/", nil), http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		clear(h)
		handler.ServeHTTP(discard{h}, r)
	}
}
