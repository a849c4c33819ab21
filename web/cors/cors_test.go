package cors_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/cors"
)

// ask sends a request, with headers in pairs, and returns the response's CORS headers,
// Vary and Cache-Control.
func ask(t *testing.T, method, url string, pairs ...string) (status int, got map[string]string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Add(pairs[i], pairs[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got = map[string]string{}
	for name, lines := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" || name == "Cache-Control" {
			got[name] = strings.Join(lines, " | ")
		}
	}
	return resp.StatusCode, got
}

// answers is a handler that answers with a status and headers in pairs.
func answers(status int, pairs ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Set(pairs[i], pairs[i+1])
		}
		w.WriteHeader(status)
	})
}

const (
	allowOrigin      = "Access-Control-Allow-Origin"
	allowCredentials = "Access-Control-Allow-Credentials"
	allowMethods     = "Access-Control-Allow-Methods"
	allowHeaders     = "Access-Control-Allow-Headers"
	exposeHeaders    = "Access-Control-Expose-Headers"
	maxAge           = "Access-Control-Max-Age"
	requestMethod    = "Access-Control-Request-Method"
	requestHeaders   = "Access-Control-Request-Headers"
)

func TestWhatAPageMaySee(t *testing.T) {
	type headers = map[string]string
	tests := []struct {
		name    string
		config  cors.Config
		method  string
		request []string
		handler http.Handler

		status int
		want   headers
	}{
		// Middy's own cases. By default it passes preflights on, and answers every OPTIONS otherwise.
		{
			"defaults emit nothing", cors.Config{Preflight: cors.Pass}, "OPTIONS", []string{"Origin", "https://unknown.com"}, answers(204),
			204, headers{},
		},
		{
			"preflight any", cors.Config{Preflight: cors.AnswerEvery, Origin: "*"}, "OPTIONS", nil, answers(200),
			204, headers{allowOrigin: "*"},
		},
		{
			"credentials with origin * reflects", cors.Config{Preflight: cors.AnswerEvery, Credentials: true, Origin: "*"}, "OPTIONS", []string{"Origin", "https://example.com"}, answers(200),
			204, headers{allowCredentials: "true", allowOrigin: "https://example.com", "Vary": "Origin"},
		},
		{
			// Deviation from Middy, which sends * with credentials.
			"credentials, origin *, no Origin header", cors.Config{Preflight: cors.Pass, Credentials: true, Origin: "*"}, "GET", nil, answers(200),
			200, headers{allowCredentials: "true", "Vary": "Origin"},
		},
		{
			"fixed origin ignores incoming, no Vary", cors.Config{Preflight: cors.AnswerEvery, Credentials: true, Origin: "https://configured.com"}, "OPTIONS", []string{"Origin", "https://incoming.com"}, answers(200),
			204, headers{allowCredentials: "true", allowOrigin: "https://configured.com"},
		},
		{
			"static list match", cors.Config{Preflight: cors.Pass, Origins: []string{"https://localhost:3000", "https://example.com"}}, "OPTIONS", []string{"Origin", "https://localhost:3000"}, answers(200),
			200, headers{allowOrigin: "https://localhost:3000", "Vary": "Origin"},
		},
		{
			"list miss keeps Vary", cors.Config{Origins: []string{"https://example.com", "https://another-example.com"}}, "GET", []string{"Origin", "https://unknown.com"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			// Deviation from Middy, which has no Vary here, so that a cache keeps the refusal for all.
			"single origin miss has Vary", cors.Config{Origins: []string{"https://example.com"}}, "GET", []string{"Origin", "https://exampleXcom"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"wildcard does not cross dots", cors.Config{Origins: []string{"https://example.com", "https://*.example.com"}}, "GET", []string{"Origin", "https://nested.subdomain.example.com"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"a pattern in Punycode", cors.Config{Origins: []string{"https://*.xn--mnchen-3ya.de"}}, "GET", []string{"Origin", "https://sub.xn--mnchen-3ya.de"}, answers(200),
			200, headers{allowOrigin: "https://sub.xn--mnchen-3ya.de", "Vary": "Origin"},
		},
		{
			"what no browser sends is not allowed", cors.Config{Origins: []string{"https://*.example.com"}, Credentials: true}, "GET", []string{"Origin", "https:///evil.example.com"}, answers(200),
			200, headers{allowCredentials: "true", "Vary": "Origin"},
		},
		{
			"mixed case is lowered on output", cors.Config{Origins: []string{"https://MyApp.example.com"}}, "GET", []string{"Origin", "HTTPS://MyApp.example.com"}, answers(200),
			200, headers{allowOrigin: "https://myapp.example.com", "Vary": "Origin"},
		},
		{
			"origin option verbatim", cors.Config{Origin: "https://MyApp.com"}, "GET", []string{"Origin", "https://x.com"}, answers(200),
			200, headers{allowOrigin: "https://MyApp.com"},
		},
		{
			"prototype key", cors.Config{Origins: []string{"https://example.com"}}, "GET", []string{"Origin", "__proto__"}, answers(200),
			200, headers{"Vary": "Origin"}, // and Vary as above
		},
		{
			"existing credentials header false wins", cors.Config{Origins: []string{"*"}, Credentials: true}, "GET", []string{"Origin", "https://example.com"}, answers(200, allowCredentials, "false"),
			200, headers{allowCredentials: "false", allowOrigin: "*"},
		},
		{
			// Deviation from Middy: the answer depends on what was asked, and says so.
			"requestMethods reject", cors.Config{Preflight: cors.AnswerEvery, Origin: "*", RequestMethods: []string{"GET"}}, "OPTIONS", []string{requestMethod, "get"}, answers(200),
			204, headers{"Vary": requestMethod},
		},
		{
			"requestHeaders with safelisted", cors.Config{Preflight: cors.AnswerEvery, Origin: "*", RequestHeaders: []string{"authorization"}}, "OPTIONS", []string{requestHeaders, "Content-Type, Authorization, Accept"}, answers(200),
			204, headers{allowOrigin: "*", "Vary": requestHeaders},
		},
		{
			"full preflight",
			cors.Config{
				Preflight: cors.AnswerEvery, Origins: []string{"https://a.com"}, Credentials: true, Methods: []string{"GET,POST"}, Headers: []string{"Authorization"}, MaxAge: 600 * time.Second,
				CacheControl: "max-age=600", ExposeHeaders: []string{"X-B"}, Vary: []string{requestHeaders},
			},
			"OPTIONS", []string{"Origin", "https://a.com"}, answers(200),
			204, headers{
				allowCredentials: "true", allowHeaders: "Authorization", allowMethods: "GET,POST", allowOrigin: "https://a.com", "Vary": requestHeaders + ", Origin",
				exposeHeaders: "X-B", maxAge: "600", "Cache-Control": "max-age=600",
			},
		},
		{
			"Vary appended", cors.Config{Origins: []string{"https://example.com", "https://example.org"}}, "GET", []string{"Origin", "https://example.com"}, answers(200, "Vary", "Accept-Encoding"),
			200, headers{"Vary": "Accept-Encoding, Origin", allowOrigin: "https://example.com"},
		},
		{
			"error response decorated", cors.Config{Origin: "https://example.com"}, "GET", nil, web.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return io.ErrUnexpectedEOF }),
			500, headers{allowOrigin: "https://example.com"},
		},
		// An event of an unknown version does not exist in net/http.

		// What a preflight is.
		{
			"the zero Config permits nothing, and the handler does not see the preflight", cors.Config{}, "OPTIONS", []string{"Origin", "https://a.com", requestMethod, "PUT"}, answers(200),
			204, headers{},
		},
		{
			"OPTIONS without a requested method is the handler's", cors.Config{Origins: []string{"*"}}, "OPTIONS", []string{"Origin", "https://a.com"}, answers(200),
			200, headers{allowOrigin: "*"},
		},
		{
			"OPTIONS without an origin is the handler's", cors.Config{Origins: []string{"*"}}, "OPTIONS", []string{requestMethod, "PUT"}, answers(200),
			200, headers{allowOrigin: "*"},
		},
		{
			"another method is the handler's", cors.Config{Origins: []string{"*"}}, "PUT", []string{"Origin", "https://a.com", requestMethod, "PUT"}, answers(200),
			200, headers{allowOrigin: "*"},
		},
		{
			"a preflight of an origin that is not allowed gets no permission",
			cors.Config{Origins: []string{"https://a.com"}}, "OPTIONS", []string{"Origin", "https://b.com", requestMethod, "PUT"}, answers(200),
			204, headers{"Vary": "Origin"},
		},
		{
			"requested methods in capitals", cors.Config{Origins: []string{"*"}, RequestMethods: []string{"put"}}, "OPTIONS", []string{"Origin", "https://a.com", requestMethod, "PUT"}, answers(200),
			204, headers{allowOrigin: "*", "Vary": requestMethod},
		},
		{
			"requested headers that are not listed", cors.Config{Origins: []string{"*"}, RequestHeaders: []string{"X-A, X-B"}}, "OPTIONS", []string{"Origin", "https://a.com", requestMethod, "PUT", requestHeaders, "x-a,x-c"}, answers(200),
			204, headers{"Vary": requestHeaders},
		},
		{
			"requested headers in several lines", cors.Config{Origins: []string{"*"}, RequestHeaders: []string{"X-A", "X-B"}}, "OPTIONS", []string{"Origin", "https://a.com", requestMethod, "PUT", requestHeaders, "x-a", requestHeaders, ",x-b"}, answers(200),
			204, headers{allowOrigin: "*", "Vary": requestHeaders},
		},
		{
			"cache control of the handler's answer to OPTIONS", cors.Config{Preflight: cors.Pass, CacheControl: "max-age=600"}, "OPTIONS", nil, answers(200),
			200, headers{"Cache-Control": "max-age=600"},
		},
		{
			"and of nothing else", cors.Config{CacheControl: "max-age=600"}, "GET", nil, answers(200),
			200, headers{},
		},
		{
			"a maximal age of nothing", cors.Config{Origin: "*", MaxAge: -1}, "GET", nil, answers(200),
			200, headers{allowOrigin: "*", maxAge: "0"},
		},

		// A server in a private network.
		{
			"a private network is allowed when it is asked for", cors.Config{Origins: []string{"https://a.com"}, PrivateNetwork: true}, "OPTIONS",
			[]string{"Origin", "https://a.com", requestMethod, "PUT", "Access-Control-Request-Private-Network", "true"}, answers(200),
			204, headers{allowOrigin: "https://a.com", "Access-Control-Allow-Private-Network": "true", "Vary": "Access-Control-Request-Private-Network, Origin"},
		},
		{
			"not when it is not asked for", cors.Config{Origins: []string{"https://a.com"}, PrivateNetwork: true}, "OPTIONS",
			[]string{"Origin", "https://a.com", requestMethod, "PUT"}, answers(200),
			204, headers{allowOrigin: "https://a.com", "Vary": "Access-Control-Request-Private-Network, Origin"},
		},
		{
			"not to another origin", cors.Config{Origins: []string{"https://a.com"}, PrivateNetwork: true}, "OPTIONS",
			[]string{"Origin", "https://b.com", requestMethod, "PUT", "Access-Control-Request-Private-Network", "true"}, answers(200),
			204, headers{"Vary": "Access-Control-Request-Private-Network, Origin"},
		},
		{
			"not by default", cors.Config{Origins: []string{"https://a.com"}}, "OPTIONS",
			[]string{"Origin", "https://a.com", requestMethod, "PUT", "Access-Control-Request-Private-Network", "true"}, answers(200),
			204, headers{allowOrigin: "https://a.com", "Vary": "Origin"},
		},

		// Who is allowed, and what it depends on.
		{
			"all are allowed alike", cors.Config{Origins: []string{"*"}}, "GET", []string{"Origin", "https://a.com"}, answers(200),
			200, headers{allowOrigin: "*"},
		},
		{
			"all are allowed with credentials by name", cors.Config{Origins: []string{"*"}, Credentials: true}, "GET", []string{"Origin", "https://a.com"}, answers(200),
			200, headers{allowOrigin: "https://a.com", allowCredentials: "true", "Vary": "Origin"},
		},
		{
			"one is allowed by name beside all", cors.Config{Origins: []string{"*"}, Origin: "https://a.com"}, "GET", []string{"Origin", "https://b.com"}, answers(200),
			200, headers{allowOrigin: "*", "Vary": "Origin"},
		},
		{
			"any port of a host", cors.Config{Origins: []string{"http://localhost:*"}}, "GET", []string{"Origin", "http://localhost:5173"}, answers(200),
			200, headers{allowOrigin: "http://localhost:5173", "Vary": "Origin"},
		},
		{
			"two origins are none", cors.Config{Origins: []string{"https://a.com"}}, "GET", []string{"Origin", "https://a.com", "Origin", "https://b.com"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"any port of a host, the default one too", cors.Config{Origins: []string{"http://localhost:*"}}, "GET", []string{"Origin", "http://localhost"}, answers(200),
			200, headers{allowOrigin: "http://localhost", "Vary": "Origin"},
		},
		{
			"another scheme is another origin", cors.Config{Origins: []string{"https://a.com"}}, "GET", []string{"Origin", "http://a.com"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"another port is another origin", cors.Config{Origins: []string{"https://a.com"}}, "GET", []string{"Origin", "https://a.com:8443"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"a dot in a pattern is a dot", cors.Config{Origins: []string{"https://*.a.com"}}, "GET", []string{"Origin", "https://xya-com"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"a pattern is the whole origin", cors.Config{Origins: []string{"https://*.a.com"}}, "GET", []string{"Origin", "https://x.a.com.evil"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"null is not allowed by a list", cors.Config{Origins: []string{"https://*.a.com"}}, "GET", []string{"Origin", "null"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"no Origin header, a list", cors.Config{Origins: []string{"https://a.com"}}, "GET", nil, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"an origin without end is not compared", cors.Config{Origins: []string{"https://*.a.com"}}, "GET", []string{"Origin", "https://" + strings.Repeat("x", 2000) + ".a.com"}, answers(200),
			200, headers{"Vary": "Origin"},
		},
		{
			"what the handler allowed stays", cors.Config{Origins: []string{"https://a.com"}, Methods: []string{"PUT"}, ExposeHeaders: []string{"X-A", "X-B"}}, "GET", []string{"Origin", "https://a.com"},
			answers(200, allowOrigin, "https://mine.com", allowMethods, "PATCH"),
			200, headers{allowOrigin: "https://mine.com", allowMethods: "PATCH", exposeHeaders: "X-A, X-B", "Vary": "Origin"},
		},
		{
			"the handler's * goes without credentials", cors.Config{Origins: []string{"https://a.com"}, Credentials: true}, "GET", []string{"Origin", "https://a.com"}, answers(200, allowOrigin, "*"),
			200, headers{allowOrigin: "*", "Vary": "Origin"},
		},
		{
			"the handler may take credentials back without a word", cors.Config{Origins: []string{"*"}, Credentials: true}, "GET", []string{"Origin", "https://a.com"},
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()[allowCredentials] = nil }),
			200, headers{allowOrigin: "*"},
		},
		{
			"one requested method", cors.Config{Origins: []string{"*"}, RequestMethods: []string{"PUT"}}, "OPTIONS", []string{"Origin", "https://a.com", requestMethod, "PATCH"}, answers(200),
			204, headers{"Vary": requestMethod},
		},
		{
			"an age of a second and a half", cors.Config{MaxAge: 1500 * time.Millisecond}, "GET", nil, answers(200),
			200, headers{maxAge: "1"},
		},
		{
			"the handler may give credentials", cors.Config{Origins: []string{"*"}}, "GET", []string{"Origin", "https://a.com"}, answers(200, allowCredentials, "true"),
			200, headers{allowOrigin: "https://a.com", allowCredentials: "true", "Vary": "Origin"},
		},
		{
			"the handler's Vary and the Config's are one", cors.Config{Origins: []string{"https://a.com"}, Vary: []string{"X-Tenant", "Origin"}}, "GET", nil, answers(200, "Vary", "origin, X-Other"),
			200, headers{"Vary": "origin, X-Other, X-Tenant"},
		},
		{
			"the Config's Vary has no repetitions", cors.Config{Origins: []string{"https://a.com"}, Vary: []string{"X-Tenant, origin", "x-tenant"}}, "GET", nil, answers(200),
			200, headers{"Vary": "X-Tenant, origin"},
		},
		{
			"vary * says it all", cors.Config{Origins: []string{"https://a.com"}}, "GET", nil, answers(200, "Vary", "*"),
			200, headers{"Vary": "*"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			middytest.Everywhere(t, cors.New(tt.config)(tt.handler), func(t *testing.T, url string) {
				for range 2 { // a warm invocation as the first
					status, got := ask(t, tt.method, url, tt.request...)
					if status != tt.status {
						t.Errorf("status %d, want %d", status, tt.status)
					}
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Error(diff)
					}
				}
			})
		})
	}
}

func TestGetOriginDecides(t *testing.T) {
	handler := cors.New(cors.Config{
		Credentials: true,
		Origins:     []string{"https://listed.com"},
		GetOrigin: func(r *http.Request, origin string, credentials bool) string {
			switch {
			case r.URL.Path == "/split":
				return "https://a.com\r\nSet-Cookie: x"
			case r.URL.Path == "/any":
				return "*"
			case origin == "HTTPS://Friend.com" && credentials:
				return "https://friend.com"
			}
			return ""
		},
	})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/without" {
			w.Header().Set(allowCredentials, "false")
		}
	}))
	for _, tt := range []struct {
		name, path, origin string
		want               map[string]string
	}{
		{"it sees the origin as it came", "/", "HTTPS://Friend.com", map[string]string{allowOrigin: "https://friend.com", allowCredentials: "true", "Vary": "Origin"}},
		{"it may say no, whatever is listed", "/", "https://listed.com", map[string]string{allowCredentials: "true", "Vary": "Origin"}},
		{"it sees what the handler decided", "/without", "HTTPS://Friend.com", map[string]string{allowCredentials: "false", "Vary": "Origin"}},
		{"its * goes without credentials", "/any", "https://x.com", map[string]string{allowOrigin: "*", "Vary": "Origin"}},
		{"what splits a header is not sent", "/split", "https://x.com", map[string]string{allowCredentials: "true", "Vary": "Origin"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			middytest.Everywhere(t, handler, func(t *testing.T, url string) {
				_, got := ask(t, "GET", url+tt.path, "Origin", tt.origin)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestGetOriginAloneMakesTheAnswerVary(t *testing.T) {
	handler := cors.New(cors.Config{GetOrigin: func(*http.Request, string, bool) string { return "" }})(answers(200))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header().Get("Vary"); got != "Origin" {
		t.Errorf("got Vary %q: a cache gives the answer for one origin to another", got)
	}
}

func TestNoHeaderIsSetToNothing(t *testing.T) {
	w := httptest.NewRecorder()
	cors.New(cors.Config{})(answers(200)).ServeHTTP(w, httptest.NewRequest("OPTIONS", "/", nil))
	if len(w.Header()) > 0 {
		t.Errorf("got %v, want no names", w.Header())
	}
}

// Middy issue 1263: the origin of one invocation was in the response to the next.
func TestNothingStaysFromOneRequestToTheNext(t *testing.T) {
	handler := cors.New(cors.Config{Origins: []string{"https://a.com", "https://b.com"}, Methods: []string{"PUT"}, Credentials: true})(answers(200))
	for _, origin := range []string{"https://a.com", "https://b.com", "https://c.com", "https://a.com"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		want := origin
		if origin == "https://c.com" {
			want = ""
		}
		if got := w.Header().Get(allowOrigin); got != want {
			t.Errorf("%s was answered %q", origin, got)
		}
		w.Header().Add(allowMethods, "DELETE") // an outer layer
		if len(w.Header()[allowMethods]) != 2 {
			t.Errorf("methods %q", w.Header()[allowMethods])
		}
	}
}

func TestNewCopiesItsConfig(t *testing.T) {
	cfg := cors.Config{Origins: []string{"https://a.com"}, RequestMethods: []string{"PUT"}, Vary: []string{"X-A"}, Methods: []string{"PUT"}}
	handler := cors.New(cfg)(answers(200))
	cfg.Origins[0], cfg.RequestMethods[0], cfg.Vary[0], cfg.Methods[0] = "https://b.com", "GET", "X-B", "GET"
	r := httptest.NewRequest("OPTIONS", "/", nil)
	r.Header.Set("Origin", "https://a.com")
	r.Header.Set(requestMethod, "PUT")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if h := w.Header(); h.Get(allowOrigin) != "https://a.com" || h.Get(allowMethods) != "PUT" || h.Get("Vary") != requestMethod+", X-A, Origin" {
		t.Errorf("%v", h)
	}
}

func TestStreamsKeepStreaming(t *testing.T) {
	next := make(chan bool)
	server := httptest.NewServer(cors.New(cors.Config{Origins: []string{"https://a.com"}})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		<-next
		io.WriteString(w, "two")
	})))
	defer server.Close()
	r, _ := http.NewRequest("GET", server.URL, nil)
	r.Header.Set("Origin", "https://a.com")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	one := make([]byte, 3)
	_, err = io.ReadFull(resp.Body, one)
	close(next)
	if err != nil || string(one) != "one" || resp.Header.Get(allowOrigin) != "https://a.com" {
		t.Errorf("%q, %v, %v", one, err, resp.Header)
	}
}

func TestEveryMistakeInAConfigIsReported(t *testing.T) {
	err := cors.Config{
		Origins:        []string{"https://a.com", "", "https://a.com\n", "https://ü.de", "a.com", "*.a.com"},
		Origin:         "https://a.com\x00",
		Methods:        []string{"GET PUT"},
		Headers:        []string{"X-A", ","},
		ExposeHeaders:  []string{"X-A:"},
		RequestMethods: []string{"GET/"},
		RequestHeaders: []string{"ü", "a\x7f"},
		Vary:           []string{""},
		CacheControl:   "\x7f",
		MaxAge:         600, // forgot the unit
		Preflight:      9,
	}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"Origins[1]", "Origins[2]", `Origins[3] is "https://ü.de"`, "Origins[4]", "Origins[5]", "Origin is", `Methods[0] has "GET PUT"`, "Headers[1]", "ExposeHeaders[0]",
		"RequestMethods[0]", "RequestHeaders[0]", "RequestHeaders[1]", "Vary[0]", "CacheControl", "MaxAge is 600ns", "Preflight is 9",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	for _, cfg := range []cors.Config{
		{},
		{Origins: []string{"*", "https://*.a.com", "null", "app://x"}, Methods: []string{"*"}, Headers: []string{"*", "X~A"}, MaxAge: -1},
		{MaxAge: time.Second, CacheControl: "public,\tmax-age=1", Vary: []string{"A, B"}, Preflight: cors.Pass},
	} {
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes what Validate refuses")
		}
	}()
	if err := (cors.Config{Preflight: -1}).Validate(); err == nil || !strings.Contains(err.Error(), "Preflight is -1") {
		t.Errorf("got %v, want that Preflight is -1", err)
	}
	cors.New(cors.Config{Preflight: 9})
}

// What browsers refuse, or keep from a page, could only look like a permission.
func TestWhatBrowsersRefuseIsRefused(t *testing.T) {
	const compares, method, set, read, literal = "compare by case", "let a page use it", "let a page set it", "let a page read it", "take * for a name"
	for _, c := range []struct {
		cfg  cors.Config
		want string // "" is valid
	}{
		{cors.Config{Methods: []string{"PUT", "PATCH", "patch", "GET,DELETE", "*", "QUERY"}}, ""},
		{cors.Config{Methods: []string{"put"}}, compares},
		{cors.Config{Methods: []string{"GET, Delete"}}, compares},
		{cors.Config{Methods: []string{"CONNECT"}}, method},
		{cors.Config{Methods: []string{"trace"}}, method},
		{cors.Config{Methods: []string{"GET,TRACK"}}, method},
		{cors.Config{RequestMethods: []string{"put"}}, ""},
		{cors.Config{RequestMethods: []string{"Trace"}}, method},
		{cors.Config{Methods: []string{"*"}, Credentials: true}, literal},
		{cors.Config{Headers: []string{"*", "Authorization", "X-Sec", "Secret", "Proxy"}}, ""},
		{cors.Config{Headers: []string{"*"}, Credentials: true}, literal},
		{cors.Config{Headers: []string{"X-A, *"}, Credentials: true}, literal},
		{cors.Config{Headers: []string{"Connection"}}, set},
		{cors.Config{Headers: []string{"Sec-Foo"}}, set},
		{cors.Config{Headers: []string{"X-A, proxy-authorization"}}, set},
		{cors.Config{Headers: []string{"COOKIE"}}, set},
		{cors.Config{Headers: []string{"DNT"}}, set},
		{cors.Config{Headers: []string{"te"}}, set},
		{cors.Config{RequestHeaders: []string{"host"}}, set},
		{cors.Config{RequestHeaders: []string{"*"}, Credentials: true}, ""},
		{cors.Config{ExposeHeaders: []string{"*", "ETag"}}, ""},
		{cors.Config{ExposeHeaders: []string{"*"}, Credentials: true}, literal},
		{cors.Config{ExposeHeaders: []string{"set-cookie"}}, read},
		{cors.Config{ExposeHeaders: []string{"Set-Cookie2"}}, read},
		{cors.Config{MaxAge: 1}, "browsers count seconds"},
		{cors.Config{CacheControl: "public, max-age=1"}, ""},
		{cors.Config{Vary: []string{"Cookie"}, Origins: []string{"*"}, Credentials: true}, ""},
	} {
		err := c.cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.cfg, err, c.want)
		}
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func request(method, origin string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.Header.Set("Origin", origin)
	if method == http.MethodOptions {
		r.Header.Set(requestMethod, "PUT")
		r.Header.Set(requestHeaders, "authorization,content-type")
	}
	return r
}

var typical = cors.Config{
	Origins: []string{"https://app.example.com", "https://*.preview.example.com"}, Credentials: true,
	Methods: []string{"GET", "PUT", "DELETE"}, Headers: []string{"Authorization", "Content-Type"}, MaxAge: time.Hour,
}

func BenchmarkCORS(b *testing.B) {
	for _, bb := range []struct{ name, method, origin string }{
		{"preflight", "OPTIONS", "https://app.example.com"},
		{"exact", "GET", "https://app.example.com"},
		{"pattern", "GET", "https://pr-12.preview.example.com"},
		{"miss", "GET", "https://evil.example.com"},
		{"not ASCII", "GET", "https://bücher.example.com"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			handler := cors.New(typical)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r, h := request(bb.method, bb.origin), http.Header{}
			b.ReportAllocs()
			for b.Loop() {
				clear(h)
				handler.ServeHTTP(discard{h}, r)
			}
		})
	}
}

// The wrapper, its function, and the line with the origin.
func TestAResponseAllocatesLittle(t *testing.T) {
	handler := cors.New(typical)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for method, want := range map[string]float64{"GET": 3, "OPTIONS": 1} {
		r, h := request(method, "https://pr-12.preview.example.com"), http.Header{}
		if n := testing.AllocsPerRun(100, func() { clear(h); handler.ServeHTTP(discard{h}, r) }); n > want {
			t.Errorf("%s: %v allocations, want %v", method, n, want)
		}
	}
}
