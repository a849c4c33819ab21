package conformance_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/conformance/internal/ours"
)

func stored(t *testing.T) []conformance.Case {
	t.Helper()
	names, err := filepath.Glob("cases/*.jsonl")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	cases, err := conformance.ReadFiles(names...)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func reasons(t *testing.T) []string {
	t.Helper()
	f, err := os.Open("deviations.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	all, err := conformance.ReadLines[conformance.Reason](f)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range all {
		if r.Reason == "" {
			t.Errorf("%s has no text", r.ID)
		}
		ids = append(ids, r.ID)
	}
	if !slices.IsSorted(ids) {
		t.Error("the reasons are not sorted by id")
	}
	return ids
}

// Ours does what Middy did, or what the case says beside it.
func TestOursDoesWhatEachCaseSays(t *testing.T) {
	cases := stored(t)
	for i, r := range ours.Run(t.Context(), cases) {
		c := cases[i]
		if !conformance.Equal(c.Expected(), r.Got) {
			t.Errorf("%s (-want +got):\n%s", c.ID, conformance.Diff(c.Expected(), r.Got))
		}
	}
}

func TestEveryDeviationHasAReasonThatExplainsAllOfIt(t *testing.T) {
	known, used := reasons(t), map[string]bool{}
	for _, c := range stored(t) {
		if c.Deviation == nil {
			continue
		}
		if c.Deviation.Ours == nil || conformance.Equal(c.Want, c.Deviation.Ours) {
			t.Errorf("%s: a deviation that is none", c.ID)
		}
		ruled := false
		for _, id := range c.Deviation.Reason {
			if used[id] = true; !slices.Contains(known, id) {
				t.Errorf("%s: no reason is called %q", c.ID, id)
			}
			ruled = ruled || conformance.HasRule(id)
		}
		if len(c.Deviation.Reason) == 0 {
			t.Errorf("%s: no reason", c.ID)
		}
		if ids, ok := c.Holds(); ruled && !ok {
			t.Errorf("%s: %v explains something else: the rules say %v", c.ID, c.Deviation.Reason, ids)
		}
	}
	for _, id := range known {
		if !used[id] {
			t.Errorf("no case needs the reason %q", id)
		}
	}
}

func TestCasesAreManyAndTheirNamesUnique(t *testing.T) {
	seen, packages := map[string]bool{}, map[string]bool{}
	cases := stored(t)
	for _, c := range cases {
		if seen[c.ID] {
			t.Errorf("two cases are called %s", c.ID)
		}
		seen[c.ID], packages[c.Package()] = true, true
		if len(c.Want) == 0 {
			t.Errorf("%s: what Middy did is not known", c.ID)
		}
	}
	if len(cases) < 1500 || len(packages) < 22 {
		t.Errorf("%d cases over %d packages; want 1500 over 22", len(cases), len(packages))
	}
}
