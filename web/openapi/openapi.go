// Package openapi documents typed endpoints: an OpenAPI 3.1 document that is made
// of the same types and tags that check the requests.
//
// A description that is written beside the code is wrong after the second change
// of it. Here there is nothing to write twice: what `minimum:"1"` refuses, the
// document says to be at least 1.
//
//	doc := openapi.New(openapi.Config{Title: "Orders", Version: "1.0.0"})
//	doc.Handle(mux, "POST /orders", web.JSON(place), openapi.Operation{Summary: "Place an order"})
//	mux.Handle("GET /openapi.json", doc)
//
// # Which handlers
//
// A [web.Describer], which is what [web.JSON] makes, is documented whole. Any other
// handler gets its path, its path parameters, and what [Operation] says of it. A
// middleware around an endpoint hides it, unless it has a method Unwrap()
// http.Handler: give Handle the endpoint and wrap the mux, or use [Document.Add].
//
// # Types
//
// A named struct becomes a component of that name; a struct may contain itself. The
// tag doc is a field's description. A type that encodes itself may describe itself
// with a method OpenAPISchema() map[string]any; otherwise it is documented as any
// value. An optional pointer, slice or map without omitempty may be null, since
// encoding/json writes null for it, and the endpoint takes null for nothing.
//
// The reflection is this package's own. google/jsonschema-go, the library for this,
// knows one tag, for descriptions; it has no named components, and refuses types
// that contain themselves.
package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/web"
)

// A Config is what a document says of the API as a whole.
type Config struct {
	// Title is the API's name. Default: "API". The specification requires one.
	Title string
	// Version is the API's version, not OpenAPI's. Default: "0".
	Version string
	// Description may be Markdown (CommonMark).
	Description string
	// Servers are where the API is. Default: where the document is.
	Servers []Server
	// SecuritySchemes are the ways to authenticate, by the name that Security has.
	SecuritySchemes map[string]SecurityScheme
	// Security are the names of the schemes of which one must be fulfilled in every
	// operation that does not say otherwise. Default: none.
	Security []string
}

// Validate reports names of security schemes that do not exist.
func (c Config) Validate() error {
	for _, name := range c.Security {
		if _, ok := c.SecuritySchemes[name]; !ok {
			return fmt.Errorf("openapi: Config.Security names %q, which is not in Config.SecuritySchemes", name)
		}
	}
	return nil
}

// A Server is a base URL of the API.
type Server struct {
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
}

// A SecurityScheme is a way to authenticate: section 4.8.27 of the specification.
type SecurityScheme struct {
	// Type is apiKey, http, mutualTLS, oauth2 or openIdConnect.
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	// Name and In (query, header or cookie) are for apiKey.
	Name string `json:"name,omitempty"`
	In   string `json:"in,omitempty"`
	// Scheme and BearerFormat are for http: bearer, JWT.
	Scheme       string `json:"scheme,omitempty"`
	BearerFormat string `json:"bearerFormat,omitempty"`
	// OpenIDConnectURL is for openIdConnect.
	OpenIDConnectURL string `json:"openIdConnectUrl,omitempty"`
	// Flows are for oauth2, as the specification has them.
	Flows map[string]any `json:"flows,omitempty"`
}

// Bearer is the scheme of a token in the Authorization header.
func Bearer(format string) SecurityScheme {
	return SecurityScheme{Type: "http", Scheme: "bearer", BearerFormat: format}
}

// An Operation is what the types do not say. The zero value says nothing.
type Operation struct {
	// ID names the operation in generated clients. Default: from method and path.
	ID          string
	Summary     string
	Description string
	Tags        []string
	Deprecated  bool
	// Errors are the statuses that the function answers with beside those that the
	// endpoint itself does (400, 413, 415 and 422, where they can occur).
	Errors []int
	// Security are schemes of which one must be fulfilled. nil: those of [Config].
	// Empty and not nil: none.
	Security []string
}

// A Document collects operations and serves the document. It is safe for
// concurrent use.
type Document struct {
	cfg Config

	mu    sync.Mutex
	paths map[string]map[string]*operation // by path, by method in lower case
	ids   map[string]bool
	types *registry
	made  []byte // nil after each change
	etag  string
}

// New returns a document without operations. It panics with the error of
// [Config.Validate].
func New(cfg Config) *Document {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.Title == "" {
		cfg.Title = "API"
	}
	if cfg.Version == "" {
		cfg.Version = "0"
	}
	cfg.Servers, cfg.Security = slices.Clone(cfg.Servers), slices.Clone(cfg.Security)
	cfg.SecuritySchemes = maps.Clone(cfg.SecuritySchemes)
	return &Document{cfg: cfg, paths: map[string]map[string]*operation{}, ids: map[string]bool{}, types: newRegistry()}
}

