package emulator

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// A Record is one request as it was seen at the socket. It holds no body, no
// header value and no secret.
type Record struct {
	// ID is the request's number, from 1, and RequestID what the client was told.
	ID        uint64
	RequestID string
	// Received and ReceivedReal are when the headers were read, on the virtual
	// clock and on the computer's.
	Received, ReceivedReal time.Time
	// Duration is how long the emulator held it, in real time.
	Duration time.Duration
	// Service and Operation are such as "secretsmanager" and "GetSecretValue".
	Service, Operation string
	// AccessKeyID is the key it claims to be signed with.
	AccessKeyID string
	// SignedAt is its X-Amz-Date, and Age how old that was when it was judged, on
	// the virtual clock. Both are zero for an unsigned request.
	SignedAt time.Time
	Age      time.Duration
	// Status is the HTTP status that was sent; 0 when nothing was.
	Status int
	// ErrorCode is AWS's code, and Reason the verifier's finer one, when refused.
	ErrorCode, Reason string
	// Chaos are the effects that were applied.
	Chaos []Effect
	// Proto is "HTTP/1.1" or "HTTP/2.0", and RemoteAddr the client's address.
	Proto, RemoteAddr string
}

// records is a bounded ring, and those who want to know at once.
type records struct {
	mu       sync.Mutex
	ring     []Record
	next     int // where the next one goes once the ring is full
	limit    int
	total    uint64
	inflight map[uint64]*flight
	subs     map[int]func(Record)
	subID    int
}

// A flight is a request that is being served.
type flight struct {
	ended chan struct{}
	left  bool // its client hung up; set before ended is closed
}

func (l *records) begin() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if l.inflight == nil {
		l.inflight = map[uint64]*flight{}
	}
	l.inflight[l.total] = &flight{ended: make(chan struct{})}
	return l.total
}

func (l *records) end(r Record, left bool) {
	l.mu.Lock()
	f := l.inflight[r.ID]
	delete(l.inflight, r.ID)
	f.left = left
	close(f.ended)
	if len(l.ring) < l.limit {
		l.ring = append(l.ring, r)
	} else {
		l.ring[l.next] = r
		l.next = (l.next + 1) % l.limit
	}
	subs := make([]func(Record), 0, len(l.subs))
	for _, f := range l.subs {
		subs = append(subs, f)
	}
	l.mu.Unlock()
	for _, f := range subs {
		f(r)
	}
}

func (l *records) list() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Record, 0, len(l.ring))
	out = append(out, l.ring[l.next:]...)
	return append(out, l.ring[:l.next]...)
}

// Requests returns what was recorded, in the order in which requests ended; the
// newest 100,000, or [Config.MaxRecords]. A request in flight is not among them.
// A record is written before its answer is sent.
func (s *Server) Requests() []Record { return s.records.list() }

// ResetRequests forgets what was recorded.
func (s *Server) ResetRequests() {
	s.records.mu.Lock()
	defer s.records.mu.Unlock()
	s.records.ring, s.records.next = nil, 0
}

// hangUp is how long a server takes at most to notice that a client has gone.
const hangUp = 100 * time.Millisecond

// InFlight is the number of requests being served now, whose clients wait for an
// answer: read from the socket and not yet answered. A client that has hung up
// does not wait; the server hears of that a moment later, so that InFlight waits
// up to 100 ms for the news when it is not zero. A request that is answered
// meanwhile counts.
func (s *Server) InFlight() int {
	s.records.mu.Lock()
	open := slices.Collect(maps.Values(s.records.inflight))
	s.records.mu.Unlock()
	n := len(open)
	if n == 0 {
		return 0
	}
	limit := time.NewTimer(hangUp)
	defer limit.Stop()
	for _, f := range open {
		select {
		case <-f.ended:
			if f.left {
				n--
			}
		case <-limit.C:
			return n
		}
	}
	return n
}

// Subscribe calls f for every request that ends, from the goroutine that served
// it, before its answer is sent: f must be quick and safe for concurrent use.
// The function it returns ends the subscription.
func (s *Server) Subscribe(f func(Record)) (cancel func()) {
	l := &s.records
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subID++
	id := l.subID
	if l.subs == nil {
		l.subs = map[int]func(Record){}
	}
	l.subs[id] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.subs, id)
	}
}
