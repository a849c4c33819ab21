package main

import (
	"fmt"
	"strings"

	"github.com/gomiddy/middy/conformance"
)

// freshPackages make cases as people have them: whole events of all front doors,
// options out of the documentation, and handlers that return and throw odd things.
var freshPackages = map[string]func(*gen){
	"core":                       freshCore,
	"http-content-encoding":      freshEncoding,
	"http-content-negotiation":   freshNegotiation,
	"http-cors":                  freshCORS,
	"http-error-handler":         freshErrors,
	"http-event-normalizer":      freshEvents,
	"http-header-normalizer":     freshHeaders,
	"http-json-body-parser":      freshJSON,
	"http-jwt":                   freshJWT,
	"http-multipart-body-parser": freshMultipart,
	"http-partial-response":      freshPartial,
	"http-paseto":                freshPaseto,
	"http-response-serializer":   freshSerializer,
	"http-router":                freshRouter,
	"http-security-headers":      freshSecurity,
	"http-urlencode-body-parser": freshForm,
	"http-urlencode-path-parser": freshPath,
	"http-x402":                  freshX402,
	"stack":                      freshStack,
	"util":                       freshUtil,
	"validator":                  freshValidator,
	"ws-json-body-parser":        freshWSJSON,
	"ws-response":                freshWSResponse,
	"ws-router":                  freshWSRouter,
}

func (g *gen) door() string { return pick(g, realDoors...) }

// throws are what handlers throw.
func (g *gen) throws() object {
	return pick(g,
		object{"http": list{404, "No such order"}}, object{"http": list{409}}, object{"http": list{422, `{"field":"email"}`}}, object{"http": list{500, "secret"}}, object{"http": list{503, "Try later", object{"expose": true}}, "headers": object{"Retry-After": "30"}},
		object{"http": list{400, "hidden", object{"expose": false}}}, object{"http": list{429, "slow down"}, "headers": object{"Retry-After": "1", "X-RateLimit-Remaining": "0"}}, object{"message": "database is down"}, object{"message": "teapot", "statusCode": 418}, object{"message": "", "statusCode": 400},
		object{"message": "moved", "statusCode": 302, "headers": object{"Location": "https://app.example.com/"}}, object{"http": list{304, "same"}}, object{"http": list{301, "moved"}, "headers": object{"Location": "/new"}}, object{"value": object{"statusCode": 403, "message": "no"}}, object{"value": object{"statusCode": 402, "message": "pay", "expose": true, "headers": object{"X-Price": "5"}}}, object{"value": "text"}, object{"value": nil}, object{"message": "x", "statusCode": 99}, object{"message": "日本", "statusCode": 451},
	)
}

// results are what handlers return.
func (g *gen) results() any {
	return pick[any](g,
		object{"statusCode": 200, "headers": object{"Content-Type": "application/json"}, "body": `{"id":1,"name":"Ada","tags":["a","b"],"address":{"city":"Paris","zip":"75001"}}`},
		object{"statusCode": 201, "headers": object{"content-type": "application/json", "Location": "/orders/1"}, "body": `{"id":1}`}, object{"statusCode": 204}, object{"statusCode": 204, "body": ""}, object{"statusCode": 301, "headers": object{"Location": "/x"}, "body": ""},
		object{"statusCode": 200, "headers": object{"Content-Type": "text/html; charset=utf-8", "ETag": `"v1"`}, "body": repeat("<p>Hello</p>", 200)}, object{"statusCode": 200, "headers": object{"Content-Type": "image/png"}, "body": b64("\x89PNG\r\n\x1a\n\x00\x01"), "isBase64Encoded": true},
		object{"statusCode": 404, "headers": object{"Content-Type": "application/json"}, "body": `{"error":"no"}`}, object{"statusCode": 500, "body": "oops"}, object{"statusCode": 200, "body": object{"id": 2, "items": list{object{"id": 1}}}}, object{"id": 7}, "plain", 42, true, list{1, 2},
		object{"statusCode": 206, "headers": object{"Content-Type": "text/plain", "Content-Range": "bytes 0-9/100"}, "body": repeat("0123456789", 100)}, object{"statusCode": 200, "headers": object{"Content-Type": "text/plain", "Content-Length": "999"}, "body": "short"}, object{"statusCode": 200, "headers": object{"X-Powered-By": "PHP", "server": "nginx", "Content-Type": "text/plain"}, "body": "hi"},
		object{"statusCode": 200, "headers": object{"Set-Cookie": "a=b; HttpOnly", "Content-Type": "text/plain"}, "body": "cookie"}, object{"statusCode": 200, "headers": object{"Cache-Control": "private, max-age=0", "Vary": "Accept-Language", "Content-Type": "text/plain"}, "body": repeat("abc ", 300)},
	)
}

func (g *gen) handler() *conformance.Handler {
	if g.chance(30) {
		return &conformance.Handler{Throw: raw(g.throws())}
	}
	return returns(g.results())
}

