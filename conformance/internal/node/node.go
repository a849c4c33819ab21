// Package node runs conformance cases on Middy from npm.
//
// Middy is JavaScript and so is what says how it behaves; the packages and, where
// the machine's is older, Node.js itself come from npm into the user's cache
// directory, once for a package.json. Nothing is written into the module.
package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy/conformance"
)

// What is installed. Zstandard needs Node 22.15.
const (
	nodeVersion = "24.18.0"
	// source has the packages that a registry lacks, under a tag for each version.
	source = "https://github.com/middyjs/middy"
	limit  = 10 * time.Minute
)

// versions are those of Middy, the wanted one first. A source without its tag gives
// the one before, whose packages are the same to the letter but for http-dpop.
var versions = []string{"7.9.2", "7.8.0"}

// ErrUnavailable is the reason when this machine cannot run Middy at all.
var ErrUnavailable = errors.New("node: Middy cannot be run here")

// Middy is an installation.
type Middy struct {
	dir, node string
	// Missing are packages that neither the registry nor the source had.
	Missing []string
}

// Install makes Middy runnable, or finds it as it was left last time. The
// environment variable MIDDY_SOURCE is another git repository of Middy's source.
func Install(ctx context.Context) (*Middy, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	files, err := filesOf()
	if err != nil {
		return nil, err
	}
	manifest, err := os.ReadFile(filepath.Join(files, "package.json"))
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "middy-conformance")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	m := &Middy{}
	if m.node, err = findNode(ctx, cache); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(manifest)
	m.dir = filepath.Join(cache, "middy-"+hex.EncodeToString(sum[:8]))
	if err := m.packages(ctx, manifest); err != nil {
		return nil, err
	}
	if m.Missing, err = m.fromSource(ctx, manifest); err != nil {
		return nil, err
	}
	runner, err := os.ReadFile(filepath.Join(files, "run.mjs"))
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, "run.mjs"), runner, 0o644); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	return m, nil
}

// filesOf is the folder conformance/middy of the module around the working
// directory.
func filesOf() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("node: %w", err)
	}
	for {
		files := filepath.Join(dir, "conformance", "middy")
		if _, err := os.Stat(filepath.Join(files, "run.mjs")); err == nil {
			return files, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("node: no conformance/middy/run.mjs above the working directory; run this inside the module")
		}
		dir = parent
	}
}

// findNode returns the machine's node where it is new enough, or npm's.
func findNode(ctx context.Context, cache string) (string, error) {
	if node, err := exec.LookPath("node"); err == nil {
		out, err := exec.CommandContext(ctx, node, "--version").Output()
		var major, minor int
		if _, scan := fmt.Sscanf(string(out), "v%d.%d", &major, &minor); err == nil && scan == nil && (major > 22 || major == 22 && minor >= 15) {
			return node, nil
		}
	}
	dir := filepath.Join(cache, "node-"+nodeVersion)
	node := filepath.Join(dir, "node_modules", "node", "bin", "node")
	if _, err := os.Stat(node); err == nil {
		return node, nil
	}
	if err := npm(ctx, "", cache, "install", "--prefix", dir, "--no-audit", "--no-fund", "--no-save", "node@"+nodeVersion); err != nil {
		return "", err
	}
	return node, nil
}

func npm(ctx context.Context, node, dir string, args ...string) error {
	path, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("%w: npm is MISSING", ErrUnavailable)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	if node != "" { // npm leaves out optional packages that ask for a newer node than runs it
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(node)+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: npm %s: %w\n%s", ErrUnavailable, strings.Join(args, " "), err, out)
	}
	return nil
}

func (m *Middy) packages(ctx context.Context, manifest []byte) error {
	if _, err := os.Stat(filepath.Join(m.dir, "node_modules")); err == nil {
		return nil
	}
	// Beside its place first: what was interrupted must not look complete.
	dir, err := os.MkdirTemp(filepath.Dir(m.dir), "installing-")
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "package.json"), manifest, 0o644); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if err := npm(ctx, m.node, dir, "install", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		return err
	}
	if err := os.Rename(dir, m.dir); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	return nil
}

