package main

import (
	"encoding/json"

	"github.com/gomiddy/middy/conformance"
)

func route(method, path, tag string) object {
	return object{"method": method, "path": path, "handler": object{"tag": tag, "echo": "pathParameters"}}
}

func httpRouter(g *gen) {
	tables := []list{
		{route("GET", "/", "root"), route("GET", "/users", "users"), route("POST", "/users", "create"), route("GET", "/users/{id}", "user"), route("DELETE", "/users/{id}", "delete"), route("ANY", "/any", "any"), route("GET", "/users/{id}/posts/{post}", "post")},
		{route("ANY", "/{proxy+}", "proxy"), route("GET", "/about", "about")},
		{route("GET", "/files/{proxy+}", "files"), route("GET", "/files", "list"), route("PUT", "/files/{name}", "put")},
		{route("GET", "/v1.0/items/{item}.json", "json"), route("GET", "/a+b", "plus"), route("GET", "/(x)", "paren"), route("GET", "/日本/{name}", "unicode")},
		{route("GET", "/u/{id}", "id"), route("GET", "/u/{id}/x", "x"), route("GET", "/u/me", "me")},
		{route("HEAD", "/h", "head"), route("OPTIONS", "/h", "options"), route("PATCH", "/h", "patch")},
	}
	paths := []string{"/", "/users", "/users/", "/users/1", "/users/1/", "/users/a%20b", "/users/日本", "/users/1/posts/2", "/users/1/posts", "/any", "/about", "/about/", "/files", "/files/", "/files/a", "/files/a/b/c", "/files/a/b/", "/filesx", "/v1.0/items/7.json", "/v1X0/items/7.json", "/a+b", "/(x)", "/日本/x", "/u/me", "/u/7", "/h", "/nothing", "//", "/USERS", "/users//posts/1", "/users/__proto__", "/constructor", "/users/.", "/users/%2F"}
	methods := []string{"GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "FOO"}
	for i, table := range tables {
		for range 26 {
			o := object{"routes": table}
			g.maybe(o, 15, "notFoundResponse", object{"$function": "notFound"})
			r := request{method: pick(g, methods...), path: pick(g, paths...)}
			if i > 0 && g.chance(60) {
				r.path = pick(g, paths[9:26]...)
			}
			if g.chance(15) {
				r.params = object{"proxy": "x", "id": "gateway"}
			}
			g.add("match", conformance.Case{Use: g.use(o), Event: event(pick(g, "rest", "http1", "http2", "url", "alb", "lattice"), r)})
		}
	}
	for _, path := range []string{"/users/{", "/users/}", "/users/{}", "/v{a}", "/{a}{b}", "/{a}/{a}", "/{1a}", "/{a-b}", "/{rest+}", "/{proxy+}/x", "/x/{proxy+}", "/{a}/", "", "nothing", "/trailing/", "/{a b}", "/*", "/{a}.json", "/{名}"} {
		g.add("pattern", conformance.Case{Use: g.use(object{"routes": list{route("GET", path, "r")}}), Event: event("rest", request{path: "/x"})})
	}
	for _, method := range []string{"ALL", "get", "", "TRACE", "CONNECT", "ANY"} {
		g.add("method", conformance.Case{Use: g.use(object{"routes": list{route(method, "/x", "r")}}), Event: event("rest", request{path: "/x"})})
	}
	g.add("duplicate", conformance.Case{Use: g.use(object{"routes": list{route("GET", "/u/{id}", "first"), route("GET", "/u/{name}", "second")}}), Event: event("rest", request{path: "/u/1"})})
	g.add("empty", conformance.Case{Use: g.use(object{"routes": list{}}), Event: event("rest", request{path: "/x"})})
}

func wsRouter(g *gen) {
	table := list{}
	for _, key := range []string{"$connect", "$disconnect", "$default", "chat", "日本", "with space"} {
		table = append(table, object{"routeKey": key, "handler": object{"tag": key}})
	}
	keys := append([]string{"$connect", "$disconnect", "$default", "chat", "CHAT", "日本", "with space", "missing", "", " chat"}, hostile...)
	for _, key := range keys {
		g.add("all", conformance.Case{Use: g.use(object{"routes": table}), Event: raw(wsEvent("x", false, key))})
		o := object{"routes": list{table[0], table[3]}}
		g.maybe(o, 30, "notFoundResponse", object{"$function": "notFound"})
		g.add("some", conformance.Case{Use: g.use(o), Event: raw(wsEvent("x", false, key))})
	}
	g.add("duplicate", conformance.Case{Use: g.use(object{"routes": list{object{"routeKey": "a", "handler": object{"tag": "1"}}, object{"routeKey": "a", "handler": object{"tag": "2"}}}}), Event: raw(wsEvent("x", false, "a"))})
	for _, e := range []any{object{}, object{"requestContext": object{}}, object{"requestContext": nil}} {
		g.add("no-key", conformance.Case{Use: g.use(object{"routes": table}), Event: raw(e)})
	}
}

func wsResponse(g *gen) {
	results := []any{
		"payload", "", "日本", object{"foo": "bar"}, object{}, list{1, 2}, nil, true, 0, 1.5, object{"Data": "raw"}, object{"Data": "raw", "ConnectionId": "other"}, object{"ConnectionId": "other"}, object{"statusCode": 200, "body": "x"}, object{"$bytes": "AAEC"}, object{"Data": object{"$bytes": "AAEC"}}, object{"$undef": 1}, object{"nested": object{"a": list{nil, "<b>"}}}, repeat("x", 5000),
	}
	for _, r := range results {
		g.add("result", conformance.Case{Use: g.use(nil), Event: raw(wsEvent("in", false, "chat")), Handler: returns(r)})
		if g.chance(50) {
			g.add("endpoint", conformance.Case{Use: g.use(object{"awsClientOptions": object{"endpoint": "https://example.com/stage"}}), Event: raw(wsEvent("in", false, "chat")), Handler: returns(r)})
		}
	}
	for _, r := range results[:4] {
		e := wsEvent("in", false, "chat")
		delete(e["requestContext"].(object), "connectionId")
		g.add("no-connection", conformance.Case{Use: g.use(nil), Event: raw(e), Handler: returns(r)})
	}
	g.add("throws", conformance.Case{Use: g.use(nil), Event: raw(wsEvent("in", false, "chat")), Handler: &conformance.Handler{Throw: raw(object{"message": "boom"})}})
	g.add("gone", conformance.Case{Use: g.use(object{"failure": "GoneException"}), Event: raw(wsEvent("in", false, "chat")), Handler: returns("x")})
}

func validator(g *gen) {
	person := object{"type": "object", "required": list{"name"}, "additionalProperties": false, "properties": object{
		"name": object{"type": "string", "minLength": 1, "maxLength": 10}, "age": object{"type": "integer", "minimum": 0, "maximum": 150}, "email": object{"type": "string", "format": "email"}, "tags": object{"type": "array", "items": object{"type": "string"}, "maxItems": 3, "uniqueItems": true}, "role": object{"enum": list{"admin", "user"}}, "active": object{"type": "boolean"}, "score": object{"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
	}}
	schema := func(body object) object {
		return object{"type": "object", "required": list{"body"}, "properties": object{"body": body}}
	}
	bodies := []any{
		object{"name": "Ada"}, object{"name": ""}, object{}, object{"name": "Ada", "age": 36}, object{"name": "Ada", "age": -1}, object{"name": "Ada", "age": 1.5}, object{"name": "Ada", "age": 151}, object{"name": "Ada", "email": "a@example.com"}, object{"name": "Ada", "email": "not"}, object{"name": "Ada", "tags": list{"a", "b"}}, object{"name": "Ada", "tags": list{"a", "a"}}, object{"name": "Ada", "tags": list{"a", "b", "c", "d"}}, object{"name": "Ada", "role": "admin"}, object{"name": "Ada", "role": "root"}, object{"name": "Ada", "unknown": 1}, object{"name": "日本語"}, object{"name": "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂"}, object{"name": "elevenchars"}, object{"name": "Ada", "active": true}, object{"name": "Ada", "score": 1.5}, object{"name": "Ada", "score": 0}, object{"name": "Ada", "score": 0.3}, list{}, object{"name": "a", "age": 1e2},
	}
	for _, b := range bodies {
		g.add("typed", conformance.Case{Use: g.use(object{"eventSchema": schema(person)}), Event: withBody(b), Handler: echoes("body")})
	}
	coerced := []struct {
		kind   string
		values []any
	}{
		{"integer", []any{"1", "1.5", "", "x", true, false, nil, "0x10", " 1", 1.0, "1e3", list{"1"}, "-0"}}, {"number", []any{"1.5", "", "x", true, nil, "1e3", "Infinity", "NaN"}}, {"boolean", []any{"true", "false", "1", 1, 0, 2, "", nil, "TRUE"}}, {"string", []any{1, 1.5, true, nil, list{"a"}, list{"a", "b"}, object{}, 1e21}}, {"null", []any{"", 0, false, "null"}}, {"array", []any{"a", 1, nil, object{}}},
	}
	for _, c := range coerced {
		for _, v := range c.values {
			s := object{"type": "object", "properties": object{"v": object{"type": c.kind}}}
			g.add("coerce-"+c.kind, conformance.Case{Use: g.use(object{"eventSchema": schema(s)}), Event: withBody(object{"v": v}), Handler: echoes("body")})
		}
	}
	defaults := object{"type": "object", "properties": object{"a": object{"type": "string", "default": "d"}, "n": object{"type": "integer", "default": 5}, "o": object{"type": "object", "default": object{"x": 1}}, "l": object{"type": "array", "default": list{1}}}}
	for _, b := range []any{object{}, object{"a": "", "n": nil}, object{"a": "x", "n": 1, "o": object{}, "l": list{}}, object{"a": nil}} {
		g.add("default", conformance.Case{Use: g.use(object{"eventSchema": schema(defaults)}), Event: withBody(b), Handler: echoes("body")})
	}
	more := []struct {
		schema object
		values []any
	}{
		{object{"type": "string", "pattern": "^[a-z]+$"}, []any{"abc", "ABC", ""}}, {object{"type": "string", "format": "date"}, []any{"2024-02-29", "2023-02-29", "x"}}, {object{"type": "string", "format": "date-time"}, []any{"2024-01-01T00:00:00Z", "2024-01-01", "2024-01-01T25:00:00Z"}}, {object{"type": "string", "format": "uuid"}, []any{"123e4567-e89b-12d3-a456-426614174000", "x"}}, {object{"type": "string", "format": "ipv4"}, []any{"127.0.0.1", "256.0.0.1"}}, {object{"type": "string", "format": "uri"}, []any{"https://example.com", "/relative"}},
		{object{"oneOf": list{object{"type": "object", "required": list{"a"}}, object{"type": "object", "required": list{"b"}}}}, []any{object{"a": 1}, object{"b": 1}, object{"a": 1, "b": 1}, object{}}}, {object{"type": "object", "patternProperties": object{"^x-": object{"type": "string"}}, "additionalProperties": false}, []any{object{"x-a": "1"}, object{"y": "1"}}}, {object{"type": "array", "prefixItems": list{object{"type": "string"}, object{"type": "number"}}, "items": false, "minItems": 2}, []any{list{"a", 1}, list{"a", 1, 2}, list{"a"}}}, {object{"type": "object", "dependentRequired": object{"a": list{"b"}}, "properties": object{"a": true, "b": true}}, []any{object{"a": 1}, object{"a": 1, "b": 2}, object{}}}, {object{"type": "object", "properties": object{"a": object{"const": 1}}}, []any{object{"a": 1}, object{"a": 2}}}, {object{"not": object{"type": "object"}}, []any{object{}, "x"}},
	}
	either := object{"type": "object", "properties": object{"a": object{"type": "number"}, "b": object{"type": "number"}}}
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		s := object{"type": "object", "properties": either["properties"], word: list{object{"type": "object", "properties": object{"a": true}, "required": list{"a"}}, object{"type": "object", "properties": object{"b": true}, "required": list{"b"}}}}
		more = append(more, struct {
			schema object
			values []any
		}{s, []any{object{"a": 1}, object{"b": 1}, object{"a": 1, "b": 1}, object{}, object{"a": "1", "b": "x"}}})
	}
	for _, m := range more {
		for _, v := range m.values {
			g.add("keyword", conformance.Case{Use: g.use(object{"eventSchema": schema(m.schema)}), Event: withBody(v), Handler: echoes("body")})
		}
	}
	response := object{"type": "object", "required": list{"statusCode", "body"}, "properties": object{"statusCode": object{"type": "integer", "minimum": 200, "maximum": 299}, "body": object{"type": "string", "minLength": 2}}}
	for _, r := range []object{{"statusCode": 200, "headers": object{"Content-Type": "text/plain"}, "body": "ok"}, {"statusCode": 500, "headers": object{"Content-Type": "text/plain"}, "body": "no"}, {"statusCode": 200, "headers": object{"Content-Type": "text/plain"}, "body": "x"}} {
		g.add("response", conformance.Case{Use: g.use(object{"responseSchema": response}), Event: event("rest", request{}), Handler: returns(r)})
	}
}

// withBody is an event whose body a parser has left, as Middy's validator sees it.
func withBody(body any) json.RawMessage {
	return raw(object{"httpMethod": "POST", "path": "/", "headers": object{"Content-Type": "application/json"}, "requestContext": object{"stage": "prod"}, "body": body})
}