func freshCore(g *gen) {
	for range 30 {
		var uses []conformance.Use
		for i := range 1 + g.IntN(4) {
			name := string(rune('a' + i))
			o := object{}
			for _, p := range []string{"before", "after", "onError"} {
				if !g.chance(70) {
					continue
				}
				steps := list{object{"log": name + "." + p}}
				switch g.IntN(9) {
				case 0:
					steps = append(steps, object{"throw": g.throws()})
				case 1:
					if p != "onError" || g.chance(50) {
						steps = append(steps, object{"return": pick[any](g, "early", "", 0, false, nil, object{"a": 1}, list{})})
					}
				case 2:
					if p != "before" {
						steps = append(steps, object{"respond": pick[any](g, "answer", nil, 0, object{})})
					}
				}
				o[p] = steps
			}
			if len(o) == 0 {
				o["before"] = list{object{"log": name + ".before"}}
			}
			uses = append(uses, use("script", o))
		}
		h := &conformance.Handler{Log: "handler", Return: raw(pick[any](g, "result", "", nil, 0, object{"id": 1}))}
		if g.chance(30) {
			h = &conformance.Handler{Log: "handler", Throw: raw(g.throws())}
		}
		g.add("fresh", conformance.Case{Use: uses, Event: raw(pick[any](g, object{"Records": list{object{"body": "x"}}}, object{"detail-type": "order", "detail": object{"id": 1}}, object{})), Handler: h})
	}
}

var acceptEncodings = []string{"gzip", "br", "gzip, deflate, br", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8, *;q=0.1", "deflate, gzip;q=1.0, *;q=0.5", "identity", "identity;q=0.5, *;q=0", "*", "GZip", "compress, gzip", "zstd, gzip;q=0", "", "gzip;q=0.5,br;q=0.500"}

func freshEncoding(g *gen) {
	for range 30 {
		v := visit{method: pick(g, "GET", "GET", "HEAD", "POST")}
		v.field(g.spell("Accept-Encoding"), pick(g, acceptEncodings...))
		if g.chance(20) {
			v.field(g.spell("Cache-Control"), pick(g, "no-transform", "max-age=0"))
		}
		o := object{}
		g.maybe(o, 30, "overridePreferredEncoding", shuffled(g, some(g, 60, "br", "gzip", "zstd", "deflate")...))
		uses := []conformance.Use{use(g.pkg, o)}
		if g.chance(75) {
			n := object{"parseCharsets": false, "parseLanguages": false, "parseMediaTypes": false}
			g.maybe(n, 40, "availableEncodings", shuffled(g, "br", "gzip", "identity"))
			g.maybe(n, 30, "failOnMismatch", false)
			uses = append([]conformance.Use{use("http-content-negotiation", n)}, uses...)
		}
		g.add("fresh", conformance.Case{Use: uses, Event: realistic(g.door(), v), Handler: returns(g.results())})
	}
}

func freshNegotiation(g *gen) {
	headers := []struct {
		name   string
		values []string
	}{
		{"Accept", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "application/json", "application/json, text/plain, */*", "*/*", "text/*;q=0.3, text/html;q=0.7, text/html;level=1", "application/vnd.api+json", "image/*", "application/", "a/b;q=0.0001", "text/html;q=1.000", "application/json;charset=utf-8", "text/html; q = 0.5", ""}},
		{"Accept-Language", []string{"en-US,en;q=0.9,fr;q=0.8", "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "*", "de-DE-1996", "zh-Hant-CN", "en_US", "x-klingon", "nl;q=0, en"}},
		{"Accept-Encoding", acceptEncodings}, {"Accept-Charset", []string{"utf-8", "utf-8, iso-8859-1;q=0.5", "ISO-8859-1,utf-8;q=0.7,*;q=0.7", "utf-8;q=0"}},
	}
	for range 35 {
		v := visit{}
		for _, h := range headers {
			if g.chance(65) {
				name := g.spell(h.name)
				v.field(name, pick(g, h.values...))
				if g.chance(8) {
					v.field(name, pick(g, h.values...))
				}
			}
		}
		o := object{}
		g.maybe(o, 60, "availableMediaTypes", shuffled(g, "application/json", "text/html", "text/plain"))
		g.maybe(o, 50, "availableLanguages", shuffled(g, "en-US", "fr", "de"))
		g.maybe(o, 50, "availableEncodings", shuffled(g, "br", "gzip", "identity"))
		g.maybe(o, 30, "availableCharsets", list{"utf-8"})
		g.maybe(o, 40, "failOnMismatch", false)
		g.maybe(o, 20, "defaultToFirstLanguage", true)
		g.maybe(o, 20, "defaultToFirstMediaType", true)
		g.maybe(o, 20, "parseCharsets", false)
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Handler: echoes("context")})
	}
}

func (g *gen) corsOptions() object {
	return pick(g,
		nil, object{"origin": "*"}, object{"origin": "https://app.example.com"}, object{"origins": list{"https://app.example.com", "https://admin.example.com"}, "credentials": true}, object{"origins": list{"https://*.example.com"}, "vary": "Accept"}, object{"origin": "*", "credentials": true},
		object{"origins": list{"*"}, "headers": "Content-Type, Authorization", "methods": "GET,POST,DELETE", "maxAge": "3600"}, object{"origin": "https://app.example.com", "exposeHeaders": "X-Total", "disableBeforePreflightResponse": false}, object{"origins": list{"http://localhost:*", "https://app.example.com"}, "requestMethods": list{"GET", "PUT"}, "requestHeaders": list{"x-api-key"}, "disableBeforePreflightResponse": false, "cacheControl": "max-age=3600"}, object{"origin": "https://*.example.com"},
	)
}

