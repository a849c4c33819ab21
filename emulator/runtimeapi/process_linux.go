package runtimeapi

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
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
	wNoHang    = 1
	wStopped   = 2
	wExited    = 4
	wContinued = 8
	wNoWait    = 0x01000000
)

// waitid waits for a change of the child's state, and leaves it to be reaped. It
// reports whether there was one, which can be false only with wNoHang.
func waitid(pid, options int) (bool, error) {
	var siginfo [128]byte
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(pid),
			uintptr(unsafe.Pointer(&siginfo)), uintptr(options|wNoWait), 0, 0)
		switch errno {
		case 0:
			return siginfo != [128]byte{}, nil // si_signo is SIGCHLD, or everything 0
		case syscall.EINTR:
		default:
			return false, errno
		}
	}
}

// awaitExit returns when the child has ended, and leaves it to be reaped. It
// reports whether it could.
func awaitExit(pid int) bool {
	_, err := waitid(pid, wExited)
	return err == nil
}

const (
	// againAfter is how long a stop is waited for until it is sent again: a stranger's
	// SIGCONT (a debugger's, a shell's) takes back one that is on its way.
	againAfter = 50 * time.Millisecond
	// giveUpAfter is how long it is tried.
	giveUpAfter = time.Second
)

// stop returns when every thread of the child has stopped: the kernel reports a
// stop only then.
func (p *process) stop() error { return p.confirm(stopGroup, wStopped|wExited, "freezing") }

func (p *process) resume() error { return p.confirm(continueGroup, wContinued|wExited, "thawing") }

// confirm sends a signal until the kernel reports its effect. It never blocks in the
// kernel, for the effect may never come, and holds no lock that kill needs.
func (p *process) confirm(send func(pid int) error, effect int, what string) error {
	for begin := time.Now(); time.Since(begin) < giveUpAfter; {
		if err := p.signal(send); err != nil {
			return fmt.Errorf("runtimeapi: %s process %d: %w", what, p.pid, err)
		}
		pause := 20 * time.Microsecond
		for sent := time.Now(); time.Since(sent) < againAfter; pause = min(2*pause, time.Millisecond) {
			done, err := waitid(p.pid, effect|wNoHang)
			if done || p.gone() {
				return nil
			}
			if err != nil {
				return fmt.Errorf("runtimeapi: %s process %d: %w", what, p.pid, err)
			}
			time.Sleep(pause)
		}
	}
	return fmt.Errorf("%w: %s process %d: no effect after %v", ErrFreezeUnavailable, what, p.pid, giveUpAfter)
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
