package bench

import (
	"context"
	"testing"
	"time"
)

// timed is how long n calls took, in nanoseconds.
func timed(b *testing.B, n int, payload []byte, f func(context.Context, []byte) ([]byte, error)) float64 {
	start := time.Now()
	for range n {
		if _, err := f(b.Context(), payload); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(start).Nanoseconds())
}
