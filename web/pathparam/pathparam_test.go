package pathparam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gomiddy/middy/web"
)

// response is what comes out of web.Handler.
type response struct {
	Status int
	Body   string
}

// rest sends an event of a REST API with these path parameters through h.
func rest(t *testing.T, h http.Handler, params map[string]string) response {
	t.Helper()
	return invoke(t, h, map[string]any{"httpMethod": "GET", "path": "/", "pathParameters": params})
}

func invoke(t *testing.T, h http.Handler, event any) response {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	var e web.Request
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	resp, err := web.Handler(h)(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return response{resp.Status, string(resp.Body)}
}

func echo(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.PathValue(name)) })
}

// The vectors of Middy's own tests and behaviour. "non-string" has no form in Go:
// path values are strings.
func TestMiddysVectors(t *testing.T) {
	for _, c := range []struct {
		rule, value string
		status      int
		want        string
	}{
		{"decode", "M%C3%AEddy", 200, `"Mîddy"`},
		{"incomplete", "%", 400, ""},
		{"bad utf8", "%E0%A4%A", 400, ""},
		{"bytes that are not UTF-8", "%ff", 400, ""},
		{"plus kept", "a+b c", 200, `"a+b c"`},
		{"slash", "x%2Fy", 200, `"x/y"`},
		{"percent", "%25", 200, `"%"`},
		{"not decoded twice", "100%2525", 200, `"100%25"`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			for name, h := range map[string]http.Handler{
				"once":  New(Config{})(echo("id")),
				"twice": New(Config{})(New(Config{})(echo("id"))),
			} {
				resp := rest(t, h, map[string]string{"good": "hello", "id": c.value})
				if resp.Status != c.status || c.status == 200 && resp.Body != c.want {
					t.Errorf("%s: got %d %s", name, resp.Status, resp.Body)
				}
				if c.status == 400 && !strings.Contains(resp.Body, `"detail":"Invalid path parameter encoding: id","errors":[{"parameter":"id","in":"path"`) {
					t.Errorf("%s: %s", name, resp.Body)
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if resp := rest(t, New(Config{})(echo("id")), nil); resp.Status != 200 || resp.Body != `""` {
			t.Errorf("got %d %s", resp.Status, resp.Body)
		}
	})
}

func TestOtherDoorsAreNotDecodedAgain(t *testing.T) {
	resp := invoke(t, New(Config{})(echo("id")), map[string]any{
		"version": "2.0", "rawPath": "/100%", "pathParameters": map[string]string{"id": "100%25 %"},
		"requestContext": map[string]any{"http": map[string]string{"method": "GET"}},
	})
	if resp.Body != `"100%25 %"` {
		t.Errorf("got %d %s", resp.Status, resp.Body)
	}
}

func TestBehindServeMux(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /a/{id}/{$}", New(Config{})(echo("id")))
	mux.Handle("GET /a/{id}/b/{rest...}", New(Config{})(echo("rest")))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for path, want := range map[string]string{
		"/a/M%C3%AEddy/":      `200 "Mîddy"`,
		"/a/100%2525/":        `200 "100%25"`,
		"/a/x%2Fy/b/c%2Fd%25": `200 "c/d%"`,
		"/a/%ff/":             `400 {"title":"Bad Request","status":400,"detail":"Invalid path parameter encoding: id","errors":[{"parameter":"id","in":"path","detail":"is no percent-encoded UTF-8"}]}` + "\n",
	} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, b); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// In Lambda the router's own match counts, and not the event's value of that name.
func TestTheRoutersMatchCounts(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /{id}", New(Config{})(echo("id")))
	resp := invoke(t, mux, map[string]any{"httpMethod": "GET", "path": "/x%2Fy", "pathParameters": map[string]string{"id": "%"}})
	if resp.Body != `"x/y"` {
		t.Errorf("got %d %s", resp.Status, resp.Body)
	}
}

// raw is a router that leaves its value encoded, as some do.
func raw(value string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("id", value)
		h.ServeHTTP(w, r)
	})
}

func TestNamedValuesAreDecodedOnce(t *testing.T) {
	once := New(Config{Names: []string{"id", "absent"}})
	for value, want := range map[string]string{"100%2525": `200 "100%25"`, "%": "400", "": `200 ""`} {
		w := httptest.NewRecorder()
		raw(value, once(once(echo("id")))).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := fmt.Sprintf("%d %s", w.Code, w.Body); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}

func TestANamedValueOfARESTEventIsNotDecodedAgain(t *testing.T) {
	h := New(Config{Names: []string{"id"}})(echo("id"))
	for raw, want := range map[string]string{"%252F": `"%2F"`, "%2525": `"%25"`, "a%20b": `"a b"`, "plain": `"plain"`} {
		for _, key := range []string{"id", "id+"} {
			resp := invoke(t, h, map[string]any{"httpMethod": "GET", "path": "/" + raw, "requestContext": map[string]any{}, "pathParameters": map[string]string{key: raw}})
			if resp.Status != 200 || resp.Body != want {
				t.Errorf("%s: got %d %s, want %s", raw, resp.Status, resp.Body, want)
			}
		}
	}
	// Another router cut its own value out, and left it encoded.
	resp := invoke(t, raw("x%20y", h), map[string]any{"httpMethod": "GET", "path": "/x%20y", "requestContext": map[string]any{}, "pathParameters": map[string]string{"id": "other"}})
	if resp.Body != `"x y"` {
		t.Errorf("got %d %s", resp.Status, resp.Body)
	}
}

func TestWildcards(t *testing.T) {
	for pattern, want := range map[string][]string{
		"": nil, "GET /": nil, "/{$}": nil, "GET h/{a}/b/{c...}": {"a", "c"}, "/{a": {"a"},
	} {
		if got := wildcards(pattern); !slices.Equal(got, want) {
			t.Errorf("%s: %q", pattern, got)
		}
	}
}

func TestValidate(t *testing.T) {
	if (Config{Names: []string{"a", ""}}).Validate() == nil || (Config{}).Validate() != nil {
		t.Error("Names")
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a bad Config")
		}
	}()
	New(Config{Names: []string{""}})
}

// What is decoded encodes into something that decodes into the same.
func FuzzUnescape(f *testing.F) {
	for _, seed := range []string{"a", "%25", "%", "%E0%A4%A", "a+b", "%2F"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain, err := unescape("x", s)
		if err != nil {
			if e, ok := errors.AsType[*web.Error](err); !ok || e.Status != 400 {
				t.Fatal(err)
			}
			return
		}
		if again, err := unescape("x", url.PathEscape(plain)); err != nil || again != plain || !utf8.ValidString(plain) {
			t.Fatalf("%q: %q, %q, %v", s, plain, again, err)
		}
	})
}
