package web_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
)

// A typed endpoint gets the same of every front door as of net/http.
func TestATypedEndpointAnswersTheSameEverywhere(t *testing.T) {
	type in struct {
		ID   string   `path:"id"`
		Tags []string `query:"tag" maxItems:"2"`
		List []int    `header:"X-List"`
		Who  string   `cookie:"who"`
		Text string   `json:"text" required:"true"`
	}
	mux := http.NewServeMux()
	mux.Handle("POST /things/{id}", web.JSON(func(_ context.Context, v in) (in, error) { return v, nil }))
	middytest.Everywhere(t, mux, func(t *testing.T, url string) {
		for _, c := range []struct {
			rule, target, body string
			status             int
			want               string
		}{
			{"everything is bound", "/things/a%20b?tag=1&tag=%C3%A4%26", `{"text":"ü"}`, 200, `{"ID":"a b","Tags":["1","ä&"],"List":[1,2,3],"Who":"ada","text":"ü"}`},
			{"every mistake is told", "/things/x?tag=1&tag=2&tag=3", `{}`, 422, `{"title":"Unprocessable Entity","status":422,"detail":"2 fields are invalid.","errors":[{"parameter":"tag","in":"query","detail":"must have at most 2 items"},{"pointer":"#/text","detail":"is required"}]}`},
			{"no JSON", "/things/x", `{`, 400, `{"title":"Bad Request","status":400,"detail":"The body is not JSON: unexpected end of JSON input, at byte 1."}`},
		} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", url+c.target, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = http.Header{"Content-Type": {"application/json"}, "X-List": {"1, 2", "3"}, "Cookie": {"a=b; who=ada"}}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != c.status || strings.TrimSpace(string(b)) != c.want {
				t.Errorf("%s: %d %s %v\nwant %d %s", c.rule, resp.StatusCode, b, err, c.status, c.want)
			}
		}
	})
}
