package deadline

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/slow", New(Config{Timeout: 50 * time.Millisecond})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })))
	mux.Handle("/fast", New(Config{Timeout: time.Minute})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Handler", "1")
		_, _ = io.WriteString(w, "done")
	})))
	middytest.Everywhere(t, mux, func(t *testing.T, url string) {
		for path, status := range map[string]int{"/slow": 503, "/fast": 200} {
			resp, err := http.Get(url + path)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != status || status == 200 && (string(b) != "done" || resp.Header.Get("X-Handler") != "1") || status == 503 && resp.Header.Get("Retry-After") != "1" {
				t.Errorf("%s: got %d %v %s", path, resp.StatusCode, resp.Header, b)
			}
		}
	})
}
