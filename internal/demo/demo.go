// Package demo lets a plain SDK function and a Middy function live through the
// same days, and counts who fails.
//
// The failure that Middy for Go exists for is hard to believe until it is seen:
// it needs a sandbox that is frozen at the wrong moment, happens in one of a
// hundred functions in one of a thousand invocations, and leaves no trace but its
// message. Here it happens on demand. Two functions, each a process of its own
// behind the emulated Runtime API, read the same secret from an emulated Secrets
// Manager that verifies signatures and their age. One is written as most people
// write it, the other on Middy. Both get the same [Run] of invocations.
//
// # What is real and what is played
//
// Real: the processes, the sockets, SIGSTOP and SIGCONT between invocations, the
// signatures, AWS's window of five minutes, every timeout and threshold of the SDK.
// Played: the length of a freeze. Nobody waits for minutes; the process is stopped
// for a moment and the minutes are put on the clocks: on the service's, for the
// request that was under way (a signature ages by them), and on the caches', so
// that their TTLs pass. Scaling the window instead would make the SDK's own limits,
// which do not scale, look like faults; see the table of cases in schedule.go.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// FunctionVar is the environment variable that makes this program one of the two
// functions instead: its value is the name of one.
const FunctionVar = "MIDDY_DEMO_FUNCTION"

// The names of the two.
const (
	Plain = "plain"
	Middy = "middy"
)

// RunFunction is the main of the function with that name, for a program that was
// started with [FunctionVar]. It returns only when there is no such function.
func RunFunction(name string, stderr io.Writer) int {
	switch name {
	case Plain:
		plainMain()
	case Middy:
		middyMain()
	}
	fmt.Fprintf(stderr, "demo: there is no function %q\n", name)
	return 1
}

// Config configures [Run].
type Config struct {
	// Executable is a program that calls [RunFunction] when [FunctionVar] is set.
	// Default: this one.
	Executable string
	// Rounds is how often the schedule is repeated. Default: 3.
	Rounds int
}

// A Report is the outcome for both functions.
type Report struct {
	Rounds  int           `json:"rounds"`
	Took    time.Duration `json:"-"`
	Plain   Tally         `json:"plain"`
	Middy   Tally         `json:"middy"`
	Proven  bool          `json:"proven"` // plain failed, Middy did not
	Seconds float64       `json:"seconds"`
}

// A Tally is what one function went through.
type Tally struct {
	Name        string `json:"name"`
	Invocations int    `json:"invocations"`
	Failed      int    `json:"failed"`
	// Rejected are requests whose signature the service refused, Healed those of
	// them that the caller got over by another signature.
	Rejected int `json:"rejected"`
	Healed   int `json:"healed"`
	// Requests were seen at the service's socket. Extra are those beyond one for
	// each time that the value was due.
	Requests int `json:"requests"`
	Extra    int `json:"extra"`
	// P50 and P99 are of the invocations' durations.
	P50Ms     float64    `json:"p50Ms"`
	P99Ms     float64    `json:"p99Ms"`
	Incidents []Incident `json:"incidents"`
}

// An Incident is one thing that went wrong, or would have.
type Incident struct {
	Invocation int    `json:"invocation"` // from 1
	Case       string `json:"case"`
	Cause      string `json:"cause"`
	Outcome    string `json:"outcome"`
	Failed     bool   `json:"failed"`
}

// Run plays the schedule for both functions at the same time and reports. The
// error is about the stage, not about the functions: a process that cannot be
// started, ctx that ended.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Executable == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("demo: this program's own file is not known: %w", err)
		}
		cfg.Executable = exe
	}
	if cfg.Rounds == 0 {
		cfg.Rounds = 3
	}
	begin := time.Now()
	r := &Report{Rounds: cfg.Rounds}
	both, ctx := errgroup.WithContext(ctx)
	for _, c := range []struct {
		name string
		to   *Tally
	}{{Plain, &r.Plain}, {Middy, &r.Middy}} {
		both.Go(func() error {
			tally, err := perform(ctx, cfg, c.name)
			if err != nil {
				return fmt.Errorf("demo: function %s: %w", c.name, err)
			}
			*c.to = *tally
			return nil
		})
	}
	if err := both.Wait(); err != nil {
		return nil, err
	}
	r.Took = time.Since(begin)
	r.Seconds = r.Took.Seconds()
	r.Proven = r.Middy.Failed == 0 && r.Plain.Failed > 0 && r.Plain.Rejected > 0
	return r, nil
}

func perform(ctx context.Context, cfg Config, name string) (*Tally, error) {
	s, err := newStage(ctx, cfg, name)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for range cfg.Rounds {
		for _, act := range schedule {
			s.begin(act.name)
			if err := act.play(ctx, s); err != nil {
				return nil, fmt.Errorf("%s: %w", act.name, err)
			}
		}
	}
	return s.tally(), nil
}

// percentile is the nearest-rank percentile of sorted durations.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}

// An event is what both functions are invoked with.
type event struct {
	// ElapsedMs is how much time has passed since their start, by the clock that
	// the demonstration keeps for them.
	ElapsedMs int64 `json:"elapsedMs"`
	// WorkMs is how long the handler has other work to do, in real time.
	WorkMs int64 `json:"workMs,omitempty"`
}

func (e event) work() {
	if e.WorkMs > 0 {
		<-time.After(time.Duration(e.WorkMs) * time.Millisecond)
	}
}

// playedClock is a wall clock that moves when an event says so.
type playedClock struct {
	mu      sync.Mutex
	start   time.Time
	elapsed time.Duration
}

func newPlayedClock() *playedClock { return &playedClock{start: time.Now().Round(0)} }

func (c *playedClock) set(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed = time.Duration(e.ElapsedMs) * time.Millisecond
}

func (c *playedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start.Add(c.elapsed)
}

func sortedCopy(d []time.Duration) []time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d
}
