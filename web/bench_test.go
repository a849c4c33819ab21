package web

import (
	"context"
	"net/http"
	"os"
	"testing"
)

func BenchmarkHandler(b *testing.B) {
	for _, door := range []string{"httpapi", "rest"} {
		payload, err := os.ReadFile("testdata/events/" + door + ".json")
		if err != nil {
			b.Fatal(err)
		}
		h := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"id":"42","total":13}`))
		}))
		b.Run(door, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			out := make([]byte, 0, 4096)
			for b.Loop() {
				var e Request
				if err := e.DecodeEvent(payload); err != nil {
					b.Fatal(err)
				}
				resp, err := h(context.Background(), e)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := resp.AppendJSON(out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
