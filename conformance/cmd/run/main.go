// Command run executes conformance cases on our packages and writes one
// {"id","got"} per line.
//
//	go run ./conformance/cmd/run [--check] [--middy] [FILE…]
//
// Without files it reads standard input. --check writes only differences from what
// the cases say, and fails when there are any. --middy runs Middy from npm in
// place of ours; with --check its answer today must be what the cases hold.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/conformance/internal/node"
	"github.com/gomiddy/middy/conformance/internal/ours"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(problems)
	check := flags.Bool("check", false, "compare with what the cases say")
	middy := flags.Bool("middy", false, "run Middy from npm, not ours")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cases, err := read(flags.Args(), in)
	if err != nil {
		return err
	}
	if *middy && *check {
		cases = withExperiments(cases)
	}
	results, err := results(ctx, cases, *middy)
	if errors.Is(err, node.ErrUnavailable) && *check {
		fmt.Fprintf(problems, "SKIPPED: the half that runs Middy itself: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	if !*check {
		return conformance.WriteLines(out, results)
	}
	return compare(cases, results, *middy, out, problems)
}

func read(names []string, in io.Reader) ([]conformance.Case, error) {
	if len(names) > 0 {
		return conformance.ReadFiles(names...)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return conformance.ReadLines[conformance.Case](bytes.NewReader(b))
}

func results(ctx context.Context, cases []conformance.Case, middy bool) ([]conformance.Result, error) {
	if !middy {
		return ours.Run(ctx, cases), nil
	}
	m, err := node.Install(ctx)
	if err != nil {
		return nil, err
	}
	return m.Run(ctx, cases)
}

// withExperiments adds the cases that reasons have made of others: what Middy does
// with them is held too.
func withExperiments(cases []conformance.Case) []conformance.Case {
	all := slices.Clone(cases)
	for i := range cases {
		if d := cases[i].Deviation; d != nil && d.Instead != nil {
			other, done := conformance.Rewrite(&cases[i], d.Reason...)
			other.ID += fmt.Sprintf(" by %v", done)
			other.Want = d.Instead
			all = append(all, *other)
		}
	}
	return all
}

func side(middy bool) string {
	if middy {
		return "Middy"
	}
	return "ours"
}

func compare(cases []conformance.Case, results []conformance.Result, middy bool, out, problems io.Writer) error {
	different, compared, missing := 0, 0, map[string]int{}
	for i, c := range cases {
		if results[i].Missing != "" {
			missing[results[i].Missing]++
			continue
		}
		compared++
		want := c.Want
		if !middy {
			want = c.Expected()
		}
		if conformance.Equal(want, results[i].Got) {
			continue
		}
		different++
		fmt.Fprintf(out, "%s differs (-want +got):\n%s\n", c.ID, conformance.Diff(want, results[i].Got))
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		fmt.Fprintf(problems, "MISSING: %s: %d cases were not held beside it\n", name, missing[name])
	}
	if different > 0 {
		return fmt.Errorf("%d of %d cases differ", different, len(cases))
	}
	fmt.Fprintf(problems, "%s: %d cases, no difference\n", side(middy), compared)
	return nil
}
