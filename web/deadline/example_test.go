package deadline_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gomiddy/middy/web/deadline"
)

func Example() {
	h := deadline.New(deadline.Config{Timeout: 10 * time.Millisecond})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // a query that takes too long
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/report", nil))
	fmt.Print(w.Header().Get("Retry-After"), " ", w.Body)
	// Output: 1 {"title":"Service Unavailable","status":503,"detail":"the request took too long"}
}
