package params

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A Value is a typed view of one remote value. Declare it at package level or in
// main, before middy.Start, and read it with [Value.Get] in the handler.
//
// A Value is safe for concurrent use. What it returns is shared by all callers:
// treat slices, maps and pointers in it as read-only.
type Value[T any] struct {
	snap   atomic.Pointer[snapshot[T]]
	store  *Store
	entry  *entry
	ref    Ref
	path   []string
	decode decoder[T]
	bad    error // the declaration is wrong

	mu       sync.Mutex // one decode at a time
	badRaw   *blob      // the version that did not decode, so that it is tried once
	badRawIs error
}

// A snapshot is one version, decoded. Only its stamps change.
type snapshot[T any] struct {
	stamp   atomic.Uint64 // the epoch in which it was found to be good
	gen     atomic.Uint64 // the same without an invocation: good until...
	until   atomic.Int64
	from    atomic.Int64
	hard    atomic.Int64
	once    atomic.Bool // deciding once per invocation is enough
	raw     *blob
	version string
	value   T
}

// JSON declares a value that is a JSON document, decoded into a T once per
// version. A field of type [Secret] keeps a password from being printed. A field
// with the tag required:"true" must be there, and not be null; a method Validate()
// error of T, or of a pointer to it, is asked last. What they refuse is a
// [*DecodeError], so that the version before stays in use.
func JSON[T any](s *Store, r Ref) *Value[T] { return declare(s, r, decodeJSON[T]) }

// String declares a value that is text. A field of a JSON document may be any
// scalar.
func String(s *Store, r Ref) *Value[string] {
	return declare(s, r, decodeText(func(s string) (string, string) { return s, "" }))
}

// Bytes declares a value that is taken as it is. Callers must not change it.
func Bytes(s *Store, r Ref) *Value[[]byte] { return declare(s, r, decodeBytes) }

// Int declares a value that is a whole number.
func Int(s *Store, r Ref) *Value[int] { return declare(s, r, decodeText(parseInt)) }

// Bool declares a value that [strconv.ParseBool] accepts.
func Bool(s *Store, r Ref) *Value[bool] { return declare(s, r, decodeText(parseBool)) }

// Duration declares a value that [time.ParseDuration] accepts, such as "30s".
func Duration(s *Store, r Ref) *Value[time.Duration] { return declare(s, r, decodeText(parseDuration)) }

// Hidden declares a value that is a [Secret]: it redacts itself wherever it is
// printed, and its bytes are wiped by [Store.Close].
func Hidden(s *Store, r Ref) *Value[Secret] { return declare(s, r, decodeSecret) }

// Decode declares a value with a decoding of your own, called once per version.
// It must not keep b. The text of its error is not used: it might quote b.
func Decode[T any](s *Store, r Ref, decode func(b []byte) (T, error)) *Value[T] {
	return declare(s, r, func(c content) (v T, reason string) {
		b, reason := c.text()
		if c.fragment && reason != "" {
			b = c.bytes // a part that is an object: as it is written
		}
		v, err := decode(b)
		if err != nil {
			var zero T
			return zero, "its decoder refused it"
		}
		return v, ""
	})
}

func declare[T any](s *Store, r Ref, d decoder[T]) *Value[T] {
	v := &Value[T]{store: s, ref: r, decode: d, bad: r.validate()}
	if v.bad != nil {
		s.mu.Lock()
		s.problems = append(s.problems, v.bad)
		s.mu.Unlock()
		return v
	}
	v.path, _ = splitPath(r.field)
	v.entry = s.entryFor(r, asDeclared)
	return v
}

// Get returns the value. A warm Get is two atomic loads and a comparison: whether
// the value is still good is decided once, when the invocation starts.
//
// When there is no value to return, Get panics with a value that has a method
// Failure() error. The layers that turn panics into errors, [Store.Wrap] among
// them, take that error for the invocation's, with its own type, and the sandbox
// lives on. It cannot happen to a value that is [Ref.Required], for
// [Config.MaxStale] after Init, unless it is revoked.
//
// Use [Value.Lookup] where a failure can be handled, and in every goroutine that
// the handler starts: nobody recovers a panic there, so it ends the process and
// with it all of its invocations.
func (v *Value[T]) Get(ctx context.Context) T {
	if s := v.snap.Load(); s != nil && s.stamp.Load() == v.store.epoch.Load() {
		return s.value
	}
	return v.must(ctx)
}

// Lookup is Get with an error: an [*Error], a [*StaleError], a [*DecodeError],
// or the end of ctx inside an [*Error].
func (v *Value[T]) Lookup(ctx context.Context) (T, error) {
	if s := v.snap.Load(); s != nil && s.stamp.Load() == v.store.epoch.Load() {
		return s.value, nil
	}
	return v.lookup(ctx)
}

// Version is the source's identifier of the version that was returned last, or
// "~1", "~2", ... where the source has none; empty before the first read.
func (v *Value[T]) Version() string {
	if s := v.snap.Load(); s != nil {
		return s.version
	}
	return ""
}

// Ref is the reference that the value was declared with.
func (v *Value[T]) Ref() Ref { return v.ref }

// A getFailure is what Get, and Secret.Reveal, panic with.
type getFailure struct{ err error }

// Failure is the error that whoever recovers the panic should go on with.
func (g getFailure) Failure() error { return g.err }

