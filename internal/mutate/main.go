// Command mutate changes one comparison, constant or boolean operator of a
// package at a time and runs the package's tests on the result. A mutant that no
// test fails on is a threshold that nobody holds.
//
//	go run ./internal/mutate [-run regexp] [-skip regexp] [-only regexp] [-part 1/2] [-v] [-list] package
//
// What it changes: < <= > >= to the boundary beside and to the opposite; == != &&
// || + - * / << >> ++ -- += -= to the opposite; Before, After and Equal of time.Time and
// min, max likewise; a whole number, and a unit such as time.Minute on its own, to
// one more; zero in a comparison to one; a condition without an operator, and
// what has a !, to its negation.
//
// The tree is not touched: mutants reach the compiler through -overlay. A mutant
// that does not compile is counted apart, never as killed. The exit status is 1
// when a mutant survived.
//
// A line that ends in a comment "//mutate:equivalent reason" is left alone: use it
// only where the mutant behaves the same. A reason that quotes mutants, as in
// "//mutate:equivalent `< -> <=`: never equal", excuses only those.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.run, "run", ".", "which tests to run, as of go test")
	flag.StringVar(&o.skip, "skip", "^$", "which tests to leave out, as of go test")
	flag.StringVar(&o.only, "only", ".", "which files to mutate, a regular expression on their names")
	flag.StringVar(&o.part, "part", "1/1", "which share of the mutants, such as 1/2")
	flag.DurationVar(&o.timeout, "timeout", 0, "for one mutant; 0 means ten times what the tests take without one, and at least 20 s")
	flag.BoolVar(&o.verbose, "v", false, "print the killed too, with the test that was first to fail")
	flag.BoolVar(&o.list, "list", false, "print the mutants and run nothing")
	flag.Parse()
	survived, err := o.mutate(os.Stdout, flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if survived > 0 {
		os.Exit(1)
	}
}

type options struct {
	run, skip, only, part string
	timeout               time.Duration
	verbose, list         bool
}

// A source is one file as it was when the run began: it may be edited meanwhile.
type source struct {
	path       string
	text       string
	mutants    []mutant
	equivalent int // mutants that a comment excuses
}

// A mutant replaces the bytes [from, to) of a file.
type mutant struct {
	line     int
	from, to int
	old, new string
}

func (m mutant) String() string { return m.old + " -> " + m.new }

// A verdict is what became of a mutant.
type verdict int

const (
	survived verdict = iota
	killed
	stillborn // the compiler refused it
	verdicts
)

// mutate writes the survivors, and a line of numbers for each file.
func (o options) mutate(w io.Writer, pkg string) (alive int, err error) {
	var nth, of int
	if _, err := fmt.Sscanf(o.part, "%d/%d", &nth, &of); err != nil || nth < 1 || nth > of {
		return 0, fmt.Errorf("-part is %q; write it as 1/2", o.part)
	}
	sources, err := find(pkg, o.only)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if !o.list {
		if err := o.calibrate(pkg); err != nil {
			return 0, err
		}
	}
	i := 0
	for _, src := range sources {
		var count [verdicts]int
		for _, m := range src.mutants {
			if i++; (i-1)%of != nth-1 {
				continue
			}
			at := fmt.Sprintf("%s:%d: %s", filepath.Base(src.path), m.line, m)
			if o.list {
				fmt.Fprintln(w, at)
				continue
			}
			v, by, err := o.judge(dir, pkg, src, m)
			if err != nil {
				return alive, err
			}
			count[v]++
			switch {
			case v == survived:
				fmt.Fprintln(w, "SURVIVED", at)
			case v == killed && o.verbose:
				fmt.Fprintf(w, "killed %s by %s\n", at, by)
			}
		}
		alive += count[survived]
		if len(src.mutants)+src.equivalent > 0 && !o.list {
			fmt.Fprintf(w, "%s: %d mutants killed, %d survived; %d equivalent, %d did not compile\n",
				filepath.Base(src.path), count[killed], count[survived], src.equivalent, count[stillborn])
		}
	}
	return alive, nil
}

// calibrate makes sure that the tests pass, and that no mutant takes for ever.
func (o *options) calibrate(pkg string) error {
	limit := o.timeout
	if limit == 0 {
		o.timeout = 10 * time.Minute
	}
	if out, err := o.test(pkg); err != nil { // and compiles what the package imports
		return fmt.Errorf("the tests fail without a mutant: %w\n%s", err, out)
	}
	began := time.Now()
	if out, err := o.test(pkg); err != nil {
		return fmt.Errorf("the tests fail without a mutant: %w\n%s", err, out)
	}
	if o.timeout = limit; limit == 0 {
		o.timeout = max(10*time.Since(began), 20*time.Second)
	}
	return nil
}

func find(pkg, only string) ([]source, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}\n{{join .GoFiles \"\\n\"}}", pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", pkg, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var all []source
	for _, name := range lines[1:] {
		if !match.MatchString(name) {
			continue
		}
		path := filepath.Join(lines[0], name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		src := source{path: path, text: string(text)}
		if err := src.breed(); err != nil {
			return nil, err
		}
		all = append(all, src)
	}
	return all, nil
}

// excused reports whether the comment at the end of a line excuses a mutant.
func excused(line, mutant string) bool {
	_, reason, ok := strings.Cut(line, "//mutate:equivalent")
	if !ok {
		return false
	}
	return !strings.Contains(reason, "`") || strings.Contains(reason, "`"+mutant+"`")
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// judge runs the tests with the mutant in place. A mutant is killed by a failure
// or by the time that it took.
func (o options) judge(dir, pkg string, src source, m mutant) (v verdict, by string, err error) {
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, []byte(src.text[:m.from]+m.new+src.text[m.to:]), 0o644); err != nil {
		return 0, "", err
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": {src.path: changed}})
	if err != nil {
		return 0, "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o644); err != nil {
		return 0, "", err
	}
	out, err := o.test(pkg, "-overlay", overlay)
	switch {
	case err == nil:
		return survived, "", nil
	case strings.Contains(string(out), "[build failed]"):
		return stillborn, "", nil
	}
	by = "the end of its time, or a panic"
	if m := failure.FindSubmatch(out); m != nil {
		by = string(m[1])
	}
	return killed, by, nil
}

func (o options) test(pkg string, more ...string) ([]byte, error) {
	args := append([]string{"test", "-short", "-failfast", "-vet=off", "-count=1", "-run", o.run, "-skip", o.skip, "-timeout", o.timeout.String()}, more...)
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout+2*time.Minute) // the compiler is not the mutant's fault
	defer cancel()
	return exec.CommandContext(ctx, "go", append(args, pkg)...).CombinedOutput()
}
