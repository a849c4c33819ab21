package jsonbody

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func body10K() []byte {
	return []byte(`{"items":[` + strings.Repeat(`{"id":12345,"name":"a name of usual length","tags":["a","b"],"ok":true},`, 135) + `{}]}`)
}

// The check of a body needs the same few allocations for a hundred keys and for five
// hundred.
func TestTheCheckAllocatesNothingForAKey(t *testing.T) {
	cfg := Config{}.withDefaults()
	small, large := []byte(`{"a":{"b":[{"c":1}]}}`), body10K()
	count := func(text []byte) float64 {
		return testing.AllocsPerRun(100, func() {
			if err := cfg.check(text); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := count(small), count(large); many > few {
		t.Errorf("%v allocations for a small body, %v for a large one", few, many)
	}
}

// The middleware, beside the check by encoding/json that it stands in for.
func BenchmarkBody(b *testing.B) {
	data := body10K()
	b.Run("jsonbody", func(b *testing.B) {
		h := New(Config{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = int64(len(data))
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			r.Body = io.NopCloser(bytes.NewReader(data))
			h.ServeHTTP(nil, r)
		}
	})
	b.Run("json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if !json.Valid(data) {
				b.Fatal("not valid")
			}
		}
	})
}
