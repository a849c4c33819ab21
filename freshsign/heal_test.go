package freshsign

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

func httpRequest() *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "https://service.invalid/", nil)
	return r
}

// wants checks the last incident and the number of requests.
func (g *rig) wants(t *testing.T, err error, requests int, cause Cause, outcome Outcome) {
	t.Helper()
	if n, _ := g.service.counts(); n != requests {
		t.Errorf("%d requests, want %d", n, requests)
	}
	if (err != nil) != (outcome == Unhealed) {
		t.Errorf("error: %v", err)
	}
	if len(g.incidents) == 0 {
		t.Fatal("no incident")
	}
	if i := g.incidents[len(g.incidents)-1]; i.Cause != cause || i.Outcome != outcome {
		t.Errorf("incident: %v", i)
	}
	var e *Error
	if outcome == Unhealed && (!errors.As(err, &e) || e.Incident.Cause != cause || e.Incident.Outcome != Unhealed) {
		t.Errorf("error is %v", err)
	}
}

func (g *rig) freeze(d time.Duration) func() {
	if g.clock == nil {
		return once(func() { time.Sleep(d) })
	}
	return once(func() { g.clock.move(d, d) })
}

func TestAFreezeInTheKernelIsHealedWithAnyRetryer(t *testing.T) {
	empty := retry.NewStandard(func(o *retry.StandardOptions) {
		l := ratelimit.NewTokenRateLimit(1)
		_, _ = l.GetToken(context.Background(), 1)
		o.RateLimiter = l
	})
	for name, opt := range map[string]func(*secretsmanager.Options){
		"default":               func(*secretsmanager.Options) {},
		"NopRetryer":            func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} },
		"RetryMaxAttempts 1":    func(o *secretsmanager.Options) { o.RetryMaxAttempts = 1 },
		"an empty retry bucket": func(o *secretsmanager.Options) { o.Retryer = empty },
		"adaptive mode":         func(o *secretsmanager.Options) { o.Retryer = retry.NewAdaptiveMode() },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig()
			g.wire.write = g.freeze(6 * time.Minute)
			g.wants(t, g.get(opt), 2, FreezeGap, Healed)
			if i := g.incidents[0]; i.Age != 6*time.Minute || i.Confidence != Certain || i.RequestID != "req-1" || i.Pass != 1 ||
				i.Service != "Secrets Manager" || i.Operation != "GetSecretValue" || i.Region != "eu-central-1" || !i.SignedAt.Equal(start) ||
				!i.SentAt.Equal(start) || !i.ServerTime.Equal(start.Add(6*time.Minute)) {
				t.Errorf("%+v", i)
			}
		})
	}
}

func TestAFreezeBeforeTheConnectionNeverReachesTheWire(t *testing.T) {
	for _, d := range []time.Duration{4*time.Minute + 59*time.Second, 6 * time.Minute, 9 * time.Hour, 36 * time.Hour} {
		g := newRig()
		dial := g.freeze(d)
		g.wire.dial = func() error { dial(); return nil }
		g.wants(t, g.get(), 1, FreezeGap, Resigned)
		if i := g.incidents[0]; i.Age != d || i.Confidence != Certain || !i.SignedAt.Equal(start) || !i.SentAt.Equal(start.Add(d)) {
			t.Errorf("%+v", i)
		}
		if !g.service.last.Equal(start.Add(d)) {
			t.Errorf("signed at %v", g.service.last)
		}
	}
}

