package freeze

import (
	"strings"
	"testing"
	"time"

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

// await returns when a request has left the process, and lies in the network.
func (r *relay) await(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-r.arrived:
	case <-timer.C:
		t.Fatal("no request was written")
	}
}

// between freezes a function after the response of the invocation in which the
// refresh was due, and wakes it up for the next.
func between(t *testing.T, s *sandbox, r *relay) *runtimeapi.Response {
	t.Helper()
	s.invoke(t)
	r.await(t)
	rest(t, dead)
	s.onThaw(r.release) // the machine goes on as a whole
	resp, _ := s.try(t)
	return resp
}

// within freezes it while it waits for the answer.
func within(t *testing.T, s *sandbox, r *relay) *runtimeapi.Response {
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
	r.await(t)
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	rest(t, dead)
	s.onThaw(r.release)
	s.Thaw()
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
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
