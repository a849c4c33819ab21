package dpop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gomiddy/middy/web/dpop"
	"github.com/gomiddy/middy/web/jwtauth"
)

func Example() {
	secret := []byte("a secret of at least 32 bytes, please")
	auth := jwtauth.New(jwtauth.Config{Algorithms: []string{"HS256"}, Secret: jwtauth.Static(secret), DPoP: true})
	guard := dpop.New(dpop.Config{Origin: "https://api.example.com"})
	h := auth(guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := jwtauth.Claims(r.Context())
		fmt.Fprint(w, "hello ", claims["sub"])
	})))

	// The client has a key, and a token that is bound to it.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	thumbprint := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, jwk["x"], jwk["y"]))
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ann", "cnf": map[string]any{"jkt": b64(thumbprint[:])}}).SignedString(secret)
	if err != nil {
		panic(err)
	}

	ask := func(scheme, htu string) {
		ath := sha256.Sum256([]byte(token))
		proof := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"jti": rand.Text(), "htm": "GET", "htu": htu, "iat": time.Now().Unix(), "ath": b64(ath[:])})
		proof.Header["typ"], proof.Header["jwk"] = "dpop+jwt", jwk
		signed, err := proof.SignedString(key)
		if err != nil {
			panic(err)
		}
		r := httptest.NewRequest("GET", "/orders", nil)
		r.Header.Set("Authorization", scheme+" "+token)
		r.Header.Set("DPoP", signed)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code == 200 {
			fmt.Println(w.Body)
		} else {
			fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}

	ask("DPoP", "https://api.example.com/orders")
	ask("DPoP", "https://evil.example.com/orders")
	ask("Bearer", "https://api.example.com/orders")
	// Output:
	// hello ann
	// 401 DPoP error="invalid_dpop_proof", error_description="The DPoP proof is for another URI.", algs="ES256 ES384 ES512 PS256 RS256 EdDSA"
	// 401 DPoP error="invalid_token", error_description="The token is bound to a key: send it with the scheme DPoP.", algs="ES256 ES384 ES512 PS256 RS256 EdDSA"
}
