package middy_test

// The repository's own rules, as tests.

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write the golden dependency lists anew")

const module = "github.com/gomiddy/middy"

// shipped are the rooms whose packages may be linked into a function.
var shipped = []string{".", "freshsign", "params", "web"}

type goPackage struct {
	ImportPath, Dir, Name, Doc string
	GoFiles                    []string
	TestGoFiles, XTestGoFiles  []string
	Deps                       []string
}

func (p goPackage) room() string {
	rel := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
	room, _, _ := strings.Cut(rel, "/")
	if room == "" {
		return "."
	}
	return room
}

// internal reports whether no user can import p.
func (p goPackage) internal() bool {
	return p.Name == "main" || strings.Contains(p.ImportPath+"/", "/internal/") || strings.Contains(p.ImportPath, "/testdata/")
}

var packages = sync.OnceValues(func() ([]goPackage, error) {
	out, err := run("go", "list", "-tags", "lambda.norpc", "-json=ImportPath,Dir,Name,Doc,GoFiles,TestGoFiles,XTestGoFiles,Deps", "./...")
	if err != nil {
		return nil, err
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

func run(name string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

func all(t *testing.T) []goPackage {
	t.Helper()
	list, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range all(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: the package comment begins with %.40q, want %q", p.ImportPath, p.Doc, want)
		}
	}
}

var example = regexp.MustCompile(`(?m)^func Example\w*\(\) \{(?s:.*?)// (Unordered o|O)utput:`)

func TestEveryPackageHasACheckedExample(t *testing.T) {
	for _, p := range all(t) {
		if p.internal() || strings.HasPrefix(p.room(), "examples") {
			continue
		}
		found := false
		for _, f := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			b, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			found = found || example.Match(b)
		}
		if !found {
			t.Errorf("%s has no Example with a checked output", p.ImportPath)
		}
	}
}

func TestNoPackageHasAnInitFunctionOrARoomWithoutAName(t *testing.T) {
	for _, p := range all(t) {
		if slices.Contains([]string{"util", "utils", "common", "pkg", "helpers"}, p.Name) {
			t.Errorf("%s: say what it is about", p.ImportPath)
		}
		for _, f := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
					t.Errorf("%s/%s has an init function: work belongs to New, Init or the first use", p.ImportPath, f)
				}
			}
		}
	}
}

func TestArrowsPointOneWay(t *testing.T) {
	for _, p := range all(t) {
		for _, dep := range p.Deps {
			rel, ours := strings.CutPrefix(dep, module+"/")
			if !ours {
				continue
			}
			switch {
			case p.ImportPath == module && rel == "internal/panics": // a leaf: what a recovered value says
			case p.ImportPath == module:
				t.Errorf("the engine imports %s", rel)
			case p.room() == "freshsign":
				t.Errorf("%s imports %s: freshsign serves any client and knows none of us", p.ImportPath, rel)
			case slices.Contains(shipped, p.room()) && (strings.HasPrefix(rel, "emulator") || strings.HasPrefix(rel, "cmd") || strings.HasPrefix(rel, "internal/cli")):
				t.Errorf("%s may ship in a function and imports %s", p.ImportPath, rel)
			}
		}
	}
}

