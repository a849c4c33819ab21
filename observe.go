package middy

import (
	"context"
	"time"
)

// layerName returns the name of layer i; the handler comes after the last.
func (f *Function) layerName(i int) string {
	if i == len(f.layers) {
		return "handler"
	}
	return f.layers[i].name
}

// watch measures layer i. It is put around a layer only when somebody watches.
func (f *Function) watch(i int, name string, h Handler) Handler {
	return func(ctx context.Context, inv *Invocation) (result any, err error) {
		now := time.Now()
		if parent, ok := ctx.Value(watchKey{}).(*watched); ok {
			parent.called(ctx, f, now)
		}
		if inv.open != nil {
			inv.open.enter(i, now)
			defer inv.open.leave(i)
		}
		if len(f.observers) == 0 {
			return h(ctx, inv)
		}
		w := &watched{Context: ctx, index: i, name: name, since: now}
		defer func() { w.left(f, err) }()
		result, err = h(w, inv)
		if parent, ok := ctx.Value(watchKey{}).(*watched); ok {
			parent.returned()
		}
		return result, err
	}
}

type watchKey struct{}

// watched is a layer's context: the layer inside finds its parent in it.
type watched struct {
	context.Context
	index int
	name  string
	since time.Time // of the phase that runs
	inner bool      // the layer called next
}

func (w *watched) Value(key any) any {
	if _, ok := key.(watchKey); ok {
		return w
	}
	return w.Context.Value(key)
}

// called ends the phase "before": the layer called next. A second call (retry)
// ends a phase "after".
func (w *watched) called(ctx context.Context, f *Function, now time.Time) {
	phase := "before"
	if w.inner {
		phase = "after"
	}
	w.inner = true
	f.observe(ctx, Span{Layer: w.name, Index: w.index, Phase: phase, Duration: now.Sub(w.since)})
}

func (w *watched) returned() { w.since = time.Now() }

func (w *watched) left(f *Function, err error) {
	phase := "whole"
	if w.inner {
		phase = "after"
	}
	f.observe(w.Context, Span{Layer: w.name, Index: w.index, Phase: phase, Duration: time.Since(w.since), Err: err})
}

func (f *Function) observe(ctx context.Context, s Span) {
	for _, o := range f.observers {
		o.Observe(ctx, s)
	}
}
