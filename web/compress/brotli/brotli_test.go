package brotli_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	andybalholm "github.com/andybalholm/brotli"

	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/compress/brotli"
)

func Example() {
	handler := compress.New(compress.Config{
		Encodings: []compress.Encoding{brotli.New(brotli.Config{}), compress.Gzip(0)},
	})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("to be or not to be ", 100))
	}))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	body, err := io.ReadAll(andybalholm.NewReader(w.Body))
	fmt.Println(w.Header().Get("Content-Encoding"), len(body), err)
	// Output:
	// br 1900 <nil>
}

// text is compressible and has no long repetitions.
func text(n int, r *rand.Rand) []byte {
	words := strings.Fields("order paid shipped returned customer 10 20 30 , : { } amount EUR USD and the of to")
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.Bytes()[:n]
}

// serve sends chunks through the middleware, with a flush after each one, and calls
// seen with what the client has by then.
func serve(t *testing.T, cfg brotli.Config, chunks [][]byte, seen func(sent int, wire []byte)) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	handler := compress.New(compress.Config{Encodings: []compress.Encoding{brotli.New(cfg)}})(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/plain")
		sent := 0
		for _, chunk := range chunks {
			if _, err := out.Write(chunk); err != nil {
				t.Error(err)
			}
			out.(http.Flusher).Flush()
			sent += len(chunk)
			seen(sent, w.Body.Bytes())
		}
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "br")
	handler.ServeHTTP(w, r)
	if got := w.Header().Get("Content-Encoding"); got != "br" {
		t.Fatalf("Content-Encoding %q", got)
	}
	return w.Body.Bytes()
}

// The flush of this package is its own invention; so every bit position is tried, and
// every quality.
func TestWhatIsFlushedCanBeRead(t *testing.T) {
	for quality := 1; quality <= 11; quality++ {
		t.Run(fmt.Sprint("quality ", quality), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(quality)))
			var chunks [][]byte
			var all []byte
			for i := range 24 {
				n := i
				if i == 15 {
					n = 1<<16 + 500 // more than a block
				}
				chunks = append(chunks, text(n, r))
				all = append(all, chunks[i]...)
			}
			wire := serve(t, brotli.Config{Quality: quality}, chunks, func(sent int, wire []byte) {
				got := make([]byte, sent)
				if _, err := io.ReadFull(andybalholm.NewReader(bytes.NewReader(wire)), got); err != nil || !bytes.Equal(got, all[:sent]) {
					t.Errorf("after %d bytes the client cannot read what was flushed: %v", sent, err)
				}
			})
			got, err := io.ReadAll(andybalholm.NewReader(bytes.NewReader(wire)))
			if err != nil || !bytes.Equal(got, all) {
				t.Errorf("%d bytes back, want %d: %v", len(got), len(all), err)
			}
		})
	}
}

func TestRandomBytesSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var chunks [][]byte
	var all []byte
	for range 200 {
		chunk := make([]byte, r.IntN(300))
		for i := range chunk {
			chunk[i] = byte(r.Uint32())
		}
		chunks = append(chunks, chunk)
		all = append(all, chunk...)
	}
	wire := serve(t, brotli.Config{}, chunks, func(int, []byte) {})
	if got, err := io.ReadAll(andybalholm.NewReader(bytes.NewReader(wire))); err != nil || !bytes.Equal(got, all) {
		t.Errorf("%d bytes back, want %d: %v", len(got), len(all), err)
	}
}

func TestAnEncoderServesAgain(t *testing.T) {
	br := brotli.New(brotli.Config{})
	handler := compress.New(compress.Config{Encodings: []compress.Encoding{br}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat(r.URL.Path, 1000))
	}))
	for i := range 50 {
		path := fmt.Sprintf("/order/%d", i)
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", "br")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if got, err := io.ReadAll(andybalholm.NewReader(w.Body)); err != nil || string(got) != strings.Repeat(path, 1000) {
			t.Fatalf("%d: %d bytes, %v", i, len(got), err)
		}
	}
}

