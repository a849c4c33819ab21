package main

import (
	"strings"

	"github.com/gomiddy/middy/conformance"
)

func contentNegotiation(g *gen) {
	type dimension struct {
		header, plural, name string
		accepts              []string
		offers               []string
	}
	q := func(name string) []string {
		return []string{name, name + ";q=0.5", name + ";q=1", name + ";q=0", name + ";q=0.001", name + "; q=0.8", name + ";Q=0.3", name + ";q=2", name + ";q=abc", name + ";q=", name + ";q=.5", name + " ;q=0.7", name + ";level=1", name + ";q=0.25;x=1"}
	}
	dimensions := []dimension{
		{"Accept-Charset", "Charsets", "Charset", []string{"utf-8", "iso-8859-1", "UTF-8", "utf-16", "*"}, []string{"utf-8", "iso-8859-1", "UTF-16"}},
		{"Accept-Encoding", "Encodings", "Encoding", []string{"gzip", "br", "deflate", "zstd", "identity", "*", "GZIP", "compress"}, []string{"br", "gzip", "deflate", "zstd", "identity"}},
		{"Accept-Language", "Languages", "Language", []string{"en", "en-US", "en-GB", "fr", "de-CH", "zh-Hant-TW", "*", "EN", "pt-br"}, []string{"en", "en-US", "fr", "de", "zh-Hant", "pt-BR"}},
		{"Accept", "MediaTypes", "MediaType", []string{"application/json", "text/html", "text/*", "*/*", "application/xml", "TEXT/HTML", "image/webp", "text/plain;charset=utf-8"}, []string{"application/json", "text/html", "text/plain", "application/xml", "text/html;level=1"}},
	}
	for _, d := range dimensions {
		for range 42 {
			o := object{}
			for _, other := range dimensions {
				if other.name != d.name {
					o["parse"+other.plural] = false
				}
			}
			if offers := shuffled(g, some(g, 50, d.offers...)...); len(offers) > 0 {
				g.maybe(o, 75, "available"+d.plural, offers)
			}
			g.maybe(o, 15, "defaultToFirst"+d.name, true)
			g.maybe(o, 20, "failOnMismatch", false)
			var entries []string
			for range 1 + g.IntN(4) {
				entries = append(entries, pick(g, q(pick(g, d.accepts...))...))
			}
			value := strings.Join(entries, pick(g, ",", ", ", " , "))
			switch g.IntN(12) {
			case 0:
				value = pick(g, "", ",", ", ,", ";", ";q=1", "q=1", "  ", "a/b/c", "\"quoted,comma\"", "*;q=0", "日本語", "__proto__", "constructor", strings.Repeat("x", 300))
			case 1:
				value = "" + value + ","
			}
			headers := object{}
			if g.chance(93) {
				headers[g.casing(d.header)] = value
			}
			g.add(strings.ToLower(d.name), conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), request{headers: headers}), Handler: echoes("context")})
		}
	}
	for range 15 {
		headers := object{}
		for _, d := range dimensions {
			g.maybe(headers, 70, g.casing(d.header), pick(g, d.accepts...)+", "+pick(g, d.accepts...)+";q=0.5")
		}
		o := object{"failOnMismatch": g.chance(50)}
		for _, d := range dimensions {
			if offers := some(g, 60, d.offers...); len(offers) > 0 {
				g.maybe(o, 40, "available"+d.plural, offers)
			}
		}
		g.add("all", conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), request{headers: headers}), Handler: echoes("context")})
	}
}

func eventNormalizer(g *gen) {
	for range 48 {
		r := request{method: pick(g, "GET", "POST", "DELETE"), path: "/a", query: map[string][]string{}}
		for _, name := range some(g, 25, "a", "b c", "x[]", "日本", "__proto__", "empty") {
			r.query[name] = pick(g, []string{"1"}, []string{"1", "2"}, []string{""}, []string{"a b&c"}, []string{"ü"})
		}
		if g.chance(50) {
			r.params = object{"id": pick(g, "1", "a-b", "ü")}
		}
		if r.method == "POST" {
			r.body = pick[any](g, "text", "", "日本")
			if g.chance(30) {
				r.body, r.encoded = b64("binary"), true
			}
		}
		door := pick(g, "rest", "http1", "http2", "url", "alb", "lattice")
		g.add(door, conformance.Case{Use: g.use(nil), Event: event(door, r), Handler: echoes("queryStringParameters", "pathParameters")})
	}
}

