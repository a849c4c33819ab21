package x402

import (
	"io"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestTheSameInLambdaAndBehindNetHTTP(t *testing.T) {
	n := 0
	paid := New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: good()})
	middytest.Everywhere(t, paid(respond(200, "the report")), func(t *testing.T, url string) {
		n++ // a payment is good for once
		payment := v2("5", "a", "p")
		payment["payload"] = map[string]any{"nonce": n}
		for _, c := range []struct {
			rule   string
			header string
			status int
			body   string
		}{
			{"no payment", "", 402, ""},
			{"a good payment", b64(payment), 200, "the report"},
			{"the same payment again", b64(payment), 402, ""},
		} {
			r, err := http.NewRequest("GET", url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.header != "" {
				r.Header.Set("PAYMENT-SIGNATURE", c.header)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != c.status || c.body != "" && string(b) != c.body {
				t.Errorf("%s: %d %.200s", c.rule, resp.StatusCode, b)
			}
		}
	})
}
