//go:build !race

package compress_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gomiddy/middy/web/compress"
)

// Encoders and buffers come from pools, which the race detector empties now and then:
// what is left are the wrapper and the lines of the header.
func TestACompressedResponseAllocatesLittle(t *testing.T) {
	handler := compress.New(compress.Config{})(sends(200, payload[:32<<10], "Content-Type", "application/json"))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	if n := testing.AllocsPerRun(100, func() { handler.ServeHTTP(discard{http.Header{}}, r) }); n > 8 {
		t.Errorf("%v allocations", n)
	}
}
