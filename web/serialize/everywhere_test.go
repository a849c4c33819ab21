package serialize

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	h := New(Config{Serializers: []Serializer{JSON(), XML()}, NotAcceptable: true})(writing(201, order{7}))
	middytest.Everywhere(t, h, func(t *testing.T, url string) {
		for accept, want := range map[string]string{
			"text/html, application/xml;q=0.9": "201 application/xml <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<order id=\"7\"></order>",
			"application/hal+json":             `201 application/hal+json {"id":7}`,
			"image/png":                        `406 application/problem+json {"title":"Not Acceptable","status":406,"detail":"there is application/json, application/xml"}` + "\n",
		} {
			req, _ := http.NewRequest("GET", url, nil)
			req.Header.Set("Accept", accept)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := fmt.Sprintf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), b); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		}
	})
}
