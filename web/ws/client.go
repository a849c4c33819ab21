package ws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/internal/awsapi"
)

const (
	// MaxMessage is the largest message, both ways, in bytes.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
	MaxMessage = 128 << 10

	// EndpointEnv is the variable that says where the callback API is: the SDK's
	// for this service.
	EndpointEnv = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"

	// maxEndpoints bounds how many endpoints a client remembers. A function that
	// serves more APIs than that makes some clients anew.
	maxEndpoints = 64
)

// What goes wrong. Compare with [errors.Is].
var (
	// ErrGone: the connection is closed, or never was. In every [*GoneError].
	ErrGone = errors.New("ws: the connection is gone")
	// ErrTooLarge: the message is larger than [MaxMessage]. Nothing was sent.
	ErrTooLarge = errors.New("ws: the message is too large")
	// ErrNoEndpoint: nothing says where the callback API is.
	ErrNoEndpoint = errors.New("ws: no endpoint")
)

// A GoneError says that a connection is closed: 410 GoneException.
type GoneError struct {
	ConnectionID string
	// Err is the answer of API Gateway.
	Err error
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("ws: the connection %s is gone; forget it", e.ConnectionID)
}

// Unwrap returns the answer of API Gateway.
func (e *GoneError) Unwrap() error { return e.Err }

// Is says that the error is [ErrGone].
func (e *GoneError) Is(target error) bool { return target == ErrGone }

// A Config configures [NewClient].
type Config struct {
	// Endpoint is where the callback API is, with the stage:
	// https://abc.execute-api.eu-west-1.amazonaws.com/prod. The console's connection
	// URL, which ends in /@connections, may be given as it is. Default: EndpointEnv,
	// or else the domain name and the stage of the message that is being handled; of
	// an API with a domain name of its own, whose paths have no stage, its address at
	// execute-api. An API that has that address disabled needs Endpoint.
	// AWS_ENDPOINT_URL, which is for all services, does not count.
	Endpoint string
	// OnGone is called with a connection that turned out to be gone, before the
	// [*GoneError] is returned: to remove it from where connections are stored.
	// [Client.Broadcast] calls it on several goroutines at once. Optional.
	OnGone func(ctx context.Context, connectionID string)
	// Concurrency is how many requests a Broadcast has in flight. Default: 16.
	// Negative: one after the other.
	Concurrency int
}

// Validate reports an Endpoint that is no URL of the callback API.
func (c Config) Validate() error {
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err == nil && (u.Scheme == "wss" || u.Scheme == "ws"):
		return fmt.Errorf("ws: the endpoint %s is where clients connect; the callback API is the same with https in place of %s", c.Endpoint, u.Scheme)
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.User != nil:
		return fmt.Errorf("ws: the endpoint %q is not a URL such as https://abc.execute-api.eu-west-1.amazonaws.com/prod", c.Endpoint)
	}
	return nil
}

// A Client is the callback API, by which a function talks to connections. It is
// safe for concurrent use.
//
// It is a [middy.Middleware] that does nothing to an invocation, so that a wrong
// endpoint is found at cold start, and `middy iam` finds the permission it needs.
type Client struct {
	aws aws.Config
	cfg Config

	mu   sync.Mutex
	apis map[string]*awsapi.Client // by endpoint
}

var (
	_ middy.Middleware = (*Client)(nil)
	_ middy.Permitter  = (*Client)(nil)
	_ middy.Validator  = (*Client)(nil)
)

// NewClient returns a client. It does no I/O; what [Config.Validate] refuses fails
// every call. cfg is any aws.Config, such as
// freshsign.FromEnv's, by which the signatures survive a freeze.
func NewClient(cfg aws.Config, c Config) *Client {
	if c.Endpoint == "" {
		c.Endpoint = os.Getenv(EndpointEnv)
	}
	c.Endpoint = strings.TrimSuffix(strings.TrimRight(c.Endpoint, "/"), "/@connections")
	switch {
	case c.Concurrency == 0:
		c.Concurrency = 16
	case c.Concurrency < 0:
		c.Concurrency = 1
	}
	return &Client{aws: cfg, cfg: c, apis: map[string]*awsapi.Client{}}
}

// Wrap implements [middy.Middleware]. It returns next.
func (c *Client) Wrap(next middy.Handler) middy.Handler { return next }

// Validate implements [middy.Validator], by [Config.Validate].
func (c *Client) Validate() error { return c.cfg.Validate() }

