package middy

import (
	"context"
	"slices"
	"sync"
	"time"
)

// layerName returns the name of layer i. The handler comes after the last, and
// then the response.
func (f *Function) layerName(i int) string {
	switch i - len(f.layers) {
	case 0:
		return "handler"
	case 1:
		return "response"
	}
	return f.layers[i].name
}

// watch measures layer i. It is put around a layer only when somebody watches.
func (f *Function) watch(i int, h Handler) Handler {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		if inv.open == nil && inv.spans == nil {
			return h(ctx, inv)
		}
		now := time.Now()
		if inv.open != nil {
			inv.open.enter(i, now)
			defer inv.open.leave(i)
		}
		if inv.spans == nil {
			return h(ctx, inv)
		}
		parent, _ := ctx.Value(watchKey{}).(*watched)
		w := &watched{Context: ctx, layer: f.layerName(i), index: i, since: now}
		inv.spans.enter(parent, w)
		result, err := h(w, inv)
		_, streams := streamed(f.unbox(result))
		inv.spans.leave(parent, w, err, streams)
		return result, err
	}
}

type watchKey struct{}

// watched is a layer's context: the layer inside finds its parent in it.
type watched struct {
	context.Context
	layer string
	index int
	since time.Time // of the phase that runs
	inner bool      // the layer called next
}

func (w *watched) Value(key any) any {
	if _, ok := key.(watchKey); ok {
		return w
	}
	return w.Context.Value(key)
}

// spans gives the phases of one invocation's layers to the observers, one at a
// time, and none after its end. A nil *spans does nothing.
type spans struct {
	observers []Observer

	mu   sync.Mutex
	open []*watched // whose last phase has not ended, in the order of entering
	over bool
}

// enter begins w, and ends the phase "before" of the layer that called it. A
// second call (retry) ends a phase "after".
func (s *spans) enter(parent, w *watched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, w)
	if parent == nil {
		return
	}
	phase := "before"
	if parent.inner {
		phase = "after"
	}
	parent.inner = true
	s.observe(parent, phase, w.since, nil)
}

// leave ends w, unless what it returned streams: then it ends with the response.
// A layer that does not return (a panic, a timeout) ends with the response, too.
func (s *spans) leave(parent, w *watched, err error, streams bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if parent != nil {
		parent.since = now
	}
	if !streams {
		s.open = slices.DeleteFunc(s.open, func(o *watched) bool { return o == w })
		s.observe(w, w.last(), now, err)
	}
}

// end ends the layers that are open, the innermost first.
func (s *spans) end(err error) {
	if s == nil {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.over = true }()
	for _, w := range slices.Backward(s.open) {
		s.observe(w, w.last(), now, err)
	}
}

// last names the phase in which a layer ends.
func (w *watched) last() string {
	if w.inner {
		return "after"
	}
	return "whole"
}

func (s *spans) observe(w *watched, phase string, until time.Time, err error) {
	if s.over {
		return
	}
	span := Span{Layer: w.layer, Index: w.index, Phase: phase, Duration: until.Sub(w.since), Err: err}
	for _, o := range s.observers {
		o.Observe(w.Context, span)
	}
}
