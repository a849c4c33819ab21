package router_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/deadline"
	"github.com/gomiddy/middy/web/jsonbody"
	"github.com/gomiddy/middy/web/partial"
	"github.com/gomiddy/middy/web/pathparam"
	"github.com/gomiddy/middy/web/problem"
	"github.com/gomiddy/middy/web/requestid"
	"github.com/gomiddy/middy/web/router"
	"github.com/gomiddy/middy/web/serialize"
)

type order struct {
	ID    string `json:"id" xml:"id"`
	Items int    `json:"items" xml:"items"`
}

// stack is the usual order: what every response needs outside, what reads the request
// inside, each as close to the handler as it can be.
func stack() http.Handler {
	rt := router.New(router.Config{})
	api := rt.With(pathparam.New(pathparam.Config{}), serialize.New(serialize.Config{Serializers: []serialize.Serializer{serialize.JSON(), serialize.XML()}}))
	api.Handle("GET /orders/{order-id}", web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return serialize.Write(w, r, 200, order{r.PathValue("order-id"), 3})
	}))
	api.With(jsonbody.New(jsonbody.Config{})).Handle("POST /orders", web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		var o order
		if err := jsonbody.Decode(r, &o); err != nil {
			return err
		}
		return serialize.Write(w, r, 201, o)
	}))
	api.With(deadline.New(deadline.Config{Timeout: 50 * time.Millisecond})).HandleFunc("GET /slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	api.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("secret") })

	var h http.Handler = rt
	h = partial.New(partial.Config{})(h)
	h = deadline.New(deadline.Config{Timeout: time.Minute})(h)
	h = problem.New(problem.Config{DisableLog: true})(h)
	return requestid.New(requestid.Config{})(h)
}

func TestTheWholeStackInLambdaAsBehindNetHTTP(t *testing.T) {
	middytest.Everywhere(t, stack(), func(t *testing.T, url string) {
		for _, c := range []struct{ method, path, accept, body, want string }{
			{"GET", "/orders/M%C3%AEddy", "", "", `200 application/json {"id":"Mîddy","items":3}`},
			{"GET", "/orders/7/?fields=items", "", "", `200 application/json {"items":3}`},
			{"GET", "/orders/7?fields=items", "application/xml", "", "200 application/xml <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<order><id>7</id><items>3</items></order>"},
			{"POST", "/orders", "", `{"id":"8","items":1}`, `201 application/json {"id":"8","items":1}`},
			{"POST", "/orders", "", `{"id":8}`, `422 application/problem+json {"title":"Unprocessable Entity","status":422,"detail":"the body does not have the expected form","errors":[{"pointer":"#/id","detail":"a number does not fit here"}]}`},
			{"POST", "/orders?fields=title", "", `{"id":`, `422 application/problem+json {"title":"Unprocessable Entity","status":422,"detail":"Invalid or malformed JSON was provided: unexpected end at byte 6"}`},
			{"DELETE", "/orders", "", "", `405 application/problem+json {"title":"Method Not Allowed","status":405,"detail":"the methods here are POST"}`},
			{"GET", "/nowhere", "", "", `404 application/problem+json {"title":"Not Found","status":404,"detail":"Route does not exist"}`},
			{"GET", "/slow", "", "", `503 application/problem+json {"title":"Service Unavailable","status":503,"detail":"the request took too long"}`},
			{"GET", "/panic", "", "", `500 application/problem+json {"title":"Internal Server Error","status":500}`},
		} {
			req, err := http.NewRequest(c.method, url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if c.accept != "" {
				req.Header.Set("Accept", c.accept)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			got := fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), strings.TrimSpace(string(b)))
			if err != nil || got != c.want {
				t.Errorf("%s %s: %v\n got %s\nwant %s", c.method, c.path, err, got, c.want)
			}
			if resp.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s %s: no request id", c.method, c.path)
			}
		}
	})
}