func TestASignatureIsRenewedWhenOlderThanASecond(t *testing.T) {
	for _, c := range []struct {
		wall, mono time.Duration
		renewed    bool
	}{
		{time.Second, time.Second, false},
		{time.Second + time.Nanosecond, time.Second, true},
		{2 * time.Second, 2 * time.Second, true},
		{-time.Second, 0, false},
		{-time.Second - time.Nanosecond, 0, true},
		{0, time.Second + time.Nanosecond, true}, // the epoch changed
	} {
		g := newRig()
		dial := once(func() { g.clock.move(c.wall, c.mono) })
		var before string
		g.wire.beforeSend = func(r *http.Request) { before = r.Header.Get(authHeader) }
		g.wire.dial = func() error { dial(); return nil }
		var after string
		g.wire.write = func() {}
		g.service.reply = func(_ int, r *http.Request) *answer { after = r.Header.Get(authHeader); return nil }
		if err := g.get(); err != nil {
			t.Fatal(err)
		}
		if got := g.service.last.Equal(start.Add(c.wall).Truncate(time.Second)) && (before != after || c.wall == 0); got != c.renewed && c.wall != 0 {
			t.Errorf("wall %v, mono %v: renewed %v, want %v", c.wall, c.mono, got, c.renewed)
		}
		if e := len(g.incidents); c.wall == 0 && e != 1 {
			t.Errorf("%d incidents for a changed epoch", e)
		}
	}
}

func TestRenewingIsAnIncidentFromFourMinutesOn(t *testing.T) {
	for d, want := range map[time.Duration]int{4*time.Minute - time.Millisecond: 0, 4 * time.Minute: 1} {
		g := newRig()
		dial := g.freeze(d)
		g.wire.dial = func() error { dial(); return nil }
		if err := g.get(); err != nil || len(g.incidents) != want {
			t.Errorf("%v: %d incidents, error %v", d, len(g.incidents), err)
		}
	}
}

func TestWhatWasCaughtInTimeIsAsSureAsItsClocks(t *testing.T) {
	const min = time.Minute
	for _, c := range []struct {
		wall, mono time.Duration
		cause      Cause
		sure       Confidence
		offset     time.Duration
	}{
		{6 * min, 6 * min, FreezeGap, Certain, 0},
		{6 * min, 0, FreezeGap, Likely, 0}, // a freeze that stopped one clock, or a clock that was set
		{0, 6 * min, FreezeGap, Likely, 0},
		{-6 * min, 0, RealSkew, Likely, -6 * min}, // the clock was ahead, and was set back
	} {
		g := newRig()
		dial := once(func() { g.clock.move(c.wall, c.mono) })
		g.wire.dial = func() error { dial(); return nil }
		g.wants(t, g.get(), 1, c.cause, Resigned)
		if i := g.incidents[0]; i.Confidence != c.sure || i.Offset != c.offset || i.Age != c.wall || !i.SignedAt.Equal(start) ||
			!i.SentAt.Equal(start.Add(c.wall)) || i.EpochAtSend != i.EpochAtSign+map[bool]uint64{true: 1}[c.wall != c.mono] {
			t.Errorf("%+v: %+v", c, i)
		}
	}
}

// The service says that a good signature is old, as AWS rarely does: it is signed again, but nothing here proves a freeze.
func TestAGoodSignatureThatIsRejectedIsHealedAndNobodyIsCertain(t *testing.T) {
	g := newRig()
	g.service.reply = func(n int, _ *http.Request) *answer {
		if n == 1 {
			return failure(400, "InvalidSignatureException", "Signature expired: 20261124T100000Z is now earlier than 20261124T100001Z (20261124T100501Z - 5 min.)")
		}
		return nil
	}
	g.wants(t, g.get(), 2, FreezeGap, Healed)
	if i := g.incidents[0]; i.Confidence != Possible || i.Age != 5*time.Minute+time.Second {
		t.Errorf("%+v", i)
	}
}

func TestMidnightMonthEndAndLeapDaySignTheRightScope(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(2026, 11, 24, 23, 59, 59, 0, time.UTC), time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC),
		time.Date(2028, 2, 28, 23, 59, 59, 0, time.UTC), time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 7, 0, time.UTC), time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(2026, 3, 29, 1, 59, 59, 0, time.FixedZone("CET", 3600)),
	} {
		g := newRig()
		g.clock.wall = at
		dial := g.freeze(2 * time.Second)
		g.wire.dial = func() error { dial(); return nil }
		if err := g.get(); err != nil { // the service compares the scope's date
			t.Errorf("%v: %v", at, err)
		}
	}
}

