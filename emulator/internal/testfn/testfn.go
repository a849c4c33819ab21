// Package testfn builds the function that the emulator's own tests run as a
// process.
//
// A test binary may not find what it built when its working directory changes, and
// must not leave it behind; and goroutines that outlive the tests show only at
// their very end.
package testfn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

const source = "github.com/gomiddy/middy/emulator/runtimeapi/testdata/fn"

// Main is a TestMain: it builds the function, stores its path in binary, runs the
// tests, looks for goroutines that they left, and exits.
func Main(m *testing.M, binary *string) {
	dir, err := os.MkdirTemp("", "testfn")
	if err != nil {
		panic(err)
	}
	*binary = filepath.Join(dir, "fn")
	if out, err := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", *binary, source).CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		fmt.Fprintf(os.Stderr, "building the test function: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
