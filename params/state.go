package params

import (
	"time"
)

// A state is what is known of one value. It is immutable: readers get it by one
// atomic load. All instants are wall-clock nanoseconds without a monotonic
// reading, since the monotonic clock may stand still over a freeze.
type state struct {
	raw     *blob  // nil: there is no value
	absent  error  // the source's answer that there is none; nil with a value
	misses  int    // such answers in a row
	version string // the source's, or empty
	label   string // version, or a number of our own
	changes int    // counts labels
	created time.Time

	confirmed int64 // when the source last said that this is the value
	refreshAt int64 // from here on it is refreshed beside the handler
	expires   int64 // from here on readers wait for a new one
	hard      int64 // from here on it may not be served
	sweep     uint64

	err      error // the last failure, nil after a success
	failures int   // in a row
	retryAt  int64 // no request before
	backoff  int64 // how long retryAt was put off

	forbidden bool  // the source said missing, deleted or denied
	recheckAt int64 // from here on that must be checked again

	suspect      bool   // a user reported an authentication failure
	suspectAfter uint64 // the last fetch that had begun by then: it is no answer
	suspected    int64  // when such a report was last followed

	rotation Rotation
	rotated  bool   // rotation was read,
	rotates  string // for this version
}

// An action is what a reader is to do.
type action int

const (
	serve       action = iota // the value
	serveStale                // the value, although its TTL is over
	refresh                   // the value, and somebody should fetch
	waitPatient               // for a fetch; after a while, the old value will do
	waitCertain               // for a fetch; if it fails without a word on the value, the old one will do
	waitNeedful               // for a fetch: there is nothing to fall back to
	fail                      // with the last failure
)

// backwards is how much the wall clock may differ between two looks before it
// counts as set back.
const backwards = int64(time.Second)

// decide is the cache policy: what to do at an instant, and until when that
// holds.
func (st *state) decide(now int64) (act action, until int64) {
	cooling := now < st.retryAt && st.retryAt-now <= st.backoff
	if !st.known() {
		if cooling {
			return fail, st.retryAt
		}
		return waitNeedful, now
	}
	usable := st.usable(now)
	setBack := now < st.confirmed-backwards
	switch {
	case st.suspect && usable:
		return waitCertain, now
	case st.forbidden && usable && now < st.recheckAt && !setBack:
		return serveStale, min(st.recheckAt, st.end())
	case st.forbidden && usable && cooling:
		return serveStale, min(st.retryAt, st.end())
	case st.forbidden && usable && st.failures > 0:
		return waitPatient, now // the re-check got no answer
	case st.forbidden && usable:
		return waitCertain, now
	case now < st.expires && !setBack:
		return st.decideFresh(now, cooling)
	case !usable && cooling:
		return fail, st.retryAt
	case !usable:
		return waitNeedful, now
	case cooling:
		return serveStale, min(st.retryAt, st.hard)
	}
	return waitPatient, now
}

func (st *state) decideFresh(now int64, cooling bool) (action, int64) {
	switch {
	case now < st.refreshAt:
		return serve, st.refreshAt
	case cooling:
		return serve, min(st.retryAt, st.expires)
	}
	return refresh, st.expires
}

// end is when the value may no longer be served.
func (st *state) end() int64 { return max(st.expires, st.hard) }

// known reports whether the source has answered: by a value, or that there is
// none. The policy is the same for both.
func (st *state) known() bool { return st.raw != nil || st.absent != nil }

// usable reports whether the answer may be served at all.
func (st *state) usable(now int64) bool {
	return st.known() && now < st.end()
}

// heard ends a suspicion, unless the fetch had begun before it was reported.
func (st *state) heard(fetch uint64, now int64) {
	if st.suspect && fetch > st.suspectAfter {
		st.suspect, st.suspected = false, now
	}
}

// failure is what a reader gets who cannot be served.
func (st *state) failure(e *entry, now int64) error {
	err := st.err
	switch {
	case err == nil && st.absent != nil:
		return st.absent // a moment ago
	case err == nil:
		err = &Error{Kind: Unavailable, Service: e.source.Service, Name: e.key.ID, Text: "no answer yet"}
	}
	if !st.known() || st.forbidden {
		return err
	}
	return &StaleError{
		Service: e.source.Service, Name: e.key.ID,
		Confirmed: time.Unix(0, st.confirmed), Age: time.Duration(now - st.confirmed),
		Limit: time.Duration(st.end() - st.confirmed), Err: err,
	}
}
