package headers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web/headers"
)

func Example() {
	defaults := headers.New(headers.Config{Defaults: http.Header{"Accept": {"application/json"}}})
	h := defaults(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(headers.Lower(r.Header))
		fmt.Println(headers.Canonical(r.Header))
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("DNT", "1")
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// map[accept:[application/json] dnt:[1]]
	// map[Accept:[application/json] DNT:[1]]
}
