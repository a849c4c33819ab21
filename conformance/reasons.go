package conformance

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// A rule knows one kind of difference. apply takes it out of both results and
// reports whether it was there; what two results still differ in is another
// matter. A reason that has a rule cannot hide what it was not meant for.
type rule struct {
	id       string
	packages []string // none: all
	apply    func(c *Case, want, got map[string]any) bool
}

// Explain returns the ids of the reasons that explain, together, all of the
// difference between what Middy did and got; none when something is left. ask says
// what Middy does with another case, for reasons that are held by experiment; its
// answer is the second result.
func Explain(c *Case, got json.RawMessage, ask func(*Case) json.RawMessage) (Words, json.RawMessage) {
	if ids, ok := explain(c, c.Want, got); ok {
		return ids, nil
	}
	_, tried := Rewrite(c)
	if len(tried) == 0 || ask == nil {
		return nil, nil
	}
	try := func(ids Words) (Words, json.RawMessage) {
		other, done := Rewrite(c, ids...)
		if len(done) != len(ids) {
			return nil, nil
		}
		instead := ask(other)
		more, ok := explain(other, instead, got)
		if !ok {
			return nil, nil
		}
		return slices.Concat(done, more), instead
	}
	best, instead := try(tried)
	for n := 1; best == nil && n < 1<<len(tried)-1 && len(tried) < 6; n++ { // one of them may change what is no matter of it
		var some Words
		for i, id := range tried {
			if n&(1<<i) != 0 {
				some = append(some, id)
			}
		}
		if best, instead = try(some); best != nil {
			tried = some
		}
	}
	for i := 0; best != nil && len(tried) > 1 && i < len(tried); {
		fewer := slices.Delete(slices.Clone(tried), i, i+1)
		if ids, answer := try(fewer); ids != nil {
			tried, best, instead = fewer, ids, answer
			continue
		}
		i++
	}
	return best, instead
}

// Holds reports whether the reasons of the case's deviation are exactly those that
// explain it.
func (c *Case) Holds() (Words, bool) {
	d := c.Deviation
	if d.Instead == nil {
		ids, ok := explain(c, c.Want, d.Ours)
		return ids, ok && slices.Equal(ids, d.Reason)
	}
	var experiments []string
	for _, id := range d.Reason {
		if slices.ContainsFunc(rewrites, func(r rewrite) bool { return r.id == id }) {
			experiments = append(experiments, id)
		}
	}
	other, done := Rewrite(c, experiments...)
	more, ok := explain(other, d.Instead, d.Ours)
	ids := slices.Concat(done, more)
	return ids, ok && len(done) > 0 && slices.Equal(ids, d.Reason)
}

func explain(c *Case, answer, got json.RawMessage) (Words, bool) {
	w, g, err := canonicalPair(answer, got)
	want, okW := w.(map[string]any)
	have, okG := g.(map[string]any)
	if err != nil || !okW || !okG {
		return nil, false
	}
	var ids Words
	for _, r := range rules {
		if len(r.packages) > 0 && !slices.ContainsFunc(r.packages, c.uses) {
			continue
		}
		applied := false
		steps, _ := want["steps"].([]any)
		ours, _ := have["steps"].([]any)
		for i := range min(len(steps), len(ours), len(c.Steps)) {
			a, okA := steps[i].(map[string]any)
			b, okB := ours[i].(map[string]any)
			one := *c
			one.Event = c.Steps[i].Event
			if okA && okB && !reflect.DeepEqual(a, b) && r.apply(&one, a, b) {
				applied = true
			}
		}
		if (len(steps) == 0 || len(ours) == 0) && !reflect.DeepEqual(want, have) && r.apply(c, want, have) {
			applied = true
		}
		if applied {
			ids = append(ids, r.id)
		}
	}
	return ids, reflect.DeepEqual(want, have)
}

// HasRule reports whether a reason is one that a rule or an experiment checks.
func HasRule(id string) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.id == id }) || slices.ContainsFunc(rewrites, func(r rewrite) bool { return r.id == id })
}

