package freshsign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

func TestInstantsAreReadFromBothSentences(t *testing.T) {
	for message, want := range map[string]time.Duration{
		"Signature expired: 20250116T095814Z is now earlier than 20250116T095815Z (20250116T100315Z - 5 min.)":                       5*time.Minute + time.Second,
		"Signature not yet current: 20250116T100901Z is still later than 20250116T100900Z (20250116T100400Z + 5 min.)":               -5*time.Minute - time.Second,
		"AuthFailure. Signature expired: 20111115T202130Z is now earlier than 20111115T203144Z (20111115T204644Z - 15 min.) (retry)": 25*time.Minute + 14*time.Second,
	} {
		signed, server, ok := instants(message)
		if !ok || server.Sub(signed) != want {
			t.Errorf("%s: %v %v %v", message, signed, server, ok)
		}
	}
	for _, message := range []string{
		"", "Signature expired: ", "Signature expired: x (20250116T100315Z - 5 min.)",
		"Signature expired: 20250116T095814Z is now earlier (y - 5 min.)",
		"Signature expired: 20250116T095814Z is now earlier than 20250116T095815Z",
		"20250116T095814Z is now earlier than 20250116T095815Z (20250116T100315Z - 5 min.)",
	} {
		if a, b, ok := instants(message); ok || !a.IsZero() || !b.IsZero() {
			t.Errorf("%q is understood", message)
		}
	}
}

func FuzzInstants(f *testing.F) {
	f.Add("Signature expired: 20250116T095814Z is now earlier than 20250116T095815Z (20250116T100315Z - 5 min.)")
	f.Add("Signature not yet current: 20250116T100901Z is still later than 20250116T100900Z (20250116T100400Z + 5 min.)")
	f.Fuzz(func(t *testing.T, s string) {
		a, b, ok := instants(s)
		if ok && (!strings.Contains(s, a.Format(dateLayout)) || !strings.Contains(s, b.Format(dateLayout))) {
			t.Errorf("%q: %v %v", s, a, b)
		}
	})
}

func FuzzServerDate(f *testing.F) {
	f.Add("Tue, 24 Nov 2026 10:00:00 GMT", "")
	f.Add("x", "1")
	f.Fuzz(func(t *testing.T, date, age string) {
		if d := serverDate(http.Header{"Date": {date}, "Age": {age}}); age != "" && !d.IsZero() {
			t.Errorf("%q %q: %v", date, age, d)
		}
	})
}

func FuzzSignedHeaders(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=c")
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range signedHeaders(s) {
			if strings.Contains(n, ";") || !strings.Contains(s, n) {
				t.Errorf("%q: %q", s, n)
			}
		}
	})
}

func TestSignedHeaders(t *testing.T) {
	for s, want := range map[string]string{
		"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=c": "[host x-amz-date]",
		"SignedHeaders= host": "[host]",
		"SignedHeaders=, x":   "[]",
		"Bearer x":            "[]",
	} {
		if got := fmt.Sprint(signedHeaders(s)); got != want {
			t.Errorf("%q: %s", s, got)
		}
	}
}

func TestAnAgeNeedsBothInstants(t *testing.T) {
	for _, v := range []evidence{{}, {signed: start}, {server: start}} {
		if a, ok := v.age(); ok || a != 0 {
			t.Errorf("%+v", v)
		}
	}
	if a, ok := (evidence{signed: start, server: start.Add(time.Hour)}).age(); !ok || a != time.Hour {
		t.Error(a)
	}
}

func apiError(code string) error { return &smithy.GenericAPIError{Code: code, Message: "m"} }

func TestTheAnswerToHEADHasNoCode(t *testing.T) {
	for _, c := range []struct {
		method string
		age    time.Duration
		ours   bool
	}{
		{"HEAD", 5*time.Minute + time.Second, true}, {"HEAD", 5 * time.Minute, false}, {"GET", time.Hour, false}, {"HEAD", -time.Hour, true},
	} {
		g := newRig()
		g.service.now = func() time.Time { w, _ := g.clock.read(); return w.Add(c.age) }
		g.service.window = 100 * time.Hour
		g.wire.beforeSend = func(r *http.Request) { r.Method = c.method } // resp.Request is what was sent
		g.service.reply = func(n int, _ *http.Request) *answer {
			if n == 1 {
				return failure(403, "Forbidden", "")
			}
			return nil
		}
		g.service.anySignature = true
		err := g.get()
		if n, _ := g.service.counts(); (n == 2) != c.ours || (err == nil) != c.ours {
			t.Errorf("%+v: %d requests, %v", c, n, err)
		}
	}
}

