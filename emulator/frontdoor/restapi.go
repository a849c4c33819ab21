package frontdoor

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// RESTAPI is an API Gateway REST API with Lambda proxy integration. The zero
// value proxies everything, as behind a custom domain: "ANY /" and
// "ANY /{proxy+}", and no stage in the path.
//
// Header names keep their spelling in the event, unlike at any other door.
type RESTAPI struct {
	// Stage is the first segment of the path, as at an execute-api address, and a
	// request without it is refused. requestContext.path shows it, path does not.
	// Default: "prod", and not in the path, as behind a custom domain.
	Stage string
	// StageVariables are null when there are none.
	StageVariables map[string]string
	// Mapping is the base path under which a custom domain has the API. It takes
	// the place of the stage in the request's path, and path shows it.
	Mapping string
	// Routes are a method and a resource: "GET /orders/{id}", "ANY /{proxy+}".
	// Default: "ANY /" and "ANY /{proxy+}".
	Routes []string
	// BinaryMediaTypes are the API's: "image/png", "image/*", "*/*". A request body
	// of such a Content-Type arrives in base64, and a base64 response is decoded
	// only for a client whose first Accept type is one. Default: none.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html
	BinaryMediaTypes []string
	// Stream is the response transfer mode STREAM. Default: BUFFERED.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
	Stream bool
	// Edge adds what CloudFront adds before an edge-optimised API.
	Edge bool
	// APIID defaults to "local", AccountID to "000000000000".
	APIID, AccountID string
	// Authorizer is requestContext.authorizer: {"claims": …} of a user pool, or
	// "principalId" and the flat context of a Lambda authorizer. Default: absent.
	Authorizer map[string]any
	// Identity overrides requestContext.identity: "apiKey", "cognitoIdentityId", …
	Identity map[string]any
}

var _ Door = RESTAPI{}

// Validate reports routes that are not a method and a resource.
func (d RESTAPI) Validate() error { return validateRoutes(d.Routes, false) }

// Limits: 10 MB, 10,240 bytes of headers, and 29 s until the gateway gives up; 15
// min when it streams.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
func (d RESTAPI) Limits() Limits {
	if d.Stream {
		return Limits{Body: 10 << 20, Head: maxHeadGateway, Wait: 15 * time.Minute, Stream: true}
	}
	return Limits{Body: 10 << 20, Head: maxHeadGateway, Wait: 29 * time.Second}
}

// NewID makes a UUID.
func (d RESTAPI) NewID() string { return runtimeapi.NewRequestID() }

