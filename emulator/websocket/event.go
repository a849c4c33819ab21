package websocket

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/gomiddy/middy/internal/loopback"
)

// event is what the function gets. Headers and query come with CONNECT alone.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-integrations.html
type event struct {
	Headers                         map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders,omitempty"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters,omitempty"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	StageVariables                  map[string]string   `json:"stageVariables,omitempty"`
	RequestContext                  eventContext        `json:"requestContext"`
	Body                            *string             `json:"body,omitempty"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

type eventContext struct {
	RouteKey             string            `json:"routeKey"`
	MessageID            string            `json:"messageId,omitempty"`
	DisconnectStatusCode int               `json:"disconnectStatusCode,omitempty"`
	EventType            string            `json:"eventType"`
	ExtendedRequestID    string            `json:"extendedRequestId"`
	RequestTime          string            `json:"requestTime"`
	MessageDirection     string            `json:"messageDirection"`
	DisconnectReason     *string           `json:"disconnectReason,omitempty"`
	Stage                string            `json:"stage"`
	ConnectedAt          int64             `json:"connectedAt"`
	RequestTimeEpoch     int64             `json:"requestTimeEpoch"`
	Identity             map[string]string `json:"identity"`
	RequestID            string            `json:"requestId"`
	DomainName           string            `json:"domainName"`
	ConnectionID         string            `json:"connectionId"`
	APIID                string            `json:"apiId"`
	Authorizer           map[string]any    `json:"authorizer,omitempty"`
}

// newEvent fills what every event of a connection has.
func (a *API) newEvent(c *conn, kind, routeKey string) *event {
	now, id := a.cfg.Now(), newID()
	stage := a.cfg.Stage
	if stage == "" {
		stage = "prod"
	}
	return &event{
		StageVariables: a.cfg.StageVariables,
		RequestContext: eventContext{
			RouteKey: routeKey, EventType: kind, MessageDirection: "IN", Stage: stage,
			ExtendedRequestID: id, RequestID: id, ConnectionID: c.id, APIID: c.apiID, DomainName: c.domain,
			RequestTime: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), RequestTimeEpoch: now.UnixMilli(),
			ConnectedAt: c.connected.UnixMilli(), Identity: c.identity, Authorizer: a.cfg.Authorizer,
		},
	}
}

func (e *event) encode() []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(e) // strings and numbers, and Authorizer, which was JSON
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// addRequest fills in the handshake's headers and query.
func (e *event) addRequest(r *http.Request, traceID string) {
	m := make(map[string][]string, len(r.Header)+5)
	for name, values := range r.Header {
		switch name {
		case "Connection", "Upgrade", "Keep-Alive", "Te", "Proxy-Connection", "X-Forwarded-For":
		default:
			m[spelled(name)] = values
		}
	}
	scheme, port := "http", "80"
	if r.TLS != nil {
		scheme, port = "https", "443"
	}
	if _, p, err := net.SplitHostPort(r.Host); err == nil {
		port = p
	}
	m["Host"] = []string{r.Host}
	m["X-Amzn-Trace-Id"] = []string{traceID}
	m["X-Forwarded-For"] = []string{strings.Join(append(r.Header.Values("X-Forwarded-For"), loopback.Hostname(r.RemoteAddr)), ", ")}
	m["X-Forwarded-Port"] = []string{port}
	m["X-Forwarded-Proto"] = []string{scheme}
	e.MultiValueHeaders, e.Headers = m, lastOf(m)
	query := parseQuery(r.URL.RawQuery)
	e.MultiValueQueryStringParameters, e.QueryStringParameters = query, lastOf(query)
}

// spelled gives the four headers of the handshake back the spelling that every
// client uses and net/http changes.
func spelled(name string) string {
	if rest, ok := strings.CutPrefix(textproto.CanonicalMIMEHeaderKey(name), "Sec-Websocket-"); ok {
		return "Sec-WebSocket-" + rest
	}
	return name
}

func lastOf(lists map[string][]string) map[string]string {
	m := make(map[string]string, len(lists))
	for name, values := range lists {
		if n := len(values); n > 0 {
			m[name] = values[n-1]
		}
	}
	return m
}

// parseQuery keeps what cannot be decoded as it is.
func parseQuery(raw string) map[string][]string {
	m := map[string][]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		m[unescape(key)] = append(m[unescape(key)], unescape(value))
	}
	return m
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// route is the key in the message, or $default for what is not JSON, has no such
// property, or names one of the gateway's own routes; ok is false when the API has
// no such route.
func (a *API) route(message []byte) (key string, ok bool) {
	key = "$default"
	for i, name := range a.path {
		var object map[string]json.RawMessage
		if json.Unmarshal(message, &object) != nil || object[name] == nil {
			break
		}
		message = object[name]
		if i < len(a.path)-1 {
			continue
		}
		var text string
		if json.Unmarshal(message, &text) == nil && text != "" && text[0] != '$' {
			key = text
		}
	}
	if a.cfg.Routes == nil {
		return key, true
	}
	has := func(key string) bool {
		for _, r := range a.cfg.Routes {
			if r == key {
				return true
			}
		}
		return false
	}
	if has(key) {
		return key, true
	}
	return "$default", has("$default")
}

// timestamp is a time as GetConnection has it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
