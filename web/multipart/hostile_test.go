package multipart

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
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