// Event makes the event. A body that is neither of a binary media type nor UTF-8
// is damaged, as by the gateway, and the error is then an [ErrLenient] beside the
// event.
func (d RESTAPI) Event(r *http.Request, body []byte, in Arrival) ([]byte, error) {
	at := place{cmp.Or(d.Stage, "prod"), d.Mapping, d.Stage != ""}
	routed, err := at.strip(r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	routes := d.Routes
	if len(routes) == 0 {
		routes = []string{"ANY /", "ANY /{proxy+}"}
	}
	resource, params, ok := findResource(routes, r.Method, withoutSlash(routed))
	if !ok {
		return nil, fmt.Errorf("%w: %s %s", ErrNoRoute, r.Method, r.URL.Path)
	}
	e := newEvent1(r, in)
	e.Resource, e.Path, e.PathParameters, e.StageVariables = resource, routed, params, nilIfEmpty(d.StageVariables)
	if d.Mapping != "" {
		e.Path = r.URL.EscapedPath()
	}
	e.MultiValueHeaders = d.headers(r, in)
	e.Headers = lastOf(e.MultiValueHeaders)
	c := &e.RequestContext
	c.ResourceID, c.ResourcePath, c.Path, c.Stage = resourceID(resource), resource, r.URL.EscapedPath(), at.stage
	c.ExtendedRequestID, c.Authorizer = extendedID(in.RequestID), d.Authorizer
	c.APIID, c.AccountID = cmp.Or(d.APIID, "local"), cmp.Or(d.AccountID, "000000000000")
	c.Identity = identity(r, "cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "principalOrgId", "accessKey",
		"cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn", "user")
	maps.Copy(c.Identity, d.Identity)
	lenient := d.setBody(&e, r, body)
	event, err := encode(e)
	return event, cmp.Or(err, lenient)
}

// setBody encodes by the API's list alone.
func (d RESTAPI) setBody(e *event1, r *http.Request, body []byte) (lenient error) {
	if len(body) == 0 {
		return nil
	}
	text, intact := textOf(body)
	if matchesMedia(d.BinaryMediaTypes, r.Header.Get("Content-Type")) {
		text, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	} else if !intact {
		lenient = fmt.Errorf("%w: the request's body is not UTF-8, and its Content-Type %q is not one of the API's binary media types, so a REST API damages it", ErrLenient, r.Header.Get("Content-Type"))
	}
	e.Body = &text
	return lenient
}

// headers keep their spelling; the gateway's own are added.
func (d RESTAPI) headers(r *http.Request, in Arrival) map[string][]string {
	m := make(map[string][]string, len(r.Header)+8)
	spelled := spelling(r)
	var before []string
	hop := ends(r)
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		switch {
		case lower == "x-forwarded-for":
			before = append(before, values...)
		case lower == "content-length" || hop(lower) || gatewayOwn[lower]:
		case spelled[name] != nil:
			for i, value := range values { // one spelling for each line
				as := spelled[name][min(i, len(spelled[name])-1)]
				m[as] = append(m[as], value)
			}
		default:
			m[name] = values
		}
	}
	m["Host"] = []string{r.Host}
	m["X-Amzn-Trace-Id"] = []string{in.TraceID}
	m["X-Forwarded-For"] = []string{forwarded(before, r)}
	m["X-Forwarded-Port"] = []string{port(r)}
	m["X-Forwarded-Proto"] = []string{scheme(r)}
	if d.Edge {
		d.addEdge(m, r, in)
	}
	return m
}

// gatewayOwn are headers that the gateway sets itself, in lower case.
var gatewayOwn = map[string]bool{"host": true, "x-amzn-trace-id": true, "x-forwarded-port": true, "x-forwarded-proto": true}

func (d RESTAPI) addEdge(m map[string][]string, r *http.Request, in Arrival) {
	for name, value := range map[string]string{
		"CloudFront-Forwarded-Proto": scheme(r), "CloudFront-Is-Desktop-Viewer": "true", "CloudFront-Is-Mobile-Viewer": "false",
		"CloudFront-Is-SmartTV-Viewer": "false", "CloudFront-Is-Tablet-Viewer": "false", "CloudFront-Viewer-Country": "US",
		"Via": fmt.Sprintf("%d.%d local.cloudfront.net (CloudFront)", r.ProtoMajor, r.ProtoMinor), "X-Amz-Cf-Id": extendedID("cf " + in.RequestID),
	} {
		m[name] = []string{value}
	}
}

// resourceID makes an id as the gateway's, six letters and digits, from a path.
func resourceID(resource string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	id := []byte(extendedID(resource)[:6])
	for i, c := range id {
		id[i] = letters[int(c)%len(letters)]
	}
	return string(id)
}