var rules = []rule{
	{id: "layers", packages: []string{"core"}, apply: layers},
	{id: "challenge", apply: challenge},
	{id: "head-has-no-body", apply: headHasNoBody},
	{id: "no-content", apply: noContent},
	{id: "content-length-checked", apply: contentLengthChecked},
	{id: "strict-base64-body", apply: base64Event},
	{id: "useless-origin", packages: []string{"http-cors"}, apply: uselessOrigin},
	{id: "star-with-credentials", packages: []string{"http-cors"}, apply: starWithCredentialsAtStart},
	{id: "odd-origin", packages: []string{"http-cors"}, apply: oddOrigin},
	{id: "host-apart", packages: []string{"http-header-normalizer"}, apply: hostApart},
	{id: "misconfigured-key", packages: []string{"http-jwt", "http-paseto"}, apply: misconfiguredKey},
	{id: "paseto-time", packages: []string{"http-paseto"}, apply: pasetoTime},
	{id: "use-enc", packages: []string{"http-jwt"}, apply: useEnc},
	{id: "one-token", packages: []string{"http-jwt", "http-paseto"}, apply: oneToken},
	{id: "strict-jose", packages: []string{"http-jwt"}, apply: strictJOSE},
	{id: "null-body", packages: []string{"http-json-body-parser"}, apply: nullBody},
	{id: "zero-is-default", packages: []string{"http-multipart-body-parser"}, apply: zeroIsDefault},
	{id: "number-range", packages: []string{"http-json-body-parser", "ws-json-body-parser"}, apply: numberRange},
	{id: "depth", packages: []string{"http-json-body-parser", "ws-json-body-parser"}, apply: depth},
	{id: "connect-has-no-body", packages: []string{"ws-json-body-parser"}, apply: connectHasNoBody},
	{id: "gone", packages: []string{"ws-response"}, apply: gone},
	{id: "throttle-retried", packages: []string{"ws-response"}, apply: throttleRetried},
	{id: "extended-filename", packages: []string{"http-multipart-body-parser"}, apply: extendedFilename},
	{id: "two-kinds", packages: []string{"http-multipart-body-parser"}, apply: twoKinds},
	{id: "strings-only", packages: []string{"http-urlencode-path-parser"}, apply: stringsOnly},
	{id: "formats", packages: []string{"validator"}, apply: formats},
	{id: "exact-multiples", packages: []string{"validator"}, apply: multiples},
	{id: "coerced-on-demand", packages: []string{"validator"}, apply: coercedOnDemand},
	{id: "blank-in-route", packages: []string{"http-router"}, apply: blankInRoute},
	{id: "detail", apply: detail},
	{id: "nosniff", apply: nosniff},
	{id: "every-origin", packages: []string{"http-cors"}, apply: everyOrigin},
	{id: "star-with-credentials", packages: []string{"http-cors"}, apply: starWithCredentials},
	{id: "sniffed", packages: []string{"http-content-encoding"}, apply: sniffed},
	{id: "weak-etag", packages: []string{"http-content-encoding"}, apply: weakETag},
	{id: "small-bodies", packages: []string{"http-content-encoding"}, apply: smallBodies},
	{id: "equal-weights", packages: []string{"http-content-encoding"}, apply: equalWeights},
	{id: "star-coding", packages: []string{"http-content-encoding"}, apply: starCoding},
	{id: "next-coding", packages: []string{"http-content-encoding"}, apply: nextCoding},
	{id: "vary", apply: vary},
	{id: "unknown-door", apply: unknownDoor},
	{id: "refused-early", apply: refusedEarly},
	{id: "phrase", packages: []string{"util", "http-error-handler"}, apply: phrase},
	{id: "key-unavailable", packages: []string{"http-jwt", "http-paseto"}, apply: errorFor(503)},
	{id: "strict-base64", packages: []string{"http-jwt", "http-paseto"}, apply: strictBase64},
	{id: "facilitator-outage", packages: []string{"http-x402"}, apply: errorFor(502, 503)},
	{id: "no-reason", packages: []string{"http-x402"}, apply: noReason},
	{id: "limits-answer", packages: []string{"http-multipart-body-parser", "http-urlencode-body-parser"}, apply: errorFor(413)},
	{id: "boundary", packages: []string{"http-multipart-body-parser"}, apply: boundary},
	{id: "nameless-part", packages: []string{"http-multipart-body-parser"}, apply: nameless},
	{id: "weights", packages: []string{"http-content-negotiation"}, apply: weights},
	{id: "no-range", packages: []string{"http-content-negotiation"}, apply: noRange},
	{id: "identity", packages: []string{"http-content-negotiation"}, apply: identity},
	{id: "all-values", packages: []string{"http-header-normalizer"}, apply: allValues},
	{id: "errors-whole", packages: []string{"http-partial-response"}, apply: errorsWhole},
	{id: "nested-arrays", packages: []string{"http-partial-response"}, apply: nestedArrays},
	{id: "empty-body", packages: []string{"http-response-serializer"}, apply: emptyBody},
	{id: "always-typed", packages: []string{"http-response-serializer"}, apply: alwaysTyped},
	{id: "wildcards", packages: []string{"http-response-serializer"}, apply: wildcards},
	{id: "unserved", packages: []string{"http-response-serializer"}, apply: unserved},
	{id: "early-answer", packages: []string{"http-security-headers"}, apply: earlyAnswer},
	{id: "accept-told", apply: acceptTold},
	{id: "said-once", packages: []string{"http-content-encoding"}, apply: saidOnce},
	{id: "dot-segments", packages: []string{"http-router"}, apply: dotSegments},
	{id: "empty-elements", packages: []string{"http-cors"}, apply: emptyElements},
	{id: "any-method", packages: []string{"http-router"}, apply: anyMethod},
	{id: "head-is-get", packages: []string{"http-router"}, apply: headIsGet},
	{id: "decoded-values", packages: []string{"http-router"}, apply: decodedValues},
	{id: "own-values", packages: []string{"http-router"}, apply: ownValues},
	{id: "more-patterns", packages: []string{"http-router"}, apply: morePatterns},
	{id: "silence", packages: []string{"ws-response"}, apply: silence},
}

