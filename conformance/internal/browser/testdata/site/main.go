// Command site is an API that a page of another origin uses.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/compress/brotli"
	"github.com/gomiddy/middy/web/compress/zstd"
	"github.com/gomiddy/middy/web/cors"
	"github.com/gomiddy/middy/web/multipart"
	"github.com/gomiddy/middy/web/problem"
	"github.com/gomiddy/middy/web/secure"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "abc", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	})
	mux.HandleFunc("PUT /data", func(w http.ResponseWriter, r *http.Request) {
		session, err := r.Cookie("session")
		if err != nil {
			web.WriteError(w, r, web.Errorf(http.StatusUnauthorized, "log in first"))
			return
		}
		var in struct{ Name string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			web.WriteError(w, r, web.Errorf(http.StatusBadRequest, "the body is no JSON"))
			return
		}
		w.Header().Set("X-Total", "3")
		w.Header().Set("X-Hidden", "1")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"session": session.Value, "name": in.Name, "preflights": preflights.Load()})
	})
	mux.Handle("POST /upload", multipart.New(multipart.Config{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form := multipart.Form(r)
		f := form.File("file")
		if f == nil {
			web.WriteError(w, r, web.Errorf(http.StatusUnprocessableEntity, "there is no file"))
			return
		}
		fmt.Fprintf(w, "%s %s %d %x", form.Value("title"), f.Filename, len(f.Content), sha256.Sum256(f.Content))
	})))
	mux.HandleFunc("GET /big", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Timing-Allow-Origin", "*") // for the page to see how many bytes came
		_, _ = io.WriteString(w, strings.Repeat("Zoë ☃ ", 50_000))
	})

	allow := cors.New(cors.Config{
		Origins:       []string{"http://127.0.0.1:*"},
		Credentials:   true,
		Methods:       []string{"GET", "POST", "PUT"},
		Headers:       []string{"Content-Type", "X-App"},
		ExposeHeaders: []string{"X-Total", "Content-Encoding"},
	})
	shrink := compress.New(compress.Config{Encodings: []compress.Encoding{zstd.New(zstd.Config{}), brotli.New(brotli.Config{}), compress.Gzip(0)}})
	h := counted(allow(secure.New(secure.Config{})(shrink(problem.New(problem.Config{})(mux)))))
	middy.Start(web.Handler(h))
}

// preflights are what this sandbox has answered.
var preflights atomic.Int64

func counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflights.Add(1)
		}
		next.ServeHTTP(w, r)
	})
}
