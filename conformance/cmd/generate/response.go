package main

import (
	"strings"

	"github.com/gomiddy/middy/conformance"
)

func (g *gen) response(body any) object {
	r := object{"statusCode": pick(g, 200, 200, 200, 201, 404, 500), "headers": object{"Content-Type": "application/json"}}
	if body != nil {
		r["body"] = body
	}
	return r
}

func contentEncoding(g *gen) {
	codings := []string{"br", "gzip", "deflate", "zstd"}
	bodies := []any{
		"", "x", repeat("a", 20), repeat("ab", 40), repeat("<p>hello</p>", 100), repeat("0123456789", 1000),
		repeat("ü", 300), repeat("a", 200000), `{"id":1}`, "already short", object{"$concat": list{"{\"list\":\"", repeat("item ", 400), "\"}"}},
	}
	types := []string{"application/json", "text/html; charset=utf-8", "text/plain", "application/vnd.api+json", "image/svg+xml", "text/event-stream"}
	for range 110 {
		o := object{}
		for _, coding := range codings {
			g.maybe(o, 15, coding, object{})
		}
		g.maybe(o, 40, "overridePreferredEncoding", shuffled(g, some(g, 60, codings...)...))
		preferred := shuffled(g, some(g, 60, append(codings, "identity", "*", "compress")...)...)
		context := object{}
		if len(preferred) > 0 {
			context["preferredEncoding"] = preferred[0]
			context["preferredEncodings"] = preferred
		}
		r := g.response(pick(g, bodies...))
		h := r["headers"].(object)
		h["Content-Type"] = pick(g, types...)
		g.maybe(h, 15, "Vary", pick(g, "Origin", "Accept", "Accept-Encoding", "accept-encoding", "*", "Origin, Accept-Encoding"))
		g.maybe(h, 10, "Content-Encoding", pick(g, "gzip", "br", "identity"))
		g.maybe(h, 15, "Cache-Control", pick(g, "no-transform", "max-age=60", "public, no-transform, max-age=1", "no-store"))
		g.maybe(h, 10, "ETag", pick(g, `"abc"`, `W/"abc"`))
		request := request{method: pick(g, "GET", "GET", "POST"), headers: object{}}
		g.maybe(request.headers, 15, pick(g, "cache-control", "Cache-Control"), pick(g, "no-transform", "no-cache", "max-age=0, no-transform"))
		g.add("context", conformance.Case{Use: g.use(o), Context: raw(context), Event: event(pick(g, doors...), request), Handler: returns(r)})
	}
	accepts := []string{
		"gzip", "br", "gzip, deflate, br", "gzip, deflate, br, zstd", "gzip;q=0.5, br;q=0.9", "identity", "identity;q=1, gzip;q=0.5", "zstd;q=0, gzip",
		"deflate", "GZIP", "gzip;q=0", "br;q=1.0, gzip;q=0.8", "compress, gzip", "x-gzip", "",
	}
	for range 50 {
		r := g.response(pick(g, bodies...))
		r["headers"].(object)["Content-Type"] = pick(g, types...)
		request := request{headers: object{g.casing("Accept-Encoding"): pick(g, accepts...)}}
		o := object{}
		g.maybe(o, 40, "overridePreferredEncoding", shuffled(g, some(g, 60, codings...)...))
		n := object{"parseCharsets": false, "parseLanguages": false, "parseMediaTypes": false}
		g.maybe(n, 50, "availableEncodings", append(shuffled(g, some(g, 70, codings...)...), "identity"))
		g.add("negotiated", conformance.Case{Use: []conformance.Use{use("http-content-negotiation", n), use(g.pkg, o)}, Event: event(pick(g, doors...), request), Handler: returns(r)})
	}
}

