package params

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ages go by the wall clock without a monotonic reading. The package keeps
// instants as wall-clock nanoseconds; wherever it subtracts a time.Time, the
// readings must be stripped, or it is the length of a request, which is
// monotonic on purpose.
func TestAgesAreNeverMonotonic(t *testing.T) {
	allowed := map[string]bool{
		"took := time.Since(start)": true, // how long a request took
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			code, _, _ := strings.Cut(strings.TrimSpace(line), " //")
			monotonic := strings.Contains(code, "time.Since(") || strings.Contains(code, ".Sub(") && !strings.Contains(code, "Round(0)")
			if monotonic && !allowed[code] {
				t.Errorf("%s:%d: %s", file, i+1, code)
			}
		}
	}
}
