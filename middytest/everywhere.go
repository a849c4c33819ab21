package middytest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/web"
)

// Everywhere runs f against h as net/http serves it, and against h as the
// handler of a function behind front doors: an HTTP API, a REST API and a load
// balancer with multi-value headers. f gets the address of a server on loopback.
//
// A middleware for HTTP that passes it behaves the same in Lambda, in a container
// and on a laptop. What only one place can do (streaming, 1xx, trailers) does not
// belong into f.
func Everywhere(t *testing.T, h http.Handler, f func(t *testing.T, url string)) {
	t.Helper()
	function, err := middy.New(web.Handler(h))
	if err != nil {
		t.Fatal(err)
	}
	warn := func(id string, reason error) { t.Logf("front door, request %s: %v", id, reason) }
	for _, place := range []struct {
		name string
		door frontdoor.Door
	}{
		{"net-http", nil},
		{"lambda-http-api", frontdoor.HTTPAPI{}},
		{"lambda-rest-api", frontdoor.RESTAPI{BinaryMediaTypes: []string{"*/*"}}},
		{"lambda-alb", frontdoor.ALB{MultiValue: true}},
	} {
		t.Run(place.name, func(t *testing.T) {
			served := h
			if place.door != nil {
				served = frontdoor.New(frontdoor.Config{Function: frontdoor.InProcess(function), Door: place.door, Warn: warn})
			}
			server := httptest.NewServer(served)
			defer server.Close()
			f(t, server.URL)
		})
	}
}

// Respond runs one event, JSON, through a handler as Lambda would, and returns the
// JSON of its result: for what an HTTP function gets of one particular event.
func Respond[E, R any](t testing.TB, h func(context.Context, E) (R, error), event []byte) []byte {
	t.Helper()
	f, err := middy.New(h)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Invoke(Context(t), event)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