func TestWhatIsNoAnswerIsNoneOfOurs(t *testing.T) {
	c := &call{engine: newEngine(Config{})}
	for _, err := range []error{errors.New("x"), context.Canceled, apiError("AccessDeniedException"), apiError("ThrottlingException")} {
		if i, again := c.judge(t.Context(), middleware.Metadata{}, err); i.Cause != 0 || again {
			t.Errorf("%v: %v", err, i)
		}
	}
	// Without a response the signature's own date counts, but there is no server time.
	c.sig = signature{signer: &signer{}, at: moment{wall: start, offset: time.Minute}}
	i, again := c.judge(t.Context(), middleware.Metadata{}, apiError("InvalidSignatureException"))
	if i.Cause != WrongKey || i.Confidence != Possible || again || !i.SignedAt.Equal(start.Add(time.Minute)) {
		t.Errorf("%v %v", i, again)
	}
}

// The clock is to blame from half of the age on. A wait is certain only if both clocks saw it, and an age that neither
// a clock nor a wait accounts for is no more than possible.
func TestExplainTellsTheClockFromTheWait(t *testing.T) {
	const min, sec = time.Minute, time.Second
	for name, c := range map[string]struct {
		skew, offset   time.Duration // what the Date of the answer suggests, and what was signed with
		rtt, monoRTT   time.Duration // of the exchange
		wall, mono     time.Duration // from signing to the connection
		age            time.Duration
		cause          Cause
		sure           Confidence
		offsetReported time.Duration
	}{
		"a wait that both clocks saw":             {wall: 6 * min, mono: 6 * min, age: 6 * min, cause: FreezeGap, sure: Certain},
		"with a clock almost half of the age off": {skew: 3*min - sec, wall: 6 * min, mono: 6 * min, age: 6 * min, cause: FreezeGap, sure: Certain},
		"a wait with the right offset":            {skew: 10 * min, offset: 10 * min, wall: 6 * min, mono: 6 * min, age: 6 * min, cause: FreezeGap, sure: Certain, offsetReported: 10 * min},
		"a wait with a small false offset":        {offset: -2 * min, wall: 4 * min, mono: 4 * min, age: 6 * min, cause: FreezeGap, sure: Possible, offsetReported: -2 * min},
		"a freeze that stopped one clock":         {wall: 6 * min, age: 6 * min, cause: FreezeGap, sure: Likely},
		"the answer came after the wait":          {rtt: 6 * min, monoRTT: 6 * min, age: 6 * min, cause: FreezeGap, sure: Certain},
		"the same with one clock":                 {rtt: 6 * min, age: 6 * min, cause: FreezeGap, sure: Likely},
		"a good signature, rejected":              {age: 6 * min, cause: FreezeGap, sure: Possible},
		"a good one, found in the future":         {wall: 6 * min, mono: 6 * min, age: -6 * min, cause: FreezeGap, sure: Possible},
		"a clock half of the age off":             {skew: 3 * min, age: 6 * min, cause: RealSkew, sure: Certain, offsetReported: 3 * min},
		"a clock that is ahead":                   {skew: -10 * min, age: -10 * min, cause: RealSkew, sure: Certain, offsetReported: -10 * min},
		"an offset that no longer holds":          {offset: -6 * min, age: 6 * min, cause: PoisonedSkew, sure: Certain, offsetReported: -6 * min},
		"slow, but not as slow as old":            {skew: 10 * min, rtt: 6 * sec, monoRTT: 6 * sec, age: 10 * min, cause: RealSkew, sure: Likely, offsetReported: 10 * min},
		"slow, ahead, with an offset on top":      {rtt: 6 * sec, monoRTT: 6 * sec, offset: -2 * min, age: -8 * min, cause: RealSkew, sure: Likely, offsetReported: -10 * min},
		"slow, with an offset that is false":      {rtt: 6 * sec, monoRTT: 6 * sec, offset: -8 * min, age: 8*min + sec, cause: PoisonedSkew, sure: Likely, offsetReported: -8 * min},
	} {
		x := at(0, c.rtt, c.monoRTT, c.skew)
		signed := moment{wall: x.start.wall.Add(-c.wall), mono: x.start.mono - c.mono, offset: c.offset}
		cl := &call{engine: newEngine(Config{}), x: x, sig: signature{at: signed}}
		i := cl.explain(t.Context(), evidence{signed: start, server: start.Add(c.age)})
		if i.Cause != c.cause || i.Confidence != c.sure || i.Offset != c.offsetReported {
			t.Errorf("%s: offset %v, %v", name, i.Offset, i)
		}
	}
	cl := &call{engine: newEngine(Config{})}
	if i := cl.explain(t.Context(), evidence{signed: start, server: start.Add(time.Hour)}); i.Cause != FreezeGap || i.Confidence != Likely {
		t.Errorf("an exchange that nobody watched: %v", i)
	}
}