// Error is what the process prints at its end if nobody recovers.
func (g getFailure) Error() string {
	return g.err.Error() + " [a panic of Value.Get or Secret.Reveal: in goroutines of the handler, where nobody recovers it, use Value.Lookup and Secret.Use]"
}

func (g getFailure) Unwrap() error { return g.err }

func (v *Value[T]) must(ctx context.Context) T {
	if s := v.byClock(); s != nil {
		return s.value
	}
	value, err := v.lookup(ctx)
	if err != nil {
		panic(getFailure{err})
	}
	return value
}

// byClock returns the snapshot if nothing has happened to its entry and the time
// until which it is good is not over.
func (v *Value[T]) byClock() *snapshot[T] {
	s := v.snap.Load()
	if s == nil {
		return nil
	}
	store := v.store
	gen, epoch := store.gen.Load(), store.epoch.Load()
	if s.gen.Load() != gen {
		return nil
	}
	if now := store.now(); now >= s.until.Load() || now < s.from.Load()-backwards {
		return nil
	}
	if epoch != idle && s.once.Load() {
		s.stamp.Store(epoch)
	}
	return s
}

func (v *Value[T]) lookup(ctx context.Context) (value T, err error) {
	if v.bad != nil {
		return value, v.bad
	}
	if s := v.byClock(); s != nil {
		return s.value, nil
	}
	store := v.store
	gen, epoch := store.gen.Load(), store.epoch.Load()
	before := v.entry.state.Load()
	st, until, err := store.read(ctx, v.entry)
	if err == nil && st.raw == nil && !v.ref.optional {
		if err = st.absent; st == before {
			store.counters.negative.Add(1)
			store.event(v.entry, Event{Kind: EventNegative, Err: err})
		}
	}
	if v.ref.optional && errors.Is(err, ErrNotFound) {
		st, until, err = &state{}, store.now(), nil // it is missing, and a TTL of zero does not let that be remembered
	}
	if err != nil {
		return value, err
	}
	return v.view(st, until, gen, epoch)
}

// view returns the value of a state, decoded if it is new to this view: the zero
// value where there is none.
func (v *Value[T]) view(st *state, until int64, gen, epoch uint64) (value T, err error) {
	s := v.snap.Load()
	if s == nil || s.raw != st.raw {
		if s, err = v.decodeNew(st); err != nil {
			return value, err
		}
	}
	if s.raw == st.raw {
		s.hard.Store(max(st.hard, st.expires))
	}
	s.from.Store(v.store.now())
	s.until.Store(until)
	s.once.Store(v.oncePerInvocation(st))
	s.gen.Store(gen)
	if epoch != idle && s.once.Load() {
		s.stamp.Store(epoch)
	}
	return s.value, nil
}

// oncePerInvocation is false for a value that may never be stale: it must not
// pass its TTL within an invocation either.
func (v *Value[T]) oncePerInvocation(st *state) bool {
	return st.hard > st.confirmed || st.expires <= st.confirmed
}

// decodeNew decodes a version. If it is not what the declaration says, the one
// before stays in use until its own hard limit, and the failure is reported once.
func (v *Value[T]) decodeNew(st *state) (*snapshot[T], error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.snap.Load()
	if s != nil && s.raw == st.raw {
		return s, nil
	}
	if st.raw == nil {
		s = &snapshot[T]{}
		v.snap.Store(s)
		return s, nil
	}
	if v.badRaw != st.raw {
		value, err := v.decodeRaw(st)
		if err == nil {
			s = &snapshot[T]{raw: st.raw, version: st.label, value: value}
			v.snap.Store(s)
			return s, nil
		}
		if errors.Is(err, ErrClosed) {
			return nil, err
		}
		v.badRaw, v.badRawIs = st.raw, err
		v.store.counters.decodeErrors.Add(1)
		v.store.event(v.entry, Event{Kind: EventDecode, Version: st.version, Err: err})
		if v.serves(s) && v.store.cfg.OnEvent == nil {
			// Its readers notice nothing, and new sandboxes cannot start.
			slog.Error("params: a new version is unusable; the one before stays in use for a while", "error", err)
		}
	}
	if v.serves(s) {
		return s, nil
	}
	return nil, v.badRawIs
}

// serves reports whether s may be served in place of a version that does not
// decode.
func (v *Value[T]) serves(s *snapshot[T]) bool {
	return s != nil && s.raw != nil && v.store.now() < s.hard.Load()
}

func (v *Value[T]) decodeRaw(st *state) (value T, err error) {
	reason := ""
	alive := st.raw.read(func(b []byte) {
		c := content{bytes: b, from: Secret{b: st.raw, version: st.version}}
		if len(v.path) > 0 {
			c.fragment = true
			if c.bytes, reason = extract(b, v.path); reason != "" {
				return
			}
		}
		value, reason = guarded(v.decode, c)
	})
	if !alive {
		return value, ErrClosed
	}
	if reason != "" {
		var zero T
		return zero, &DecodeError{Service: v.entry.source.Service, Name: v.entry.key.ID, Version: st.version,
			Field: v.ref.field, Want: typeName[T](), Reason: reason}
	}
	return value, nil
}

// guarded keeps a panicking decoder, whose text may quote the content, from
// printing it.
func guarded[T any](decode decoder[T], c content) (value T, reason string) {
	defer func() {
		if recover() != nil {
			reason = "its decoder panicked"
		}
	}()
	return decode(c)
}
