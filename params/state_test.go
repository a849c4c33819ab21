package params

import (
	"errors"
	"fmt"
	"testing"
)

func (a action) String() string {
	return [...]string{"serve", "serveStale", "refresh", "waitPatient", "waitCertain", "waitNeedful", "fail"}[a]
}

// Both sides of every threshold of the policy, to the nanosecond.
func TestDecide(t *testing.T) {
	const sec = int64(1e9)
	const confirmed, refreshAt, expires, hard = 1000 * sec, 1240 * sec, 1300 * sec, 2000 * sec
	fresh := func(edit func(*state)) *state {
		st := &state{raw: &blob{}, confirmed: confirmed, refreshAt: refreshAt, expires: expires, hard: hard}
		edit(st)
		return st
	}
	plain := func(*state) {}
	cooled := func(retryAt, backoff int64) func(*state) {
		return func(st *state) { st.retryAt, st.backoff = retryAt, backoff }
	}
	forbidden := func(edit func(*state)) func(*state) {
		return func(st *state) { st.forbidden, st.recheckAt = true, 1350*sec; edit(st) }
	}
	for _, tt := range []struct {
		name  string
		st    *state
		now   int64
		act   action
		until int64
	}{
		{"nothing", &state{}, 5 * sec, waitNeedful, 5 * sec},
		{"nothing, cooling", &state{retryAt: 10 * sec, backoff: 5 * sec}, 10*sec - 1, fail, 10 * sec},
		{"nothing, cooled", &state{retryAt: 10 * sec, backoff: 5 * sec}, 10 * sec, waitNeedful, 10 * sec},
		{"nothing, cooling as long as possible", &state{retryAt: 10 * sec, backoff: 5 * sec}, 5 * sec, fail, 10 * sec},
		{"nothing, a back-off from the future", &state{retryAt: 10 * sec, backoff: 5 * sec}, 5*sec - 1, waitNeedful, 5*sec - 1},

		{"fresh", fresh(plain), confirmed, serve, refreshAt},
		{"clock a second back", fresh(plain), confirmed - sec, serve, refreshAt},
		{"clock more than a second back", fresh(plain), confirmed - sec - 1, waitPatient, confirmed - sec - 1},
		{"just not early", fresh(plain), refreshAt - 1, serve, refreshAt},
		{"early", fresh(plain), refreshAt, refresh, expires},
		{"early, cooling", fresh(cooled(1250*sec, 20*sec)), refreshAt, serve, 1250 * sec},
		{"early, cooling beyond the TTL", fresh(cooled(1310*sec, 200*sec)), refreshAt, serve, expires},
		{"just not expired", fresh(plain), expires - 1, refresh, expires},
		{"expired", fresh(plain), expires, waitPatient, expires},
		{"expired, cooling", fresh(cooled(1310*sec, 20*sec)), expires, serveStale, 1310 * sec},
		{"expired, cooling beyond the limit", fresh(cooled(2010*sec, 20*sec)), hard - 1, serveStale, hard},
		{"just within the limit", fresh(plain), hard - 1, waitPatient, hard - 1},
		{"at the limit", fresh(plain), hard, waitNeedful, hard},
		{"at the limit, cooling", fresh(cooled(2010*sec, 20*sec)), hard, fail, 2010 * sec},
		{"strict at its TTL", fresh(func(st *state) { st.hard = confirmed }), expires, waitNeedful, expires},
		{"strict within its TTL", fresh(func(st *state) { st.hard = confirmed }), expires - 1, refresh, expires},

		{"fresh, forbidden a moment ago", fresh(func(st *state) { st.recheckAt = 1350 * sec }), confirmed, serve, refreshAt},
		{"suspect", fresh(func(st *state) { st.suspect = true }), confirmed, waitCertain, confirmed},
		{"suspect beyond the limit", fresh(func(st *state) { st.suspect = true }), hard, waitNeedful, hard},
		{"forbidden, in grace", fresh(forbidden(plain)), 1350*sec - 1, serveStale, 1350 * sec},
		{"forbidden, grace over", fresh(forbidden(plain)), 1350 * sec, waitCertain, 1350 * sec},
		{"forbidden, grace beyond the limit", fresh(forbidden(func(st *state) { st.recheckAt = 2010 * sec })), hard - 1, serveStale, hard},
		{"forbidden beyond the limit", fresh(forbidden(func(st *state) { st.recheckAt = 2010 * sec })), hard, waitNeedful, hard},
		{"forbidden beyond the limit, cooling", fresh(forbidden(cooled(2010*sec, 20*sec))), hard, fail, 2010 * sec},
		{"forbidden, clock back", fresh(forbidden(plain)), confirmed - sec - 1, waitCertain, confirmed - sec - 1},
		{"forbidden, re-check unanswered", fresh(forbidden(cooled(1360*sec, 20*sec))), 1350 * sec, serveStale, 1360 * sec},
		{"forbidden, re-check unanswered until the limit", fresh(forbidden(cooled(2010*sec, 20*sec))), hard - 1, serveStale, hard},
		{"forbidden, re-check failed before", fresh(forbidden(func(st *state) { st.failures = 1 })), 1350 * sec, waitPatient, 1350 * sec},
		{"forbidden beyond the limit, re-check failed before", fresh(forbidden(func(st *state) { st.failures = 1; st.recheckAt = 0 })), hard, waitNeedful, hard},
		{"forbidden, within the TTL", fresh(forbidden(func(st *state) { st.recheckAt = 1100 * sec })), 1100 * sec, waitCertain, 1100 * sec},
		{"suspect and forbidden", fresh(forbidden(func(st *state) { st.suspect = true })), 1340 * sec, waitCertain, 1340 * sec},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if act, until := tt.st.decide(tt.now); act != tt.act || until != tt.until {
				t.Errorf("%v until %v; want %v until %v", act, until, tt.act, tt.until)
			}
			if tt.st.raw == nil {
				return
			}
			missing := *tt.st // the answer that there is no value is an answer
			missing.raw, missing.absent = nil, ErrNotFound
			if act, until := missing.decide(tt.now); act != tt.act || until != tt.until {
				t.Errorf("missing: %v until %v; want %v until %v", act, until, tt.act, tt.until)
			}
		})
	}
}