func TestTheDefaultQualityIs4(t *testing.T) {
	body := text(50_000, rand.New(rand.NewPCG(1, 2)))
	wire := func(quality int) []byte {
		return serve(t, brotli.Config{Quality: quality}, [][]byte{body}, func(int, []byte) {})
	}
	if !bytes.Equal(wire(0), wire(4)) || bytes.Equal(wire(0), wire(5)) {
		t.Errorf("lengths %d, %d, %d", len(wire(0)), len(wire(4)), len(wire(5)))
	}
}

func respond(w http.ResponseWriter, write http.HandlerFunc) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "br")
	compress.New(compress.Config{Encodings: []compress.Encoding{brotli.New(brotli.Config{})}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		write(w, r)
	})).ServeHTTP(w, r)
}

// A block of 64 KiB at a time, so that memory is bounded.
func TestALongBodyGoesOutAsItComes(t *testing.T) {
	w := httptest.NewRecorder()
	r := rand.New(rand.NewPCG(1, 2))
	respond(w, func(out http.ResponseWriter, _ *http.Request) {
		out.Write(text(1<<16+1, r)) // what the middleware holds back, and more
		for i := range 5 {
			before := w.Body.Len()
			out.Write(text(1<<16, r))
			if w.Body.Len() == before {
				t.Errorf("nothing of block %d went out", i)
			}
		}
	})
}

// gone is a client that leaves after some bytes.
type gone struct {
	*httptest.ResponseRecorder
	left, after int
}

var errGone = errors.New("gone")

func (w *gone) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		w.after++
		return 0, errGone
	}
	return w.ResponseRecorder.Write(p)
}

func TestTheHandlerLearnsThatTheClientHasGone(t *testing.T) {
	w := &gone{ResponseRecorder: httptest.NewRecorder(), left: 30_000}
	r := rand.New(rand.NewPCG(1, 2))
	respond(w, func(out http.ResponseWriter, _ *http.Request) {
		var err error
		for n := 0; err == nil; n++ {
			if n > 100 {
				t.Fatal("it never does")
			}
			_, err = out.Write(text(1<<16, r))
		}
		if _, again := out.Write([]byte("x")); !errors.Is(err, errGone) || !errors.Is(again, errGone) {
			t.Errorf("errors %v, %v", err, again)
		}
		if err := http.NewResponseController(out).Flush(); !errors.Is(err, errGone) {
			t.Errorf("error of the flush %v", err)
		}
	})
	if w.after != 1 {
		t.Errorf("the client that has gone was written to %d times", w.after)
	}
}

func TestAQualityThatDoesNotExistIsRefused(t *testing.T) {
	for _, quality := range []int{-1, 12} {
		if err := (brotli.Config{Quality: quality}).Validate(); err == nil {
			t.Errorf("%d is accepted", quality)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New takes what Validate refuses")
		}
	}()
	brotli.New(brotli.Config{Quality: 12})
}

// Whatever is written and flushed comes back.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("hello, hello, hello"), 3)
	f.Add([]byte{}, 1)
	f.Add(bytes.Repeat([]byte{0xff, 0}, 4000), 700)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size <= 0 || size > 1<<20 {
			size = 100
		}
		var chunks [][]byte
		for rest := data; len(rest) > 0 && len(chunks) < 100; {
			n := min(size, len(rest))
			if len(chunks) == 99 {
				n = len(rest)
			}
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		if len(chunks) == 0 {
			return
		}
		wire := serve(t, brotli.Config{Quality: 1 + len(data)%9}, chunks, func(int, []byte) {})
		if got, err := io.ReadAll(andybalholm.NewReader(bytes.NewReader(wire))); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes back, want %d: %v", len(got), len(data), err)
		}
	})
}
