//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package persist

import (
	"os"
	"syscall"
)

// tryLock locks f for this process, and reports false when another has it. The
// system unlocks it when the process ends, however it ends.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}
