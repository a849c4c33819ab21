package emulator

import (
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
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// Freeze moves the clock by d and leaves the Date header where it was. A request
// signed before and sent after is d older to the service, and the answer's Date
// shows no skew, as after a real freeze.
func (c *Clock) Freeze(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	c.dateOffset -= d
}

// SetOffset sets the distance to the computer's time.
func (c *Clock) SetOffset(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = d
}

// SetDateOffset sets what the Date header shows in addition to Now.
func (c *Clock) SetDateOffset(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dateOffset = d
}

// SetWindow scales the tolerance in a signature's age, so that a test need not
// wait for minutes. Whole seconds, at least one: X-Amz-Date has no smaller unit.
// Zero restores AWS's own (5 minutes), negative switches the check off.
func (c *Clock) SetWindow(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window = d
}

// State returns the setting.
func (c *Clock) State() ClockState {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return ClockState{Offset: c.offset, DateOffset: c.dateOffset, Window: c.window}
}

// Reset returns to the computer's time and AWS's window.
func (c *Clock) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.dateOffset, c.window = 0, 0, 0
}
