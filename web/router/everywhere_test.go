package router

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	rt := routes(Config{AutoOptions: true}, "GET /orders/{order-id}", "POST /orders", "GET /files/{key+}")
	middytest.Everywhere(t, rt, func(t *testing.T, url string) {
		for _, c := range []struct{ method, path, want, allow string }{
			{"GET", "/orders/M%C3%AEddy/", `200 GET /orders/{order-id} order-id="Mîddy"`, ""},
			{"GET", "/files/a/b.txt?x=1", `200 GET /files/{key+} key="a/b.txt"`, ""},
			{"GET", "/files", `200 GET /files/{key+} key=""`, ""},
			{"DELETE", "/orders", "405", "OPTIONS, POST"},
			{"OPTIONS", "/orders/1", "204", "GET, HEAD, OPTIONS"},
			{"GET", "/nowhere", "404", ""},
		} {
			req, _ := http.NewRequest(c.method, url+c.path, nil)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := fmt.Sprintf("%d %s", resp.StatusCode, b); !strings.HasPrefix(got, c.want) || resp.Header.Get("Allow") != c.allow {
				t.Errorf("%s %s: got %s, Allow %q", c.method, c.path, got, resp.Header.Get("Allow"))
			}
		}
	})
}
