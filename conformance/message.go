package conformance

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// event is the case's event, decoded, as a front door would send it.
func (c *Case) event() map[string]any {
	b, err := Plain(c.Event)
	if err != nil {
		return nil
	}
	var e map[string]any
	_ = json.Unmarshal(b, &e) // what is no object is no event
	return e
}

// setEvent makes e the case's event.
func (c *Case) setEvent(e map[string]any) { c.Event = plainJSON(e) }

// object is the member of v under a path of keys.
func object(v any, path ...string) map[string]any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	m, _ := v.(map[string]any)
	return m
}

// method is the request's, at whatever front door.
func method(e map[string]any) string {
	for _, v := range []any{object(e, "requestContext", "http")["method"], e["httpMethod"], e["method"]} {
		if s, ok := v.(string); ok {
			return s
		}
	}
	return ""
}

// path is the request's, at whatever front door.
func path(e map[string]any) string {
	for _, v := range []any{object(e, "requestContext", "http")["path"], e["path"], e["raw_path"]} {
		if s, ok := v.(string); ok {
			p, _, _ := strings.Cut(s, "?")
			return p
		}
	}
	return ""
}

// field has all values of a request's header, whatever its spelling and wherever
// the front door puts them.
func field(e map[string]any, name string) []string {
	var out []string
	for _, place := range []string{"multiValueHeaders", "headers"} {
		for have, v := range object(e, place) {
			if !strings.EqualFold(have, name) {
				continue
			}
			switch v := v.(type) {
			case string:
				out = append(out, v)
			case []any:
				for _, one := range v {
					s, _ := one.(string)
					out = append(out, s)
				}
			}
		}
		if len(out) > 0 {
			slices.Sort(out) // an object in JSON has no order
			return out
		}
	}
	return nil
}

// returned is the response of the case's handler, or nil.
func (c *Case) returned() map[string]any {
	if c.Handler == nil {
		return nil
	}
	v, _ := Value(c.Handler.Return) // the runners have read it
	m, _ := v.(map[string]any)
	return m
}

// bodyless are the methods in whose requests a body has no meaning: RFC 9110
// section 9.3.
var bodyless = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, http.MethodTrace, http.MethodConnect}

// parsers are the packages of Middy that read a body.
var parsers = []string{"http-json-body-parser", "http-urlencode-body-parser", "http-multipart-body-parser"}
