// Package moto starts moto_server, another imitation of AWS, for tests that hold ours
// beside it.
//
// moto is a Python program that few machines have. A comparison that silently does
// not run proves nothing, so that its absence is told by name.
package moto

import (
	"bufio"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

// Start runs the server until the test ends, and returns its address. Where there is
// none, the test is skipped.
func Start(t testing.TB) string {
	t.Helper()
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("SKIPPED: no moto_server on PATH; the differential test against moto did not run")
	}
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", "0")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("SKIPPED: moto_server does not start (%v); the differential test against moto did not run", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if m := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(sc.Text()); m != "" {
				select {
				case found <- m:
				default: // it says so once for each interface
				}
			}
		}
	}()
	select {
	case url := <-found:
		if url != "" {
			return url
		}
	case <-time.After(60 * time.Second):
	}
	t.Skip("SKIPPED: moto_server did not say where it listens; the differential test against moto did not run")
	return ""
}