func TestEvidenceNeedsFourMinutes(t *testing.T) {
	for _, c := range []struct {
		age     time.Duration
		healed  bool
		message string
	}{
		{3*time.Minute + 59*time.Second, false, "spurious"},
		{4 * time.Minute, true, "spurious"},
		{-3*time.Minute - 59*time.Second, false, "spurious"},
		{-4 * time.Minute, true, "spurious"},
	} {
		g := newRig()
		skew := c.age
		g.service.now = func() time.Time { w, _ := g.clock.read(); return w.Add(skew) }
		g.service.reply = func(n int, _ *http.Request) *answer {
			if n == 1 {
				return failure(400, "InvalidSignatureException", c.message)
			}
			return nil
		}
		err := g.get()
		if n, _ := g.service.counts(); (err == nil) != c.healed || (n == 2) != c.healed {
			t.Errorf("age %v: %d requests, error %v", c.age, n, err)
		}
	}
}

func TestTheWindowScalesTheEvidence(t *testing.T) {
	for d, requests := range map[time.Duration]int{7 * time.Second: 1, 11 * time.Second: 2} {
		g := newRig(func(c *Config) { c.Window = 10 * time.Second })
		g.service.window = 10 * time.Second
		g.wire.write = g.freeze(d)
		if err := g.get(); err != nil {
			t.Error(err)
		}
		if n, _ := g.service.counts(); n != requests {
			t.Errorf("%v: %d requests, want %d", d, n, requests)
		}
	}
}

func TestEachSignatureCodeIsHealedUponEvidenceOnly(t *testing.T) {
	for code, ours := range map[string]bool{
		"InvalidSignatureException": true, "InvalidSignature": true, "SignatureDoesNotMatch": true, "RequestTimeTooSkewed": true,
		"RequestExpired": true, "RequestInTheFuture": true, "AuthFailure": true,
		"com.amazon.coral.service#InvalidSignatureException": true,
		"AccessDeniedException":                              false, "AccessDenied": false, "ResourceNotFoundException": false, "Forbidden": false,
	} {
		for _, late := range []bool{true, false} {
			g := newRig()
			if late {
				g.wire.write = g.freeze(4*time.Minute + 30*time.Second)
			}
			g.service.reply = func(n int, _ *http.Request) *answer {
				if n == 1 {
					return failure(400, code, "no")
				}
				return nil
			}
			err := g.get(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
			n, _ := g.service.counts()
			if healed := err == nil && n == 2; healed != (ours && late) {
				t.Errorf("%s, late %v: %d requests, %v", code, late, n, err)
			}
			var e *Error
			if wrapped := errors.As(err, &e); wrapped != (ours && !late) {
				t.Errorf("%s, late %v: %v", code, late, err)
			}
		}
	}
}

func TestAWrongKeyIsNamedAndNotRetried(t *testing.T) {
	g := newRig()
	g.service.creds.SecretAccessKey = "another"
	err := g.get()
	g.wants(t, err, 1, WrongKey, Unhealed)
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InvalidSignatureException" {
		t.Errorf("the service's error is lost: %v", err)
	}
	if g.incidents[0].Confidence != Likely {
		t.Errorf("%v", g.incidents[0])
	}
	g.service.noDate = true
	g.service.header = nil
	if err := g.get(); err == nil || g.incidents[1].Confidence != Possible {
		t.Errorf("without a Date nobody is sure: %v", g.incidents)
	}
}

func TestRejectionsForEverAreBounded(t *testing.T) {
	for heals, requests := range map[int]int{0: 4, 1: 2, 5: 6, -1: 1} {
		g := newRig(func(c *Config) { c.MaxHeals = heals })
		g.wire.write = func() { g.clock.move(time.Hour, time.Hour) } // frozen each time
		err := g.get()
		g.wants(t, err, requests, FreezeGap, Unhealed)
		if len(g.incidents) != requests || g.incidents[requests-1].Pass != requests {
			t.Errorf("%v", g.incidents)
		}
	}
}

