package cli

import (
	"net"
	"net/http"
	"strings"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/lambda"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// doors are the function's HTTP front door and Lambda's Invoke API on one port.
// end drops asynchronous invocations that wait for a retry.
func (s *session) doors() (h http.Handler, end func()) {
	fn := reported{s.fn, s.report}
	api := lambda.Handler(func(name string) runtimeapi.Invoker {
		if name == s.program.Name || name == "" {
			return fn
		}
		return nil
	})
	var door frontdoor.Door = frontdoor.HTTPAPI{AccountID: s.aws.account}
	if s.cfg.front != "http" {
		door = frontdoor.FunctionURL{Stream: s.cfg.front == "stream"}
	}
	front := frontdoor.New(frontdoor.Config{Function: fn, Door: door, Warn: s.report.doorWarning})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lambda.Match(r) {
			api.ServeHTTP(w, r)
			return
		}
		front.ServeHTTP(w, r)
	}), api.Close
}

// guard refuses what a web page in the developer's browser could send: another
// Host (DNS rebinding), and for Lambda's own API any Origin. The front door takes
// any Origin, for the function's CORS is the function's business.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !loopbackHost(r.Host):
			http.Error(w, "middy dev answers to localhost only", http.StatusForbidden)
		case lambda.Match(r) && r.Header.Get("Origin") != "":
			http.Error(w, "the Invoke API of middy dev does not answer web pages", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
