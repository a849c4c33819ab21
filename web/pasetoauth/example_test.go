package pasetoauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"aidanwoods.dev/go-paseto"

	"github.com/gomiddy/middy/web/pasetoauth"
)

func Example() {
	secret := paseto.NewV4AsymmetricSecretKey() // the issuer's
	auth := pasetoauth.New(pasetoauth.Config{
		Keys: map[string]pasetoauth.Key{
			"2026-11": {Public: pasetoauth.Static(secret.Public().ExportBytes())},
		},
		Audience: []string{"orders"},
	})
	h := auth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := pasetoauth.Decode[struct{ Sub string }](r.Context())
		if err != nil {
			panic(err)
		}
		fmt.Fprint(w, "hello ", claims.Sub)
	}))

	token := paseto.NewToken()
	token.SetSubject("ann")
	token.SetAudience("orders")
	token.SetFooter([]byte(`{"kid":"2026-11"}`))
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+token.V4Sign(secret, nil))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)

	token.SetAudience("billing")
	r.Header.Set("Authorization", "Bearer "+token.V4Sign(secret, nil))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// 200 hello ann
	// 401 Bearer error="invalid_token", error_description="The token is for another audience."
}
