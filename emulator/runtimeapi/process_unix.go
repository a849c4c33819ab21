//go:build unix

package runtimeapi

import (
	"os"
	"syscall"
)

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

func stopGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGSTOP) }

func continueGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGCONT) }

func terminate(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }

// readNow reads what is in the pipe, and does not wait for more: n <= 0 is
// nothing now, or the end.
func readNow(f *os.File, buf []byte) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		n, readErr = syscall.Read(int(fd), buf)
		return true
	})
	if err != nil {
		return 0, err
	}
	return n, readErr
}