func TestUsable(t *testing.T) {
	for _, tt := range []struct {
		expires, hard, now int64
		want               bool
	}{{10, 20, 19, true}, {10, 20, 20, false}, {20, 10, 19, true}, {20, 10, 20, false}} {
		st := &state{raw: &blob{}, expires: tt.expires, hard: tt.hard}
		if st.usable(tt.now) != tt.want || (&state{expires: tt.expires, hard: tt.hard}).usable(tt.now) {
			t.Error(fmt.Sprint(tt))
		}
	}
}

// An age is quoted only of a value that has one, and is too old.
func TestOnlyAnAgeIsAStaleError(t *testing.T) {
	for _, tt := range []struct {
		name  string
		st    *state
		stale bool
	}{
		{"never fetched", &state{err: errDown}, false},
		{"never fetched, and nothing failed yet", &state{}, false},
		{"forbidden", &state{raw: &blob{}, forbidden: true, err: kind(Denied)}, false},
		{"too old", &state{raw: &blob{}, err: errDown}, true},
		{"missing, and not confirmed since", &state{absent: kind(NotFound), err: errDown}, true},
		{"missing", &state{absent: kind(NotFound)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(plain())
			err := tt.st.failure(s.entryFor(newFake().ref("a"), asName), 1)
			if _, stale := errors.AsType[*StaleError](err); err == nil || stale != tt.stale {
				t.Errorf("got %v; want a StaleError: %v", err, tt.stale)
			}
		})
	}
}

// A fetch that had begun before a report says nothing about it.
func TestHeard(t *testing.T) {
	for _, tt := range []struct {
		fetch uint64
		ends  bool
	}{{0, false}, {3, false}, {4, true}} {
		st := &state{suspect: true, suspectAfter: 3}
		if st.heard(tt.fetch, 7); st.suspect == tt.ends || (st.suspected == 7) != tt.ends {
			t.Errorf("fetch %d: suspect %v, followed at %d", tt.fetch, st.suspect, st.suspected)
		}
	}
	st := &state{suspected: 5}
	if st.heard(9, 7); st.suspect || st.suspected != 5 {
		t.Errorf("without a report: followed at %d; want 5", st.suspected)
	}
}
