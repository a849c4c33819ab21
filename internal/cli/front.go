package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/lambda"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/websocket"
)

// frontKinds are what --front takes, in the order in which help lists them.
var frontKinds = []struct{ name, text string }{
	{"http", "HTTP API 2.0"},
	{"http1", "HTTP API 1.0"},
	{"rest", "REST API"},
	{"url", "function URL"},
	{"alb", "load balancer"},
	{"alb-multi", "load balancer, multi-value headers"},
	{"lattice", "VPC Lattice V2"},
	{"lattice1", "VPC Lattice V1"},
	{"ws", "WebSocket API"},
	{noFront, "the Invoke API alone"},
}

// noFront is the door of a function that takes no HTTP.
const noFront = "none"

func frontText(name string) string {
	for _, k := range frontKinds {
		if k.name == name {
			return k.text
		}
	}
	return ""
}

func frontList() string {
	var all []string
	for _, k := range frontKinds {
		all = append(all, k.name+" ("+k.text+")")
	}
	return strings.Join(all, ", ")
}

// readFronts reads --front and --websocket: each door once, in the order given.
func (c *devConfig) readFronts(websocketToo bool) error {
	for name := range strings.SplitSeq(c.front, ",") {
		name = strings.TrimSpace(name)
		if frontText(name) == "" {
			return usagef("--front %s is not a door; the doors are %s", name, frontList())
		}
		if !slices.Contains(c.fronts, name) {
			c.fronts = append(c.fronts, name)
		}
	}
	if websocketToo && !slices.Contains(c.fronts, "ws") {
		c.fronts = append(c.fronts, "ws")
	}
	if c.stream && !slices.Contains(c.fronts, "url") && !slices.Contains(c.fronts, "rest") {
		return usagef("--stream is for --front url and --front rest; no other door streams")
	}
	for _, r := range c.routes {
		if method, path, ok := strings.Cut(r, " "); ok && (method == "" || !strings.HasPrefix(path, "/")) {
			return usagef("--route %q is not a route; write METHOD /path, $default, or the key of a WebSocket route", r)
		}
	}
	return nil
}

// A front is one door on its port.
type front struct {
	name     string
	url      string
	listener net.Listener
}

// text says what the door is.
func (f front) text(c *devConfig) string {
	text := frontText(f.name)
	if c.stream && (f.name == "url" || f.name == "rest") {
		text += ", streamed"
	}
	return text
}

// socketURL is what a WebSocket client connects to.
func (f front) socketURL(c *devConfig) string {
	return "ws" + strings.TrimPrefix(f.url, "http") + "/" + c.stage
}

// stagePath is what a URL begins with behind the address.
func (f front) stagePath(c *devConfig) string {
	if c.stage == "" || !slices.Contains([]string{"http", "http1", "rest"}, f.name) {
		return ""
	}
	return "/" + c.stage
}

// listenFronts opens a port for each door: the one asked for and those that
// follow, or free ones.
func listenFronts(ctx context.Context, c *devConfig) (fronts []front, err error) {
	defer func() {
		if err != nil {
			closeFronts(fronts)
		}
	}()
	for i, name := range c.fronts {
		port := c.port
		if port != 0 {
			port += i
		}
		l, err := listen(ctx, port)
		if err != nil {
			return fronts, err
		}
		fronts = append(fronts, front{name, "http://" + l.Addr().String(), l})
	}
	return fronts, nil
}

func closeFronts(fronts []front) {
	for _, f := range fronts {
		_ = f.listener.Close()
	}
}

// callbackVar points the SDK's ApiGatewayManagementApi client at the WebSocket
// door. https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
const callbackVar = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"

// callbackEnv is the variable, where there is such a door.
func callbackEnv(fronts []front) []string {
	for _, f := range fronts {
		if f.name == "ws" {
			return []string{callbackVar + "=" + f.url}
		}
	}
	return nil
}

// newDoor is the HTTP door of that name; nil for the WebSocket API, and for what
// is no door.
func newDoor(name string, c *devConfig, region, account string) frontdoor.Door {
	httpAPI := frontdoor.HTTPAPI{Stage: c.stage, Routes: c.httpRoutes(true), AccountID: account}
	switch name {
	case "http":
		return httpAPI
	case "http1":
		return frontdoor.HTTPAPI1(httpAPI)
	case "rest":
		return frontdoor.RESTAPI{Stage: c.stage, Routes: c.httpRoutes(false), BinaryMediaTypes: c.binary, Stream: c.stream, AccountID: account}
	case "url":
		return frontdoor.FunctionURL{Stream: c.stream}
	case "alb", "alb-multi":
		return frontdoor.ALB{MultiValue: name == "alb-multi"}
	case "lattice":
		return frontdoor.Lattice{EventVersion: "V2", Region: region, AccountID: account}
	case "lattice1":
		return frontdoor.Lattice{EventVersion: "V1"}
	}
	return nil
}

// httpRoutes are those with a method; a REST API has no $default.
func (c *devConfig) httpRoutes(defaultToo bool) []string {
	var routes []string
	for _, r := range c.routes {
		if strings.Contains(r, " ") || defaultToo && r == "$default" {
			routes = append(routes, r)
		}
	}
	return routes
}

// messageRoutes are those without one.
func (c *devConfig) messageRoutes() []string {
	var routes []string
	for _, r := range c.routes {
		if !strings.Contains(r, " ") {
			routes = append(routes, r)
		}
	}
	return routes
}

