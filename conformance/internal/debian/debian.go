// Package debian puts Debian's packages on the machine that runs a test.
//
// A test against somebody else's program is worth nothing when the program is not
// there and nobody notices. [Program] installs it where it may, and otherwise
// skips the test with a line that says what was not tested.
package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// limit bounds one installation; packages come over a network.
const limit = 8 * time.Minute

// MayInstall reports whether tests may put software on this machine: not when
// MIDDY_INSTALL is 0, and not in short tests.
func MayInstall() bool { return os.Getenv("MIDDY_INSTALL") != "0" && !testing.Short() }

// Run runs an installer with env added to the environment.
func Run(env []string, dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}

// apt takes one at a time.
var apt sync.Mutex

// Program returns path, which Debian's package pkg brings. Where it is missing
// and cannot be installed, the test is skipped by name.
func Program(t testing.TB, path, pkg string) string {
	t.Helper()
	apt.Lock()
	defer apt.Unlock()
	if _, err := os.Stat(path); err == nil {
		return path
	}
	missing := fmt.Sprintf("MISSING: Debian's package %s (apt-get install %s); %s did not run", pkg, pkg, t.Name())
	tool, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 || !MayInstall() {
		t.Skip(missing)
	}
	quiet := []string{"DEBIAN_FRONTEND=noninteractive"}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", pkg}} {
		if err := Run(quiet, "", tool, args...); err != nil {
			t.Skipf("%s: %v", missing, err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s: the package does not bring %s", missing, path)
	}
	return path
}
