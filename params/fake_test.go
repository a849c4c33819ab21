package params

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gomiddy/middy"
)

// fake is a source with a script.
type fake struct {
	name    string
	latency time.Duration

	mu       sync.Mutex
	values   map[string]fakeValue // by id, or id@stage
	fail     map[string]error     // by id, or "*"
	calls    []string             // what was asked for, batches as "[a b]"
	open     int                  // requests under way
	answers  int                  // that were answered
	rotates  Rotation
	oneQuota bool  // batches and singles draw on the same
	seen     []any // context values of requests
}

type fakeValue struct {
	text, version string
	created       time.Time
}

type traceKey struct{}

func newFake(values ...string) *fake {
	f := &fake{name: "fake", values: map[string]fakeValue{}, fail: map[string]error{}, latency: 10 * time.Millisecond}
	for i := 0; i+1 < len(values); i += 2 {
		f.put(values[i], values[i+1])
	}
	return f
}

// put stores a new version.
func (f *fake) put(id, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, _ := strconv.Atoi(f.values[id].version)
	f.values[id] = fakeValue{text, strconv.Itoa(n + 1), time.Now()}
}

func (f *fake) failWith(id string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.fail, id)
		return
	}
	f.fail[id] = err
}

func (f *fake) setLatency(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = d
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

func (f *fake) answered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answers
}

func (f *fake) busy() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

func (f *fake) Source() Source { return Source{Service: f.name} }

func (f *fake) begin(ctx context.Context, call string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	f.seen = append(f.seen, ctx.Value(traceKey{}))
	f.open++
	return f.latency
}

func (f *fake) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fake) Fetch(ctx context.Context, k Key) (Raw, error) {
	id := k.ID
	if k.Stage != "" {
		id += "@" + k.Stage
	}
	defer f.end()
	if err := sleep(ctx, f.begin(ctx, id)); err != nil {
		return Raw{}, err
	}
	return f.answer(id)
}

func (f *fake) answer(id string) (Raw, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers++
	for _, key := range []string{id, "*"} {
		if err := f.fail[key]; err != nil {
			return Raw{}, err
		}
	}
	v, ok := f.values[id]
	if !ok {
		return Raw{}, &Error{Kind: NotFound, Service: f.name, Name: id}
	}
	return Raw{Bytes: []byte(v.text), Version: v.version, Created: v.created}, nil
}

func (f *fake) Rotation(ctx context.Context, k Key) (Rotation, error) {
	defer f.end()
	f.begin(ctx, "describe "+k.ID)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rotates, f.fail["describe"]
}

func (f *fake) ref(name string) Ref { return NewRef(f, name) }

// batchFake is a fake with batches.
type batchFake struct{ *fake }

func (f batchFake) Batch() (int, int)    { return 20, 3 }
func (f batchFake) Batchable(k Key) bool { return k.Stage == "" && k.Version == "" }
func (f batchFake) SeparateQuota() bool  { return !f.oneQuota }
func (f batchFake) ref(name string) Ref  { return NewRef(f, name) }
func (f batchFake) FetchBatch(ctx context.Context, keys []Key) ([]Result, error) {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	defer f.end()
	if err := sleep(ctx, f.begin(ctx, fmt.Sprint(ids))); err != nil {
		return nil, err
	}
	f.mu.Lock()
	err := f.fail["batch"]
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out := make([]Result, len(ids))
	for i, id := range ids {
		out[i].Raw, out[i].Err = f.answer(id)
	}
	return out, nil
}

// plain is a policy without chance: no jitter, no early refresh, back-offs
// unspread.
func plain() Config {
	return Config{Jitter: -1, EarlyRefresh: -1, Rand: func() float64 { return 0.5 }}
}

var errDown = &Error{Kind: Unavailable, Service: "fake", Text: "503"}

func kind(k Kind) error { return &Error{Kind: k, Service: "fake"} }

// invoke runs one invocation and returns how long it took.
func invoke(t *testing.T, s *Store, fn func(ctx context.Context)) time.Duration {
	t.Helper()
	start := time.Now()
	h := s.Wrap(func(ctx context.Context, _ *middy.Invocation) (any, error) {
		fn(ctx)
		return nil, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := h(ctx, &middy.Invocation{}); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}

// read is an invocation that reads one value.
func read[T any](t *testing.T, s *Store, v *Value[T]) (got T, err error) {
	t.Helper()
	invoke(t, s, func(ctx context.Context) { got, err = v.Lookup(ctx) })
	return got, err
}

func wantRead[T comparable](t *testing.T, s *Store, v *Value[T], want T) {
	t.Helper()
	got, err := read(t, s, v)
	if err != nil || got != want {
		t.Fatalf("read %v, %v; want %v", got, err, want)
	}
}

func wantErr[T any](t *testing.T, s *Store, v *Value[T], want error) error {
	t.Helper()
	_, err := read(t, s, v)
	if !errors.Is(err, want) {
		t.Fatalf("read error %v; want %v", err, want)
	}
	return err
}

func wantCalls(t *testing.T, f *fake, want int) {
	t.Helper()
	if got := f.count(); got != want {
		t.Fatalf("%d requests %v; want %d", got, f.calls, want)
	}
}

// wait lets virtual time pass.
func wait(d time.Duration) { <-time.After(d) }

// locked makes a test's OnEvent safe for concurrent use.
func locked(fn func(Event)) func(Event) {
	var mu sync.Mutex
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		fn(e)
	}
}