func (g *gen) fromPage(v *visit) {
	if g.chance(85) {
		v.field(g.spell("Origin"), pick(g, "https://app.example.com", "https://admin.example.com", "https://evil.example", "http://localhost:5173", "null", "https://APP.example.com"))
	}
	if v.method == "OPTIONS" {
		v.field(g.spell("Access-Control-Request-Method"), pick(g, "PUT", "POST", "DELETE", "PATCH"))
		if g.chance(70) {
			v.field(g.spell("Access-Control-Request-Headers"), pick(g, "content-type", "x-api-key,content-type", "authorization", "X-Other"))
		}
	}
}

func freshCORS(g *gen) {
	for range 35 {
		v := visit{method: pick(g, "GET", "POST", "OPTIONS", "OPTIONS", "DELETE", "HEAD")}
		g.fromPage(&v)
		uses := g.use(g.corsOptions())
		h := returns(g.results())
		if g.chance(25) {
			h = &conformance.Handler{Throw: raw(g.throws())}
			if g.chance(75) {
				uses = append(uses, use("http-error-handler", object{"logger": false}))
			} else {
				uses = append([]conformance.Use{use("http-error-handler", object{"logger": false})}, uses...)
			}
		}
		g.add("fresh", conformance.Case{Use: uses, Event: realistic(g.door(), v), Handler: h})
	}
}

func freshErrors(g *gen) {
	for range 30 {
		o := object{}
		g.maybe(o, 30, "fallbackMessage", pick(g, "Something broke", `{"message":"broken"}`))
		g.maybe(o, 50, "logger", false)
		v := visit{method: pick(g, "GET", "POST", "HEAD")}
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Handler: &conformance.Handler{Throw: raw(g.throws())}})
	}
}

func freshEvents(g *gen) {
	for range 20 {
		v := visit{method: pick(g, "GET", "POST")}
		for range g.IntN(4) {
			v.query = append(v.query, [2]string{pick(g, "a", "b c", "ids[]", "q", "ü"), pick(g, "1", "", "a b", "x&y=z", "50%", "日本", "+")})
		}
		if v.method == "POST" {
			v.body = pick(g, "text", "\xff\xfe", "日本")
		}
		g.add("fresh", conformance.Case{Use: g.use(nil), Event: realistic(g.door(), v), Handler: echoes("queryStringParameters", "pathParameters")})
	}
}

func freshHeaders(g *gen) {
	for range 25 {
		v := visit{cookies: some(g, 40, "a=1", "b=2", "session=x.y.z")}
		for range 1 + g.IntN(5) {
			name := g.spell(pick(g, "X-Api-Key", "Content-Type", "Accept", "X-Request-ID", "ETag", "DNT", "X-B3-TraceId", "Sec-Fetch-Mode", "TE", "X_Underscore", "Via"))
			v.field(name, pick(g, "v", "a, b", "", "日本", `"quoted"`))
			if g.chance(15) {
				v.field(name, "second")
			}
		}
		o := object{}
		g.maybe(o, 35, "canonical", true)
		g.maybe(o, 30, "defaultHeaders", object{"X-Api-Key": "none", "Accept-Language": "en"})
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Handler: echoes("headers")})
	}
}

func freshJSON(g *gen) {
	for range 40 {
		v := visit{method: pick(g, "POST", "POST", "PUT", "PATCH", "GET", "DELETE", "OPTIONS")}
		if g.chance(85) {
			v.field(g.spell("Content-Type"), pick(g, "application/json", "application/json", "application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "application/merge-patch+json", "text/plain", "application/x-ndjson", "application/json; profile=\"a;b\"", "text/json"))
		}
		if v.method != "GET" && v.method != "OPTIONS" || g.chance(20) {
			v.body = pick(g, `{"email":"a@example.com","amount":12.50}`, `{"email":`, `[]`, `null`, `"x"`, `{"a":1e308}`, `{"a":1e999}`, `{"id":9007199254740993}`, "", `{"__proto__":{"admin":true}}`, `{"a":{"constructor":{"prototype":{}}}}`, "\ufeff{\"a\":1}", `{"a":1}garbage`, `{"a":"\ud800"}`, "{\"a\":\"\u0001\"}", strings.Repeat("[", 80)+strings.Repeat("]", 80), strings.Repeat(`{"a":`, 200)+"1"+strings.Repeat("}", 200), `{"a":1,"A":2,"a":3}`, " \n{\"a\" : [ ] }\n", "{\"b\":\"\xff\"}")
		}
		o := object{}
		g.maybe(o, 15, "disableContentTypeError", true)
		g.maybe(o, 10, "disableContentTypeCheck", true)
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Handler: echoes("body")})
	}
}

func freshForm(g *gen) {
	for range 25 {
		v := visit{method: pick(g, "POST", "POST", "PUT", "GET", "DELETE")}
		if g.chance(90) {
			v.field(g.spell("Content-Type"), pick(g, "application/x-www-form-urlencoded", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8", "application/json"))
		}
		if v.method != "GET" {
			v.body = pick(g, "name=Ada+Lovelace&email=ada%40example.com", "a=1&a=2&b=", "items[0][id]=1&items[0][n]=2", "a=%E2%82%AC", "a=%", "=x", "a;b=c", "", "__proto__=1", "a=1&&b=2", "q=a%26b%3Dc", "\xff=\xfe")
		}
		o := object{}
		g.maybe(o, 15, "disableContentTypeError", true)
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Handler: echoes("body")})
	}
}

