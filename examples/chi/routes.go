package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Nothing below knows of Lambda.

// An article is what the application keeps.
type article struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
}

type blog struct {
	mu       sync.Mutex
	articles map[int]article
}

func routes() http.Handler {
	b := &blog{articles: map[int]article{7: {7, "Onions"}}}
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Use(middleware.SetHeader("X-Served-By", "chi"))
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "a blog") })
	r.Route("/articles", func(r chi.Router) {
		r.Get("/", b.list)
		r.Post("/", b.create)
		r.Route("/{id:[0-9]+}", func(r chi.Router) {
			r.Get("/", b.get)
			r.Delete("/", b.remove)
		})
	})
	r.Get("/boom", func(http.ResponseWriter, *http.Request) { panic("boom") })
	return r
}

func (b *blog) list(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reply(w, http.StatusOK, len(b.articles))
}

func (b *blog) get(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.articles[id(r)]
	if !ok {
		http.Error(w, "no such article", http.StatusNotFound)
		return
	}
	reply(w, http.StatusOK, a)
}

func (b *blog) create(w http.ResponseWriter, r *http.Request) {
	var a article
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&a); err != nil {
		http.Error(w, "no article", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a.ID = len(b.articles) + 7
	b.articles[a.ID] = a
	w.Header().Set("Location", fmt.Sprintf("/articles/%d", a.ID))
	reply(w, http.StatusCreated, a)
}

func (b *blog) remove(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.articles, id(r))
	w.WriteHeader(http.StatusNoContent)
}

// id is a number: the route says so.
func id(r *http.Request) int {
	n, _ := strconv.Atoi(chi.URLParam(r, "id"))
	return n
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
