package frontdoor

import (
	"context"
	"net"
	"net/http"
)

// Listener and ConnContext let a REST door see header names as they were sent,
// which net/http's server changes: X-Request-Id for x-request-id.
func Listener(l net.Listener) net.Listener { return l }

// ConnContext is for [http.Server]; see [Listener].
func ConnContext(ctx context.Context, _ net.Conn) context.Context { return ctx }

// spelling returns how the request's header names were written, by net/http's
// name for them, in the order of their values; nil when that is not known.
func spelling(*http.Request) map[string][]string { return nil }