func freshPath(g *gen) {
	for range 20 {
		id := pick(g, "42", "a%20b", "M%C3%A9ridien", "%E6%97%A5", "a+b", "%2Fetc", "100%25", "%zz", "x%00y", "%252e")
		var e object
		mustDecode(realistic(pick(g, "rest", "http1", "http2", "stage"), visit{path: "/orders/" + id}), &e)
		e["pathParameters"] = object{"id": id}
		if g.chance(30) {
			e["pathParameters"] = object{"id": id, "proxy": "a/b%20c"}
		}
		g.add("fresh", conformance.Case{Use: g.use(nil), Event: raw(e), Handler: echoes("pathParameters")})
	}
}

func freshMultipart(g *gen) {
	const b = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
	part := func(headers, value string) string { return "--" + b + "\r\n" + headers + "\r\n\r\n" + value + "\r\n" }
	field := func(name, value string) string {
		return part(`Content-Disposition: form-data; name="`+name+`"`, value)
	}
	file := func(name, filename, kind, value string) string {
		return part(`Content-Disposition: form-data; name="`+name+`"; filename="`+filename+`"`+"\r\nContent-Type: "+kind, value)
	}
	end := "--" + b + "--\r\n"
	for range 30 {
		v := visit{method: pick(g, "POST", "POST", "POST", "PUT", "GET")}
		v.field(g.spell("Content-Type"), pick(g, "multipart/form-data; boundary="+b, "multipart/form-data; boundary="+b, "multipart/form-data; boundary="+b, "multipart/form-data; boundary=\""+b+"\"", "multipart/form-data;boundary="+b, "multipart/form-data", "application/json", "multipart/form-data; charset=utf-8; boundary="+b))
		if v.method != "GET" {
			v.body = pick(g, field("name", "Ada")+end, field("name", "Ada")+file("avatar", "me.png", "image/png", "\x89PNG\x00")+end, file("doc", "a.pdf", "application/pdf", "%PDF")+file("doc", "b.pdf", "application/pdf", "%PDF2")+end, file("doc", "a.txt", "text/plain", "x")+field("doc", "text")+end, field("doc", "text")+file("doc", "a.txt", "text/plain", "x")+end, field("tags[]", "a")+field("tags[]", "b")+end, field("user[name]", "x")+end, field("a", "1"), "", part(`Content-Disposition: form-data; name="f"; filename="fallback.txt"; filename*=UTF-8''real%20name.txt`+"\r\nContent-Type: text/plain", "x")+end, field("note", "line\r\nline")+field("empty", "")+end, file("f", "", "application/octet-stream", "")+end, "--other\r\n"+field("a", "1")+end, part(`Content-Disposition: form-data; name="a\"b"`, "q")+end, part("Content-Disposition: form-data; name=\"j\"\r\nContent-Type: application/json; charset=utf-8", `{"x":1}`)+end)
		}
		o := object{}
		g.maybe(o, 15, "disableContentTypeError", true)
		g.maybe(o, 25, "busboy", object{"limits": pick(g, object{"files": 0}, object{"files": 1}, object{"fieldSize": 2}, object{"parts": 2}, object{"fields": 0}, object{"fileSize": 4})})
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Handler: echoes("body")})
	}
}

func freshPartial(g *gen) {
	for range 30 {
		v := visit{query: [][2]string{{"fields", pick(g, "id", "id,name", "address/city", "address(city,zip)", "*", "items/id", "tags", "items(id)", "missing", "", "id,,name", "a/b/c/d", "constructor", "address/*", "(id)", "id)", "naïve", "a%2Fb")}}}
		if g.chance(15) {
			v.query = append(v.query, [2]string{"fields", pick(g, "name", "id")})
		}
		o := object{}
		g.maybe(o, 15, "filteringKeyName", "fields")
		h := returns(g.results())
		if g.chance(40) {
			h = returns(object{"statusCode": pick(g, 200, 200, 400), "headers": object{"Content-Type": "application/json"}, "body": pick[any](g, `[{"id":1,"name":"a"},{"id":2,"name":"b"}]`, `{"id":1,"items":[{"id":1,"x":[[{"id":3}]]}]}`, object{"id": 1, "address": object{"city": "x"}}, `"text"`, `not json`, ` {"id":1}`, `{"id":null,"name":false}`)})
		}
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Handler: h})
	}
}

func freshSerializer(g *gen) {
	serializers := list{object{"regex": object{"$regexp": "^application/json$"}, "serializer": object{"$function": "json"}}, object{"regex": object{"$regexp": "^application/xml$"}, "serializer": object{"$function": "xml"}}, object{"regex": object{"$regexp": "^text/plain$"}, "serializer": object{"$function": "plain"}}}
	for range 25 {
		v := visit{}
		v.field(g.spell("Accept"), pick(g, "application/json", "application/xml", "text/plain", "text/html", "*/*", "application/*", "text/*, application/xml;q=0.5", "application/xml;q=0.9, application/json", ""))
		o := object{"serializers": serializers}
		g.maybe(o, 60, "defaultContentType", pick(g, "application/json", "text/plain", "application/json; charset=utf-8"))
		uses := g.use(o)
		if g.chance(70) {
			uses = append([]conformance.Use{use("http-content-negotiation", object{"parseCharsets": false, "parseEncodings": false, "parseLanguages": false, "failOnMismatch": false})}, uses...)
		}
		h := returns(pick[any](g, "Hello", object{"statusCode": 200, "body": "Hello"}, object{"statusCode": 404, "body": "No"}, object{"statusCode": 200, "headers": object{"Content-Type": "text/csv"}, "body": "a,b"}, object{"statusCode": 200, "headers": object{"content-type": "text/csv"}, "body": "a,b"}, object{"statusCode": 204}, object{"statusCode": 200, "body": ""}, object{"statusCode": 200, "headers": object{"CONTENT-TYPE": "text/csv"}, "body": "a"}))
		g.add("fresh", conformance.Case{Use: uses, Event: realistic(g.door(), v), Handler: h})
	}
}

