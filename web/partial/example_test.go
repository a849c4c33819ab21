package partial_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web/partial"
)

func Example() {
	h := partial.New(partial.Config{})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id": 7, "customer": {"name": "Ada", "email": "ada@example.com"}, "items": [{"sku": "t1", "price": 3}, {"sku": "t2", "price": 4}]}`)
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/orders/7?fields=id,customer/name,items(price)", nil))
	fmt.Println(w.Body)
	// Output: {"id":7,"customer":{"name":"Ada"},"items":[{"price":3},{"price":4}]}
}
