// Command fn is a function that reads secrets through the toolkit, and tells with
// every answer what it found of the toolkit's own when it was woken up.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
)

// An answer is the function's result. The test has the same type.
type answer struct {
	// Value is the first secret, and Values how many were read.
	Value  string
	Values int
	// Before and After are the toolkit's goroutines when the event arrived and
	// when the answer was ready to leave; Pooled net/http's, which hold
	// idle connections; Others all the rest.
	Before, After, Pooled, Others int
	// Alive is the stacks of Before and After, for the person who reads a failure.
	Alive string
	// Probed says that all of this was looked at; Chain is how long all layers
	// took together.
	Probed bool
	Chain  time.Duration
	// Healed and Unhealed are the incidents since the start, by cause.
	Healed, Unhealed map[string]int
}

func duration(name string) time.Duration {
	v := os.Getenv(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return d
}

func main() {
	var seen incidents
	cfg := freshsign.Config{Window: duration("FN_WINDOW"), OnIncident: seen.add}.FromEnv()
	store := params.New(params.Config{
		TTL: duration("FN_TTL"), MaxStale: duration("FN_MAX_STALE"), FetchTimeout: duration("FN_FETCH_TIMEOUT"),
		NegativeTTL: duration("FN_NEGATIVE_TTL"), NegativeMax: duration("FN_NEGATIVE_MAX"),
	})
	source := secrets.From(cfg)
	n, _ := strconv.Atoi(os.Getenv("FN_SECRETS"))
	var values []*params.Value[params.Secret]
	for i := range max(n, 1) {
		values = append(values, params.Hidden(store, source.Secret(fmt.Sprintf("secret/%02d", i))))
	}
	leaky := params.Decode(store, source.Secret("secret/00"), func([]byte) (int, error) { select {} })
	handle := func(ctx context.Context, _ struct{}) (answer, error) {
		var a answer
		for i, v := range values {
			s := v.Get(ctx)
			if i == 0 {
				a.Value = s.Reveal() // a test's
			}
			a.Values++
		}
		if os.Getenv("FN_LEAK") != "" { // so that the test can see its own eyes work
			go leaky.Get(context.WithoutCancel(ctx))
		}
		return a, nil
	}
	f, err := middy.New(handle, store)
	if err == nil {
		err = f.Init(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(outside{f, &seen})
}

// outside looks at the process around whole invocations: what it sees before is
// what crossed the freeze, and what it sees after, when all has settled and the
// answer is about to leave, is what would cross the next one.
type outside struct {
	f    *middy.Function
	seen *incidents
}

func (o outside) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	before, start := look(), time.Now()
	out, err := o.f.Invoke(ctx, payload)
	took, after := time.Since(start), look()
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		return nil, err
	}
	a.Before, a.After, a.Pooled, a.Others = before.toolkit, after.toolkit, before.pooled, before.others
	a.Alive = before.stacks + after.stacks
	a.Chain, a.Probed = took, true
	a.Healed, a.Unhealed = o.seen.counts()
	return json.Marshal(a)
}

// A census is of goroutines.
type census struct {
	toolkit, pooled, others int
	stacks                  string
}

var ours = [][]byte{[]byte("gomiddy/middy."), []byte("gomiddy/middy/freshsign"), []byte("gomiddy/middy/params"), []byte("gomiddy/middy/internal")}

// look counts the goroutines besides the one that looks and main's.
func look() (c census) {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for i, g := range bytes.Split(buf, []byte("\n\n")) {
		switch {
		case i == 0 || bytes.HasPrefix(g, []byte("goroutine 1 [")):
		case bytes.Contains(g, []byte("params.(*Store).ended")): // at its last statement: the Store has counted it out
		case bytes.Contains(g, []byte("middy.runGuarded.func1(")): // at its last statement: its answer has been taken
		case bytes.Contains(g, []byte("\nruntime.goexit1(")): // it has returned; the scheduler takes it away
		case bytes.Contains(g, []byte("runtime.runCleanups")): // the collector's own, which clears the memory of a value that nobody has any more
		case belongs(g):
			c.toolkit++
			c.stacks += string(g) + "\n\n"
		case bytes.Contains(g, []byte("net/http.(*persistConn)")), bytes.Contains(g, []byte("net/http.(*Transport)")): // the latter dials for the pool
			c.pooled++
		default:
			c.others++
		}
	}
	return c
}

func belongs(stack []byte) bool {
	for _, name := range ours {
		if bytes.Contains(stack, name) {
			return true
		}
	}
	return false
}

type incidents struct {
	mu               sync.Mutex
	healed, unhealed map[string]int
}

func (i *incidents) add(_ context.Context, in freshsign.Incident) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.healed == nil {
		i.healed, i.unhealed = map[string]int{}, map[string]int{}
	}
	switch in.Outcome {
	case freshsign.Healed:
		i.healed[in.Cause.String()]++
	case freshsign.Unhealed:
		i.unhealed[in.Cause.String()]++
	}
}

func (i *incidents) counts() (healed, unhealed map[string]int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	healed, unhealed = map[string]int{}, map[string]int{}
	for k, n := range i.healed {
		healed[k] = n
	}
	for k, n := range i.unhealed {
		unhealed[k] = n
	}
	return healed, unhealed
}
