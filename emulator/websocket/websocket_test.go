package websocket_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	client "github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/sigv4"
	"github.com/gomiddy/middy/emulator/websocket"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

type request = events.APIGatewayWebsocketProxyRequest

// A function keeps its events and answers by route; a route it does not know, 200.
type function struct {
	answers map[string]string
	handle  func(ctx context.Context, e request) (*runtimeapi.Response, error)

	mu     sync.Mutex
	raw    [][]byte
	events chan request
}

func newFunction(answers map[string]string) *function {
	return &function{answers: answers, events: make(chan request, 100)}
}

func (f *function) Invoke(ctx context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	var e request
	dec := json.NewDecoder(bytes.NewReader(req.Payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return nil, fmt.Errorf("aws-lambda-go's type does not know the event %s: %w", req.Payload, err)
	}
	f.mu.Lock()
	f.raw = append(f.raw, req.Payload)
	f.mu.Unlock()
	f.events <- e
	if f.handle != nil {
		return f.handle(ctx, e)
	}
	answer, ok := f.answers[e.RequestContext.RouteKey]
	if !ok {
		answer = `{"statusCode":200}`
	}
	return &runtimeapi.Response{Payload: []byte(answer)}, nil
}

func (f *function) next(t *testing.T) request {
	t.Helper()
	select {
	case e := <-f.events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("the function was not invoked")
		return request{}
	}
}

// A stage is an API on a socket.
type stage struct {
	api  *websocket.API
	url  string
	http *http.Client

	mu    sync.Mutex
	warns []error
}

func serve(t *testing.T, cfg websocket.Config) *stage {
	t.Helper()
	s := &stage{http: &http.Client{Transport: &http.Transport{}}}
	cfg.Warn = func(_ string, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.warns = append(s.warns, err)
	}
	s.api = websocket.New(cfg)
	srv := httptest.NewServer(s.api)
	s.url = srv.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.api.Close(ctx); err != nil {
			t.Errorf("closing: %v", err)
		}
		s.http.CloseIdleConnections()
		srv.Close()
	})
	return s
}

func (s *stage) warned() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.warns...)
}

