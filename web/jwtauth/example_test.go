package jwtauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gomiddy/middy/web/jwtauth"
)

func Example() {
	// In a function the secret comes from package params, and rotates.
	secret := []byte("a secret of at least 32 bytes, please")
	auth := jwtauth.New(jwtauth.Config{
		Algorithms: []string{"HS256"},
		Secret:     jwtauth.Static(secret),
		Realm:      "orders",
	})
	h := auth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := jwtauth.Decode[struct{ Sub string }](r.Context())
		if err != nil {
			panic(err)
		}
		fmt.Fprint(w, "hello ", claims.Sub)
	}))
	ask := func(token string) {
		r := httptest.NewRequest("GET", "/orders", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 200 {
			fmt.Println(w.Body)
		} else {
			fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
	sign := func(claims jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
		if err != nil {
			panic(err)
		}
		return token
	}

	ask("")
	ask(sign(jwt.MapClaims{"sub": "ann"}))
	ask(sign(jwt.MapClaims{"sub": "ann", "exp": 1}))
	// Output:
	// 401 Bearer realm="orders"
	// hello ann
	// 401 Bearer realm="orders", error="invalid_token", error_description="The token has expired."
}
