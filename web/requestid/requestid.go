// Package requestid gives every request an id, under which a client's report and the
// lines of a log find each other.
//
// There is no lack of ids in Lambda: the client or a proxy sends one, API Gateway makes
// one, the invocation has one; on a laptop there is none. Logs that take now this and
// now that cannot be joined. This middleware takes the first that is there, and is
// fit to stand in a log: X-Request-Id, the front door's, the invocation's, and
// otherwise one of its own. The handler finds it with [FromContext], a log with [Attr],
// and the client in the response's X-Request-Id.
//
// Whoever sends X-Request-Id chooses what stands in the log, within letters, digits and
// a few signs. Where that is not wanted, say [Config.IgnoreClient].
package requestid

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/layer"
)

// Config configures [New].
type Config struct {
	// Header is the name of the header with the id, in requests and responses.
	// Default: X-Request-Id.
	Header string

	// IgnoreClient does not take the id from the request's header. Default: it is
	// taken if it is well formed.
	IgnoreClient bool

	// MaxLength is the longest id that is taken from elsewhere, in bytes; a longer one
	// counts as none. Default: 128.
	MaxLength int

	// OmitResponse does not set the header in the response. Default: it is set.
	OmitResponse bool

	// Generate makes an id where there is none. It must be safe for concurrent use.
	// Default: rand.Text, 26 letters and digits with 130 random bits.
	Generate func() string
}

// Validate reports a Header that is no header name.
func (c Config) Validate() error {
	if c.Header != "" && strings.IndexFunc(c.Header, notInName) >= 0 {
		return fmt.Errorf("requestid: Header is %q; letters, digits and - make a header name", c.Header)
	}
	return nil
}

func notInName(r rune) bool { return !alphanumeric(r) && r != '-' && r != '_' }

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

type key struct{}

// FromContext returns the request's id, and whether this middleware gave it one.
func FromContext(ctx context.Context) (string, bool) {
	id, ok := ctx.Value(key{}).(string)
	return id, ok
}

// Attr returns the request's id as an attribute requestId for a log, empty when there is
// none: slog leaves such an attribute out.
func Attr(ctx context.Context) slog.Attr {
	id, ok := FromContext(ctx)
	if !ok {
		return slog.Attr{}
	}
	return slog.String("requestId", id)
}

// New returns the middleware. What it returns is safe for concurrent use. A Config
// that Validate refuses makes New panic with that error.
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.Header == "" {
		cfg.Header = "X-Request-Id"
	}
	if cfg.MaxLength <= 0 {
		cfg.MaxLength = 128
	}
	if cfg.Generate == nil {
		cfg.Generate = rand.Text
	}
	return func(next http.Handler) http.Handler {
		return layer.Passes(next, func(w http.ResponseWriter, r *http.Request) {
			id := cfg.id(r)
			if !cfg.OmitResponse {
				w.Header().Set(cfg.Header, id)
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, id)))
		})
	}
}

// id is the first id that may stand in a log.
func (c *Config) id(r *http.Request) string {
	// Two lines are joined, as some front doors do, and are no id.
	if id := strings.Join(r.Header.Values(c.Header), ","); !c.IgnoreClient && c.wellFormed(id) {
		return id
	}
	if e, ok := web.Event(r); ok && c.wellFormed(e.RequestID) {
		return e.RequestID
	}
	if lc, ok := lambdacontext.FromContext(r.Context()); ok && c.wellFormed(lc.AwsRequestID) {
		return lc.AwsRequestID
	}
	return c.Generate()
}

// wellFormed keeps out what could end a line, a quotation or a field of a log. API
// Gateway's ids end in =, and UUIDs, ULIDs, and base64 are within it.
func (c *Config) wellFormed(id string) bool {
	if id == "" || len(id) > c.MaxLength {
		return false
	}
	for _, r := range id {
		if !alphanumeric(r) && !strings.ContainsRune("-_.:=+/@", r) {
			return false
		}
	}
	return true
}
