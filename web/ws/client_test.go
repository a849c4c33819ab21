package ws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/coder/websocket"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/sigv4"
	gateway "github.com/gomiddy/middy/emulator/websocket"
	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/ws"
)

func config() aws.Config {
	return aws.Config{Region: "eu-west-1", RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "token")}
}

func verifier(now func() time.Time) *sigv4.Verifier {
	return sigv4.New(sigv4.Config{Now: now, Lookup: func(id string) (sigv4.Credentials, bool) {
		return sigv4.Credentials{Secret: "secret", SessionToken: "token"}, id == "AKIDEXAMPLE"
	}})
}

// A callback is API Gateway's side of the callback API: it verifies signatures and
// remembers what was sent.
type callback struct {
	url    string
	verify *sigv4.Verifier

	mu    sync.Mutex
	calls []string
	at    func(call string) (status int, errorType string)
}

func newCallback(t testing.TB) *callback {
	c := &callback{verify: verifier(nil)}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	call := r.Method + " " + r.RequestURI + " " + string(body)
	c.mu.Lock()
	c.calls = append(c.calls, call)
	at := c.at
	c.mu.Unlock()
	if _, err := c.verify.Verify(r, sigv4.Endpoint{Service: "execute-api", Regions: []string{"eu-west-1"}}); err != nil {
		refused, _ := errors.AsType[*sigv4.Error](err)
		w.Header().Set("X-Amzn-Errortype", refused.Code(sigv4.JSON))
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": refused.Message(sigv4.JSON)})
		return
	}
	if at != nil {
		if status, errorType := at(call); status != 0 {
			w.Header().Set("X-Amzn-Errortype", errorType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"message":null}`)
			return
		}
	}
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, `{"connectedAt":"2026-01-31T15:04:05.123Z","lastActiveAt":"2026-01-31T15:05:00Z","identity":{"sourceIp":"192.0.2.1","userAgent":"test"}}`)
	}
}

func (c *callback) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

func gone(call string) (int, string) {
	if strings.Contains(call, "gone") {
		return http.StatusGone, "GoneException"
	}
	return 0, ""
}

func TestTheCallbackAPI(t *testing.T) {
	c := newCallback(t)
	client := ws.NewClient(config(), ws.Config{Endpoint: c.url + "/prod"})
	ctx := t.Context()
	if err := client.Send(ctx, "L0SM9cOFvHcCIhw=", []byte("hi")); err != nil {
		t.Error(err)
	}
	if err := client.SendJSON(ctx, "a b/../c", map[string]int{"n": 1}); err != nil {
		t.Error(err)
	}
	if err := client.Send(ctx, "x", nil); err != nil {
		t.Error(err)
	}
	if err := client.Disconnect(ctx, "x"); err != nil {
		t.Error(err)
	}
	conn, err := client.Get(ctx, "x")
	if err != nil || conn.ConnectedAt.UnixMilli() != 1769871845123 || conn.LastActiveAt.IsZero() || conn.Identity.SourceIP != "192.0.2.1" || conn.Identity.UserAgent != "test" {
		t.Errorf("%+v %v", conn, err)
	}
	want := []string{
		"POST /prod/@connections/L0SM9cOFvHcCIhw%3D hi",
		`POST /prod/@connections/a%20b%2F..%2Fc {"n":1}`,
		"POST /prod/@connections/x ",
		"DELETE /prod/@connections/x ",
		"GET /prod/@connections/x ",
	}
	if got := c.sent(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestErrorsOfTheCallbackAPI(t *testing.T) {
	c := newCallback(t)
	c.at = func(call string) (int, string) {
		switch {
		case strings.Contains(call, "nameless"):
			return http.StatusGone, ""
		case strings.Contains(call, "limit"):
			return http.StatusTooManyRequests, "LimitExceededException"
		}
		return gone(call)
	}
	var forgotten []string
	client := ws.NewClient(config(), ws.Config{Endpoint: c.url, OnGone: func(_ context.Context, id string) { forgotten = append(forgotten, id) }})
	ctx := t.Context()
	for _, id := range []string{"gone", "nameless"} {
		err := client.Send(ctx, id, []byte("x"))
		if g, ok := errors.AsType[*ws.GoneError](err); !ok || g.ConnectionID != id || !errors.Is(err, ws.ErrGone) || errors.Unwrap(err) == nil || !strings.Contains(err.Error(), id) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := client.Disconnect(ctx, "gone"); !errors.Is(err, ws.ErrGone) {
		t.Error(err)
	}
	if _, err := client.Get(ctx, "gone"); !errors.Is(err, ws.ErrGone) {
		t.Error(err)
	}
	if !slices.Equal(forgotten, []string{"gone", "nameless", "gone", "gone"}) {
		t.Errorf("forgotten: %q", forgotten)
	}
	if err := client.Send(ctx, "limit", nil); err == nil || errors.Is(err, ws.ErrGone) || !strings.Contains(err.Error(), "LimitExceededException") {
		t.Error(err)
	}
	before := len(c.sent())
	if err := client.Send(ctx, "c", make([]byte, ws.MaxMessage+1)); !errors.Is(err, ws.ErrTooLarge) || !strings.Contains(err.Error(), "131073") {
		t.Error(err)
	}
	if _, err := client.Broadcast(ctx, []string{"a", "b"}, make([]byte, ws.MaxMessage+1)); !errors.Is(err, ws.ErrTooLarge) {
		t.Error(err)
	}
	if err := client.SendJSON(ctx, "c", func() {}); err == nil {
		t.Error("a func was sent")
	}
	if err := client.Send(ctx, "", nil); err == nil {
		t.Error("to nobody")
	}
	if n := len(c.sent()); n != before {
		t.Errorf("%d requests for what cannot be sent", n-before)
	}
	if err := client.Send(ctx, "c", make([]byte, ws.MaxMessage)); err != nil {
		t.Error(err)
	}
}

func TestAWrongKeyIsRefused(t *testing.T) {
	c := newCallback(t)
	cfg := config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "wrong", "token")
	err := ws.NewClient(cfg, ws.Config{Endpoint: c.url}).Send(t.Context(), "c", []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "InvalidSignatureException") {
		t.Fatalf("the test server does not verify: %v", err)
	}
}

// A request that was signed before a freeze, or by a clock that is wrong, is healed
// by freshsign as it is for any client.
func TestASignatureThatIsTooOldIsHealed(t *testing.T) {
	c := newCallback(t)
	c.verify = verifier(func() time.Time { return time.Now().Add(10 * time.Minute) })
	c.at = nil
	plain := ws.NewClient(config(), ws.Config{Endpoint: c.url})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
		c.ServeHTTP(w, r)
	}))
	defer srv.Close()
	if err := plain.Send(t.Context(), "c", nil); err == nil || !strings.Contains(err.Error(), "Signature expired") {
		t.Fatalf("the test's clock is not late: %v", err)
	}
	cfg := config()
	freshsign.Apply(&cfg)
	if err := ws.NewClient(cfg, ws.Config{Endpoint: srv.URL}).Send(t.Context(), "c", []byte("hi")); err != nil {
		t.Error(err)
	}
}

func TestWhereTheCallbackAPIIs(t *testing.T) {
	var apiID string
	message := func(domain, stage string) context.Context {
		var ctx context.Context
		_, err := ws.Handler(ws.Func(func(c context.Context, _ *ws.Message) (any, error) { ctx = c; return nil, nil }))(t.Context(),
			ws.Message{RouteKey: "x", DomainName: domain, Stage: stage, APIID: apiID})
		if err != nil {
			t.Fatal(err)
		}
		return ctx
	}
	t.Run("nowhere", func(t *testing.T) {
		t.Setenv(ws.EndpointEnv, "")
		if err := ws.NewClient(config(), ws.Config{}).Send(t.Context(), "c", nil); !errors.Is(err, ws.ErrNoEndpoint) {
			t.Error(err)
		}
	})
	t.Run("an event that names no host", func(t *testing.T) {
		t.Setenv(ws.EndpointEnv, "")
		for _, c := range [][2]string{{"", "s"}, {"d", ""}, {"evil@host", "s"}, {"host:80", "s"}, {"host/path", "s"}, {"host", "s/../t"}, {"host", "s?x"}} {
			if err := ws.NewClient(config(), ws.Config{}).Send(message(c[0], c[1]), "c", nil); !errors.Is(err, ws.ErrNoEndpoint) {
				t.Errorf("%q: %v", c, err)
			}
		}
	})
	t.Run("the configuration, the variable, the event, in this order", func(t *testing.T) {
		var hosts, auth []string
		cfg := config()
		cfg.HTTPClient = clientFunc(func(r *http.Request) (*http.Response, error) {
			hosts, auth = append(hosts, r.URL.String()), append(auth, r.Header.Get("Authorization"))
			return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}}, nil
		})
		t.Setenv("AWS_ENDPOINT_URL", "http://global.example.com")
		t.Setenv(ws.EndpointEnv, "")
		event := ws.NewClient(cfg, ws.Config{})
		t.Setenv(ws.EndpointEnv, "http://variable.example.com")
		variable := ws.NewClient(cfg, ws.Config{})
		configured := ws.NewClient(cfg, ws.Config{Endpoint: "http://configured.example.com/s"})
		for _, err := range []error{
			event.Send(message("one.example.com", "a"), "1", nil), event.Send(message("two.example.com", "b"), "2", nil), event.Send(message("one.example.com", "a"), "3", nil),
			variable.Send(message("one.example.com", "a"), "4", nil), configured.Send(message("one.example.com", "a"), "5", nil),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		want := []string{"https://one.example.com/a/@connections/1", "https://two.example.com/b/@connections/2", "https://one.example.com/a/@connections/3",
			"http://variable.example.com/@connections/4", "http://configured.example.com/s/@connections/5"}
		if !slices.Equal(hosts, want) {
			t.Errorf("got  %q\nwant %q", hosts, want)
		}
		hosts = nil
		apiID = "a1b2c3d4e5"
		for _, c := range []struct{ domain, region string }{
			{"chat.example.com", "eu-west-1"}, {"chat.example.com", "cn-north-1"}, {"chat.example.com", "eusc-de-east-1"},
			{"a1b2c3d4e5.execute-api.us-east-1.amazonaws.com", "eu-west-1"}, {"x.execute-api.us-east-1", "eu-west-1"},
		} {
			cfg := cfg.Copy()
			cfg.Region = c.region
			t.Setenv(ws.EndpointEnv, "")
			if err := ws.NewClient(cfg, ws.Config{}).Send(message(c.domain, "prod"), "1", nil); err != nil {
				t.Error(err)
			}
		}
		want = []string{
			"https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/@connections/1", "https://a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn/prod/@connections/1",
			"https://a1b2c3d4e5.execute-api.eusc-de-east-1.amazonaws.eu/prod/@connections/1",
			"https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/prod/@connections/1", "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/@connections/1",
		}
		if !slices.Equal(hosts, want) {
			t.Errorf("got  %q\nwant %q", hosts, want)
		}
		if want := "/us-east-1/execute-api/aws4_request"; !strings.Contains(auth[len(auth)-2], want) {
			t.Errorf("the region of the API signs, not the function's: %s", auth[len(auth)-2])
		}
		apiID = ""
		for i := range 200 { // more than it remembers
			if err := event.Send(message(fmt.Sprintf("h%d.example.com", i), "a"), "1", nil); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAWrongEndpointIsFoundAtColdStart(t *testing.T) {
	t.Setenv(ws.EndpointEnv, "")
	for _, c := range []struct{ endpoint, want string }{
		{"", ""},
		{"https://abc.execute-api.eu-west-1.amazonaws.com/prod", ""},
		{"https://abc.execute-api.eu-west-1.amazonaws.com/prod/@connections", ""},
		{"http://localhost:3001", ""},
		{"wss://abc.execute-api.eu-west-1.amazonaws.com/prod", "https in place of wss"},
		{"abc.execute-api.eu-west-1.amazonaws.com/prod", "is not a URL"},
		{"https:///prod", "is not a URL"},
		{"https://a/prod?x=1", "is not a URL"},
		{"https://user@a/prod", "is not a URL"},
		{"ftp://a/prod", "is not a URL"},
		{"https://a b", "is not a URL"},
	} {
		_, err := middy.New(ws.Handler(ws.NewRouter(ws.RouterConfig{})), ws.NewClient(config(), ws.Config{Endpoint: c.endpoint}))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.endpoint, err)
		}
	}
	c := newCallback(t)
	for _, end := range []string{"/prod/", "/prod/@connections", "/prod/@connections/"} {
		if err := ws.NewClient(config(), ws.Config{Endpoint: c.url + end}).Send(t.Context(), "c", nil); err != nil {
			t.Error(err)
		}
	}
	if got := c.sent(); !slices.Equal(got, []string{"POST /prod/@connections/c ", "POST /prod/@connections/c ", "POST /prod/@connections/c "}) {
		t.Errorf("%q", got)
	}
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestBroadcast(t *testing.T) {
	t.Run("reaches all, counts the gone, joins the errors", func(t *testing.T) {
		c := newCallback(t)
		c.at = func(call string) (int, string) {
			if strings.Contains(call, "bad") {
				return http.StatusForbidden, "ForbiddenException"
			}
			return gone(call)
		}
		var mu sync.Mutex
		var forgotten []string
		client := ws.NewClient(config(), ws.Config{Endpoint: c.url, OnGone: func(_ context.Context, id string) {
			mu.Lock()
			defer mu.Unlock()
			forgotten = append(forgotten, id)
		}})
		var ids []string
		for i := range 50 {
			ids = append(ids, fmt.Sprintf("c%d", i))
		}
		got, err := client.Broadcast(t.Context(), append(ids, "gone1", "bad1", "gone2", "bad2"), []byte("x"))
		slices.Sort(forgotten)
		if got != (ws.Delivery{Sent: 50, Gone: 2}) || err == nil || !strings.Contains(err.Error(), "to bad1") || !strings.Contains(err.Error(), "to bad2") || !slices.Equal(forgotten, []string{"gone1", "gone2"}) {
			t.Errorf("%+v %v %q", got, err, forgotten)
		}
	})
	t.Run("keeps to its concurrency", func(t *testing.T) {
		for _, c := range []struct{ set, want int }{{0, 16}, {3, 3}, {-1, 1}} {
			var mu sync.Mutex
			inFlight, most := 0, 0
			full := make(chan struct{})
			cfg := config()
			cfg.HTTPClient = clientFunc(func(*http.Request) (*http.Response, error) {
				mu.Lock()
				inFlight++
				most = max(most, inFlight)
				if inFlight == c.want {
					select {
					case <-full:
					default:
						close(full)
					}
				}
				mu.Unlock()
				<-full // all wait until as many as are allowed are there
				mu.Lock()
				inFlight--
				mu.Unlock()
				return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}}, nil
			})
			got, err := ws.NewClient(cfg, ws.Config{Endpoint: "http://127.0.0.1", Concurrency: c.set}).Broadcast(t.Context(), make40(), nil)
			if err != nil || got.Sent != 40 || most != c.want {
				t.Errorf("%d: %d at once, %+v %v", c.set, most, got, err)
			}
		}
	})
	t.Run("ends with its context, and says how many were not tried", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := config()
		cfg.HTTPClient = clientFunc(func(*http.Request) (*http.Response, error) {
			cancel()
			return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}}, nil
		})
		_, err := ws.NewClient(cfg, ws.Config{Endpoint: "http://127.0.0.1", Concurrency: -1}).Broadcast(ctx, make40(), nil)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "of 40 connections were not tried") {
			t.Errorf("%v", err)
		}
	})
}

func make40() []string {
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = fmt.Sprintf("c%d", i)
	}
	return ids
}

// The vectors of Middy's ws-response: spec 19.4. One that sends without Data for an
// undefined result is not kept: AWS refuses it.
func TestRespond(t *testing.T) {
	for _, c := range []struct {
		rule   string
		event  string
		result any
		err    error
		want   string // the function's response
		sent   []string
	}{
		{"a string", on("m", ""), "payload", nil, `{"statusCode":200}`, []string{"POST /@connections/c1 payload"}},
		{"bytes", on("m", ""), []byte("payload"), nil, `{"statusCode":200}`, []string{"POST /@connections/c1 payload"}},
		{"an object is JSON", on("m", ""), map[string]string{"foo": "bar"}, nil, `{"statusCode":200}`, []string{`POST /@connections/c1 {"foo":"bar"}`}},
		{"a null is JSON", on("m", ""), json.RawMessage("null"), nil, `{"statusCode":200}`, []string{"POST /@connections/c1 null"}},
		{"nothing", on("m", ""), nil, nil, `{"statusCode":200}`, nil},
		{"a response is API Gateway's", on("m", ""), ws.Response{Body: []byte("x")}, nil, `{"statusCode":200,"body":"x"}`, nil},
		{"no connection id", `{"requestContext":{"routeKey":"m"}}`, true, nil, `{"statusCode":200,"body":"true"}`, nil},
		{"$connect answers the handshake", on("$connect", ""), "x", nil, `{"statusCode":200,"body":"x"}`, nil},
		{"$disconnect has nobody to answer", on("$disconnect", ""), "x", nil, `{"statusCode":200,"body":"x"}`, nil},
		{"a connection that is gone is no failure", strings.ReplaceAll(on("m", ""), "c1", "gone"), "x", nil, `{"statusCode":200}`, []string{"POST /@connections/gone x"}},
		{"an error is told", on("m", ""), nil, web.Errorf(403, "no"), `{"statusCode":403,"body":"{\"title\":\"Forbidden\",\"status\":403,\"detail\":\"no\"}"}`, []string{`POST /@connections/c1 {"title":"Forbidden","status":403,"detail":"no"}`}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			cb := newCallback(t)
			cb.at = gone
			forgotten := 0
			client := ws.NewClient(config(), ws.Config{Endpoint: cb.url, OnGone: func(context.Context, string) { forgotten++ }})
			h := ws.Respond(client, ws.RespondConfig{Errors: true})(ws.Func(func(context.Context, *ws.Message) (any, error) { return c.result, c.err }))
			got, err := through(t, h, c.event)
			if got != c.want || err != nil || !slices.Equal(cb.sent(), c.sent) {
				t.Errorf("got %s %v, sent %q", got, err, cb.sent())
			}
			if (forgotten == 1) != strings.Contains(c.event, "gone") {
				t.Errorf("forgotten %d times", forgotten)
			}
		})
	}
	cb := newCallback(t)
	cb.at = func(string) (int, string) { return http.StatusForbidden, "ForbiddenException" }
	client := ws.NewClient(config(), ws.Config{Endpoint: cb.url})
	private := errors.New("private")
	for _, c := range []struct {
		rule   string
		result any
		err    error
		cfg    []ws.RespondConfig
		want   string
	}{
		{"a result that cannot be posted", "x", nil, nil, "ForbiddenException"},
		{"an error that cannot be told", nil, web.Errorf(400, "no"), []ws.RespondConfig{{Errors: true}}, "could not be told"},
		{"an error that is not for clients", nil, private, []ws.RespondConfig{{Errors: true}}, "private"},
		{"a result that is no JSON", func() {}, nil, nil, "encode the result"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			h := ws.Respond(client, c.cfg...)(ws.Func(func(context.Context, *ws.Message) (any, error) { return c.result, c.err }))
			if _, err := through(t, h, on("m", "")); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("errors are not told by default", func(t *testing.T) {
		before := len(cb.sent())
		h := ws.Respond(client)(ws.Func(func(context.Context, *ws.Message) (any, error) { return nil, web.Errorf(400, "no") }))
		if got, err := through(t, h, on("m", "")); err != nil || !strings.Contains(got, `"statusCode":400`) || len(cb.sent()) != before {
			t.Errorf("%s %v", got, err)
		}
	})
	t.Run("two configurations", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("taken")
			}
		}()
		ws.Respond(client, ws.RespondConfig{}, ws.RespondConfig{})
	})
}

// A process is a function that runs here.
type process struct{ f *middy.Function }

func (p process) Invoke(ctx context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	out, err := p.f.Invoke(ctx, req.Payload)
	if err != nil {
		return &runtimeapi.Response{FunctionError: "Unhandled", ErrorMessage: err.Error()}, nil //nolint:nilerr // the function's failure is its response
	}
	return &runtimeapi.Response{Payload: out}, nil
}

// The whole way: a WebSocket client, the emulated API Gateway, a function, and back
// through the callback API with a signature that is verified.
func TestAConversationThroughTheGateway(t *testing.T) {
	var api *gateway.API
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.ServeHTTP(w, r) }))
	defer srv.Close()
	var mu sync.Mutex
	var there []string
	left := make(chan string, 2)
	client := ws.NewClient(config(), ws.Config{Endpoint: srv.URL})
	r := ws.NewRouter(ws.RouterConfig{})
	r.HandleFunc(ws.Connect, func(_ context.Context, m *ws.Message) (any, error) {
		if m.Query.Get("name") == "" {
			return nil, web.Errorf(401, "who are you?")
		}
		mu.Lock()
		defer mu.Unlock()
		there = append(there, m.ConnectionID)
		return nil, nil
	})
	r.HandleFunc(ws.Disconnect, func(_ context.Context, m *ws.Message) (any, error) {
		left <- m.ConnectionID
		return nil, nil
	})
	r.Handle("say", ws.JSON(func(ctx context.Context, m *ws.Message, in struct {
		Text string `json:"text" required:"true"`
	}) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		got, err := client.Broadcast(ctx, there, []byte(in.Text))
		return fmt.Sprintf("told %d", got.Sent), err
	}))
	f, err := middy.New(ws.Handler(ws.Respond(client, ws.RespondConfig{Errors: true})(r)), client)
	if err != nil {
		t.Fatal(err)
	}
	api = gateway.New(gateway.Config{Function: process{f}, Verifier: verifier(nil), Region: "eu-west-1"})
	defer func() {
		if err := api.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, resp, err := websocket.Dial(ctx, srv.URL, nil); err == nil || resp.StatusCode != 401 {
		t.Fatalf("a handshake without a name: %v", err)
	}
	conn, _, err := websocket.Dial(ctx, srv.URL+"?name=ada", nil)
	if err != nil {
		t.Fatal(err)
	}
	send := func(s string) {
		if err := conn.Write(ctx, websocket.MessageText, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		_, b, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	send(`{"action":"say","text":"hello"}`)
	if a, b := read(), read(); a != "hello" || b != "told 1" {
		t.Errorf("%q %q", a, b)
	}
	send(`{"action":"say"}`)
	if got := read(); !strings.Contains(got, `"pointer":"#/text"`) {
		t.Errorf("%q", got)
	}
	id := there[0]
	if got, err := client.Get(ctx, id); err != nil || got.ConnectedAt.IsZero() {
		t.Errorf("%+v %v", got, err)
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if got := <-left; got != id {
		t.Errorf("%s left", got)
	}
	if err := client.Send(ctx, id, []byte("x")); !errors.Is(err, ws.ErrGone) {
		t.Errorf("%v", err)
	}
}

func TestTheClientIsAMiddlewareForItsPermission(t *testing.T) {
	client := ws.NewClient(config(), ws.Config{})
	f, err := middy.New(ws.Handler(ws.NewRouter(ws.RouterConfig{})), client)
	if err != nil {
		t.Fatal(err)
	}
	p := f.Manifest().Permissions
	if len(p) != 1 || !slices.Equal(p[0].Actions, []string{"execute-api:ManageConnections"}) {
		t.Errorf("%+v", p)
	}
}

func ExampleHandler() {
	router := ws.NewRouter(ws.RouterConfig{})
	router.Handle("double", ws.JSON(func(_ context.Context, _ *ws.Message, in struct {
		N int `json:"n" maximum:"100"`
	}) (map[string]int, error) {
		return map[string]int{"n": 2 * in.N}, nil
	}))
	f, err := middy.New(ws.Handler(router)) // middy.Start in a function
	if err != nil {
		panic(err)
	}
	for _, body := range []string{`{\"action\":\"double\",\"n\":21}`, `{\"action\":\"double\",\"n\":\"x\"}`} {
		out, err := f.Invoke(context.Background(), []byte(`{"requestContext":{"routeKey":"double","connectionId":"c"},"body":"`+body+`"}`))
		fmt.Println(string(out), err)
	}
	// Output:
	// {"statusCode":200,"body":"{\"n\":42}"} <nil>
	// {"statusCode":422,"body":"{\"title\":\"Unprocessable Entity\",\"status\":422,\"detail\":\"One field is invalid.\",\"errors\":[{\"pointer\":\"#/n\",\"detail\":\"must be an integer\"}]}"} <nil>
}
