package jwtauth

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

func TestTheSameInLambdaAndBehindNetHTTP(t *testing.T) {
	auth := New(Config{Algorithms: []string{"HS256"}, Secret: Static([]byte(secret))})
	middytest.Everywhere(t, auth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := Claims(r.Context())
		fmt.Fprint(w, claims["sub"])
	})), func(t *testing.T, url string) {
		for _, c := range []struct {
			rule, authorization string
			status              int
			body                string
		}{
			{"a genuine token", "Bearer " + hs(t, map[string]any{"sub": "ada"}), 200, "ada"},
			{"a token of somebody else", "Bearer " + hs(t, map[string]any{"sub": "ada"}) + "x", 401, ""},
			{"no token", "", 401, ""},
		} {
			r, err := http.NewRequest("GET", url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			// A REST API gives WWW-Authenticate another name.
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != c.status || c.status == 200 && string(b) != c.body || c.status == 401 && resp.Header.Get("WWW-Authenticate")+resp.Header.Get("X-Amzn-Remapped-Www-Authenticate") == "" {
				t.Errorf("%s: %d %q %v", c.rule, resp.StatusCode, b, resp.Header)
			}
		}
	})
}