// A function that uses one room links none of the others' dependencies.
func TestDependencyListsAreGolden(t *testing.T) {
	std, err := run("go", "list", "std")
	if err != nil {
		t.Fatal(err)
	}
	isStd := map[string]bool{}
	for path := range strings.Lines(string(std)) {
		isStd[strings.TrimSpace(path)] = true
	}
	for _, p := range all(t) {
		if p.internal() || !slices.Contains(shipped, p.room()) {
			continue
		}
		deps := map[string]bool{}
		for _, d := range p.Deps {
			if !isStd[d] && !strings.HasPrefix(d, module) && !strings.HasPrefix(d, "vendor/") {
				deps[d] = true
			}
		}
		list := strings.Join(slices.Sorted(maps.Keys(deps)), "\n") + "\n"
		name := strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/"), "/", "_")
		if name == "" {
			name = "middy"
		}
		golden := filepath.Join("testdata", "deps", name+".txt")
		if *update {
			if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden, []byte(list), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != list {
			t.Errorf("%s links other packages than %s says (%v). If that is meant: go test -run Golden . -update\n%s", p.ImportPath, golden, err, list)
		}
	}
}

// The linker drops unused methods unless something in the binary looks them up by
// name. It says so with -dumpdep. One program per public package, which uses all
// that the package exports.
func TestShippedPackagesKeepDeadCodeElimination(t *testing.T) {
	if testing.Short() {
		t.Skip("links a program per package")
	}
	dir := t.TempDir()
	for _, p := range all(t) {
		if p.internal() || !slices.Contains(shipped, p.room()) {
			continue
		}
		src := filepath.Join(dir, strings.ReplaceAll(p.ImportPath, "/", "_")+".go")
		if err := os.WriteFile(src, useAll(t, p), 0o644); err != nil {
			t.Fatal(err)
		}
		if n := reflectMethods(t, src); n > 0 {
			t.Errorf("%s turns dead-code elimination off: the linker reports <ReflectMethod> %d times", p.ImportPath, n)
		}
	}
}

// The check must be able to fail.
func TestTheDeadCodeCheckSeesTextTemplate(t *testing.T) {
	if testing.Short() {
		t.Skip("links a program")
	}
	src := filepath.Join(t.TempDir(), "main.go")
	prog := "package main\n\nimport (\n\t\"os\"\n\t\"text/template\"\n)\n\nfunc main() { _ = template.Must(template.New(\"\").Parse(os.Args[0])).Execute(os.Stdout, os.Args) }\n"
	if err := os.WriteFile(src, []byte(prog), 0o644); err != nil {
		t.Fatal(err)
	}
	if reflectMethods(t, src) == 0 {
		t.Fatal("text/template looks methods up by name, and the check did not see it")
	}
}

func reflectMethods(t *testing.T, src string) int {
	t.Helper()
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -dumpdep", "-o", src+".bin", src)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%.2000s", err, stderr.String())
	}
	return strings.Count(stderr.String(), "<ReflectMethod>")
}

// useAll returns a program that reaches every exported function and method of p
// that is not generic, and a few instances of the generic ones.
func useAll(t *testing.T, p goPackage) []byte {
	t.Helper()
	var uses []string
	generic := map[string]bool{}
	var funcs []*ast.FuncDecl
	for _, f := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				funcs = append(funcs, d)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.TypeParams != nil {
						generic[ts.Name.Name] = true
					}
				}
			}
		}
	}
	for _, fn := range funcs {
		if !fn.Name.IsExported() || fn.Type.TypeParams != nil {
			continue
		}
		if fn.Recv == nil {
			uses = append(uses, "p."+fn.Name.Name)
			continue
		}
		recv := fn.Recv.List[0].Type
		star, pointer := recv.(*ast.StarExpr)
		if pointer {
			recv = star.X
		}
		id, ok := recv.(*ast.Ident)
		if !ok || !id.IsExported() || generic[id.Name] {
			continue
		}
		uses = append(uses, "(*p."+id.Name+")."+fn.Name.Name)
	}
	if p.ImportPath == module {
		uses = append(uses,
			"func() { p.Start(func(context.Context, string) (string, error) { return \"\", nil }) }",
			"p.Typed(func(context.Context, *string, func(context.Context) (*string, error)) (*string, error) { return nil, nil })",
			"p.NewKey[string](\"k\").Set", "p.NewKey[string](\"k\").Get")
	}
	if len(uses) == 0 {
		t.Fatalf("%s exports nothing that can be used", p.ImportPath)
	}
	return fmt.Appendf(nil, "package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\n\tp %q\n)\n\nvar _ context.Context\n\nfunc main() { fmt.Println(%s) }\n", p.ImportPath, strings.Join(uses, ", "))
}

var fence = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// Code in the README and in docs/ that is a whole file must compile.
func TestCodeInTheDocsCompiles(t *testing.T) {
	for _, doc := range markdown(t) {
		b, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range fence.FindAllSubmatch(b, -1) {
			if !bytes.HasPrefix(m[1], []byte("package ")) {
				continue
			}
			dir, err := os.MkdirTemp(".", ".docs-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			if err := os.WriteFile(filepath.Join(dir, "main.go"), m[1], 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := run("go", "vet", "-tags", "lambda.norpc", "./"+dir); err != nil {
				t.Errorf("%s, block %d: %v", doc, i+1, err)
			}
		}
	}
}

var fenced = regexp.MustCompile("(?ms)^```.*?^```$")

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

func TestLinksInTheDocsLeadSomewhere(t *testing.T) {
	for _, doc := range markdown(t) {
		b, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(fenced.ReplaceAll(b, nil), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), string(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", doc, m[1])
			}
		}
	}
}

func markdown(t *testing.T) []string {
	t.Helper()
	var docs []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if err == nil && strings.HasSuffix(path, ".md") {
			docs = append(docs, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func TestGoModReplacesNothing(t *testing.T) {
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "\nreplace") {
		t.Error("go.mod replaces a module: users do not get the replacement")
	}
}