// fromSource copies packages that the registry lacked out of Middy's repository,
// and returns those that it could not get either.
func (m *Middy) fromSource(ctx context.Context, manifest []byte) ([]string, error) {
	var wanted struct{ OptionalDependencies map[string]string }
	if err := json.Unmarshal(manifest, &wanted); err != nil {
		return nil, fmt.Errorf("node: package.json: %w", err)
	}
	var missing []string
	for name := range wanted.OptionalDependencies {
		short, ours := strings.CutPrefix(name, "@middy/")
		if _, err := os.Stat(filepath.Join(m.dir, "node_modules", name)); ours && err != nil {
			missing = append(missing, short)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	slices.Sort(missing)
	tree, err := m.checkout(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "MISSING: npm has no %s@%s of @middy, and its source could not be had: %v\n", strings.Join(missing, ", "), versions[0], err)
		return missing, nil
	}
	var still []string
	for _, name := range missing {
		to := filepath.Join(m.dir, "node_modules", "@middy", name)
		if err := os.CopyFS(to, os.DirFS(filepath.Join(tree, "packages", name))); err != nil {
			_ = os.RemoveAll(to)
			still = append(still, name)
		}
	}
	return still, nil
}

func (m *Middy) checkout(ctx context.Context) (string, error) {
	tree := filepath.Join(m.dir, "source")
	if _, err := os.Stat(filepath.Join(tree, "packages")); err == nil {
		return tree, nil
	}
	from := os.Getenv("MIDDY_SOURCE")
	if from == "" {
		from = source
	}
	var failed error
	for _, version := range versions {
		cmd := exec.CommandContext(ctx, "git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--depth", "1", "--branch", version, from, tree)
		cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
		out, err := cmd.CombinedOutput()
		if err == nil {
			return tree, nil
		}
		_ = os.RemoveAll(tree)
		failed = errors.Join(failed, fmt.Errorf("git clone %s: %w: %s", from, err, bytes.TrimSpace(out)))
	}
	return "", failed
}

// A Session is Middy running, for one case after the other. It is not safe for
// concurrent use.
type Session struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	problems bytes.Buffer
}

// Start runs Middy. Close the session.
func (m *Middy) Start(ctx context.Context) (*Session, error) {
	s := &Session{cmd: exec.CommandContext(ctx, m.node, "run.mjs")}
	s.cmd.Dir, s.cmd.Stderr = m.dir, &s.problems
	// Nothing may look for credentials or a region.
	s.cmd.Env = append(os.Environ(), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x")
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	s.in, s.out = in, bufio.NewReaderSize(out, 1<<20)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("node: run.mjs: %w", err)
	}
	return s, nil
}

// Ask runs one case.
func (s *Session) Ask(c *conformance.Case) (conformance.Result, error) {
	bare := *c
	bare.Want, bare.Deviation = nil, nil
	var r conformance.Result
	if err := conformance.WriteLines(s.in, []conformance.Case{bare}); err != nil {
		return r, fmt.Errorf("node: run.mjs: %w", err)
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return r, fmt.Errorf("node: %s: run.mjs ended: %w\n%s", c.ID, err, s.problems.Bytes())
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("node: %s: %w", c.ID, err)
	}
	return r, nil
}

// Answer is Ask for [conformance.Explain]. A case that cannot be asked is reported.
func (s *Session) Answer(report func(error)) func(*conformance.Case) json.RawMessage {
	return func(c *conformance.Case) json.RawMessage {
		r, err := s.Ask(c)
		if err != nil {
			report(err)
		}
		return r.Got
	}
}

// Close ends Middy.
func (s *Session) Close() error {
	if err := s.in.Close(); err != nil {
		return fmt.Errorf("node: run.mjs: %w", err)
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("node: run.mjs: %w\n%s", err, s.problems.Bytes())
	}
	return nil
}

// Run executes the cases, in order.
func (m *Middy) Run(ctx context.Context, cases []conformance.Case) ([]conformance.Result, error) {
	s, err := m.Start(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]conformance.Result, len(cases))
	for i := range cases {
		if results[i], err = s.Ask(&cases[i]); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return results, s.Close()
}

// Script puts a module beside Middy's packages, so that it can import them, and
// returns the folder and the command that runs it there.
func (m *Middy) Script(name string, source []byte) (dir string, command []string, err error) {
	if err := os.WriteFile(filepath.Join(m.dir, name), source, 0o644); err != nil {
		return "", nil, fmt.Errorf("node: %w", err)
	}
	return m.dir, []string{m.node, name}, nil
}
