package formbody_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gomiddy/middy/web/formbody"
)

func Example() {
	h := formbody.New(formbody.Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form := formbody.Values(r)
		fmt.Fprintln(w, form.Get("name"), form["topic"], form.Get("discount"))
	}))
	r := httptest.NewRequest("POST", "/subscribe", strings.NewReader("name=M%C3%AEddy+Go&topic=web&topic=lambda&discount=5%"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Print(w.Body)
	// Output: Mîddy Go [web lambda] 5%
}