func TestAFreezeDuringTheHealAndDuringTheThirdIsHealed(t *testing.T) {
	g := newRig()
	n := 0
	g.wire.write = func() {
		if n++; n <= 3 {
			g.clock.move(6*time.Minute, 6*time.Minute)
		}
	}
	g.wants(t, g.get(), 4, FreezeGap, Healed)
}

func TestAHealEndsWithItsContext(t *testing.T) {
	g := newRig()
	ctx, cancel := context.WithCancel(context.Background())
	g.wire.read = cancel
	g.wire.write = g.freeze(6 * time.Minute)
	_, err := g.client().GetSecretValue(ctx, getInput)
	g.wants(t, err, 1, FreezeGap, Unhealed)
}

func TestASmallPoisonAndASmallStallAddUpToNothing(t *testing.T) {
	for _, stall := range []time.Duration{90 * time.Second, 100 * time.Second} { // 5:00 and 5:10 with the poison
		g := newRig()
		g.wire.read = g.freeze(3*time.Minute + 30*time.Second)
		client := g.client()
		if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
			t.Fatal(err)
		}
		if i := g.incidents[0]; i.Cause != PoisonedSkew || i.Outcome != Refused || i.Offset != -210*time.Second || i.Confidence != Certain {
			t.Errorf("%+v", i)
		}
		g.wire.write = g.freeze(stall)
		if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
			t.Fatal(err)
		}
		if n, rejects := g.service.counts(); n != 2 || rejects != 0 {
			t.Errorf("%d requests, %d rejected", n, rejects)
		}
	}
}

func TestAWaitingResponseIsRefusedFromHalfAMinuteOn(t *testing.T) {
	for d, want := range map[time.Duration]int{29 * time.Second: 0, 30 * time.Second: 1} {
		g := newRig()
		g.wire.read = g.freeze(d)
		if err := g.get(); err != nil || len(g.incidents) != want {
			t.Errorf("%v: %v, error %v", d, g.incidents, err)
		}
	}
	// A slow answer by a clock that is wrong suggests the truth, and is not believed either; but then nobody is certain.
	g := newRig()
	g.service.now = func() time.Time { w, _ := g.clock.read(); return w.Add(-3 * time.Minute) }
	g.wire.read = g.freeze(6 * time.Second)
	if err := g.get(); err != nil || len(g.incidents) != 1 || g.incidents[0].Confidence != Possible || g.incidents[0].Outcome != Refused {
		t.Errorf("%v, error %v", g.incidents, err)
	}
}

func TestAKeepWarmPingEveryFiveMinutesForADayIsNeverRejected(t *testing.T) {
	for _, every := range []time.Duration{299 * time.Second, 300 * time.Second, 301 * time.Second} {
		g := newRig()
		client := g.client()
		for range int(24 * time.Hour / every) {
			dial := g.freeze(every) // the whole pause falls between signing and the connection
			g.wire.dial = func() error { dial(); return nil }
			if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
				t.Fatal(err)
			}
		}
		if n, rejects := g.service.counts(); rejects != 0 || n != int(24*time.Hour/every) {
			t.Errorf("every %v: %d requests, %d rejected", every, n, rejects)
		}
	}
}

func TestARealSkewIsHealedLearnedAndNamed(t *testing.T) {
	for _, skew := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		g := newRig()
		g.service.now = func() time.Time { w, _ := g.clock.read(); return w.Add(skew) }
		client := g.client()
		_, err := client.GetSecretValue(context.Background(), getInput)
		g.wants(t, err, 2, RealSkew, Healed)
		if i := g.incidents[0]; i.Offset != skew || i.Confidence != Certain {
			t.Errorf("%+v", i)
		}
		for range 3 {
			if _, err = client.GetSecretValue(context.Background(), getInput); err != nil {
				t.Error(err)
			}
		}
		if n, _ := g.service.counts(); n != 5 {
			t.Errorf("%d requests: the offset was not kept", n)
		}
	}
}

