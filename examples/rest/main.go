// Command rest is a REST API with everything a real one has: typed endpoints whose
// tags are the validation, problem details, JSON Web Tokens, CORS, and an OpenAPI
// document that is made of the same tags. It books meeting rooms.
//
//	go run ./cmd/middy dev --port 3000 ./examples/rest
//	TOKEN=$(go run ./examples/rest/token ada)
//	curl -si localhost:3000/rooms/blue/bookings -H "Authorization: Bearer $TOKEN" --json \
//	  '{"title":"Planning","from":"2026-12-01T09:00:00Z","to":"2026-12-01T10:00:00Z","seats":4}'
//	curl -s localhost:3000/rooms/blue/bookings -H "Authorization: Bearer $TOKEN"
//	curl -s localhost:3000/openapi.json
//
// Send something wrong, such as "seats":0 without a title, and read the answer: it
// names every field.
//
// The bookings are in memory, each sandbox has its own, and they end with it: a real
// API keeps them in a table. The secret that signs the tokens is in Secrets Manager,
// or here in seed.yaml.
package main

import (
	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
	"github.com/gomiddy/middy/web"
)

func main() {
	cfg := freshsign.FromEnv()
	store := params.New(params.Config{})
	secret := params.Bytes(store, secrets.From(cfg).Secret("prod/rooms/jwt"))

	middy.Start(web.Handler(newAPI(secret.Lookup, newMemory())), &middy.Timeout{}, store)
}