func errors2(want, got map[string]any) (a, b map[string]any, ok bool) {
	a, okA := want["error"].(map[string]any)
	b, okB := got["error"].(map[string]any)
	return a, b, okA && okB
}

func headers2(want, got map[string]any) (a, b map[string]any, ok bool) {
	w, _ := want["response"].(map[string]any)
	g, _ := got["response"].(map[string]any)
	a, okA := w["headers"].(map[string]any)
	b, okB := g["headers"].(map[string]any)
	return a, b, okA && okB
}

// detail: the same status, with a text that says more.
func detail(c *Case, want, got map[string]any) bool {
	w, _ := want["response"].(map[string]any)
	g, _ := got["response"].(map[string]any)
	if status, _ := g["statusCode"].(float64); status >= 400 && w["statusCode"] == status && want["skipped"] == true && c.uses("http-error-handler") && !reflect.DeepEqual(w["body"], g["body"]) {
		w["body"] = g["body"] // a middleware's refusal, in the plain form
		if a, b, ok := headers2(want, got); ok && b["content-encoding"] == nil {
			delete(a, "content-encoding") // the shorter one shrank
		}
		return true
	}
	a, b, ok := errors2(want, got)
	if !ok || a["status"] == nil || a["status"] != b["status"] || a["message"] == b["message"] {
		return false
	}
	b["message"] = a["message"]
	return true
}

// nosniff: an error's text carries X-Content-Type-Options.
func nosniff(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	const name = "x-content-type-options"
	if !ok || a[name] != nil || b[name] != "nosniff" {
		return false
	}
	delete(b, name)
	return true
}

// vary: ours names each header once, and all that the response depends on.
func vary(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	if !ok || a["vary"] == b["vary"] {
		return false
	}
	theirs, ours := tokens(a["vary"]), tokens(b["vary"])
	for _, name := range theirs {
		if !slices.Contains(ours, name) && !slices.Contains(ours, "*") {
			return false
		}
	}
	delete(a, "vary")
	delete(b, "vary")
	return true
}

