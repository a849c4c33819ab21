package zstd_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	klauspost "github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/compress/zstd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	handler := compress.New(compress.Config{
		Encodings: []compress.Encoding{zstd.New(zstd.Config{}), compress.Gzip(0)},
	})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("to be or not to be ", 100))
	}))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	d, _ := klauspost.NewReader(w.Body)
	defer d.Close()
	body, err := io.ReadAll(d)
	fmt.Println(w.Header().Get("Content-Encoding"), len(body), err)
	// Output:
	// zstd 1900 <nil>
}

// browser decodes as one does: windows up to 8 MiB.
func browser(t *testing.T, wire []byte) *klauspost.Decoder {
	t.Helper()
	d, err := klauspost.NewReader(bytes.NewReader(wire), klauspost.WithDecoderConcurrency(1), klauspost.WithDecoderMaxWindow(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestWhatIsFlushedCanBeReadAtEachLevel(t *testing.T) {
	for _, cfg := range []zstd.Config{{}, {Level: 1}, {Level: 7}, {Level: 22}, {WindowSize: 1 << 10}, {Level: 22, WindowSize: 8 << 20}} {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			var w *httptest.ResponseRecorder
			var all bytes.Buffer
			handler := compress.New(compress.Config{Encodings: []compress.Encoding{zstd.New(cfg)}})(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
				out.Header().Set("Content-Type", "text/event-stream")
				for i := range 20 {
					io.WriteString(io.MultiWriter(out, &all), strings.Repeat(fmt.Sprint("data: ", i, "\n\n"), 1+i*300))
					out.(http.Flusher).Flush()
					got := make([]byte, all.Len())
					if _, err := io.ReadFull(browser(t, w.Body.Bytes()), got); err != nil || !bytes.Equal(got, all.Bytes()) {
						t.Errorf("after %d bytes the client cannot read what was flushed: %v", all.Len(), err)
					}
				}
			}))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", "zstd")
			for range 2 { // the second time with a used encoder
				w = httptest.NewRecorder()
				all.Reset()
				handler.ServeHTTP(w, r)
				if got, err := io.ReadAll(browser(t, w.Body.Bytes())); err != nil || !bytes.Equal(got, all.Bytes()) {
					t.Errorf("%d bytes back, want %d: %v", len(got), all.Len(), err)
				}
			}
		})
	}
}

func TestWhatDoesNotExistIsRefused(t *testing.T) {
	for _, cfg := range []zstd.Config{{Level: -1}, {Level: 23}, {WindowSize: 1000}, {WindowSize: 512}, {WindowSize: 16 << 20}, {WindowSize: -1}} {
		if err := cfg.Validate(); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes what Validate refuses")
		}
	}()
	zstd.New(zstd.Config{Level: 23})
}
