//go:build !unix

package cli

import "context"

func checkFreeze(context.Context) finding {
	return finding{"freeze", "warn", "this system has no SIGSTOP: functions run on between invocations", "test freezes on Linux or macOS"}
}
