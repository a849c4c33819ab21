package frontdoor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/internal/loopback"
)

// event2 is payload format 2.0, in the order in which AWS documents it.
type event2 struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        context2          `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	PathParameters        map[string]string `json:"pathParameters,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
	StageVariables        map[string]string `json:"stageVariables,omitempty"`
}

type context2 struct {
	AccountID    string         `json:"accountId"`
	APIID        string         `json:"apiId"`
	Authorizer   map[string]any `json:"authorizer,omitempty"`
	DomainName   string         `json:"domainName"`
	DomainPrefix string         `json:"domainPrefix"`
	HTTP         http2          `json:"http"`
	RequestID    string         `json:"requestId"`
	RouteKey     string         `json:"routeKey"`
	Stage        string         `json:"stage"`
	Time         string         `json:"time"`
	TimeEpoch    int64          `json:"timeEpoch"`
}

type http2 struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// newEvent2 fills what is the same for an HTTP API and a function URL.
func newEvent2(r *http.Request, body []byte, in Arrival, rawPath, path string) event2 {
	e := event2{
		Version: "2.0", RawPath: rawPath, RawQueryString: r.URL.RawQuery,
		Cookies: cookies(r.Header), Headers: headers(r, len(body), in), QueryStringParameters: query(r.URL.RawQuery),
	}
	e.Body, e.IsBase64Encoded = encodeBody(r.Header, body)
	domain := loopback.Hostname(r.Host)
	prefix, _, _ := strings.Cut(domain, ".")
	e.RequestContext = context2{
		DomainName: domain, DomainPrefix: prefix, RequestID: in.RequestID,
		Time: logTime(in.Time), TimeEpoch: in.Time.UnixMilli(),
		HTTP: http2{Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: sourceIP(r), UserAgent: r.UserAgent()},
	}
	return e
}

// encode leaves <, > and & as they are, as the gateways do.
func encode(event any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(event); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// hopByHop are the headers that end at a proxy, RFC 9110 section 7.6.1. So do those
// that Connection names; whether the gateways obey that is not documented.
var hopByHop = []string{
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

// ends returns what says whether a header, in lower case, ends at a proxy.
func ends(r *http.Request) func(lower string) bool {
	var named []string
	for _, line := range r.Header["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			named = append(named, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	return func(lower string) bool { return slices.Contains(hopByHop, lower) || slices.Contains(named, lower) }
}

// headers are lower-cased, with repeated ones joined by a comma without a space,
// and without what ends at the gateway.
func headers(r *http.Request, length int, in Arrival) map[string]string {
	lists := lowered(r, ends(r))
	if c := lists["cookie"]; len(c) > 1 {
		lists["cookie"] = []string{strings.Join(c, "; ")} // RFC 9113 section 8.2.3
	}
	lists["x-forwarded-for"] = []string{forwarded(lists["x-forwarded-for"], r)}
	m := joined(lists)
	m["host"] = r.Host
	m["content-length"] = strconv.Itoa(length)
	m["x-amzn-trace-id"] = in.TraceID
	m["x-forwarded-proto"] = scheme(r)
	m["x-forwarded-port"] = port(r)
	return m
}

func port(r *http.Request) string {
	if _, p, err := net.SplitHostPort(r.Host); err == nil {
		return p
	}
	if r.TLS != nil {
		return "443"
	}
	return "80"
}

func sourceIP(r *http.Request) string { return loopback.Hostname(r.RemoteAddr) }

// cookies are each "name=value" as it was sent.
func cookies(h http.Header) []string {
	var list []string
	for _, line := range h.Values("Cookie") {
		for c := range strings.SplitSeq(line, ";") {
			if c = strings.TrimSpace(c); c != "" {
				list = append(list, c)
			}
		}
	}
	return list
}

// query is decoded, with the values of a repeated key joined by a comma; nil when
// there is none. What cannot be decoded stays as it is.
func query(raw string) map[string]string {
	var m map[string]string
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, value = unescape(key), unescape(value)
		if m == nil {
			m = map[string]string{}
		}
		if before, twice := m[key]; twice {
			value = before + "," + value
		}
		m[key] = value
	}
	return m
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// encodeBody decides by content type: text, JSON, XML and JavaScript go as they
// are, anything else, forms too, in base64. A body without a type counts as text.
// What is not UTF-8 cannot stand in JSON and goes in base64 in any case.
func encodeBody(h http.Header, body []byte) (string, bool) {
	if len(body) == 0 {
		return "", false
	}
	if isText(h.Get("Content-Type")) && h.Get("Content-Encoding") == "" && utf8.Valid(body) {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

func isText(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil && t == "" {
		return false
	}
	switch {
	case strings.HasPrefix(t, "text/"), strings.HasSuffix(t, "+json"), strings.HasSuffix(t, "+xml"):
		return true
	}
	return t == "application/json" || t == "application/xml" || t == "application/javascript"
}