func freshRouter(g *gen) {
	table := list{route("GET", "/", "root"), route("GET", "/orders", "list"), route("POST", "/orders", "create"), route("GET", "/orders/{id}", "get"), route("DELETE", "/orders/{id}", "delete"), route("GET", "/orders/{id}/items/{item}", "item"), route("ANY", "/files/{proxy+}", "files"), route("GET", "/orders/new", "new"), route("GET", "/prod/orders/{id}", "staged")}
	for range 35 {
		v := visit{method: pick(g, "GET", "GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"), path: pick(g, "/", "/orders", "/orders/", "/orders/42", "/orders/new", "/orders/a%20b", "/orders/42/items/7", "/files", "/files/a/b.txt", "/files/", "/nope", "/Orders", "/orders/42/", "/orders//items/7", "/orders/..", "/orders/%2e%2e/x", "/orders/日本")}
		o := object{"routes": table}
		if g.chance(10) {
			o["routes"] = append(list{route(pick(g, "GET", "ALL"), pick(g, "/a b", "/{a}/{a}", "/x/{y", "/{rest+}/z", "/{proxy+}"), "odd")}, table...)
		}
		g.maybe(o, 20, "notFoundResponse", object{"$function": "notFound"})
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v)})
	}
}

func freshSecurity(g *gen) {
	for range 25 {
		o := pick(g, nil, object{"contentSecurityPolicy": object{"default-src": "'self'", "img-src": "*"}}, object{"strictTransportSecurity": object{"maxAge": 31536000, "includeSubDomains": true, "preload": false}}, object{"frameOptions": object{"action": "sameorigin"}, "referrerPolicy": object{"policy": "same-origin"}}, object{"permissionsPolicy": false, "crossOriginEmbedderPolicy": false}, object{"reportTo": object{"maxAge": 100, "default": "https://r.example/", "includeSubdomains": false}}, object{"reportTo": object{"maxAge": 100, "default": "https://r.example/", "includeSubDomains": true}}, object{"dnsPrefetchControl": object{"allow": true}}, object{"contentSecurityPolicyReportOnly": true}, object{"reportingEndpoints": object{"main": "https://r.example/"}}, object{"poweredBy": false}, object{"xssProtection": object{"reportUri": "https://r.example/"}})
		uses := g.use(o)
		h := g.handler()
		if h.Throw != nil {
			uses = pick(g, append(uses, use("http-error-handler", object{"logger": false})), append([]conformance.Use{use("http-error-handler", object{"logger": false})}, uses...), uses)
		}
		g.add("fresh", conformance.Case{Use: uses, Event: realistic(g.door(), visit{method: pick(g, "GET", "POST", "HEAD")}), Handler: h})
	}
}

func freshJWT(g *gen) {
	keys := map[string]any{"HS256": secret, "HS512": secret, "ES256": spki(ecKey(1).Public()), "EdDSA": spki(edKey(1).Public())}
	for range 40 {
		alg := pick(g, "HS256", "HS512", "ES256", "EdDSA")
		claims := object{"sub": "user-1", "aud": pick[any](g, "orders", list{"orders", "billing"}, "other"), "iss": pick(g, "https://issuer.example", "https://evil.example")}
		g.maybe(claims, 60, "exp", pick[any](g, future, past, 4102444800.5, "4102444800", -1))
		g.maybe(claims, 30, "nbf", pick[any](g, past, future, nil))
		g.maybe(claims, 30, "iat", pick[any](g, past, future, 1.5))
		header := object{"alg": alg}
		g.maybe(header, 20, "typ", pick(g, "JWT", "at+jwt"))
		g.maybe(header, 8, "crit", pick(g, list{"exp"}, list{"b64"}))
		token := signed(header, claims)
		switch g.IntN(14) {
		case 0:
			token = signed(object{"alg": "HS256"}, claims)
		case 1:
			token = token[:len(token)-2] + "AA"
		case 2:
			token += "="
		case 3:
			token = signedText(`{"alg":"`+alg+`"}`, "\ufeff{\"sub\":\"bom\"}", object{"alg": alg})
		case 4:
			token = signedText(`{"alg":"`+alg+`","alg":"`+alg+`"}`, `{"sub":"a","sub":"b"}`, object{"alg": alg})
		}
		v := visit{}
		o := object{"internalKey": "k", "algorithm": pick[any](g, alg, alg, list{alg}, list{"HS256", "ES256"}), "setToContext": true}
		g.maybe(o, 40, "audience", pick[any](g, "orders", list{"a", "orders"}))
		g.maybe(o, 40, "issuer", "https://issuer.example")
		g.maybe(o, 15, "requireExp", true)
		g.maybe(o, 15, "clockTolerance", 5)
		g.maybe(o, 10, "maxTokenAge", pick[any](g, "1h", 60))
		switch g.IntN(6) {
		case 0:
			o["tokenCookieName"] = "session"
			v.cookies = pick(g, []string{"a=1", "session=" + token}, []string{"session=\"" + token + "\""}, []string{"xsession=1"})
		case 1:
			o["tokenHeaderName"] = "X-Token"
			v.field(g.spell("X-Token"), token)
		case 2:
			o["tokenQueryStringName"] = "access_token"
			v.query = [][2]string{{"access_token", token}}
		default:
			v.field(g.spell("Authorization"), pick(g, "Bearer ", "Bearer ", "Bearer ", "bearer ", "DPoP ", "Basic ", "Bearer  ")+token)
			if g.chance(8) {
				v.field("Authorization", "Bearer "+good(claims))
			}
		}
		k := keys[alg]
		if g.chance(10) {
			k = pick[any](g, secret, "", spki(edKey(2).Public()), spki(ecKey(2).Public()), object{"publicKey": spki(ecKey(1).Public()), "keySpec": "ECC_NIST_P256"})
		}
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Internal: raw(object{"k": k}), Handler: echoes("context")})
	}
	freshIssuers(g)
}

