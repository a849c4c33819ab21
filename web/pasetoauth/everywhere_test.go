package pasetoauth

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"aidanwoods.dev/go-paseto"

	"github.com/gomiddy/middy/middytest"
)

func TestTheSameInLambdaAndBehindNetHTTP(t *testing.T) {
	key := paseto.NewV4SymmetricKey()
	genuine := token(t, map[string]any{"sub": "ada"}, "")
	auth := New(Config{Key: Key{Local: Static(key.ExportBytes())}})
	middytest.Everywhere(t, auth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := Claims(r.Context())
		fmt.Fprint(w, claims["sub"])
	})), func(t *testing.T, url string) {
		for _, c := range []struct {
			rule, token string
			status      int
		}{
			{"a genuine token", genuine.V4Encrypt(key, nil), 200},
			{"a token under another key", genuine.V4Encrypt(paseto.NewV4SymmetricKey(), nil), 401},
			{"no token", "", 401},
		} {
			r, err := http.NewRequest("GET", url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			// A REST API gives WWW-Authenticate another name.
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != c.status || c.status == 200 && string(b) != "ada" || c.status == 401 && resp.Header.Get("WWW-Authenticate")+resp.Header.Get("X-Amzn-Remapped-Www-Authenticate") == "" {
				t.Errorf("%s: %d %q %v", c.rule, resp.StatusCode, b, resp.Header)
			}
		}
	})
}
