package demo

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// TestMain lets the test's own binary be the two functions, as the command's is.
func TestMain(m *testing.M) {
	if name := os.Getenv(FunctionVar); name != "" {
		os.Exit(RunFunction(name, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestThePlainFunctionFailsAndMiddyDoesNot(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and plays three rounds")
	}
	r, err := Run(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", text)
	if !r.Proven {
		t.Error("not proven")
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	ten := make([]time.Duration, 10)
	for i := range ten {
		ten[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		of   []time.Duration
		p    int
		want time.Duration
	}{{ten, 50, 5}, {ten, 99, 10}, {ten, 1, 1}, {ten[:1], 50, 1}, {nil, 50, 0}} {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("percentile(%v, %d) = %v, want %v", c.of, c.p, got, c.want)
		}
	}
}