func good(claims object) string { return signed(object{"alg": "HS256"}, claims) }

func freshIssuers(g *gen) {
	const iss, uri = "https://issuer.example", "https://issuer.example/.well-known/jwks.json"
	for range 12 {
		doc := pick[any](g, object{"keys": list{jwk("k1", 1, object{"use": "sig", "alg": "ES256"})}}, object{"keys": list{jwk("k1", 1, object{"use": "enc"})}}, object{"keys": list{jwk("k1", 2, nil), jwk("k1", 1, nil)}}, object{"keys": list{nil, jwk("k1", 1, nil)}}, object{"keys": list{jwk("k1", 1, object{"key_ops": list{"verify"}})}}, object{"keys": list{jwk("k1", 1, object{"key_ops": list{"sign"}})}}, object{"keys": list{object{"kty": "oct", "k": "AAAA", "kid": "k1"}}}, object{"keys": "none"}, 500, list{})
		o := object{"issuers": object{iss: object{"jwksUri": uri, "audience": "orders"}}, "algorithm": pick[any](g, "ES256", list{"ES256", "RS256"}), "setToContext": true, "disablePrefetch": true}
		v := visit{}
		v.field("Authorization", "Bearer "+signed(object{"alg": "ES256", "kid": pick(g, "k1", "k1", "k1", "k9")}, object{"iss": iss, "aud": pick(g, "orders", "x"), "sub": "u"}))
		g.add("issuers", conformance.Case{Use: g.use(o), JWKS: raw(object{uri: doc}), Event: realistic(g.door(), v), Handler: echoes("context")})
	}
}

func freshPaseto(g *gen) {
	for range 25 {
		var claims []string
		add := func(percent int, name string, values ...string) {
			if g.chance(percent) {
				claims = append(claims, fmt.Sprintf("%q:%s", name, pick(g, values...)))
			}
		}
		add(90, "sub", `"user-1"`)
		add(60, "exp", `"2099-01-01T00:00:00Z"`, `"2099-01-01t00:00:00z"`, `"2001-01-01T00:00:00Z"`, `"2099-01-01"`, `"2099-02-30T00:00:00Z"`, `"2099-01-01T00:00:00.123+02:00"`, `4070908800`, `"2099-01-01 00:00:00Z"`)
		add(30, "nbf", `"2001-01-01T00:00:00Z"`, `"2099-01-01T00:00:00Z"`)
		add(30, "iat", `"2001-01-01T00:00:00Z"`)
		add(40, "aud", `"orders"`, `"other"`)
		add(40, "iss", `"https://issuer.example"`)
		token := pasetoToken("{"+strings.Join(claims, ",")+"}", pick(g, "", "", `{"kid":"k1"}`, "footer"))
		if g.chance(15) {
			token = pick(g, token+"=", token[:len(token)-1], strings.Replace(token, "v4", "v3", 1), "v4.local."+token[10:])
		}
		o := object{"internalKey": "k", "setToContext": true}
		g.maybe(o, 35, "audience", "orders")
		g.maybe(o, 35, "issuer", "https://issuer.example")
		g.maybe(o, 15, "clockTolerance", "10s")
		v := visit{}
		v.field(g.spell("Authorization"), pick(g, "Bearer ", "Bearer ", "bearer ", "Token ")+token)
		key := spki(edKey(1).Public())
		if g.chance(10) {
			key = spki(ecKey(1).Public())
		}
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Internal: raw(object{"k": key}), Handler: echoes("context")})
	}
}

