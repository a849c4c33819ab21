package pathparam

import (
	"io"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /{id}", New(Config{})(echo("id")))
	middytest.Everywhere(t, mux, func(t *testing.T, url string) {
		resp, err := http.Get(url + "/M%C3%AEddy+Go")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); string(b) != `"Mîddy+Go"` {
			t.Errorf("got %d %s", resp.StatusCode, b)
		}
	})
}
