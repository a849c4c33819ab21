// Package websocket is an API Gateway WebSocket API for functions that run here.
//
// A function behind a WebSocket API never holds a connection. It is invoked for
// each handshake, message and goodbye, and talks back by a signed HTTP request to
// the gateway, which may answer that the connection is gone. Such code cannot be
// tried with a WebSocket library, for the half that matters is the gateway: which
// route a message takes, what $connect can refuse, when a connection counts as
// idle, what is too large, and what a dead connection id answers.
//
// [New] gives an [API], an [http.Handler] with both halves: clients connect to
// its root, and the function posts to /@connections/{id}, with signatures
// verified as the service execute-api. An SDK is pointed at it by the variable
// AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI.
//
// It answers to a loopback Host only; the callback API never to a web page, and
// the handshake only to pages of this machine.
//
// Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
// and https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html.
package websocket

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/sigv4"
	"github.com/gomiddy/middy/internal/loopback"
)

// Quotas of the service.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
const (
	// MaxFrame is the largest frame of a client: a longer message comes in several.
	MaxFrame = 32 << 10
	// MaxMessage is the largest message, both ways.
	MaxMessage = 128 << 10
	// DefaultIdle is how long a connection may be silent.
	DefaultIdle = 10 * time.Minute
	// DefaultTotal is how long a connection may last.
	DefaultTotal = 2 * time.Hour
	// DefaultMaxConnections bounds what is open at once. AWS has no such quota.
	DefaultMaxConnections = 1000

	integrationTimeout = 29 * time.Second
	sendTimeout        = 10 * time.Second
)

// What goes wrong. Compare with [errors.Is].
var (
	// ErrGone: there is no such connection, or no longer.
	ErrGone = errors.New("websocket: the connection is gone")
	// ErrTooLarge: a message is larger than [MaxMessage].
	ErrTooLarge = errors.New("websocket: the message is too large")
	// ErrNoRoute: no route of the API fits.
	ErrNoRoute = errors.New("websocket: no route fits the message")
	// ErrRefused: the handshake was refused by this API, not by the function.
	ErrRefused = errors.New("websocket: the handshake was refused")
	// ErrFunction: the function failed, or answered in no known form.
	ErrFunction = errors.New("websocket: the function failed")
)

// Config configures [New]. Only Function is required.
type Config struct {
	// Function is what is behind the API.
	Function runtimeapi.Invoker
	// RouteSelection says where in a JSON message the route key is.
	// Default: "$request.body.action".
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html
	RouteSelection string
	// Routes are the API's custom route keys and, if it has it, "$default". A
	// message with another key goes to $default, or is refused without it. $connect
	// and $disconnect are always there. Default: every key is a route, and $default.
	Routes []string
	// RouteResponses sends the body of the function's answer to a message to the
	// client, as when each route has a route response. Default: only the callback
	// API reaches a client.
	RouteResponses bool
	// Stage is the path that clients connect to, as at an execute-api address.
	// Default: the root, as behind a custom domain, and "prod" in the event.
	Stage string
	// StageVariables are left out when there are none.
	StageVariables map[string]string
	// APIID defaults to "local".
	APIID string
	// Authorizer is requestContext.authorizer of every event, such as
	// {"principalId": …}. Default: absent.
	Authorizer map[string]any

	// Verifier checks who calls /@connections. Nil does not check.
	Verifier *sigv4.Verifier
	// Region is what a signature must be for. Default: any.
	Region string

	// Idle ends a connection that is silent both ways. Default: [DefaultIdle];
	// negative: never.
	Idle time.Duration
	// Total ends a connection that has lasted so long. Default: [DefaultTotal];
	// negative: never.
	Total time.Duration
	// Concurrency is how many messages of one connection the function may have at
	// once. Default: 1, which keeps their order; AWS promises none.
	Concurrency int
	// MaxConnections refuses handshakes beyond it, with 429.
	// Default: [DefaultMaxConnections].
	MaxConnections int

	// Warn receives, with the connection's id, what the client is not told.
	// It is called by many goroutines. Optional.
	Warn func(connectionID string, reason error)
	// Now is the clock of the events. Timeouts go by the computer's.
	// Default: time.Now.
	Now func() time.Time
}

var selection = regexp.MustCompile(`^\$(?:\{request\.body((?:\.[\w-]+)+)\}|request\.body((?:\.[\w-]+)+))$`)

// Validate reports what New would not accept, all at once.
func (c Config) Validate() error {
	var errs []error
	if c.Function == nil {
		errs = append(errs, errors.New("websocket: there is no Function"))
	}
	if c.RouteSelection != "" && !selection.MatchString(c.RouteSelection) {
		errs = append(errs, fmt.Errorf("websocket: route selection expression %q: write $request.body. and the name of a property", c.RouteSelection))
	}
	for _, key := range c.Routes {
		if key == "" || key[0] == '$' && !slices.Contains([]string{"$default", "$connect", "$disconnect"}, key) {
			errs = append(errs, fmt.Errorf("websocket: route key %q: a custom key does not begin with $", key))
		}
	}
	return errors.Join(errs...)
}

