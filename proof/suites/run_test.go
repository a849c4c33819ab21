package suites

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
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
	packages     []string                       // of the module, with ./; default: its root
	skip         string                         // tests that say nothing about handlers, or take for ever
	least        int                            // tests that pass on net/http's server, or the suite proves nothing
	requests     int                            // that go through the door at least, likewise
	differences  []difference

	// waits are, for a place, tests that wait there for what does not come, or take
	// the others with them when it does not.
	waits map[string]string
}

// places are those that differ most: by what an event holds, and by how the
// response leaves.
var places = []string{"rest", "http", "alb", "url-stream"}

// A difference is a test that passes on net/http's server and fails behind a door,
// with what Lambda does that no adapter can mend. Both expressions match whole; an
// empty place is every place. One that explains nothing at one of its places is an
// error.
type difference struct{ place, test, reason string }

// A binary is the tests of one package.
type binary struct{ path, dir, prefix string }

// An outcome is what became of each test: "PASS", "FAIL", "SKIP", or nothing. The
// name of a test begins with its package's folder, if that is not the root.
type outcome map[string]string

func (s suite) run(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if s.prepare != nil {
		s.prepare(t, dir)
	} else {
		unpack(t, s.module, dir)
	}
	rewrite(t, dir)
	workspace(t, dir)
	bins := s.build(t, dir)
	want := s.outcome(t, bins, "")
	passed := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(name string) bool { return want[name] != "PASS" })
	if len(passed) < s.least {
		t.Fatalf("%d tests pass on net/http's server, want at least %d: the suite proves nothing", len(passed), s.least)
	}
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			got := s.outcome(t, bins, place)
			explained, used := 0, make([]bool, len(s.differences))
			for _, name := range passed {
				if waits := s.waits[place]; waits != "" && regexp.MustCompile("^(?:"+waits+")(?:/.*)?$").MatchString(name) {
					explained++
					continue
				}
				if got[name] == "PASS" || got[name] == "FAIL" && hasFailedSubtest(name, got) {
					continue
				}
				if i := slices.IndexFunc(s.differences, func(d difference) bool {
					return d.at(place) && whole(d.test, name)
				}); i >= 0 {
					used[i] = true
					explained++
					continue
				}
				t.Errorf("%s passes on net/http's server, and here it is %q", name, got[name])
			}
			t.Logf("%d tests pass on net/http's server, %d of them fail here with a reason", len(passed), explained)
			for i, d := range s.differences {
				if d.at(place) && !used[i] {
					t.Errorf("the difference %q at %q explains nothing here: %s", d.test, d.place, d.reason)
				}
			}
		})
	}
}

func (d difference) at(place string) bool { return d.place == "" || whole(d.place, place) }

func whole(pattern, s string) bool {
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(s)
}

