package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// A person is somebody in a room.
type person struct{ Connection, Room, Name string }

// A store remembers who is where. In a table, the connection is the key, the room an
// index, and ConnectedAt plus two hours the time to live: no connection lasts longer.
type store interface {
	add(ctx context.Context, p person)
	remove(ctx context.Context, connection string)
	find(ctx context.Context, connection string) (person, bool)
	in(ctx context.Context, room string) []person
}

// memory is a store for one sandbox.
type memory struct {
	mu     sync.Mutex
	people map[string]person
}

func newMemory() *memory { return &memory{people: map[string]person{}} }

func (m *memory) add(_ context.Context, p person) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.people[p.Connection] = p
}

func (m *memory) remove(_ context.Context, connection string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.people, connection)
}

func (m *memory) find(_ context.Context, connection string) (person, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.people[connection]
	return p, ok
}

func (m *memory) in(_ context.Context, room string) []person {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []person
	for _, p := range m.people {
		if p.Room == room {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b person) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
