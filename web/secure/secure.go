// Package secure sets the response headers that switch a browser's defences on: the set
// of Helmet, as Middy's http-security-headers has it.
//
// A browser does by default what pages of 1995 need: it guesses types, runs inline
// scripts, tells other sites where a visitor came from, and lets any page frame any
// other. Each of a dozen headers turns one of these off, and each has its own syntax.
//
//	secure.New(secure.Config{
//		ContentSecurityPolicy: secure.CSP(secure.Directive{Name: "default-src", Value: "'self'"}),
//		FrameOptions:          "SAMEORIGIN",
//		DownloadOptions:       secure.Off,
//	})
//
// The defaults suit an API. The Content-Security-Policy among them runs no script at
// all: who serves pages gives another one.
//
// What the handler set itself, stays. So a route that must be framed says so in its own
// X-Frame-Options; and one that wants a header not to be there, writes
//
//	w.Header()["X-Frame-Options"] = nil
//
// Place it outside of all that writes responses, so that errors have the headers too.
//
// Deviations from Middy: a header of the handler is replaced only with Force; names are
// compared in any case, as net/http has them; a group of Report-To has its own name and
// not always "default", and each says whether it includes subdomains; a policy of which
// nothing is left is not sent.
package secure

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gomiddy/middy/web/internal/layer"
	"github.com/gomiddy/middy/web/internal/response"
)

// Off, as the value of a header in a [Config], does not send it; as the value of a
// [Directive], takes it out of the policy.
const Off = "-"

// Config configures [New]. Each header is "" for its default, [Off] for none, or a value
// that is sent as it is. The zero value sends all that have a default.
type Config struct {
	// ContentSecurityPolicy says what a page may load and run:
	// https://www.w3.org/TR/CSP3/. Default: CSP(), which allows nothing.
	ContentSecurityPolicy string

	// ReportOnly sends the policy as Content-Security-Policy-Report-Only, by which a
	// browser reports what it would have refused.
	ReportOnly bool

	// CrossOriginEmbedderPolicy says what a page may embed. Default: "require-corp".
	CrossOriginEmbedderPolicy string

	// CrossOriginOpenerPolicy says which windows a page shares a process with.
	// Default: "same-origin".
	CrossOriginOpenerPolicy string

	// CrossOriginResourcePolicy says who may embed the response. Default: "same-origin".
	// What pages of other origins embed, such as images, needs "cross-origin".
	CrossOriginResourcePolicy string

	// PermissionsPolicy says which features a page may use, such as the camera:
	// https://www.w3.org/TR/permissions-policy/. Default: Permissions(), which is none.
	PermissionsPolicy string

	// OriginAgentCluster keeps a page apart from other origins of its site.
	// Default: "?1".
	OriginAgentCluster string

	// ReferrerPolicy says what a browser tells other sites about where it comes from.
	// Default: "no-referrer".
	ReferrerPolicy string

	// ReportTo is where browsers report to, in the form that ReportingEndpoints follows:
	// see [ReportTo]. Default: none.
	ReportTo string

	// ReportingEndpoints is where browsers report to: see [ReportingEndpoints].
	// Default: none.
	ReportingEndpoints string

	// StrictTransportSecurity forbids a browser to come by plain HTTP again: see [HSTS].
	// Default: HSTS(180 * 24 * time.Hour, true, true). Over plain HTTP browsers pay no heed
	// to it.
	StrictTransportSecurity string

	// ContentTypeOptions forbids guessing types. Default: "nosniff".
	ContentTypeOptions string

	// DNSPrefetchControl says whether a browser looks names up before they are clicked,
	// "on" or "off". Default: "off".
	DNSPrefetchControl string

	// DownloadOptions kept Internet Explorer from opening downloads. Default: "noopen".
	DownloadOptions string

	// FrameOptions says who may frame the response: "DENY" or "SAMEORIGIN", in any case.
	// Default: "DENY".
	FrameOptions string

	// PermittedCrossDomainPolicies is for documents of Adobe's. Default: "none".
	PermittedCrossDomainPolicies string

	// XSSProtection, set to "0", turns a filter of old browsers off, which could be
	// abused. Default: none.
	XSSProtection string

	// KeepServer leaves Server and X-Powered-By in the response. Default: they are
	// removed, since they tell an attacker what to look for.
	KeepServer bool

	// Force replaces the headers that the handler set. Default: they stay.
	Force bool
}

