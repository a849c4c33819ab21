//go:build unix && !linux

package cli

import "syscall"

// childAttr gives a child a group of its own, so that all it started can be ended
// with it.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
