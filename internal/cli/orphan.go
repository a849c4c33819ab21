package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// withParent returns a context that also ends when `go run`, if that started this
// program, is gone. go run passes Ctrl-C on but dies of SIGTERM alone (a script's
// `kill $!`), and would leave a server behind that nobody knows of.
func withParent(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	exe, err := os.Executable()
	if err != nil || !fromGoRun(exe) {
		return ctx, cancel
	}
	go endWithParent(ctx, cancel, os.Getppid, time.NewTicker(500*time.Millisecond))
	return ctx, cancel
}

// fromGoRun knows the place where go run links: …/go-build123/b001/exe/middy.
func fromGoRun(exe string) bool {
	dir := filepath.Dir(exe)
	return filepath.Base(dir) == "exe" && strings.Contains(dir, "go-build")
}

func endWithParent(ctx context.Context, cancel func(), parent func() int, tick *time.Ticker) {
	defer tick.Stop()
	for first := parent(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if parent() != first {
				cancel()
				return
			}
		}
	}
}