func headerNormalizer(g *gen) {
	names := []string{"X-Api-Key", "content-type", "ACCEPT", "x-CUSTOM-header", "dnt", "etag", "www-authenticate", "Sec-WebSocket-Key", "X----", "x_under_score", "te", "constructor", "toString", "A", "x-att-deviceid", "Content-MD5", "x-dns-prefetch-control", "Cookie", "X-Forwarded-For"}
	for range 60 {
		o := object{}
		g.maybe(o, 40, "canonical", g.chance(80))
		if g.chance(40) {
			d := object{}
			for _, name := range some(g, 20, names...) {
				d[name] = pick[any](g, "default", "a,b", list{"x", "y"}, "")
			}
			g.maybe(d, 30, "X-Default", pick[any](g, "1", list{"p", "q"}))
			o["defaultHeaders"] = d
		}
		headers := object{}
		for _, name := range some(g, 30, names...) {
			headers[name] = pick(g, "v", "", "a, b", "ü", "with space ", strings.Repeat("long", 20))
		}
		door := pick(g, "rest", "http1", "alb", "http2")
		g.add(door, conformance.Case{Use: g.use(o), Event: event(door, request{headers: headers}), Handler: echoes("headers")})
	}
	for range 8 {
		name := pick(g, names...)
		headers := object{name: "1", strings.ToUpper(name): "2", strings.ToLower(name): "3"}
		g.add("collision", conformance.Case{Use: g.use(nil), Event: event("rest", request{headers: headers}), Handler: echoes("headers")})
	}
}

// jsonTexts are JSON and what looks like it.
func jsonTexts() []any {
	texts := []any{
		`{}`, `[]`, `null`, `true`, `0`, `""`, `"x"`, `-0`, `1.5e3`, `1e400`, `12345678901234567890`, `{"a":{"b":[1,2,{"c":null}]}}`, ` { "a" : 1 } `, "\t[1,\n2]\r\n",
		`{"a":1,"a":2}`, `{"":0}`, `{"__proto__":{"x":1}}`, `{"a":[{"__proto__":1}]}`, `{"constructor":{"prototype":{}}}`, `{"constructor":"x"}`, `{"constructor":{"x":1}}`, `{"prototype":{}}`, `{"toString":1}`, `{"a":{"constructor":{"prototype":null}}}`,
		`{"\u005f_proto__":1}`, `{"constructor":{"\u0070rototype":1}}`, `"\ud83d\ude42"`, `"\ud83d"`, `"\u0000"`, `{"日本":"語"}`, "\"\u2028\"", `"\/"`, `[1e-7]`,
		``, ` `, `{`, `}`, `{"a"}`, `{"a":}`, `{a:1}`, `{'a':1}`, `[1,]`, `{"a":1,}`, `nul`, `undefined`, `NaN`, `Infinity`, `01`, `+1`, `.5`, `1.`, `"\x"`, "\"tab\tinside\"", `"unterminated`, `[1 2]`, `{} {}`, `{}x`, "\ufeff{}", `// c`, `/* */{}`, `"a`, `--1`, `0x10`, `tru`, `[`, `[[`,
	}
	return append(texts, object{"$concat": list{`{"a":"`, repeat("x", 100000), `"}`}}, object{"$concat": list{repeat("[", 50), repeat("]", 50)}}, object{"$concat": list{"[0", repeat(",1", 3000), "]"}})
}

