// Package httptest stands in for net/http/httptest in other people's test suites:
// every server, and every recorder that a handler is called with, is reached
// through the front door that the environment names.
//
// A suite that passes with net/http/httptest and fails with this package has found
// a difference between net/http's server and Lambda, or a fault of ours.
package httptest

import (
	"context"
	"io"
	"net/http"
	std "net/http/httptest"
	"os"

	"github.com/gomiddy/middy/proof/doors"
)

// PlaceEnv names the place: one of doors.All, or nothing for net/http itself.
// CountEnv names a file that grows by a byte with each request that went through
// the door, so that the caller knows that something did.
const (
	PlaceEnv = "MIDDY_PROOF_PLACE"
	CountEnv = "MIDDY_PROOF_COUNT"
)

// What is the same.
type (
	Server           = std.Server
	ResponseRecorder = std.ResponseRecorder
)

const DefaultRemoteAddr = std.DefaultRemoteAddr

func NewRecorder() *ResponseRecorder { return std.NewRecorder() }

func NewRequest(method, target string, body io.Reader) *http.Request {
	return std.NewRequest(method, target, body)
}

func NewRequestWithContext(ctx context.Context, method, target string, body io.Reader) *http.Request {
	return std.NewRequestWithContext(ctx, method, target, body)
}

// NewServer is net/http/httptest's, with h behind the door.
func NewServer(h http.Handler) *Server { return std.NewServer(Behind(h)) }

// NewTLSServer is net/http/httptest's, with h behind the door.
func NewTLSServer(h http.Handler) *Server { return std.NewTLSServer(Behind(h)) }

// NewUnstartedServer is net/http/httptest's, with h behind the door.
func NewUnstartedServer(h http.Handler) *Server { return std.NewUnstartedServer(Behind(h)) }

// Serve is what calls of ServeHTTP in a suite become: they go through the door,
// unless the request comes out of it. That is then a handler that calls another.
func Serve(h func(http.ResponseWriter, *http.Request), w http.ResponseWriter, r *http.Request) {
	if w == nil || r == nil || r.Context().Value(inside{}) != nil {
		h(w, r)
		return
	}
	Behind(http.HandlerFunc(h)).ServeHTTP(w, r)
}

type inside struct{}

// Behind puts h behind the door.
func Behind(h http.Handler) http.Handler {
	place := os.Getenv(PlaceEnv)
	if place == "" {
		return h
	}
	if h == nil {
		h = http.DefaultServeMux
	}
	for _, p := range doors.All {
		if p.Name == place {
			behind := p.Direct(h)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				count()
				behind.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), inside{}, true)))
			})
		}
	}
	panic("proof/httptest: " + PlaceEnv + " names no place: " + place)
}

func count() {
	f, err := os.OpenFile(os.Getenv(CountEnv), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return // nobody counts
	}
	_, _ = f.Write([]byte{'.'})
	_ = f.Close()
}
