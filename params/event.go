package params

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// An EventKind says what happened.
type EventKind string

// What a Store tells [Config.OnEvent].
const (
	EventFetch        EventKind = "fetch"         // a fetch ended; Err tells how, Duration how long
	EventUnchanged    EventKind = "unchanged"     // the source confirmed the version we have
	EventChanged      EventKind = "changed"       // a new version arrived
	EventStale        EventKind = "stale"         // an old value was served; Age says how old
	EventExpired      EventKind = "expired"       // the hard limit was passed
	EventForbidden    EventKind = "forbidden"     // the source says missing, deleted or denied: grace begins
	EventRevoked      EventKind = "revoked"       // it said so again: the value is gone
	EventNegative     EventKind = "negative"      // a remembered failure was returned
	EventDecode       EventKind = "decode"        // a version is not what its declaration says
	EventSuspect      EventKind = "suspect"       // a user reported an authentication failure
	EventBatchRefused EventKind = "batch_refused" // a batch failed as a whole: its keys are asked for one by one
	EventFallback     EventKind = "fallback"      // another source answered
	EventLagging      EventKind = "lagging"       // a fallback had an older version, which was refused
	EventCancelled    EventKind = "cancelled"     // a refresh was cancelled so that the response could leave
	EventEvicted      EventKind = "evicted"
	EventClock        EventKind = "clock"    // the clocks were moved, or a freeze is over
	EventRotation     EventKind = "rotation" // rotation dates were read, or lie in the past (Err)
	EventStage        EventKind = "stage"    // a login worked with another stage than the current one
	EventWiped        EventKind = "wiped"
)

// An Event never carries a value, or anything computed from one.
type Event struct {
	Kind EventKind
	// Service is the source's short name. Name is set only with
	// [Config.NamesInEvents]. Version and Stage are the source's identifiers.
	Service, Name, Version, Stage string
	// Keys is the number of keys of a batch.
	Keys int
	// Age, Duration: see the Kind.
	Age, Duration time.Duration
	Err           error
}

// Stats counts since the Store was made. Reads that found a fresh value are not
// counted: that would put a shared write on the fast path.
type Stats struct {
	Requests     uint64 // calls of a provider
	Batches      uint64 // of which batches
	Failures     uint64 // of which failed
	Fetched      uint64 // values that came
	Unchanged    uint64 // of which the version was known
	Coalesced    uint64 // reads that waited for a fetch begun by another
	Stale        uint64 // decisions to serve an old value
	Negative     uint64 // failures returned from memory
	Suspects     uint64 // reported authentication failures
	Fallbacks    uint64 // answers of another source than the first
	Cancelled    uint64 // refreshes cancelled at a response
	Evicted      uint64
	DecodeErrors uint64
}

type counters struct {
	requests, batches, failures, fetched, unchanged, coalesced, stale, negative atomic.Uint64
	suspects, fallbacks, cancelled, evicted, decodeErrors                       atomic.Uint64
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	c := &s.counters
	return Stats{
		Requests: c.requests.Load(), Batches: c.batches.Load(), Failures: c.failures.Load(),
		Fetched: c.fetched.Load(), Unchanged: c.unchanged.Load(), Coalesced: c.coalesced.Load(),
		Stale: c.stale.Load(), Negative: c.negative.Load(), Suspects: c.suspects.Load(),
		Fallbacks: c.fallbacks.Load(), Cancelled: c.cancelled.Load(), Evicted: c.evicted.Load(),
		DecodeErrors: c.decodeErrors.Load(),
	}
}

func (s *Store) event(e *entry, ev Event) {
	if s.cfg.OnEvent == nil {
		return
	}
	if e != nil {
		ev.Service = e.source.Service
		if s.cfg.NamesInEvents {
			ev.Name = e.key.ID
		} else if ev.Err != nil {
			ev.Err = withoutName{KindOf(ev.Err)}
		}
	}
	defer func() {
		if v := recover(); v != nil { // often in a goroutine of ours, where it would end the process
			slog.Error("params: Config.OnEvent panicked", "panic", v)
		}
	}()
	s.cfg.OnEvent(ev)
}

// withoutName stands in for an error whose text has the value's name.
type withoutName struct{ kind Kind }

func (e withoutName) Error() string        { return e.kind.sentinel().Error() }
func (e withoutName) Is(target error) bool { return target == e.kind.sentinel() }
