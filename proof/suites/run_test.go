package suites

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomiddy/middy/proof/httptest"
)

// A suite is a module whose tests are run, or a folder that prepare fills.
type suite struct {
	name, module string
	prepare      func(t *testing.T, dir string) // for what is not a module
	packages     []string                       // of the module; default: all
	skip         string                         // tests that say nothing about handlers, or take for ever
	least        int                            // requests that go through the door, or the suite proves nothing
	places       []string
	differences  []difference
}

// A difference is a test that passes on net/http's server and fails behind a door,
// with what Lambda does that no adapter can mend. Both expressions match whole; an
// empty place is every place.
type difference struct{ place, test, reason string }

// An outcome is what became of each test, by package and name.
type outcome map[string]string

func (s suite) run(t *testing.T) {
	dir := t.TempDir()
	if s.prepare != nil {
		s.prepare(t, dir)
	} else {
		unpack(t, s.module, dir)
	}
	rewrite(t, dir)
	workspace(t, dir)
	want := s.outcome(t, dir, "")
	passed := 0
	for _, result := range want {
		if result == "pass" {
			passed++
		}
	}
	if passed == 0 {
		t.Fatalf("no test passes on net/http's server: the suite does not run")
	}
	for _, place := range s.places {
		t.Run(place, func(t *testing.T) {
			got := s.outcome(t, dir, place)
			var fails []string
			for name, result := range want {
				if result == "pass" && got[name] != "pass" && !s.explained(place, name) && !parentOfOne(name, got) {
					fails = append(fails, name)
				}
			}
			slices.Sort(fails)
			for _, name := range fails {
				t.Errorf("%s passes on net/http's server, and here it is %q", name, got[name])
			}
			t.Logf("%d tests pass on net/http's server, %d of them fail here without a reason", passed, len(fails))
		})
	}
}

func (s suite) explained(place, name string) bool {
	return slices.ContainsFunc(s.differences, func(d difference) bool {
		return (d.place == "" || whole(d.place, place)) && whole(d.test, name)
	})
}

func whole(pattern, s string) bool {
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(s)
}

// parentOfOne reports whether a failed test has a subtest that failed: that one is
// judged by itself.
func parentOfOne(name string, got outcome) bool {
	for other, result := range got {
		if result == "fail" && strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// outcome runs the suite in a place.
func (s suite) outcome(t *testing.T, dir, place string) outcome {
	t.Helper()
	packages := s.packages
	if packages == nil {
		packages = []string{"./..."}
	}
	skip := s.skip
	if skip == "" {
		skip = "^$"
	}
	counter := filepath.Join(t.TempDir(), "requests")
	cmd := exec.Command("go", append([]string{"test", "-json", "-vet=off", "-count=1", "-timeout=5m", "-skip", skip}, packages...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(dir, "go.work"), "GOFLAGS=-mod=readonly", httptest.PlaceEnv+"="+place, httptest.CountEnv+"="+counter)
	out, err := cmd.Output()
	results := outcome{}
	var said bytes.Buffer
	for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
		var event struct{ Action, Package, Test, Output string }
		if json.Unmarshal(scan.Bytes(), &event) != nil {
			continue
		}
		if event.Action == "output" || event.Action == "build-output" {
			said.WriteString(event.Output)
		}
		if event.Test != "" && (event.Action == "pass" || event.Action == "fail" || event.Action == "skip") {
			results[event.Package+"."+event.Test] = event.Action
		}
	}
	if os.Getenv("SUITES_VERBOSE") != "" {
		t.Logf("%s at %q:\n%s", s.name, place, &said)
	}
	if len(results) == 0 {
		t.Fatalf("%s at %q ran no test: %v\n%s", s.name, place, err, &said)
	}
	if place != "" {
		info, err := os.Stat(counter)
		if err != nil || info.Size() < int64(s.least) {
			t.Errorf("%d requests went through the door, want at least %d: the suite proves nothing", sizeOf(info), s.least)
		}
	}
	return results
}

func sizeOf(info fs.FileInfo) int64 {
	if info == nil {
		return 0
	}
	return info.Size()
}

// unpack copies a module out of the module cache, which is read-only.
func unpack(t *testing.T, module, dir string) {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v", module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	copyTree(t, found.Dir, dir)
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

const ours = "github.com/gomiddy/middy/proof/httptest"

// rewrite makes the test files of a tree use our httptest, and call handlers
// through it.
func rewrite(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		return rewriteFile(path)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func rewriteFile(path string) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		return nil // a fixture that is no Go, on purpose
	}
	name := ""
	for _, spec := range file.Imports {
		if spec.Path.Value == `"net/http/httptest"` {
			name = "httptest"
			if spec.Name != nil {
				name = spec.Name.Name
			}
			spec.Path.Value = strconv.Quote(ours)
		}
	}
	if name == "" {
		return nil
	}
	serve := ast.Expr(ast.NewIdent("Serve"))
	if name != "." {
		serve = &ast.SelectorExpr{X: ast.NewIdent(name), Sel: ast.NewIdent("Serve")}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "ServeHTTP" {
			call.Fun, call.Args = serve, []ast.Expr{method, call.Args[0], call.Args[1]}
		}
		return true
	})
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// workspace lets the suite's module import ours as it is in this tree.
func workspace(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("go 1.26.0\n\nuse (\n\t.\n\t%s\n\t%s/proof\n)\n", root, root)
	if err := os.WriteFile(filepath.Join(dir, "go.work"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
