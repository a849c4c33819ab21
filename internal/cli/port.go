package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// listen opens a port on loopback. The sentence of its error names who holds the
// port, where the system tells.
func listen(ctx context.Context, port int) (net.Listener, error) {
	if port < 0 || port > 65535 {
		return nil, usagef("--port %d is not a port; use 1 to 65535, or 0 for any free one", port)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, failf("port %d is taken%s; stop it, or let the system choose a free one with --port 0", port, holderText(port))
	case errors.Is(err, syscall.EACCES):
		return nil, failf("port %d needs privileges that this process lacks; use a port from 1024 up, or --port 0", port)
	}
	return nil, failf("cannot listen on port %d: %w", port, err)
}

func holderText(port int) string {
	pid, name := portHolder(port)
	switch {
	case pid == 0:
		return ""
	case name == "":
		return fmt.Sprintf(" by process %d", pid)
	}
	return fmt.Sprintf(" by %s (process %d)", name, pid)
}
