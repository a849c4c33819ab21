package freshsign

import (
	"fmt"
	"sync"
	"time"
)

const (
	// clockSlack is how far the two clocks may drift apart between two looks, and how far the wall clock may step
	// back, before they count as disagreeing. NTP slews by at most 0.5 ms a second.
	clockSlack = time.Second

	// idleGap is the silence after which pooled connections are not trusted: NAT gateways and servers have often
	// dropped them while the process was frozen, and the first write then fails.
	idleGap = time.Minute
)

// A moment is one look at both clocks. Ages go by wall, which never carries a monotonic reading; durations that the
// process lived through go by mono. Over a freeze the monotonic clock may advance (on demand) or stand still
// (SnapStart), so neither is enough alone.
type moment struct {
	wall   time.Time
	mono   time.Duration
	epoch  uint64        // number of clock events before this moment
	pool   uint64        // number of times pooled connections became suspect
	host   string        // the endpoint that the look is about, as in URL.Host
	offset time.Duration // what is known of its clock minus ours
}

// service is what the service's clock should show.
func (m moment) service() time.Time { return m.wall.Add(m.offset) }

// An engine is the state that the clients of one aws.Config share.
type engine struct {
	Config
	clock func() (time.Time, time.Duration)
	err   error // of the Config; every call returns it

	mu      sync.Mutex
	last    moment
	offsets map[string]offset // by host: one endpoint's clock, or lie, says nothing about another's
}

func newEngine(c Config) *engine {
	e := &engine{Config: c, clock: c.Clock, offsets: map[string]offset{}}
	if c.Window < 0 {
		e.err = fmt.Errorf("freshsign: Config.Window is %v; use a positive duration, or zero for 5 minutes", c.Window)
	}
	if e.Window == 0 {
		e.Window = defaultWindow
	}
	if e.MaxHeals == 0 {
		e.MaxHeals = defaultHeals
	}
	if e.clock == nil {
		start := time.Now()
		e.clock = func() (time.Time, time.Duration) {
			now := time.Now()
			return now, now.Sub(start)
		}
	}
	return e
}

// look reads both clocks, on behalf of a request to host, and compares them with the previous look. A disagreement is
// a clock event: the offsets that were learned belong to another clock, and connections to another life.
func (e *engine) look(host string) moment {
	wall, mono := e.clock()
	wall = wall.Round(0)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := moment{wall: wall, mono: mono, epoch: e.last.epoch, pool: e.last.pool, host: host, offset: e.offsets[host].value}
	if !e.last.wall.IsZero() {
		dw, dm := wall.Sub(e.last.wall), mono-e.last.mono
		switch {
		case dm < 0: // another goroutine looked later than this one and was faster to the lock
			return now
		case (dw - dm).Abs() > clockSlack:
			now.epoch++
			now.pool++
			clear(e.offsets)
			now.offset = 0
		case dw > idleGap:
			now.pool++
		}
	}
	e.last = now
	return now
}

// waited says how sure it is that something grew so old by waiting, as far as the clocks of this process tell between
// two looks. A wait that only one of them saw is a freeze that stopped the other, or a step of the wall clock. Without
// looks, nothing speaks against it.
func waited(from, to moment, age time.Duration) Confidence {
	if from.wall.IsZero() || to.wall.IsZero() {
		return Likely
	}
	least := max(age-noSkew, clockSlack) // a wait leads into the past only
	wall, mono := to.wall.Sub(from.wall) >= least, to.mono-from.mono >= least
	switch {
	case age < 0 || !wall && !mono:
		return Possible
	case wall && mono:
		return Certain
	}
	return Likely
}

// strong is the least age that counts as evidence: below it, a rejection has another cause.
func (e *engine) strong() time.Duration { return e.Window / 5 * 4 }
