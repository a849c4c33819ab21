package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/examples/internal/sandbox"
)

// The application answers alike behind net/http and in Lambda, at every door.
func TestChiAnswersInLambdaAsItDoesOnAServer(t *testing.T) {
	server := httptest.NewServer(routes())
	t.Cleanup(server.Close)
	places := map[string]string{
		"net/http":              server.URL,
		"Lambda, HTTP API":      sandbox.Start(t, sandbox.Config{}),
		"Lambda, function URL":  sandbox.Start(t, sandbox.Config{Door: frontdoor.FunctionURL{}}),
		"Lambda, REST API":      sandbox.Start(t, sandbox.Config{Door: frontdoor.RESTAPI{}}),
		"Lambda, load balancer": sandbox.Start(t, sandbox.Config{Door: frontdoor.ALB{}}),
	}
	for place, url := range places {
		t.Run(place, func(t *testing.T) {
			for _, c := range []struct {
				rule, method, path, body string
				status                   int
				want                     string
			}{
				{"a route", "GET", "/articles/7", "", 200, `{"id":7,"title":"Onions"}`},
				{"a parameter that the route does not take", "GET", "/articles/x", "", 404, "404 page not found"},
				{"nothing there", "GET", "/articles/99", "", 404, "no such article"},
				{"a body", "POST", "/articles", `{"title":"Ä"}`, 201, `{"id":8,"title":"Ä"}`},
				{"what was made is there, after a freeze, too", "GET", "/articles/8", "", 200, `{"id":8,"title":"Ä"}`},
				{"another method", "PUT", "/articles/7", "", 405, ""},
				{"no body", "DELETE", "/articles/8", "", 204, ""},
				{"a panic is chi's to answer", "GET", "/boom", "", 500, ""},
				{"the root", "GET", "/", "", 200, "a blog"},
			} {
				req, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := sandbox.Client(t).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != c.status || strings.TrimSpace(string(b)) != c.want || resp.Header.Get("X-Served-By") != "chi" {
					t.Errorf("%s: %d %q %v, want %d %q", c.rule, resp.StatusCode, b, err, c.status, c.want)
				}
			}
		})
	}
}
