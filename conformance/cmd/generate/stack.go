package main

import "github.com/gomiddy/middy/conformance"

// stack makes functions as people have them: several middlewares, in the order
// that Middy's documentation recommends.
func stack(g *gen) {
	for range 130 {
		var uses []conformance.Use
		add := func(percent int, name string, options object) {
			if g.chance(percent) {
				uses = append(uses, use(name, options))
			}
		}
		method := pick(g, "GET", "POST", "POST", "POST", "OPTIONS", "DELETE")
		add(30, "http-event-normalizer", nil)
		add(40, "http-security-headers", pick(g, nil, object{"contentSecurityPolicy": false, "permissionsPolicy": false}))
		add(70, "http-cors", pick(g, object{"origin": "*"}, object{"origins": list{"https://app.example.com", "https://*.example.com"}, "credentials": true}, object{"origins": list{"https://app.example.com"}, "disableBeforePreflightResponse": false, "methods": "GET,POST", "headers": "Content-Type"}))
		n := object{"parseCharsets": false, "parseLanguages": false, "availableEncodings": list{"br", "gzip", "identity"}, "availableMediaTypes": list{"application/json", "text/plain"}}
		n["failOnMismatch"] = g.chance(50)
		add(60, "http-content-negotiation", n)
		if len(uses) > 0 && uses[len(uses)-1].Name == "http-content-negotiation" {
			add(70, "http-content-encoding", nil)
		}
		add(40, "http-partial-response", nil)
		if method == "POST" {
			add(80, "http-json-body-parser", pick(g, nil, nil, object{"disableContentTypeError": true}))
		}
		add(85, "http-error-handler", object{"logger": false})
		headers := object{}
		g.maybe(headers, 80, g.casing("Origin"), pick(g, "https://app.example.com", "https://x.example.com", "https://evil.example", "null"))
		g.maybe(headers, 70, g.casing("Accept-Encoding"), pick(g, "gzip", "br, gzip", "gzip, deflate, br", "identity", "deflate"))
		g.maybe(headers, 60, g.casing("Accept"), pick(g, "application/json", "*/*", "text/html", "text/plain, application/json;q=0.5"))
		r := request{method: method, path: "/orders", headers: headers, query: map[string][]string{}}
		if g.chance(50) {
			r.query["fields"] = []string{pick(g, "id", "items/id", "nope", "id,items(id)")}
		}
		if method == "POST" {
			headers[g.casing("Content-Type")] = pick(g, "application/json", "application/json", "application/json; charset=utf-8", "text/plain")
			r.body = pick(g, `{"name":"Ada"}`, `{"name":""}`, `{`, `[]`, `{"__proto__":1}`)
		}
		h := &conformance.Handler{}
		switch g.IntN(6) {
		case 0:
			h.Throw = raw(object{"http": list{pick(g, 400, 404, 409, 422, 503), pick(g, "no such order", "busy")}})
		case 1:
			h.Throw = raw(object{"message": "secret"})
		default:
			items := object{"$concat": list{`{"id":1,"items":[`, repeat(`{"id":1,"name":"thing"},`, pick(g, 1, 5, 200)), `{"id":2}]}`}}
			h.Return = raw(object{"statusCode": pick(g, 200, 200, 201), "headers": object{"Content-Type": "application/json"}, "body": items})
		}
		if len(uses) == 0 {
			continue
		}
		g.add("order", conformance.Case{Use: uses, Event: event(pick(g, doors...), r), Handler: h})
	}
}
