// Command mutate changes one comparison, constant or boolean operator of a
// package at a time and runs the package's tests on the result. A mutant that no
// test fails on is a threshold that nobody holds.
//
//	go run ./internal/mutate [-run regexp] [-skip regexp] [-only regexp] [-part 1/2] package
//
// The tree is not touched: mutants reach the compiler through -overlay. The exit
// status is 1 when a mutant survived. A line that ends in the comment
// "//mutate:equivalent reason" is left alone: use it only where the mutant
// behaves the same.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A mutant replaces the bytes [from, to) of a file.
type mutant struct {
	file     string
	line     int
	from, to int
	old, new string
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s -> %s", filepath.Base(m.file), m.line, m.old, m.new)
}

// replacements of operators: the boundary, and the opposite.
var replacements = map[token.Token][]token.Token{
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD},
	token.MUL: {token.QUO}, token.QUO: {token.MUL},
}

func main() {
	run := flag.String("run", ".", "which tests to run, as of go test")
	skip := flag.String("skip", "^$", "which tests to leave out, as of go test")
	only := flag.String("only", ".", "which files to mutate, a regular expression on their names")
	part := flag.String("part", "1/1", "which share of the mutants, such as 1/2")
	timeout := flag.Duration("timeout", 3*time.Minute, "for one mutant")
	flag.Parse()
	survived, err := mutate(flag.Arg(0), tests{*run, *skip}, *only, *part, *timeout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if survived > 0 {
		os.Exit(1)
	}
}

// tests says which tests judge a mutant.
type tests struct{ run, skip string }

func mutate(pkg string, t tests, only, part string, timeout time.Duration) (survived int, err error) {
	var nth, of int
	if _, err := fmt.Sscanf(part, "%d/%d", &nth, &of); err != nil || nth < 1 || nth > of {
		return 0, fmt.Errorf("-part is %q; write it as 1/2", part)
	}
	match, err := regexp.Compile(only)
	if err != nil {
		return 0, err
	}
	mutants, err := find(pkg, match)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if out, err := t.judge(dir, pkg, nil, timeout); err != nil {
		return 0, fmt.Errorf("the tests fail without a mutant: %w\n%s", err, out)
	}
	killed := 0
	for i, m := range mutants {
		if i%of != nth-1 {
			continue
		}
		if _, err := t.judge(dir, pkg, &m, timeout); err == nil {
			survived++
			fmt.Println("SURVIVED", m)
			continue
		}
		killed++
	}
	fmt.Printf("%s: %d mutants killed, %d survived\n", pkg, killed, survived)
	return survived, nil
}

func find(pkg string, match *regexp.Regexp) ([]mutant, error) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}\n{{join .GoFiles \"\\n\"}}", pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", pkg, err)
	}
	lines := strings.Fields(string(out))
	var all []mutant
	for _, name := range lines[1:] {
		if !match.MatchString(name) {
			continue
		}
		path := filepath.Join(lines[0], name)
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		found, err := inFile(path, src)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func inFile(path string, src []byte) ([]mutant, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(src), "\n")
	var found []mutant
	add := func(pos token.Pos, old, new string) {
		p := fset.Position(pos)
		if !strings.Contains(lines[p.Line-1], "//mutate:equivalent") {
			found = append(found, mutant{path, p.Line, p.Offset, p.Offset + len(old), old, new})
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			if isText(n.X) || isText(n.Y) {
				return true // + of strings
			}
			for _, op := range replacements[n.Op] {
				add(n.OpPos, n.Op.String(), op.String())
			}
		case *ast.BasicLit:
			if n.Kind == token.INT && n.Value != "0" && !strings.HasPrefix(n.Value, "0") {
				add(n.Pos(), n.Value, "("+n.Value+"+1)")
			}
		case *ast.UnaryExpr:
			if n.Op == token.NOT {
				add(n.OpPos, "!", "!!")
			}
		}
		return true
	})
	return found, nil
}

func isText(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Kind == token.STRING
	case *ast.BinaryExpr:
		return isText(e.X) || isText(e.Y)
	}
	return false
}

// judge runs the tests with the mutant in place. An error is a mutant killed: by
// a failure, by the compiler or by the time that it took.
func (t tests) judge(dir, pkg string, m *mutant, timeout time.Duration) ([]byte, error) {
	args := []string{"test", "-short", "-failfast", "-vet=off", "-count=1", "-run", t.run, "-skip", t.skip, "-timeout", timeout.String()}
	if m != nil {
		overlay, err := overlay(dir, *m)
		if err != nil {
			return nil, err
		}
		args = append(args, "-overlay", overlay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout+time.Minute)
	defer cancel()
	return exec.CommandContext(ctx, "go", append(args, pkg)...).CombinedOutput()
}

func overlay(dir string, m mutant) (string, error) {
	src, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "mutant.go")
	text := string(src[:m.from]) + m.new + string(src[m.to:])
	if err := os.WriteFile(changed, []byte(text), 0o644); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": {m.file: changed}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o644)
}
