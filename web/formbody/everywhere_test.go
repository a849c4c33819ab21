package formbody

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	h := New(Config{MaxPairs: 3})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, Pairs(r), r.PostFormValue("a"))
	}))
	middytest.Everywhere(t, h, func(t *testing.T, url string) {
		for body, want := range map[string]string{
			"a=1+2&a=%C3%A4&b=%ZZ": "200 [{a 1 2} {a ä} {b %ZZ}]1 2",
			"":                     "200 []",
			"a&b&c&d":              "413",
		} {
			resp, err := http.Post(url, mediaType, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := fmt.Sprintf("%d %s", resp.StatusCode, b); !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %s, want %s", body, got, want)
			}
		}
	})
}