func freshX402(g *gen) {
	for range 25 {
		accepted := object{"scheme": "exact", "network": "eip155:8453", "amount": "5", "asset": "a", "payTo": "p", "maxTimeoutSeconds": 60}
		payment := object{"x402Version": 2, "accepted": accepted, "payload": object{"signature": "0x1"}}
		switch g.IntN(8) {
		case 0:
			accepted["amount"] = "1"
		case 1:
			payment["x402Version"] = 1
		case 2:
			delete(payment, "payload")
		}
		v := visit{path: "/paid"}
		if g.chance(75) {
			b, _ := jsonText(payment)
			v.field(g.spell(pick(g, "PAYMENT-SIGNATURE", "PAYMENT-SIGNATURE", "X-PAYMENT")), pick(g, b64(b), b64(b), b64(b), "%%%", b64("{")))
		}
		o := object{"payTo": "p", "asset": "a", "facilitator": object{"verify": pick(g, object{"isValid": true}, object{"isValid": true}, object{"isValid": false, "invalidReason": "expired"}, object{"$throw": object{"message": "down"}}), "settle": pick(g, object{"success": true, "transaction": "0xt", "network": "eip155:8453", "payer": "0xp"}, object{"success": true, "transaction": "0xt", "network": "eip155:8453"}, object{"success": false, "errorReason": "insufficient_funds", "transaction": "", "network": "eip155:8453"}, object{"$throw": object{"message": "down"}})}}
		o[pick(g, "amount", "amount", "price")] = "5"
		g.maybe(o, 15, "description", "An order")
		g.maybe(o, 15, "versions", pick(g, list{1}, list{2}, list{1, 2}))
		g.add("fresh", conformance.Case{Use: g.use(o), Event: realistic(g.door(), v), Handler: g.handler()})
	}
}

// freshStack has the functions of Middy's documentation, in its order.
func freshStack(g *gen) {
	for range 70 {
		v := visit{method: pick(g, "POST", "POST", "POST", "GET", "OPTIONS", "DELETE"), query: [][2]string{}}
		g.fromPage(&v)
		v.field(g.spell("Accept-Encoding"), pick(g, acceptEncodings...))
		if g.chance(60) {
			v.field(g.spell("Accept"), pick(g, "application/json", "*/*", "text/html"))
		}
		if v.method == "POST" {
			v.field(g.spell("Content-Type"), pick(g, "application/json", "application/json", "text/plain"))
			v.body = pick(g, `{"email":"a@example.com"}`, `{"email":`, `{}`, `{"email":"x","__proto__":1}`)
		}
		if g.chance(30) {
			v.query = append(v.query, [2]string{"fields", "id"})
		}
		token := signed(object{"alg": "HS256"}, object{"sub": "u", "exp": pick(g, future, past)})
		var uses []conformance.Use
		add := func(percent int, name string, o object) {
			if g.chance(percent) {
				uses = append(uses, use(name, o))
			}
		}
		add(80, "http-header-normalizer", nil)
		add(60, "http-event-normalizer", nil)
		if g.chance(25) {
			v.field(g.spell("Authorization"), "Bearer "+token)
			add(100, "http-jwt", object{"internalKey": "k", "algorithm": "HS256"})
		}
		add(50, "http-content-negotiation", object{"parseCharsets": false, "parseLanguages": false, "availableEncodings": list{"br", "gzip", "identity"}, "availableMediaTypes": list{"application/json"}, "failOnMismatch": g.chance(50)})
		if v.method == "POST" || g.chance(30) {
			add(90, "http-json-body-parser", nil)
		}
		add(70, "http-security-headers", nil)
		add(80, "http-cors", g.corsOptions())
		add(50, "http-content-encoding", nil)
		add(25, "http-partial-response", nil)
		add(85, "http-error-handler", object{"logger": false})
		if len(uses) == 0 {
			continue
		}
		g.add("documented", conformance.Case{Use: uses, Event: realistic(g.door(), v), Internal: raw(object{"k": secret}), Handler: g.handler()})
	}
}

func freshUtil(g *gen) {
	for _, code := range some(g, 60, 400, 401, 403, 404, 405, 409, 412, 415, 422, 425, 429, 431, 500, 501, 503, 507, 511) {
		c := &conformance.Call{Function: "createError", Args: rawList(code)}
		if g.chance(50) {
			c.Args = rawList(code, pick(g, "x", "日本", `{"a":1}`))
		}
		g.add("fresh", conformance.Case{Call: c})
	}
}

