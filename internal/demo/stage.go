package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/secretsmanager"
)

// A stage is one function, the AWS behind it, and what happened.
type stage struct {
	name string
	aws  *emulator.Server
	fn   *runtimeapi.Function

	elapsed time.Duration // played time since the start
	due     int           // how often the value was due for a fetch

	durations []time.Duration
	failed    int

	mu         sync.Mutex
	act        string // the case that is being played
	requests   int
	rejected   int
	healed     int
	refusedAge string // of the last signature that was refused
	number     int    // of the current invocation
	incidents  []Incident
}

func newStage(ctx context.Context, cfg Config, name string) (*stage, error) {
	s := &stage{name: name, due: 1} // the first fetch, in Init
	s.aws = emulator.New(emulator.Config{})
	store := secretsmanager.New(secretsmanager.Config{Region: s.aws.Region(), AccountID: s.aws.AccountID(), Now: s.aws.Clock().Now})
	if err := store.Put(secretName, `{"user":"orders","password":"not-a-real-password"}`); err != nil {
		return nil, err
	}
	s.aws.Register(store)
	s.aws.Subscribe(s.record)
	if err := s.aws.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	session := s.aws.Session()
	fn, err := runtimeapi.New(runtimeapi.Config{
		Command:      []string{cfg.Executable},
		Env:          append(s.aws.Env(), FunctionVar+"="+name),
		Credentials:  runtimeapi.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken},
		FunctionName: name,
		Timeout:      30 * time.Second, // a busy machine is not part of the demonstration
		Log:          s.line,
	})
	if err != nil {
		return nil, err
	}
	s.fn = fn
	if err := fn.Warm(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.fn.Shutdown(ctx) // both have a moment, and are ended then
	_ = s.aws.Close(ctx)
}

// begin names the case that is played from now on.
func (s *stage) begin(act string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.act = act
}

// record counts a request at the service's socket.
func (s *stage) record(r emulator.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if strings.Contains(r.ErrorCode, "Signature") {
		s.rejected++
		s.refusedAge = age(r)
	}
}

func age(r emulator.Record) string {
	for _, e := range r.Chaos {
		if e == emulator.SpuriousSignature {
			return "a moment"
		}
	}
	return r.Age.Truncate(10 * time.Second).String() // what was played; the rest is the machine
}

// line takes the incidents out of the function's output.
func (s *stage) line(l runtimeapi.Line) {
	text, ok := strings.CutPrefix(l.Text, incidentMark)
	if !ok {
		return
	}
	var told toldIncident
	if json.Unmarshal([]byte(text), &told) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if told.Outcome == "healed" {
		s.healed++
	}
	s.incidents = append(s.incidents, Incident{Invocation: s.number, Case: s.act, Cause: told.Text, Outcome: told.Outcome})
}

// invoke runs the function once, after so much played time.
func (s *stage) invoke(ctx context.Context, after time.Duration) error {
	return s.invokeWorking(ctx, after, 0)
}

// invokeWorking is invoke with a handler that has other work to do.
func (s *stage) invokeWorking(ctx context.Context, after, work time.Duration) error {
	s.elapsed += after
	payload, err := json.Marshal(event{ElapsedMs: s.elapsed.Milliseconds(), WorkMs: work.Milliseconds()})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.number++
	number := s.number
	s.mu.Unlock()
	resp, err := s.fn.Invoke(ctx, runtimeapi.Request{Payload: payload})
	if err != nil {
		return err
	}
	s.durations = append(s.durations, resp.Duration)
	if resp.FunctionError == "" {
		return nil
	}
	s.failed++
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incidents = append(s.incidents, Incident{Invocation: number, Case: s.act, Cause: s.cause(resp.ErrorMessage), Outcome: "the invocation failed", Failed: true})
	return nil
}

// cause says in one sentence why an invocation failed, from the SDK's message and
// from what was seen at the service.
func (s *stage) cause(message string) string {
	if strings.Contains(message, "Signature expired") {
		return fmt.Sprintf("InvalidSignatureException, Signature expired: signed %s before it was judged; the SDK saw no clock skew of 4 minutes and did not sign again", s.refusedAge)
	}
	if i := strings.LastIndex(message, "RequestID: "); i >= 0 { // the SDK's chain; its end says what happened
		if _, last, ok := strings.Cut(message[i:], ", "); ok {
			message = strings.TrimPrefix(last, "api error ")
		}
	}
	first, _, _ := strings.Cut(message, "\n")
	return strings.TrimSuffix(first, ".")
}

var errTooLong = errors.New("it took too long; is the machine overloaded?")

// until waits for a condition that a socket or a process brings about.
func until(ctx context.Context, limit time.Duration, met func() bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(limit)
	defer late.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-late.C:
			return errTooLong
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// hold makes the next request wait in its socket until release is called.
func (s *stage) hold() (release func()) {
	return s.aws.Chaos().Add(emulator.Rule{Effect: emulator.Latency, Times: 1, Delay: time.Minute})
}

// held says whether a whole request is there. One that is in flight need not be:
// net/http writes the headers and the body apart, and a stop may come in between.
func (s *stage) held() bool {
	for _, rule := range s.aws.Chaos().Rules() {
		if rule.Held > 0 {
			return true
		}
	}
	return false
}

// judgedAfter lets played time pass for the request that is held, lets it go, and
// returns when it was judged. Its answer has the Date of the caller's own clock:
// nobody's clock is wrong. On a machine so busy that the caller has given the
// request up meanwhile, there is nothing to judge.
func (s *stage) judgedAfter(ctx context.Context, gap time.Duration, release func()) error {
	s.aws.Clock().Freeze(gap)
	defer s.aws.Clock().Reset()
	release()
	if err := until(ctx, 10*time.Second, func() bool { return s.aws.InFlight() == 0 }); err != nil {
		return fmt.Errorf("the request that was let go is not judged: %w", err)
	}
	return nil
}

func (s *stage) tally() *Tally {
	sorted := sortedCopy(s.durations)
	s.mu.Lock()
	defer s.mu.Unlock()
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &Tally{
		Name: s.name, Invocations: len(s.durations), Failed: s.failed,
		Rejected: s.rejected, Healed: s.healed,
		Requests: s.requests, Extra: s.requests - s.due,
		P50Ms: ms(percentile(sorted, 50)), P99Ms: ms(percentile(sorted, 99)),
		Incidents: s.incidents,
	}
}
