package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/gomiddy/middy/internal/demo"
)

// TestMain lets the test's own binary be what `middy demo` starts.
func TestMain(m *testing.M) {
	if os.Getenv(demo.FunctionVar) != "" {
		os.Exit(Run(context.Background(), nil, nil, os.Stdout, os.Stderr, os.Environ()))
	}
	os.Exit(m.Run())
}

// result is what one Run left.
type result struct {
	t              *testing.T
	code           int
	stdout, stderr string
}

func run(t *testing.T, args ...string) result {
	t.Helper()
	return runWith(t, "", args...)
}

func runWith(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := Run(t.Context(), args, strings.NewReader(stdin), &out, &errs, os.Environ())
	return result{t, code, out.String(), errs.String()}
}

func (r result) wantCode(want int) {
	r.t.Helper()
	if r.code != want {
		r.t.Fatalf("exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", r.code, want, r.stdout, r.stderr)
	}
}

func TestRunExplainsAWrongCommandLine(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no command", nil, "Usage:"},
		{"an unknown command", []string{"deploy"}, `there is no command "deploy"`},
		{"an unknown flag", []string{"invoke", "--evnt", "x"}, "there is no such flag: --evnt"},
		{"a flag without its value", []string{"invoke", "--event"}, "flag needs an argument: --event"},
		{"a flag with a wrong value", []string{"invoke", "--timeout", "x"}, `invalid value "x" for flag --timeout`},
		{"no package", []string{"iam"}, "name the directory of one function"},
		{"an address without a scheme", []string{"invoke", "--url", "localhost"}, `--url "localhost" is not an address`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, c.args...)
			r.wantCode(exitUsage)
			if !strings.Contains(r.stderr, c.want) {
				t.Errorf("stderr:\n%s\nwant %q", r.stderr, c.want)
			}
			if r.stdout != "" {
				t.Errorf("stdout is not empty: %s", r.stdout)
			}
		})
	}
}

func TestHelpGoesToStandardOutput(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"help", "invoke"}, {"invoke", "-h"}, {"iam", "./x", "--help"}} {
		r := run(t, args...)
		r.wantCode(exitOK)
		if !strings.Contains(r.stdout, "Usage: ") && !strings.Contains(r.stdout, "Usage:\n") {
			t.Errorf("%v: stdout has no usage:\n%s", args, r.stdout)
		}
	}
}

func TestACancelledCommandEndsWith130(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := Run(ctx, []string{"iam", "./testdata/orders"}, strings.NewReader(""), &out, &errs, os.Environ()); code != exitInterrupted {
		t.Fatalf("exit code %d, want %d; stderr:\n%s", code, exitInterrupted, errs.String())
	}
}
