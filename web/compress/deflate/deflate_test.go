package deflate_test

import (
	stdgzip "compress/gzip"
	stdzlib "compress/zlib"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/compress/deflate"
)

// order is 2 kB of JSON, the bulk of what functions answer.
var order = `{"items":[` + strings.Repeat(`{"sku":"ABC-123","count":2,"price":13.5,"note":"blue"},`, 40) + `{}]}`

func serve(e compress.Encoding) http.Handler {
	return compress.New(compress.Config{Encodings: []compress.Encoding{e}})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, order)
	}))
}

func get(h http.Handler, coding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", coding)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestTheStandardLibraryReadsIt(t *testing.T) {
	for _, c := range []struct {
		rule, coding string
		encoding     compress.Encoding
		reader       func(io.Reader) (io.ReadCloser, error)
	}{
		{"gzip", "gzip", deflate.Gzip(0), func(r io.Reader) (io.ReadCloser, error) { return stdgzip.NewReader(r) }},
		{"gzip, the smallest", "gzip", deflate.Gzip(9), func(r io.Reader) (io.ReadCloser, error) { return stdgzip.NewReader(r) }},
		{"gzip, Huffman coding only", "gzip", deflate.Gzip(-2), func(r io.Reader) (io.ReadCloser, error) { return stdgzip.NewReader(r) }},
		{"deflate is the zlib container", "deflate", deflate.Zlib(0), stdzlib.NewReader},
		{"deflate, the fastest", "deflate", deflate.Zlib(1), stdzlib.NewReader},
	} {
		t.Run(c.rule, func(t *testing.T) {
			h := serve(c.encoding)
			for range 3 { // with a new encoder, and with one from the pool
				rec := get(h, c.coding)
				if rec.Header().Get("Content-Encoding") != c.coding || rec.Body.Len() >= len(order) {
					t.Fatalf("%v, %d bytes", rec.Header(), rec.Body.Len())
				}
				r, err := c.reader(rec.Body)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(r); err != nil || string(got) != order {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
			}
		})
	}
}

func TestALevelThatThereIsNotIsFoundAtColdStart(t *testing.T) {
	for _, make := range []func(){func() { deflate.Gzip(10) }, func() { deflate.Zlib(-3) }} {
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "levels are 1 to 9") {
					t.Errorf("got %v", v)
				}
			}()
			make()
		}()
	}
}

// BenchmarkGzip is a whole response through the middleware, ours and with the
// standard library's encoder.
func BenchmarkGzip(b *testing.B) {
	for name, e := range map[string]compress.Encoding{"klauspost": deflate.Gzip(0), "std": compress.Gzip(0)} {
		b.Run(name, func(b *testing.B) {
			h := serve(e)
			b.ReportAllocs()
			for b.Loop() {
				get(h, "gzip")
			}
		})
	}
}

func ExampleGzip() {
	rec := get(serve(deflate.Gzip(0)), "gzip, deflate")
	fmt.Println(rec.Header().Get("Content-Encoding"), rec.Body.Len() < 200)
	// Output: gzip true
}
