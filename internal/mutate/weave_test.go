package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestABranchHoldsWhatABodyCanSay(t *testing.T) {
	for code, switched := range map[string]bool{
		"func f(x int) bool { return x > 3 }":                                           true,
		"func f[T ~int](x T) (r bool) { defer func() { r = x > 3 }(); return }":         true,
		"func f(int, ...string) { go func() { println(1 > 3) }() }":                     true,
		"func (r) f(x int) { for i := range x { println(i > 3) } }":                     true,
		"func f(x int) (err error) { y, err := g(); println(y > 3); return err }":       true,
		"func f(x int) (err error) { if y, err := g(); y > 3 { h(&err) }; return nil }": true,
		"func f(x int) (err error) { defer h(&err); y, err := g(); println(y > 3) }":    false,
		"func f(x int) (r int) { defer func() { r++ }(); y, r := g(); return y }":       false,
		"func f(x int) { for { l: for { if x > 3 { break l } } } }":                     false,
		"var late = x > 3":                  false,
		"const later = 3":                   false,
		"type t [3]int":                     false,
		"var f = func() { println(1 > 3) }": false,
	} {
		s := source{path: "x.go", text: "package p\n\n" + code + "\n"}
		if err := s.breed(); err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		for _, m := range s.mutants {
			if s.switched(&m) != switched {
				t.Errorf("%s: %v: switched %v", code, m, !switched)
			}
		}
		if len(s.mutants) == 0 {
			t.Errorf("%s has no mutants", code)
		}
	}
}

func TestAWovenFileSaysTheSameWithoutAMutant(t *testing.T) {
	s := source{path: "/p/x.go", text: "package p\n\n// f is.\nfunc f(x int) bool {\n\treturn x > 3\n}\n\nfunc g() { h(3) }\n\nconst c = 3\n"}
	if err := s.breed(); err != nil {
		t.Fatal(err)
	}
	for i := range s.mutants {
		s.mutants[i].id = i + 1
	}
	s.mutants[1].id, s.mutants[2].alone = 0, true // not of our part; refused by the compiler
	want := `package p

// f is.
func f(x int) bool { if mutantNow == 1 /*line mutant1.go:1:1*/ {
	return x >= 3
}; /*line /p/x.go:4:21*/ 
	return x > 3
}

func g() { if mutantNow == 4 /*line mutant4.go:1:1*/ { { h((3+1)) }; return }; /*line /p/x.go:8:11*/  h(3) }

const c = 3
`
	if got := s.weave(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Our own files hold most of what Go can say; woven ones must still be Go.
func TestEveryFileOfThisRepositoryCanBeWoven(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s := source{path: path, text: string(text)}
		if err := s.breed(); err != nil {
			return err
		}
		for i := range s.mutants {
			s.mutants[i].id = i + 1
		}
		files++
		_, err = parser.ParseFile(token.NewFileSet(), "woven.go", s.weave(), parser.SkipObjectResolution)
		return err
	})
	if err != nil || files < 100 {
		t.Errorf("%d files: %v", files, err)
	}
}

// Each function here would behave in another way if its copy stood elsewhere.
func TestBranchesKeepWhatFunctionsMean(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a dozen programs")
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.26\n",
		"m.go": `package m

import "errors"

const limit = 6

type row [3]int

var early = wide(4)

func wide(x int) bool { return x > 3 }

func recovers(x int) (s string) {
	defer rescue(&s)
	if x > 3 {
		panic("too much")
	}
	return "fine"
}

func rescue(s *string) {
	if v := recover(); v != nil {
		*s = v.(string)
	}
}

func twice(x int) (n int, err error) {
	if x > 3 {
		err = errors.New("large")
		return
	}
	m, err := x+x, err
	n = m
	return
}

func most[T int | string](_ int, a, b T, _ ...T) T {
	if a > b {
		return a
	}
	return b
}

func find(x int) int {
outer:
	for {
		switch {
		case x > 3:
			break outer
		}
		return x
	}
	return -1
}
`,
		"m_test.go": `package m

import "testing"

func Test(t *testing.T) {
	n, err := twice(2)
	_, large := twice(4)
	_, three := twice(3)
	if n != 4 || err != nil || large == nil || three != nil || recovers(4) != "too much" || recovers(3) != "fine" {
		t.Error("results and panics")
	}
	if most(0, 2, 1) != 2 || most(0, 1, 2) != 2 || most(0, "a", "b", "c") != "b" || !early || wide(3) {
		t.Error("kinds")
	}
	if limit != 6 || len(row{}) != 3 || find(3) != 3 || find(4) != -1 {
		t.Error("numbers")
	}
}
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	alive, err := options{run: ".", skip: "^$", only: ".", part: "1/1", verbose: true}.mutate(&out, ".")
	want := `killed m.go:5: 6 -> (6+1) by Test
killed m.go:7: 3 -> (3+1) by Test
SURVIVED m.go:9: 4 -> (4+1)
killed m.go:11: > -> >= by Test
killed m.go:11: > -> <= by Test
killed m.go:11: 3 -> (3+1) by Test
killed m.go:15: > -> >= by Test
killed m.go:15: > -> <= by Test
killed m.go:15: 3 -> (3+1) by Test
killed m.go:22: != -> == by Test
killed m.go:28: > -> >= by Test
killed m.go:28: > -> <= by Test
killed m.go:28: 3 -> (3+1) by Test
killed m.go:32: + -> - by Test
SURVIVED m.go:38: > -> >=
killed m.go:38: > -> <= by Test
killed m.go:48: > -> >= by Test
killed m.go:48: > -> <= by Test
killed m.go:48: 3 -> (3+1) by Test
killed m.go:53: 1 -> (1+1) by Test
m.go: 18 mutants killed, 2 survived; 0 equivalent, 0 did not compile
`
	if err != nil || alive != 2 || out.String() != want {
		t.Errorf("%d, %v:\n%s", alive, err, &out)
	}
}