func (s *stage) dial(t *testing.T, path string, header http.Header, protocols ...string) (*client.Conn, *http.Response, error) {
	t.Helper()
	c, resp, err := client.Dial(t.Context(), s.url+path, &client.DialOptions{HTTPHeader: header, Subprotocols: protocols, HTTPClient: s.http})
	if err == nil {
		c.SetReadLimit(1 << 20)
		t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, resp, err
}

func (s *stage) connect(t *testing.T) *client.Conn {
	t.Helper()
	c, _, err := s.dial(t, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func say(t *testing.T, c *client.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), client.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c *client.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAConversation(t *testing.T) {
	fn := newFunction(map[string]string{"chat": `{"statusCode":200,"body":"hello back"}`})
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	s := serve(t, websocket.Config{
		Function: fn, RouteResponses: true, StageVariables: map[string]string{"color": "blue"},
		Authorizer: map[string]any{"principalId": "me"}, Now: func() time.Time { return now },
	})
	c, _, err := s.dial(t, "/?token=a%20b&token=c", http.Header{"User-Agent": {"go"}, "X-Many": {"1", "2"}})
	if err != nil {
		t.Fatal(err)
	}
	e := fn.next(t)
	rc := e.RequestContext
	id := rc.ConnectionID
	if rc.EventType != "CONNECT" || rc.RouteKey != "$connect" || rc.MessageDirection != "IN" || rc.Stage != "prod" || rc.APIID != "local" ||
		rc.DomainName != "127.0.0.1" || rc.RequestTime != "25/Nov/2026:12:00:00 +0000" || rc.RequestTimeEpoch != now.UnixMilli() ||
		rc.ConnectedAt != now.UnixMilli() || rc.RequestID == "" || rc.ExtendedRequestID == "" || rc.Identity.SourceIP != "127.0.0.1" ||
		rc.Identity.UserAgent != "go" || len(id) != 16 || !strings.HasSuffix(id, "=") || fmt.Sprint(rc.Authorizer) != "map[principalId:me]" {
		t.Errorf("$connect: %+v", rc)
	}
	if e.Headers["X-Many"] != "2" || !slices.Equal(e.MultiValueHeaders["X-Many"], []string{"1", "2"}) || e.Headers["Sec-WebSocket-Version"] != "13" ||
		e.Headers["Host"] == "" || e.Headers["X-Forwarded-For"] != "127.0.0.1" || e.Headers["Upgrade"] != "" || !strings.HasPrefix(e.Headers["X-Amzn-Trace-Id"], "Root=1-") {
		t.Errorf("$connect's headers: %v", e.Headers)
	}
	if e.QueryStringParameters["token"] != "c" || !slices.Equal(e.MultiValueQueryStringParameters["token"], []string{"a b", "c"}) || e.StageVariables["color"] != "blue" {
		t.Errorf("$connect's query: %v %v", e.QueryStringParameters, e.MultiValueQueryStringParameters)
	}

	say(t, c, `{"action":"chat","text":"hello"}`)
	e = fn.next(t)
	rc = e.RequestContext
	if rc.EventType != "MESSAGE" || rc.RouteKey != "chat" || rc.ConnectionID != id || rc.MessageID == nil || e.Body != `{"action":"chat","text":"hello"}` ||
		e.Headers != nil || e.QueryStringParameters != nil || e.IsBase64Encoded {
		t.Errorf("the message: %+v", e)
	}
	if got := hear(t, c); got != "hello back" {
		t.Errorf("the route response is %q", got)
	}

	if err := c.Close(4001, "bye now"); err != nil {
		t.Error(err)
	}
	e = fn.next(t)
	rc = e.RequestContext
	if rc.EventType != "DISCONNECT" || rc.RouteKey != "$disconnect" || rc.DisconnectStatusCode != 4001 || rc.DisconnectReason == nil || *rc.DisconnectReason != "bye now" || e.Headers != nil {
		t.Errorf("$disconnect: %+v", rc)
	}
	if ids := s.api.Connections(); len(ids) != 0 {
		t.Errorf("still connected: %v", ids)
	}
}

func TestConnectCanRefuse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		resp   *runtimeapi.Response
		err    error
		status int
	}{
		{"401", &runtimeapi.Response{Payload: []byte(`{"statusCode":401}`)}, nil, 401},
		{"a redirect", &runtimeapi.Response{Payload: []byte(`{"statusCode":302}`)}, nil, 302},
		{"300", &runtimeapi.Response{Payload: []byte(`{"statusCode":300}`)}, nil, 300},
		{"599", &runtimeapi.Response{Payload: []byte(`{"statusCode":599}`)}, nil, 599},
		{"600", &runtimeapi.Response{Payload: []byte(`{"statusCode":600}`)}, nil, 502},
		{"199", &runtimeapi.Response{Payload: []byte(`{"statusCode":199}`)}, nil, 502},
		{"no statusCode", &runtimeapi.Response{Payload: []byte(`{}`)}, nil, 502},
		{"null", &runtimeapi.Response{Payload: []byte(`null`)}, nil, 502},
		{"a status that HTTP does not have", &runtimeapi.Response{Payload: []byte(`{"statusCode":42}`)}, nil, 502},
		{"a failure", &runtimeapi.Response{FunctionError: "Unhandled", ErrorType: "boom"}, nil, 502},
		{"not delivered", nil, &runtimeapi.InvokeError{Reason: runtimeapi.ErrThrottled}, 502},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fn := newFunction(nil)
			fn.handle = func(context.Context, request) (*runtimeapi.Response, error) { return tt.resp, tt.err }
			s := serve(t, websocket.Config{Function: fn})
			_, resp, err := s.dial(t, "/", nil)
			if err == nil || resp == nil || resp.StatusCode != tt.status {
				t.Errorf("got %v %v, want %d", resp, err, tt.status)
			}
			fn.next(t)
			if len(fn.events) != 0 || len(s.api.Connections()) != 0 {
				t.Error("a refused handshake leaves something behind")
			}
			if (s.warned() != nil) != (tt.status == 502) {
				t.Errorf("warned of %v", s.warned())
			}
		})
	}
}

