package jsonbody

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// What six million bytes can do is bounded, in the answer and in memory, also when the
// handler asks for the value.
func TestHostileBodies(t *testing.T) {
	const size = 6 << 20
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (size-len(head)-len(tail))/len(unit)) + tail
	}
	h := New(Config{RejectDuplicateKeys: true})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = Value(r) }))
	for _, c := range []struct {
		rule, body string
		status     int
	}{
		{"three million numbers", fill("[0", ",0", "]"), 413},
		{"a million keys", fill(`{"a":0`, `,"b":0`, "}"), 422},
		{"two million objects", fill("[{}", ",{}", "]"), 413},
		{"six million brackets", fill("", "[", ""), 422},
		{"a string that does not end", fill(`"`, "a", ""), 422},
		{"backslashes", fill(`"`, `\`, ""), 422},
		{"a key of six million bytes", fill(`{"`, "a", `":0}`), 200},
		{"a key of a million escapes", fill(`{"`, `\u0061`, `":0}`), 200},
		{"the same long key twice", `{"` + strings.Repeat("a", 3<<19) + `":0,"` + strings.Repeat("a", 3<<19) + `":0}`, 422},
		{"a number of six million digits", fill("", "1", ""), 200},
		{"bytes that are not UTF-8", fill(`"`, "\xff", `"`), 422},
		{"space", fill("", " ", "1"), 200},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var before, after runtime.MemStats
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			runtime.ReadMemStats(&before)
			h.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			if w.Code != c.status || w.Body.Len() > 1000 {
				t.Errorf("%d, %d bytes: %.200s", w.Code, w.Body.Len(), w.Body)
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 64 {
				t.Errorf("%d MiB were allocated", used)
			}
		})
	}
}
