package conformance

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// challenge: a 401 says how to authenticate.
func challenge(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	const name = "www-authenticate"
	if !ok || object(got, "response")["statusCode"] != 401.0 || a[name] != nil || b[name] == nil {
		return false
	}
	delete(b, name)
	return true
}

// hostApart: Host is no field of a request's header.
func hostApart(_ *Case, want, got map[string]any) bool {
	theirs, ours := object(want, "saw", "headers"), object(got, "saw", "headers")
	for _, name := range []string{"host", "Host"} {
		if theirs[name] != nil && ours != nil && ours[name] == nil {
			delete(theirs, name)
			return true
		}
	}
	return false
}

// refusedAtStart reports whether ours refuses the configuration, which Middy takes.
func refusedAtStart(want, got map[string]any) bool {
	return object(got, "error")["at"] == "construction" && object(want, "error")["at"] == nil
}

// uselessOrigin: a pattern where Middy sends the text of it.
func uselessOrigin(c *Case, want, got map[string]any) bool {
	origin, _ := c.options("http-cors")["origin"].(string)
	if !refusedAtStart(want, got) || origin == "*" || !strings.Contains(origin, "*") {
		return false
	}
	replace(want, got)
	return true
}

// starWithCredentialsAtStart: with credentials browsers take * for a name.
func starWithCredentialsAtStart(c *Case, want, got map[string]any) bool {
	o := c.options("http-cors")
	star := func(name string) bool { s, _ := o[name].(string); return slices.Contains(tokens(s), "*") }
	if !refusedAtStart(want, got) || o["credentials"] != true || !star("methods") && !star("headers") && !star("exposeHeaders") {
		return false
	}
	replace(want, got)
	return true
}

// oddOrigin: an Origin that no browser sends is not allowed, where Middy makes one
// that is allowed of it.
func oddOrigin(c *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	const allowed = "access-control-allow-origin"
	sent := field(c.event(), "Origin")
	if !ok || a[allowed] == nil || b[allowed] != nil || len(sent) != 1 {
		return false
	}
	u, err := url.Parse(sent[0])
	if err == nil && u.User == nil && u.Path == "" && u.RawQuery == "" && !(u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80") {
		return false
	}
	delete(a, allowed)
	return true
}

// misconfiguredKey: the key cannot be one of the algorithms, which is the
// operator's fault.
func misconfiguredKey(c *Case, want, got map[string]any) bool {
	status := object(got, "error")["status"]
	if object(got, "error")["at"] != "construction" && status != 500.0 || object(want, "error")["status"] != 401.0 && !(want["saw"] != nil && object(got, "error")["at"] == "construction") || !c.keyCannotServe() {
		return false
	}
	replace(want, got)
	return true
}

// keyCannotServe reports whether one of the algorithms cannot go with the key.
func (c *Case) keyCannotServe() bool {
	var algorithms []any
	name := ""
	for _, pkg := range []string{"http-jwt", "http-paseto"} {
		if o := c.options(pkg); o != nil {
			name, _ = o["internalKey"].(string)
			switch v := o["algorithm"].(type) {
			case string:
				algorithms = []any{v}
			case []any:
				algorithms = v
			default:
				algorithms = []any{"EdDSA"} // PASETO v4
			}
		}
	}
	key := object(jsonOf(c.Internal))[name]
	if o := object(key); o != nil {
		key = o["publicKey"]
	}
	var kind string
	switch k := key.(type) {
	case string:
		if kind = "HS"; k == "" {
			return true
		}
	case []byte:
		switch {
		case strings.Contains(string(k), "\x2b\x65\x70"): // RFC 8410: Ed25519
			kind = "Ed"
		case strings.Contains(string(k), "\x2a\x86\x48\xce\x3d\x03\x01\x07"): // RFC 5480: P-256
			kind = "ES256"
		default:
			kind = "RS"
		}
	}
	return slices.ContainsFunc(algorithms, func(a any) bool { s, _ := a.(string); return !strings.HasPrefix(s, kind) })
}

// claims are those of the token, as their issuer wrote them.
func (c *Case) claims() map[string]any {
	var out map[string]any
	for _, token := range c.tokens() {
		parts := strings.Split(token, ".")
		part := parts[1]
		if strings.HasPrefix(token, "v4.public.") {
			part = parts[2]
		}
		b, err := base64.RawURLEncoding.DecodeString(part)
		if strings.HasPrefix(token, "v4.public.") && len(b) > 64 {
			b = b[:len(b)-64] // the signature
		}
		if err == nil {
			_ = json.Unmarshal(b, &out) // what is no object has no claims
		}
	}
	return out
}

