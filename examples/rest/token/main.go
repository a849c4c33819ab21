// Command token prints a JSON Web Token for the example rest, signed with the secret
// of its seed.yaml and valid for an hour. Real tokens come from an identity provider.
//
//	go run ./examples/rest/token ada
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const secret = "not-a-real-secret-0123456789abcdef"

func main() {
	name := "ada"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	token, err := sign(name, time.Now())
	if err != nil {
		fmt.Fprintln(os.Stderr, "token:", err)
		os.Exit(1)
	}
	fmt.Println(token)
}

func sign(name string, now time.Time) (string, error) {
	claims := jwt.MapClaims{"sub": name, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
}