func cors(g *gen) {
	origins := []any{
		"https://example.com", "https://app.example.com", "http://localhost:3000", "https://deep.app.example.com", "https://evil.com", "https://exampleXcom",
		"https://example.com.evil.com", "HTTPS://EXAMPLE.COM", "https://example.com:443", "null", "", "https://xn--mnchen-3ya.de", "https://münchen.de",
		"__proto__", "constructor", "https://exam ple.com", "chrome-extension://abcdef", "http://127.0.0.1:8080", "https://[::1]:3000", "https://a.b.c.d.example.com",
		"https://example.com/path", "https://user@example.com", "https://.example.com", "https://a-b.example.com", "file://", "https://example.org",
	}
	allowed := []any{
		"https://example.com", "https://*.example.com", "http://localhost:*", "*", "https://*.*.example.com", "https://münchen.de", "https://*.münchen.de",
		"https://EXAMPLE.org", "https://app-*.example.com", "https://a.com", "http://127.0.0.1:8080", "https://*",
	}
	for range 170 {
		o := object{}
		g.maybe(o, 60, "disableBeforePreflightResponse", g.chance(20))
		g.maybe(o, 40, "origin", pick(g, "*", "https://example.com", "https://MyApp.com", "http://localhost:3000"))
		g.maybe(o, 55, "origins", some(g, 30, allowed...))
		g.maybe(o, 35, "credentials", pick[any](g, true, true, false))
		g.maybe(o, 30, "headers", pick(g, "Authorization, X-Custom", "*", "Content-Type"))
		g.maybe(o, 30, "methods", pick(g, "GET,POST", "*", "GET, POST, DELETE"))
		g.maybe(o, 20, "exposeHeaders", pick(g, "X-Total", "ETag, X-Request-Id"))
		g.maybe(o, 20, "maxAge", pick[any](g, 600, 0, "86400", 1))
		g.maybe(o, 25, "requestHeaders", some(g, 50, "authorization", "X-Custom", "*"))
		g.maybe(o, 25, "requestMethods", some(g, 50, "GET", "POST", "PUT", "DELETE", "HEAD"))
		g.maybe(o, 20, "cacheControl", pick(g, "max-age=600", "no-store"))
		g.maybe(o, 20, "vary", pick(g, "Access-Control-Request-Headers", "Accept-Language, Accept", "Origin"))
		r := request{method: pick(g, "GET", "POST", "OPTIONS", "OPTIONS", "HEAD", "DELETE"), headers: object{}}
		if g.chance(80) {
			r.headers[g.casing("Origin")] = pick(g, origins...)
		}
		if r.method == "OPTIONS" && g.chance(75) {
			r.headers[g.casing("Access-Control-Request-Method")] = pick(g, "GET", "POST", "PUT", "PATCH", "get", "DELETE", "FOO", "")
			if g.chance(60) {
				r.headers[g.casing("Access-Control-Request-Headers")] = pick(g, "authorization", "content-type", "X-Custom, Authorization", "x-other", "", " , ", "range,accept", "__proto__")
			}
		}
		resp := object{"statusCode": pick(g, 200, 204, 404)}
		if g.chance(50) {
			h := object{}
			g.maybe(h, 30, "Vary", pick(g, "Accept-Encoding", "Origin", "*", "accept-encoding, Accept"))
			g.maybe(h, 15, "Access-Control-Allow-Credentials", pick(g, "true", "false"))
			g.maybe(h, 15, "Access-Control-Allow-Origin", "https://own.example")
			g.maybe(h, 10, "Cache-Control", "private")
			g.maybe(h, 10, "Access-Control-Expose-Headers", "X-Own")
			resp["headers"] = h
		}
		c := conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), r), Handler: returns(resp)}
		if g.chance(12) {
			c.Handler = &conformance.Handler{Throw: raw(object{"message": "boom"})}
			c.Use = append(c.Use, use("http-error-handler", object{"logger": false}))
		}
		g.add(strings.ToLower(r.method), c)
	}
	for _, name := range []string{"reflectOrigin", "noOrigin"} {
		for _, credentials := range []bool{true, false} {
			o := object{"getOrigin": object{"$function": name}, "credentials": credentials}
			r := request{method: "GET", headers: object{"Origin": "https://example.com"}}
			g.add("get-origin", conformance.Case{Use: g.use(o), Event: event("rest", r), Handler: returns(object{"statusCode": 200})})
		}
	}
	for _, o := range []object{{"requestHeaders": "authorization"}, {"requestMethods": "GET"}} {
		g.add("option-refused", conformance.Case{Use: g.use(o), Event: event("rest", request{}), Handler: returns(object{"statusCode": 200})})
	}
}

