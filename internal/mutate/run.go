package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A bench is where mutants are built and run: the package, and a folder outside
// of the tree.
type bench struct {
	options
	pkg     string // its name
	dir     string // its folder, in which tests run
	scratch string
	limit   time.Duration // for the tests of one mutant
}

// errRefused means that the compiler refused the program.
var errRefused = errors.New("did not compile")

// build compiles the package's tests with files replaced, into name, and returns
// the program's path.
func (b *bench) build(name string, replace map[string]string) (program string, said []byte, err error) {
	dir := filepath.Join(b.scratch, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	paths := map[string]string{}
	for path, text := range replace {
		paths[path] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(paths[path], []byte(text), 0o600); err != nil {
			return "", nil, err
		}
	}
	overlay := filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": paths})
	if err != nil {
		return "", nil, err
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return "", nil, err
	}
	program = filepath.Join(dir, "mutant.test")
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-gcflags=-e", "-overlay", overlay, "-o", program, ".")
	cmd.Dir = b.dir
	said, err = cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 1 {
		err = fmt.Errorf("%w: %w", errRefused, err)
	}
	return program, said, err
}

var named = regexp.MustCompile(`\bmutant(\d+)\.go:\d`)

// weave builds the one program with all mutants that a switch can choose. A mutant
// that the compiler complains about is left out, to be built alone.
func (b *bench) weave(sources []*source) (program string, err error) {
	for {
		replace := map[string]string{filepath.Join(b.dir, "mutant_now.go"): chooser(b.pkg)}
		byID := map[string]*mutant{}
		for _, s := range sources {
			replace[s.path] = s.weave()
			for i := range s.mutants {
				byID[strconv.Itoa(s.mutants[i].id)] = &s.mutants[i]
			}
		}
		program, said, err := b.build("woven", replace)
		if !errors.Is(err, errRefused) {
			return program, err
		}
		again := false
		for _, found := range named.FindAllSubmatch(said, -1) {
			if m := byID[string(found[1])]; m != nil && !m.alone {
				m.alone, again = true, true
			}
		}
		if !again {
			return "", fmt.Errorf("%w\n%s", err, said)
		}
	}
}

// calibrate makes sure that the tests pass, and that no mutant takes for ever.
func (b *bench) calibrate(program string) error {
	if b.limit = b.timeout; b.limit == 0 {
		b.limit = 10 * time.Minute
	}
	began := time.Now()
	if out, err := b.run(program, 0); err != nil {
		return fmt.Errorf("the tests fail without a mutant: %w\n%s", err, out)
	}
	if b.timeout == 0 {
		b.limit = max(10*time.Since(began), 20*time.Second)
	}
	return nil
}

// judge runs the tests of each mutant of a file in a process of its own, as many
// at once as there are processors. A mutant is killed by a failure, or by the time
// that it took.
func (b *bench) judge(program string, s *source) error {
	var wg sync.WaitGroup
	errs := make([]error, len(s.mutants))
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range s.mutants {
		m := &s.mutants[i]
		if m.id == 0 {
			continue
		}
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			errs[i] = b.verdict(program, s, m)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (b *bench) verdict(program string, s *source, m *mutant) error {
	if !s.switched(m) {
		name := strconv.Itoa(m.id)
		own, _, err := b.build(name, map[string]string{s.path: s.text[:m.from] + m.new + s.text[m.to:]})
		if errors.Is(err, errRefused) {
			m.verdict = stillborn
			return nil
		}
		if err != nil {
			return err
		}
		defer os.RemoveAll(filepath.Join(b.scratch, name))
		program = own
	}
	out, err := b.run(program, m.id)
	var exit *exec.ExitError
	switch {
	case err == nil:
		m.verdict = survived
		return nil
	case !errors.As(err, &exit) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, exec.ErrWaitDelay):
		return err // it did not even start
	}
	m.verdict, m.by = killed, killer(out, exit)
	return nil
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// killer tells from what the tests printed why they failed; exit is nil when they
// had to be stopped.
func killer(out []byte, exit *exec.ExitError) string {
	switch found := failure.FindSubmatch(out); {
	case exit == nil || exit.ExitCode() < 0 || bytes.Contains(out, []byte("panic: test timed out after ")):
		return "the end of its time"
	case found != nil:
		return string(found[1])
	case bytes.Contains(out, []byte("\ngoroutine ")):
		return "a panic"
	}
	return fmt.Sprintf("exit status %d", exit.ExitCode())
}

// run runs the tests with one mutant; 0 is none.
func (b *bench) run(program string, id int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), b.limit+10*time.Second) // who does not stop is stopped
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.short", "-test.failfast", "-test.paniconexit0",
		"-test.run", b.options.run, "-test.skip", b.skip, "-test.timeout", b.limit.String())
	cmd.Dir, cmd.WaitDelay = b.dir, time.Second
	cmd.Env = append(os.Environ(), chosen+"="+strconv.Itoa(id))
	return cmd.CombinedOutput()
}

// find reads the files to mutate, as they are now.
func (o options) find(pkg string) (*bench, []*source, error) {
	match, err := regexp.Compile(o.only)
	if err != nil {
		return nil, nil, err
	}
	of, err := regexp.Compile(o.of)
	if err != nil {
		return nil, nil, err
	}
	excuses, err := readExcuses(o.excuses)
	if err != nil {
		return nil, nil, err
	}
	out, err := exec.Command("go", "list", "-f", "{{.Name}}\n{{.Dir}}\n{{join .GoFiles \"\\n\"}}", pkg).Output()
	if err != nil {
		return nil, nil, fmt.Errorf("go list %s: %w", pkg, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	b := &bench{options: o, pkg: lines[0], dir: lines[1]}
	var all []*source
	for _, name := range lines[2:] {
		if !match.MatchString(name) {
			continue
		}
		path := filepath.Join(b.dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		s := &source{path: path, text: string(text), excuses: excuses}
		if err := s.breed(); err != nil {
			return nil, nil, err
		}
		s.mutants = slices.DeleteFunc(s.mutants, func(m mutant) bool { return !of.MatchString(m.String()) })
		all = append(all, s)
	}
	return b, all, stale(excuses, all)
}
