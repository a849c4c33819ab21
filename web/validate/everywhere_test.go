package validate_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web/validate"
)

func TestTheSameInLambdaAndBehindNetHTTP(t *testing.T) {
	check := validate.New(validate.Config{
		Body:  []byte(`{"type":"object","required":["name"],"properties":{"name":{"type":"string","maxLength":5}}}`),
		Query: []byte(`{"type":"object","properties":{"limit":{"type":"integer","maximum":10}}}`),
	})
	middytest.Everywhere(t, check(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})), func(t *testing.T, url string) {
		for _, c := range []struct {
			rule, query, body string
			status            int
			pointer           string
		}{
			{"what fits passes, unchanged", "?limit=3", `{"name":"Zoë"}`, 200, ""},
			{"a body that does not is refused at its place", "", `{"name":"too long"}`, 400, "#/name"},
			{"and so is a query", "?limit=11", `{"name":"a"}`, 400, ""},
		} {
			resp, err := http.Post(url+c.query, "application/json", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != c.status || c.status == 200 && string(b) != c.body || !strings.Contains(string(b), c.pointer) {
				t.Errorf("%s: %d %s", c.rule, resp.StatusCode, b)
			}
		}
	})
}
