package web_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web"
)

// fat is what a few bytes of JSON become.
type fat struct {
	Room  [64]int64      `json:"room"`
	Inner []fat          `json:"inner"`
	Map   map[string]fat `json:"map"`
	Any   any            `json:"any"`
}

// What a body of six million bytes can do is bounded: in its answer, and in memory.
func TestHostileBodiesAreAnsweredWithin64MiB(t *testing.T) {
	const size = 6 << 20
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (size-len(head)-len(tail))/len(unit)) + tail
	}
	h := web.JSON(func(context.Context, fat) (struct{}, error) { return struct{}{}, nil }, web.EndpointConfig{RefuseUnknown: true})
	for _, c := range []struct {
		rule, body string
		status     int
	}{
		{"three million structs", fill(`{"inner":[{}`, ",{}", "]}"), 413},
		{"a million members", fill(`{"map":{"a":{}`, `,"b":{}`, "}}"), 413},
		{"a million unknown members", fill(`{"a":0`, `,"b":0`, "}"), 413},
		{"three million numbers in any", fill(`{"any":[0`, ",0", "]}"), 413},
		{"six million brackets", fill("", "[", ""), 400},
		{"objects in objects", fill("", `{"inner":[`, ""), 400},
		{"a string that does not end", fill(`{"any":"`, "a", ""), 400},
		{"backslashes", fill(`{"any":"`, `\`, ""), 400},
		{"a name of six million bytes", fill(`{"`, "a", `":0}`), 422},
		{"a number of six million digits", fill(`{"any":`, "1", "}"), 422},
		{"escapes", fill(`{"`, `\u0061`, `":0}`), 422},
		{"bytes that are not UTF-8", fill(`{"any":"`, "\xff", `"}`), 400},
		{"one byte too many", strings.Repeat(" ", size+1), 413},
		{"space", fill("", " ", "{}"), 204},
		{"a large string is none of our business", fill(`{"any":"`, "a", `"}`), 204},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			if w.Code != c.status {
				t.Errorf("%d %.200s", w.Code, w.Body)
			}
			if w.Body.Len() > 20_000 {
				t.Errorf("the answer has %d bytes", w.Body.Len())
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 64 {
				t.Errorf("%d MiB were allocated", used)
			}
		})
	}
}

// Decoding here, with every rule checked, and by encoding/json, with none.
func BenchmarkDecode(b *testing.B) {
	type in struct {
		Items  []item            `json:"items" minItems:"1"`
		Labels map[string]string `json:"labels" maxItems:"20"`
		Email  string            `json:"email" format:"email"`
	}
	data := []byte(`{"items":[` + strings.Repeat(`{"name":"a","price":2.5,"count":3,"when":"2026-01-31T15:04:05Z"},`, 9) + `{"name":"b"}],"labels":{"k":"v","l":"w"},"email":"a@example.com"}`)
	b.Run("ours", func(b *testing.B) {
		d := web.NewDecoder[in](web.EndpointConfig{})
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := d.Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			var v in
			if err := json.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
