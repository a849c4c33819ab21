package compress_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gomiddy/middy/web/compress"
)

func Example() {
	report := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv")
		w.Header().Set("ETag", `"2026-11"`)
		io.WriteString(w, strings.Repeat("order,paid\n", 500))
	})
	handler := compress.New(compress.Config{})(report)

	r := httptest.NewRequest(http.MethodGet, "/report", nil)
	r.Header.Set("Accept-Encoding", "gzip, br;q=0.5")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)

	fmt.Println(w.Header().Get("Content-Encoding"), w.Header().Get("Vary"), w.Header().Get("ETag"))
	small := w.Body.Len()
	body, _ := gzip.NewReader(w.Body)
	all, _ := io.ReadAll(body)
	fmt.Println(len(all), "bytes, less than 100 on the way:", small < 100)
	// Output:
	// gzip Accept-Encoding W/"2026-11"
	// 5500 bytes, less than 100 on the way: true
}

// Any encoder with a Reset will do, such as one that is fast above all.
func ExampleNewEncoding() {
	huffman := compress.NewEncoding("gzip", func() compress.Encoder {
		w, err := gzip.NewWriterLevel(nil, gzip.HuffmanOnly)
		if err != nil {
			panic(err) // there is this level
		}
		return w
	})
	handler := compress.New(compress.Config{Encodings: []compress.Encoding{huffman}})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("order,paid\n", 500))
	}))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	body, _ := gzip.NewReader(w.Body)
	all, err := io.ReadAll(body)
	fmt.Println(w.Header().Get("Content-Encoding"), len(all), err)
	// Output:
	// gzip 5500 <nil>
}