func jsonBody(g *gen) {
	for _, text := range jsonTexts() {
		r := request{method: pick(g, "POST", "PUT", "PATCH"), headers: object{g.casing("Content-Type"): pick(g, "application/json", "application/json; charset=utf-8", "application/vnd.api+json")}, body: text}
		if s, ok := text.(string); ok && s != "" && g.chance(25) {
			r.body, r.encoded = b64(s), true
		}
		g.add("text", conformance.Case{Use: g.use(nil), Event: event(pick(g, doors...), r), Handler: echoes("body")})
	}
	types := []any{
		"application/json", "Application/JSON", "application/json;charset=utf-8", "application/json; charset=utf-8", "application/json ;charset=utf-8", "application/json;", "text/json", "application/json5", "application/jsonp", "application/vnd.a_b+json",
		"application/ld+json", "application/a+b+json", "application/+json", "application/problem+json; x=y", " application/json", "application/json ", "json", "", "application/xml", "application/x-json", "application/jsön", "multipart/form-data; boundary=x", "text/plain", "application/json, text/plain", "application/vnd.api+JSON", "application/geo+json-seq",
	}
	for _, t := range types {
		for _, o := range []object{nil, {"disableContentTypeError": true}, {"disableContentTypeCheck": true}} {
			if o != nil && g.chance(50) {
				continue
			}
			r := request{method: "POST", headers: object{g.casing("Content-Type"): t}, body: `{"a":1}`}
			g.add("type", conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), r), Handler: echoes("body")})
		}
	}
	for _, f := range []string{"upperStrings", "dropNulls"} {
		for _, text := range []string{`{"a":"x","b":[null,"y"],"c":null}`, `"s"`, `null`, `[["q"],{"z":null}]`} {
			r := request{method: "POST", headers: object{"Content-Type": "application/json"}, body: text}
			g.add("reviver", conformance.Case{Use: g.use(object{"reviver": object{"$function": f}}), Event: event("rest", r), Handler: echoes("body")})
		}
	}
	for _, o := range []object{nil, {"disableContentTypeError": true}, {"disableContentTypeCheck": true}} {
		g.add("no-body", conformance.Case{Use: g.use(o), Event: event("rest", request{method: "POST", headers: object{"Content-Type": "application/json"}}), Handler: echoes("body")})
		g.add("no-type", conformance.Case{Use: g.use(o), Event: event("http2", request{method: "POST", body: `{"a":1}`}), Handler: echoes("body")})
	}
	g.add("invalid-utf8", conformance.Case{Use: g.use(nil), Event: event("rest", request{method: "POST", headers: object{"Content-Type": "application/json"}, body: b64("{\"a\":\"\xff\xfe\"}"), encoded: true}), Handler: echoes("body")})
}

func wsEvent(body any, encoded bool, route string) object {
	e := object{"requestContext": object{"routeKey": route, "eventType": "MESSAGE", "connectionId": "c1", "domainName": "ws.example.com", "stage": "prod", "requestId": "r1"}, "isBase64Encoded": encoded}
	if body != nil {
		e["body"] = body
	}
	return e
}

func wsJSON(g *gen) {
	for _, text := range jsonTexts() {
		e := wsEvent(text, false, "$default")
		if s, ok := text.(string); ok && s != "" && g.chance(20) {
			e = wsEvent(b64(s), true, "$default")
		}
		g.add("text", conformance.Case{Use: g.use(nil), Event: raw(e), Handler: echoes("body")})
	}
	for _, route := range []string{"$connect", "$disconnect", "chat"} {
		g.add("no-body", conformance.Case{Use: g.use(nil), Event: raw(wsEvent(nil, false, route)), Handler: echoes("body")})
	}
}

