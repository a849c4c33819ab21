package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

var (
	errTaken   = errors.New("the room is taken")
	errUnknown = errors.New("no such booking")
	errForeign = errors.New("another person's booking")
)

// memory keeps bookings for as long as the sandbox lives.
type memory struct {
	mu  sync.Mutex
	all []booking // by begin
}

func newMemory() *memory { return &memory{} }

// add returns the new booking, or with errTaken the one that is in its way.
func (m *memory) add(b booking) (booking, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.all {
		if other.Room == b.Room && b.From.Before(other.To) && other.From.Before(b.To) {
			return other, errTaken
		}
	}
	b.ID = newID()
	i, _ := slices.BinarySearchFunc(m.all, b, func(x, y booking) int { return x.From.Compare(y.From) })
	m.all = slices.Insert(m.all, i, b)
	return b, nil
}

func (m *memory) of(room string, after time.Time, limit int) []booking {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := []booking{}
	for _, b := range m.all {
		if b.Room == room && b.From.After(after) && len(found) < limit {
			found = append(found, b)
		}
	}
	return found
}

func (m *memory) remove(id, by string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.all, func(b booking) bool { return b.ID == id })
	switch {
	case i < 0:
		return errUnknown
	case m.all[i].By != by:
		return errForeign
	}
	m.all = slices.Delete(m.all, i, i+1)
	return nil
}

// newID is a UUID of version 4: RFC 9562 section 5.4.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
