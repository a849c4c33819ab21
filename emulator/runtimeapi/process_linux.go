package runtimeapi

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// sysProcAttr puts the child into a group of its own, which a Ctrl-C at the
// terminal does not reach, and lets it die with us.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// Constants of waitid(2).
const (
	pPID       = 1
	wStopped   = 2
	wExited    = 4
	wContinued = 8
	wNoWait    = 0x01000000
)

// waitid waits for a change of the child's state, and leaves it to be reaped.
func waitid(pid, options int) error {
	var siginfo [128]byte
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(pid),
			uintptr(unsafe.Pointer(&siginfo)), uintptr(options|wNoWait), 0, 0)
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return errno
		}
	}
}

// awaitExit returns when the child has ended, and leaves it to be reaped. It
// reports whether it could.
func awaitExit(pid int) bool { return waitid(pid, wExited) == nil }

// stopGroup returns when every thread of the child has stopped: the kernel
// reports a stop only then.
func stopGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("runtimeapi: freezing process %d: %w", pid, err)
	}
	return waitid(pid, wStopped|wExited)
}

func continueGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGCONT); err != nil {
		return fmt.Errorf("runtimeapi: thawing process %d: %w", pid, err)
	}
	return waitid(pid, wContinued|wExited)
}

// peakMB is the most memory that the process has had, in MB, or 0.
func peakMB(pid int) int {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.Atoi(string(fields[0]))
	return (kb + 1023) / 1024
}