// A Mux is what [http.ServeMux] and package router's Router and Group are.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// Handle puts h into mux and into the document.
func (d *Document) Handle(mux Mux, pattern string, h http.Handler, op ...Operation) {
	d.Add(pattern, h, op...)
	mux.Handle(pattern, h)
}

// AddAll adds what a router lists: patterns and their handlers.
func (d *Document) AddAll(routes iter.Seq2[string, http.Handler]) {
	for pattern, h := range routes {
		d.Add(pattern, h)
	}
}

// Add documents h under a pattern of [http.ServeMux], or of package router, which
// must have a method.
// It panics when the pattern has none or is there already, when two operations have
// one ID, and when the endpoint binds a path parameter that the pattern lacks: it
// could never be called.
func (d *Document) Add(pattern string, h http.Handler, op ...Operation) {
	if len(op) > 1 {
		panic("openapi: Add takes one Operation")
	}
	var about Operation
	if len(op) == 1 {
		about = op[0]
	}
	method, path, err := split(pattern)
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.paths[path][method] != nil {
		panic(fmt.Errorf("openapi: %s is in the document twice", pattern))
	}
	o, err := d.operation(method, path, h, about)
	if err != nil {
		panic(fmt.Errorf("openapi: %s: %w", pattern, err))
	}
	if d.ids[o.OperationID] {
		panic(fmt.Errorf("openapi: %s: the operation ID %q is in the document already: give it another Operation.ID", pattern, o.OperationID))
	}
	d.ids[o.OperationID] = true
	if d.paths[path] == nil {
		d.paths[path] = map[string]*operation{}
	}
	d.paths[path][method] = o
	d.made = nil
}

// split takes a pattern of ServeMux or of package router apart. OpenAPI has no hosts
// in paths, and no parameter that spans several segments; such a one is documented
// like any other.
func split(pattern string) (method, path string, err error) {
	method, rest, ok := strings.Cut(strings.TrimSpace(pattern), " ")
	if !ok || method == "ANY" {
		return "", "", fmt.Errorf("openapi: the pattern %q has no method: OpenAPI documents each method for itself", pattern)
	}
	rest = strings.TrimLeft(rest, " \t")
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return "", "", fmt.Errorf("openapi: the pattern %q has no path", pattern)
	}
	path = strings.TrimSuffix(strings.NewReplacer("...}", "}", "+}", "}").Replace(rest[slash:]), "{$}")
	switch method = strings.ToLower(method); method {
	case "get", "put", "post", "delete", "options", "head", "patch", "trace":
		return method, path, nil
	}
	return "", "", fmt.Errorf("openapi: the pattern %q has a method that OpenAPI does not know", pattern)
}

// pathParams are the names in braces.
func pathParams(path string) []string {
	var names []string
	for {
		_, rest, ok := strings.Cut(path, "{")
		if !ok {
			return names
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return names
		}
		names, path = append(names, name), after
	}
}

// describer finds the endpoint behind handlers that let it be seen.
func describer(h http.Handler) (web.Describer, bool) {
	for h != nil {
		if d, ok := h.(web.Describer); ok {
			return d, true
		}
		u, ok := h.(interface{ Unwrap() http.Handler })
		if !ok {
			return nil, false
		}
		h = u.Unwrap()
	}
	return nil, false
}

// operationID is made of method and path: getOrdersId.
func operationID(method, path string) string {
	var b strings.Builder
	b.WriteString(method)
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return !isLetter(r) }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	if strings.HasSuffix(path, "/") && path != "/" {
		b.WriteString("_")
	}
	return b.String()
}

func isLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

// JSON is the document. The same operations give the same bytes, in whatever order
// they were added, unless two types have one name: the second gets a number.
func (d *Document) JSON() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made != nil {
		return bytes.Clone(d.made), nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(d.document()); err != nil {
		return nil, fmt.Errorf("openapi: encode the document: %w", err)
	}
	d.made = buf.Bytes()
	sum := sha256.Sum256(d.made)
	d.etag = `"` + hex.EncodeToString(sum[:12]) + `"`
	return bytes.Clone(d.made), nil
}

// ServeHTTP serves the document as JSON, to GET and HEAD.
func (d *Document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		web.WriteError(w, r, &web.Error{Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {"GET, HEAD"}}})
		return
	}
	b, err := d.JSON()
	if err != nil {
		web.WriteError(w, r, err)
		return
	}
	d.mu.Lock()
	etag := d.etag
	d.mu.Unlock()
	h := w.Header()
	h.Set("Etag", etag)
	h.Set("Cache-Control", "no-cache") // ask each time; it is cheap
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b)) // If-None-Match, weak and in lists: RFC 9110 section 13.1.2
}
