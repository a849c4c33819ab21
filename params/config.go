package params

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Config configures a [Store]. The zero value is the recommended policy.
type Config struct {
	// TTL is how long a value is used without asking again, by the wall clock.
	// Default: 5 minutes. Negative: every invocation asks.
	TTL time.Duration

	// Jitter is the part of TTL by which each fill's TTL is shortened or
	// lengthened at random, so that sandboxes that started together do not
	// refresh together. Default: 0.15. Negative: none.
	Jitter float64

	// EarlyRefresh is the last part of TTL in which a value is refreshed beside
	// the handler, while readers are served the value they have. The instant is
	// drawn per fill, later ones being likelier. Default: 0.2. Negative: none.
	EarlyRefresh float64

	// MaxStale is how long after it was last confirmed a value may be served
	// because the service does not answer. Then readers get a [*StaleError].
	// Default: 24 hours. Negative: never; a value whose TTL is over must be
	// confirmed.
	MaxStale time.Duration

	// Patience is how long a reader whose value's TTL is over, but who may be
	// served the old one, waits for the new one, counted from when it was asked
	// for. After a failure only some tries are waited for; see JoinBudget.
	// Default: 250 ms. Negative: as long as the fetch takes, after failures too.
	Patience time.Duration

	// JoinBudget is how long the end of an invocation waits for a refresh that
	// runs beside the handler, before the refresh is cancelled. Default: 250 ms.
	// Negative: it is cancelled at once.
	//
	// After a failure readers get the old value at once, and further tries have
	// as long as the handler takes: an outage must not become the function's
	// latency. Of the invocations that try again only the first and then one in
	// four waits, once for all declared values, its readers for Patience and its
	// end for JoinBudget, both from the try's begin; and one in sixteen waits four
	// times as long, in case the source is slow and not down. So a source that is
	// back is noticed by the fourth try, however short the handler.
	JoinBudget time.Duration

	// FetchTimeout bounds a fetch, besides the invocation's deadline, of which it
	// leaves a tenth, 200 ms at most, for reporting that it failed.
	// Default: 5 seconds.
	FetchTimeout time.Duration

	// PrefetchBudget bounds the prefetch of all declared values at cold start.
	// Default: 2 seconds. Negative: no prefetch.
	PrefetchBudget time.Duration

	// NegativeTTL is how long a failure is remembered before the service is
	// asked again, and the answer that a value is missing which is not
	// [Ref.Optional]. It doubles with each further failure up to NegativeMax, and
	// is up to 20 % shorter or longer, drawn per sandbox. Defaults: 5 s and 60 s.
	// A negative NegativeTTL remembers nothing.
	NegativeTTL, NegativeMax time.Duration

	// Recheck is the grace after a value was found missing, deleted or denied:
	// it is served for this long, then asked for once more, and if the answer
	// is the same it is gone. Default: 5 s. Negative: no grace.
	Recheck time.Duration

	// HedgeAfter is how long the primary source of a value with fallbacks may
	// take before the next one is asked beside it. Default: 300 ms. Negative:
	// the next one is asked when the first has failed.
	HedgeAfter time.Duration

	// MaxEntries and MaxBytes bound what [Store.Lookup] keeps, values as well as
	// names of them; the least recently used go first. Declared values are never
	// evicted, and count. Defaults: 1,000 and 8 MiB. Negative: no bound.
	MaxEntries int
	MaxBytes   int64

	// KeepInSnapshot keeps values in memory over [Store.BeforeSnapshot].
	// Default: they are wiped, since a snapshot is stored.
	KeepInSnapshot bool

	// OnEvent is called with what the Store does. It is called from any
	// goroutine, must be safe for concurrent use and must not block or call the
	// Store. Events never carry a value or a hash of one. A panic in it is logged.
	// Default: only a new version that does not decode is logged, once, with
	// slog.Default: its readers go on with the old one and would not notice.
	OnEvent func(Event)

	// NamesInEvents puts the names of secrets into events. Default: false; in a
	// shared account a name can tell too much.
	NamesInEvents bool

	// Now is the wall clock. Default: time.Now. A monotonic reading is ignored.
	Now func() time.Time

	// Rand returns a number in [0,1). Default: math/rand/v2. It spreads load;
	// nothing secret depends on it.
	Rand func() float64
}

// Validate reports settings that contradict each other.
func (c Config) Validate() error {
	var errs []error
	if c.Jitter >= 1 {
		errs = append(errs, fmt.Errorf("params: Config.Jitter is %v: it is a part of TTL, below 1", c.Jitter))
	}
	if c.EarlyRefresh >= 1 {
		errs = append(errs, fmt.Errorf("params: Config.EarlyRefresh is %v: it is a part of TTL, below 1", c.EarlyRefresh))
	}
	if c.FetchTimeout < 0 {
		errs = append(errs, errors.New("params: Config.FetchTimeout is negative: a fetch without a bound would outlive its invocation"))
	}
	if d := c.withDefaults(); d.MaxStale > 0 && d.MaxStale < d.TTL {
		errs = append(errs, fmt.Errorf("params: Config.MaxStale (%v) is shorter than TTL (%v): no value would ever be stale; make it negative to say so", d.MaxStale, d.TTL))
	}
	if d := c.withDefaults(); d.NegativeMax < d.NegativeTTL {
		errs = append(errs, fmt.Errorf("params: Config.NegativeMax (%v) is shorter than NegativeTTL (%v)", d.NegativeMax, d.NegativeTTL))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	set(&c.TTL, 5*time.Minute)
	set(&c.Jitter, 0.15)
	set(&c.EarlyRefresh, 0.2)
	set(&c.MaxStale, 24*time.Hour)
	set(&c.JoinBudget, 250*time.Millisecond)
	set(&c.PrefetchBudget, 2*time.Second)
	set(&c.NegativeTTL, 5*time.Second)
	set(&c.NegativeMax, 60*time.Second)
	set(&c.Recheck, 5*time.Second)
	set(&c.MaxEntries, 1000)
	set(&c.MaxBytes, 8<<20)
	if c.Patience == 0 {
		c.Patience = 250 * time.Millisecond
	}
	if c.HedgeAfter == 0 {
		c.HedgeAfter = 300 * time.Millisecond
	}
	if c.FetchTimeout <= 0 { // Validate refuses a negative one
		c.FetchTimeout = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	return c
}

// set gives a zero field its default and turns a negative one, which disables,
// into zero.
func set[T ~int | ~int64 | ~float64](field *T, byDefault T) {
	if *field == 0 {
		*field = byDefault
		return
	}
	*field = max(*field, 0)
}
