package conformance

import (
	"encoding/json"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// A rewrite is a reason that is held by experiment: ours does with the case what
// Middy does with the one that apply makes of it. apply reports whether the kind of
// difference can be there at all. What Middy does with the other case is stored as
// [Deviation.Instead].
type rewrite struct {
	id       string
	packages []string // none: all
	apply    func(c *Case) bool
}

// Rewrite applies those of the reasons that are rewrites, in their order, and
// returns the other case and the ids that changed it. Without ids it applies all.
func Rewrite(c *Case, ids ...string) (*Case, Words) {
	other := *c
	other.Use = slices.Clone(c.Use)
	other.Want, other.Deviation = nil, nil
	var done Words
	for _, r := range rewrites {
		if len(ids) > 0 && !slices.Contains(ids, r.id) || len(r.packages) > 0 && !slices.ContainsFunc(r.packages, other.uses) {
			continue
		}
		changed := false
		for i := range other.Steps {
			one := other
			one.Event = other.Steps[i].Event
			if r.apply(&one) {
				if !changed {
					other.Steps = slices.Clone(other.Steps)
				}
				other.Steps[i].Event, other.Use, other.JWKS, other.Handler, changed = one.Event, one.Use, one.JWKS, one.Handler, true
			}
		}
		if len(other.Steps) == 0 {
			changed = r.apply(&other)
		}
		if changed {
			done = append(done, r.id)
		}
	}
	return &other, done
}

var rewrites = []rewrite{
	{id: "every-door-request", apply: everyDoorRequest},
	{id: "alb-query-decoded", apply: queryDecoded},
	{id: "all-lines", apply: allLines},
	{id: "any-case-request", apply: anyCaseRequest},
	{id: "cookies-of-payload-2.0", apply: cookies2},
	{id: "repeated-parameter", apply: repeatedParameter},
	{id: "stage-stripped", packages: []string{"http-router"}, apply: stageStripped},
	{id: "bodyless-methods-pass", packages: parsers, apply: bodylessPass},
	{id: "partial-content", packages: []string{"http-content-encoding"}, apply: partialContent},
	{id: "content-length-dropped", apply: contentLength},
	{id: "any-case-response", apply: anyCaseResponse},
	{id: "encodes-any-body", packages: []string{"http-content-encoding"}, apply: anyBody},
	{id: "without-negotiation", packages: []string{"http-content-encoding"}, apply: withoutNegotiation},
	{id: "errors-decorated", packages: []string{"http-error-handler"}, apply: errorsDecorated},
	{id: "cors-outside", packages: []string{"http-cors", "http-security-headers"}, apply: corsOutside},
	{id: "no-http-status", apply: noStatus},
	{id: "redirects-are-answers", apply: redirects},
	{id: "bodies-are-json", packages: []string{"http-partial-response"}, apply: bodiesAreJSON},
	{id: "without-negotiation", packages: []string{"http-response-serializer"}, apply: withoutMediaTypes},
	{id: "spaces-of-credentials", packages: []string{"http-jwt", "http-paseto"}, apply: spacesOfCredentials},
	{id: "jwks-robust", packages: []string{"http-jwt"}, apply: robustJWKS},
	{id: "typed-messages", packages: []string{"ws-json-body-parser"}, apply: typedMessages},
}

// everyDoorRequest: Middy reads headers and queries where a REST API puts them, not
// where a load balancer with multi-value headers or VPC Lattice does.
func everyDoorRequest(c *Case) bool {
	e := c.event()
	lattice1 := e["raw_path"] != nil
	lattice2 := object(e, "requestContext")["serviceNetworkArn"] != nil
	alb := object(e, "requestContext", "elb") != nil && e["headers"] == nil && e["multiValueHeaders"] != nil
	if !lattice1 && !lattice2 && !alb {
		return false
	}
	from, query := "headers", "queryStringParameters"
	if alb {
		from, query = "multiValueHeaders", "multiValueQueryStringParameters"
	}
	if lattice1 {
		query = "query_string_parameters"
		e["isBase64Encoded"] = e["is_base64_encoded"] == true
	}
	headers := map[string]any{}
	for name, v := range object(e, from) {
		headers[name] = joined(name, v)
	}
	e["headers"] = headers
	parameters := map[string]any{}
	for name, v := range object(e, query) {
		parameters[name] = joined("", v)
	}
	if raw, _ := e["raw_path"].(string); lattice1 { // which has all values
		_, rest, _ := strings.Cut(raw, "?")
		values, _ := url.ParseQuery(rest)
		for name, all := range values {
			parameters[name] = strings.Join(all, ",")
		}
	}
	e["httpMethod"], e["path"], e["queryStringParameters"] = method(e), path(e), parameters
	for _, key := range []string{"version", "method", "raw_path", "query_string_parameters", "is_base64_encoded", "multiValueHeaders", "multiValueQueryStringParameters"} {
		delete(e, key)
	}
	if lattice2 || lattice1 {
		e["requestContext"] = map[string]any{}
	}
	c.setEvent(e)
	return true
}

// joined is a header in one line: RFC 9110 section 5.3, and RFC 6265 section 5.4.
func joined(name string, v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	var all []string
	for _, one := range list {
		s, _ := one.(string)
		all = append(all, s)
	}
	if strings.EqualFold(name, "Cookie") {
		return strings.Join(all, "; ")
	}
	return strings.Join(all, ",")
}

// queryDecoded: a load balancer leaves the query as the client wrote it.
func queryDecoded(c *Case) bool {
	e := c.event()
	if object(e, "requestContext", "elb") == nil {
		return false
	}
	changed := false
	for _, place := range []string{"queryStringParameters", "multiValueQueryStringParameters"} {
		decoded := map[string]any{}
		for name, v := range object(e, place) {
			key := unescape(name)
			changed = changed || key != name
			switch v := v.(type) {
			case string:
				decoded[key] = unescape(v)
				changed = changed || decoded[key] != v
			case []any:
				list := []any{}
				for _, one := range v {
					s, _ := one.(string)
					list = append(list, unescape(s))
					changed = changed || unescape(s) != s
				}
				decoded[key] = list
			}
		}
		if e[place] != nil {
			e[place] = decoded
		}
	}
	if changed {
		c.setEvent(e)
	}
	return changed
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// allLines: a REST API says a header that came in several lines whole only in
// multiValueHeaders.
func allLines(c *Case) bool {
	e := c.event()
	headers := object(e, "headers")
	changed := false
	for name, v := range object(e, "multiValueHeaders") {
		if list, _ := v.([]any); len(list) > 1 && headers != nil && headers[name] != joined(name, v) {
			headers[name], changed = joined(name, v), true
		}
	}
	if changed {
		c.setEvent(e)
	}
	return changed
}

// anyCaseRequest: Middy looks for a name in lower case and in its official one.
func anyCaseRequest(c *Case) bool {
	e := c.event()
	headers := object(e, "headers")
	changed := false
	for name, v := range headers {
		lower := strings.ToLower(name)
		if _, taken := headers[lower]; taken || name == textproto.CanonicalMIMEHeaderKey(name) && official(name) {
			continue
		}
		delete(headers, name)
		headers[lower], changed = v, true
	}
	if changed {
		c.setEvent(e)
	}
	return changed
}

// official reports whether a canonical name is what Middy looks for: DPoP is not.
func official(name string) bool { return !strings.EqualFold(name, "DPoP") }

// cookies2: payload 2.0 has cookies beside the headers.
func cookies2(c *Case) bool {
	e := c.event()
	list, _ := e["cookies"].([]any)
	headers := object(e, "headers")
	if len(list) == 0 || e["version"] != "2.0" {
		return false
	}
	if headers == nil {
		headers = map[string]any{}
		e["headers"] = headers
	}
	headers["cookie"] = joined("Cookie", e["cookies"])
	c.setEvent(e)
	return true
}

// repeatedParameter: a REST API says a parameter that came twice whole only in
// multiValueQueryStringParameters.
func repeatedParameter(c *Case) bool {
	e := c.event()
	single := object(e, "queryStringParameters")
	changed := false
	for name, v := range object(e, "multiValueQueryStringParameters") {
		if list, _ := v.([]any); len(list) > 1 && single != nil && single[name] != joined("", v) {
			single[name], changed = joined("", v), true
		}
	}
	if changed {
		c.setEvent(e)
	}
	return changed
}

// stageStripped: payload 2.0 has the stage in its path, and a route has none.
func stageStripped(c *Case) bool {
	e := c.event()
	context := object(e, "requestContext")
	stage, _ := context["stage"].(string)
	to := object(context, "http")
	p, _ := to["path"].(string)
	rest, ok := strings.CutPrefix(p, "/"+stage)
	if e["version"] != "2.0" || stage == "" || stage == "$default" || !ok || rest != "" && rest[0] != '/' {
		return false
	}
	if rest == "" {
		rest = "/"
	}
	to["path"], e["rawPath"] = rest, rest
	c.setEvent(e)
	return true
}

// bodylessPass: a request that has no body, and whose method needs none, has
// nothing to parse.
func bodylessPass(c *Case) bool {
	e := c.event()
	if body, _ := e["body"].(string); body != "" || !slices.Contains(bodyless, method(e)) {
		return false
	}
	delete(e, "body") // null at a REST API
	c.setEvent(e)
	n := len(c.Use)
	c.Use = slices.DeleteFunc(slices.Clone(c.Use), func(u Use) bool { return slices.Contains(parsers, u.Name) })
	return len(c.Use) < n
}

// partialContent: a range is of the bytes as they are (RFC 9110 section 14.4).
func partialContent(c *Case) bool {
	if c.returned()["statusCode"] != 206.0 {
		return false
	}
	c.Use = slices.DeleteFunc(slices.Clone(c.Use), func(u Use) bool { return u.Name == "http-content-encoding" })
	return true
}

// setReturned makes r the response of the handler.
func (c *Case) setReturned(r any) {
	h := *c.Handler
	h.Return = plainJSON(Encode(r))
	c.Handler = &h
}

// contentLength: the adapter writes the length of what it sends.
func contentLength(c *Case) bool {
	r := c.returned()
	headers := object(r, "headers")
	changed := false
	for name := range headers {
		if strings.EqualFold(name, "Content-Length") {
			delete(headers, name)
			changed = true
		}
	}
	if changed {
		c.setReturned(r)
	}
	return changed
}

// anyCaseResponse: a header of the response has one name, however it is spelled.
func anyCaseResponse(c *Case) bool {
	r := c.returned()
	headers := object(r, "headers")
	changed := false
	for name, v := range headers {
		key := textproto.CanonicalMIMEHeaderKey(name)
		if key == name || key == "Etag" || key == "Dnt" || key == "Www-Authenticate" {
			continue
		}
		delete(headers, name)
		if have, ok := headers[key]; ok {
			v = joined(key, []any{have, v})
		}
		headers[key], changed = v, true
	}
	if changed {
		c.setReturned(r)
	}
	return changed
}

// anyBody: what is sent is compressed, however the handler made it.
func anyBody(c *Case) bool {
	if c.Handler == nil || c.Handler.Return == nil {
		return false
	}
	v, err := Value(c.Handler.Return)
	if err != nil {
		return false
	}
	r, isObject := v.(map[string]any)
	if !isObject || r["statusCode"] == nil && r["headers"] == nil && r["body"] == nil {
		r = map[string]any{"statusCode": 200.0, "body": v}
	}
	switch r["body"].(type) {
	case map[string]any, []any:
		r["body"] = string(plainJSON(r["body"]))
	default:
		if isObject {
			return false
		}
	}
	c.setReturned(r)
	return true
}

// withoutNegotiation: the client's Accept-Encoding is read without a second
// package.
func withoutNegotiation(c *Case) bool {
	if c.uses("http-content-negotiation") || object(jsonOf(c.Context))["preferredEncoding"] != nil || len(field(c.event(), "Accept-Encoding")) == 0 {
		return false
	}
	options := `{"parseCharsets":false,"parseLanguages":false,"parseMediaTypes":false,"failOnMismatch":false,"availableEncodings":["br","gzip","deflate","zstd"]}`
	c.Use = slices.Concat([]Use{{Name: "http-content-negotiation", Options: json.RawMessage(options)}}, c.Use)
	return true
}

func jsonOf(b json.RawMessage) any {
	v, _ := Value(b) // the runners have read it
	return v
}

// errorsDecorated: an error's response is a response. In Middy it has headers only
// of those that are registered before the error handler.
func errorsDecorated(c *Case) bool {
	i := slices.IndexFunc(c.Use, func(u Use) bool { return u.Name == "http-error-handler" })
	if i < 0 || i == len(c.Use)-1 {
		return false
	}
	c.Use = slices.Concat(c.Use[:i], c.Use[i+1:], c.Use[i:i+1])
	return true
}

// typedMessages: a message is decoded into a type, and has no reviver.
func typedMessages(c *Case) bool {
	changed := false
	for i, u := range c.Use {
		options := object(jsonOf(u.Options))
		if _, ok := options["reviver"]; ok && u.Name == "ws-json-body-parser" {
			c.Use = slices.Clone(c.Use)
			c.Use[i].Options, changed = nil, true
		}
	}
	return changed
}

// corsOutside: what decorates every response is outside of what refuses requests.
func corsOutside(c *Case) bool {
	var outside, rest []Use
	for _, u := range c.Use {
		if u.Name == "http-cors" || u.Name == "http-security-headers" {
			outside = append(outside, u)
		} else {
			rest = append(rest, u)
		}
	}
	ordered := slices.Concat(outside, rest)
	if slices.EqualFunc(ordered, c.Use, func(a, b Use) bool { return a.Name == b.Name }) {
		return false
	}
	c.Use = ordered
	return true
}

// thrownStatus is the status of what the handler throws.
func (c *Case) thrownStatus() (float64, bool) {
	if c.Handler == nil || c.Handler.Throw == nil {
		return 0, false
	}
	status, ok := failureOf(c.Handler.Throw).status.(float64)
	return status, ok
}

// withoutStatus makes the handler throw an error that has no status.
func (c *Case) withoutStatus() {
	h := *c.Handler
	h.Throw = plainJSON(map[string]any{"message": failureOf(h.Throw).message})
	c.Handler = &h
}

// noStatus: an error whose status is none of HTTP has none.
func noStatus(c *Case) bool {
	status, ok := c.thrownStatus()
	if !ok || status >= 100 && status <= 599 && status == float64(int(status)) {
		return false
	}
	c.withoutStatus()
	return true
}

// redirects: an error is a 4xx or a 5xx.
func redirects(c *Case) bool {
	status, ok := c.thrownStatus()
	if !ok || status < 100 || status >= 400 {
		return false
	}
	c.withoutStatus()
	return true
}

// bodiesAreJSON: what is filtered is the text that is sent.
func bodiesAreJSON(c *Case) bool {
	if anyBody(c) {
		return true
	}
	r := c.returned()
	body, ok := r["body"].(string)
	if !ok || body == strings.TrimSpace(body) {
		return false
	}
	r["body"] = strings.TrimSpace(body)
	c.setReturned(r)
	return true
}

// withoutMediaTypes: the client's Accept is read without a second package.
func withoutMediaTypes(c *Case) bool {
	if c.uses("http-content-negotiation") || object(jsonOf(c.Context))["preferredMediaTypes"] != nil || len(field(c.event(), "Accept")) == 0 {
		return false
	}
	options := `{"parseCharsets":false,"parseLanguages":false,"parseEncodings":false,"failOnMismatch":false}`
	c.Use = slices.Concat([]Use{{Name: "http-content-negotiation", Options: json.RawMessage(options)}}, c.Use)
	return true
}

// spacesOfCredentials: RFC 9110 section 11.4 has one space or more, and none around
// a field's value.
func spacesOfCredentials(c *Case) bool {
	e := c.event()
	changed := false
	for name, v := range object(e, "headers") {
		s, _ := v.(string)
		words := strings.Fields(s)
		if strings.EqualFold(name, "Authorization") && len(words) == 2 && s != words[0]+" "+words[1] {
			object(e, "headers")[name], changed = words[0]+" "+words[1], true
		}
	}
	if changed {
		c.setEvent(e)
	}
	return changed
}

// robustJWKS: a member of a set that is no key is none, a key without alg has that
// of its type, one that is alone needs no kid, and of two with one kid each is tried.
func robustJWKS(c *Case) bool {
	sets, changed := object(jsonOf(c.JWKS)), false
	for _, set := range sets {
		keys, _ := object(set)["keys"].([]any)
		var out []any
		for _, k := range keys {
			key := object(k)
			if key == nil {
				changed = true
				continue
			}
			if key["alg"] == nil && key["kty"] == "EC" && key["crv"] == "P-256" {
				key["alg"], changed = "ES256", true
			}
			if i := slices.IndexFunc(out, func(o any) bool { return key["kid"] != nil && object(o)["kid"] == key["kid"] }); i >= 0 {
				out, changed = slices.Delete(out, i, i+1), true
			}
			out = append(out, key)
		}
		if len(out) == 1 {
			nameless := map[string]any{}
			for name, v := range object(out[0]) {
				nameless[name] = v
			}
			if _, named := nameless["kid"]; named {
				delete(nameless, "kid")
				out, changed = append(out, nameless), true
			}
		}
		if len(keys) > 0 {
			object(set)["keys"] = out
		}
	}
	if changed {
		c.JWKS = plainJSON(sets)
	}
	return changed
}