func nilIfEmpty(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// matchesMedia says whether a media type, with parameters or without, is in the
// list, in which a star stands for anything.
func matchesMedia(list []string, mediaType string) bool {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	for _, have := range list {
		have = strings.ToLower(have)
		kind, any := strings.CutSuffix(have, "/*")
		switch {
		case have == "*/*" || have == mediaType && mediaType != "":
			return true
		case any && strings.HasPrefix(mediaType, kind+"/"):
			return true
		}
	}
	return false
}

// restKeys are the only ones that a REST API knows; any other makes the result
// malformed, cookies too.
var restKeys = []string{"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}

// Respond writes the result.
func (d RESTAPI) Respond(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	if result.Streamed {
		return d.respondStream(w, result, in)
	}
	f, err := readFields(result.Payload, restKeys)
	if err != nil {
		return err
	}
	reply, err := d.read(f)
	if err != nil {
		return err
	}
	accept, _, _ := strings.Cut(in.Accept, ",")
	if err := f.setBody(reply, matchesMedia(d.BinaryMediaTypes, accept)); err != nil {
		return err
	}
	d.identify(reply.header, in)
	return reply.write(w, in)
}

// read reads everything but the body.
func (d RESTAPI) read(f fields) (*reply, error) {
	reply, err := f.status()
	if err != nil {
		return nil, err
	}
	reply.keep = remapped
	if err := f.setMerged(reply); err != nil {
		return nil, err
	}
	switch {
	case reply.header.Get("Content-Type") != "":
	case reply.untyped: // how a function asks for none: https://github.com/aws/aws-sam-cli/issues/1218
		reply.header["Content-Type"] = nil
	default:
		reply.header.Set("Content-Type", "application/json")
	}
	return reply, nil
}

// respondStream needs the prelude, whatever the content type.
func (d RESTAPI) respondStream(w http.ResponseWriter, result *runtimeapi.Response, in Arrival) error {
	stream := bufio.NewReaderSize(result.Stream, maxPrelude)
	prelude, err := readPrelude(stream)
	if err != nil {
		return err
	}
	f, err := readFields(prelude, []string{"statusCode", "headers", "multiValueHeaders", "cookies"})
	if err != nil {
		return err
	}
	if f["statusCode"] == nil {
		f["statusCode"] = json.RawMessage("200")
	}
	head, err := d.read(f)
	if err == nil {
		err = f.setCookies(head)
	}
	if err != nil {
		return err
	}
	d.identify(head.header, in)
	return head.stream(w, stream)
}

func (d RESTAPI) identify(h http.Header, in Arrival) {
	h["x-amzn-RequestId"] = []string{in.RequestID} // in the gateway's spelling
	h["x-amz-apigw-id"] = []string{extendedID(in.RequestID)}
	h.Set("X-Amzn-Trace-Id", in.TraceID)
}

// remappedNames come back under another name; what else ends at a proxy is dropped.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
var remappedNames = []string{
	"authorization", "connection", "content-length", "content-md5", "date", "expect", "host", "max-forwards",
	"proxy-authenticate", "server", "trailer", "upgrade", "user-agent", "www-authenticate", "x-forwarded-for",
}

// remapped is the name under which a REST API passes a header on, or "".
func remapped(name string) string {
	switch lower := strings.ToLower(name); {
	case slices.Contains(remappedNames, lower):
		return "x-amzn-Remapped-" + name
	case dropped(name):
		return ""
	}
	return name
}

// Refuse writes the gateway's own answers, with the type of the error as in
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html.
func (d RESTAPI) Refuse(w http.ResponseWriter, reason error, in Arrival) {
	d.identify(w.Header(), in)
	status, kind, text := http.StatusBadGateway, "InternalServerErrorException", "Internal server error"
	switch {
	case errors.Is(reason, errNoStage):
		status, kind, text = http.StatusForbidden, "ForbiddenException", "Forbidden"
	case errors.Is(reason, ErrNoRoute):
		status, kind, text = http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token"
	case errors.Is(reason, ErrTooLarge):
		status, kind, text = http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request Too Long"
	case errors.Is(reason, ErrHeadTooLarge):
		status, kind, text = http.StatusRequestHeaderFieldsTooLarge, "RequestTooLargeException", headTooLargeText
	case errors.Is(reason, ErrTooSlow):
		status, kind, text = http.StatusGatewayTimeout, "InternalServerErrorException", "Endpoint request timed out"
	case errors.Is(reason, ErrThrottled):
		status = http.StatusInternalServerError
	}
	w.Header()["x-amzn-ErrorType"] = []string{kind}
	if status < http.StatusInternalServerError {
		message(w, status, text)
		return
	}
	page(w, status, "application/json", fmt.Sprintf(`{"message": %q}`, text)) // with a space, as it is
}
