package middy

import (
	"context"
	"sync"
	"time"
)

// A reading is one look at both clocks.
type reading struct {
	wall time.Time     // stripped of its monotonic reading
	mono time.Duration // since some fixed instant
}

// lastSeen remembers when the sandbox was last busy.
type lastSeen struct {
	now func() reading

	mu   sync.Mutex
	seen bool
	last reading
}

// clocks returns a function that reads both clocks.
func clocks() func() reading {
	base := time.Now()
	return func() reading {
		t := time.Now()
		return reading{wall: t.Round(0), mono: t.Sub(base)}
	}
}

// busy notes that the sandbox is at work now.
func (l *lastSeen) busy() {
	now := l.now()
	l.mu.Lock()
	l.last, l.seen = now, true
	l.mu.Unlock()
}

// gap returns the time since the sandbox was last busy, by both clocks: zero where
// it never was.
func (l *lastSeen) gap() (gap Gap) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen {
		gap = Gap{Wall: now.wall.Sub(l.last.wall), Mono: now.mono - l.last.mono}
	}
	l.last, l.seen = now, true
	return gap
}

// thawAfter is how long a sandbox must have been idle for its Thawers to be
// told. A signature older than this is made anew (freshsign), so a shorter gap
// can do no harm.
const thawAfter = time.Second

func (f *Function) thaw(ctx context.Context) {
	gap := f.clock.gap()
	if gap.Wall < thawAfter && gap.Mono < thawAfter && !gap.Skewed() {
		return
	}
	for _, t := range f.thawers {
		t.Thaw(ctx, gap)
	}
}
