// Command mutate changes one comparison, constant or boolean operator of a
// package at a time and runs the package's tests on the result. A mutant that no
// test fails on is a threshold that nobody holds.
//
//	go run ./internal/mutate [-run regexp] [-skip regexp] [-only regexp] [-of regexp] [-part 1/2] [-timeout 30s] [-v] [-list] package
//
// What it changes: < <= > >= to the boundary beside and to the opposite; == != &&
// || + - * / << >> ++ -- += -= to the opposite; Before, After and Equal of time.Time and
// min, max likewise; a whole number, and a unit such as time.Minute on its own, to
// one more; zero in a comparison to one; a condition without an operator, and
// what has a !, to its negation. Of && and || each operand by itself is taken out.
//
// A compiler's run for each of a thousand mutants takes hours. So all mutants of all
// functions go into one test program, each as a branch that a variable of the
// environment chooses (mutant schemata: Untch, Offutt and Harrold, ISSTA 1993), and
// every mutant runs in a process of its own, with -failfast and an end to its time.
// What no branch can hold, such as a constant's declaration, is compiled alone.
//
// The tree is not touched: mutants reach the compiler through -overlay. A mutant
// that does not compile is counted apart, never as killed. The exit status is 1
// when a mutant survived.
//
// A mutant that behaves the same as the original is named, with the reason, in
// equivalent.txt beside this file; a line there that fits nothing is an error.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.run, "run", ".", "which tests to run, as of go test")
	flag.StringVar(&o.skip, "skip", "^$", "which tests to leave out, as of go test")
	flag.StringVar(&o.only, "only", ".", "which files to mutate, a regular expression on their names")
	flag.StringVar(&o.of, "of", ".", "which mutants, a regular expression on their text; '\\((true \\|\\||false &&) ' are the operands taken out")
	flag.StringVar(&o.excuses, "equivalent", "internal/mutate/equivalent.txt", "the list of mutants that behave as the original")
	flag.StringVar(&o.part, "part", "1/1", "which share of the mutants, such as 1/2")
	flag.DurationVar(&o.timeout, "timeout", 0, "for one mutant; 0 means ten times what the tests take without one, and at least 20 s")
	flag.BoolVar(&o.verbose, "v", false, "print the killed too, each with the test that was first to fail")
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
	run, skip, only, of, part string
	excuses                   string
	timeout                   time.Duration
	verbose, list             bool
}

// A source is one file as it was when the run began: it may be edited meanwhile.
type source struct {
	path       string
	text       string
	bodies     []body
	mutants    []mutant
	excuses    []*excuse
	equivalent int // mutants that are excused
}

// A mutant replaces the bytes [from, to) of a file.
type mutant struct {
	id       int // from 1; 0 is not of our part
	line     int
	from, to int
	old, new string

	alone   bool // no branch can hold it
	verdict verdict
	by      string // what killed it: a test, a panic, its time
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
	b, sources, err := o.find(pkg)
	if err != nil {
		return 0, err
	}
	i := 0
	for _, s := range sources {
		for k := range s.mutants {
			if i++; (i-1)%of == nth-1 {
				s.mutants[k].id = i
			}
		}
	}
	if o.list {
		for _, s := range sources {
			for _, m := range s.mutants {
				if m.id != 0 {
					fmt.Fprintln(w, s.at(m))
				}
			}
		}
		return 0, nil
	}
	if b.scratch, err = os.MkdirTemp("", "mutate"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(b.scratch)
	program, err := b.weave(sources)
	if err != nil {
		return 0, err
	}
	if err := b.calibrate(program); err != nil {
		return 0, err
	}
	for _, s := range sources {
		if err := b.judge(program, s); err != nil {
			return alive, err
		}
		alive += o.report(w, s)
	}
	return alive, nil
}

func (s *source) at(m mutant) string {
	return fmt.Sprintf("%s:%d: %s", filepath.Base(s.path), m.line, m)
}

// report writes what became of a file's mutants.
func (o options) report(w io.Writer, s *source) (alive int) {
	if len(s.mutants)+s.equivalent == 0 {
		return 0
	}
	var count [verdicts]int
	for _, m := range s.mutants {
		if m.id == 0 {
			continue
		}
		count[m.verdict]++
		switch {
		case m.verdict == survived:
			fmt.Fprintln(w, "SURVIVED", s.at(m))
		case m.verdict == killed && o.verbose:
			fmt.Fprintf(w, "killed %s by %s\n", s.at(m), m.by)
		}
	}
	fmt.Fprintf(w, "%s: %d mutants killed, %d survived; %d equivalent, %d did not compile\n",
		filepath.Base(s.path), count[killed], count[survived], s.equivalent, count[stillborn])
	return count[survived]
}