// API is a WebSocket API. It is safe for concurrent use. End it with [API.Close].
type API struct {
	cfg  Config
	path []string // of the selection expression

	ctx  context.Context // of invocations
	stop context.CancelFunc
	wg   sync.WaitGroup // connections

	mu     sync.Mutex
	conns  map[string]*conn
	open   int // with handshakes that wait for $connect
	closed bool
}

var _ http.Handler = (*API)(nil)

// New returns an API without connections. It does no I/O, and panics with what
// [Config.Validate] finds.
func New(cfg Config) *API {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg.RouteSelection = cmp.Or(cfg.RouteSelection, "$request.body.action")
	cfg.Idle, cfg.Total = cmp.Or(cfg.Idle, DefaultIdle), cmp.Or(cfg.Total, DefaultTotal)
	cfg.Concurrency = max(cfg.Concurrency, 1)
	cfg.MaxConnections = cmp.Or(cfg.MaxConnections, DefaultMaxConnections)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Warn == nil {
		cfg.Warn = func(string, error) {}
	}
	a := &API{cfg: cfg, conns: map[string]*conn{}}
	m := selection.FindStringSubmatch(cfg.RouteSelection)
	a.path = strings.Split(strings.TrimPrefix(cmp.Or(m[1], m[2]), "."), ".")
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a
}

// Close says goodbye to every client (1001) and returns when each has its
// $disconnect behind it, or with ctx's error, and then without. No connection and
// no goroutine is left.
func (a *API) Close(ctx context.Context) error {
	a.mu.Lock()
	a.closed = true
	for _, c := range a.conns {
		if c.isReady() {
			c.close(statusGoingAway, "Going away")
		}
	}
	a.mu.Unlock()
	done := make(chan struct{})
	go func() { a.wg.Wait(); close(done) }()
	select {
	case <-done:
		a.stop()
		return nil
	case <-ctx.Done():
	}
	a.stop()
	a.mu.Lock()
	for _, c := range a.conns {
		if c.isReady() {
			_ = c.raw.Close()
		}
	}
	a.mu.Unlock()
	<-done
	return ctx.Err()
}

// Connections are the ids of the open connections, sorted.
func (a *API) Connections() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := make([]string, 0, len(a.conns))
	for id := range a.conns {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Send sends a message to a client: as text, or as binary when it is not UTF-8.
// The error is [ErrGone] or [ErrTooLarge].
func (a *API) Send(ctx context.Context, connectionID string, message []byte) error {
	if len(message) > MaxMessage {
		return fmt.Errorf("%w: it has %d bytes, and at most %d are taken", ErrTooLarge, len(message), MaxMessage)
	}
	c := a.find(connectionID)
	if c == nil {
		return ErrGone
	}
	return c.send(ctx, message)
}

// Disconnect closes a connection from this side, with 1000. The error is [ErrGone].
func (a *API) Disconnect(connectionID string) error {
	c := a.find(connectionID)
	if c == nil || !a.forget(c) {
		return ErrGone
	}
	c.close(statusNormal, "Connection Closed Normally")
	return nil
}

// find returns an open connection, or nil. One that is just being accepted is
// worth the moment.
func (a *API) find(id string) *conn {
	a.mu.Lock()
	c := a.conns[id]
	a.mu.Unlock()
	if c == nil {
		return nil
	}
	if <-c.ready; c.ws == nil {
		return nil
	}
	return c
}

// forget makes a connection's id gone; it reports whether it was there.
func (a *API) forget(c *conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conns[c.id] != c {
		return false
	}
	delete(a.conns, c.id)
	return true
}

// ServeHTTP serves handshakes and the callback API.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !loopback.Host(r.Host) { // a name that DNS brought here
		http.Error(w, "websocket: this address answers to localhost only", http.StatusForbidden)
		return
	}
	if _, id, ok := strings.Cut(r.URL.EscapedPath(), "/@connections/"); ok {
		a.callback(w, r, id)
		return
	}
	a.handshake(w, r)
}

// newID makes an id as the gateway's: eleven bytes, such as L0SM9cOFvHcCIhw=.
func newID() string {
	var b [11]byte
	rand.Read(b[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	return base64.RawURLEncoding.EncodeToString(b[:]) + "="
}

// localOrigin says whether no web page asks, or one of this machine.
func localOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || !loopback.Host(u.Host) {
			return false
		}
	}
	return len(origins) <= 1
}
