package freshsign

import (
	"time"
)

const (
	maxRTT    = 5 * time.Second  // a slower exchange says more about the wait than about the clock
	noSkew    = 30 * time.Second // a candidate below counts as a right clock
	agreement = 2 * time.Second  // samples within it say the same; a Date header has whole seconds
	apart     = 3 * time.Second  // agreeing samples must be this far apart, or a mock with a fixed Date would pass
	maxHosts  = 1024             // offsets kept; S3 has a host for each bucket
)

// An exchange is one request on one connection: from the moment the connection was handed out until the response's
// headers were read.
type exchange struct {
	start, end moment    // zero if the HTTP client is not ours to watch
	date       time.Time // the service's Date; zero if missing, doubtful or unreadable
}

func (x exchange) wall() time.Duration { return x.end.wall.Sub(x.start.wall) }

// skew is the offset that the exchange suggests: the service's clock minus ours in the middle of the exchange.
func (x exchange) skew() time.Duration { return skewed(x.date.Sub(x.start.wall.Add(x.wall() / 2))) }

// skewed is a difference of clocks, or zero if it is none to speak of.
func skewed(d time.Duration) time.Duration {
	if d.Abs() < noSkew {
		return 0
	}
	return d
}

// trusted reports whether the exchange measures the clock at all. A process that was frozen while the response lay in
// the socket reads an old Date late; believing it is how the SDK poisons its own clock.
func (x exchange) trusted() bool {
	wall, mono := x.wall(), x.end.mono-x.start.mono
	return !x.date.IsZero() && !x.start.wall.IsZero() && x.start.epoch == x.end.epoch && wall <= maxRTT && (wall-mono).Abs() < clockSlack
}

// An offset is what has been learned about the difference between the service's clock and ours.
type offset struct {
	value  time.Duration
	since  time.Duration // monotonic start of the exchange it was last learned from
	sample time.Duration // a candidate that waits for a second opinion
	taken  time.Duration // monotonic start of the sample's exchange
	has    bool          // sample and taken are set
}

// learn offers an exchange, which counts for its own host alone. A rejected signature makes its exchange believable at once; otherwise two must agree.
// Exchanges count in the order in which they started, so that a slow old one never overwrites a fast new one.
func (e *engine) learn(x exchange, rejected bool) {
	if !x.trusted() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	host := x.start.host
	o, known := e.offsets[host]
	if x.end.epoch != e.last.epoch || x.start.mono < o.since {
		return
	}
	s := x.skew()
	switch {
	case (s - o.value).Abs() <= agreement:
		o.since, o.has = x.start.mono, false
	case rejected:
		o = offset{value: s, since: x.start.mono}
	case !o.has || (s-o.sample).Abs() > agreement:
		o.sample, o.taken, o.has = s, x.start.mono, true
	case x.start.mono-o.taken >= apart:
		o = offset{value: s, since: x.start.mono}
	}
	if !known && len(e.offsets) >= maxHosts {
		clear(e.offsets) // what was true of a host is learned again at the cost of one heal
	}
	e.offsets[host] = o
}