func formBody(g *gen) {
	bodies := []any{
		"", "a=1", "a=1&b=2", "a=1&a=2", "a", "a=", "=1", "=", "&", "&&a=1&&", "a=1=2", "a+b=c+d", "a%20b=c%20d", "a=%", "a=%4", "a=%ZZ", "a=%E0%A4%A", "a=%ff%fe", "a[b]=1", "a[]=1&a[]=2", "a;b=1", "a=1;b=2", "__proto__=1", "constructor=1&toString=2",
		"日本=語", "%E6%97%A5=%E8%AA%9E", "a=1&A=2", "a=%00", "a=%2B", "a=b%26c", "a=b%3Dc", " a = 1 ", "a=1\r\n", "a=%F0%9F%99%82", "hasOwnProperty=1&hasOwnProperty=2", repeat("a=1&", 900), repeat("a", 50000), "x=%u00e9", "a=1&b&c=3", "a=\"quoted\"",
	}
	for _, b := range bodies {
		r := request{method: "POST", headers: object{g.casing("Content-Type"): pick(g, "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-Urlencoded")}, body: b}
		if s, ok := b.(string); ok && s != "" && g.chance(25) {
			r.body, r.encoded = b64(s), true
		}
		g.add("body", conformance.Case{Use: g.use(nil), Event: event(pick(g, doors...), r), Handler: echoes("body")})
	}
	for range 22 {
		var parts []string
		for range 1 + g.IntN(6) {
			parts = append(parts, pick(g, "a", "b", "x[]", "%61", "é", "")+pick(g, "=", "=", "==", "")+pick(g, "1", "%20", "+", "%", "ü", ""))
		}
		r := request{method: "POST", headers: object{"Content-Type": "application/x-www-form-urlencoded"}, body: strings.Join(parts, "&")}
		g.add("random", conformance.Case{Use: g.use(nil), Event: event(pick(g, doors...), r), Handler: echoes("body")})
	}
	types := []string{"application/x-www-form-urlencoded", "application/x-www-form-urlencoded;charset=UTF-8", "application/x-www-form-urlencoded ;charset=UTF-8", "application/x-www-form-urlencodedx", "text/plain", "", "x-www-form-urlencoded", "application/json"}
	for _, t := range types {
		for _, o := range []object{nil, {"disableContentTypeError": true}, {"disableContentTypeCheck": true}} {
			r := request{method: "POST", headers: object{g.casing("Content-Type"): t}, body: "a=1&b=x"}
			g.add("type", conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), r), Handler: echoes("body")})
		}
	}
}

func pathParser(g *gen) {
	values := []string{"plain", "M%C3%AEddy", "%", "%4", "%zz", "%E0%A4%A", "%ff", "%2F", "%252F", "a+b", "a%20b", "%F0%9F%99%82", "%00", "日本", "", "%25", "100%", "%c3%28", "%ED%A0%80", "%41%42%43", "a%2Bb", "..%2f..%2fetc"}
	for _, v := range values {
		for _, door := range []string{"rest", "http2"} {
			g.add(door, conformance.Case{Use: g.use(nil), Event: event(door, request{path: "/x", params: object{"id": v}}), Handler: echoes("pathParameters")})
		}
	}
	for range 20 {
		params := object{}
		for _, name := range some(g, 60, "id", "name", "constructor", "slug") {
			params[name] = pick(g, values...)
		}
		g.add("several", conformance.Case{Use: g.use(nil), Event: event(pick(g, "rest", "http1", "http2"), request{path: "/x", params: params}), Handler: echoes("pathParameters")})
	}
}

