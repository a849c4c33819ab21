package validate

import "testing"

// What one request costs: an order of ten items, decoded already.
func BenchmarkValidate(b *testing.B) {
	s := compile(b, orderSchema)
	items := make([]any, 10)
	for i := range items {
		items[i] = map[string]any{"price": 1.5}
	}
	order := map[string]any{"id": 1, "items": items}
	b.ReportAllocs()
	for b.Loop() {
		if findings, err := s.Validate(order); err != nil || len(findings) > 0 {
			b.Fatal(findings, err)
		}
	}
}
