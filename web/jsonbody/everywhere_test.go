package jsonbody

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	h := New(Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, _ := Value(r)
		fmt.Fprintf(w, "%s %v", Raw(r), v)
	}))
	middytest.Everywhere(t, h, func(t *testing.T, url string) {
		for _, c := range []struct {
			contentType, body string
			status            int
			want              string
		}{
			{"application/json", `{"ä": 1}`, 200, `{"ä": 1} map[ä:1]`},
			{"application/json", "\"\xff\"", 422, "a string is not UTF-8 at byte 1"},
			{"application/json", `{"__proto__":1}`, 422, "Forbidden key"},
			{"application/json", "", 422, "there is no body"},
			{"text/plain", "{}", 415, "the Content-Type must be application/json"},
		} {
			resp, err := http.Post(url, c.contentType, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != c.status || !strings.Contains(string(b), c.want) {
				t.Errorf("%s: got %d %s", c.body, resp.StatusCode, b)
			}
		}
	})
}
