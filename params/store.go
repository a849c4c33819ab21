package params

import (
	"container/list"
	"context"
	"errors"
	"math"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomiddy/middy"
)

// A Store keeps remote values. Make one per function, declare values with
// [JSON], [String] and their like, and give the Store to middy.Start: it is the
// middleware that prefetches them at cold start, refreshes them beside the
// handler, and lets no request of its own outlive an invocation.
//
// It also works without the engine, in a test or a server: then every read looks
// at the clock.
//
// A Store is safe for concurrent use.
type Store struct {
	cfg        Config
	managed    bool // several invocations at a time, and no freezes
	background bool // a goroutine may outlive a reader outside any invocation

	// What the fast path reads, and nothing else on its cache line.
	_     [64]byte
	epoch atomic.Uint64 // gen while an invocation runs, idle otherwise
	gen   atomic.Uint64 // changes when decisions must be taken anew
	_     [64]byte

	sweeps   atomic.Uint64 // counts the invocations that decided anew
	bytes    atomic.Int64  // of all values
	lastNow  atomic.Int64  // wall clock at the start of the last invocation
	deadline atomic.Int64  // of the invocation; 0: none
	spread   atomic.Uint64 // of back-offs, bits of a factor
	worth    atomic.Int64  // how long this invocation waits for what it tries again
	closed   atomic.Bool

	visit *middy.Key[phase] // of an invocation, for [Store.Settle]

	mu       sync.Mutex    // taken before entry.mu
	active   int           // invocations under way
	left     chan struct{} // closed when active is 0; nil if nobody waits
	all      bool          // the next invocation decides on all entries
	agenda   agenda
	failing  int // entries whose last fetch failed
	tries    int // invocations that tried again, since something failed
	entries  map[entryKey]*entry
	declared []*entry // in order
	problems []error  // of declarations
	pending  map[Source]*pending
	refused  map[Source]refusal   // sources whose batch action is not ours
	flights  map[*flight]struct{} // what tasks are for
	tasks    map[*task]struct{}
	quiet    *sync.Cond    // both may have become empty
	stopping int           // who waits for that, and has fetches cancelled
	stopped  chan struct{} // closed when stopping is 0 again

	names    names
	custody  custody
	counters counters
}

var (
	_ middy.Middleware = (*Store)(nil)
	_ middy.Validator  = (*Store)(nil)
	_ middy.Initer     = (*Store)(nil)
	_ middy.Closer     = (*Store)(nil)
	_ middy.Settler    = (*Store)(nil)
	_ middy.Thawer     = (*Store)(nil)
	_ middy.Permitter  = (*Store)(nil)
)

// idle is the epoch outside invocations. No value is ever stamped with it.
const idle = math.MaxUint64

// New returns an empty Store. It does no I/O; [Store.Validate] reports what is
// wrong with cfg and with the declarations.
func New(cfg Config) *Store {
	n, _ := strconv.Atoi(os.Getenv("AWS_LAMBDA_MAX_CONCURRENCY"))
	s := &Store{
		cfg:     cfg.withDefaults(),
		managed: n > 1,
		entries: make(map[entryKey]*entry),
		pending: make(map[Source]*pending),
		refused: make(map[Source]refusal),
		flights: make(map[*flight]struct{}),
		tasks:   make(map[*task]struct{}),
		names:   names{byKey: make(map[nameKey]*list.Element), order: list.New()},
		visit:   middy.NewKey[phase]("params.Store"),
	}
	s.quiet = sync.NewCond(&s.mu)
	s.problems = append(s.problems, cfg.Validate())
	s.background = s.managed || os.Getenv("AWS_LAMBDA_FUNCTION_NAME") == ""
	s.epoch.Store(idle)
	s.gen.Store(1)
	s.drawSpread()
	return s
}

// Validate reports what is wrong with the configuration and the declarations.
func (s *Store) Validate() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.problems...)
}

// drawSpread draws, once per sandbox, by how much its back-offs are shorter or
// longer than said. One draw for all values, so that those which failed together
// are tried together.
func (s *Store) drawSpread() {
	s.spread.Store(math.Float64bits(1 + 0.2*(2*s.cfg.Rand()-1)))
}

