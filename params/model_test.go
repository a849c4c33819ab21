package params

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gomiddy/middy"
)

// The model says what a reader may see, in the words of the policy, without any
// of its machinery: what was current when, and what the source said last.
type model struct {
	current   string    // at the source
	served    string    // what the Store may have; empty: nothing
	confirmed time.Time // when the source last confirmed it
	broken    Kind      // how the source fails; 0: it answers
	denials   int       // refusals in a row since the last confirmation
	failed    bool      // the last request was not answered with the value
	unheard   int       // requests in a row that did not live to hear a source that answers
}

// TestModel runs random histories of a value against the model: time passes, the
// value rotates, the source fails in every way, users report, and readers read.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		steps := rapid.SliceOfN(rapid.IntRange(0, 9), 5, 60).Draw(rt, "steps")
		waits := rapid.SliceOfN(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 5 * time.Second, time.Minute,
			4 * time.Minute, 5 * time.Minute, 6 * time.Minute, time.Hour, 12 * time.Hour, 25 * time.Hour}), 60, 60).Draw(rt, "waits")
		kinds := rapid.SliceOfN(rapid.SampledFrom([]Kind{Unavailable, Throttled, NotFound, Denied, Deleted, Undecryptable}), 60, 60).Draw(rt, "kinds")
		var complaint string
		synctest.Test(t, func(t *testing.T) { complaint = history(t, seed, steps, waits, kinds) })
		if complaint != "" {
			rt.Fatal(complaint)
		}
	})
}

func history(t *testing.T, seed uint64, steps []int, waits []time.Duration, kinds []Kind) (complaint string) {
	f := newFake()
	// A generator of its own, so that shrinking keeps the draws of chance.
	random := func() float64 {
		seed = seed*6364136223846793005 + 1442695040888963407
		return float64(seed>>11) / (1 << 53)
	}
	s := New(Config{Rand: random})
	v := String(s, f.ref("a"))
	m := &model{}
	put := func() {
		f.put("a", time.Now().Format(time.RFC3339Nano))
		m.current = f.values["a"].text
	}
	put()
	for i, step := range steps {
		switch step {
		case 0, 1, 2:
			wait(waits[i])
		case 3:
			put()
		case 4:
			m.broken = kinds[i]
			f.failWith("*", kind(kinds[i]))
		case 5:
			m.broken = 0
			f.failWith("*", nil)
		case 6:
			v.Suspect()
			fallthrough
		default:
			requests, answers := f.count(), f.answered()
			got, err := read(t, s, v)
			synctest.Wait()
			if complaint := m.check(got, err, f.count()-requests, f.answered()-answers); complaint != "" {
				return complaint
			}
		case 9:
			s.Thaw(t.Context(), middy.Gap{Wall: time.Hour})
		}
	}
	_ = s.Close(context.Background())
	return ""
}

// check compares what a reader saw, how many requests it took, and how many of
// them were answered, with the model.
func (m *model) check(got string, err error, requests, answers int) string {
	now := time.Now()
	if requests > 1 {
		return "one reader made more than one request"
	}
	if m.broken != 0 || answers > 0 || requests == 0 {
		m.unheard = 0
	} else if m.unheard++; m.unheard > 3 {
		return "a source that answers was not heard by the fourth request"
	}
	if answers == 1 {
		switch {
		case m.broken == 0:
			defer func() { m.served, m.confirmed, m.denials = m.current, now, 0 }()
		case m.broken.forbidsStale():
			m.denials++
		}
	}
	if requests == 1 {
		defer func() { m.failed = answers == 0 || m.broken != 0 }()
	}
	age := now.Sub(m.confirmed)
	switch {
	case err == nil:
		return m.checkServed(got, age, answers)
	case m.broken == 0 && answers == 1:
		return "the source answered and the reader failed: " + err.Error()
	case errors.Is(err, ErrStale) && m.served != "" && age < 24*time.Hour:
		return "stale before the limit: " + err.Error()
	case m.served != "" && m.denials == 0 && age < 24*time.Hour && !m.broken.forbidsStale():
		return "a value that was never refused was not served: " + err.Error()
	}
	if answers == 1 && m.broken.forbidsStale() && m.denials >= 2 || age >= 24*time.Hour && answers == 1 && m.broken.forbidsStale() {
		m.served = ""
	}
	return ""
}

func (m *model) checkServed(got string, age time.Duration, answers int) string {
	switch {
	case answers == 1 && m.broken == 0:
		// Early, or when the request before it failed, it is served the old value; otherwise the new one.
		if got != m.current && got != m.served {
			return "served what never was: " + got
		}
		if got != m.current && age >= 345*time.Second && !m.failed {
			return "served the old value after the longest TTL although the source answered"
		}
	case m.served == "":
		return "served a value that the Store cannot have: " + got
	case got != m.served:
		return "served another version than the last confirmed one: " + got
	case age >= 24*time.Hour:
		return "served beyond the hard limit"
	case m.denials >= 3:
		return "served after it was refused three times"
	}
	return ""
}

// TestMissingIsTreatedAsAValue runs each random history twice: with a value that
// is empty, and with one that is missing and optional. Both must make the same
// requests at the same instants, and show the same to readers.
func TestMissingIsTreatedAsAValue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		steps := rapid.SliceOfN(rapid.IntRange(0, 8), 5, 60).Draw(rt, "steps")
		waits := rapid.SliceOfN(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, time.Minute, 4 * time.Minute,
			5 * time.Minute, time.Hour, 25 * time.Hour}), 60, 60).Draw(rt, "waits")
		kinds := rapid.SliceOfN(rapid.SampledFrom([]Kind{Unavailable, Throttled, Denied, Undecryptable}), 60, 60).Draw(rt, "kinds")
		var value, missing []string
		synctest.Test(t, func(t *testing.T) { value = transcript(t, newFake("a", ""), seed, steps, waits, kinds) })
		synctest.Test(t, func(t *testing.T) { missing = transcript(t, newFake(), seed, steps, waits, kinds) })
		for i := range value {
			if value[i] != missing[i] {
				rt.Fatalf("read %d: a value %s; a missing one %s", i, value[i], missing[i])
			}
		}
	})
}

// transcript is what readers of an optional value see, when, and after how many
// requests.
func transcript(t *testing.T, f *fake, seed uint64, steps []int, waits []time.Duration, kinds []Kind) (lines []string) {
	start := time.Now()
	random := func() float64 {
		seed = seed*6364136223846793005 + 1442695040888963407
		return float64(seed>>11) / (1 << 53)
	}
	s := New(Config{Rand: random})
	v := String(s, f.ref("a").Optional())
	for i, step := range steps {
		switch step {
		case 0, 1:
			wait(waits[i])
		case 2:
			f.failWith("*", kind(kinds[i]))
		case 3:
			f.failWith("*", nil)
		case 4:
			// Not 0: chance would say whether a fetch ends before somebody joins it.
			f.setLatency([]time.Duration{1, 10 * time.Millisecond, 400 * time.Millisecond, 2 * time.Second, time.Hour}[i%5])
		default:
			got, err := read(t, s, v)
			synctest.Wait()
			outcome := "is served"
			if err != nil {
				outcome = fmt.Sprintf("fails by %v, stale %v", KindOf(err), errors.Is(err, ErrStale))
			}
			lines = append(lines, fmt.Sprintf("%q %s at %v after %d requests", got, outcome, time.Since(start), f.count()))
		}
	}
	_ = s.Close(context.Background())
	return lines
}
