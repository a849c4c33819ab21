package frontdoor

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gomiddy/middy/internal/loopback"
)

// event1 is payload format 1.0 of an HTTP API and, without a version, the event
// of a REST API. What is empty is null, not absent.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
type event1 struct {
	Version                         string              `json:"version,omitempty"`
	Resource                        string              `json:"resource"`
	Path                            string              `json:"path"`
	HTTPMethod                      string              `json:"httpMethod"`
	Headers                         map[string]string   `json:"headers"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`
	PathParameters                  map[string]string   `json:"pathParameters"`
	StageVariables                  map[string]string   `json:"stageVariables"`
	RequestContext                  context1            `json:"requestContext"`
	Body                            *string             `json:"body"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

type context1 struct {
	ResourceID        string         `json:"resourceId"`
	ResourcePath      string         `json:"resourcePath"`
	HTTPMethod        string         `json:"httpMethod"`
	ExtendedRequestID string         `json:"extendedRequestId"`
	RequestTime       string         `json:"requestTime"`
	Path              string         `json:"path"`
	AccountID         string         `json:"accountId"`
	Protocol          string         `json:"protocol"`
	Stage             string         `json:"stage"`
	DomainPrefix      string         `json:"domainPrefix"`
	RequestTimeEpoch  int64          `json:"requestTimeEpoch"`
	RequestID         string         `json:"requestId"`
	Authorizer        map[string]any `json:"authorizer,omitempty"`
	Identity          map[string]any `json:"identity"`
	DomainName        string         `json:"domainName"`
	APIID             string         `json:"apiId"`
}

// newEvent1 fills what is the same for both gateways, but for headers and body.
func newEvent1(r *http.Request, in Arrival) event1 {
	single, multi := queryLists(r.URL.RawQuery, unescape)
	domain := loopback.Hostname(r.Host)
	prefix, _, _ := strings.Cut(domain, ".")
	return event1{
		HTTPMethod: r.Method, QueryStringParameters: single, MultiValueQueryStringParameters: multi,
		RequestContext: context1{
			HTTPMethod: r.Method, Protocol: r.Proto, DomainName: domain, DomainPrefix: prefix,
			RequestID: in.RequestID, RequestTime: logTime(in.Time), RequestTimeEpoch: in.Time.UnixMilli(),
		},
	}
}

// identity is requestContext.identity with what an unauthenticated caller has.
func identity(r *http.Request, nulls ...string) map[string]any {
	m := make(map[string]any, len(nulls)+2)
	for _, name := range nulls {
		m[name] = nil
	}
	m["sourceIp"], m["userAgent"] = sourceIP(r), r.UserAgent()
	return m
}

// logTime is a time as requestTime has it, that of Apache's logs.
func logTime(t time.Time) string { return t.UTC().Format("02/Jan/2006:15:04:05 -0700") }

// extendedID derives the short id of a request from its long one, so that event
// and response agree on it.
func extendedID(requestID string) string {
	sum := sha256.Sum256([]byte(requestID))
	return base64.RawURLEncoding.EncodeToString(sum[:11]) + "="
}

// queryLists are all values of each key, and the last; both nil when there is no
// query. Each part goes through decode.
func queryLists(raw string, decode func(string) string) (last map[string]string, all map[string][]string) {
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, value = decode(key), decode(value)
		if all == nil {
			last, all = map[string]string{}, map[string][]string{}
		}
		last[key] = value
		all[key] = append(all[key], value)
	}
	return last, all
}

// asSent does not decode. What is not UTF-8 cannot stand in JSON.
func asSent(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// lastOf keeps the last value of each.
func lastOf(lists map[string][]string) map[string]string {
	m := make(map[string]string, len(lists))
	for name, values := range lists {
		if n := len(values); n > 0 {
			m[name] = values[n-1]
		}
	}
	return m
}

// lowered are the request's headers in lower case, but for those to skip. Two
// spellings of one name meet in one list.
func lowered(r *http.Request, skip func(lower string) bool) map[string][]string {
	m := make(map[string][]string, len(r.Header)+6)
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if !skip(name) {
			m[name] = append(m[name], values...)
		}
	}
	return m
}

// forwarded appends the client to the proxies before it.
func forwarded(before []string, r *http.Request) string {
	return strings.Join(append(append([]string(nil), before...), sourceIP(r)), ", ")
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// textOf is the body as text, for a gateway that was not told that it is binary;
// intact is false when bytes that are no UTF-8 were lost.
func textOf(body []byte) (text string, intact bool) {
	if utf8.Valid(body) {
		return string(body), true
	}
	return strings.ToValidUTF8(string(body), "\uFFFD"), false
}
