package cli

import (
	"net/http"

	"github.com/gomiddy/middy/emulator/lambda"
	"github.com/gomiddy/middy/internal/loopback"
)

// guard refuses what a web page in the developer's browser could send: another
// Host (DNS rebinding), and for Lambda's own API any Origin. The front door takes
// any Origin, for the function's CORS is the function's business.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !loopback.Host(r.Host):
			http.Error(w, "middy dev answers to localhost only", http.StatusForbidden)
		case lambda.Match(r) && r.Header.Get("Origin") != "":
			http.Error(w, "the Invoke API of middy dev does not answer web pages", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