// pasetoTime: a time of a token is one of RFC 3339.
func pasetoTime(c *Case, want, got map[string]any) bool {
	if object(got, "error")["status"] != 401.0 || want["saw"] == nil {
		return false
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		s, ok := c.claims()[name].(string)
		if _, err := time.Parse(time.RFC3339, strings.ToUpper(s)); ok && err != nil {
			replace(want, got)
			return true
		}
	}
	return false
}

// strictJOSE: a token's header or payload is not what RFC 7515 and RFC 8725 allow.
func strictJOSE(c *Case, want, got map[string]any) bool {
	if object(got, "error")["status"] != 401.0 || want["saw"] == nil {
		return false
	}
	for _, token := range c.tokens() {
		for i, part := range strings.Split(token, ".")[:2] {
			b, _ := base64.RawURLEncoding.DecodeString(part)
			var o map[string]any
			if err := json.Unmarshal(b, &o); err != nil || i == 0 && o["crit"] != nil || twice(b) {
				replace(want, got)
				return true
			}
		}
	}
	return false
}

// twice reports whether an object at the top of a JSON text has a member twice.
func twice(b []byte) bool {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	seen := map[string]bool{}
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for dec.More() {
		key, err := dec.Token()
		var skip json.RawMessage
		if err != nil || dec.Decode(&skip) != nil {
			return false
		}
		name := strings.ToLower(fmt.Sprint(key))
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// oneToken: a request with two tokens has none.
func oneToken(c *Case, want, got map[string]any) bool {
	if object(got, "error")["status"] != 401.0 || want["saw"] == nil || len(c.tokens()) < 2 && len(field(c.event(), "Authorization")) < 2 {
		return false
	}
	replace(want, got)
	return true
}

// useEnc: a key for encryption signs nothing.
func useEnc(c *Case, want, got map[string]any) bool {
	if object(got, "error")["status"] != 401.0 || want["saw"] == nil {
		return false
	}
	for _, set := range object(jsonOf(c.JWKS)) {
		keys, _ := object(set)["keys"].([]any)
		for _, k := range keys {
			ops, _ := object(k)["key_ops"].([]any)
			if use := object(k)["use"]; use != nil && use != "sig" || len(ops) > 0 && !slices.Contains(ops, any("verify")) {
				replace(want, got)
				return true
			}
		}
	}
	return false
}

// numberRange: a number that no float64 holds.
func numberRange(c *Case, want, got map[string]any) bool {
	body, _ := c.event()["body"].(string)
	if want["saw"] == nil || got["saw"] == nil && object(got, "error")["status"] != 422.0 || !slices.ContainsFunc(numbers.FindAllString(body, -1), func(s string) bool { f, _ := strconv.ParseFloat(s, 64); return math.IsInf(f, 0) }) {
		return false
	}
	replace(want, got)
	return true
}

var numbers = regexp.MustCompile(`[0-9][0-9.eE+-]*`)

// depth: a body that is nested deeper than the limit.
func depth(c *Case, want, got map[string]any) bool {
	body, _ := c.event()["body"].(string)
	deepest, level := 0, 0
	for _, r := range body {
		switch r {
		case '[', '{':
			level++
			deepest = max(deepest, level)
		case ']', '}':
			level--
		}
	}
	limit := 128
	if c.uses("ws-json-body-parser") {
		limit = 64
	}
	if object(got, "error")["status"] != 422.0 || want["saw"] == nil || deepest <= limit {
		return false
	}
	replace(want, got)
	return true
}

// connectHasNoBody: a connection's begin and end are no messages.
func connectHasNoBody(c *Case, want, got map[string]any) bool {
	kind := object(c.event(), "requestContext")["eventType"]
	route := object(c.event(), "requestContext")["routeKey"]
	if kind != "CONNECT" && kind != "DISCONNECT" && route != "$connect" && route != "$disconnect" || object(want, "error")["status"] != 422.0 || got["error"] != nil {
		return false
	}
	replace(want, got)
	return true
}

// gone: a client that has left is no failure.
func gone(c *Case, want, got map[string]any) bool {
	if c.options("ws-response")["failure"] != "GoneException" || want["error"] == nil || got["error"] != nil || !reflect.DeepEqual(want["sends"], got["sends"]) {
		return false
	}
	replace(want, got)
	return true
}

// throttleRetried: what the API throttled is posted again.
func throttleRetried(c *Case, want, got map[string]any) bool {
	theirs, _ := want["sends"].([]any)
	ours, _ := got["sends"].([]any)
	if c.options("ws-response")["failure"] != "LimitExceededException" || len(theirs) != 1 || len(ours) < 2 {
		return false
	}
	for _, one := range ours {
		if !reflect.DeepEqual(one, theirs[0]) {
			return false
		}
	}
	want["sends"] = ours
	return true
}

// extendedFilename: a file has the name that filename* says.
func extendedFilename(c *Case, want, got map[string]any) bool {
	body, _ := c.event()["body"].(string)
	theirs, ours := object(want, "saw", "body"), object(got, "saw", "body")
	if !strings.Contains(body, "filename*=") || len(theirs) != len(ours) {
		return false
	}
	applied := false
	for name, v := range ours {
		a, b := object(theirs[name]), object(v)
		if a != nil && b != nil && a["filename"] != b["filename"] {
			a["filename"], applied = b["filename"], true
		}
	}
	return applied
}

// twoKinds: a field and a file have one name.
func twoKinds(c *Case, want, got map[string]any) bool {
	message, _ := object(got, "error")["message"].(string)
	if object(got, "error")["status"] != 422.0 || !strings.Contains(message, "two kinds") {
		return false
	}
	for _, v := range object(want, "saw", "body") {
		list, _ := v.([]any)
		files := 0
		for _, one := range list {
			if object(one) != nil {
				files++
			}
		}
		if files > 0 && files < len(list) {
			replace(want, got)
			return true
		}
	}
	return false
}

// zeroIsDefault: a limit of 0 is the default.
func zeroIsDefault(c *Case, want, got map[string]any) bool {
	if want["saw"] == nil && want["error"] == nil || got["saw"] == nil {
		return false
	}
	for _, n := range object(c.options("http-multipart-body-parser"), "busboy", "limits") {
		if n == 0.0 {
			replace(want, got)
			return true
		}
	}
	return false
}

// noContent: a 204 has no body, and nothing that describes one.
func noContent(_ *Case, want, got map[string]any) bool {
	a, b := object(want, "response"), object(got, "response")
	if a["statusCode"] != 204.0 || b["statusCode"] != 204.0 || b["body"] != "" || a["body"] == "" {
		return false
	}
	a["body"] = ""
	return true
}

// contentLengthChecked: the handler wrote another number of bytes than it said.
func contentLengthChecked(c *Case, want, got map[string]any) bool {
	r := c.returned()
	message, _ := object(got, "error")["message"].(string)
	if want["response"] == nil || !strings.HasPrefix(message, "web: the handler declared a Content-Length of ") {
		return false
	}
	for name, v := range object(r, "headers") {
		if strings.EqualFold(name, "Content-Length") && fmt.Sprint(v) != strconv.Itoa(len(fmt.Sprint(r["body"]))) {
			replace(want, got)
			return true
		}
	}
	return false
}

// stringsOnly: path parameters are strings.
func stringsOnly(_ *Case, want, got map[string]any) bool {
	theirs, ours := object(want, "saw", "pathParameters"), object(got, "saw", "pathParameters")
	if len(theirs) != len(ours) {
		return false
	}
	applied := false
	for name, v := range ours {
		if s, ok := theirs[name].(string); !ok {
			if one := theirs[name]; one == nil && v == "" || one != nil && fmt.Sprint(one) == v {
				theirs[name], applied = v, true
			}
		} else if s != v {
			return false
		}
	}
	return applied
}

// formats: a value is judged by the RFC of its format.
func formats(c *Case, want, got map[string]any) bool {
	refuses, takes := object(got, "error")["status"] == 400.0 && want["saw"] != nil, got["saw"] != nil && object(want, "error")["status"] == 400.0
	if !refuses && !takes {
		return false
	}
	if !slices.ContainsFunc(c.formatted(), func(f [2]string) bool {
		judge, ok := judges[f[0]]
		return ok && (refuses && judge(f[1]) < 0 || takes && judge(f[1]) > 0)
	}) {
		return false
	}
	replace(want, got)
	return true
}

// judges are the formats for which ajv-formats leaves its RFC: a negative result is
// a value that it takes and the RFC does not, a positive one the other way round.
var judges = map[string]func(string) int{
	"date-time": func(s string) int {
		if _, err := time.Parse(time.RFC3339, strings.ToUpper(s)); err != nil {
			return -1 // a blank for T, an offset without its colon
		}
		return 1
	},
	"time": func(s string) int {
		if _, err := time.Parse("15:04:05.999999999Z07:00", strings.ToUpper(s)); err != nil {
			return -1
		}
		return 1
	},
	"uuid": func(s string) int { // RFC 4122 section 3: the prefix is that of a URN
		if strings.HasPrefix(strings.ToLower(s), "urn:") {
			return -1
		}
		return 0
	},
	"email": func(s string) int { // RFC 5321 section 4.1.2: quoted strings and address literals
		if strings.Contains(s, "@[") || strings.HasPrefix(s, `"`) {
			return 1
		}
		return 0
	},
	"uri":           wordsOfURI,
	"uri-reference": wordsOfURI,
}

// wordsOfURI: RFC 3986 section 2 has ASCII only, no blank and no brace.
func wordsOfURI(s string) int {
	if strings.ContainsFunc(s, func(r rune) bool { return r > '~' || strings.ContainsRune(" {}<>\"\\^`|", r) }) {
		return -1
	}
	return 0
}

// formatted are the formats of a schema's properties, with the values that the body
// has for them.
func (c *Case) formatted() (out [][2]string) {
	properties := object(c.options("validator"), "eventSchema", "properties", "body", "properties")
	body := object(c.event(), "body")
	for name, p := range properties {
		format, _ := object(p)["format"].(string)
		if s, ok := body[name].(string); ok && format != "" {
			out = append(out, [2]string{format, s})
		}
	}
	if format, ok := object(c.options("validator"), "eventSchema", "properties", "body")["format"].(string); ok {
		s, _ := c.event()["body"].(string)
		out = append(out, [2]string{format, s})
	}
	return out
}

// multiples: a decimal number is a multiple of one, whatever a float64 makes of
// them.
func multiples(c *Case, want, got map[string]any) bool {
	if got["saw"] == nil || object(want, "error")["status"] != 400.0 {
		return false
	}
	body := object(c.event(), "body")
	for name, p := range object(c.options("validator"), "eventSchema", "properties", "body", "properties") {
		step, ok := object(p)["multipleOf"].(float64)
		n, isNumber := body[name].(float64)
		if !ok || !isNumber || step >= 1 {
			continue
		}
		if q := n / step; q != math.Trunc(q) && math.Abs(q-math.Round(q)) < 1e-9 {
			replace(want, got)
			return true
		}
	}
	return false
}

// coercedOnDemand: a response is what it is.
func coercedOnDemand(c *Case, want, got map[string]any) bool {
	if c.options("validator")["responseSchema"] == nil || want["response"] == nil || object(got, "error")["status"] != 500.0 {
		return false
	}
	replace(want, got)
	return true
}

// blankInRoute: a route with a blank is refused.
func blankInRoute(c *Case, want, got map[string]any) bool {
	routes, _ := c.options("http-router")["routes"].([]any)
	if !refusedAtStart(want, got) || !slices.ContainsFunc(routes, func(r any) bool { p, _ := object(r)["path"].(string); return strings.ContainsAny(p, " \t") }) {
		return false
	}
	replace(want, got)
	return true
}

// base64Event: a body that is said to be base64 and is none.
func base64Event(c *Case, want, got map[string]any) bool {
	e := c.event()
	body, _ := e["body"].(string)
	if e["isBase64Encoded"] != true && e["is_base64_encoded"] != true || object(got, "error")["status"] != 400.0 && object(got, "response")["statusCode"] != 400.0 {
		return false
	}
	if _, err := base64.StdEncoding.DecodeString(body); err == nil {
		return false
	}
	replace(want, got)
	return true
}

// nullBody: a request whose method wants a body has none.
func nullBody(c *Case, want, got map[string]any) bool {
	e := c.event()
	if e["body"] != nil || slices.Contains(bodyless, method(e)) || object(got, "error")["status"] != 422.0 || want["saw"] == nil || object(want, "saw")["body"] != nil {
		return false
	}
	replace(want, got)
	return true
}

// smallBodies: an encoder that does not make a short body smaller leaves it alone.
func smallBodies(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	w, g := object(want, "response"), object(got, "response")
	plain := plainBody(w["body"])
	if !ok || a["content-encoding"] == nil || b["content-encoding"] != nil || reflect.DeepEqual(plain, w["body"]) || !reflect.DeepEqual(plain, g["body"]) || len(plainJSON(plain)) > 256 {
		return false
	}
	w["body"] = g["body"]
	delete(a, "content-encoding")
	return true
}

// equalWeights: of codings that the client wants equally, the server's choice
// counts: RFC 9110 section 12.4.2.
func equalWeights(c *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	theirs, _ := a["content-encoding"].(string)
	ours, _ := b["content-encoding"].(string)
	weights := map[string]string{}
	for element := range strings.SplitSeq(strings.Join(field(c.event(), "Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(element, ";")
		q := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(weight), "q="))
		if f, err := strconv.ParseFloat(q, 64); err == nil {
			q = fmt.Sprint(f)
		} else {
			q = "1"
		}
		weights[strings.TrimSpace(name)] = q
	}
	w, g := object(want, "response"), object(got, "response")
	if !ok || theirs == ours || weights[theirs] == "" || weights[theirs] != weights[ours] || !reflect.DeepEqual(plainBody(w["body"]), plainBody(g["body"])) {
		return false
	}
	w["body"], a["content-encoding"] = g["body"], ours
	return true
}