func errorHandler(g *gen) {
	messages := []any{"plain text", "", `{"json":true}`, `[1]`, "<b>html</b>", "日本語", " {space", repeat("long ", 300), "quote \"x\""}
	for _, code := range []int{400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 415, 418, 422, 429, 451, 500, 501, 502, 503, 504} {
		g.add("code", conformance.Case{Use: g.use(object{"logger": false}), Event: event(pick(g, doors...), request{}), Handler: &conformance.Handler{Throw: raw(object{"http": list{code}})}})
		props := list{code, pick(g, messages...)}
		if g.chance(50) {
			props = append(props, object{"expose": g.chance(50)})
		}
		o := object{"logger": false}
		g.maybe(o, 40, "fallbackMessage", pick(g, messages...))
		g.add("message", conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), request{}), Handler: &conformance.Handler{Throw: raw(object{"http": props})}})
	}
	for range 55 {
		t := object{}
		switch g.IntN(4) {
		case 0:
			t["message"] = pick(g, messages...)
		case 1:
			t["message"], t["statusCode"] = pick(g, messages...), pick(g, 400, 404, 422, 500, 503)
			g.maybe(t, 30, "expose", g.chance(50))
		case 2:
			t["http"] = list{pick(g, 400, 403, 404, 429, 503), pick(g, messages...)}
			t["headers"] = pick(g, object{"Retry-After": "5"}, object{"Content-Type": "application/xml"}, object{"Location": "/x", "X-A": "b"}, object{"WWW-Authenticate": "Bearer"})
		case 3:
			t["value"] = pick[any](g, "text", nil, 42, true, object{"statusCode": 404, "message": "object"}, object{"statusCode": 400}, list{})
		}
		o := object{}
		if _, isValue := t["value"]; isValue || g.chance(50) { // JavaScript's text of any value is its own
			o["logger"] = false
		}
		g.maybe(o, 50, "fallbackMessage", pick(g, messages...))
		g.add("thrown", conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), request{}), Handler: &conformance.Handler{Throw: raw(t)}})
	}
	g.add("no-error", conformance.Case{Use: g.use(nil), Event: event("rest", request{}), Handler: returns(object{"statusCode": 200, "headers": object{"Content-Type": "text/plain"}, "body": "fine"})})
}

func securityHeaders(g *gen) {
	referrer := []string{"no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"}
	for range 100 {
		o := object{}
		undef := object{"$undef": 1}
		g.maybe(o, 35, "contentSecurityPolicy", pick[any](g, false, true, object{"default-src": "'self'"}, object{"sandbox": false}, object{"upgrade-insecure-requests": false, "sandbox": "allow-scripts"},
			object{"script-src": "'self' https://cdn.example.com"}, object{"default-src": "", "report-to": ""}, undef))
		g.maybe(o, 20, "contentSecurityPolicyReportOnly", g.chance(70))
		g.maybe(o, 20, "crossOriginEmbedderPolicy", pick[any](g, false, true, object{"policy": "credentialless"}, object{"policy": "unsafe-none"}))
		g.maybe(o, 20, "crossOriginOpenerPolicy", pick[any](g, false, object{"policy": "same-origin-allow-popups"}))
		g.maybe(o, 20, "crossOriginResourcePolicy", pick[any](g, false, object{"policy": "cross-origin"}))
		g.maybe(o, 25, "permissionsPolicy", pick[any](g, false, object{"camera": "*"}, object{"geolocation": "self"}, object{"microphone": "self \"https://a.example\""}, object{"payment": "*", "usb": "self"}))
		g.maybe(o, 15, "originAgentCluster", false)
		g.maybe(o, 25, "referrerPolicy", pick[any](g, false, undef, object{"policy": pick(g, referrer...)}))
		g.maybe(o, 25, "reportTo", pick[any](g, false, object{"default": "https://r.example/d"}, object{"default": "https://r.example/d", "maxAge": 60}, object{"default": "https://r.example/d", "includeSubDomains": false}, object{"default": ""}))
		g.maybe(o, 25, "reportingEndpoints", pick[any](g, false, object{"default": "https://r.example/d"}, object{"csp": "https://r.example/c", "perms": "https://r.example/p"}))
		g.maybe(o, 35, "strictTransportSecurity", pick[any](g, false, object{"maxAge": 31536000}, object{"maxAge": 63072000, "preload": false}, object{"includeSubDomains": false}, object{"maxAge": 0}, object{"maxAge": 100.6}))
		g.maybe(o, 15, "contentTypeOptions", pick[any](g, false, object{"action": "nosniff"}))
		g.maybe(o, 20, "dnsPrefetchControl", pick[any](g, false, object{"allow": true}, object{"allow": false}))
		g.maybe(o, 15, "downloadOptions", pick[any](g, false, object{"action": "noopen"}))
		g.maybe(o, 25, "frameOptions", pick[any](g, false, object{"action": "sameorigin"}, object{"action": "DENY"}, undef))
		g.maybe(o, 20, "permittedCrossDomainPolicies", pick[any](g, false, object{"policy": "all"}, object{"policy": "master-only"}))
		g.maybe(o, 20, "xssProtection", pick[any](g, true, false, object{}))
		g.maybe(o, 20, "poweredBy", false)
		r := object{"statusCode": pick(g, 200, 204, 302, 404, 500)}
		h := object{"Content-Type": pick(g, "text/html", "application/json")}
		g.maybe(h, 20, "Server", "nginx")
		g.maybe(h, 20, "X-Powered-By", "Go")
		g.maybe(h, 10, "Cache-Control", "no-store")
		r["headers"] = h
		c := conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), request{}), Handler: returns(r)}
		if g.chance(10) {
			c.Handler = &conformance.Handler{Throw: raw(object{"http": list{404, "nothing here"}})}
			c.Use = append(c.Use, use("http-error-handler", object{"logger": false}))
		}
		g.add("options", c)
	}
	for _, own := range [][2]string{{"X-Frame-Options", "SAMEORIGIN"}, {"Referrer-Policy", "origin"}, {"Content-Security-Policy", "default-src *"}, {"Strict-Transport-Security", "max-age=1"}} {
		r := object{"statusCode": 200, "headers": object{own[0]: own[1]}}
		g.add("handler-"+strings.ToLower(own[0]), conformance.Case{Use: g.use(nil), Event: event("rest", request{}), Handler: returns(r)})
	}
}

