package conformance_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Who ports a function looks for the package's name, and finds what is in its place.
func TestEveryPackageOfMiddyIsInTheGuide(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("middy/package.json")
	if err != nil {
		t.Fatalf("the packages of Middy: %v", err)
	}
	var manifest struct{ OptionalDependencies map[string]string }
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatalf("package.json: %v", err)
	}
	guide, err := os.ReadFile("../docs/from-middy.md")
	if err != nil {
		t.Fatalf("the guide: %v", err)
	}
	_, table, found := strings.Cut(string(guide), "## Every package of Middy\n")
	if !found {
		t.Fatal("docs/from-middy.md has no section for every package")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	packages := 0
	for line := range strings.SplitSeq(table, "\n") {
		names, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		for name := range strings.SplitSeq(names, ", ") {
			if name != "" && name != "Middy" && !strings.Contains(name, "---") {
				packages++
				delete(manifest.OptionalDependencies, "@middy/"+name)
			}
		}
	}
	for name := range manifest.OptionalDependencies {
		if strings.HasPrefix(name, "@middy/") {
			t.Errorf("docs/from-middy.md does not say where %s is", name)
		}
	}
	if packages != 56 {
		t.Errorf("docs/from-middy.md has %d packages of Middy, want the 56 of 7.9", packages)
	}
}
