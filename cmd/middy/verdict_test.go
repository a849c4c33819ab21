//go:build unix

package main

import (
	"net/http"

	"github.com/gomiddy/middy/emulator/sigv4"
)

// verdict is "valid" when r is signed with that key.
func verdict(r *http.Request, id, secret string) string {
	v := sigv4.New(sigv4.Config{Lookup: func(asked string) (sigv4.Credentials, bool) {
		return sigv4.Credentials{Secret: secret}, asked == id
	}})
	if _, err := v.Verify(r, sigv4.Endpoint{Service: "s3"}); err != nil {
		return err.Error()
	}
	return "valid"
}