func partialResponse(g *gen) {
	document := `{"id":1,"user":{"first":"f","last":"l","addr":{"city":"c","zip":"z"}},"items":[{"id":1,"n":"a","tags":["x","y"]},{"id":2,"n":"b","tags":[]}],"empty":{},"nil":null,"flag":false,"zero":0,"text":"","日本":{"語":1},"a/b":2,"nested":[[{"id":9,"x":1}]]}`
	selectors := []string{
		"id", "user", "user/first", "user(first,last)", "user/addr/city", "items/id", "items(id,n)", "items/tags", "*", "*/id", "user/*", "user/addr/*", "id,user/first,items/id",
		"nope", "user/nope", "id,nope", "user(first,addr/city),items/id", "user/first,user/last", "", ",", ",id", "id,", "(", ")", "user(", "user(first", "user(first,(last))", "a\\/b", "a/b", "日本", "日本/語",
		"nil", "flag,zero,text", "empty", "empty/x", "nil/x", "flag/x", "items", "items/*", "items(*)", "**", "*/*", "*(id)", " id", "id , user", "user/addr(city)", "user(addr(city,zip))", "nested/id", "nested",
		"__proto__", "constructor", "toString", "id,id", "user,user/first", "user/first,user", "items/tags/length", "id/x", "user)first", "user//first", "/user", "user/", "\\", "user\\(first", "x(y(z))", "items(id,tags)(n)",
	}
	for _, s := range selectors {
		g.add("selector", conformance.Case{Use: g.use(nil), Event: event(pick(g, doors...), request{query: map[string][]string{"fields": {s}}}),
			Handler: returns(object{"statusCode": 200, "headers": object{"Content-Type": "application/json"}, "body": document})})
	}
	bodies := []any{`[{"id":1,"x":2},{"id":3}]`, `[]`, `{}`, `"text"`, `1`, `null`, `true`, ` {"id":1,"x":2}`, `{"id":1,`, `plain`, "", `[1,2,3]`, `[[{"id":1,"x":1}]]`, `{"id":1.50,"x":1e3}`, `{"id":"\u00e9\u2028","x":0}`, `{"id":12345678901234567890}`, `{"x":1,"id":{"b":1,"a":2}}`, `{"id":1,"id":2}`, `{"id":"<&>"}`, object{"$concat": list{`{"x":1,"id":"`, repeat("a", 3000), `"}`}}}
	for _, b := range bodies {
		for _, s := range []string{"id", "x,id"} {
			g.add("body", conformance.Case{Use: g.use(nil), Event: event(pick(g, doors...), request{query: map[string][]string{"fields": {s}}}),
				Handler: returns(object{"statusCode": pick(g, 200, 201, 404), "headers": object{"Content-Type": "application/json"}, "body": b})})
		}
	}
	for _, o := range []object{{"filteringKeyName": "only"}, {"filteringKeyName": "fields"}, {"filteringKeyName": "$select"}} {
		for _, name := range []string{"only", "fields", "$select"} {
			g.add("key", conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), request{query: map[string][]string{name: {"id"}}}),
				Handler: returns(object{"statusCode": 200, "headers": object{"Content-Type": "application/json"}, "body": `{"id":1,"x":2}`})})
		}
	}
	for _, s := range []any{repeat("a/", 9), repeat("a/", 150), repeat("a(", 150), repeat("a,", 1500), repeat("x", 2048), repeat("x", 2049)} {
		e := raw(object{"httpMethod": "GET", "path": "/", "headers": object{}, "queryStringParameters": object{"fields": s}, "requestContext": object{}})
		g.add("huge", conformance.Case{Use: g.use(nil), Event: e, Handler: returns(object{"statusCode": 200, "headers": object{"Content-Type": "application/json"}, "body": `{"a":1,"id":1,"x":2}`})})
	}
	g.add("no-query", conformance.Case{Use: g.use(nil), Event: event("rest", request{}), Handler: returns(object{"statusCode": 200, "headers": object{"Content-Type": "application/json"}, "body": document})})
}

