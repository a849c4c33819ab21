package problem

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/known", failing(web.Errorf(404, "there is no order 42")))
	mux.Handle("/unknown", failing(errors.New("secret")))
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("secret") })
	for form, want := range map[Form]map[string]string{
		Details: {
			"/known":   "404 application/problem+json {\"title\":\"Not Found\",\"status\":404,\"detail\":\"there is no order 42\"}\n",
			"/unknown": "500 application/problem+json {\"title\":\"Internal Server Error\",\"status\":500,\"detail\":\"sorry\"}\n",
			"/panic":   "500 application/problem+json {\"title\":\"Internal Server Error\",\"status\":500,\"detail\":\"sorry\"}\n",
		},
		Plain: {
			"/known":   "404 text/plain there is no order 42",
			"/unknown": "500 text/plain sorry",
			"/panic":   "500 text/plain sorry",
		},
	} {
		h := New(Config{Form: form, FallbackMessage: "sorry", DisableLog: true})(mux)
		middytest.Everywhere(t, h, func(t *testing.T, url string) {
			for path, want := range want {
				resp, err := http.Get(url + path)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if got := fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), b); got != want {
					t.Errorf("%s: got %s, want %s", path, got, want)
				}
			}
		})
	}
}