func TestTheGatewayRefusesHandshakes(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn, Stage: "prod"})
	good := map[string]string{"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
	for _, tt := range []struct {
		name, method, path string
		change             map[string]string
		status             int
	}{
		{"a web page of another machine", "GET", "/prod", map[string]string{"Origin": "https://attacker.example"}, 403},
		{"a page without a name", "GET", "/prod", map[string]string{"Origin": "null"}, 403},
		{"another host", "GET", "/prod", map[string]string{"Host": "attacker.example"}, 403},
		{"another path", "GET", "/", nil, 403},
		{"a stage that only begins so", "GET", "/production", nil, 403},
		{"a plain request", "GET", "/prod", map[string]string{"Upgrade": ""}, 426},
		{"no Connection", "GET", "/prod", map[string]string{"Connection": "close"}, 426},
		{"POST", "POST", "/prod", nil, 426},
		{"an old version", "GET", "/prod", map[string]string{"Sec-WebSocket-Version": "8"}, 400},
		{"a short key", "GET", "/prod", map[string]string{"Sec-WebSocket-Key": "YQ=="}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "http://localhost"+tt.path, nil)
			for k, v := range good {
				r.Header.Set(k, v)
			}
			for k, v := range tt.change {
				r.Header.Set(k, v)
				if k == "Host" {
					r.Host = v
				}
			}
			w := httptest.NewRecorder()
			s.api.ServeHTTP(w, r)
			if w.Code != tt.status || len(fn.events) != 0 {
				t.Errorf("got %d, want %d", w.Code, tt.status)
			}
		})
	}
	if c, _, err := s.dial(t, "/prod", http.Header{"Origin": {"http://localhost:3000"}}); err != nil {
		t.Errorf("a page of this machine: %v", err)
	} else if err := c.Close(client.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestOnlyLoopbackIsAnswered(t *testing.T) {
	s := serve(t, websocket.Config{Function: newFunction(nil)})
	for host, status := range map[string]int{
		"localhost": 426, "LocalHost:1": 426, "chat.localhost:1": 426, "127.0.0.1:1": 426, "[::1]:1": 426, "127.9.9.9": 426,
		"": 403, "10.0.0.1": 403, "localhost.attacker.example": 403, "attackerlocalhost": 403, "[::2]:1": 403,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if s.api.ServeHTTP(w, r); w.Code != status {
			t.Errorf("Host %q: %d, want %d", host, w.Code, status)
		}
	}
}

func TestWhereTheClientCameIn(t *testing.T) {
	for _, tt := range []struct {
		host, port, proto string
		tls               bool
	}{
		{"localhost", "80", "http", false},
		{"localhost", "443", "https", true},
		{"localhost:3001", "3001", "http", false},
		{"[::1]:3001", "3001", "http", false},
	} {
		fn := newFunction(map[string]string{"$connect": `{"statusCode":401}`})
		s := serve(t, websocket.Config{Function: fn})
		r := handshake("http://localhost/")
		r.Host = tt.host
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
		if tt.tls {
			r.TLS = &tls.ConnectionState{}
		}
		s.api.ServeHTTP(httptest.NewRecorder(), r)
		e := fn.next(t)
		if h := e.Headers; h["X-Forwarded-Port"] != tt.port || h["X-Forwarded-Proto"] != tt.proto || h["X-Forwarded-For"] != "10.0.0.1, 192.0.2.1" || h["Host"] != tt.host || e.QueryStringParameters != nil {
			t.Errorf("%s: %v", tt.host, h)
		}
	}
}

func TestTheQuotasOfTheService(t *testing.T) {
	if websocket.MaxFrame != 32768 || websocket.MaxMessage != 131072 || websocket.DefaultIdle != 10*time.Minute || websocket.DefaultTotal != 2*time.Hour || websocket.DefaultMaxConnections != 1000 {
		t.Error("a quota is not the documented one")
	}
}

func TestMessagesTakeTheirRoute(t *testing.T) {
	for _, tt := range []struct {
		name, expression string
		routes           []string
		message, want    string // "" is refused
	}{
		{"by action", "", nil, `{"action":"a"}`, "a"},
		{"a nested property", "$request.body.meta.kind", nil, `{"meta":{"kind":"b"}}`, "b"},
		{"in braces", "${request.body.kind}", nil, `{"kind":"b"}`, "b"},
		{"not JSON", "", nil, `hello`, "$default"},
		{"no such property", "", nil, `{"Action":"a"}`, "$default"},
		{"not an object", "", nil, `["action"]`, "$default"},
		{"not a string", "", nil, `{"action":{}}`, "$default"},
		{"nobody can send $connect", "", nil, `{"action":"$connect"}`, "$default"},
		{"nobody can send $disconnect", "", []string{"$default", "$disconnect"}, `{"action":"$disconnect"}`, "$default"},
		{"a route that the API has", "", []string{"a", "b"}, `{"action":"b"}`, "b"},
		{"one that it has not", "", []string{"a", "$default"}, `{"action":"b"}`, "$default"},
		{"and no $default", "", []string{"a"}, `{"action":"b"}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fn := newFunction(nil)
			s := serve(t, websocket.Config{Function: fn, RouteSelection: tt.expression, Routes: tt.routes})
			c := s.connect(t)
			fn.next(t)
			say(t, c, tt.message)
			if tt.want == "" {
				var complaint struct{ Message, ConnectionID, RequestID string }
				if err := json.Unmarshal([]byte(hear(t, c)), &complaint); err != nil || complaint.Message != "Forbidden" || complaint.ConnectionID == "" || complaint.RequestID == "" {
					t.Errorf("%+v %v", complaint, err)
				}
				if !errors.Is(s.warned(), websocket.ErrNoRoute) {
					t.Errorf("warned of %v", s.warned())
				}
				return
			}
			if e := fn.next(t); e.RequestContext.RouteKey != tt.want || e.Body != tt.message {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestBinaryMessagesComeInBase64(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn, Routes: []string{"$default"}})
	c := s.connect(t)
	fn.next(t)
	if err := c.Write(t.Context(), client.MessageBinary, []byte{0xff, 0}); err != nil {
		t.Fatal(err)
	}
	if e := fn.next(t); e.Body != "/wA=" || !e.IsBase64Encoded || e.RequestContext.RouteKey != "$default" {
		t.Errorf("%+v", e)
	}
}

func TestBinaryMessagesNeedADefaultRoute(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn, Routes: []string{"a"}})
	c := s.connect(t)
	fn.next(t)
	if err := c.Write(t.Context(), client.MessageBinary, []byte(`{"action":"a"}`)); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, c); !strings.Contains(got, `"message":"Forbidden"`) || len(fn.events) != 0 {
		t.Errorf("%s", got)
	}
}

func TestALongMessageComesInFramesOfTheAllowedSize(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn})
	c := s.connect(t)
	id := fn.next(t).RequestContext.ConnectionID
	if err := s.api.Send(t.Context(), id, make([]byte, 2*websocket.MaxFrame+1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, r, err := c.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var frames []int
	for buf := make([]byte, 4*websocket.MaxFrame); err == nil; {
		var n int
		if n, err = r.Read(buf); n > 0 { // with that much room, a frame each
			frames = append(frames, n)
		}
	}
	if !errors.Is(err, io.EOF) || !slices.Equal(frames, []int{websocket.MaxFrame, websocket.MaxFrame, 1}) {
		t.Errorf("frames of %v bytes, %v", frames, err)
	}
}

func TestAFailureIsTheClientsBusinessOnlyInSoFar(t *testing.T) {
	fn := newFunction(nil)
	fn.handle = func(_ context.Context, e request) (*runtimeapi.Response, error) {
		if e.RequestContext.EventType == "CONNECT" {
			return &runtimeapi.Response{Payload: []byte(`{"statusCode":200}`)}, nil
		}
		return &runtimeapi.Response{FunctionError: "Unhandled", ErrorType: "boom", ErrorMessage: "secret detail"}, nil
	}
	s := serve(t, websocket.Config{Function: fn})
	c := s.connect(t)
	say(t, c, "x")
	if got := hear(t, c); !strings.Contains(got, `"message":"Internal server error"`) || strings.Contains(got, "secret") {
		t.Errorf("the client hears %s", got)
	}
	if err := s.warned(); !errors.Is(err, websocket.ErrFunction) || !strings.Contains(err.Error(), "secret detail") {
		t.Errorf("the author hears %v", err)
	}
}

func TestOrderIsKeptUnlessConcurrencyIsAskedFor(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn})
	c := s.connect(t)
	fn.next(t)
	for i := range 30 {
		say(t, c, fmt.Sprint(i))
	}
	for i := range 30 {
		if e := fn.next(t); e.Body != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, e.Body)
		}
	}

	both, release := make(chan bool, 2), make(chan bool)
	fn = newFunction(nil)
	fn.handle = func(_ context.Context, e request) (*runtimeapi.Response, error) {
		if e.RequestContext.EventType == "MESSAGE" {
			both <- true
			<-release
		}
		return &runtimeapi.Response{Payload: []byte(`{"statusCode":200}`)}, nil
	}
	s = serve(t, websocket.Config{Function: fn, Concurrency: 2})
	c = s.connect(t)
	say(t, c, "1")
	say(t, c, "2")
	<-both
	<-both // two at once
	close(release)
}

func TestLimitsOfFramesAndMessages(t *testing.T) {
	for _, tt := range []struct {
		name   string
		frames []int
		code   client.StatusCode // 0: it arrives
	}{
		{"the largest frame", []int{websocket.MaxFrame}, 0},
		{"the largest message", []int{websocket.MaxFrame, websocket.MaxFrame, websocket.MaxFrame, websocket.MaxFrame}, 0},
		{"a frame too large", []int{websocket.MaxFrame + 1}, client.StatusMessageTooBig},
		{"far too large", []int{5 << 20}, client.StatusMessageTooBig},
		{"a message too large", []int{websocket.MaxFrame, websocket.MaxFrame, websocket.MaxFrame, websocket.MaxFrame, 1}, client.StatusMessageTooBig},
		{"a second frame too large", []int{1, websocket.MaxFrame + 1}, client.StatusMessageTooBig},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fn := newFunction(nil)
			s := serve(t, websocket.Config{Function: fn})
			c := s.connect(t)
			fn.next(t)
			sent := make(chan int, 1)
			go func() {
				total := 0
				w, err := c.Writer(t.Context(), client.MessageText)
				for _, n := range tt.frames {
					if err == nil {
						_, err = w.Write(bytes.Repeat([]byte("x"), n))
					}
					total += n
				}
				if err == nil {
					_ = w.Close()
				}
				sent <- total
			}()
			if tt.code == 0 {
				if e := fn.next(t); len(e.Body) != <-sent {
					t.Errorf("%d bytes arrive", len(e.Body))
				}
				return
			}
			_, _, err := c.Read(t.Context())
			if client.CloseStatus(err) != tt.code {
				t.Errorf("closed with %v, want %d", err, tt.code)
			}
			<-sent
			if e := fn.next(t); e.RequestContext.EventType != "DISCONNECT" || e.RequestContext.DisconnectStatusCode != int64(tt.code) {
				t.Errorf("%+v", e.RequestContext)
			}
			if !errors.Is(s.warned(), websocket.ErrTooLarge) {
				t.Errorf("warned of %v", s.warned())
			}
		})
	}
}

func TestSilenceAndAgeEndAConnection(t *testing.T) {
	for name, cfg := range map[string]websocket.Config{
		"idle":  {Idle: 20 * time.Millisecond, Total: -1},
		"total": {Total: 20 * time.Millisecond, Idle: -1},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction(nil)
			cfg.Function = fn
			s := serve(t, cfg)
			c := s.connect(t)
			if _, _, err := c.Read(t.Context()); client.CloseStatus(err) != client.StatusGoingAway {
				t.Errorf("closed with %v", err)
			}
			fn.next(t)
			if e := fn.next(t); e.RequestContext.DisconnectStatusCode != 1001 || *e.RequestContext.DisconnectReason != "Going away" {
				t.Errorf("%+v", e.RequestContext)
			}
		})
	}
}

func TestHowAClientCanLeave(t *testing.T) {
	for _, tt := range []struct {
		name   string
		leave  func(c *client.Conn)
		code   int64
		reason string
	}{
		{"with a code", func(c *client.Conn) { _ = c.Close(client.StatusNormalClosure, "done") }, 1000, "done"},
		{"without one", func(c *client.Conn) { _ = c.Close(client.StatusNoStatusRcvd, "") }, 1005, "Client-side close frame status not set"},
		{"without a word", func(c *client.Conn) { _ = c.CloseNow() }, 1006, "Connection closed abnormally"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fn := newFunction(nil)
			s := serve(t, websocket.Config{Function: fn})
			c := s.connect(t)
			fn.next(t)
			tt.leave(c)
			if rc := fn.next(t).RequestContext; rc.DisconnectStatusCode != tt.code || *rc.DisconnectReason != tt.reason {
				t.Errorf("%d %q", rc.DisconnectStatusCode, *rc.DisconnectReason)
			}
		})
	}
}

func TestTheFunctionChoosesTheSubprotocol(t *testing.T) {
	fn := newFunction(map[string]string{"$connect": `{"statusCode":299,"headers":{"sec-websocket-protocol":"v2"}}`})
	s := serve(t, websocket.Config{Function: fn})
	if c, _, err := s.dial(t, "/", nil, "v1", "v2"); err != nil || c.Subprotocol() != "v2" {
		t.Errorf("%v", err)
	}
}

// keys are what the callback API's callers sign with.
var keys = sigv4.Config{Lookup: func(id string) (sigv4.Credentials, bool) {
	return sigv4.Credentials{Secret: "secret"}, id == "AKIDEXAMPLE"
}}

// call signs with AWS's own signer, as the SDK does.
func (s *stage) call(t *testing.T, method, id, body, secret string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+"/@connections/"+strings.ReplaceAll(url.PathEscape(id), "=", "%3D"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		sum := sha256.Sum256([]byte(body))
		creds := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret}
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(sum[:]), "execute-api", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data), resp.Header
}

func TestTheCallbackAPI(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn, Verifier: sigv4.New(keys), Region: "us-east-1"})
	c := s.connect(t)
	id := fn.next(t).RequestContext.ConnectionID

	if status, body, _ := s.call(t, "POST", id, "hello", "secret"); status != 200 || body != "" {
		t.Errorf("POST: %d %s", status, body)
	}
	if got := hear(t, c); got != "hello" {
		t.Errorf("the client hears %q", got)
	}
	large := strings.Repeat("é", websocket.MaxMessage/2)
	if status, _, _ := s.call(t, "POST", id, large, "secret"); status != 200 {
		t.Errorf("the largest message: %d", status)
	}
	if got := hear(t, c); got != large {
		t.Errorf("the client hears %d bytes", len(got))
	}
	if status, body, h := s.call(t, "POST", id, large+"x", "secret"); status != 413 || h.Get("X-Amzn-Errortype") != "PayloadTooLargeException" {
		t.Errorf("too large: %d %s", status, body)
	}
	status, body, _ := s.call(t, "GET", id, "", "secret")
	var info struct {
		ConnectedAt, LastActiveAt time.Time
		Identity                  struct{ SourceIP, UserAgent string }
	}
	if err := json.Unmarshal([]byte(body), &info); status != 200 || err != nil || info.ConnectedAt.IsZero() || info.LastActiveAt.Before(info.ConnectedAt) || info.Identity.SourceIP != "127.0.0.1" {
		t.Errorf("GET: %d %s %v", status, body, err)
	}
	if status, body, h := s.call(t, "POST", id, "x", "wrong"); status != 403 || h.Get("X-Amzn-Errortype") != "InvalidSignatureException" {
		t.Errorf("a wrong key: %d %s %v", status, body, h)
	}
	if status, body, _ := s.call(t, "POST", id, "x", ""); status != 403 {
		t.Errorf("no signature: %d %s", status, body)
	}
	if status, _, _ := s.call(t, "PUT", id, "x", "secret"); status != 405 {
		t.Errorf("PUT: %d", status)
	}
	if status, _, h := s.call(t, "POST", "no id", "x", "secret"); status != 400 || h.Get("X-Amzn-Errortype") != "BadRequestException" {
		t.Errorf("what is no id: %d", status)
	}
	if status, body, _ := s.call(t, "DELETE", id, "", "secret"); status != 204 || body != "" {
		t.Errorf("DELETE: %d %s", status, body)
	}
	if _, _, err := c.Read(t.Context()); client.CloseStatus(err) != client.StatusNormalClosure {
		t.Errorf("closed with %v", err)
	}
	if rc := fn.next(t).RequestContext; rc.DisconnectStatusCode != 1000 {
		t.Errorf("%+v", rc)
	}
	for _, method := range []string{"POST", "GET", "DELETE"} {
		if status, body, h := s.call(t, method, id, "", "secret"); status != 410 || h.Get("X-Amzn-Errortype") != "GoneException" || strings.TrimSpace(body) != `{"message":null}` {
			t.Errorf("%s of what is gone: %d %s %v", method, status, body, h)
		}
	}
}

func TestTheCallbackAPIDoesNotAnswerWebPages(t *testing.T) {
	s := serve(t, websocket.Config{Function: newFunction(nil)})
	r := httptest.NewRequest("POST", "http://localhost/prod/@connections/abc=", nil)
	r.Header.Set("Origin", "http://localhost:3000")
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("%d", w.Code)
	}
	r.Header.Del("Origin")
	w = httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	if w.Code != 410 {
		t.Errorf("under a stage, unsigned and without a Verifier: %d", w.Code)
	}
}

func TestTheFunctionCanSpeakInTheMiddleOfAMessage(t *testing.T) {
	fn := newFunction(nil)
	var s *stage
	fn.handle = func(ctx context.Context, e request) (*runtimeapi.Response, error) {
		id := e.RequestContext.ConnectionID
		switch e.RequestContext.EventType {
		case "CONNECT":
			if err := s.api.Send(ctx, id, nil); !errors.Is(err, websocket.ErrGone) {
				t.Errorf("during $connect there is no connection yet: %v", err)
			}
		case "MESSAGE":
			if err := s.api.Send(ctx, id, []byte("echo "+e.Body)); err != nil {
				t.Error(err)
			}
		case "DISCONNECT":
			if err := s.api.Send(ctx, id, nil); !errors.Is(err, websocket.ErrGone) {
				t.Errorf("during $disconnect it is gone: %v", err)
			}
		}
		return &runtimeapi.Response{Payload: []byte(`{"statusCode":200}`)}, nil
	}
	s = serve(t, websocket.Config{Function: fn})
	c := s.connect(t)
	say(t, c, "x")
	if got := hear(t, c); got != "echo x" {
		t.Errorf("%q", got)
	}
}

func TestCloseSaysGoodbye(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn, MaxConnections: 2})
	c := s.connect(t)
	s.connect(t)
	if _, resp, err := s.dial(t, "/", nil); err == nil || resp.StatusCode != 429 {
		t.Errorf("a third: %v", err)
	}
	read := make(chan error, 1)
	go func() { _, _, err := c.Read(context.Background()); read <- err }()
	go func() { _ = s.api.Close(context.Background()) }()
	if err := <-read; client.CloseStatus(err) != client.StatusGoingAway {
		t.Errorf("%v", err)
	}
	if _, resp, err := s.dial(t, "/", nil); err == nil || resp.StatusCode != 503 {
		t.Errorf("after Close: %v", err)
	}
}

func TestAPlaceIsFreeAgainAfterGoodbye(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn, MaxConnections: 1})
	for range 3 {
		c, resp, err := s.dial(t, "/", nil)
		for err != nil && resp != nil && resp.StatusCode == 429 { // the answer of $disconnect is on its way
			c, resp, err = s.dial(t, "/", nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		fn.next(t)
		if err := c.Close(client.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		if fn.next(t); len(s.api.Connections()) > 0 {
			t.Error("still connected during $disconnect")
		}
	}
}

func TestCloseDuringAHandshakeSaysGoodbyeAfterIt(t *testing.T) {
	fn := newFunction(nil)
	asked, release := make(chan bool), make(chan bool)
	var later atomic.Bool
	fn.handle = func(_ context.Context, e request) (*runtimeapi.Response, error) {
		status := 200
		if e.RequestContext.EventType == "CONNECT" {
			if later.Swap(true) {
				status = 401
			} else {
				asked <- true
				<-release
			}
		}
		return &runtimeapi.Response{Payload: fmt.Appendf(nil, `{"statusCode":%d}`, status)}, nil
	}
	s := serve(t, websocket.Config{Function: fn})
	read := make(chan error, 1)
	go func() {
		c, _, err := client.Dial(context.Background(), s.url, &client.DialOptions{HTTPClient: s.http})
		if err == nil {
			defer c.CloseNow()
			_, _, err = c.Read(context.Background())
		}
		read <- err
	}()
	<-asked
	closed := make(chan error, 1)
	go func() { closed <- s.api.Close(context.Background()) }()
	for status := 0; status != 503; { // until Close has begun
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, handshake("http://localhost/"))
		status = w.Code
		for len(fn.events) > 0 {
			<-fn.events
		}
	}
	close(release)
	if err := <-read; client.CloseStatus(err) != client.StatusGoingAway {
		t.Errorf("the client hears %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestCloseDoesNotWaitForAFunctionForever(t *testing.T) {
	fn := newFunction(nil)
	fn.handle = func(ctx context.Context, e request) (*runtimeapi.Response, error) {
		if e.RequestContext.EventType != "CONNECT" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return &runtimeapi.Response{Payload: []byte(`{"statusCode":200}`)}, nil
	}
	api := websocket.New(websocket.Config{Function: fn})
	srv := httptest.NewServer(api)
	defer srv.Close()
	c, _, err := client.Dial(t.Context(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	say(t, c, "x")
	fn.next(t)
	fn.next(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := api.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// handshake is a request that a WebSocket client would send.
func handshake(target string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
		r.Header.Set(k, v)
	}
	return r
}

func TestAClientThatLeavesDuringTheHandshakeHasADisconnect(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn})
	s.api.ServeHTTP(httptest.NewRecorder(), handshake("http://localhost/")) // a recorder has no socket to take over
	if e := fn.next(t); e.RequestContext.EventType != "CONNECT" {
		t.Errorf("%+v", e)
	}
	if rc := fn.next(t).RequestContext; rc.EventType != "DISCONNECT" || rc.DisconnectStatusCode != 1006 {
		t.Errorf("%+v", rc)
	}
	if !errors.Is(s.warned(), websocket.ErrRefused) || len(s.api.Connections()) != 0 {
		t.Errorf("%v", s.warned())
	}
}

func TestTheGatewayWaits29SecondsForConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := newFunction(nil)
		fn.handle = func(ctx context.Context, _ request) (*runtimeapi.Response, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		api := websocket.New(websocket.Config{Function: fn})
		began := time.Now()
		w := httptest.NewRecorder()
		api.ServeHTTP(w, handshake("http://localhost/"))
		if w.Code != 504 || !strings.Contains(w.Body.String(), `"message":"Endpoint request timed out"`) || time.Since(began) != 29*time.Second {
			t.Errorf("%d %s after %v", w.Code, w.Body, time.Since(began))
		}
		if err := api.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAPingIsASignOfLife(t *testing.T) {
	fn := newFunction(nil)
	var mu sync.Mutex
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	s := serve(t, websocket.Config{Function: fn, Idle: -1, Total: -1, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	c := s.connect(t)
	id := fn.next(t).RequestContext.ConnectionID
	c.CloseRead(t.Context()) // reads the pong
	mu.Lock()
	now = now.Add(5 * time.Minute)
	mu.Unlock()
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, body, _ := s.call(t, "GET", id, "", ""); !strings.Contains(body, `"connectedAt":"2026-11-25T12:00:00.000Z"`) || !strings.Contains(body, `"lastActiveAt":"2026-11-25T12:05:00.000Z"`) {
		t.Errorf("%s", body)
	}
}

func TestWhatARouteResponseSends(t *testing.T) {
	for _, tt := range []struct {
		name, result string
		kind         client.MessageType
		hear         string // "" is nothing
	}{
		{"its body", `{"statusCode":200,"body":"hi"}`, client.MessageText, "hi"},
		{"without a statusCode", `{"body":"hi"}`, client.MessageText, "hi"},
		{"bytes", `{"body":"/wA=","isBase64Encoded":true}`, client.MessageBinary, "\xff\x00"},
		{"what is not base64", `{"body":"*","isBase64Encoded":true}`, client.MessageText, "Internal server error"},
		{"no body", `{"statusCode":200}`, 0, ""},
		{"null", `null`, 0, ""},
		{"no object", `"hi"`, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, websocket.Config{Function: newFunction(map[string]string{"a": tt.result, "$default": `{"body":"the end"}`}), RouteResponses: true})
			c := s.connect(t)
			say(t, c, `{"action":"a"}`)
			say(t, c, `x`)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			kind, data, err := c.Read(ctx)
			if tt.hear == "" {
				tt.hear, tt.kind = "the end", client.MessageText
			}
			if err != nil || kind != tt.kind || !strings.Contains(string(data), tt.hear) {
				t.Errorf("%v %q %v", kind, data, err)
			}
		})
	}
}

func TestSendRefusesWhatIsTooLarge(t *testing.T) {
	s := serve(t, websocket.Config{Function: newFunction(nil)})
	if err := s.api.Send(t.Context(), "abc=", make([]byte, websocket.MaxMessage+1)); !errors.Is(err, websocket.ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if err := s.api.Disconnect("abc="); !errors.Is(err, websocket.ErrGone) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNoWebSocketEndsTheConnection(t *testing.T) {
	fn := newFunction(nil)
	s := serve(t, websocket.Config{Function: fn})
	addr, _ := strings.CutPrefix(s.url, "http://")
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := handshake("http://" + addr + "/").Write(raw); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(raw)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	fn.next(t)
	if _, err := raw.Write([]byte{0x81, 0x02, 'h', 'i'}); err != nil { // without a mask, RFC 6455 section 5.1
		t.Fatal(err)
	}
	if rc := fn.next(t).RequestContext; rc.EventType != "DISCONNECT" || rc.DisconnectStatusCode != 1006 {
		t.Errorf("%+v", rc)
	}
}

func TestValidateReportsAll(t *testing.T) {
	err := websocket.Config{RouteSelection: "$request.header.x", Routes: []string{"a", "$other", ""}}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("%v", err)
	}
	if err := (websocket.Config{Function: newFunction(nil), RouteSelection: "$request.body.a.b-c_d", Routes: []string{"$default"}}).Validate(); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes what Validate refuses")
		}
	}()
	websocket.New(websocket.Config{})
}

// FuzzMessage: whatever a client sends is an event that aws-lambda-go's type holds,
// and the connection survives it.
func FuzzMessage(f *testing.F) {
	fn := newFunction(nil)
	api := websocket.New(websocket.Config{Function: fn, RouteSelection: "$request.body.a.b"})
	srv := httptest.NewServer(api)
	f.Cleanup(func() { _ = api.Close(context.Background()); srv.Close() })
	for _, s := range []string{`{"a":{"b":"c"}}`, `{"a":{"b":"$connect"}}`, `{"a":`, "\xff", "", `{"a":null}`} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, message []byte, binary bool) {
		if len(message) > websocket.MaxFrame {
			return
		}
		c, _, err := client.Dial(t.Context(), srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		fn.next(t)
		kind := client.MessageText
		if binary {
			kind = client.MessageBinary
		}
		if err := c.Write(t.Context(), kind, message); err != nil {
			t.Fatal(err)
		}
		if e := fn.next(t); e.RequestContext.EventType != "MESSAGE" || e.RequestContext.RouteKey == "$connect" {
			t.Errorf("%+v", e)
		}
		_ = c.Close(client.StatusNormalClosure, "")
		fn.next(t)
	})
}

// FuzzConnect: whatever $connect returns, the handshake has a status that HTTP has.
func FuzzConnect(f *testing.F) {
	for _, s := range []string{`{"statusCode":401}`, `{"statusCode":-1}`, `{"statusCode":200,"body":"*","isBase64Encoded":true}`, `{"headers":{"Sec-WebSocket-Protocol":"\r\n"},"statusCode":200}`, `null`, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, result []byte) {
		fn := newFunction(nil)
		fn.handle = func(context.Context, request) (*runtimeapi.Response, error) {
			return &runtimeapi.Response{Payload: result}, nil
		}
		w := httptest.NewRecorder()
		websocket.New(websocket.Config{Function: fn}).ServeHTTP(w, handshake("http://localhost/"))
		if w.Code != http.StatusSwitchingProtocols && (w.Code < 200 || w.Code > 599) {
			t.Errorf("%q becomes %d", result, w.Code)
		}
	})
}

// echo answers every message with its body, by a route response.
type echo struct{}

func (echo) Invoke(_ context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	var e request
	if err := json.Unmarshal(req.Payload, &e); err != nil {
		return nil, err
	}
	answer, err := json.Marshal(map[string]any{"statusCode": 200, "body": e.RequestContext.RouteKey + ": " + e.Body})
	return &runtimeapi.Response{Payload: answer}, err
}

func ExampleAPI() {
	api := websocket.New(websocket.Config{Function: echo{}, RouteResponses: true})
	srv := httptest.NewServer(api)
	defer srv.Close()
	defer api.Close(context.Background())

	ctx := context.Background()
	c, _, err := client.Dial(ctx, srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = c.Write(ctx, client.MessageText, []byte(`{"action":"greet"}`))
	_, answer, _ := c.Read(ctx)
	fmt.Println(string(answer))
	_ = c.Close(client.StatusNormalClosure, "")
	// Output: greet: {"action":"greet"}
}
