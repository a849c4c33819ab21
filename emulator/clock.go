package emulator

import (
	"slices"
	"sync"
	"time"
)

// A Clock is the emulator's time: the computer's, moved. The zero value is the
// computer's time itself, with AWS's window. All methods are safe for concurrent use.
//
// Three figures express what clients meet:
//
//	wrong clock   Step(d)      ages and Date move together: client and service disagree
//	freeze        Freeze(d)    ages move, Date does not: the request slept on its way
//	lying proxy   SetDateOffset(d)   only Date moves
type Clock struct {
	mu         sync.RWMutex
	offset     time.Duration
	dateOffset time.Duration
	window     time.Duration
	watchers   []func()
}

// ClockState is a clock's setting, as the admin API shows it.
type ClockState struct {
	// Offset is what is added to the computer's time.
	Offset time.Duration
	// DateOffset is what the Date header shows in addition.
	DateOffset time.Duration
	// Window is the age a signature may have; 0 is AWS's own for the service.
	Window time.Duration
}

// Now is the virtual time. It carries no monotonic reading: what is measured by
// it are instants on a wall clock that steps.
func (c *Clock) Now() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return time.Now().Round(0).Add(c.offset)
}

// Date is what the Date header shows: Now plus the date offset.
func (c *Clock) Date() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return time.Now().Round(0).Add(c.offset + c.dateOffset)
}

// Step moves the clock by d, in either direction. The Date header moves with it.
func (c *Clock) Step(d time.Duration) { c.change(func() { c.offset += d }) }

// Freeze moves the clock by d and leaves the Date header where it was. A request
// signed before and sent after is d older to the service, and the answer's Date
// shows no skew, as after a real freeze.
func (c *Clock) Freeze(d time.Duration) {
	c.change(func() {
		c.offset += d
		c.dateOffset -= d
	})
}

// SetOffset sets the distance to the computer's time.
func (c *Clock) SetOffset(d time.Duration) { c.change(func() { c.offset = d }) }

// SetDateOffset sets what the Date header shows in addition to Now.
func (c *Clock) SetDateOffset(d time.Duration) { c.change(func() { c.dateOffset = d }) }

// SetWindow scales the tolerance in a signature's age, so that a test need not
// wait for minutes. Whole seconds, at least one: X-Amz-Date has no smaller unit.
// Zero restores AWS's own (5 minutes; 15 for STS and S3), negative switches the
// check off.
func (c *Clock) SetWindow(d time.Duration) { c.change(func() { c.window = d }) }

// Reset returns to the computer's time and AWS's window.
func (c *Clock) Reset() { c.change(func() { c.offset, c.dateOffset, c.window = 0, 0, 0 }) }

// change applies f and tells those who keep time by this clock.
func (c *Clock) change(f func()) {
	c.mu.Lock()
	f()
	watchers := slices.Clone(c.watchers)
	c.mu.Unlock()
	for _, w := range watchers {
		w()
	}
}

// watch calls f, outside the lock, after every change.
func (c *Clock) watch(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(c.watchers, f)
}

// State returns the setting.
func (c *Clock) State() ClockState {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return ClockState{Offset: c.offset, DateOffset: c.dateOffset, Window: c.window}
}
