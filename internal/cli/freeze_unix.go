//go:build unix

package cli

import (
	"context"
	"os/exec"
	"syscall"
)

// checkFreeze stops and continues a process, as middy dev does with a function.
func checkFreeze(ctx context.Context) finding {
	cmd := exec.CommandContext(ctx, "sleep", "10")
	if err := cmd.Start(); err != nil {
		return finding{"freeze", "warn", "cannot be tried, for there is no sleep command", ""}
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return finding{"freeze", "fail", "SIGSTOP cannot be sent: " + err.Error(), "run middy dev with --no-freeze"}
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		return finding{"freeze", "fail", "SIGSTOP does not stop a process here", "run middy dev with --no-freeze"}
	}
	return okay("freeze", "SIGSTOP and SIGCONT work: functions freeze between invocations as on Lambda")
}
