package ours

import (
	"context"
	"net/http"
	"time"

	"github.com/gomiddy/middy/web/dpop"
	"github.com/gomiddy/middy/web/jwtauth/bearer"
)

// proof has the token verified by nobody: Middy's package takes the payload of the one
// before it from request.internal, which the case seeds.
func proof(r *run, o options) (func(http.Handler) http.Handler, error) {
	named := func(option, name string) string {
		if o.has(option) {
			return o.text(option)
		}
		return name
	}
	claims, _ := r.internal(named("payloadKey", "jwt"))
	cfg := dpop.Config{
		Origin:            o.text("origin"),
		Algorithms:        o.list("algorithm"),
		MaxAge:            time.Duration(o.number("maxAge") * float64(time.Second)),
		MaxProofBytes:     int(o.number("maxProofLength")),
		Required:          o.bool("required"),
		ConfirmationClaim: o.text("confirmationClaim"),
		Claims: func(context.Context) (map[string]any, bool) {
			c, ok := claims.(object)
			return c, ok
		},
	}
	r.left = append(r.left, func(req *http.Request, into object) {
		if p, ok := dpop.FromContext(req.Context()); ok && o.bool("setToContext") {
			into[named("proofKey", "dpop")] = plainJSON(p.Claims)
		}
	})
	guard := bearer.New(bearer.Config{DPoP: true, Verify: func(r *http.Request, _ string) (context.Context, error) { return r.Context(), nil }})
	check := dpop.New(cfg)
	return func(next http.Handler) http.Handler { return guard(check(next)) }, nil
}
