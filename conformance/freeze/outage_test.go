package freeze

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
)

// The four ways in which a service is not there.
var outages = map[string]emulator.Effect{
	"answers 500": emulator.InternalError,
	"throttles":   emulator.Throttle,
	"resets":      emulator.Reset,
	"is silent":   emulator.BlackHole,
}

// The policy of the package's documentation, faster: 5 min, 24 h, 5 s, 60 s.
const (
	outageTTL      = 200 * time.Millisecond
	outageMaxStale = 5 * time.Second
	outageRetry    = 500 * time.Millisecond
	outageRetryMax = time.Second
)

func TestAnOutageIsNoReasonForAFailedInvocation(t *testing.T) {
	needsFreeze(t)
	for name, effect := range outages {
		t.Run("Secrets Manager "+name, func(t *testing.T) {
			t.Parallel()
			outage(t, effect)
		})
	}
}

func outage(t *testing.T, effect emulator.Effect) {
	aws := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"secret/00": "before"}})
	s := start(t, "fn", aws, "FN_TTL="+outageTTL.String(), "FN_MAX_STALE="+outageMaxStale.String(), "FN_FETCH_TIMEOUT=1s",
		"FN_NEGATIVE_TTL="+outageRetry.String(), "FN_NEGATIVE_MAX="+outageRetryMax.String())
	asked := time.Now()
	s.invoke(t)
	confirmed := time.Now()
	end := aws.Chaos().Add(emulator.Rule{Effect: effect})
	rest(t, 2*outageTTL) // past the TTL and its jitter
	aws.ResetRequests()

	var stale []time.Duration
	var last time.Time
	for {
		began := time.Now()
		resp, _ := s.try(t)
		if resp.FunctionError != "" {
			if ended := time.Now(); ended.Before(asked.Add(outageMaxStale)) {
				t.Fatalf("an invocation failed %v after the value was confirmed; the limit is %v: %s: %s",
					ended.Sub(asked), outageMaxStale, resp.ErrorType, resp.ErrorMessage)
			}
			if resp.ErrorType != "SecretTooOld" || !strings.Contains(resp.ErrorMessage, `"secret/00"`) || !strings.Contains(resp.ErrorMessage, outageMaxStale.String()) {
				t.Errorf("after the hard limit: %s: %s\nwant SecretTooOld, and a text that names the secret and the limit", resp.ErrorType, resp.ErrorMessage)
			}
			t.Logf("after the hard limit: %s", resp.ErrorMessage)
			break
		}
		a := decode(t, resp)
		switch {
		case a.Value != "before":
			t.Fatalf("the value is %q", a.Value)
		case began.After(confirmed.Add(outageMaxStale)):
			t.Fatalf("an old value was served %v after it was confirmed; the limit is %v", began.Sub(confirmed), outageMaxStale)
		case !a.Probed:
			t.Fatal("the function did not look at itself")
		}
		stale, last = append(stale, a.Chain), began // the TTL was over before the first
		if a.After != 0 {
			t.Fatalf("%d goroutines cross the freeze\n%s", a.After, a.Alive)
		}
		rest(t, 10*time.Millisecond)
	}
	if len(stale) < 20 { // on a quiet machine there are 250
		t.Fatalf("only %d invocations were served an old value", len(stale))
	}
	slices.Sort(stale)
	p50 := stale[len(stale)/2]
	if p50 >= 5*time.Millisecond {
		t.Errorf("p50 of the %d invocations that were served an old value is %v, want under 5 ms", len(stale), p50)
	}
	met := 0
	for _, r := range aws.Requests() {
		met += len(r.Chaos)
	}
	// The source is left alone between tries, each of which is up to three of the SDK's.
	tries := int(outageMaxStale/(outageRetry*8/10)) + 1
	if met == 0 || met > 3*tries {
		t.Errorf("%d requests met the outage, want at least one and at most %d", met, 3*tries)
	}
	t.Logf("%d served an old value, until %v after it was confirmed: p50 %v, p99 %v, longest %v; %d requests met the outage",
		len(stale), last.Sub(confirmed).Round(time.Millisecond), p50, stale[len(stale)*99/100], stale[len(stale)-1], met)

	end()
	if err := aws.Secrets().Put("secret/00", "after"); err != nil {
		t.Fatal(err)
	}
	for over := time.Now().Add(10 * outageRetryMax); ; rest(t, 50*time.Millisecond) {
		if resp, _ := s.try(t); resp.FunctionError == "" {
			if a := decode(t, resp); a.Value != "after" {
				t.Errorf("the outage is over, and the value is %q", a.Value)
			}
			return
		} else if time.Now().After(over) {
			t.Fatalf("the outage is over, and the function still fails: %s", resp.ErrorMessage)
		}
	}
}

// One call, however many ask: readers beside each other in a server, and in the
// handler of one invocation.
func TestAThousandReadersAreOneCall(t *testing.T) {
	for name, tc := range map[string]struct {
		warm   bool
		passed time.Duration
	}{
		"when there is no value yet": {},
		"at the end of the TTL":      {warm: true, passed: 6 * time.Minute},
		"at the hard limit":          {warm: true, passed: 25 * time.Hour},
	} {
		for place, inside := range map[string]bool{"in an invocation": true, "in a server": false} {
			t.Run(name+", "+place, func(t *testing.T) {
				t.Parallel()
				thousand(t, tc.warm, tc.passed, inside)
			})
		}
	}
}

func thousand(t *testing.T, warm bool, passed time.Duration, inside bool) {
	const readers = 1000
	aws := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"secret/00": "old"}})
	var offset atomic.Int64
	store := params.New(params.Config{
		Patience: -1, // as long as it takes, so that all of them see the new one
		Now:      func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
	})
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	value := params.String(store, secrets.From(aws.Config()).Secret("secret/00"))
	if warm {
		if v, err := value.Lookup(t.Context()); v != "old" || err != nil {
			t.Fatal(v, err)
		}
	}
	if err := aws.Secrets().Rotate("secret/00", "new"); err != nil {
		t.Fatal(err)
	}
	// The answer comes when all of them wait for it.
	aws.Chaos().Add(emulator.Rule{Effect: emulator.SlowResponse, Delay: 300 * time.Millisecond})
	aws.ResetRequests()
	offset.Store(int64(passed))

	var wrong atomic.Int64
	read := func(ctx context.Context, _ *middy.Invocation) (any, error) {
		var ready, done sync.WaitGroup
		gate := make(chan struct{})
		ready.Add(readers)
		for range readers {
			done.Go(func() {
				ready.Done()
				<-gate
				if v, err := value.Lookup(ctx); err != nil || v != "new" {
					wrong.Add(1)
				}
			})
		}
		ready.Wait()
		close(gate)
		done.Wait()
		return nil, nil
	}
	if inside {
		read = store.Wrap(read)
	}
	if _, err := read(t.Context(), &middy.Invocation{}); err != nil {
		t.Fatal(err)
	}
	if n := wrong.Load(); n != 0 {
		t.Errorf("%d of %d readers did not get the new value", n, readers)
	}
	if got := aws.Requests(); len(got) != 1 {
		t.Errorf("%d requests at the socket, want 1", len(got))
	}
}
