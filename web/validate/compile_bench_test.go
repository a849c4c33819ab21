package validate

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkCompileThousandPatterns(b *testing.B) {
	var props []string
	for i := range 1000 {
		props = append(props, fmt.Sprintf(`"p%d":{"type":"string","pattern":"^[a-z]{1,%d}-[0-9]+$"}`, i, i%50+1))
	}
	schema := []byte(`{"type":"object","properties":{` + strings.Join(props, ",") + `}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(schema, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