// hasFailedSubtest reports whether a failed test is judged by its subtests.
func hasFailedSubtest(name string, got outcome) bool {
	for other, result := range got {
		if result == "FAIL" && strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// build compiles each package's tests once; the place is in their environment.
func (s suite) build(t *testing.T, dir string) []binary {
	t.Helper()
	packages := s.packages
	if packages == nil {
		packages = []string{"."}
	}
	var bins []binary
	for i, pkg := range packages {
		bin := binary{filepath.Join(dir, fmt.Sprintf("%d.test", i)), filepath.Join(dir, pkg), strings.TrimPrefix(strings.TrimPrefix(pkg, "."), "/")}
		if bin.prefix != "" {
			bin.prefix += "."
		}
		if out, err := goIn(dir, "test", "-c", "-vet=off", "-o", bin.path, pkg).CombinedOutput(); err != nil {
			t.Fatalf("%s does not compile: %v\n%s", pkg, err, out)
		}
		bins = append(bins, bin)
	}
	return bins
}

// goIn is the go command in a suite's folder.
func goIn(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(dir, "go.work"), "GOFLAGS=-mod=readonly")
	return cmd
}

// result is what package testing prints of a test, with the mark for programs.
var result = regexp.MustCompile(`\x16 *--- (PASS|FAIL|SKIP): (\S+) \(`)

// hanging is a test that was running at the timeout.
var hanging = regexp.MustCompile(`(?m)^\t\t(\S+) \(\d+s\)$`)

// outcome runs the suite in a place.
func (s suite) outcome(t *testing.T, bins []binary, place string) outcome {
	t.Helper()
	counter := filepath.Join(t.TempDir(), "requests")
	results := outcome{}
	for _, bin := range bins {
		skip := s.skip
		if waits := s.waits[place]; waits != "" {
			skip = strings.TrimPrefix(skip+"|"+waits, "|")
		}
		for pass := 0; ; pass++ {
			args := []string{"-test.v=test2json", "-test.short", "-test.timeout=20s"}
			if skip != "" {
				args = append(args, "-test.skip="+skip)
			}
			cmd := exec.Command(bin.path, args...)
			cmd.Dir = bin.dir
			cmd.Env = append(os.Environ(), httptest.PlaceEnv+"="+place, httptest.CountEnv+"="+counter)
			out, err := cmd.CombinedOutput()
			if folder := os.Getenv("SUITES_OUTPUT"); folder != "" {
				file := strings.NewReplacer("/", "_").Replace(fmt.Sprintf("%s-%s%s.%d", s.name, bin.prefix, place, pass))
				if err := os.WriteFile(filepath.Join(folder, file), out, 0o644); err != nil {
					t.Error(err)
				}
			}
			ended := result.FindAllSubmatch(out, -1)
			for _, m := range ended {
				results[bin.prefix+string(m[2])] = string(m[1])
			}
			crash := bytes.Contains(out, []byte("\npanic: ")) || bytes.Contains(out, []byte("\nfatal error: "))
			if !crash && len(ended) == 0 {
				t.Fatalf("%s%s at %q ran no test: %v\n%s", s.name, bin.prefix, place, err, out)
			}
			if !crash || pass == 20 {
				break
			}
			// One test took the others with it. They go again, without those that
			// have ended and the one that hangs.
			var gone []string
			for _, m := range ended {
				if name := string(m[2]); !strings.Contains(name, "/") {
					gone = append(gone, name)
				}
			}
			for _, m := range hanging.FindAllSubmatch(out, -1) {
				name := string(m[1])
				results[bin.prefix+name] = "FAIL"
				top, _, _ := strings.Cut(name, "/")
				gone = append(gone, top)
			}
			for _, name := range gone {
				skip = strings.TrimSuffix("^"+name+"$|"+skip, "|")
			}
		}
	}
	if place != "" {
		info, err := os.Stat(counter)
		if err != nil || info.Size() < int64(s.requests) {
			t.Errorf("%d requests went through the door, want at least %d: the suite proves nothing", sizeOf(info), s.requests)
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
	names := map[string]string{} // of the imports
	for _, spec := range file.Imports {
		value, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		names[value] = filepath.Base(value)
		if spec.Name != nil {
			names[value] = spec.Name.Name
		}
		if value == "net/http/httptest" {
			spec.Path.Value = strconv.Quote(ours)
		}
	}
	in := func(path, name string) ast.Expr {
		if names[path] == "." {
			return ast.NewIdent(name)
		}
		return &ast.SelectorExpr{X: ast.NewIdent(names[path]), Sel: ast.NewIdent(name)}
	}
	_, imported := names["net/http/httptest"]
	if !imported {
		names["net/http/httptest"] = "doorhttptest"
	}
	tests := imported || strings.HasSuffix(path, "_test.go")
	changed := imported
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if method, ok := n.Fun.(*ast.SelectorExpr); ok && tests && len(n.Args) == 2 && method.Sel.Name == "ServeHTTP" {
				n.Fun, n.Args = in("net/http/httptest", "Serve"), []ast.Expr{method, n.Args[0], n.Args[1]}
				changed = true
			}
		case *ast.CompositeLit:
			if n.Type == nil || names["net/http"] == "" || types.ExprString(n.Type) != types.ExprString(in("net/http", "Server")) {
				break
			}
			for _, field := range n.Elts {
				if pair, ok := field.(*ast.KeyValueExpr); ok && types.ExprString(pair.Key) == "Handler" {
					pair.Value = &ast.CallExpr{Fun: in("net/http/httptest", "Behind"), Args: []ast.Expr{pair.Value}}
					changed = true
				}
			}
		}
		return true
	})
	if !changed {
		return nil
	}
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	text := b.Bytes()
	if !imported {
		text = regexp.MustCompile(`(?m)^package .*$`).ReplaceAll(text, fmt.Appendf(nil, "$0\n\nimport doorhttptest %q\n", ours))
	}
	return os.WriteFile(path, text, 0o644)
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