// serveFronts serves every door, each with Lambda's Invoke API beside it. stop
// ends connections, and asynchronous invocations that wait for a retry.
func (s *session) serveFronts() (stop func()) {
	fn := reported{s.fn, s.report}
	api := lambda.Handler(func(name string) runtimeapi.Invoker {
		if name == s.program.Name || name == "" {
			return fn
		}
		return nil
	}).Describe(lambda.Description{Name: s.program.Name, Region: s.aws.region, AccountID: s.aws.account, MemoryMB: s.cfg.memory, Timeout: max(s.cfg.timeout, 0)})
	door := func(f front) http.Handler {
		switch f.name {
		case noFront:
			return http.HandlerFunc(s.noDoor)
		default:
			return frontdoor.New(frontdoor.Config{Function: fn, Door: newDoor(f.name, s.cfg, s.aws.region, s.aws.account), Warn: s.report.doorWarning})
		}
	}
	var sockets []*websocket.API
	var servers []*http.Server
	var served sync.WaitGroup
	for _, f := range s.fronts {
		var h http.Handler
		if f.name == "ws" {
			ws := websocket.New(websocket.Config{
				Function: fn, Routes: s.cfg.messageRoutes(), RouteResponses: s.cfg.routeResponses, Stage: s.cfg.stage,
				Verifier: s.aws.verifier, Region: s.aws.region, Warn: s.report.doorWarning,
			})
			sockets, h = append(sockets, ws), ws
		} else {
			h = door(f)
		}
		srv := &http.Server{Handler: guard(wholeBody(s.fn.hold(beside(api, h)))), ReadHeaderTimeout: bodyWait, ConnContext: frontdoor.ConnContext}
		servers = append(servers, srv)
		served.Go(func() { _ = srv.Serve(frontdoor.Listener(f.listener)) }) // it ends with ErrServerClosed, by stop
	}
	return func() {
		for _, ws := range sockets {
			_ = within(ws.Close) // its only error is that the second was too short
		}
		for _, srv := range servers {
			if within(srv.Shutdown) != nil {
				_ = srv.Close()
			}
		}
		served.Wait()
		api.Close()
	}
}

// noDoor answers where there is no HTTP door.
func (s *session) noDoor(w http.ResponseWriter, _ *http.Request) {
	text := "there is no front door here"
	if s.why != "" {
		text = s.why
	}
	http.Error(w, "middy dev: "+text+"; call the function with middy invoke", http.StatusNotFound)
}

// within gives what ends a door a second.
func within(end func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return end(ctx)
}

func beside(api *lambda.API, door http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lambda.Match(r) {
			api.ServeHTTP(w, r)
			return
		}
		door.ServeHTTP(w, r)
	})
}

// A swap is the function whose build may change: an invocation finds the build
// that came up last.
type swap struct {
	mu      sync.Mutex
	fn      *runtimeapi.Function
	cleanup func()         // when fn has ended
	why     string         // there is no build, and none on its way
	news    chan struct{}  // closed when fn or why changes
	old     sync.WaitGroup // builds that end what they have
	ending  context.Context
	end     context.CancelFunc // ends them at once
}

func newSwap() *swap {
	s := &swap{news: make(chan struct{})}
	s.ending, s.end = context.WithCancel(context.Background())
	return s
}

func (s *swap) current() *runtimeapi.Function {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fn
}

// Invoke is the current build's.
func (s *swap) Invoke(ctx context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	for {
		fn := s.current()
		if fn == nil { // a rotation that is due, and the first build is not up
			return nil, &runtimeapi.InvokeError{Reason: runtimeapi.ErrClosed, Detail: "the function has not started yet"}
		}
		resp, err := fn.Invoke(ctx, req)
		if errors.Is(err, runtimeapi.ErrClosed) && fn != s.current() {
			continue // it was swapped in between
		}
		return resp, err
	}
}

// tell lets those who wait look again. Needs s.mu.
func (s *swap) tell() {
	close(s.news)
	s.news = make(chan struct{})
}

// building says that a build is on its way.
func (s *swap) building() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = ""
	s.tell()
}

// failed says why there is none, should there be none.
func (s *swap) failed(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = why
	s.tell()
}

// wait returns when there is a build, with why there is none, or with ctx.
func (s *swap) wait(ctx context.Context) (why string, err error) {
	for {
		s.mu.Lock()
		fn, why, news := s.fn, s.why, s.news
		s.mu.Unlock()
		if fn != nil || why != "" {
			if fn != nil {
				why = ""
			}
			return why, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// hold keeps requests until the first build is up. A client that has gone by then
// was never here: nothing is invoked for it.
func (s *swap) hold(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch why, err := s.wait(r.Context()); {
		case err != nil:
		case why != "":
			w.Header().Set("Retry-After", "1")
			http.Error(w, "middy dev: "+why, http.StatusServiceUnavailable)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// fresh lets every invocation from now on find a new sandbox.
func (s *swap) fresh() {
	if fn := s.current(); fn != nil {
		fn.Restart()
	}
}

// replace makes fn the current build. The one before ends what it has, and is then
// cleaned up.
func (s *swap) replace(fn *runtimeapi.Function, cleanup func()) {
	s.mu.Lock()
	before, cleanupBefore := s.fn, s.cleanup
	s.fn, s.cleanup = fn, cleanup
	s.tell()
	s.mu.Unlock()
	if before != nil {
		s.old.Go(func() {
			_ = before.Shutdown(s.ending) // its only error is ctx's
			cleanupBefore()
		})
	}
}

// shutdown gives what is in flight as long as ctx, then ends every process.
func (s *swap) shutdown(ctx context.Context) {
	if fn := s.current(); fn != nil {
		_ = fn.Shutdown(ctx) // its only error is ctx's
	}
	defer s.end()
	defer context.AfterFunc(ctx, s.end)()
	s.old.Wait()
}
