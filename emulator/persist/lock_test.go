package persist

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

const holdEnv = "PERSIST_TEST_HOLD"

// TestHold is another process: it opens the directory that the environment names,
// says how that went, and holds it until its input ends.
func TestHold(t *testing.T) {
	dir := os.Getenv(holdEnv)
	if dir == "" {
		t.Skip("it is started by TestADirectoryBelongsToOneProcess")
	}
	_, err := Open(dir)
	fmt.Printf("opened: %v\n", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// hold starts a process that opens dir, and returns what it says, and what ends it
// as kill -9 does.
func hold(t *testing.T, dir string) (said string, pid int, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHold$", "-test.v")
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		in.Close()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said, ok := strings.CutPrefix(lines.Text(), "opened: "); ok {
			return said, cmd.Process.Pid, kill
		}
	}
	t.Fatal("the other process said nothing")
	return "", 0, nil
}

func TestADirectoryBelongsToOneProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no flock")
	}
	dir := t.TempDir()
	said, pid, kill := hold(t, dir)
	if said != "<nil>" {
		t.Fatalf("the first process: %s", said)
	}
	_, err := Open(dir)
	inUse, ok := errors.AsType[*InUseError](err)
	if !ok || !errors.Is(err, ErrInUse) || inUse.Path != dir || !strings.HasPrefix(inUse.Holder, fmt.Sprintf("process %d (", pid)) {
		t.Errorf("while process %d has it: %v; want that said", pid, err)
	}
	kill()
	if _, err := Open(dir); err != nil {
		t.Errorf("after the other was killed: %v", err)
	}
	if _, err := Open(dir); err != nil {
		t.Errorf("again in the same process: %v", err)
	}
	if said, _, _ := hold(t, dir); !strings.Contains(said, fmt.Sprintf("is in use by process %d (", os.Getpid())) {
		t.Errorf("another process while this one has it: %s", said)
	}
}

// What a process writes that must not have the directory would be removed as an
// interrupted write.
func TestARefusedOpenTouchesNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no flock")
	}
	dir := t.TempDir()
	hold(t, dir)
	half := dir + "/" + tempPrefix + "1"
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrInUse) {
		t.Fatalf("%v; want ErrInUse", err)
	}
	if _, err := os.Stat(half); err != nil {
		t.Errorf("the other's write was removed: %v", err)
	}
}
