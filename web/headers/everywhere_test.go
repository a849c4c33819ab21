package headers

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	h := New(Config{Defaults: http.Header{"X-A": {"default"}, "X-B": {"default"}}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, Lower(r.Header)["x-a"], r.Header["X-B"])
	}))
	middytest.Everywhere(t, h, func(t *testing.T, url string) {
		req, _ := http.NewRequest("GET", url, nil)
		req.Header["x-a"] = []string{"sent"} // as it is written
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); string(b) != "[sent] [default]" && string(b) != "[sent][default]" {
			t.Errorf("got %s", b)
		}
	})
}
