package freeze

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/runtimeapi"
)

const plainTTL = 100 * time.Millisecond

// dead is how long a freeze lasts here that no signature survives. Dates in
// signatures have whole seconds.
const dead = window + 1500*time.Millisecond

// A meeting is a function, the network between it and Secrets Manager, and a
// refresh that is due.
func meeting(t *testing.T, name string, env ...string) (*sandbox, *relay) {
	t.Helper()
	needsFreeze(t)
	t.Parallel()
	aws := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"secret/00": "value"}})
	aws.Clock().SetWindow(window)
	r := newRelay(t, aws)
	s := start(t, name, aws, append([]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + r.url(), "FN_TTL=" + plainTTL.String(), "FN_WINDOW=" + window.String(), "FN_FETCH_TIMEOUT=" + patience.String(),
	}, env...)...)
	if a, _, _ := s.invoke(t); a.Value != "value" {
		t.Fatalf("the first value is %q", a.Value)
	}
	rest(t, 2*plainTTL)
	r.hold()
	return s, r
}

// await returns when something has come.
func await(t *testing.T, what string, come <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-come:
	case <-timer.C:
		t.Fatalf("%s did not come", what)
	}
}

// between freezes a function after the response of the invocation in which the
// refresh was due, and wakes it up for the next.
func between(t *testing.T, s *sandbox, r *relay) *runtimeapi.Response {
	t.Helper()
	s.invoke(t)
	await(t, "a request", r.arrived)
	rest(t, dead)
	s.onThaw(r.release) // the machine goes on as a whole
	resp, _ := s.try(t)
	return resp
}

// within freezes it while it waits for the answer.
func within(t *testing.T, s *sandbox, r *relay) *runtimeapi.Response {
	t.Helper()
	return during(t, s, r, "a request", r.arrived, dead)
}

// during invokes the function, freezes it for a while when something has come,
// and lets the machine go on.
func during(t *testing.T, s *sandbox, r *relay, what string, come <-chan struct{}, d time.Duration) *runtimeapi.Response {
	t.Helper()
	type result struct {
		resp *runtimeapi.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		resp, err := s.Invoke(t.Context(), runtimeapi.Request{})
		done <- result{resp, err}
	}()
	await(t, what, come)
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	rest(t, d)
	s.onThaw(r.release)
	s.Thaw()
	got := <-done
	s.onThaw(nil)
	if got.err != nil {
		t.Fatal(got.err)
	}
	s.settle(t)
	return got.resp
}

// The peer must fail, or the tests of ours prove nothing. Its request was written
// before the freeze: no connection is dialled and no time limit of a transport
// runs out at the thaw, so that nothing of this comes from the shortened window.
func TestThePlainSDKFailsUnderTheSameFreeze(t *testing.T) {
	for name, tc := range map[string]struct {
		env    []string
		freeze func(*testing.T, *sandbox, *relay) *runtimeapi.Response
	}{
		"between invocations": {[]string{"FN_AHEAD=1"}, between},
		"in an invocation":    {nil, within},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := meeting(t, "plain", tc.env...)
			resp := tc.freeze(t, s, r)
			if resp.FunctionError == "" {
				t.Fatal("the plain SDK did not fail: either it has learned to heal, or this freeze is none; the demonstration is broken")
			}
			if !strings.Contains(resp.ErrorMessage, "InvalidSignatureException: Signature expired: ") {
				t.Errorf("it failed for another reason: %s: %s", resp.ErrorType, resp.ErrorMessage)
			}
			t.Log(resp.ErrorMessage)
		})
	}
}

func TestOursLivesThroughIt(t *testing.T) {
	t.Run("between invocations", func(t *testing.T) {
		s, r := meeting(t, "fn")
		resp := between(t, s, r)
		if resp.FunctionError != "" {
			t.Fatalf("%s: %s", resp.ErrorType, resp.ErrorMessage)
		}
		if a := decode(t, resp); a.Value != "value" || a.Before != 0 {
			t.Errorf("value %q, %d goroutines crossed the freeze\n%s", a.Value, a.Before, a.Alive)
		}
	})
	t.Run("in an invocation", func(t *testing.T) {
		// Without an old value to fall back to, the refresh itself has to succeed.
		s, r := meeting(t, "fn", "FN_MAX_STALE=-1s")
		resp := within(t, s, r)
		if resp.FunctionError != "" {
			t.Fatalf("%s: %s", resp.ErrorType, resp.ErrorMessage)
		}
		a := decode(t, resp)
		if a.Value != "value" || a.Healed["freeze gap"] != 1 || len(a.Unhealed) != 0 {
			t.Errorf("value %q, healed %v, not healed %v; want one freeze gap healed", a.Value, a.Healed, a.Unhealed)
			for _, q := range s.aws.Requests() {
				t.Logf("%s: %d %s, %v old", q.Operation, q.Status, q.ErrorCode, q.Age)
			}
		}
	})
}

// Lambda stops a sandbox that has answered. A virtual machine may stop whenever
// it is moved or saved, so here it stops in the middle: with a request written, or
// with its answer in the socket.
func TestFreezesWithinInvocations(t *testing.T) {
	s, r := meeting(t, "fn", "FN_MAX_STALE=-1s", "FN_TTL=1ms")
	invocations, long, held := 24, 0, 0
	if testing.Short() {
		invocations = 12
	}
	invocations = max(invocations, int(number(t, "MIDDY_SOAK", 0))/20)
	random := rand.New(rand.NewPCG(number(t, "MIDDY_SOAK_SEED", 1), 1))
	answered := make(chan struct{}, 1)
	t.Cleanup(s.aws.Subscribe(func(emulator.Record) {
		select {
		case answered <- struct{}{}:
		default:
		}
	}))
	var a answer
	for i := range invocations {
		d := time.Duration(random.Int64N(int64(50 * time.Millisecond)))
		if i%10 >= 8 {
			d += dead
			long++
		}
		what, come := "an answer", answered
		if i%2 == 0 {
			r.hold()
			what, come = "a request", r.arrived
			if d > dead {
				held++
			}
		} else {
			r.release()
			for len(answered) > 0 {
				<-answered
			}
		}
		resp := during(t, s, r, what, come, d)
		if resp.FunctionError != "" {
			t.Fatalf("invocation %d, frozen for %v: %s: %s", i, d, resp.ErrorType, resp.ErrorMessage)
		}
		a = decode(t, resp)
		if a.Value != "value" || a.After != 0 || len(a.Unhealed) != 0 {
			t.Fatalf("invocation %d: value %q, not healed %v, %d goroutines left\n%s", i, a.Value, a.Unhealed, a.After, a.Alive)
		}
	}
	if a.Healed["freeze gap"] != held {
		t.Errorf("healed %v, want a freeze gap for each of the %d requests that lay in the network for longer than the window", a.Healed, held)
	}
	t.Logf("%d invocations, %d freezes longer than the window, healed %v", invocations, long, a.Healed)
}