func tokens(v any) []string {
	s, _ := v.(string)
	var out []string
	for t := range strings.SplitSeq(s, ",") {
		if t = strings.ToLower(strings.TrimSpace(t)); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// errorFor: ours refuses with one of the statuses where Middy did something else.
func errorFor(statuses ...float64) func(*Case, map[string]any, map[string]any) bool {
	return func(_ *Case, want, got map[string]any) bool {
		e, ok := got["error"].(map[string]any)
		status, _ := e["status"].(float64)
		if !ok || !slices.Contains(statuses, status) {
			return false
		}
		if w, ok := want["error"].(map[string]any); ok && w["status"] == status {
			return false
		}
		replace(want, got)
		return true
	}
}

// replace makes want equal to got, once a rule has found that it may differ.
func replace(want, got map[string]any) {
	clear(want)
	for key, v := range got {
		want[key] = v
	}
}

// phrase: Go's text of a status in place of Node's.
func phrase(_ *Case, want, got map[string]any) bool {
	for _, at := range []string{"value", "response"} {
		w, okW := want[at].(map[string]any)
		g, okG := got[at].(map[string]any)
		key := "message"
		if at == "response" {
			key = "body"
		}
		if !okW || !okG || reflect.DeepEqual(w[key], g[key]) {
			continue
		}
		status, _ := g["status"].(float64)
		if at == "response" {
			status, _ = g["statusCode"].(float64)
		}
		if g[key] == http.StatusText(int(status)) {
			w[key] = g[key]
			return true
		}
	}
	return false
}

// refusedEarly: what Middy answers at each request is refused when it is built.
func refusedEarly(_ *Case, want, got map[string]any) bool {
	w, g, ok := errors2(want, got)
	if !ok || g["at"] != "construction" || w["at"] != nil || w["status"] != 500.0 {
		return false
	}
	replace(want, got)
	return true
}

// unknownDoor: the event is none that a front door sends.
func unknownDoor(_ *Case, want, got map[string]any) bool {
	e, _ := got["error"].(map[string]any)
	message, _ := e["message"].(string)
	if e["status"] != nil || !strings.HasPrefix(message, "web: the event is not from an HTTP front door") && !strings.HasPrefix(message, "ws: the event is not from a WebSocket API") {
		return false
	}
	replace(want, got)
	return true
}

// uses reports whether the case is about a package, alone or among others.
func (c *Case) uses(name string) bool {
	return c.Package() == name || slices.ContainsFunc(c.Use, func(u Use) bool { return u.Name == name })
}

// options are those of a package of the case.
func (c *Case) options(name string) map[string]any {
	for _, u := range c.Use {
		if u.Name == name {
			v, _ := Value(u.Options) // it was read before
			o, _ := v.(map[string]any)
			return o
		}
	}
	return nil
}

// everyOrigin: all origins get "*", or what the handler says, so that the response
// depends on none.
func everyOrigin(c *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	const allowed = "access-control-allow-origin"
	options := c.options("http-cors")
	star := options["origin"] == "*"
	var own struct{ Headers map[string]string }
	if c.Handler != nil && c.Handler.Return != nil {
		_ = json.Unmarshal(c.Handler.Return, &own) // one without headers has none
	}
	if !ok || a[allowed] != b[allowed] || b[allowed] != "*" && own.Headers["Access-Control-Allow-Origin"] != b[allowed] {
		return false
	}
	origins, _ := options["origins"].([]any)
	for _, o := range origins {
		s, _ := o.(string)
		star = star || s == "*"
		if !strings.Contains(s, "*") {
			return false // that one is told its own name
		}
	}
	theirs := slices.DeleteFunc(tokens(a["vary"]), func(t string) bool { return t == "origin" })
	if !star || slices.Contains(tokens(b["vary"]), "origin") || len(theirs) == len(tokens(a["vary"])) {
		return false
	}
	delete(a, "vary")
	if len(theirs) > 0 {
		a["vary"] = strings.Join(theirs, ", ")
	}
	return true
}

// starWithCredentials: browsers refuse the pair.
func starWithCredentials(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	const origin = "access-control-allow-origin"
	if !ok || a["access-control-allow-credentials"] != "true" || a[origin] != "*" || b[origin] == "*" {
		return false
	}
	delete(a, origin)
	delete(b, origin)
	return true
}

// nextCoding: the first choice of the client's list is a coding that Middy does not
// write, or a name of one in another spelling; ours takes the next one that it can,
// or leaves the body as it is, and the body is the same.
func nextCoding(c *Case, want, got map[string]any) bool {
	w, _ := want["response"].(map[string]any)
	g, _ := got["response"].(map[string]any)
	a, b, ok := headers2(want, got)
	if !ok || !reflect.DeepEqual(plainBody(w["body"]), plainBody(g["body"])) || a["content-encoding"] == b["content-encoding"] {
		return false
	}
	wish := c.wish("Encoding", "Accept-Encoding")
	ours, _ := b["content-encoding"].(string)
	if len(wish) < 1 || slices.Contains(codings, wish[0]) || ours != "" && !slices.ContainsFunc(wish, func(s string) bool { return s == "*" || strings.TrimPrefix(strings.ToLower(s), "x-") == ours }) {
		return false
	}
	w["body"] = g["body"]
	for _, name := range []string{"content-encoding", "vary", "etag"} {
		if a[name] = b[name]; a[name] == nil {
			delete(a, name)
		}
	}
	return true
}

// starCoding: the server prefers a coding that only the client's * names.
func starCoding(c *Case, want, got map[string]any) bool {
	prefer, _ := c.options("http-content-encoding")["overridePreferredEncoding"].([]any)
	a, b, ok := headers2(want, got)
	ours := b["content-encoding"]
	wish := c.wish("Encoding", "Accept-Encoding")
	name, _ := ours.(string)
	if !ok || a["content-encoding"] == ours || !slices.Contains(prefer, ours) || !slices.Contains(wish, "*") || slices.Contains(wish, name) {
		return false
	}
	w, g := object(want, "response"), object(got, "response")
	if !reflect.DeepEqual(plainBody(w["body"]), plainBody(g["body"])) {
		return false
	}
	w["body"], a["content-encoding"] = g["body"], ours
	return true
}

// codings are those that Middy writes.
var codings = []string{"br", "gzip", "deflate", "zstd"}

// wish is what the client prefers, the best first: what the case's context says, or
// the header as it is written.
func (c *Case) wish(name, header string) []string {
	var out []string
	context := object(jsonOf(c.Context))
	all, _ := context["preferred"+name+"s"].([]any)
	if len(all) == 0 && context["preferred"+name] != nil {
		all = []any{context["preferred"+name]}
	}
	for _, v := range all {
		s, _ := v.(string)
		out = append(out, s)
	}
	if len(out) > 0 {
		return out
	}
	for element := range strings.SplitSeq(strings.Join(field(c.event(), header), ","), ",") {
		one, _, _ := strings.Cut(element, ";")
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

func plainBody(v any) any {
	if m, ok := v.(map[string]any); ok {
		if z, ok := m["$z"].([]any); ok && len(z) == 2 {
			return z[1]
		}
	}
	return v
}

// sniffed: a body without a Content-Type gets one.
func sniffed(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	if !ok || a["content-type"] != nil || b["content-type"] == nil {
		return false
	}
	a["content-type"] = b["content-type"]
	return true
}

// weakETag: an encoded body is another representation.
func weakETag(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	strong, _ := a["etag"].(string)
	if !ok || strong == "" || b["content-encoding"] == nil || b["etag"] != "W/"+strong {
		return false
	}
	a["etag"] = b["etag"]
	return true
}

// weights: the preferences that differ are those of a header with a weight that RFC
// 9110 section 12.4.2 does not allow.
func weights(c *Case, want, got map[string]any) bool {
	if want["saw"] == nil && got["saw"] == nil {
		return false
	}
	e := c.event()
	applied := false
	for name, header := range map[string]string{"Charset": "Accept-Charset", "Encoding": "Accept-Encoding", "Language": "Accept-Language", "MediaType": "Accept"} {
		if !preferencesDiffer(name, want, got) {
			continue
		}
		if !oddWeight(strings.Join(field(e, header), ",")) {
			return false
		}
		applied = true
	}
	if applied {
		replace(want, got)
	}
	return applied
}

// noRange: an element of Accept that is no media range.
func noRange(c *Case, want, got map[string]any) bool {
	if want["saw"] == nil && got["saw"] == nil || !preferencesDiffer("MediaType", want, got) {
		return false
	}
	for element := range strings.SplitSeq(strings.Join(field(c.event(), "Accept"), ","), ",") {
		one, _, _ := strings.Cut(element, ";")
		if one = strings.TrimSpace(one); one != "" && !mediaRange.MatchString(one) {
			theirs, ours := object(want, "saw", "context"), object(got, "saw", "context")
			if theirs == nil || ours == nil {
				replace(want, got)
				return true
			}
			for _, name := range []string{"preferredMediaType", "preferredMediaTypes"} {
				if theirs[name] = ours[name]; theirs[name] == nil {
					delete(theirs, name)
				}
			}
			return true
		}
	}
	return false
}

var mediaRange = regexp.MustCompile(`^[!#$%&'*+.^_|~0-9A-Za-z-]+/[!#$%&'*+.^_|~0-9A-Za-z-]+$`)

// preferencesDiffer reports whether two results differ in one kind of preference.
func preferencesDiffer(name string, want, got map[string]any) bool {
	refused := func(result map[string]any) bool {
		message, _ := object(result, "error")["message"].(string)
		return strings.HasPrefix(message, "Unsupported "+name+".")
	}
	a, b := object(want, "saw", "context"), object(got, "saw", "context")
	if a == nil || b == nil {
		return refused(want) != refused(got)
	}
	one, all := "preferred"+name, "preferred"+name+"s"
	return !reflect.DeepEqual([]any{a[one], a[all]}, []any{b[one], b[all]})
}

// oddWeight reports whether a list has a weight that is none.
func oddWeight(list string) bool {
	for element := range strings.SplitSeq(list, ",") {
		for i, param := range strings.Split(element, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
			if i > 0 && strings.EqualFold(strings.TrimSpace(name), "q") && !qvalue.MatchString(value) {
				return true
			}
		}
	}
	return false
}

var qvalue = regexp.MustCompile(`^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$`)

// identity: no coding fits, and the response goes without one.
func identity(_ *Case, want, got map[string]any) bool {
	e, _ := want["error"].(map[string]any)
	saw, _ := got["saw"].(map[string]any)
	context, _ := saw["context"].(map[string]any)
	message, _ := e["message"].(string)
	if context["preferredEncoding"] != "identity" {
		return false
	}
	if e["status"] == 406.0 && strings.HasPrefix(message, "Unsupported Encoding") {
		replace(want, got)
		return true
	}
	theirs, _ := want["saw"].(map[string]any)
	seen, ok := theirs["context"].(map[string]any)
	if list, _ := seen["preferredEncodings"].([]any); !ok || len(list) > 0 {
		return false
	}
	seen["preferredEncoding"], seen["preferredEncodings"] = context["preferredEncoding"], context["preferredEncodings"]
	return true
}

// boundary: the Content-Type is a multipart form with a boundary as RFC 2046 section
// 5.1.1 allows it, and not in the one spelling that Middy takes.
func boundary(c *Case, want, got map[string]any) bool {
	e, _ := want["error"].(map[string]any)
	unparsed, _ := want["saw"].(map[string]any)
	_, raw := unparsed["body"].(string)
	if got["saw"] == nil && object(got, "error")["status"] == 415.0 || e["status"] != 415.0 && !raw {
		return false
	}
	types := field(c.event(), "Content-Type")
	if len(types) != 1 || theirBoundary.MatchString(types[0]) {
		return false
	}
	t, params, err := mime.ParseMediaType(types[0])
	if err != nil || t != "multipart/form-data" || !ourBoundary.MatchString(params["boundary"]) {
		return false
	}
	replace(want, got)
	return true
}

var (
	theirBoundary = regexp.MustCompile(`(?i)^multipart/form-data; boundary=[a-z0-9-]{1,70}(?:; ?charset=[\w-]+)?$`)
	ourBoundary   = regexp.MustCompile(`^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$`)
)

// nameless: a part without a name is refused, where Middy drops it or ends its
// process.
func nameless(_ *Case, want, got map[string]any) bool {
	e, _ := got["error"].(map[string]any)
	message, _ := e["message"].(string)
	if e["status"] != 422.0 || !strings.Contains(message, "a part has no name") && want["crash"] == nil {
		return false
	}
	replace(want, got)
	return true
}

// allValues: values of names that differ only in case are all kept.
func allValues(c *Case, want, got map[string]any) bool {
	theirs, ours := object(want, "saw", "headers"), object(got, "saw", "headers")
	if theirs == nil || ours == nil || len(theirs) != len(ours) {
		return false
	}
	spellings := map[string]int{}
	for name := range object(c.event(), "headers") {
		spellings[strings.ToLower(name)]++
	}
	applied := false
	for name, v := range ours {
		s, _ := v.(string)
		if strings.EqualFold(name, "Cookie") {
			s = strings.ReplaceAll(s, ";", ",")
		}
		all := tokens(strings.Join(field(c.event(), name), ","))
		if theirs[name] != v && spellings[strings.ToLower(name)] > 1 && slices.Equal(slices.Sorted(slices.Values(all)), slices.Sorted(slices.Values(tokens(s)))) {
			theirs[name], applied = v, true
		}
	}
	return applied
}

// strictBase64: a part of the token is no base64url as RFC 7515 section 2 has it.
func strictBase64(c *Case, want, got map[string]any) bool {
	if object(got, "error")["status"] != 401.0 || want["saw"] == nil || !slices.ContainsFunc(c.tokens(), laxBase64) {
		return false
	}
	replace(want, got)
	return true
}

// tokens are the texts of the request that may be a token: of three parts or more.
func (c *Case) tokens() []string {
	e := c.event()
	var out []string
	options := c.options("http-jwt")
	if options == nil {
		options = c.options("http-paseto")
	}
	name, _ := options["tokenHeaderName"].(string)
	texts := slices.Concat(field(e, "Authorization"), field(e, "Cookie"), field(e, name))
	for _, v := range object(e, "queryStringParameters") {
		s, _ := v.(string)
		texts = append(texts, s)
	}
	for _, s := range texts {
		for _, word := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ;\"", r) }) {
			if name, value, ok := strings.Cut(word, "="); ok && !strings.Contains(name, ".") {
				word = value
			}
			if strings.Count(word, ".") >= 2 {
				out = append(out, word)
			}
		}
	}
	return out
}

func laxBase64(token string) bool {
	parts := strings.Split(token, ".")
	if strings.HasPrefix(token, "v4.") {
		parts = parts[2:] // after version and purpose
	}
	for _, part := range parts {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil || strings.ContainsAny(part, "\r\n") {
			return true
		}
	}
	return false
}

// noReason: a facilitator's no without a reason.
func noReason(_ *Case, want, got map[string]any) bool {
	w, _ := want["response"].(map[string]any)
	g, _ := got["response"].(map[string]any)
	body, _ := g["body"].(map[string]any)
	theirs, _ := w["body"].(map[string]any)
	if body["error"] != "unexpected_verify_error" || theirs["error"] != nil || g["statusCode"] != w["statusCode"] {
		return false
	}
	replace(want, got)
	return true
}

// alwaysTyped: a body without a type is serialised in the default format, and has
// its type.
func alwaysTyped(c *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	theirs, _ := a["content-type"].(string)
	ours, _ := b["content-type"].(string)
	parameters := theirs != "" && strings.HasPrefix(ours, theirs+";") && c.options("http-response-serializer")["defaultContentType"] == ours
	if !ok || ours == "" || theirs != "" && !parameters {
		return false
	}
	replace(want, got)
	return true
}

// emptyBody: nothing is not serialised.
func emptyBody(c *Case, want, got map[string]any) bool {
	g, _ := got["response"].(map[string]any)
	if c.returned()["body"] != "" || g["body"] != "" || reflect.DeepEqual(want, got) {
		return false
	}
	replace(want, got)
	return true
}

// wildcards: ours has the type of a range such as text/* that the client named.
func wildcards(c *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	ours, _ := b["content-type"].(string)
	typ, _, _ := strings.Cut(ours, "/")
	if !ok || a["content-type"] == ours || !slices.ContainsFunc(c.wish("MediaType", "Accept"), func(r string) bool { return r == "*/*" || r == typ+"/*" }) {
		return false
	}
	replace(want, got)
	return true
}

// unserved: a default that no serializer serves.
func unserved(_ *Case, want, got map[string]any) bool {
	e, _ := got["error"].(map[string]any)
	if e["at"] != "construction" || want["response"] == nil {
		return false
	}
	replace(want, got)
	return true
}

// errorsWhole: a response that is no success is not filtered.
func errorsWhole(_ *Case, want, got map[string]any) bool {
	w, _ := want["response"].(map[string]any)
	g, _ := got["response"].(map[string]any)
	status, _ := g["statusCode"].(float64)
	if status < 300 || w["statusCode"] != status || reflect.DeepEqual(w["body"], g["body"]) {
		return false
	}
	w["body"] = g["body"]
	return true
}

// nestedArrays: a selector reaches through arrays in arrays.
func nestedArrays(c *Case, want, got map[string]any) bool {
	w, _ := want["response"].(map[string]any)
	g, _ := got["response"].(map[string]any)
	if w == nil || g == nil || c.Handler == nil || reflect.DeepEqual(w["body"], g["body"]) || !reflect.DeepEqual(emptied(w["body"], false), emptied(g["body"], false)) {
		return false
	}
	w["body"] = g["body"]
	return true
}

// emptied is v with what stands in arrays of arrays taken away.
func emptied(v any, inArray bool) any {
	switch v := v.(type) {
	case []any:
		if inArray {
			return []any{}
		}
		out := []any{}
		for _, e := range v {
			out = append(out, emptied(e, true))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, e := range v {
			out[key] = emptied(e, false)
		}
		return out
	}
	return v
}

// earlyAnswer: what a middleware answers passes through the layers outside of it.
func earlyAnswer(c *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	if !ok || want["skipped"] != true || !c.uses("http-security-headers") {
		return false
	}
	applied := false
	for name, v := range b {
		if a[name] == nil && securityHeader.MatchString(name) {
			a[name], applied = v, true
		}
	}
	return applied
}

var securityHeader = regexp.MustCompile(`^(content-security-policy|cross-origin-|permissions-policy|origin-agent-cluster|referrer-policy|report|strict-transport-security|x-)`)

// acceptTold: a 415 says what would have been taken.
func acceptTold(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	g, _ := got["response"].(map[string]any)
	if !ok || g["statusCode"] != 415.0 || a["accept"] != nil || b["accept"] == nil {
		return false
	}
	delete(b, "accept")
	return true
}

// saidOnce: a directive that is there already is not added again.
func saidOnce(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	const name = "cache-control"
	if !ok || a[name] == b[name] {
		return false
	}
	theirs := tokens(a[name])
	if ours := tokens(b[name]); len(ours) >= len(theirs) || !slices.Equal(slices.Compact(slices.Sorted(slices.Values(theirs))), slices.Sorted(slices.Values(ours))) {
		return false
	}
	a[name] = b[name]
	return true
}

// dotSegments: a path with . or .. in it is for nobody.
func dotSegments(c *Case, want, got map[string]any) bool {
	e, _ := got["error"].(map[string]any)
	if e["status"] != 404.0 || want["saw"] == nil || !dots.MatchString(path(c.event())+"/") {
		return false
	}
	replace(want, got)
	return true
}

var dots = regexp.MustCompile(`/(?:\.|%2[Ee]){1,2}/`)

// emptyElements: an empty element of the list of headers that a preflight asks for
// is none.
func emptyElements(c *Case, want, got map[string]any) bool {
	a, _, ok := headers2(want, got)
	list := strings.Split(strings.Join(field(c.event(), "Access-Control-Request-Headers"), ","), ",")
	if !ok || reflect.DeepEqual(want, got) || len(a) > 0 || !slices.ContainsFunc(list, func(s string) bool { return strings.TrimSpace(s) == "" }) {
		return false // Middy's refusal of a preflight has no header
	}
	replace(want, got)
	return true
}

// headHasNoBody: what front doors drop in any case.
func headHasNoBody(c *Case, want, got map[string]any) bool {
	w, _ := want["response"].(map[string]any)
	g, _ := got["response"].(map[string]any)
	a, b, ok := headers2(want, got)
	if method(c.event()) != "HEAD" || !ok || g["body"] != "" || reflect.DeepEqual(w["body"], g["body"]) {
		return false
	}
	if plain := plainBody(w["body"]); !reflect.DeepEqual(plain, w["body"]) && b["content-encoding"] == nil {
		delete(a, "content-encoding") // RFC 9110 section 9.3.2: what only the making of a body tells
	}
	w["body"] = ""
	delete(b, "content-length") // of the body that a GET would have
	theirs, _ := w["headers"].(map[string]any)
	ours, _ := g["headers"].(map[string]any)
	for name, v := range ours {
		if strings.EqualFold(name, "Content-Length") && theirs != nil {
			theirs[name] = v
		}
	}
	return true
}

// anyMethod: ANY is every method, and every method can have a route.
func anyMethod(c *Case, want, got map[string]any) bool {
	e, _ := want["error"].(map[string]any)
	w, _ := want["response"].(map[string]any)
	routes, _ := c.options("http-router")["routes"].([]any)
	has := func(may func(method string) bool) bool {
		return slices.ContainsFunc(routes, func(r any) bool { m, _ := object(r)["method"].(string); return may(m) })
	}
	unknown := func(method string) bool { return !slices.Contains(theirMethods, method) }
	switch {
	case e["at"] == "construction" && object(got, "error")["at"] != "construction" && has(func(m string) bool { return m != "ANY" && unknown(m) }):
	case (e["status"] == 404.0 || w["statusCode"] == 404.0) && got["saw"] != nil && has(func(m string) bool { return m == "ANY" }) && unknown(method(c.event())):
	default:
		return false
	}
	replace(want, got)
	return true
}

// theirMethods are those that a route of Middy's can have.
var theirMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"}

// headIsGet: a GET route answers HEAD.
func headIsGet(c *Case, want, got map[string]any) bool {
	e, _ := want["error"].(map[string]any)
	w, _ := want["response"].(map[string]any)
	if e["status"] != 404.0 && w["statusCode"] != 404.0 || got["saw"] == nil || method(c.event()) != "HEAD" {
		return false
	}
	replace(want, got)
	return true
}

// decodedValues: values are decoded, once.
func decodedValues(c *Case, want, got map[string]any) bool {
	return values(want, got, func(name, theirs, ours string) bool {
		plain, err := url.PathUnescape(theirs)
		return err == nil && plain == ours
	})
}

// ownValues: what the router matched counts, not what the event says.
func ownValues(c *Case, want, got map[string]any) bool {
	return values(want, got, func(name, theirs, _ string) bool {
		return object(c.event(), "pathParameters")[name] == theirs
	})
}

// values compares path parameters of the same route.
func values(want, got map[string]any, may func(name, theirs, ours string) bool) bool {
	a, _ := want["saw"].(map[string]any)
	b, _ := got["saw"].(map[string]any)
	theirs, _ := a["pathParameters"].(map[string]any)
	ours, _ := b["pathParameters"].(map[string]any)
	if a["tag"] != b["tag"] || len(theirs) != len(ours) {
		return false
	}
	applied := false
	for name, v := range ours {
		s, _ := v.(string)
		one, _ := theirs[name].(string)
		if s != one && may(name, one, s) {
			theirs[name], applied = v, true
		}
	}
	return applied
}

// morePatterns: what Middy refuses to register is matched.
func morePatterns(c *Case, want, got map[string]any) bool {
	e, _ := want["error"].(map[string]any)
	if e["at"] != "construction" || got["saw"] == nil {
		return false
	}
	replace(want, got)
	return true
}

// silence: nothing is posted where there is nothing to say.
func silence(_ *Case, want, got map[string]any) bool {
	if want["sends"] == nil || got["sends"] != nil || got["error"] != nil {
		return false
	}
	delete(want, "sends")
	if want["error"] != nil { // of the post
		replace(want, got)
	}
	return true
}
