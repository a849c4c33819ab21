package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/gomiddy/middy/conformance"
)

type object = map[string]any
type list = []any

// gen makes the cases of one package.
type gen struct {
	*rand.Rand
	pkg   string
	cases []conformance.Case
	seen  map[string]bool
}

// newGen makes cases of a package, the same ones whatever other packages there are.
func newGen(seed uint64, name string) *gen {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it cannot fail
	return &gen{Rand: rand.New(rand.NewPCG(seed, h.Sum64())), pkg: name, seen: map[string]bool{}}
}

// packages are the generators by package of Middy.
var packages = map[string]func(*gen){
	"core":                       core,
	"http-content-encoding":      contentEncoding,
	"http-content-negotiation":   contentNegotiation,
	"http-cors":                  cors,
	"http-dpop":                  dpop,
	"http-error-handler":         errorHandler,
	"http-event-normalizer":      eventNormalizer,
	"http-header-normalizer":     headerNormalizer,
	"http-json-body-parser":      jsonBody,
	"http-jwt":                   jwt,
	"http-multipart-body-parser": multipartBody,
	"http-partial-response":      partialResponse,
	"http-paseto":                paseto,
	"http-response-serializer":   responseSerializer,
	"http-router":                httpRouter,
	"http-security-headers":      securityHeaders,
	"http-urlencode-body-parser": formBody,
	"http-urlencode-path-parser": pathParser,
	"http-x402":                  x402,
	"stack":                      stack,
	"util":                       util,
	"validator":                  validator,
	"ws-json-body-parser":        wsJSON,
	"ws-response":                wsResponse,
	"ws-router":                  wsRouter,
}

// add appends a case that uses the package with options.
func (g *gen) add(what string, c conformance.Case) {
	c.ID = fmt.Sprintf("%s/generated/%s-%03d", g.pkg, what, len(g.cases)+1)
	probe := c
	probe.ID = ""
	b, err := json.Marshal(probe)
	if err != nil {
		panic(err) // a generator made what is not JSON
	}
	if g.seen[string(b)] {
		return
	}
	g.seen[string(b)] = true
	g.cases = append(g.cases, c)
}

func (g *gen) use(options object) []conformance.Use { return []conformance.Use{use(g.pkg, options)} }

func use(name string, options object) conformance.Use {
	u := conformance.Use{Name: name}
	if len(options) > 0 {
		u.Options = raw(options)
	}
	return u
}

func raw(v any) json.RawMessage {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // a generator made what is not JSON
	}
	return json.RawMessage(strings.TrimSpace(b.String()))
}

func pick[T any](g *gen, all ...T) T { return all[g.IntN(len(all))] }

func (g *gen) chance(percent int) bool { return g.IntN(100) < percent }

// some returns a random selection, in order.
func some[T any](g *gen, percent int, all ...T) []T {
	out := []T{}
	for _, v := range all {
		if g.chance(percent) {
			out = append(out, v)
		}
	}
	return out
}

func shuffled[T any](g *gen, all ...T) []T {
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// maybe sets a key in some of the cases.
func (g *gen) maybe(o object, percent int, key string, value any) {
	if g.chance(percent) {
		o[key] = value
	}
}

// ok is a handler that answers 200.
func returns(v any) *conformance.Handler { return &conformance.Handler{Return: raw(v)} }

func echoes(facets ...string) *conformance.Handler { return &conformance.Handler{Echo: facets} }

// request is what a client sends.
type request struct {
	method, path string
	headers      object
	query        url.Values
	params       object
	body         any // nil: none
	encoded      bool
}

// doors are the front doors whose events every package of Middy can read.
var doors = []string{"rest", "http1", "http2", "url", "alb"}

// event writes r as a front door does. The keys that Middy and ours read are all
// there; what neither reads is left out, so that a case can be read.
func event(door string, r request) json.RawMessage {
	if r.method == "" {
		r.method = "GET"
	}
	if r.path == "" {
		r.path = "/"
	}
	if r.headers == nil {
		r.headers = object{}
	}
	single, multi := object{}, object{}
	for name, values := range r.query {
		single[name] = values[len(values)-1]
		multi[name] = values
	}
	e := object{"headers": r.headers, "isBase64Encoded": r.encoded}
	if r.body != nil {
		e["body"] = r.body
	}
	switch door {
	case "rest", "http1":
		e["httpMethod"], e["path"] = r.method, r.path
		e["requestContext"] = object{"stage": "prod", "requestId": "r1", "path": "/prod" + r.path}
		e["queryStringParameters"], e["multiValueQueryStringParameters"], e["pathParameters"] = nil, nil, nil
		if len(single) > 0 {
			e["queryStringParameters"], e["multiValueQueryStringParameters"] = single, multi
		}
		if len(r.params) > 0 {
			e["pathParameters"] = r.params
		}
		if door == "http1" {
			e["version"] = "1.0"
		}
	case "http2", "url":
		domain := "api.example.com"
		if door == "url" {
			domain = "abc.lambda-url.eu-west-1.on.aws"
		}
		lower := object{}
		for name, value := range r.headers {
			lower[strings.ToLower(name)] = value
		}
		e["version"], e["headers"], e["rawPath"], e["rawQueryString"] = "2.0", lower, r.path, r.query.Encode()
		e["requestContext"] = object{"stage": "$default", "domainName": domain, "requestId": "r1", "http": object{"method": r.method, "path": r.path}}
		if len(single) > 0 {
			for name, values := range r.query {
				single[name] = strings.Join(values, ",")
			}
			e["queryStringParameters"] = single
		}
		if len(r.params) > 0 {
			e["pathParameters"] = r.params
		}
	case "alb":
		e["httpMethod"], e["path"], e["queryStringParameters"] = r.method, r.path, single
		e["requestContext"] = object{"elb": object{"targetGroupArn": "arn"}}
		if len(r.params) > 0 {
			e["pathParameters"] = r.params
		}
	case "lattice":
		delete(e, "isBase64Encoded")
		e["method"], e["raw_path"], e["query_string_parameters"], e["is_base64_encoded"] = r.method, r.path, single, r.encoded
	}
	return raw(e)
}

// casing writes a header name as some client might.
func (g *gen) casing(name string) string {
	switch g.IntN(3) {
	case 0:
		return strings.ToLower(name)
	default:
		return name
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func repeat(s string, n int) object { return object{"$repeat": list{s, n}} }

// hostile are names that mean something to JavaScript objects.
var hostile = []string{"__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"}