func TestAFalseOffsetIsNamedAndHealed(t *testing.T) {
	g := newRig()
	skew := 10 * time.Minute
	g.service.now = func() time.Time { w, _ := g.clock.read(); return w.Add(skew) }
	client := g.client()
	_, _ = client.GetSecretValue(context.Background(), getInput)
	skew = 0 // the clock was set right without either hand showing it
	_, err := client.GetSecretValue(context.Background(), getInput)
	g.wants(t, err, 4, PoisonedSkew, Healed)
	if i := g.incidents[1]; i.Offset != 10*time.Minute {
		t.Errorf("%+v", i)
	}
}

func TestAClockStepDropsTheOffset(t *testing.T) {
	for _, step := range []time.Duration{3 * time.Second, -3 * time.Second, 3 * time.Minute, -3 * time.Minute, 10 * time.Minute, -10 * time.Minute, 24 * time.Hour, -24 * time.Hour} {
		g := newRig()
		skew := step
		g.service.now = func() time.Time { w, _ := g.clock.read(); return w.Add(skew) }
		client := g.client()
		if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
			t.Fatal(err)
		}
		before, _ := g.service.counts()
		g.clock.move(step, 0) // NTP corrects it
		skew = 0
		if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
			t.Fatal(err)
		}
		if n, _ := g.service.counts(); n != before+1 {
			t.Errorf("step %v: %d requests after the clock was right again", step, n-before)
		}
	}
}

// A guest's wall clock may be stale after a restore, and be set right a moment later: even if a request was signed and
// renewed by the stale one, it arrives.
func TestAWallClockThatIsStaleAfterARestoreAndThenCorrected(t *testing.T) {
	for _, stale := range []time.Duration{2 * time.Minute, 16 * time.Minute, 13 * 24 * time.Hour} {
		g := newRig()
		var behind time.Duration
		g.service.now = func() time.Time { w, _ := g.clock.read(); return w.Add(behind) }
		client := g.client()
		if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
			t.Fatal(err)
		}
		dial := once(func() { behind = stale }) // restored: the world went on, both of our clocks stood
		write := once(func() { behind = 0; g.clock.move(stale, 200*time.Millisecond) })
		g.wire.dial = func() error { dial(); return nil }
		g.wire.write = write
		if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
			t.Errorf("%v: %v", stale, err)
		}
		if n, _ := g.service.counts(); n > 3 {
			t.Errorf("%v: %d requests", stale, n)
		}
	}
}

func TestAServiceWithoutDateIsHealedByItsMessage(t *testing.T) {
	g := newRig()
	g.service.noDate = true
	skew := 10 * time.Minute
	g.service.now = func() time.Time { w, _ := g.clock.read(); return w.Add(skew) }
	g.wants(t, g.get(), 2, RealSkew, Healed)
}

func TestABodyThatCannotSeekIsNotHealed(t *testing.T) {
	c := &call{engine: newEngine(Config{})}
	if c.prepare(context.Background(), FreezeGap, nil, "no request") {
		t.Error("prepared something that is no request")
	}
}

func TestHealsAreNotSpentWhenTheSDKHealsItself(t *testing.T) {
	g := newRig()
	g.wire.write = func() { g.clock.move(time.Hour, time.Hour) }
	err := g.get(func(o *secretsmanager.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = 2
			o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{"InvalidSignatureException": {}}})
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	})
	g.wants(t, err, 4, FreezeGap, Unhealed) // two passes of two attempts
}

func TestAnotherFailureAfterAHealIsLeftAsItIs(t *testing.T) {
	g := newRig()
	g.wire.write = g.freeze(6 * time.Minute)
	g.service.reply = func(int, *http.Request) *answer { return failure(400, "ResourceNotFoundException", "gone") }
	err := g.get()
	var e *Error
	if err == nil || errors.As(err, &e) || g.incidents[0].Outcome != Healed {
		t.Errorf("%v; %v", err, g.incidents)
	}
	g = newRig()
	g.wire.write = g.freeze(6 * time.Minute)
	n := 0
	g.wire.dial = func() error {
		if n++; n > 1 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	if err = g.get(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }); err == nil || g.incidents[0].Outcome != Unhealed {
		t.Errorf("%v; %v", err, g.incidents)
	}
}

