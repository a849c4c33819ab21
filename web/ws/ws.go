package ws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/eventjson"
	"github.com/gomiddy/middy/web/internal/header"
)

// A Receiver handles messages. What it returns is the answer:
//
//   - nil: nothing but that it went well
//   - a string or a []byte: as it is
//   - a [Response]: as it is, with its status
//   - anything else: as JSON
//
// An error of type [*web.Error] is an answer too, with its status and what of it is
// public. Any other error fails the invocation, and API Gateway tells the client
// "Internal server error".
//
// A Receiver must be safe for concurrent use.
type Receiver interface {
	Receive(ctx context.Context, m *Message) (any, error)
}

// Func makes a function a [Receiver].
type Func func(ctx context.Context, m *Message) (any, error)

// Receive calls f.
func (f Func) Receive(ctx context.Context, m *Message) (any, error) { return f(ctx, m) }

// A Response is what API Gateway reads: on $connect a status outside of 200 to 299
// refuses the handshake; on a message the body is sent to the client where the
// route has a route response.
type Response struct {
	// StatusCode 0 is 200.
	StatusCode int
	// Header is sent with the answer to a handshake: Sec-WebSocket-Protocol. A name that
	// is none is left out, and a control character in a value becomes a space.
	Header map[string]string
	Body   []byte
}

// MarshalJSON writes the form of a proxy integration.
func (r Response) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// AppendJSON appends what MarshalJSON returns to dst: package middy calls it. It
// cannot fail.
func (r Response) AppendJSON(dst []byte) ([]byte, error) {
	status := r.StatusCode
	if status == 0 {
		status = http.StatusOK
	}
	dst = fmt.Appendf(dst, `{"statusCode":%d`, status)
	if len(r.Header) > 0 {
		dst = append(dst, `,"headers":{`...)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			if !header.IsName(name) {
				continue
			}
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = append(eventjson.AppendString(dst, name), ':')
			dst = eventjson.AppendString(dst, header.OneLine(r.Header[name]))
		}
		dst = append(dst, '}')
	}
	switch {
	case len(r.Body) == 0:
	case utf8.Valid(r.Body):
		dst = eventjson.AppendString(append(dst, `,"body":`...), r.Body)
	default:
		dst = append(dst, `,"isBase64Encoded":true,"body":"`...)
		dst = append(base64.StdEncoding.AppendEncode(dst, r.Body), '"')
	}
	return append(dst, '}'), nil
}

// Handler returns the Lambda handler of a WebSocket API, for [middy.New] and
// [middy.Start]. An event that no WebSocket API has sent is an error that says so.
func Handler(r Receiver) func(context.Context, Message) (Response, error) {
	return func(ctx context.Context, m Message) (Response, error) {
		if m.RouteKey == "" && m.ConnectionID == "" {
			return Response{}, fmt.Errorf("ws: the event is not from a WebSocket API of API Gateway: it has no requestContext.routeKey and no requestContext.connectionId; it begins with %.60s", m.Payload)
		}
		result, err := r.Receive(context.WithValue(ctx, messageKey{}, &m), &m)
		if err != nil {
			return refusal(err)
		}
		return respond(result)
	}
}

// refusal is the answer to an error that is one, and else the error.
func refusal(err error) (Response, error) {
	e, ok := errors.AsType[*web.Error](err)
	if !ok {
		return Response{}, err
	}
	body, jsonErr := json.Marshal(e)
	if jsonErr != nil {
		return Response{}, errors.Join(err, jsonErr)
	}
	status := e.Status
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	return Response{StatusCode: status, Body: body}, nil
}

func respond(result any) (Response, error) {
	switch r := result.(type) {
	case nil:
		return Response{}, nil
	case Response:
		return r, nil
	case *Response:
		if r == nil {
			return Response{}, nil
		}
		return *r, nil
	}
	body, err := encode(result)
	return Response{Body: body}, err
}

// encode is what is sent for a result.
func encode(result any) ([]byte, error) {
	switch r := result.(type) {
	case string:
		return []byte(r), nil
	case []byte:
		return r, nil
	}
	b, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("ws: encode the result: %w", err)
	}
	return b, nil
}

// A RouterConfig configures [NewRouter].
type RouterConfig struct {
	// Fallback sends messages with an unknown route key to the route $default, as
	// API Gateway does before it invokes: for APIs whose routes all lead to one
	// function, and for tests. Default: they are not found. Handshakes and goodbyes
	// never fall back.
	Fallback bool
	// NotFound answers what has no route. Default: [*web.Error] 404, which on
	// $connect refuses the handshake.
	NotFound Func
}

// A Router chooses a [Receiver] by the message's route key, which API Gateway has
// chosen by the API's route selection expression. It is safe for concurrent use.
type Router struct {
	cfg    RouterConfig
	mu     sync.RWMutex
	routes map[string]Receiver
}

// NewRouter returns a router without routes.
func NewRouter(cfg RouterConfig) *Router {
	if cfg.NotFound == nil {
		cfg.NotFound = func(context.Context, *Message) (any, error) {
			return nil, &web.Error{Status: http.StatusNotFound, Detail: "Route does not exist"}
		}
	}
	return &Router{cfg: cfg, routes: map[string]Receiver{}}
}

// Handle adds a route. The key is compared exactly. It panics when the key is empty
// or has a route already: at cold start, before any event.
func (r *Router) Handle(routeKey string, h Receiver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case routeKey == "":
		panic(errors.New("ws: a route without a key: use ws.Connect, ws.Disconnect, ws.Default or a key of the API"))
	case h == nil:
		panic(fmt.Errorf("ws: the route %s has no receiver", routeKey))
	case r.routes[routeKey] != nil:
		panic(fmt.Errorf("ws: the route %s is there twice", routeKey))
	}
	r.routes[routeKey] = h
}

// HandleFunc is Handle with a function.
func (r *Router) HandleFunc(routeKey string, f func(ctx context.Context, m *Message) (any, error)) {
	if f == nil {
		r.Handle(routeKey, nil)
		return
	}
	r.Handle(routeKey, Func(f))
}

// Receive implements [Receiver].
func (r *Router) Receive(ctx context.Context, m *Message) (any, error) {
	if m.RouteKey == "" {
		return nil, &web.Error{Status: http.StatusBadRequest, Detail: "Unknown WebSocket event format: missing 'requestContext.routeKey'"}
	}
	r.mu.RLock()
	h := r.routes[m.RouteKey]
	if h == nil && r.cfg.Fallback && m.RouteKey != Connect && m.RouteKey != Disconnect {
		h = r.routes[Default]
	}
	r.mu.RUnlock()
	if h == nil {
		return r.cfg.NotFound(ctx, m)
	}
	return h.Receive(ctx, m)
}

// Compile-time checks.
var (
	_ Receiver = Func(nil)
	_ Receiver = (*Router)(nil)
)
