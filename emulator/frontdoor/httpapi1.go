package frontdoor

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// HTTPAPI1 is an HTTP API with payload format 1.0, which looks like a REST API's
// and is not: header names are in lower case, the body is encoded by its content
// type, and the answer's default type is text. Its Authorizer looks like
// {"claims": …, "scopes": …}.
type HTTPAPI1 HTTPAPI

var _ Door = HTTPAPI1{}

// Validate reports routes that are not route keys.
func (d HTTPAPI1) Validate() error { return HTTPAPI(d).Validate() }

// Limits are [HTTPAPI]'s.
func (d HTTPAPI1) Limits() Limits { return HTTPAPI(d).Limits() }

// NewID makes a short id.
func (d HTTPAPI1) NewID() string { return HTTPAPI(d).NewID() }

// Event makes the event. Path and path parameters stay encoded. That is not known:
// AWS does not document it, no event of an HTTP API with format 1.0 is public, and
// https://github.com/middleapi/standard-server/pull/93 says that the path is decoded, as
// in format 2.0.
func (d HTTPAPI1) Event(r *http.Request, body []byte, in Arrival) ([]byte, error) {
	stage := cmp.Or(d.Stage, "$default")
	routed, err := place{stage, d.Mapping, stage != "$default"}.strip(r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	key, params, ok := findRoute(d.Routes, r.Method, routed)
	if !ok {
		return nil, fmt.Errorf("%w: %s %s", ErrNoRoute, r.Method, r.URL.Path)
	}
	e := newEvent1(r, in)
	e.Version, e.Resource, e.Path = "1.0", resourceOf(key), r.URL.EscapedPath()
	e.PathParameters, e.StageVariables = params, nilIfEmpty(d.StageVariables)
	e.MultiValueHeaders = d.headers(r, len(body), in)
	e.Headers = lastOf(e.MultiValueHeaders)
	if text, encoded := encodeBody(r.Header, body); len(body) > 0 {
		e.Body, e.IsBase64Encoded = &text, encoded
	}
	c := &e.RequestContext
	c.ResourceID, c.ResourcePath, c.Path, c.Stage = key, e.Resource, e.Path, stage
	c.ExtendedRequestID, c.Authorizer = in.RequestID, d.Authorizer
	c.APIID, c.AccountID = cmp.Or(d.APIID, "local"), cmp.Or(d.AccountID, "000000000000")
	c.Identity = identity(r, "accessKey", "accountId", "caller", "cognitoAmr", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
		"cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn")
	return encode(e)
}

// resourceOf is the path of a route key, or $default.
func resourceOf(key string) string {
	for i := range key {
		if key[i] == ' ' {
			return key[i+1:]
		}
	}
	return key
}

func (d HTTPAPI1) headers(r *http.Request, length int, in Arrival) map[string][]string {
	m := lowered(r, ends(r))
	m["host"] = []string{r.Host}
	m["content-length"] = []string{fmt.Sprint(length)}
	m["x-amzn-trace-id"] = []string{in.TraceID}
	m["x-forwarded-for"] = []string{forwarded(m["x-forwarded-for"], r)}
	m["x-forwarded-port"] = []string{port(r)}
	m["x-forwarded-proto"] = []string{scheme(r)}
	return m
}

// Respond writes the result, which has to be in the known form.
func (d HTTPAPI1) Respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	f, err := readFields(result.Payload, restKeys)
	if err != nil {
		return err
	}
	reply, err := f.status()
	if err == nil {
		err = f.setMerged(reply)
	}
	if err == nil {
		err = f.setBody(reply, true)
	}
	if err != nil {
		return err
	}
	if reply.header.Get("Content-Type") == "" {
		reply.header.Set("Content-Type", plainText)
	}
	reply.header.Set("Apigw-Requestid", in.RequestID)
	return reply.write(w, in)
}

// Refuse writes the same answers as [HTTPAPI], but for a throttled function, which
// was seen to be 503 here.
func (d HTTPAPI1) Refuse(w http.ResponseWriter, reason error, in Arrival) {
	if errors.Is(reason, ErrThrottled) {
		w.Header().Set("Apigw-Requestid", in.RequestID)
		message(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	HTTPAPI(d).Refuse(w, reason, in)
}
