package dpop

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web/jwtauth"
)

// The client's URI has the stage in it, where there is one, and the handler's has not.
func TestTheSameInLambdaAndBehindNetHTTP(t *testing.T) {
	auth := jwtauth.New(jwtauth.Config{Algorithms: []string{"HS256"}, Secret: jwtauth.Static([]byte(secret)), DPoP: true})
	guard := New(Config{Origin: "https://api.example.com", Now: at(now)})
	middytest.Everywhere(t, auth(guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := FromContext(r.Context())
		fmt.Fprint(w, p.Thumbprint)
	}))), func(t *testing.T, base string) {
		one := token(t, bound("p256"))
		target := base + "/orders/a%20b"
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		for rule, want := range map[string]int{"the URI": 200, "another URI": 401, "no proof": 401} {
			r, err := http.NewRequest("GET", target+"?page=2", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "DPoP "+one)
			htu := "https://api.example.com" + u.EscapedPath()
			if rule == "another URI" {
				htu += "c"
			}
			if rule != "no proof" {
				r.Header.Set("DPoP", proof(t, "ES256", "p256", nil, map[string]any{"htu": htu, "ath": b64(hash(one))}))
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			// A REST API gives WWW-Authenticate another name.
			said := resp.Header.Get("WWW-Authenticate") + resp.Header.Get("X-Amzn-Remapped-Www-Authenticate")
			if resp.StatusCode != want || want == 200 && string(body) != thumbprint("p256") || want == 401 && !strings.HasPrefix(said, `DPoP error="invalid_dpop_proof"`) {
				t.Errorf("%s at %s: got %d %q %v", rule, target, resp.StatusCode, body, resp.Header)
			}
		}
	})
}
