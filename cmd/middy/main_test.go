//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must come. It is no measure of speed.
const patience = 5 * time.Minute

var middy string // the built command

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "command-")
	if err != nil {
		panic(err)
	}
	middy = filepath.Join(dir, "middy")
	out, err := exec.Command("go", "build", "-o", middy, ".").CombinedOutput()
	if err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// A command is one run of middy with a directory for temporary files of its own.
type command struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  io.ReadCloser
	temp string

	mu   sync.Mutex
	said strings.Builder
	more chan struct{}
	done chan struct{}
}

func start(t *testing.T, temp string, env []string, args ...string) *command {
	t.Helper()
	return startProgram(t, temp, env, middy, args...)
}

func startProgram(t *testing.T, temp string, env []string, program string, args ...string) *command {
	t.Helper()
	c := &command{t: t, temp: temp, cmd: exec.Command(program, args...), more: make(chan struct{}, 1), done: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), "TMPDIR="+temp), env...)
	c.cmd.Dir = "../.."
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out, c.cmd.Stdout, c.cmd.Stderr = r, w, w
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(c.done)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			c.mu.Lock()
			c.said.WriteString(lines.Text() + "\n")
			c.mu.Unlock()
			select {
			case c.more <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			_ = c.cmd.Process.Signal(syscall.SIGTERM)
			c.wait()
		}
	})
	return c
}

func (c *command) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.String()
}

// await returns the first submatch of a pattern in what the command says.
func (c *command) await(pattern string) string {
	c.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		if m := re.FindStringSubmatch(c.output()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-c.more:
		case <-c.done:
			if re.FindStringSubmatch(c.output()) == nil {
				c.t.Fatalf("it ended without %q:\n%s", pattern, c.output())
			}
		case <-late.C:
			c.t.Fatalf("no %q in\n%s", pattern, c.output())
		}
	}
}

// url is where the first door is.
func (c *command) url() string {
	c.t.Helper()
	return c.await(`middy invoke --url (\S+)`)
}

func (c *command) wait() int {
	c.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		c.t.Errorf("it does not end:\n%s", c.output())
		_ = c.cmd.Process.Kill()
		<-ended
	}
	return c.cmd.ProcessState.ExitCode()
}

// left are the files in the directory for temporary files, but for the toolchain's.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestDevLeavesNothingWhateverEndsIt(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(c *command)
		code int
	}{
		{"Ctrl-C", func(c *command) { _ = c.cmd.Process.Signal(os.Interrupt) }, 0},
		{"a closed terminal", func(c *command) { _ = c.cmd.Process.Signal(syscall.SIGHUP) }, 0},
		{"a reader of its output that has gone", func(c *command) {
			url := c.url()
			_ = c.out.Close()
			eventually(c.t, "it ends", func() bool { // the first write after the end may still pass
				if resp, err := http.Get(url); err == nil {
					resp.Body.Close()
				}
				return gone(c.cmd.Process.Pid)
			})
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			temp := t.TempDir()
			dev := start(t, temp, nil, "dev", "--port", "0", "./internal/cli/testdata/doors")
			dev.url()
			c.end(dev)
			if code := dev.wait(); code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, dev.output())
			}
			if names := left(t, temp); len(names) != 0 {
				t.Errorf("%v is left", names)
			}
		})
	}
}

func TestTheNextStartRemovesWhatAKilledOneLeft(t *testing.T) {
	temp := t.TempDir()
	dev := start(t, temp, nil, "dev", "--port", "0", "./internal/cli/testdata/doors")
	dev.url()
	running := start(t, temp, nil, "dev", "--port", "0", "./internal/cli/testdata/doors")
	running.url()
	_ = dev.cmd.Process.Kill()
	dev.wait()
	before := left(t, temp)
	next := start(t, temp, nil, "dev", "--port", "0", "./internal/cli/testdata/doors")
	if status, body := get(t, next.url()); status != 200 {
		t.Errorf("the next start answers %d %s", status, body)
	}
	if status, body := get(t, running.url()); status != 200 {
		t.Errorf("the one that was running answers %d %s: its directory is not abandoned", status, body)
	}
	if now := left(t, temp); len(before) != 2 || len(now) != 2 {
		t.Errorf("%v before and %v after; want that of the running one, and that of the killed one replaced", before, now)
	}
}

func TestABuildEndsWithDev(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			temp := t.TempDir()
			// A toolchain of our own that never ends, with a child.
			bin := t.TempDir()
			real, err := exec.LookPath("go")
			if err != nil {
				t.Fatal(err)
			}
			pids := filepath.Join(bin, "pids")
			script := fmt.Sprintf("#!/bin/sh\ncase $1 in build) sleep 600 & echo $$ $! > %s.new; mv %s.new %s; wait;; *) exec %s \"$@\";; esac\n", pids, pids, pids, real)
			if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			dev := start(t, temp, []string{"PATH=" + bin + ":" + os.Getenv("PATH")}, "dev", "--port", "0", "./internal/cli/testdata/doors")
			var shell, child int
			eventually(t, "the build starts", func() bool {
				data, err := os.ReadFile(pids)
				if err != nil {
					return false
				}
				_, err = fmt.Sscan(string(data), &shell, &child)
				return err == nil
			})
			_ = dev.cmd.Process.Signal(sig)
			dev.wait()
			eventually(t, "the build ends", func() bool { return gone(shell) })
			if sig == syscall.SIGKILL { // nobody is left to end what the toolchain started
				_ = syscall.Kill(child, syscall.SIGKILL)
				return
			}
			eventually(t, "the compiler ends", func() bool { return gone(child) })
		})
	}
}

func gone(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil && strings.Contains(string(data), ") Z ") { // its parent has not looked
		return true
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(10*time.Millisecond), time.NewTimer(patience)
	defer tick.Stop()
	defer late.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func TestNohupIsRespected(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell that could ignore the signal")
	}
	dev := startProgram(t, t.TempDir(), nil, sh, "-c", "trap '' HUP; exec "+middy+" dev --port 0 --no-watch ./internal/cli/testdata/doors")
	url := dev.url()
	if err := dev.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, url); status != 200 {
		t.Errorf("after a SIGHUP that was ignored from the start it answers %d, want 200", status)
	}
}
