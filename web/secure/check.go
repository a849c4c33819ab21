package secure

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// mistake begins a value that a function such as [CSP] could not make: Validate reports
// what follows. No header can carry it.
const mistake = "\x00"

// check reports why browsers would ignore the value of a header, or part of it.
func check(name, value string) error {
	if reason, ok := strings.CutPrefix(value, mistake); ok {
		return errors.New(reason)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return errors.New("no header can carry it")
	}
	switch name {
	case "Content-Security-Policy", "Content-Security-Policy-Report-Only":
		return checkCSP(value)
	case "Permissions-Policy":
		return checkPermissions(value)
	case "Reporting-Endpoints":
		return checkEndpoints(value)
	case "Report-To":
		return checkReportTo(value)
	case "Strict-Transport-Security":
		return checkHSTS(value)
	case "X-Xss-Protection":
		if !xss.MatchString(value) {
			return errors.New("use 0, 1 or 1; mode=block, or Off")
		}
		return nil
	case "Cross-Origin-Embedder-Policy", "Cross-Origin-Opener-Policy": // with report-to as a parameter
		it, err := single(value)
		if err != nil {
			return err
		}
		value = it.text
	case "Referrer-Policy":
		for one := range strings.SplitSeq(value, ",") {
			if err := oneOf(name, strings.TrimSpace(one)); err != nil {
				return err
			}
		}
		return nil
	}
	return oneOf(name, value)
}

func oneOf(name, value string) error {
	if values := known[name]; !slices.Contains(values, value) {
		return fmt.Errorf("use %s, or Off", strings.Join(values, ", "))
	}
	return nil
}

var xss = regexp.MustCompile(`^(0|1( *; *mode=block)?( *; *report=[!-:<-~]+)?)$`)

// checkCSP: https://www.w3.org/TR/CSP3/#framework-policy. A comma parts two policies.
func checkCSP(value string) error {
	for policy := range strings.SplitSeq(value, ",") {
		var names []string
		for directive := range strings.SplitSeq(policy, ";") {
			fields := strings.Fields(directive)
			if len(fields) == 0 {
				continue
			}
			name := strings.ToLower(fields[0])
			if slices.Contains(names, name) {
				return fmt.Errorf("%s comes twice; browsers ignore the second one", name)
			}
			names = append(names, name)
			if err := checkDirective(fields[0], fields[1:]); err != nil {
				return err
			}
		}
		if len(names) == 0 {
			return errors.New("a policy has no directive")
		}
	}
	return nil
}

var (
	directiveName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	unquoted      = regexp.MustCompile(`(?i)^(self|none|unsafe-inline|unsafe-eval|unsafe-hashes|strict-dynamic|report-sample|wasm-unsafe-eval|inline-speculation-rules|trusted-types-eval|report-sha(256|384|512)|(nonce|sha(256|384|512))-.*)$`)
	secret        = regexp.MustCompile(`(?i)^'(nonce|sha(256|384|512))-(.*)'$`)
	base64Value   = regexp.MustCompile(`^[A-Za-z0-9+/_-]+={0,2}$`)
)

// sourceless are the directives whose values are not sources.
var sourceless = []string{"sandbox", "report-to", "report-uri", "plugin-types", "require-sri-for", "trusted-types"}

func checkDirective(name string, values []string) error {
	if !directiveName.MatchString(name) {
		return fmt.Errorf("%q is no directive's name: letters, digits and -", name)
	}
	for _, v := range values {
		quotes := strings.Count(v, "'")
		switch {
		case strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' || r == ';' || r == ',' }):
			return fmt.Errorf("%s has %q: a value is ASCII, without ; and ,", name, v)
		case strings.HasPrefix(v, "'") != strings.HasSuffix(v, "'"), strings.HasPrefix(v, "'") && quotes != 2:
			return fmt.Errorf("%s has %q, whose quotes do not pair", name, v)
		case unquoted.MatchString(v) && !slices.Contains(sourceless, strings.ToLower(name)):
			return fmt.Errorf("%s has %s, which is the name of a host unless it stands in single quotes: '%s'", name, v, v)
		}
		if m := secret.FindStringSubmatch(v); m != nil && !base64Value.MatchString(m[3]) {
			return fmt.Errorf("%s has %s, which is not base64 behind the -", name, v)
		}
	}
	return nil
}

// checkPermissions: https://www.w3.org/TR/permissions-policy/#policy-directives.
func checkPermissions(value string) error {
	members, err := dictionary(value)
	if err != nil {
		return fmt.Errorf("browsers ignore all of it: %w", err)
	}
	for _, m := range members {
		for _, it := range m.items {
			if it.kind != '"' && !(it.kind == 't' && slices.Contains([]string{"*", "self", "src"}, it.text)) {
				return fmt.Errorf("%s is for somebody who is not *, self, src or an origin in double quotes", m.key)
			}
		}
	}
	return nil
}

// checkEndpoints: https://www.w3.org/TR/reporting-1/#header.
func checkEndpoints(value string) error {
	members, err := dictionary(value)
	if err != nil {
		return fmt.Errorf("browsers ignore all of it: %w", err)
	}
	for _, m := range members {
		if m.list || m.items[0].kind != '"' {
			return fmt.Errorf("%s is not a URL in double quotes", m.key)
		}
		if err := reportURL(m.items[0].text); err != nil {
			return fmt.Errorf("%s: %w", m.key, err)
		}
	}
	return nil
}

// reportURL accepts what browsers send reports to: https, or a path of this server.
func reportURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || raw == "" || strings.Contains(raw, " "):
		return fmt.Errorf("%q is not a URL", raw)
	case u.Scheme != "" && u.Scheme != "https", u.Scheme == "https" && u.Host == "":
		return fmt.Errorf("%q is not https, and browsers send reports nowhere else", raw)
	}
	return nil
}

// checkReportTo: a list of JSON objects without its brackets.
func checkReportTo(value string) error {
	var groups []struct {
		Endpoints []struct {
			URL string `json:"url"`
		} `json:"endpoints"`
		MaxAge *float64 `json:"max_age"`
	}
	if err := json.Unmarshal([]byte("["+value+"]"), &groups); err != nil {
		return errors.New("it is not JSON objects with endpoints and max_age, separated by commas")
	}
	for _, g := range groups {
		if len(g.Endpoints) == 0 || g.MaxAge == nil || *g.MaxAge < 0 {
			return errors.New("a group has no endpoints, or no max_age of 0 or more")
		}
		for _, e := range g.Endpoints {
			if err := reportURL(e.URL); err != nil {
				return err
			}
		}
	}
	return nil
}

var maxAge = regexp.MustCompile(`(?i)^max-age *= *("[0-9]+"|[0-9]+)$`)

// checkHSTS: RFC 6797 section 6.1. Browsers ignore directives that they do not know, and
// the whole field when one comes twice or max-age is missing.
func checkHSTS(value string) error {
	var seen []string
	for directive := range strings.SplitSeq(value, ";") {
		directive = strings.TrimSpace(directive)
		name := strings.ToLower(directive)
		switch {
		case directive == "":
			continue
		case maxAge.MatchString(directive):
			name = "max-age"
		case name != "includesubdomains" && name != "preload":
			return fmt.Errorf("%q is not max-age=<seconds>, includeSubDomains or preload", directive)
		}
		if slices.Contains(seen, name) {
			return fmt.Errorf("%s comes twice", name)
		}
		seen = append(seen, name)
	}
	if !slices.Contains(seen, "max-age") {
		return errors.New("max-age=<seconds> is missing")
	}
	return nil
}
