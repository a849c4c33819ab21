package problem_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/problem"
)

func Example() {
	errNoRows := errors.New("no rows in result set")
	mux := http.NewServeMux()
	mux.Handle("GET /orders/{id}", web.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errNoRows }))
	mux.Handle("GET /broken", web.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		return errors.New("dial tcp 10.0.0.7:5432: connection refused")
	}))
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("index out of range") })

	h := problem.New(problem.Config{
		Logger: func(r *http.Request, err error) { fmt.Println("log:", r.URL.Path, err) },
		Map: func(err error) error {
			if errors.Is(err, errNoRows) {
				return &web.Error{Status: http.StatusNotFound, Detail: "there is no such order", Err: err}
			}
			return err
		},
	})(mux)

	for _, path := range []string{"/orders/42", "/broken", "/panic"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Print(w.Body)
	}
	// Output:
	// log: /orders/42 no rows in result set
	// {"title":"Not Found","status":404,"detail":"there is no such order"}
	// log: /broken dial tcp 10.0.0.7:5432: connection refused
	// {"title":"Internal Server Error","status":500}
	// log: /panic problem: the handler panicked: index out of range
	// {"title":"Internal Server Error","status":500}
}
