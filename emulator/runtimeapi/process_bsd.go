//go:build unix && !linux

package runtimeapi

import (
	"fmt"
	"syscall"
)

func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit does nothing, and says so: there is no portable way to wait without
// reaping.
func awaitExit(int) bool { return false }

// stop does not wait until the kernel has stopped every thread: best effort.
func (p *process) stop() error {
	if err := p.signal(stopGroup); err != nil {
		return fmt.Errorf("runtimeapi: freezing process %d: %w", p.pid, err)
	}
	return nil
}

func (p *process) resume() error {
	if err := p.signal(continueGroup); err != nil {
		return fmt.Errorf("runtimeapi: thawing process %d: %w", p.pid, err)
	}
	return nil
}

func peakMB(int) int { return 0 }
