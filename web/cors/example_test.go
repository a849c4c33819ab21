package cors_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gomiddy/middy/web/cors"
)

func Example() {
	handler := cors.New(cors.Config{
		Origins:     []string{"https://app.example.com", "https://*.preview.example.com"},
		Methods:     []string{"GET", "PUT"},
		Credentials: true,
		MaxAge:      time.Hour,
	})(http.NotFoundHandler())

	preflight := func(origin string) {
		r := httptest.NewRequest(http.MethodOptions, "/orders/7", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "PUT")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header()["Access-Control-Allow-Origin"], w.Header()["Vary"])
	}
	preflight("https://pr-12.preview.example.com")
	preflight("https://evil-preview.example.com")
	// Output:
	// 204 [https://pr-12.preview.example.com] [Origin]
	// 204 [] [Origin]
}
