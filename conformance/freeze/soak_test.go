package freeze

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
)

// number reads a count from the environment.
func number(t *testing.T, name string, byDefault uint64) uint64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return byDefault
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// warmUp is how many invocations a process has to settle into its shape.
const warmUp = 5

func TestNothingOfOursCrossesAFreeze(t *testing.T) {
	needsFreeze(t)
	t.Parallel()
	invocations := 500
	if testing.Short() {
		invocations = 60
	}
	invocations = int(number(t, "MIDDY_SOAK", uint64(invocations)))
	seed := number(t, "MIDDY_SOAK_SEED", 1)
	t.Logf("%d invocations, MIDDY_SOAK_SEED=%d", invocations, seed)
	random := rand.New(rand.NewPCG(seed, 0))

	const ttl = 150 * time.Millisecond
	aws := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"secret/00": "0"}, ChaosSeed: seed})
	aws.Clock().SetWindow(window)
	// Some refreshes are still under way when the handler has returned.
	aws.Chaos().Add(emulator.Rule{Effect: emulator.Latency, Delay: 4 * time.Millisecond, Probability: 0.3})
	s := start(t, "fn", aws, "FN_TTL="+ttl.String(), "FN_WINDOW="+window.String())

	var others []int
	var rotated time.Time
	version, late, long, pooled := 0, 0, 0, 0
	for i := range invocations {
		if i%40 == 20 {
			version++
			if err := aws.Secrets().Rotate("secret/00", strconv.Itoa(version)); err != nil {
				t.Fatal(err)
			}
			rotated = time.Now()
		}
		began := time.Now()
		a, _, alive := s.invoke(t)
		if alive != 0 {
			t.Fatalf("invocation %d: %d requests alive at the socket while the sandbox is frozen", i, alive)
		}
		if !a.Probed {
			t.Fatal("the function did not look at itself")
		}
		if a.Before != 0 || a.After != 0 {
			t.Fatalf("invocation %d: %d goroutines of the toolkit alive at its start, %d at its end\n%s", i, a.Before, a.After, a.Alive)
		}
		if i >= warmUp {
			others = append(others, a.Others)
			pooled = max(pooled, a.Pooled)
		}
		if a.Value != strconv.Itoa(version) && began.Sub(rotated) > ttl*3/2 {
			late++
		}
		if len(a.Unhealed) > 0 {
			t.Fatalf("invocation %d: not healed: %v", i, a.Unhealed)
		}
		freeze := time.Duration(random.Int64N(int64(40 * time.Millisecond)))
		if i%60 == 30 {
			freeze += window + 200*time.Millisecond
			long++
		}
		rest(t, freeze)
	}
	if lo, hi := slices.Min(others), slices.Max(others); lo != hi {
		t.Errorf("the process had from %d to %d goroutines besides those of idle connections: some are left behind", lo, hi)
	}
	// Two each for reading and writing; a freeze may come before net/http has put
	// a connection back, and the next request then opens another.
	if pooled > 12 {
		t.Errorf("%d goroutines hold idle connections to two servers: they pile up", pooled)
	}
	// A reader waits for a new value as long as Config.Patience says, and no longer.
	if late > invocations/100 {
		t.Errorf("%d of %d invocations had an old value although its TTL was over", late, invocations)
	}
	if long == 0 {
		t.Error("no freeze was longer than the window")
	}
	requests := aws.Requests()
	if len(requests) < invocations/10 {
		t.Errorf("only %d requests: the TTL of %v was not followed", len(requests), ttl)
	}
	for _, r := range requests {
		if r.ErrorCode != "" {
			t.Errorf("a request was refused: %s, %v old", r.ErrorCode, r.Age)
		}
	}
	t.Logf("%d requests, %d freezes longer than the window, %d late values, %d goroutines", len(requests), long, late, others[0])
}

// What asserts that nothing is there must be able to see something.
func TestWhatCrossesAFreezeIsSeen(t *testing.T) {
	needsFreeze(t)
	t.Run("a request", func(t *testing.T) {
		t.Parallel()
		aws := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"secret/00": "value"}})
		s := start(t, "plain", aws, "FN_TTL=1ms", "FN_AHEAD=1")
		if _, _, alive := s.invoke(t); alive != 0 {
			t.Fatalf("%d requests are alive, want none", alive)
		}
		aws.Chaos().Add(emulator.Rule{Effect: emulator.BlackHole})
		if _, _, alive := s.invoke(t); alive != 1 {
			t.Errorf("%d requests are alive, want 1", alive)
		}
	})
	t.Run("a goroutine", func(t *testing.T) {
		t.Parallel()
		aws := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"secret/00": "value"}})
		s := start(t, "fn", aws, "FN_LEAK=1")
		s.invoke(t)
		if a, _, _ := s.invoke(t); a.Before != 1 {
			t.Errorf("%d goroutines were alive, want 1", a.Before)
		}
	})
}

func TestA25SecretColdStartIsTwoRequests(t *testing.T) {
	needsFreeze(t)
	t.Parallel()
	seed := map[string]string{}
	for i := range 25 {
		seed[fmt.Sprintf("secret/%02d", i)] = "value"
	}
	aws := emulatortest.Start(t, emulatortest.Config{Seed: seed})
	s := start(t, "fn", aws, "FN_SECRETS=25")
	a, _, _ := s.invoke(t)
	if a.Values != 25 {
		t.Errorf("%d secrets were read", a.Values)
	}
	var operations []string
	for _, r := range aws.Requests() {
		operations = append(operations, r.Operation)
	}
	if want := []string{"BatchGetSecretValue", "BatchGetSecretValue"}; !slices.Equal(operations, want) {
		t.Errorf("at the socket: %v, want %v", operations, want)
	}
}
