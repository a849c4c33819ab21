package partial

import (
	"io"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	middytest.Everywhere(t, New(Config{})(writing(document)), func(t *testing.T, url string) {
		for query, want := range map[string]string{
			"?fields=id,user/addr/city":           `{"id":1,"user":{"addr":{"city":"c"}}}`,
			"?fields=user(first%2Clast),items/id": `{"user":{"first":"f","last":"l"},"items":[{"id":1},{"id":2}]}`,
			"":                                    document,
		} {
			resp, err := http.Get(url + "/" + query)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(b) != want || resp.ContentLength != int64(len(want)) {
				t.Errorf("%s: got %s, length %d", query, b, resp.ContentLength)
			}
		}
	})
}
