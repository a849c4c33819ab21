package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gomiddy/middy/conformance/internal/debian"
)

// debianAWS is where Debian's package puts the program. A PATH may have others
// before it.
const debianAWS = "/usr/bin/aws"

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
	if err != nil || !debian.MayInstall() {
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
	if err := debian.Run(nil, dir, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		t.Skipf("%s: %v", missing, err)
	}
	if err := os.Rename(dir, home); err != nil {
		if _, other := os.Stat(modules); other != nil {
			t.Fatal(err)
		}
	}
	return node, modules
}
