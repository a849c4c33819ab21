package secure

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Directive is an element of a policy: of a Content-Security-Policy, a directive and
// its sources; of a Permissions-Policy, a feature and who may use it.
type Directive struct {
	Name  string
	Value string
}

// CSP is a Content-Security-Policy: the default one, in which each directive given takes
// the place of the one of its name, or comes after all, and is left out when its value
// is [Off].
//
// The directives sandbox and upgrade-insecure-requests need no value. Any other one
// without a value is left out. The default allows nothing:
//
//	default-src 'report-sample' 'report-sha256'; base-uri 'none'; form-action 'none';
//	frame-ancestors 'none'; report-to default; require-trusted-types-for 'script';
//	sandbox; upgrade-insecure-requests
//
// CSP returns [Off] when nothing is left. A directive that cannot be one, such as a value
// with a semicolon, makes a policy that [Config.Validate] refuses.
func CSP(directives ...Directive) string {
	all := merge([]Directive{
		{"default-src", "'report-sample' 'report-sha256'"},
		{"base-uri", "'none'"},
		{"form-action", "'none'"},
		{"frame-ancestors", "'none'"},
		{"report-to", "default"},
		{"require-trusted-types-for", "'script'"},
		{"sandbox", ""},
		{"upgrade-insecure-requests", ""},
	}, directives)
	var parts, bare []string
	for _, d := range all {
		if err := checkDirective(d.Name, strings.Fields(d.Value)); err != nil && d.Value != Off {
			return mistake + err.Error()
		}
		switch {
		case d.Value == Off:
		case d.Value != "":
			parts = append(parts, d.Name+" "+d.Value)
		case d.Name == "sandbox" || d.Name == "upgrade-insecure-requests":
			bare = append(bare, d.Name)
		}
	}
	if parts = append(parts, bare...); len(parts) == 0 {
		return Off
	}
	return strings.Join(parts, "; ")
}

// Permissions is a Permissions-Policy: the default one, in which each feature given takes
// the place of the one of its name, or comes after all, and is left out when its value is
// [Off].
//
// A value is who may use the feature, such as "self" or `self "https://maps.example.com"`;
// "*" is everybody and "" nobody. The default names 43 features, and gives them to nobody.
//
// Permissions returns [Off] when nothing is left. A feature that cannot be one makes a
// policy that [Config.Validate] refuses.
func Permissions(features ...Directive) string {
	var nobody []Directive
	for name := range strings.FieldsSeq(defaultFeatures) {
		nobody = append(nobody, Directive{Name: name})
	}
	var parts []string
	for _, f := range merge(nobody, features) {
		if f.Value != Off && !isKey(f.Name) {
			return mistake + fmt.Sprintf("%q is no feature's name", f.Name)
		}
		if m, err := dictionary("a=(" + f.Value + ")"); f.Value != Off && (err != nil || len(m) != 1) {
			return mistake + fmt.Sprintf("%q is not who may use %s", f.Value, f.Name)
		}
		switch f.Value {
		case Off:
		case "*":
			parts = append(parts, f.Name+"=*")
		default:
			parts = append(parts, f.Name+"=("+f.Value+")")
		}
	}
	if len(parts) == 0 {
		return Off
	}
	return strings.Join(parts, ", ")
}

const defaultFeatures = `
	accelerometer all-screens-capture ambient-light-sensor autoplay battery camera
	cross-origin-isolated display-capture document-domain encrypted-media
	execution-while-not-rendered execution-while-out-of-viewport fullscreen geolocation
	gyroscope keyboard-map magnetometer microphone midi monetization navigation-override
	payment picture-in-picture publickey-credentials-get screen-wake-lock sync-xhr usb
	web-share xr-spatial-tracking clipboard-read clipboard-write gamepad speaker-selection
	conversion-measurement focus-without-user-activation hid idle-detection
	interest-cohort serial sync-script trust-token-redemption window-placement
	vertical-scroll`

// merge puts directives in the place of those of their name.
func merge(all, directives []Directive) []Directive {
	for _, d := range directives {
		if i := slices.IndexFunc(all, func(have Directive) bool { return have.Name == d.Name }); i >= 0 {
			all[i] = d
		} else {
			all = append(all, d)
		}
	}
	return all
}

const (
	defaultHSTS = 180 * 24 * time.Hour
	year        = 365 * 24 * time.Hour
)

// HSTS is a Strict-Transport-Security, RFC 6797: for maxAge, in whole seconds, a browser
// uses HTTPS only, for subdomains too if set. A maxAge of 0 or less takes it back. preload
// asks to be in the browsers' own list; below a year, which the list requires, it is left
// out.
func HSTS(maxAge time.Duration, subdomains, preload bool) string {
	s := fmt.Sprintf("max-age=%.0f", math.Round(max(maxAge, 0).Seconds()))
	if subdomains {
		s += "; includeSubDomains"
	}
	if preload && maxAge >= year {
		s += "; preload"
	}
	return s
}

// A Group is where reports of a name go, in the header Report-To.
type Group struct {
	// Name is what a policy's report-to says. Default: "default".
	Name string

	// URL is where a browser sends the reports. A group without one is left out.
	URL string

	// MaxAge is how long a browser remembers the group, in whole seconds. Default: 365
	// days. Negative makes it forget the group.
	MaxAge time.Duration

	// Subdomains makes the group count for subdomains too.
	Subdomains bool
}

// ReportTo is a header Report-To, the elder sibling of Reporting-Endpoints:
// https://www.w3.org/TR/2018/WD-reporting-1-20180925/. It is [Off] without a group that
// has a URL.
func ReportTo(groups ...Group) string {
	var parts []string
	for _, g := range groups {
		if g.URL == "" {
			continue
		}
		if g.Name == "" {
			g.Name = "default"
		}
		if g.MaxAge == 0 {
			g.MaxAge = year
		}
		parts = append(parts, fmt.Sprintf(`{ "group": %s, "max_age": %d, "endpoints": [ { "url": %s } ], "include_subdomains": %t }`,
			quote(g.Name), max(g.MaxAge, 0)/time.Second, quote(g.URL), g.Subdomains))
	}
	if len(parts) == 0 {
		return Off
	}
	return strings.Join(parts, ", ")
}

// quote writes a JSON string without <, > and & made unreadable.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string has no way to fail
	return strings.TrimSuffix(b.String(), "\n")
}

// An Endpoint is where reports of a name go, in the header Reporting-Endpoints.
type Endpoint struct {
	Name string // what a policy's report-to says
	URL  string
}

// ReportingEndpoints is a header Reporting-Endpoints: https://www.w3.org/TR/reporting-1/.
// It is [Off] without an endpoint. A name is written in lower case; one that cannot be one
// makes a value that [Config.Validate] refuses.
func ReportingEndpoints(endpoints ...Endpoint) string {
	var parts []string
	for i, e := range endpoints {
		if !isKey(e.Name) || slices.ContainsFunc(endpoints[:i], func(other Endpoint) bool { return other.Name == e.Name }) {
			return mistake + fmt.Sprintf("%q is no endpoint's name, or comes twice", e.Name)
		}
		// A string of a structured field: RFC 9651 section 3.3.3.
		parts = append(parts, e.Name+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(e.URL)+`"`)
	}
	if len(parts) == 0 {
		return Off
	}
	return strings.Join(parts, ", ")
}
