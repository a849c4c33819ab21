package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/gomiddy/middy/internal/demo"
)

func demoCommand() command {
	return command{
		name:    "demo",
		args:    "freeze",
		summary: "plain SDK and Middy through the same freezes, one table",
		help: `Runs two functions, each a process behind the emulated Runtime API, through
the same invocations, freezes, stalls and outages: one written on the AWS SDK as
most people write it, one on Middy. Their Secrets Manager verifies signatures.

The stops are real (SIGSTOP), and so are AWS's window of 5 minutes and every
limit of the SDK; the minutes of a freeze are put on the clocks instead of being
waited for. Exit code 1 says that Middy's function failed once, or that the plain
one did not, and then the demonstration is broken.`,
		run: runDemo,
	}
}

func runDemo(ctx context.Context, a *app, args []string) error {
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	rounds := fs.Int("rounds", 3, "`N` times the schedule")
	rest, err := a.parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 || rest[0] != "freeze" {
		return usagef("there is one demonstration: `middy demo freeze`")
	}
	if *rounds < 1 || *rounds > 100 {
		return usagef("--rounds %d is not between 1 and 100", *rounds)
	}
	end := a.ui.progress("freezing and thawing two functions")
	report, err := demo.Run(ctx, demo.Config{Rounds: *rounds})
	end()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return failf("the demonstration could not be played: %w", err)
	}
	if a.ui.json {
		a.ui.emit(report)
	} else {
		a.printReport(report)
	}
	if !report.Proven {
		return &exitError{exitFailed}
	}
	return nil
}

func (a *app) printReport(r *demo.Report) {
	var b strings.Builder
	fmt.Fprintf(&b, "The same schedule for both, %d rounds in %.1f s. Stops are real (SIGSTOP), the window is AWS's 5 minutes;\nthe minutes of a freeze are put on the clocks, not waited for.\n\n", r.Rounds, r.Seconds)
	a.printTable(&b, r)
	for _, t := range []demo.Tally{r.Plain, r.Middy} {
		fmt.Fprintf(&b, "\n%s\n", a.ui.paint(bold, title(t.Name)))
		printIncidents(&b, t.Incidents)
	}
	b.WriteByte('\n')
	switch {
	case r.Middy.Failed > 0:
		b.WriteString(a.ui.paint(red, "The function on Middy failed. It must not: please report this with the lines above.") + "\n")
	case !r.Proven:
		b.WriteString(a.ui.paint(red, "The plain function did not fail, so nothing was shown: the demonstration is broken.") + "\n")
	default:
		b.WriteString(a.ui.paint(green, fmt.Sprintf("plain SDK: %d of %d invocations failed; Middy: none.", r.Plain.Failed, r.Plain.Invocations)) + "\n")
	}
	_, _ = io.WriteString(a.ui.out, b.String())
}

func title(name string) string {
	if name == demo.Plain {
		return "plain SDK"
	}
	return "Middy"
}

func (a *app) printTable(b *strings.Builder, r *demo.Report) {
	const row = "%-10s %12s %8s %9s %8s %9s %7s %10s %10s\n"
	fmt.Fprintf(b, row, "", "invocations", "failed", "rejected", "healed", "requests", "extra", "p50", "p99")
	for _, t := range []demo.Tally{r.Plain, r.Middy} {
		n := func(v int) string { return fmt.Sprint(v) }
		line := fmt.Sprintf(row, title(t.Name), n(t.Invocations), n(t.Failed), n(t.Rejected), n(t.Healed), n(t.Requests), n(t.Extra),
			fmt.Sprintf("%.1f ms", t.P50Ms), fmt.Sprintf("%.0f ms", t.P99Ms))
		color := green
		if t.Failed > 0 {
			color = red
		}
		b.WriteString(a.ui.paint(color, strings.TrimSuffix(line, "\n")) + "\n")
	}
	b.WriteString("rejected: signatures that the service refused; extra: requests beyond one for each time the value was due\n")
}

// printIncidents writes one line for each kind of incident, under its case, with
// the numbers of the invocations.
func printIncidents(b *strings.Builder, list []demo.Incident) {
	type line struct{ act, text string }
	var order []line
	numbers := map[line]string{}
	for _, i := range list {
		text := i.Cause
		if !strings.Contains(text, i.Outcome) {
			text += "; " + i.Outcome
		}
		l := line{i.Case, text}
		if numbers[l] == "" {
			order = append(order, l)
		}
		numbers[l] += fmt.Sprintf(" #%d", i.Invocation)
	}
	last := ""
	for _, l := range order {
		if l.act != last {
			fmt.Fprintf(b, "  %s\n", l.act)
			last = l.act
		}
		fmt.Fprintf(b, "   %s  %s\n", numbers[l], l.text)
	}
}
