package negotiate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web/negotiate"
)

func Example() {
	greet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := negotiate.From(r.Context())
		fmt.Fprintln(w, map[string]string{"en": "hello", "nl": "hallo"}[p.Language])
	})
	handler := negotiate.New(negotiate.Config{
		Language: negotiate.Offers{Available: []string{"en", "nl"}},
	})(greet)

	for _, accept := range []string{"nl-BE, fr;q=0.9, en;q=0.8", "fr"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", accept)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 hallo
	// 406 {"title":"Not Acceptable","status":406,"detail":"Unsupported Language. Acceptable values: en, nl"}
}

func ExampleMediaTypes() {
	h := http.Header{"Accept": {"text/*;q=0.5, application/json;q=0.4"}}
	fmt.Println(negotiate.MediaTypes(h, "application/json", "text/html"))
	// Output:
	// [text/html application/json]
}
