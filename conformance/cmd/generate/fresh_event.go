package main

import (
	"encoding/json"
	"net/textproto"
	"net/url"
	"strings"
	"unicode/utf8"
)

// visit is what a client sends, as it sends it.
type visit struct {
	method, path string
	fields       [][2]string // of the header, in order, in the client's spelling
	cookies      []string
	query        [][2]string
	body         string
}

func (v *visit) field(name, value string) { v.fields = append(v.fields, [2]string{name, value}) }

// realDoors are all front doors of package web.
var realDoors = []string{"rest", "http1", "http2", "stage", "url", "alb", "alb-multi", "lattice1", "lattice2"}

// realistic is the event that a front door makes of v, with all that it sends:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// and its siblings for the other doors.
func realistic(door string, v visit) json.RawMessage {
	if v.method == "" {
		v.method = "GET"
	}
	if v.path == "" {
		v.path = "/orders"
	}
	fields := append([][2]string{{"Host", "api.example.com"}, {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"}, {"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Port", "443"}, {"X-Forwarded-Proto", "https"}, {"X-Amzn-Trace-Id", "Root=1-69f3a1c2-0123456789abcdef01234567"}}, v.fields...)
	if len(v.cookies) > 0 && door != "http2" && door != "stage" && door != "url" {
		fields = append(fields, [2]string{"Cookie", strings.Join(v.cookies, "; ")})
	}
	lowered := door != "rest" && door != "http1"
	single, multi := object{}, object{}
	for _, f := range fields {
		name := f[0]
		if lowered {
			name = strings.ToLower(name)
		}
		have, _ := multi[name].(list)
		multi[name] = append(have, f[1])
		single[name] = f[1] // the last one
	}
	query, queries := object{}, object{}
	escape := door == "alb" || door == "alb-multi" // does not decode
	var raws []string
	for _, p := range v.query {
		name, value := p[0], p[1]
		if escape {
			name, value = url.QueryEscape(name), url.QueryEscape(value)
		}
		have, _ := queries[name].(list)
		queries[name] = append(have, value)
		query[name] = value
		raws = append(raws, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
	}
	rawQuery := strings.Join(raws, "&")
	withQuery := v.path
	if rawQuery != "" {
		withQuery += "?" + rawQuery
	}
	comma := func(of object) object {
		out := object{}
		for name, values := range of {
			var all []string
			for _, one := range values.(list) {
				all = append(all, one.(string))
			}
			out[name] = strings.Join(all, ",")
		}
		return out
	}
	orNull := func(o object) any {
		if len(o) == 0 {
			return nil
		}
		return o
	}
	encoded := !utf8.ValidString(v.body) || strings.ContainsRune(v.body, 0)
	body := v.body
	if encoded {
		body = b64(body)
	}
	e := object{"isBase64Encoded": encoded}
	switch door {
	case "rest", "http1":
		e["resource"], e["path"], e["httpMethod"] = "/{proxy+}", v.path, v.method
		e["headers"], e["multiValueHeaders"] = single, multi
		e["queryStringParameters"], e["multiValueQueryStringParameters"] = orNull(query), orNull(queries)
		e["pathParameters"], e["stageVariables"], e["body"] = nil, nil, nil
		if body != "" {
			e["body"] = body
		}
		e["requestContext"] = object{"accountId": "123456789012", "apiId": "abcdef1234", "domainName": "api.example.com", "domainPrefix": "api", "extendedRequestId": "request-id", "httpMethod": v.method, "identity": object{"accessKey": nil, "accountId": nil, "caller": nil, "sourceIp": "192.0.2.7", "user": nil, "userAgent": "Mozilla/5.0", "userArn": nil}, "path": "/prod" + v.path, "protocol": "HTTP/1.1", "requestId": "request-id", "requestTime": "30/Nov/2026:12:00:00 +0000", "requestTimeEpoch": 1796040000000, "resourceId": "abc123", "resourcePath": "/{proxy+}", "stage": "prod"}
		if door == "http1" {
			e["version"] = "1.0"
		}
	case "http2", "stage", "url":
		stage, domain, full := "$default", "api.example.com", v.path
		if door == "stage" {
			stage, full = "prod", "/prod"+v.path
		}
		if door == "url" {
			domain = "abcdefghij.lambda-url.eu-west-1.on.aws"
		}
		e["version"], e["routeKey"], e["rawPath"], e["rawQueryString"] = "2.0", "$default", full, rawQuery
		e["headers"] = comma(multi)
		if len(v.cookies) > 0 {
			e["cookies"] = v.cookies
		}
		if len(queries) > 0 {
			e["queryStringParameters"] = comma(queries)
		}
		if body != "" {
			e["body"] = body
		}
		e["requestContext"] = object{"accountId": "123456789012", "apiId": "abcdef1234", "domainName": domain, "domainPrefix": "api", "http": object{"method": v.method, "path": full, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "Mozilla/5.0"}, "requestId": "request-id", "routeKey": "$default", "stage": stage, "time": "30/Nov/2026:12:00:00 +0000", "timeEpoch": 1796040000000}
	case "alb", "alb-multi":
		e["requestContext"] = object{"elb": object{"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/fn/0123456789abcdef"}}
		e["httpMethod"], e["path"], e["body"] = v.method, v.path, body
		if door == "alb" {
			e["headers"], e["queryStringParameters"] = single, query
		} else {
			e["multiValueHeaders"], e["multiValueQueryStringParameters"] = multi, queries
		}
	case "lattice1":
		delete(e, "isBase64Encoded")
		e["raw_path"], e["method"], e["headers"], e["query_string_parameters"], e["body"], e["is_base64_encoded"] = withQuery, v.method, comma(multi), query, body, encoded
	case "lattice2":
		e["version"], e["path"], e["method"], e["headers"] = "2.0", withQuery, v.method, multi
		if len(queries) > 0 {
			e["queryStringParameters"] = queries
		}
		if body != "" {
			e["body"] = body
		}
		e["requestContext"] = object{"serviceNetworkArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:servicenetwork/sn-0123456789abcdef0", "serviceArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:service/svc-0123456789abcdef0", "targetGroupArn": "arn:aws:vpc-lattice:eu-west-1:123456789012:targetgroup/tg-0123456789abcdef0", "identity": object{"sourceVpcArn": "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0123456789abcdef0"}, "region": "eu-west-1", "timeEpoch": "1796040000000000"}
	}
	return raw(e)
}

// spell writes a header's name as some client does.
func (g *gen) spell(name string) string {
	switch g.IntN(8) {
	case 0:
		return strings.ToUpper(name)
	case 1, 2, 3:
		return strings.ToLower(name)
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}
