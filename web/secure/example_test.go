package secure_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web/secure"
)

func Example() {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/widget" { // a page that others may frame
			w.Header()["X-Frame-Options"] = nil
		}
	})
	handler := secure.New(secure.Config{
		ContentSecurityPolicy: secure.CSP(
			secure.Directive{Name: "default-src", Value: "'self'"},
			secure.Directive{Name: "sandbox", Value: secure.Off},
		),
		FrameOptions: "SAMEORIGIN",
	})(page)

	for _, path := range []string{"/", "/widget"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, w.Header()["X-Frame-Options"], w.Header()["Referrer-Policy"])
	}
	// Output:
	// / [SAMEORIGIN] [no-referrer]
	// /widget [] [no-referrer]
}

func ExampleCSP() {
	fmt.Println(secure.CSP(
		secure.Directive{Name: "default-src", Value: "'self'"},
		secure.Directive{Name: "report-to", Value: secure.Off},
		secure.Directive{Name: "img-src", Value: "https:"},
	))
	// Output:
	// default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; img-src https:; sandbox; upgrade-insecure-requests
}
