package requestid_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web/requestid"
)

func Example() {
	h := requestid.New(requestid.Config{})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("log:", requestid.Attr(r.Context()))
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "01J9ZK3V9Q")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println("client:", w.Header().Get("X-Request-Id"))
	// Output:
	// log: requestId=01J9ZK3V9Q
	// client: 01J9ZK3V9Q
}
