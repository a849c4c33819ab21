package multipart

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
)

// What a million bytes can do is bounded, in the answer and in memory.
func TestHostileBodies(t *testing.T) {
	const size = 1 << 20
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (size-len(head)-len(tail))/len(unit)) + tail
	}
	const named = "--T\r\nContent-Disposition: form-data; name=a"
	h := New(Config{})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = Form(r).Object() }))
	for _, c := range []struct {
		rule, body string
		status     int
	}{
		{"ten thousand parts", fill("", value("a", ""), "--T--"), 413},
		{"a header of a million bytes", fill(named+"\r\nX: ", "x", "\r\n\r\n\r\n--T--"), 422},
		{"a hundred thousand header lines", fill(named, "\r\nX:", "\r\n\r\n\r\n--T--"), 413},
		{"a name of a million bytes", fill(named, "a", "\r\n\r\n\r\n--T--"), 422},
		{"a filename of a million bytes", fill(named+"; filename=", "a", "\r\n\r\n\r\n--T--"), 422},
		{"boundaries that are none", fill(named+"; filename=f\r\n\r\n", "\r\n--Tx", "\r\n--T--"), 200},
		{"line ends", fill(named+"; filename=f\r\n\r\n", "\r\n", "\r\n--T--"), 200},
		{"a preamble that does not end", fill("", "x", ""), 422},
		{"a preamble of lines", fill("", "x\r\n", ""), 422},
		{"brackets", fill("", value(strings.Repeat("[", 49)+strings.Repeat("]", 49), "x"), "--T--"), 413},
		{"parameters", fill(named, ";x=y", "\r\n\r\n\r\n--T--"), 422},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var before, after runtime.MemStats
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", typeT)
			w := httptest.NewRecorder()
			runtime.ReadMemStats(&before)
			h.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			if w.Code != c.status || w.Body.Len() > 1000 {
				t.Errorf("%d, %d bytes: %.200s", w.Code, w.Body.Len(), w.Body)
			}
			if times := (after.TotalAlloc - before.TotalAlloc) / size; times > 12 {
				t.Errorf("%d bytes were allocated for each byte", times)
			}
		})
	}
}

// zeros is a file of n bytes that nobody keeps.
type zeros struct{ n int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.n)
	clear(p[:n])
	z.n -= n
	return n, nil
}

func TestAStreamIsNeverInMemory(t *testing.T) {
	const size = 64 << 20
	head, tail := "--T\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n", "\r\n--T--"
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(head), &zeros{size}, strings.NewReader(tail)))
	r.Header.Set("Content-Type", typeT)
	var read int64
	h := New(Config{Stream: true, MaxBytes: -1})(web.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		p, err := Reader(r).Next()
		if err != nil {
			return err
		}
		read, err = io.Copy(io.Discard, p)
		return err
	}))
	w := httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) >> 10; w.Code != 200 || read != size || used > 256 {
		t.Errorf("%d: read %d bytes, allocated %d KiB", w.Code, read, used)
	}
}
