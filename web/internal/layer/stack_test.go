package layer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/cors"
	"github.com/gomiddy/middy/web/deadline"
	"github.com/gomiddy/middy/web/formbody"
	"github.com/gomiddy/middy/web/headers"
	"github.com/gomiddy/middy/web/jsonbody"
	"github.com/gomiddy/middy/web/jwtauth"
	"github.com/gomiddy/middy/web/multipart"
	"github.com/gomiddy/middy/web/negotiate"
	"github.com/gomiddy/middy/web/partial"
	"github.com/gomiddy/middy/web/pasetoauth"
	"github.com/gomiddy/middy/web/pathparam"
	"github.com/gomiddy/middy/web/problem"
	"github.com/gomiddy/middy/web/requestid"
	"github.com/gomiddy/middy/web/secure"
	"github.com/gomiddy/middy/web/serialize"
	"github.com/gomiddy/middy/web/validate"
	"github.com/gomiddy/middy/web/x402"
)

func secret(context.Context) ([]byte, error) { return []byte(strings.Repeat("s", 64)), nil }

// refusers are all layers that answer a request in the handler's place.
var refusers = map[string]func(http.Handler) http.Handler{
	"jsonbody":   jsonbody.New(jsonbody.Config{}),
	"formbody":   formbody.New(formbody.Config{}),
	"multipart":  multipart.New(multipart.Config{}),
	"negotiate":  negotiate.New(negotiate.Config{}),
	"validate":   validate.New(validate.Config{Body: []byte(`{"type":"object"}`)}),
	"pathparam":  pathparam.New(pathparam.Config{}),
	"deadline":   deadline.New(deadline.Config{Timeout: time.Second}),
	"jwtauth":    jwtauth.New(jwtauth.Config{Algorithms: []string{"HS512"}, Secret: secret}),
	"scopes":     jwtauth.RequireScopes("orders"),
	"pasetoauth": pasetoauth.New(pasetoauth.Config{Key: pasetoauth.Key{Public: secret}}),
	"x402":       x402.New(x402.Config{PayTo: "p", Asset: "a", Amount: "5"}),
}

// passes are all layers that leave a request alone.
var passes = map[string]func(http.Handler) http.Handler{
	"headers":   headers.New(headers.Config{}),
	"compress":  compress.New(compress.Config{}),
	"partial":   partial.New(partial.Config{}),
	"problem":   problem.New(problem.Config{}),
	"requestid": requestid.New(requestid.Config{}),
	"serialize": serialize.New(serialize.Config{}),
}

func TestEveryLayerThatRefusesSaysWhatMustBeOutsideOfIt(t *testing.T) {
	t.Parallel()
	decorators := map[string]func(http.Handler) http.Handler{"cors": cors.New(cors.Config{Origin: "*"}), "secure": secure.New(secure.Config{})}
	for decorator, decorate := range decorators {
		for refuser, refuse := range refusers {
			if got := refused(func() { refuse(decorate(http.HandlerFunc(handle))) }); !strings.Contains(got, "put web/"+decorator+" outside") {
				t.Errorf("%s(%s(mux)): got %q, want a panic that says to put %s outside", refuser, decorator, got, decorator)
			}
			if got := refused(func() { decorate(refuse(http.HandlerFunc(handle))) }); got != "" {
				t.Errorf("%s(%s(mux)): got %q, want no refusal", decorator, refuser, got)
			}
			for between, pass := range passes {
				if got := refused(func() { refuse(pass(decorate(http.HandlerFunc(handle)))) }); !strings.Contains(got, "put web/"+decorator+" outside") {
					t.Errorf("%s(%s(%s(mux))): got %q, want a panic that says to put %s outside", refuser, between, decorator, got, decorator)
				}
			}
		}
	}
}

// The order of Middy's documentation is refused; the one that the sentence asks for
// gives a page the answer with which a layer refuses its request.
func TestTheOrderOfMiddysDocumentation(t *testing.T) {
	t.Parallel()
	origin := cors.New(cors.Config{Origin: "https://app.example.com"})
	security, body, errs, shrink := secure.New(secure.Config{}), jsonbody.New(jsonbody.Config{}), problem.New(problem.Config{}), compress.New(compress.Config{})
	mux := http.HandlerFunc(handle)
	if got := refused(func() { body(security(origin(shrink(errs(mux))))) }); !strings.Contains(got, "web/secure is inside of it") {
		t.Errorf("jsonbody(secure(cors(compress(problem(mux))))): got %q, want a panic that names secure", got)
	}
	h := origin(security(shrink(errs(body(mux)))))
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"email":`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "https://app.example.com")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("half of an object: got status %d, want 422", w.Code)
	}
	for _, name := range []string{"Access-Control-Allow-Origin", "Strict-Transport-Security", "Content-Security-Policy"} {
		if w.Header().Get(name) == "" {
			t.Errorf("a refusal in the right order: no %s, want one; headers %v", name, w.Header())
		}
	}
}
