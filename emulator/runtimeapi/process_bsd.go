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

// stopGroup does not wait until the kernel has stopped every thread: best effort.
func stopGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("runtimeapi: freezing process %d: %w", pid, err)
	}
	return nil
}

func continueGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGCONT); err != nil {
		return fmt.Errorf("runtimeapi: thawing process %d: %w", pid, err)
	}
	return nil
}

func peakMB(int) int { return 0 }
