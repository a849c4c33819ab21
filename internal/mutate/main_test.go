package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryComparisonThresholdAndConditionHasItsMutants(t *testing.T) {
	for body, want := range map[string][]string{
		"a := x < y":                {"< -> <=", "< -> >="},
		"a := x >= 5":               {">= -> >", ">= -> <", "5 -> (5+1)"},
		"a := x == 0":               {"== -> !=", "0 -> 1"},
		"a := x + 0":                {"+ -> -"},
		`a := "x" + s`:              nil,
		`s += "x"`:                  nil,
		"x += 2":                    {"+= -> -=", "2 -> (2+1)"},
		"x = 0":                     nil,
		"x++":                       {"++ -> --"},
		"a := !b":                   {"! -> !!"},
		"a := b && f(c)":            {"&& -> ||", "b -> !b", "b -> (true || b)", "f(c) -> !f(c)", "f(c) -> (true || f(c))"},
		"a := x < y || z":           {"|| -> &&", "x < y -> (false && x < y)", "z -> !z", "z -> (false && z)", "< -> <=", "< -> >="},
		"if ok {}":                  {"ok -> !ok"},
		"for it.next() {}":          {"it.next() -> !it.next()"},
		"switch { case late: }":     {"late -> !late"},
		"switch x { case late: }":   nil,
		"const d = time.Minute":     {"time.Minute -> (time.Minute+1)"},
		"const d = time.UTC":        nil,
		"const d = 5 * time.Minute": {"* -> /", "5 -> (5+1)"},
		"a := d > time.Second":      {"> -> >=", "> -> <=", "time.Second -> (time.Second+1)"},
		"a := at.Before(end)":       {"at.Before(end) -> !at.Before(end)", "at.Before(end) -> !at.After(end)"},
		"if x.y().After(end) {}":    {"x.y().After(end) -> !x.y().After(end)", "x.y().After(end) -> !x.y().Before(end)"},
		"a := min(x, y)":            {"min -> max"},
		"a := 0o600":                nil,
		"if x < 0xe {}":             nil, // both are on the list
		"if x < 0xf {}":             {"< -> >="},
	} {
		src := source{path: "/m/p/x.go", excuses: []*excuse{{path: "/p/x.go", mutant: "*", line: "if x < 0xe {}"}, {path: "/p/x.go", mutant: "< -> <=", line: "if x < 0xf {}"}, {path: "/q/x.go", mutant: "*", line: "a := x < y"}}, text: "package p\n\nimport \"time\"\n\nfunc f() {\n" + body + "\n}\n"}
		if err := src.breed(); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		var got []string
		for _, m := range src.mutants {
			got = append(got, m.String())
			if m.line != 6 || src.text[m.from:m.to] != m.old {
				t.Errorf("%s: %v is at %d, %q", body, m, m.line, src.text[m.from:m.to])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestAThresholdThatNobodyHoldsSurvivesAndTheTreeIsNotTouched(t *testing.T) {
	t.Chdir(t.TempDir())
	files := map[string]string{
		"go.mod":    "module m\n\ngo 1.26\n",
		"held.go":   "package m\n\nfunc held(x int) bool { return x > 3 }\n\nvar word, other = \"a\", \"b\"\n\nvar both = word + other\n",
		"half.go":   "package m\n\nfunc half(x int) bool { return x > 3 }\n",
		"excuse.go": "package m\n\nfunc excuse(x uint) bool { return x > 3 }\n",
		"list.txt":  "# why\nexcuse.go\t*\tfunc excuse(x uint) bool { return x > 3 }\tfor this test\n",
		"stale.txt": "held.go\t*\tfunc was(x int)\tit is gone\n",
		"cut.txt":   "held.go\t*\tfunc held(x int) bool { return x > 3 }\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc Test(t *testing.T) {\n\tif held(3) || !held(4) || half(1) || !half(9) || !excuse(9) {\n\t\tt.Fail()\n\t}\n}\n",
		"loop.go":   "package m\n\nfunc loop() {\n\tfor i := 0; i < 1; i++ {\n\t}\n}\n",
		"l_test.go": "package m\n\nimport \"testing\"\n\nfunc TestLoop(t *testing.T) { loop() }\n",
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	alive, err := options{run: ".", skip: "Loop", only: "h|excuse", part: "1/1", excuses: "list.txt"}.mutate(&out, ".")
	want := `excuse.go: 0 mutants killed, 0 survived; 3 equivalent, 0 did not compile
SURVIVED half.go:3: > -> >=
SURVIVED half.go:3: 3 -> (3+1)
half.go: 1 mutants killed, 2 survived; 0 equivalent, 0 did not compile
held.go: 3 mutants killed, 0 survived; 0 equivalent, 1 did not compile
`
	if err != nil || alive != 2 || out.String() != want {
		t.Errorf("%d, %v:\n%s", alive, err, &out)
	}
	for list, want := range map[string]string{"stale.txt": "no such mutant", "cut.txt": "cut.txt:1: want a path"} {
		if _, err := (options{run: ".", only: "held", part: "1/1", excuses: list}).mutate(&out, "."); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that says %q", list, err, want)
		}
	}
	out.Reset()
	if _, err := (options{only: "held", of: "^> -> >=$", part: "1/1", list: true}).mutate(&out, "."); err != nil || out.String() != "held.go:3: > -> >=\n" {
		t.Errorf("-of chooses mutants by their text: %v, %q", err, &out)
	}
	out.Reset()
	alive, err = options{run: "Loop", skip: "^$", only: "loop", part: "1/1", timeout: 2 * time.Second, verbose: true}.mutate(&out, ".")
	if err != nil || alive != 3 || !strings.HasSuffix(out.String(), "killed loop.go:4: ++ -> -- by the end of its time\nloop.go: 1 mutants killed, 3 survived; 0 equivalent, 0 did not compile\n") {
		t.Errorf("what never ends is killed: %d, %v:\n%s", alive, err, &out)
	}
	out.Reset()
	if _, err = (options{run: ".", skip: "Loop", only: "held", part: "1/1", verbose: true}).mutate(&out, "."); err != nil || strings.Count(out.String(), " by Test\n") != 3 {
		t.Errorf("who killed: %v:\n%s", err, &out)
	}
	for name, text := range files {
		if b, err := os.ReadFile(name); err != nil || string(b) != text {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
	if left, _ := filepath.Glob("*"); len(left) != len(files) {
		t.Error(left)
	}
}

func TestTwoPartsAreTheWhole(t *testing.T) {
	lines := func(part string) []string {
		var out strings.Builder
		if _, err := (options{only: ".", part: part, list: true}).mutate(&out, "."); err != nil {
			t.Fatal(err)
		}
		return strings.Fields(strings.ReplaceAll(out.String(), " ", "_"))
	}
	both := append(lines("1/2"), lines("2/2")...)
	all := lines("1/1")
	slices.Sort(both)
	slices.Sort(all)
	if len(all) < 20 || !slices.Equal(both, all) {
		t.Errorf("%d and %d", len(both), len(all))
	}
}

func TestWhatCannotBeRunIsSaid(t *testing.T) {
	for name, o := range map[string]options{
		"part":    {only: ".", part: "3/2", list: true},
		"only":    {only: "(", part: "1/1", list: true},
		"package": {only: ".", part: "1/1", list: true},
	} {
		pkg := map[bool]string{true: "./nowhere", false: "."}[name == "package"]
		if _, err := o.mutate(&strings.Builder{}, pkg); err == nil || !strings.Contains(fmt.Sprint(err), map[string]string{"part": "3/2", "only": "missing", "package": "nowhere"}[name]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatKilledIsToldApart(t *testing.T) {
	exit := func(code string) *exec.ExitError {
		var e *exec.ExitError
		if err := exec.Command("sh", "-c", code).Run(); !errors.As(err, &e) {
			t.Skip("no shell: ", err)
		}
		return e
	}
	failed, signalled := exit("exit 2"), exit("kill -9 $$")
	for _, c := range []struct {
		out  string
		exit *exec.ExitError
		want string
	}{
		{"--- FAIL: TestRule (0.00s)\n    x_test.go:3: no\n    --- FAIL: TestRule/sub\nFAIL\n", failed, "TestRule"},
		{"--- FAIL: ExampleNew (0.00s)\ngot:\n", failed, "ExampleNew"},
		{"--- FAIL: TestRule (0.00s)\npanic: no [recovered]\n\ngoroutine 7 [running]:\n", failed, "TestRule"},
		{"panic: no\n\ngoroutine 7 [running]:\n", failed, "a panic"},
		{"fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\n", failed, "a panic"},
		{"panic: test timed out after 20s\n\ngoroutine 7 [running]:\n", failed, "the end of its time"},
		{"--- FAIL: TestRule (0.00s)\n", nil, "the end of its time"},
		{"", signalled, "the end of its time"},
		{"", failed, "exit status 2"},
	} {
		if got := killer([]byte(c.out), c.exit); got != c.want {
			t.Errorf("%q: %q, want %q", c.out, got, c.want)
		}
	}
}
