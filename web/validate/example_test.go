package validate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gomiddy/middy/web/validate"
)

func Example() {
	valid := validate.New(validate.Config{
		Query: []byte(`{"type": "object", "properties": {"dry": {"type": "boolean", "default": false}}}`),
		Body: []byte(`{
			"type": "object",
			"required": ["email", "items"],
			"properties": {
				"email": {"type": "string", "format": "email"},
				"items": {"type": "array", "items": {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}}}
			}
		}`),
	})
	h := valid(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, _ := validate.FromContext(r.Context())
		fmt.Fprint(w, "dry is ", in.Query["dry"])
	}))
	post := func(query, body string) {
		r := httptest.NewRequest("POST", "/orders?"+query, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}

	post("dry=true", `{"email": "ann@example.com", "items": []}`)
	post("dry=perhaps", `{"items": [{"price": -1}]}`)
	// Output:
	// 200 dry is true
	// 400 {"title":"Bad Request","status":400,"detail":"The request does not match its schema.","errors":[{"parameter":"dry","in":"query","detail":"must be boolean"},{"pointer":"#/email","detail":"must have required property 'email'"},{"pointer":"#/items/0/price","detail":"must be \u003e= 0"}]}
}
