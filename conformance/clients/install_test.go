package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// mayInstall reports whether the tests may put software on this machine.
func mayInstall() bool { return os.Getenv("MIDDY_INSTALL") != "0" && !testing.Short() }

// installLimit bounds one installation; packages come over a network.
const installLimit = 5 * time.Minute

func install(env []string, dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), installLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}

// debianAWS is where Debian's package puts the program. A PATH may have others
// before it.
const debianAWS = "/usr/bin/aws"

// commandLine returns Debian's AWS CLI, or skips the test.
func commandLine(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(debianAWS); err == nil {
		return debianAWS
	}
	const missing = "MISSING: Debian's package awscli (apt-get install awscli); the AWS CLI was not tested"
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 || !mayInstall() {
		t.Skip(missing)
	}
	quiet := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := install(quiet, "", apt, "update", "-qq"); err != nil {
		t.Skipf("%s: %v", missing, err)
	}
	if err := install(quiet, "", apt, "install", "-y", "-qq", "--no-install-recommends", "awscli"); err != nil {
		t.Skipf("%s: %v", missing, err)
	}
	return debianAWS
}

// javaScript returns node and the folder with the SDK, or skips the test. The
// folder is kept in the user's cache directory, under the lock file's hash.
func javaScript(t *testing.T) (node, modules string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("MISSING: node; the AWS SDK for JavaScript was not tested")
	}
	lock, err := os.ReadFile("testdata/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(lock)
	home := filepath.Join(cache, "middy-conformance", hex.EncodeToString(sum[:8]))
	modules = filepath.Join(home, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return node, modules
	}
	const missing = "MISSING: @aws-sdk/client-secrets-manager from npm; the AWS SDK for JavaScript was not tested"
	npm, err := exec.LookPath("npm")
	if err != nil || !mayInstall() {
		t.Skip(missing)
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		t.Fatal(err)
	}
	// Beside its place first: another test process may do the same, and one that
	// was interrupted leaves nothing that looks complete.
	dir, err := os.MkdirTemp(filepath.Dir(home), "installing-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := install(nil, dir, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		t.Skipf("%s: %v", missing, err)
	}
	if err := os.Rename(dir, home); err != nil {
		if _, other := os.Stat(modules); other != nil {
			t.Fatal(err)
		}
	}
	return node, modules
}
