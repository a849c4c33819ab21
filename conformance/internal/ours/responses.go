package ours

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"time"

	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/web/partial"
	"github.com/gomiddy/middy/web/secure"
	"github.com/gomiddy/middy/web/serialize"
)

// keys are an option's keys in the order in which they are written, which Middy
// keeps.
func (o options) keys(name string) []string {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(o.raw, &all) // it was read before
	dec := json.NewDecoder(bytes.NewReader(all[name]))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var out []string
	for dec.More() {
		key, err := dec.Token()
		var skip json.RawMessage
		if err != nil || dec.Decode(&skip) != nil {
			break
		}
		out = append(out, fmt.Sprint(key))
	}
	return out
}

// off reports whether Middy leaves the header out: the option is false or given as
// undefined.
func (o options) off(name string) bool {
	return o.has(name) && o.all[name] == false || o.undefined(name)
}

// member is a header of one value: that of key in the option, "" for Middy's
// default, or none.
func (o options) member(name, key string) string {
	if o.off(name) {
		return secure.Off
	}
	s, _ := o.object(name)[key].(string)
	return s
}

// directives are a policy's. value is that of a switch which is on.
func (o options) directives(name string) []secure.Directive {
	var out []secure.Directive
	for _, key := range o.keys(name) {
		d := secure.Directive{Name: key}
		switch v := o.object(name)[key].(type) {
		case string:
			d.Value = v
		case bool:
			d.Value = secure.Off
		}
		out = append(out, d)
	}
	return out
}

func securityHeaders(_ *run, o options) (func(http.Handler) http.Handler, error) {
	cfg := secure.Config{
		ReportOnly:                   o.bool("contentSecurityPolicyReportOnly"),
		CrossOriginEmbedderPolicy:    o.member("crossOriginEmbedderPolicy", "policy"),
		CrossOriginOpenerPolicy:      o.member("crossOriginOpenerPolicy", "policy"),
		CrossOriginResourcePolicy:    o.member("crossOriginResourcePolicy", "policy"),
		OriginAgentCluster:           o.member("originAgentCluster", ""),
		ReferrerPolicy:               o.member("referrerPolicy", "policy"),
		ContentTypeOptions:           o.member("contentTypeOptions", "action"),
		DownloadOptions:              o.member("downloadOptions", "action"),
		FrameOptions:                 o.member("frameOptions", "action"),
		PermittedCrossDomainPolicies: o.member("permittedCrossDomainPolicies", "policy"),
		KeepServer:                   o.has("poweredBy") && !o.bool("poweredBy"),
		Force:                        true, // Middy replaces what the handler set
	}
	policy := func(name string, f func(...secure.Directive) string) string {
		if o.off(name) {
			return secure.Off
		}
		return f(o.directives(name)...)
	}
	cfg.ContentSecurityPolicy = policy("contentSecurityPolicy", secure.CSP)
	cfg.PermissionsPolicy = policy("permissionsPolicy", secure.Permissions)
	if o.has("xssProtection") && !o.off("xssProtection") {
		cfg.XSSProtection = "0"
	}
	if cfg.DNSPrefetchControl = o.member("dnsPrefetchControl", ""); o.object("dnsPrefetchControl")["allow"] == true {
		cfg.DNSPrefetchControl = "on"
	}
	cfg.StrictTransportSecurity = hsts(o)
	cfg.ReportTo = reportTo(o)
	if !o.off("reportingEndpoints") {
		var endpoints []secure.Endpoint
		for _, name := range o.keys("reportingEndpoints") {
			endpoints = append(endpoints, secure.Endpoint{Name: name, URL: fmt.Sprint(o.object("reportingEndpoints")[name])})
		}
		cfg.ReportingEndpoints = secure.ReportingEndpoints(endpoints...)
	}
	return secure.New(cfg), nil
}

func hsts(o options) string {
	if o.off("strictTransportSecurity") {
		return secure.Off
	}
	all := options{all: o.object("strictTransportSecurity")}
	age, subdomains, preload := 15552000.0, true, true
	if all.has("maxAge") {
		age = math.Round(all.number("maxAge"))
	}
	if all.has("includeSubDomains") {
		subdomains = all.bool("includeSubDomains")
	}
	if all.has("preload") {
		preload = all.bool("preload")
	}
	return secure.HSTS(time.Duration(age)*time.Second, subdomains, preload)
}

func reportTo(o options) string {
	if o.off("reportTo") {
		return secure.Off
	}
	all := options{all: o.object("reportTo")}
	subdomains := true // the second spelling is that of older versions
	for _, name := range []string{"includeSubDomains", "includeSubdomains"} {
		if all.has(name) {
			subdomains = all.bool(name)
		}
	}
	var groups []secure.Group
	for _, name := range o.keys("reportTo") {
		if name == "maxAge" || name == "includeSubDomains" || name == "includeSubdomains" {
			continue
		}
		groups = append(groups, secure.Group{
			Name: name, URL: all.text(name), MaxAge: time.Duration(all.number("maxAge")) * time.Second,
			Subdomains: subdomains,
		})
	}
	return secure.ReportTo(groups...)
}

func partialResponse(_ *run, o options) (func(http.Handler) http.Handler, error) {
	return partial.New(partial.Config{Parameter: o.text("filteringKeyName")}), nil
}

func responseSerializer(r *run, o options) (func(http.Handler) http.Handler, error) {
	cfg := serialize.Config{Bodies: true, Default: o.text("defaultContentType")}
	list, _ := o.all["serializers"].([]any)
	for _, v := range list {
		entry, _ := v.(object)
		source, _ := entry["regex"].(conformance.Regexp)
		function, _ := entry["serializer"].(conformance.Function)
		re, err := regexp.Compile(string(source))
		if err != nil {
			return nil, err
		}
		cfg.Serializers = append(cfg.Serializers, serialize.Serializer{MediaType: mediaTypes[string(function)], Match: re.MatchString, Serialize: serializers[string(function)]})
	}
	mw := serialize.New(cfg)
	return func(next http.Handler) http.Handler {
		h := mw(next)
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if accept, ok := r.accepted("preferredMediaType"); ok {
				req.Header.Set("Accept", accept)
			}
			h.ServeHTTP(w, req)
		})
	}, nil
}

// mediaTypes are what the functions of cases write.
var mediaTypes = map[string]string{"xml": "application/xml", "json": "application/json", "plain": "text/plain", "any": "text/plain"}

var serializers = map[string]func(v any) ([]byte, error){
	"xml":   func(v any) ([]byte, error) { return fmt.Appendf(nil, "<message>%v</message>", v), nil },
	"json":  func(v any) ([]byte, error) { return []byte(compact(object{"message": v})), nil },
	"plain": func(v any) ([]byte, error) { return fmt.Append(nil, v), nil },
	"any":   func(v any) ([]byte, error) { return fmt.Appendf(nil, "serialized:%v", v), nil },
}

func compact(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a text
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
