package requestid

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	h := New(Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := FromContext(r.Context())
		fmt.Fprint(w, id)
	}))
	middytest.Everywhere(t, h, func(t *testing.T, url string) {
		for sent, want := range map[string]string{"abc-1": "abc-1", `a"b`: "", "": ""} {
			req, _ := http.NewRequest("GET", url, nil)
			req.Header.Set("X-Request-Id", sent)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := resp.Header.Get("X-Request-Id"); got != string(b) || got == "" || want != "" && got != want || got == `a"b` {
				t.Errorf("%q: the handler has %q, the client %q", sent, b, got)
			}
		}
	})
}
