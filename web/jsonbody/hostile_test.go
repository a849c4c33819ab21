package jsonbody

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// What a million bytes can do is bounded, in the answer and in memory, also when the
// handler asks for the value.
func TestHostileBodies(t *testing.T) {
	const size = 1 << 20
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (size-len(head)-len(tail))/len(unit)) + tail
	}
	h := New(Config{RejectDuplicateKeys: true})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = Value(r) }))
	for _, c := range []struct {
		rule, body string
		status     int
	}{
		{"half a million numbers", fill("[0", ",0", "]"), 413},
		{"a hundred thousand keys", fill(`{"a":0`, `,"b":0`, "}"), 422},
		{"three hundred thousand objects", fill("[{}", ",{}", "]"), 413},
		{"a million brackets", fill("", "[", ""), 422},
		{"a string that does not end", fill(`"`, "a", ""), 422},
		{"backslashes", fill(`"`, `\`, ""), 422},
		{"a key of a million bytes", fill(`{"`, "a", `":0}`), 200},
		{"a key of escapes", fill(`{"`, `\u0061`, `":0}`), 200},
		{"the same long key twice", `{"` + strings.Repeat("a", 1<<19-10) + `":0,"` + strings.Repeat("a", 1<<19-10) + `":0}`, 422},
		{"a number of a million digits", fill("", "1", ""), 422},
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
			if times := (after.TotalAlloc - before.TotalAlloc) / size; times > 12 {
				t.Errorf("%d bytes were allocated for each byte", times)
			}
		})
	}
}
