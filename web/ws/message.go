package ws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gomiddy/middy/web/internal/eventjson"
)

// The routes that API Gateway has by itself.
const (
	Connect    = "$connect"
	Disconnect = "$disconnect"
	Default    = "$default"
)

// A Message is one event of a WebSocket API: a handshake, a message, or a goodbye.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
type Message struct {
	// Payload is the event as delivered, read-only.
	Payload []byte

	// RouteKey is the route that API Gateway chose: Connect, Disconnect, Default, or
	// one of the API's own.
	RouteKey string
	// EventType is CONNECT, MESSAGE or DISCONNECT.
	EventType string
	// ConnectionID is what a [Client] sends to.
	ConnectionID string
	// MessageID is unique for each message. Messages only.
	MessageID         string
	RequestID         string
	ExtendedRequestID string
	APIID             string
	// DomainName and Stage are where the callback API is.
	DomainName string
	Stage      string
	// ConnectedAt is when the connection was opened, Time when this was sent.
	ConnectedAt time.Time
	Time        time.Time
	// DisconnectCode and DisconnectReason are the close code and its reason: RFC
	// 6455 section 7.4. Disconnect only.
	DisconnectCode   int
	DisconnectReason string
	SourceIP         string
	UserAgent        string
	// Header and Query are those of the handshake. Connect only; never nil.
	Header         http.Header
	Query          url.Values
	StageVariables map[string]string

	authorizer string // JSON
	body       string
	hasBody    bool
	encoded    bool
}

// DecodeEvent reads an event in one pass: package middy calls it in place of
// encoding/json. The payload must not change afterwards. An event of another kind
// is no error here; [Handler] refuses it.
func (m *Message) DecodeEvent(payload []byte) error {
	*m = Message{Payload: payload, Header: http.Header{}, Query: url.Values{}}
	s := eventjson.NewScanner(string(payload))
	if s.Kind() == '{' {
		m.event(s)
	} else {
		s.Skip()
	}
	if err := s.End(); err != nil {
		return fmt.Errorf("ws: %w", err)
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler] by DecodeEvent, over a copy.
func (m *Message) UnmarshalJSON(b []byte) error { return m.DecodeEvent([]byte(string(b))) }

// MarshalJSON returns the event as it was delivered.
func (m Message) MarshalJSON() ([]byte, error) {
	if m.Payload == nil {
		return []byte("null"), nil
	}
	return m.Payload, nil
}

func (m *Message) event(s *eventjson.Scanner) {
	var single http.Header
	var query url.Values
	for name := range s.Members {
		switch name {
		case "requestContext":
			m.context(s)
		case "headers":
			single = headers(s)
		case "multiValueHeaders":
			m.Header = headers(s)
		case "queryStringParameters":
			query = values(s)
		case "multiValueQueryStringParameters":
			m.Query = values(s)
		case "stageVariables":
			if s.Kind() == '{' {
				m.StageVariables = s.StringMap()
			} else {
				s.Skip()
			}
		case "body":
			m.hasBody = s.Kind() == '"'
			m.body = text(s)
		case "isBase64Encoded":
			m.encoded = s.Bool()
		default:
			s.Skip()
		}
	}
	if len(m.Header) == 0 && single != nil {
		m.Header = single
	}
	if len(m.Query) == 0 && query != nil {
		m.Query = query
	}
}

func (m *Message) context(s *eventjson.Scanner) {
	if s.Kind() != '{' {
		s.Skip()
		return
	}
	for name := range s.Members {
		switch name {
		case "routeKey":
			m.RouteKey = text(s)
		case "eventType":
			m.EventType = text(s)
		case "connectionId":
			m.ConnectionID = text(s)
		case "messageId":
			m.MessageID = text(s)
		case "requestId":
			m.RequestID = text(s)
		case "extendedRequestId":
			m.ExtendedRequestID = text(s)
		case "apiId":
			m.APIID = text(s)
		case "domainName":
			m.DomainName = text(s)
		case "stage":
			m.Stage = text(s)
		case "connectedAt":
			m.ConnectedAt = milliseconds(s)
		case "requestTimeEpoch":
			m.Time = milliseconds(s)
		case "disconnectStatusCode":
			m.DisconnectCode = int(whole(s))
		case "disconnectReason":
			m.DisconnectReason = text(s)
		case "authorizer":
			m.authorizer = s.Raw()
		case "identity":
			m.identity(s)
		default:
			s.Skip()
		}
	}
}

func (m *Message) identity(s *eventjson.Scanner) {
	if s.Kind() != '{' {
		s.Skip()
		return
	}
	for name := range s.Members {
		switch name {
		case "sourceIp":
			m.SourceIP = text(s)
		case "userAgent":
			m.UserAgent = text(s)
		default:
			s.Skip()
		}
	}
}

// text is a string; another value is none.
func text(s *eventjson.Scanner) string {
	if s.Kind() == '"' {
		return s.Text()
	}
	s.Skip()
	return ""
}

func whole(s *eventjson.Scanner) int64 {
	if k := s.Kind(); k == '0' || k == '"' {
		return s.Int()
	}
	s.Skip()
	return 0
}

func milliseconds(s *eventjson.Scanner) time.Time {
	if n := whole(s); n != 0 {
		return time.UnixMilli(n).UTC()
	}
	return time.Time{}
}

// headers reads headers in either form.
func headers(s *eventjson.Scanner) http.Header {
	h := http.Header{}
	for name, value := range members(s) {
		h.Add(name, value)
	}
	return h
}

func values(s *eventjson.Scanner) url.Values {
	v := url.Values{}
	for name, value := range members(s) {
		v.Add(name, value)
	}
	return v
}

// members ranges over an object of strings, or of lists of strings.
func members(s *eventjson.Scanner) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		if s.Kind() != '{' {
			s.Skip()
			return
		}
		for name := range s.Members {
			if s.Kind() != '[' {
				yield(name, text(s))
				continue
			}
			for range s.Elements {
				yield(name, text(s))
			}
		}
	}
}

// Body returns the message's text or bytes. Connect and Disconnect have none. The
// error is for a body that is not the base64 which the event says it is.
func (m *Message) Body() ([]byte, error) {
	if !m.encoded {
		return []byte(m.body), nil
	}
	b, err := base64.StdEncoding.DecodeString(m.body)
	if err != nil {
		return nil, fmt.Errorf("ws: the message body is not the base64 that it is said to be: %w", err)
	}
	return b, nil
}

// Authorizer decodes what a Lambda authorizer of $connect left for all events of
// the connection. The error says that there was none, or that v does not fit.
func (m *Message) Authorizer(v any) error {
	if m.authorizer == "" {
		return errNoAuthorizer
	}
	if err := json.Unmarshal([]byte(m.authorizer), v); err != nil {
		return fmt.Errorf("ws: decode the authorizer's context: %w", err)
	}
	return nil
}

var errNoAuthorizer = errors.New("ws: the event has no requestContext.authorizer: no authorizer stands before $connect")

type messageKey struct{}

// FromContext returns the message that is being handled. A [Client] finds its
// endpoint by it.
func FromContext(ctx context.Context) (*Message, bool) {
	m, ok := ctx.Value(messageKey{}).(*Message)
	return m, ok
}