func TestEveryWordIsSpelled(t *testing.T) {
	for i, want := range []string{"unknown", "freeze gap", "poisoned skew", "real skew", "expired session", "wrong key", "unknown"} {
		if got := Cause(i).String(); got != want {
			t.Errorf("cause %d: %s", i, got)
		}
	}
	if s := fmt.Sprint(Cause(-1), Possible, Likely, Certain, Confidence(9), Resigned, Refused, Healed, Unhealed, Outcome(0)); s != "unknown possible likely certain unknown signed again before sending false offset refused healed not healed unknown" {
		t.Error(s)
	}
	base := Incident{Service: "S", Operation: "O", Age: 6 * time.Minute, Offset: -7 * time.Minute, Outcome: Healed, Confidence: Certain}
	for cause, want := range map[Cause]string{
		0:              "S O: signature rejected; healed (certain)",
		FreezeGap:      "S O: freeze gap: the signature was 6m0s old because the process or the network stood still between signing and arrival; healed (certain)",
		PoisonedSkew:   "S O: poisoned skew: signed with a clock offset of -7m0s that no longer holds, 6m0s off on arrival; healed (certain)",
		RealSkew:       "S O: real skew: this machine's clock differs from the service's by 7m0s; healed (certain)",
		ExpiredSession: "S O: expired session: the credentials are no longer valid; give the client a provider that can refresh them; healed (certain)",
		WrongKey:       "S O: wrong key: the signature's age is fine, so the secret key, the region or service it was made for, or a header changed on the way must be wrong; healed (certain)",
	} {
		base.Cause = cause
		if got := base.String(); got != want {
			t.Errorf("%s", got)
		}
	}
	base.Cause, base.Confidence = FreezeGap, Possible
	if got := base.String(); got != "S O: freeze gap: the service found the signature 6m0s old, but no clock in this process saw it wait: the machine stood still with its clocks, or the service was wrong for a moment; healed (possible)" {
		t.Error(got)
	}
	base.Cause, base.Confidence, base.Outcome = PoisonedSkew, Certain, Refused
	if got := base.String(); got != "S O: poisoned skew: a response that waited suggested that our clock is 7m0s off; false offset refused (certain)" {
		t.Error(got)
	}
}

// No key and no token, and no name of a secret, in anything that prints, whatever happens.
func TestNothingSecretIsPrinted(t *testing.T) {
	var log bytes.Buffer
	var seen bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dump := func(v any) {
		fmt.Fprintf(&seen, "%v %+v %#v\n", v, v, v)
		_ = json.NewEncoder(&seen).Encode(v)
	}
	for _, code := range []string{"InvalidSignatureException", "ExpiredTokenException"} {
		for _, write := range []time.Duration{0, time.Hour} {
			g := newRig(func(c *Config) {
				c.Logger = logger
				c.OnIncident = func(_ context.Context, i Incident) { dump(i) }
			})
			g.wire.write = func() { g.clock.move(write, write) }
			g.service.reply = func(int, *http.Request) *answer { return failure(400, code, "no") }
			err := g.get()
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			dump(e)
			dump(err)
			fmt.Fprintln(&seen, e.Error(), e.Incident)
		}
	}
	g := newRig(func(c *Config) { c.Logger = logger })
	g.wire.write = g.freeze(time.Hour)
	if err := g.get(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{log.String(), seen.String()} {
		if s == "" {
			t.Error("nothing was printed at all")
		}
		for _, canary := range []string{keyPair.AccessKeyID, keyPair.SecretAccessKey, keyPair.SessionToken, "prod/db"} {
			if strings.Contains(s, canary) {
				t.Errorf("%q is printed", canary)
			}
		}
	}
	if l := log.String(); !strings.Contains(l, `"level":"WARN"`) || !strings.Contains(l, `"level":"INFO"`) || !strings.Contains(l, `"cause":"freeze gap"`) {
		t.Error(l)
	}
}

func TestACallThatWasSavedIsInformationAndOneThatWasNotIsAWarning(t *testing.T) {
	for outcome, want := range map[Outcome]string{Resigned: "INFO", Refused: "INFO", Healed: "INFO", Unhealed: "WARN"} {
		var log bytes.Buffer
		e := newEngine(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		e.report(t.Context(), Incident{Cause: FreezeGap, Outcome: outcome})
		if !strings.Contains(log.String(), "level="+want+" ") {
			t.Errorf("%v: %s", outcome, log.String())
		}
	}
}

func TestErrorUnwraps(t *testing.T) {
	e := &Error{Incident: Incident{Cause: WrongKey}, Err: apiError("X")}
	var api smithy.APIError
	if !errors.As(e, &api) || api.ErrorCode() != "X" || !strings.HasPrefix(e.Error(), "freshsign: ") {
		t.Error(e)
	}
	if s := errSessionDied.Error(); !strings.HasPrefix(s, "freshsign: ") {
		t.Error(s)
	}
	if !errSessionDied.(sessionDiedError).ConnectionError() {
		t.Error("the SDK would not try again")
	}
}