func multipartBody(g *gen) {
	part := func(headers, value string) string { return "--B\r\n" + headers + "\r\n\r\n" + value + "\r\n" }
	field := func(name, value string) string {
		return part(`Content-Disposition: form-data; name="`+name+`"`, value)
	}
	file := func(name, filename, kind, value string) string {
		return part(`Content-Disposition: form-data; name="`+name+`"; filename="`+filename+`"`+"\r\nContent-Type: "+kind, value)
	}
	const end = "--B--\r\n"
	bodies := []string{
		field("a", "1") + end, field("a", "") + end, field("a", "1") + field("b", "2") + end, field("a", "1") + field("a", "2") + end, field("a[]", "1") + field("a[]", "2") + end, field("a[b]", "1") + end, field("a[b][c]", "1") + end, field("[]", "1") + end, field("a[", "1") + end, field("a]", "1") + end,
		field("__proto__", "x") + end, field("constructor", "x") + field("toString", "y") + end, field("日本", "語") + end, field("ü", "🙂") + end, field("a", "line1\r\nline2") + end, field("a", "--B") + end, field("a", "\r\n") + end,
		file("f", "a.txt", "text/plain", "hello") + end, file("f", "", "text/plain", "hello") + end, file("f", "../../etc/passwd", "text/plain", "x") + end, file("f", `C:\dir\x.txt`, "text/plain", "x") + end, file("f", "日本.txt", "text/plain", "x") + end, file("f", "a.bin", "application/octet-stream", "\x00\x01\x02") + end, file("f", "a", "image/png", "") + end,
		file("f", "1", "text/plain", "1") + file("f", "2", "text/plain", "2") + end, file("f", "1", "text/plain", "1") + file("f", "2", "text/plain", "2") + file("f", "3", "text/plain", "3") + end, field("a", "1") + file("f", "x", "text/plain", "2") + end, file("f[]", "x", "text/plain", "2") + end,
		part("Content-Disposition: form-data; name=\"f\"; filename*=UTF-8''na%C3%AFve.txt\r\nContent-Type: text/plain", "x") + end, part("Content-Disposition: form-data; name=a", "1") + end, part("content-disposition: form-data; name=\"a\"", "1") + end, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64", "aGk=") + end,
		part("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=iso-8859-1", "x") + end, part("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json", `{"x":1}`) + end, part("Content-Type: text/plain", "x") + field("a", "1") + end, part("Content-Disposition: attachment; name=\"a\"", "1") + field("b", "2") + end,
		"preamble\r\n" + field("a", "1") + end, field("a", "1") + end + "epilogue", field("a", "1"), "--B\r\n", "", "x", "--B--", end, field("a", "1") + "--B", "--B\r\n\r\nx\r\n--B--", "--X\r\n" + field("a", "1") + end, strings.ReplaceAll(field("a", "1")+end, "\r\n", "\n"),
	}
	for _, b := range bodies {
		r := request{method: "POST", headers: object{g.casing("Content-Type"): "multipart/form-data; boundary=B"}, body: b}
		if b != "" && (g.chance(40) || strings.ContainsAny(b, "\x00\x01")) {
			r.body, r.encoded = b64(b), true
		}
		g.add("body", conformance.Case{Use: g.use(nil), Event: event(pick(g, doors...), r), Handler: echoes("body")})
	}
	types := []string{"multipart/form-data; boundary=B", "Multipart/Form-Data; boundary=B", "multipart/form-data; boundary=\"B\"", "multipart/form-data;boundary=B", "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=B; charset=utf-8", "multipart/form-data; boundary=B;charset=utf-8", "multipart/mixed; boundary=B", "multipart/form-data; charset=utf-8; boundary=B", "multipart/form-data; boundary=B_1", "text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=" + strings.Repeat("B", 71)}
	for _, t := range types {
		for _, o := range []object{nil, {"disableContentTypeError": true}} {
			r := request{method: "POST", headers: object{g.casing("Content-Type"): t}, body: field("a", "1") + end}
			g.add("type", conformance.Case{Use: g.use(o), Event: event(pick(g, doors...), r), Handler: echoes("body")})
		}
	}
	limits := []object{{"fieldSize": 3}, {"fields": 1}, {"fileSize": 3}, {"files": 1}, {"parts": 1}, {"fieldNameSize": 3}, {"fieldNameSize": 4}}
	for _, l := range limits {
		for _, b := range []string{field("name", "12345") + field("b", "2") + end, file("file", "x.txt", "text/plain", "12345") + file("g", "y", "text/plain", "1") + end, field("a", "1") + end} {
			r := request{method: "POST", headers: object{"Content-Type": "multipart/form-data; boundary=B"}, body: b}
			g.add("limit", conformance.Case{Use: g.use(object{"busboy": object{"limits": l}}), Event: event(pick(g, doors...), r), Handler: echoes("body")})
		}
	}
	g.add("no-body", conformance.Case{Use: g.use(nil), Event: event("rest", request{method: "POST", headers: object{"Content-Type": "multipart/form-data; boundary=B"}}), Handler: echoes("body")})
}
