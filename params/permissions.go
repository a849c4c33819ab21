package params

import (
	"cmp"
	"slices"

	"github.com/gomiddy/middy"
)

// Permissions are the least IAM statements that the declared values need.
func (s *Store) Permissions() []middy.Permission {
	s.mu.Lock()
	declared := append([]*entry(nil), s.declared...)
	s.mu.Unlock()

	type group struct {
		provider Provider
		uses     []Use
	}
	var order []Source
	groups := make(map[Source]*group)
	add := func(p Provider, u Use) {
		src := p.Source()
		if groups[src] == nil {
			groups[src] = &group{provider: p}
			order = append(order, src)
		}
		g := groups[src]
		i := slices.IndexFunc(g.uses, func(known Use) bool { return known.Key == u.Key })
		if i < 0 {
			g.uses = append(g.uses, u)
			return
		}
		known := &g.uses[i] // the same value with other fallbacks
		known.Rotation = known.Rotation || u.Rotation
		known.KMSKey = cmp.Or(known.KMSKey, u.KMSKey)
	}
	for _, e := range declared {
		e.mu.Lock()
		add(e.provider, Use{Key: e.key, Rotation: e.rotation, KMSKey: e.kmsKey})
		for _, f := range e.fallback {
			add(f.provider, Use{Key: f.key, KMSKey: f.kmsKey})
		}
		e.mu.Unlock()
	}
	var out []middy.Permission
	for _, src := range order {
		g := groups[src]
		p, ok := g.provider.(Permitter)
		if !ok {
			continue
		}
		markBatched(g.provider, g.uses)
		out = append(out, p.Permissions(g.uses)...)
	}
	return out
}

// markBatched says which uses the prefetch puts into batches.
func markBatched(p Provider, uses []Use) {
	b, ok := p.(Batcher)
	if !ok {
		return
	}
	var in []int
	for i, u := range uses {
		if b.Batchable(u.Key) {
			in = append(in, i)
		}
	}
	if _, from := b.Batch(); len(in) < from {
		return
	}
	for _, i := range in {
		uses[i].Batched = true
	}
}
