package jsonbody_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/jsonbody"
)

func Example() {
	type order struct {
		Item  string `json:"item"`
		Count int    `json:"count"`
	}
	h := jsonbody.New(jsonbody.Config{})(web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		var o order
		if err := jsonbody.Decode(r, &o); err != nil {
			return err // 422, with the field's name
		}
		_, err := fmt.Fprintln(w, "ordered:", o.Count, o.Item)
		return err
	}))

	for _, body := range []string{`{"item":"tea","count":2}`, `{"item":"tea","count":"two"}`, `{"item":`} {
		r := httptest.NewRequest("POST", "/orders", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 ordered: 2 tea
	// 422 {"title":"Unprocessable Entity","status":422,"detail":"the body does not have the expected form","errors":[{"pointer":"#/count","detail":"a string does not fit here"}]}
	// 422 {"title":"Unprocessable Entity","status":422,"detail":"Invalid or malformed JSON was provided: unexpected end at byte 8"}
}