func TestANegativeWindowIsAnErrorOfEveryCall(t *testing.T) {
	g := newRig(func(c *Config) { c.Window = -1 })
	if err := g.get(); err == nil || !strings.Contains(err.Error(), "Config.Window") {
		t.Error(err)
	}
	if n, _ := g.service.counts(); n != 0 {
		t.Error("sent")
	}
}

func TestTheTraceHeaderComesFromTheContextWhenTheEnvironmentHasNone(t *testing.T) {
	//lint:ignore SA1029 aws-lambda-go has this key
	ctx := context.WithValue(context.Background(), traceKey, "Root=1-2;Parent=a\nb") //nolint:staticcheck // aws-lambda-go's key
	for _, env := range []bool{false, true} {
		t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
		if env {
			t.Setenv(traceEnv, "env")
		}
		g := newRig()
		var got string
		g.service.reply = func(_ int, r *http.Request) *answer { got = r.Header.Get(traceHeader); return nil }
		if _, err := g.client().GetSecretValue(ctx, getInput); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{false: "Root=1-2;Parent=a%0Ab", true: "env"}[env]; got != want {
			t.Errorf("env %v: %q, want %q", env, got, want)
		}
	}
}

func TestEscapingATraceKeepsWhatTheSDKKeeps(t *testing.T) {
	if got := escapeTrace(`azAZ09-=;:+&[]{}"',` + "/@`{|}~ é"); got != `azAZ09-=;:+&[]{}"',`+"%2F%40%60{%7C}%7E%20%C3%A9" {
		t.Error(got)
	}
}

// A client that tries everything again by itself: the heal counts only what its signature was refused for.
func TestOnlyRejectedSignaturesCountAsTheSDKsOwnHealing(t *testing.T) {
	for name, c := range map[string]struct {
		v4a      bool
		requests int
	}{
		"of each pass one attempt fails by its age and one otherwise":        {false, 8},
		"a service with SigV4a heals in vain, so that its attempts are none": {true, 8},
	} {
		g := newRig()
		n := 0
		g.wire.write = func() {
			if n++; c.v4a || n%2 == 0 {
				g.clock.move(time.Hour, time.Hour)
			}
		}
		g.service.reply = func(int, *http.Request) *answer { return failure(500, "InternalFailure", "no") }
		client := g.client(func(o *secretsmanager.Options) {
			o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.RateLimiter = 2, ratelimit.None
				o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(error) aws.Ternary { return aws.TrueTernary }))
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		})
		o := client.Options()
		o.HTTPSignerV4.(*signer).v4a = c.v4a
		_, err := client.GetSecretValue(t.Context(), getInput)
		if requests, _ := g.service.counts(); err == nil || requests != c.requests {
			t.Errorf("%s: %d requests, want %d; %v", name, requests, c.requests, err)
		}
	}
}

func TestAHostileEndpointPoisonsNobodyElsesSignatures(t *testing.T) {
	g := newRig()
	honest := g.wire.service
	hostile := doFunc(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "store.partner.example" {
			return g.wire.Do(r)
		}
		date := honest.now().Add(20 * 365 * 24 * time.Hour).UTC().Format(http.TimeFormat)
		return &http.Response{StatusCode: 403, Request: r, Header: http.Header{"Date": {date}}, Body: io.NopCloser(strings.NewReader(`{"__type":"RequestTimeTooSkewed","message":"no"}`))}, nil
	})
	g.cfg.HTTPClient = hostile
	if err := g.get(func(o *secretsmanager.Options) { o.BaseEndpoint = aws.String("https://store.partner.example") }); err == nil {
		t.Fatal("the hostile endpoint's refusal was not reported")
	}
	g.incidents = nil
	if err := g.get(); err != nil || len(g.incidents) != 0 {
		t.Errorf("a call to the honest endpoint gave %v and %d incidents, want success and none", err, len(g.incidents))
	}
	if requests, rejects := honest.counts(); requests != 1 || rejects != 0 {
		t.Errorf("the honest endpoint saw %d requests and rejected %d, want 1 and 0", requests, rejects)
	}
}