// field is a header and its value.
type field struct{ name, value string }

// fields are in the order of Middy's documentation.
func (c Config) fields() []field {
	policy := "Content-Security-Policy"
	if c.ReportOnly {
		policy = "Content-Security-Policy-Report-Only"
	}
	all := []field{
		{policy, cmp.Or(c.ContentSecurityPolicy, CSP())},
		{"Cross-Origin-Embedder-Policy", cmp.Or(c.CrossOriginEmbedderPolicy, "require-corp")},
		{"Cross-Origin-Opener-Policy", cmp.Or(c.CrossOriginOpenerPolicy, "same-origin")},
		{"Cross-Origin-Resource-Policy", cmp.Or(c.CrossOriginResourcePolicy, "same-origin")},
		{"Permissions-Policy", cmp.Or(c.PermissionsPolicy, Permissions())},
		{"Origin-Agent-Cluster", cmp.Or(c.OriginAgentCluster, "?1")},
		{"Referrer-Policy", cmp.Or(c.ReferrerPolicy, "no-referrer")},
		{"Report-To", cmp.Or(c.ReportTo, Off)},
		{"Reporting-Endpoints", cmp.Or(c.ReportingEndpoints, Off)},
		{"Strict-Transport-Security", cmp.Or(c.StrictTransportSecurity, HSTS(defaultHSTS, true, true))},
		{"X-Content-Type-Options", cmp.Or(c.ContentTypeOptions, "nosniff")},
		{"X-Dns-Prefetch-Control", cmp.Or(c.DNSPrefetchControl, "off")},
		{"X-Download-Options", cmp.Or(c.DownloadOptions, "noopen")},
		{"X-Frame-Options", strings.ToUpper(cmp.Or(c.FrameOptions, "DENY"))},
		{"X-Permitted-Cross-Domain-Policies", cmp.Or(c.PermittedCrossDomainPolicies, "none")},
		{"X-Xss-Protection", cmp.Or(c.XSSProtection, Off)},
	}
	return slices.DeleteFunc(all, func(f field) bool { return f.value == Off })
}

// known are the values of headers that have no others.
var known = map[string][]string{
	"Cross-Origin-Embedder-Policy":      {"unsafe-none", "require-corp", "credentialless"},
	"Cross-Origin-Opener-Policy":        {"unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups"},
	"Cross-Origin-Resource-Policy":      {"same-site", "same-origin", "cross-origin"},
	"Origin-Agent-Cluster":              {"?0", "?1"},
	"Referrer-Policy":                   {"no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"},
	"X-Content-Type-Options":            {"nosniff"},
	"X-Dns-Prefetch-Control":            {"on", "off"},
	"X-Download-Options":                {"noopen"},
	"X-Frame-Options":                   {"DENY", "SAMEORIGIN"},
	"X-Permitted-Cross-Domain-Policies": {"none", "master-only", "by-content-type", "by-ftp-filename", "all"},
}

// Validate reports each header whose value browsers do not know or cannot read, or that no
// header can carry. Such a value is as good as none: browsers say nothing.
func (c Config) Validate() error {
	var errs []error
	for _, f := range c.fields() {
		if err := check(f.name, f.value); err != nil {
			errs = append(errs, fmt.Errorf("secure: %s is %q: %w", f.name, strings.TrimPrefix(f.value, mistake), err))
		}
	}
	return errors.Join(errs...)
}

// New returns the middleware, which is safe for concurrent use. It copies cfg and
// panics with the error of [Config.Validate] if there is one.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	type line struct {
		name   string
		values []string // shared by all responses, and full, so that who appends gets a copy
	}
	var lines []line
	for _, f := range cfg.fields() {
		if f.value != "" {
			lines = append(lines, line{f.name, []string{f.value}})
		}
	}
	decorate := func(status int, h http.Header) int {
		for _, l := range lines {
			if _, set := h[l.name]; !set || cfg.Force {
				h[l.name] = l.values
			}
		}
		if !cfg.KeepServer {
			delete(h, "Server")
			delete(h, "X-Powered-By")
		}
		return status
	}
	return func(next http.Handler) http.Handler {
		return layer.Decorates("secure", func(w http.ResponseWriter, r *http.Request) {
			w, finish := response.OnHeader(w, decorate)
			next.ServeHTTP(w, r)
			finish()
		})
	}
}
