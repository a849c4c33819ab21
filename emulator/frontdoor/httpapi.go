package frontdoor

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
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
	// Mapping is the path under which a custom domain has the API, such as
	// "shop/v1". It takes the place of the stage in the request's path, and rawPath
	// does not show it; in format 1.0 path does.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
	Mapping string
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
	return validateRoutes(d.Routes, true)
}

const (
	// maxHeadGateway is what API Gateway takes of request line and header values.
	// The status of its refusal is not documented; this is the observed one.
	maxHeadGateway   = 10240
	headTooLargeText = "HTTP header is larger than 10240 bytes."
)

// Limits: 10 MB, 10,240 bytes of headers, and 30 s until the gateway gives up.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
func (d HTTPAPI) Limits() Limits {
	return Limits{Body: 10 << 20, Head: maxHeadGateway, Wait: 30 * time.Second}
}

// NewID makes a short id, as in requestContext.requestId and Apigw-Requestid.
func (d HTTPAPI) NewID() string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:]) + "="
}

// Event makes the event. The path is decoded. A real HTTP API was seen to end it at a
// question mark that was encoded, too: https://github.com/hotsock/voker/pull/8; here it
// is whole.
func (d HTTPAPI) Event(r *http.Request, body []byte, in Arrival) ([]byte, error) {
	stage := cmp.Or(d.Stage, "$default")
	routed, err := place{stage, d.Mapping, stage != "$default"}.strip(r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	key, params, ok := findRoute(d.Routes, r.Method, routed)
	if !ok {
		return nil, fmt.Errorf("%w: %s %s", ErrNoRoute, r.Method, r.URL.Path)
	}
	path := r.URL.Path
	if d.Mapping != "" {
		path = unescapePath(routed)
		if stage != "$default" {
			path = "/" + stage + path
		}
	}
	e := newEvent2(r, body, in, path, path)
	delete(e.Headers, "cookie")
	params = decoded(params)
	e.RouteKey, e.PathParameters, e.StageVariables = key, params, d.StageVariables
	c := &e.RequestContext
	c.RouteKey, c.Stage, c.Authorizer = key, stage, d.Authorizer
	c.APIID, c.AccountID = cmp.Or(d.APIID, "local"), cmp.Or(d.AccountID, "000000000000")
	return encode(e)
}

// Respond writes the result. A JSON string without a statusCode loses its quotes
// here, as observed.
func (d HTTPAPI) Respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	reply, err := readReply(result.Payload, true)
	if err != nil {
		return err
	}
	reply.header.Set("Apigw-Requestid", in.RequestID)
	return reply.write(w, in)
}

// Refuse writes API Gateway's own answers.
func (d HTTPAPI) Refuse(w http.ResponseWriter, reason error, in Arrival) {
	w.Header().Set("Apigw-Requestid", in.RequestID)
	switch {
	case errors.Is(reason, ErrNoRoute):
		message(w, http.StatusNotFound, "Not Found")
	case errors.Is(reason, ErrTooLarge):
		message(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	case errors.Is(reason, ErrHeadTooLarge):
		message(w, http.StatusRequestHeaderFieldsTooLarge, headTooLargeText)
	case errors.Is(reason, ErrTooSlow):
		message(w, http.StatusServiceUnavailable, "Service Unavailable")
	case errors.Is(reason, ErrThrottled):
		message(w, http.StatusTooManyRequests, "Too Many Requests")
	default:
		message(w, http.StatusInternalServerError, "Internal Server Error")
	}
}
