package cli

import "syscall"

// childAttr gives a child a group of its own, so that all it started can be ended
// with it, and lets it die with the thread that starts it: call runtime.LockOSThread.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
