package router_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web/router"
)

func Example() {
	rt := router.New(router.Config{AutoOptions: true})
	rt.HandleFunc("GET /orders/{order-id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "order", r.PathValue("order-id"))
	})
	rt.HandleFunc("ANY /files/{key+}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "file", r.PathValue("key"))
	})
	admin := rt.At("/admin").With(onlyAdmins)
	admin.HandleFunc("DELETE /orders/{order-id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "deleted", r.PathValue("order-id"))
	})

	for _, route := range []string{"GET /orders/7/", "GET /files/2026/a.txt", "DELETE /admin/orders/7", "DELETE /orders/7"} {
		var method, path string
		_, _ = fmt.Sscan(route, &method, &path)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 order 7
	// 200 file 2026/a.txt
	// 401 admins only
	// 405 {"title":"Method Not Allowed","status":405,"detail":"the methods here are GET, HEAD, OPTIONS"}
}

func onlyAdmins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			http.Error(w, "admins only", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
