package pathparam_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web/pathparam"
)

func Example() {
	mux := http.NewServeMux()
	mux.Handle("GET /users/{name}", pathparam.New(pathparam.Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello", r.PathValue("name"))
	})))
	for _, path := range []string{"/users/M%C3%AEddy", "/users/%ff"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 hello Mîddy
	// 400 {"title":"Bad Request","status":400,"detail":"Invalid path parameter encoding: name","errors":[{"parameter":"name","in":"path","detail":"is no percent-encoded UTF-8"}]}
}
