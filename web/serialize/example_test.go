package serialize_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/serialize"
)

func Example() {
	type Order struct {
		XMLName xml.Name `json:"-" xml:"order"`
		ID      int      `json:"id" xml:"id"`
	}
	formats := serialize.New(serialize.Config{Serializers: []serialize.Serializer{serialize.JSON(), serialize.XML()}})
	h := formats(web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return serialize.Write(w, r, http.StatusOK, Order{ID: 7})
	}))
	for _, accept := range []string{"*/*", "text/html, application/xml;q=0.9", "application/hal+json"} {
		r := httptest.NewRequest("GET", "/orders/7", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Header().Get("Content-Type"), w.Body)
	}
	// Output:
	// application/json {"id":7}
	// application/xml <?xml version="1.0" encoding="UTF-8"?>
	// <order><id>7</id></order>
	// application/hal+json {"id":7}
}
