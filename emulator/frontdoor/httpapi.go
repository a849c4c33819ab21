package frontdoor

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// HTTPAPI is an API Gateway HTTP API with payload format 2.0. The zero value has
// the one route $default in the stage $default.
type HTTPAPI struct {
	// Stage defaults to "$default". Any other is the first segment of the path,
	// and a request without it finds no route.
	Stage string
	// StageVariables are left out when there are none.
	StageVariables map[string]string
	// Routes are route keys: "GET /orders/{id}", "ANY /files/{proxy+}", "$default".
	// The most specific that fits is taken. Default: only $default.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
	Routes []string
	// APIID defaults to "local", AccountID to "000000000000".
	APIID, AccountID string
	// Authorizer is requestContext.authorizer, such as {"jwt": {"claims": …}}.
	// Default: absent.
	Authorizer map[string]any
}

var _ Door = HTTPAPI{}

// Validate reports routes that are not route keys.
func (d HTTPAPI) Validate() error {
	var errs []error
	for _, key := range d.Routes {
		method, path, ok := strings.Cut(key, " ")
		if key != "$default" && (!ok || method == "" || !strings.HasPrefix(path, "/")) {
			errs = append(errs, fmt.Errorf("frontdoor: route %q is not a route key; write METHOD /path or $default", key))
		}
	}
	return errors.Join(errs...)
}

// Limits: 10 MB, and 30 s until the gateway gives up.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
func (d HTTPAPI) Limits() Limits { return Limits{Body: 10 << 20, Wait: 30 * time.Second} }

// NewID makes a short id, as in requestContext.requestId and Apigw-Requestid.
func (d HTTPAPI) NewID() string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:]) + "="
}

// Event makes the event.
func (d HTTPAPI) Event(r *http.Request, body []byte, in Arrival) ([]byte, error) {
	stage := cmp.Or(d.Stage, "$default")
	routed := r.URL.EscapedPath()
	if stage != "$default" {
		rest, ok := strings.CutPrefix(routed, "/"+stage)
		if !ok || rest != "" && rest[0] != '/' {
			return nil, fmt.Errorf("%w: %s is not under the stage /%s", ErrNoRoute, r.URL.Path, stage)
		}
		routed = cmp.Or(rest, "/")
	}
	key, params, ok := d.route(r.Method, routed)
	if !ok {
		return nil, fmt.Errorf("%w: %s %s", ErrNoRoute, r.Method, r.URL.Path)
	}
	e := newEvent2(r, body, in, r.URL.Path)
	e.RouteKey, e.PathParameters, e.StageVariables = key, params, d.StageVariables
	c := &e.RequestContext
	c.RouteKey, c.Stage, c.Authorizer = key, stage, d.Authorizer
	c.APIID, c.AccountID = cmp.Or(d.APIID, "local"), cmp.Or(d.AccountID, "000000000000")
	return encode(e)
}

// route finds the most specific route: one with a method before ANY, literal
// segments before variables, and both before a greedy one; $default is last.
func (d HTTPAPI) route(method, path string) (key string, params map[string]string, ok bool) {
	if len(d.Routes) == 0 {
		return "$default", nil, true
	}
	best := ""
	for _, route := range d.Routes {
		m, pattern, isRoute := strings.Cut(route, " ")
		if !isRoute || m != "ANY" && m != method {
			continue
		}
		p, rank, fits := match(pattern, path)
		if m == "ANY" {
			rank += "1"
		} else {
			rank += "0"
		}
		if fits && (best == "" || rank < best) {
			key, params, best = route, p, rank
		}
	}
	if best != "" {
		return key, params, true
	}
	return "$default", nil, slices.Contains(d.Routes, "$default")
}

// match compares segment by segment. rank orders what fits: a digit for each
// segment, 0 literal, 1 variable, 2 greedy.
func match(pattern, path string) (params map[string]string, rank string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, w := range want {
		if i >= len(have) {
			return nil, "", false
		}
		name, variable := strings.CutPrefix(w, "{")
		name = strings.TrimSuffix(name, "}")
		greedy, isGreedy := strings.CutSuffix(name, "+")
		switch {
		case variable && isGreedy:
			rest := strings.Join(have[i:], "/")
			return set(params, greedy, rest), rank + "2", rest != ""
		case variable:
			if have[i] == "" {
				return nil, "", false
			}
			params, rank = set(params, name, have[i]), rank+"1"
		case w != have[i] && w != unescapePath(have[i]):
			return nil, "", false
		default:
			rank += "0"
		}
	}
	return params, rank, len(want) == len(have)
}

// set keeps a path parameter, decoded: an escaped slash is part of its segment.
func set(m map[string]string, name, escaped string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[name] = unescapePath(escaped)
	return m
}

func unescapePath(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// Respond writes the result. A JSON string without a statusCode loses its quotes
// here, as observed.
func (d HTTPAPI) Respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	reply, err := readReply(result.Payload, true)
	if err != nil {
		return err
	}
	reply.header.Set("Apigw-Requestid", in.RequestID)
	return reply.write(w)
}

// Refuse writes API Gateway's own answers.
func (d HTTPAPI) Refuse(w http.ResponseWriter, reason error, in Arrival) {
	w.Header().Set("Apigw-Requestid", in.RequestID)
	switch {
	case errors.Is(reason, ErrNoRoute):
		message(w, http.StatusNotFound, "Not Found")
	case errors.Is(reason, ErrTooLarge):
		message(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	case errors.Is(reason, ErrTooSlow):
		message(w, http.StatusServiceUnavailable, "Service Unavailable")
	case errors.Is(reason, ErrThrottled):
		message(w, http.StatusTooManyRequests, "Too Many Requests")
	default:
		message(w, http.StatusInternalServerError, "Internal Server Error")
	}
}