func (s *Store) now() int64 { return s.cfg.Now().UnixNano() }

// A role is what an entry is kept for.
type role int

const (
	asDeclared role = iota // by the program: prefetched, and never evicted
	asName                 // for Lookup, or a stage of a declared value
)

// entryFor returns the entry of a reference, and makes it if need be.
func (s *Store) entryFor(r Ref, as role) *entry {
	k := r.entryKey()
	s.mu.Lock()
	e := s.entries[k]
	if e == nil {
		e = &entry{store: s, provider: r.provider, source: k.Source, key: r.key, id: k, fallback: r.fallback, ttl: -1}
		e.state.Store(&state{})
		s.entries[k] = e
	}
	if as == asDeclared && !e.declared {
		e.declared = true
		s.declared = append(s.declared, e)
	}
	s.mu.Unlock()
	if e.settings(r) {
		s.lookAgain(e, 0)
	}
	return e
}

// invalidate makes every view look at its entry again.
func (s *Store) invalidate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invalidateLocked()
}

func (s *Store) invalidateLocked() {
	gen := s.gen.Add(1)
	if s.active > 0 {
		s.epoch.Store(gen)
	}
}

// read returns the state that a reader of e is to be served from, and until when
// that holds.
func (s *Store) read(ctx context.Context, e *entry) (st *state, until int64, err error) {
	if s.closed.Load() {
		return nil, 0, ErrClosed
	}
	st, now := e.state.Load(), s.now()
	e.touch(now)
	act, until := st.decide(now)
	if e.confirmedInThisInvocation(st) {
		return st, now, nil
	}
	switch act {
	case serveStale:
		s.stale(e, st, now)
	case refresh:
		if s.epoch.Load() == idle && !s.unattended() {
			s.join(ctx, e)
		}
	case fail:
		s.counters.negative.Add(1)
		err := st.failure(e, now)
		s.event(e, Event{Kind: EventNegative, Err: err})
		return nil, 0, err
	case waitPatient, waitCertain, waitNeedful:
		after := uint64(0)
		if st.suspect {
			after = st.suspectAfter
		}
		return s.await(ctx, e, act, after)
	}
	return st, until, nil
}

// unattended is true where nobody would end what a reader leaves behind: in a
// function, outside the Store's middleware.
func (s *Store) unattended() bool {
	return !s.background && s.epoch.Load() == idle
}

// confirmedInThisInvocation is true for an answer with a TTL of zero that was
// fetched since the invocation began: it asks once per invocation.
func (e *entry) confirmedInThisInvocation(st *state) bool {
	s := e.store
	return st.known() && st.expires <= st.confirmed && !st.suspect && !st.forbidden &&
		s.epoch.Load() != idle && st.sweep == s.sweeps.Load()
}

// touch notes a use, to the second: the fast path does not come here, and the
// same value is not written twice.
func (e *entry) touch(now int64) {
	if sec := now / int64(time.Second); e.lastRead.Load() != sec {
		e.lastRead.Store(sec)
	}
}

func (s *Store) stale(e *entry, st *state, now int64) {
	s.counters.stale.Add(1)
	s.event(e, Event{Kind: EventStale, Version: st.version, Age: time.Duration(now - st.confirmed), Err: st.err})
}

// Refresh fetches a value now, whatever is remembered of it, and waits for it.
// The answer is never older than the call: a fetch that is under way is waited
// for, and then another one begins. Concurrent calls share it.
//
// The error is that of this fetch, also if the old value goes on being served. A
// missing value is no error for a [Ref.Optional] reference.
//
// It is for a button or a notification; expiry and rotation need no help.
func (s *Store) Refresh(ctx context.Context, r Ref) error {
	v, _, err := s.byName(r)
	if err != nil {
		return err
	}
	if s.closed.Load() {
		return ErrClosed
	}
	err = s.force(ctx, v.entry)
	if r.optional && errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// force fetches e, by a fetch that begins after now, and returns its error.
func (s *Store) force(ctx context.Context, e *entry) error {
	f, err := s.wait(ctx, e, waitNeedful, e.begun())
	if err != nil {
		return err
	}
	return f.err
}
