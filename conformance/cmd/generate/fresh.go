package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/conformance/internal/node"
	"github.com/gomiddy/middy/conformance/internal/ours"
)

// fresh runs cases that nobody has seen on both, and reports what no reason
// explains. It stores nothing.
func fresh(ctx context.Context, seed uint64, only, keep string, out io.Writer) error {
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
	total, equal, reasons, open := 0, 0, map[string]int{}, 0
	var differ []conformance.Case
	for _, name := range slices.Sorted(maps.Keys(freshPackages)) {
		if only != "" && only != name {
			continue
		}
		g := newGen(seed, name+"/fresh")
		g.pkg = name
		freshPackages[name](g)
		for i, got := range ours.Run(ctx, g.cases) {
			c := g.cases[i]
			r, err := session.Ask(&c)
			if err != nil {
				return err
			}
			if r.Missing != "" {
				fmt.Fprintf(out, "MISSING: %s\n", r.Missing)
				break
			}
			total++
			if c.Want = r.Got; conformance.Equal(c.Want, got.Got) {
				equal++
				continue
			}
			ids, instead := conformance.Explain(&c, got.Got, ask)
			c.Deviation = &conformance.Deviation{Reason: ids, Ours: got.Got, Instead: instead}
			differ = append(differ, c)
			for _, id := range ids {
				reasons[id]++
			}
			if len(ids) == 0 {
				open++
				c.Deviation = nil
				b, _ := json.Marshal(c) // it came from one
				fmt.Fprintf(out, "%s has no reason (-Middy +ours):\n%s\nMiddy: %s\nours:  %s\n%s\n\n", c.ID, b, c.Want, got.Got, conformance.Diff(c.Want, got.Got))
			}
		}
	}
	fmt.Fprintf(out, "seed %d: %d cases, %d equal, %d without a reason\n", seed, total, equal, open)
	for _, id := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(out, "  %s %d\n", id, reasons[id])
	}
	if keep != "" {
		if err := write(keep, differ); err != nil {
			return err
		}
	}
	if open > 0 {
		return fmt.Errorf("%d of %d cases differ without a reason", open, total)
	}
	return nil
}

func mustDecode(b json.RawMessage, into any) {
	if err := json.Unmarshal(b, into); err != nil {
		panic(err) // we have written it
	}
}

func jsonText(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func rawList(values ...any) []json.RawMessage {
	var out []json.RawMessage
	for _, v := range values {
		out = append(out, raw(v))
	}
	return out
}