// Permissions implements [middy.Permitter].
func (c *Client) Permissions() []middy.Permission {
	return []middy.Permission{{
		Actions:   []string{"execute-api:ManageConnections"},
		Resources: []string{"arn:aws:execute-api:*:*:*/*/*/@connections/*"},
		Reason:    "sends to WebSocket connections",
	}}
}

// Send sends data to a connection: as a text frame, or as a binary one when it is
// not UTF-8. The error is a [*GoneError], wraps [ErrTooLarge], or is the SDK's.
// https://docs.aws.amazon.com/apigatewaymanagementapi/latest/api/API_PostToConnection.html
func (c *Client) Send(ctx context.Context, connectionID string, data []byte) error {
	if len(data) > MaxMessage {
		return fmt.Errorf("%w: it has %d bytes, and API Gateway takes %d: send it in parts, or a link to it", ErrTooLarge, len(data), MaxMessage)
	}
	return c.do(ctx, "PostToConnection", request{http.MethodPost, connectionID, data}, nil)
}

// SendJSON sends v as JSON.
func (c *Client) SendJSON(ctx context.Context, connectionID string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("ws: encode the message: %w", err)
	}
	return c.Send(ctx, connectionID, data)
}

// A Connection is what API Gateway knows of one.
type Connection struct {
	ConnectedAt  time.Time `json:"connectedAt"`
	LastActiveAt time.Time `json:"lastActiveAt"`
	Identity     struct {
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"identity"`
}

// Get asks for a connection. The error is a [*GoneError] when it is closed.
// https://docs.aws.amazon.com/apigatewaymanagementapi/latest/api/API_GetConnection.html
func (c *Client) Get(ctx context.Context, connectionID string) (Connection, error) {
	var out Connection
	err := c.do(ctx, "GetConnection", request{http.MethodGet, connectionID, nil}, &out)
	return out, err
}

// Disconnect closes a connection. The error is a [*GoneError] when it is closed
// already.
// https://docs.aws.amazon.com/apigatewaymanagementapi/latest/api/API_DeleteConnection.html
func (c *Client) Disconnect(ctx context.Context, connectionID string) error {
	return c.do(ctx, "DeleteConnection", request{http.MethodDelete, connectionID, nil}, nil)
}

// A Delivery is what became of a [Client.Broadcast].
type Delivery struct {
	// Sent and Gone are numbers of connections.
	Sent, Gone int
}

// Broadcast sends data to many connections, some at a time, and returns when all
// requests have ended: none crosses into a freeze. Connections that are gone are
// counted, told to OnGone, and no error. The error joins all others, one for each
// connection, and the context's when not all were tried.
func (c *Client) Broadcast(ctx context.Context, connectionIDs []string, data []byte) (Delivery, error) {
	if len(data) > MaxMessage {
		return Delivery{}, c.Send(ctx, "", data)
	}
	var (
		mu   sync.Mutex
		all  Delivery
		errs []error
		wg   sync.WaitGroup
		slot = make(chan struct{}, c.cfg.Concurrency)
	)
	for i, id := range connectionIDs {
		select {
		case slot <- struct{}{}:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			mu.Lock()
			errs = append(errs, fmt.Errorf("ws: %d of %d connections were not tried: %w", len(connectionIDs)-i, len(connectionIDs), err))
			mu.Unlock()
			break
		}
		wg.Go(func() {
			defer func() { <-slot }()
			err := c.Send(ctx, id, data)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				all.Sent++
			case errors.Is(err, ErrGone):
				all.Gone++
			default:
				errs = append(errs, fmt.Errorf("ws: to %s: %w", id, err))
			}
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

func (c *Client) do(ctx context.Context, operation string, in request, out any) error {
	if in.id == "" {
		return errors.New("ws: the connection id is empty")
	}
	endpoint, err := c.endpoint(ctx)
	if err != nil {
		return err
	}
	err = c.api(endpoint).Do(ctx, operation, in, out)
	if !isGone(err) {
		return err
	}
	if c.cfg.OnGone != nil {
		c.cfg.OnGone(ctx, in.id)
	}
	return &GoneError{ConnectionID: in.id, Err: err}
}

func isGone(err error) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "GoneException" {
		return true
	}
	resp, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return ok && resp.HTTPStatusCode() == http.StatusGone
}

// endpoint is where to send to.
func (c *Client) endpoint(ctx context.Context) (string, error) {
	if c.cfg.Endpoint != "" {
		return c.cfg.Endpoint, nil
	}
	m, ok := FromContext(ctx)
	if !ok {
		return "", fmt.Errorf("%w: set ws.Config.Endpoint or %s, or send with the context of a message", ErrNoEndpoint, EndpointEnv)
	}
	if !isHost(m.DomainName) || !isStage(m.Stage) {
		return "", fmt.Errorf("%w: the event's domainName %q and stage %q are none", ErrNoEndpoint, m.DomainName, m.Stage)
	}
	host := m.DomainName
	if regionOf(host) == "" && isAPI(m.APIID) && c.aws.Region != "" {
		host = m.APIID + executeAPI + c.aws.Region + suffix(c.aws.Region)
	}
	return "https://" + host + "/" + m.Stage, nil
}

const executeAPI = ".execute-api."

// regionOf is the region of an address at execute-api, or "".
func regionOf(host string) string {
	_, rest, ok := strings.Cut(host, executeAPI)
	region, _, dot := strings.Cut(rest, ".")
	if !ok || !dot {
		return ""
	}
	return region
}

func suffix(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return ".amazonaws.com.cn"
	case strings.HasPrefix(region, "eusc-"):
		return ".amazonaws.eu"
	}
	return ".amazonaws.com"
}

// isAPI reports whether s is the id of an API in AWS, and not of an emulated one.
func isAPI(s string) bool {
	return len(s) == 10 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// isHost keeps an event from sending a signed request anywhere but to a host.
func isHost(s string) bool {
	return s != "" && len(s) < 254 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}

func isStage(s string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$") == ""
}

var service = awsapi.Service{ID: "ApiGatewayManagementApi", Signing: "execute-api"}

// api is the client of one endpoint. Each has its own: requests of one API must
// never go to another's connections.
func (c *Client) api(endpoint string) *awsapi.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if api, ok := c.apis[endpoint]; ok {
		return api
	}
	if len(c.apis) >= maxEndpoints {
		clear(c.apis)
	}
	cfg := c.aws.Copy()
	cfg.APIOptions = append(cfg.APIOptions[:len(cfg.APIOptions):len(cfg.APIOptions)], asREST)
	cfg.ServiceOptions = append(cfg.ServiceOptions[:len(cfg.ServiceOptions):len(cfg.ServiceOptions)], func(_ string, options any) {
		if o, ok := options.(*awsapi.Options); ok {
			o.BaseEndpoint = &endpoint
			if region := regionOf(endpoint); region != "" {
				o.Region = region // an API may call a function of another region
			}
		}
	})
	api := awsapi.New(service, cfg)
	c.apis[endpoint] = api
	return api
}

// A request is one call: the service speaks REST, where package awsapi's own
// serializer speaks JSON 1.1. Errors look alike in both.
type request struct {
	method, id string
	body       []byte
}

// asREST puts the request's own serializer in the place of awsapi's.
func asREST(stack *middleware.Stack) error {
	_, err := stack.Serialize.Swap("OperationSerializer", serialize{})
	return errors.Join(err, stack.Finalize.Insert(escapePath{}, "ResolveEndpointV2", middleware.After))
}

type serialize struct{}

func (serialize) ID() string { return "OperationSerializer" }

func (serialize) HandleSerialize(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	out middleware.SerializeOutput, md middleware.Metadata, err error,
) {
	req, ok := in.Request.(*smithyhttp.Request)
	call, isCall := in.Parameters.(request)
	if !ok || !isCall {
		return out, md, &smithy.SerializationError{Err: fmt.Errorf("unexpected %T with %T", in.Request, in.Parameters)}
	}
	req.Method, req.URL.Path = call.method, connections+call.id
	if call.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/octet-stream")
		if req, err = req.SetStream(bytes.NewReader(call.body)); err != nil {
			return out, md, &smithy.SerializationError{Err: err}
		}
	}
	in.Request = req
	return next.HandleSerialize(ctx, in)
}

const connections = "/@connections/"

// escapePath writes the path as the SDK's client does, with the = of a connection
// id as %3D, once the endpoint has put the stage before it.
type escapePath struct{}

func (escapePath) ID() string { return "ConnectionPath" }

func (escapePath) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	if req, ok := in.Request.(*smithyhttp.Request); ok {
		if before, id, ok := strings.Cut(req.URL.Path, connections); ok {
			req.URL.RawPath = httpbinding.EscapePath(before, false) + connections + httpbinding.EscapePath(id, true)
		}
	}
	return next.HandleFinalize(ctx, in)
}