func freshValidator(g *gen) {
	schema := object{"type": "object", "required": list{"body"}, "properties": object{"body": object{"type": "object", "required": list{"email"}, "additionalProperties": false, "properties": object{
		"email": object{"type": "string", "format": "email"}, "url": object{"type": "string", "format": "uri"}, "ref": object{"type": "string", "format": "uri-reference"}, "at": object{"type": "string", "format": "date-time"}, "day": object{"type": "string", "format": "date"}, "time": object{"type": "string", "format": "time"}, "id": object{"type": "string", "format": "uuid"}, "ip": object{"type": "string", "format": "ipv6"}, "host": object{"type": "string", "format": "hostname"}, "price": object{"type": "number", "multipleOf": 0.01}, "qty": object{"type": "integer", "minimum": 1, "default": 1}, "tags": object{"type": "array", "items": object{"type": "string"}, "uniqueItems": true}, "ok": object{"type": "boolean"}, "dur": object{"type": "string", "format": "duration"},
	}}}}
	values := map[string][]any{
		"url": {"https://x.io/a", "https://x.io/a b", "https://日本.jp", "//x", "mailto:a@b.c", "https://x.io/{a}", "http://[::1]/", "https://x.io/%zz"}, "ref": {"/a", "a b", "#x", "?q=1", "ü"}, "at": {"2026-03-10T05:16:23Z", "2026-03-10 05:16:23Z", "2026-03-10T05:16:23+0200", "2026-03-10T05:16:23.123456789+02:00", "2026-12-31T23:59:60Z", "2026-03-10t05:16:23z", "2026-13-01T00:00:00Z"}, "day": {"2026-02-28", "2026-02-29", "26-01-01"}, "time": {"10:00:00Z", "10:00:00", "25:00:00Z", "10:00:00+01:00"}, "id": {"123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000", "urn:uuid:123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"}, "ip": {"::1", "1::2::3", "::ffff:1.2.3.4", "fe80::1%eth0"}, "host": {"example.com", "a_b.c", "-a.com", "localhost", "xn--bcher-kva.example"}, "price": {19.99, 0.07, 1.005, "3.50", "x"}, "qty": {1, "2", 0, 1.5, nil, true}, "tags": {list{"a"}, list{"a", "a"}, "a", list{1, "1"}}, "ok": {true, "true", 1, "yes", ""}, "dur": {"P1D", "PT1H30M", "P1W", "P", "1D"},
		"email": {"a@example.com", "a@b", "not", "ü@example.com", `"a b"@example.com`, "a@[127.0.0.1]", "a..b@example.com"},
	}
	names := []string{"url", "ref", "at", "day", "time", "id", "ip", "host", "price", "qty", "tags", "ok", "dur", "email"}
	for range 60 {
		b := object{"email": "a@example.com"}
		for _, name := range some(g, 12, names...) {
			b[name] = pick(g, values[name]...)
		}
		g.maybe(b, 5, "extra", 1)
		g.add("fresh", conformance.Case{Use: g.use(object{"eventSchema": schema}), Event: withBody(b), Handler: echoes("body")})
	}
}

func freshWSEvent(g *gen, route, kind string, body any) object {
	e := object{"requestContext": object{"routeKey": route, "eventType": kind, "extendedRequestId": "x", "requestTime": "30/Nov/2026:12:00:00 +0000", "messageDirection": "IN", "stage": "prod", "connectedAt": 1796040000000, "requestTimeEpoch": 1796040000000, "identity": object{"sourceIp": "192.0.2.7"}, "requestId": "r", "domainName": "abcdef1234.execute-api.eu-west-1.amazonaws.com", "connectionId": "L0SM9cOFvHcCIhw=", "apiId": "abcdef1234"}, "isBase64Encoded": false}
	if kind == "MESSAGE" {
		e["requestContext"].(object)["messageId"] = "m"
		e["body"] = body
	} else if kind == "CONNECT" {
		e["headers"], e["multiValueHeaders"] = object{"Host": "abcdef1234.execute-api.eu-west-1.amazonaws.com"}, object{"Host": list{"abcdef1234.execute-api.eu-west-1.amazonaws.com"}}
	}
	return e
}

func freshWSJSON(g *gen) {
	for range 20 {
		o := object{}
		g.maybe(o, 20, "reviver", object{"$function": pick(g, "upperStrings", "dropNulls")})
		body := pick[any](g, `{"action":"send","text":"hi"}`, `{"action":`, `"x"`, `null`, "", "ping", `{"n":1e999}`, `{"__proto__":1}`, strings.Repeat("[", 70)+strings.Repeat("]", 70), `{"a":null,"b":"c"}`)
		kind := pick(g, "MESSAGE", "MESSAGE", "MESSAGE", "MESSAGE", "CONNECT", "DISCONNECT")
		route := map[string]string{"MESSAGE": "send", "CONNECT": "$connect", "DISCONNECT": "$disconnect"}[kind]
		g.add("fresh", conformance.Case{Use: g.use(o), Event: raw(freshWSEvent(g, route, kind, body)), Handler: echoes("body")})
	}
}

func freshWSResponse(g *gen) {
	for range 20 {
		o := object{}
		g.maybe(o, 25, "failure", pick(g, "GoneException", "ForbiddenException", "LimitExceededException", "PayloadTooLargeException"))
		h := returns(pick[any](g, "hi", object{"text": "hi"}, list{1}, 5, "", nil, object{"$undef": 1}, object{"statusCode": 200}, true, object{"Data": "x"}, object{"ConnectionId": "other=", "Data": "y"}))
		if g.chance(15) {
			h = &conformance.Handler{Throw: raw(object{"message": "boom"})}
		}
		g.add("fresh", conformance.Case{Use: g.use(o), Event: raw(freshWSEvent(g, "send", "MESSAGE", "x")), Handler: h})
	}
}

func freshWSRouter(g *gen) {
	routes := list{}
	for _, key := range []string{"$connect", "$disconnect", "send", "$default"} {
		routes = append(routes, object{"routeKey": key, "handler": object{"tag": key}})
	}
	for range 15 {
		key := pick(g, "$connect", "$disconnect", "send", "$default", "other", "Send")
		kind := map[string]string{"$connect": "CONNECT", "$disconnect": "DISCONNECT"}[key]
		if kind == "" {
			kind = "MESSAGE"
		}
		o := object{"routes": routes[:2+g.IntN(3)]}
		g.maybe(o, 25, "notFoundResponse", object{"$function": "notFound"})
		g.add("fresh", conformance.Case{Use: g.use(o), Event: raw(freshWSEvent(g, key, kind, "{}")), Handler: nil})
	}
}
