// Command generate makes conformance cases and asks Middy what it does with them.
//
//	go run ./conformance/cmd/generate -seed 1
//
// writes conformance/cases/PACKAGE.jsonl for every package of Middy, with Middy's
// answer as want, and brings the want of conformance/cases/PACKAGE.spec.jsonl, which
// are written by hand, up to date. A deviation stays with its case as long as neither
// the case nor Middy's answer changes. Then
//
//	go run ./conformance/cmd/generate -explain
//
// runs our packages and gives every difference that a rule of
// conformance/reasons.go explains its reason; what is left is a bug of ours, or
// wants a reason of its own: -reason ID -match REGEXP.
//
//	go run ./conformance/cmd/generate -fresh -seed 42
//
// makes cases as people have them, of whole events of all front doors, runs them on
// both, and fails on a difference that no reason explains. -keep FILE writes those that
// differ: one whose kind is new belongs into a PACKAGE.spec.jsonl.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/conformance/internal/node"
	"github.com/gomiddy/middy/conformance/internal/ours"
)

const folder = "conformance/cases"

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, problems io.Writer) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	flags.SetOutput(problems)
	seed := flags.Uint64("seed", 1, "the same seed makes the same cases")
	only := flags.String("only", "", "one package")
	explain := flags.Bool("explain", false, "give differences of ours their reasons")
	reason := flags.String("reason", "", "with -explain: the reason for those that no rule explains and -match matches")
	unseen := flags.Bool("fresh", false, "run cases of another generator on both and store nothing")
	keep := flags.String("keep", "", "with -fresh: a file for the cases that differ, with their reasons")
	match := flags.String("match", "^$", "a regular expression over case ids")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *unseen {
		return fresh(ctx, *seed, *only, *keep, out)
	}
	if *explain {
		re, err := regexp.Compile(*match)
		if err != nil {
			return err
		}
		return explainAll(ctx, *only, *reason, re, out)
	}
	return generate(ctx, *seed, *only, out)
}

func generate(ctx context.Context, seed uint64, only string, out io.Writer) error {
	m, err := node.Install(ctx)
	if err != nil {
		return err
	}
	byHand, err := filepath.Glob(filepath.Join(folder, "*.spec.jsonl"))
	if err != nil {
		return err
	}
	for _, name := range byHand {
		if only != "" && only+".spec.jsonl" != filepath.Base(name) {
			continue
		}
		cases, err := conformance.ReadFiles(name)
		if err != nil {
			return err
		}
		if err := ask(ctx, m, name, cases); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		if only != "" && only != name {
			continue
		}
		g := newGen(seed, name)
		packages[name](g)
		if err := ask(ctx, m, filepath.Join(folder, name+".jsonl"), g.cases); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(out, "%s: %d\n", name, len(g.cases))
	}
	return nil
}

// ask fills in what Middy does and writes the cases.
func ask(ctx context.Context, m *node.Middy, name string, cases []conformance.Case) error {
	before := map[string]conformance.Case{}
	if old, err := conformance.ReadFiles(name); err == nil {
		for _, c := range old {
			before[c.ID] = c
		}
	}
	bare := slices.Clone(cases)
	for i := range bare {
		bare[i].Want, bare[i].Deviation = nil, nil
	}
	results, err := m.Run(ctx, bare)
	if err != nil {
		return err
	}
	var kept []conformance.Case
	for i, c := range bare {
		c.Want = results[i].Got
		if results[i].Missing != "" { // what was known is still true
			fmt.Fprintf(os.Stderr, "MISSING: %s\n", results[i].Missing)
			c.Want = before[c.ID].Want
		}
		if bytes.Contains(c.Want, []byte(`{"runner":`)) {
			return fmt.Errorf("%s: %s", c.ID, c.Want)
		}
		old := before[c.ID]
		if old.Deviation != nil && conformance.Equal(old.Want, c.Want) && same(old, c) {
			c.Deviation = old.Deviation
		}
		kept = append(kept, c)
	}
	return write(name, kept)
}

// same reports whether two cases ask the same.
func same(a, b conformance.Case) bool {
	a.Want, a.Deviation, b.Want, b.Deviation = nil, nil, nil, nil
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func write(name string, cases []conformance.Case) error {
	var b bytes.Buffer
	if err := conformance.WriteLines(&b, cases); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

func explainAll(ctx context.Context, only, reason string, match *regexp.Regexp, out io.Writer) error {
	m, err := node.Install(ctx)
	if err != nil {
		return err
	}
	session, err := m.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }() // its answers are what counts
	ask := session.Answer(func(err error) { fmt.Fprintln(out, err) })
	names, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if only != "" && only+".jsonl" != filepath.Base(name) && only+".spec.jsonl" != filepath.Base(name) {
			continue
		}
		cases, err := conformance.ReadFiles(name)
		if err != nil {
			return err
		}
		results := ours.Run(ctx, cases)
		for i := range cases {
			explainOne(&cases[i], results[i].Got, reason, match, ask, out)
		}
		if err := write(name, cases); err != nil {
			return err
		}
	}
	return nil
}

func explainOne(c *conformance.Case, got json.RawMessage, reason string, match *regexp.Regexp, ask func(*conformance.Case) json.RawMessage, out io.Writer) {
	if conformance.Equal(c.Want, got) {
		c.Deviation = nil
		return
	}
	if ids, instead := conformance.Explain(c, got, ask); len(ids) > 0 {
		c.Deviation = &conformance.Deviation{Reason: ids, Ours: got, Instead: instead}
		return
	}
	if reason != "" && match.MatchString(c.ID) {
		c.Deviation = &conformance.Deviation{Reason: conformance.Words{reason}, Ours: got}
		return
	}
	if c.Deviation != nil && conformance.Equal(c.Deviation.Ours, got) && !slices.ContainsFunc(c.Deviation.Reason, conformance.HasRule) {
		return
	}
	c.Deviation = nil
	fmt.Fprintf(out, "%s (-want +got):\n%s\n", c.ID, conformance.Diff(c.Want, got))
}
