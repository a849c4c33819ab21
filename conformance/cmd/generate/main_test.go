package main

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomiddy/middy/conformance"
)

func generated(name string) []conformance.Case {
	g := newGen(1, name)
	packages[name](g)
	return g.cases
}

// The stored cases are those of seed 1: nobody has edited one, or left one out that
// did not fit.
func TestStoredCasesAreThoseOfTheSeed(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		stored, err := conformance.ReadFiles(filepath.Join("..", "..", "cases", name+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		made := generated(name)
		if len(made) != len(stored) {
			t.Errorf("%s: %d cases are stored, and the seed makes %d", name, len(stored), len(made))
			continue
		}
		for j := range made {
			if !same(made[j], stored[j]) {
				t.Errorf("%s is not what the seed makes", stored[j].ID)
			}
		}
	}
}
