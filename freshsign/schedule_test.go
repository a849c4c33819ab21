package freshsign

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

var stalls = []time.Duration{30 * time.Second, 100 * time.Second, 210 * time.Second, 270 * time.Second, 6 * time.Minute, 20 * time.Minute, 3 * time.Hour}

var skews = []time.Duration{0, 3 * time.Minute, -3 * time.Minute, 10 * time.Minute, -10 * time.Minute}

// schedules is how many random schedules to run; FRESHSIGN_SCHEDULES raises it.
func schedules() int {
	if n, err := strconv.Atoi(os.Getenv("FRESHSIGN_SCHEDULES")); err == nil && n > 0 {
		return n
	}
	switch {
	case testing.Short():
		return 5_000
	case raceEnabled:
		return 10_000
	}
	return 100_000
}

// One schedule is six calls of one client, with a stall of random length at dial, write and read with p = 1/4 each,
// over clocks that move together or not, a client clock that is wrong, and one that is stepped between calls.
func schedule(seed uint64) (rejects int, err error) {
	r := rand.New(rand.NewPCG(seed, 1))
	g := newRig()
	standing := r.IntN(2) == 0 // the monotonic clock stands still over a freeze
	var skew time.Duration
	if r.IntN(2) == 0 {
		skew = skews[r.IntN(len(skews))]
	}
	var mu sync.Mutex
	g.service.now = func() time.Time {
		w, _ := g.clock.read()
		mu.Lock()
		defer mu.Unlock()
		return w.Add(skew)
	}
	stall := func() {
		if r.IntN(4) != 0 {
			g.clock.move(20*time.Millisecond, 20*time.Millisecond)
			return
		}
		d := stalls[r.IntN(len(stalls))]
		if standing {
			g.clock.move(d, 0)
		} else {
			g.clock.move(d, d)
		}
	}
	// Stalls come for the first two requests of a call, up to six of them: with a wrong clock too, the third measures
	// it and the fourth, the last that MaxHeals allows, is signed right. Nobody can help a process that stays frozen.
	var budget int
	hook := func() {
		if budget > 0 {
			stall()
		}
	}
	g.wire.dial = func() error { hook(); return nil }
	g.wire.write = hook
	g.wire.read = func() { hook(); budget-- }
	client := g.client()
	for i := range 6 {
		budget = 2
		if skew != 0 && r.IntN(3) == 0 {
			step := skews[r.IntN(len(skews))]
			mu.Lock()
			skew -= step // our clock jumps by step, and the service's stays
			mu.Unlock()
			g.clock.move(step, 0)
		}
		if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
			return 0, fmt.Errorf("seed %d call %d: %w", seed, i, err)
		}
		g.clock.move(time.Second, time.Second)
	}
	_, rejects = g.service.counts()
	return rejects, nil
}

func TestNoRandomScheduleOfFreezesFails(t *testing.T) {
	n := schedules()
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	var mu sync.Mutex
	var rejects, failed int
	for w := range workers {
		wg.Go(func() {
			for seed := w; seed < n; seed += workers {
				r, err := schedule(uint64(seed))
				mu.Lock()
				rejects += r
				if err != nil {
					if failed++; failed <= 5 {
						t.Error(err)
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d schedules, %d calls, %d rejected on the wire, %d calls failed", n, 6*n, rejects, failed)
}

// plainSchedule runs the same stalls in the bubble's time, on the plain SDK or on ours.
func plainSchedule(seed uint64, protect bool) []error {
	r := rand.New(rand.NewPCG(seed, 2))
	var skew time.Duration
	if r.IntN(2) == 0 {
		skew = skews[r.IntN(len(skews))]
	}
	var plan [6][3]time.Duration
	for i := range plan {
		for j := range plan[i] {
			if r.IntN(4) == 0 {
				plan[i][j] = stalls[r.IntN(len(stalls))]
			}
		}
	}
	s := newService(func() time.Time { return time.Now().Add(skew) })
	var at [3]time.Duration
	hook := func(j int) func() {
		return func() { d := at[j]; at[j] = 0; time.Sleep(d) }
	}
	w := &wire{service: s, write: hook(1), read: hook(2)}
	dial := hook(0)
	w.dial = func() error { dial(); return nil }
	cfg := aws.Config{Region: "eu-central-1", Credentials: static(keyPair), HTTPClient: w}
	if protect {
		Apply(&cfg)
	}
	client := secretsmanager.NewFromConfig(cfg)
	var errs []error
	for i := range plan {
		at = plan[i]
		_, err := client.GetSecretValue(context.Background(), getInput)
		errs = append(errs, err)
		time.Sleep(time.Second)
	}
	return errs
}

func TestNeverFailsWhereThePlainSDKSucceeds(t *testing.T) {
	n := 2_000
	if testing.Short() || raceEnabled {
		n = 300
	}
	synctest.Test(t, func(t *testing.T) {
		var plain, ours int
		for seed := range uint64(n) {
			a, b := plainSchedule(seed, false), plainSchedule(seed, true)
			for i := range a {
				if a[i] != nil {
					plain++
				}
				if b[i] != nil {
					ours++
					t.Errorf("seed %d call %d: ours %v, plain %v", seed, i, b[i], a[i])
				}
			}
		}
		if plain == 0 {
			t.Error("the plain SDK never failed: the schedules prove nothing")
		}
		t.Logf("%d calls: plain SDK failed %d, ours %d", 6*n, plain, ours)
	})
}
