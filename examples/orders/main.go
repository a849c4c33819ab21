// Command orders is a small function behind an HTTP API: one route, a secret, a
// parameter, and one JSON log line per request.
//
//	go run ./cmd/middy dev --port 3000 ./examples/orders
//	curl -s localhost:3000/orders/42
package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
	"github.com/gomiddy/middy/params/ssm"
	"github.com/gomiddy/middy/web"
)

// Database is what the secret prod/orders/db holds.
type Database struct {
	Host     string        `json:"host"`
	User     string        `json:"user"`
	Password params.Secret `json:"password"`
}

// Order is the answer of GET /orders/{id}.
type Order struct {
	ID       string `json:"id"`
	Database string `json:"database"`
	Limit    int    `json:"limit"`
}

func main() {
	cfg := freshsign.FromEnv()
	store := params.New(params.Config{})
	db := params.JSON[Database](store, secrets.From(cfg).Secret("prod/orders/db"))
	limit := params.Int(store, ssm.From(cfg).Parameter("/orders/limit"))

	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	routes := http.NewServeMux()
	routes.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		database, err := db.Lookup(r.Context())
		if err != nil {
			log.ErrorContext(r.Context(), "no database", "err", err)
			http.Error(w, "the database is not available", http.StatusServiceUnavailable)
			return
		}
		max, err := limit.Lookup(r.Context())
		if err != nil {
			log.ErrorContext(r.Context(), "no limit", "err", err)
			http.Error(w, "the limit is not available", http.StatusServiceUnavailable)
			return
		}
		// A secret is safe to log by mistake: it prints as [redacted …].
		log.InfoContext(r.Context(), "order read", "id", r.PathValue("id"), "database", database)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Order{ID: r.PathValue("id"), Database: database.User + "@" + database.Host, Limit: max})
	})

	middy.Start(web.Handler(routes), &middy.Timeout{}, store)
}