func responseSerializer(g *gen) {
	entry := func(pattern, function string) object {
		return object{"regex": object{"$regexp": pattern}, "serializer": object{"$function": function}}
	}
	sets := []list{
		{entry("^application/json$", "json"), entry("^application/xml$", "xml"), entry("^text/plain$", "plain")},
		{entry("^text/plain$", "plain"), entry("^application/json$", "json")},
		{entry("xml", "xml"), entry("json", "json")},
		{entry(".*", "any")},
		{entry("^application/(vnd\\.[a-z.]+\\+)?json$", "json")},
	}
	types := []string{"application/json", "application/xml", "text/plain", "text/html", "*/*", "application/vnd.api+json", "application/problem+xml", "image/png", "application/*", "text/x_y", "text/<script>", "a/b c"}
	for range 75 {
		o := object{"serializers": pick(g, sets...)}
		g.maybe(o, 60, "defaultContentType", pick(g, "application/json", "text/plain", "application/json; charset=utf-8", "application/xml"))
		r := object{"statusCode": pick(g, 200, 200, 201, 400), "body": pick(g, "Hello World", "", "with <tags> & \"quotes\"", "日本語")}
		if g.chance(25) {
			r["headers"] = pick(g, object{"Content-Type": "text/csv"}, object{"content-type": "text/plain"}, object{"X-A": "b"})
		}
		context := object{}
		g.maybe(context, 75, "preferredMediaTypes", some(g, 30, shuffled(g, types...)...))
		g.add("context", conformance.Case{Use: g.use(o), Context: raw(context), Event: event(pick(g, doors...), request{}), Handler: returns(r)})
	}
	for range 15 {
		o := object{"serializers": sets[0], "defaultContentType": "application/json"}
		accept := pick(g, "application/xml", "text/plain;q=0.5, application/xml", "*/*", "text/html", "application/json", "text/html, application/xml;q=0.9, */*;q=0.8")
		n := object{"parseCharsets": false, "parseEncodings": false, "parseLanguages": false, "failOnMismatch": false}
		g.maybe(n, 60, "availableMediaTypes", shuffled(g, "application/json", "application/xml", "text/plain"))
		g.add("negotiated", conformance.Case{Use: []conformance.Use{use("http-content-negotiation", n), use(g.pkg, o)}, Event: event(pick(g, doors...), request{headers: object{g.casing("Accept"): accept}}),
			Handler: returns(object{"statusCode": 200, "body": "Hello World"})})
	}
}
