package params

import (
	"context"
	"time"
)

// An answer is what one source of a chain said.
type answer struct {
	index int
	raw   Raw
	err   error
}

// flyChain asks the sources of an entry in order. The next one is asked when one
// has failed, or has not answered for HedgeAfter; the first value counts, and the
// rest are cancelled and waited for.
func (s *Store) flyChain(ctx context.Context, f *flight) {
	refs := append([]Ref{{provider: f.e.provider, key: f.e.key}}, f.e.fallback...)
	ctx2, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(refs))
	asked, open := 0, 0
	next := func() {
		i := asked
		asked, open = asked+1, open+1
		ask := func() {
			raw, err := s.ask(ctx2, refs[i].provider, refs[i].key)
			answers <- answer{i, raw, err}
		}
		if len(refs) == 1 {
			ask() // nobody is to be asked beside it
			return
		}
		go ask()
	}
	start := time.Now()
	next()
	hedge := newHedge(s.cfg.HedgeAfter)
	defer hedge.stop()
	errs := make([]error, len(refs))
	var won *answer
	for open > 0 {
		select {
		case a := <-answers:
			open--
			switch {
			case a.err == nil && won == nil:
				won = &a
				cancel()
			case a.err == nil:
				clear(a.raw.Bytes)
			case won == nil:
				errs[a.index] = a.err
				switch {
				case !movesOn(refs[a.index].provider, a.err):
					asked = len(refs) // it has answered: nobody else is asked
				case asked < len(refs) && ctx.Err() == nil:
					next()
				}
			}
		case <-hedge.c():
			if won == nil && asked < len(refs) {
				next()
				hedge.again()
			}
		}
	}
	took := time.Since(start)
	if won == nil {
		s.land(ctx, f, Raw{}, false, verdict(refs, errs), took)
		return
	}
	if won.index > 0 {
		s.counters.fallbacks.Add(1)
		s.event(f.e, Event{Kind: EventFallback, Duration: took, Err: errs[0]})
	} else {
		if KindOf(f.e.state.Load().err) == Denied {
			s.permit(f.e.source) // the policy was mended: the batch may be ours as well
		}
		s.followRotation(ctx, f.e, won.raw)
	}
	s.land(ctx, f, won.raw, won.index > 0, nil, took)
}

// verdict is the failure that counts when all have failed: the first source's. A
// local source that lacks the value has said nothing about it, so the next one's
// word counts.
func verdict(refs []Ref, errs []error) error {
	for i, err := range errs {
		if err != nil && !(isLocal(refs[i].provider) && KindOf(err).forbidsStale()) {
			return err
		}
	}
	return errs[0]
}

// movesOn reports whether a failure lets the next source be asked: not when this
// one said something about the value.
func movesOn(p Provider, err error) bool {
	return isLocal(p) || !KindOf(err).forbidsStale()
}

type hedge struct {
	t     *time.Timer
	after time.Duration
}

func newHedge(after time.Duration) *hedge {
	if after < 0 { //mutate:equivalent `< -> <=`, `0 -> 1`: it is never 0
		return &hedge{}
	}
	return &hedge{time.NewTimer(after), after}
}

func (h *hedge) c() <-chan time.Time {
	if h.t == nil {
		return nil
	}
	return h.t.C
}

func (h *hedge) again() { h.t.Reset(h.after) }

func (h *hedge) stop() {
	if h.t != nil {
		h.t.Stop()
	}
}
