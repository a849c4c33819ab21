package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

func devCommand() command {
	return command{
		name:    "dev",
		args:    "[flags] ./pkg",
		summary: "run a function as Lambda does, and rebuild it on change",
		help: `Builds the function and runs its own main against an emulated Runtime API,
frozen between invocations as on Lambda. Before it: an HTTP front door and
Lambda's Invoke API. Behind it: Secrets Manager, Parameter Store and STS, which
verify signatures, filled from seed.yaml in the package's directory.

  middy dev ./examples/orders
  curl localhost:3000/orders/42

An edit is live as soon as it builds; what is in flight ends on the old build,
and an edit that does not build leaves the old one in place.`,
		run: runDev,
	}
}

type devConfig struct {
	arg      string
	port     int
	front    string
	tags     string
	seed     string
	data     string
	env      listFlag
	envFile  string
	timeout  time.Duration
	memory   int
	noFreeze bool
	noWatch  bool
}

func (a *app) devFlags(args []string) (*devConfig, error) {
	c := &devConfig{}
	fs := flag.NewFlagSet("dev", flag.ContinueOnError)
	fs.IntVar(&c.port, "port", defaultPort, "`PORT` of the front door and the Invoke API; 0 takes a free one")
	fs.StringVar(&c.front, "front", "http", "`DOOR` before the function: http (HTTP API 2.0), url (function URL) or stream (one that streams)")
	fs.StringVar(&c.seed, "seed", "", "`FILE` with secrets and parameters (default seed.yaml, .yml or .json beside the function)")
	fs.StringVar(&c.data, "data", "", "`DIR` that keeps secrets and parameters between runs; without it they are gone at the end")
	fs.Var(&c.env, "env", "`NAME=VALUE` for the function; repeat it for more")
	fs.StringVar(&c.envFile, "env-file", "", "`FILE` with NAME=VALUE lines for the function")
	fs.DurationVar(&c.timeout, "timeout", 3*time.Second, "`DURATION` after which an invocation is ended; negative for none, to debug")
	fs.IntVar(&c.memory, "memory", 128, "`MB` that the function is told it has; not enforced")
	fs.StringVar(&c.tags, "tags", "", "build `TAGS`, comma-separated, besides "+buildTag)
	fs.BoolVar(&c.noFreeze, "no-freeze", false, "keep the function running between invocations, as Lambda does not")
	fs.BoolVar(&c.noWatch, "no-watch", false, "do not rebuild on change")
	rest, err := a.parse(fs, args)
	if err != nil {
		return nil, err
	}
	if len(rest) != 1 {
		return nil, usagef("name the directory of one function, as in `middy dev ./examples/orders`")
	}
	c.arg = rest[0]
	switch {
	case frontNames[c.front] == "":
		return nil, usagef("--front %s is not a door; use http (HTTP API 2.0), url (function URL) or stream (one that streams)", c.front)
	case c.memory < 128 || c.memory > 10240:
		return nil, usagef("--memory %d is outside of what Lambda has, 128 to 10240", c.memory)
	case c.timeout > runtimeapi.MaxTimeout:
		return nil, usagef("--timeout %v is longer than Lambda's 15 minutes; a negative one never ends", c.timeout)
	case c.timeout == 0:
		return nil, usagef("--timeout 0 leaves no time; a negative one never ends")
	}
	return c, nil
}

// frontNames are what --front takes.
var frontNames = map[string]string{
	"http":   "HTTP API 2.0",
	"url":    "function URL",
	"stream": "function URL, streamed",
}

// A session is one `middy dev`.
type session struct {
	a       *app
	cfg     *devConfig
	program *program
	dir     string // of the builds, removed at the end
	builds  int
	began   time.Time // of the last build
	good    string    // the last build that came up
	print   string    // its fingerprint
	envFile string    // for a shell
	report  *reporter
	aws     *localAWS
	fn      *runtimeapi.Function
	url     string
}

func runDev(ctx context.Context, a *app, args []string) (err error) {
	cfg, err := a.devFlags(args)
	if err != nil {
		return err
	}
	env, err := functionEnv(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := withParent(ctx)
	defer cancel()
	s := &session{a: a, cfg: cfg, report: newReporter(a.ui)}
	if s.program, err = findProgram(ctx, a, cfg.arg, cfg.tags); err != nil {
		return err
	}
	l, err := listen(ctx, cfg.port)
	if err != nil {
		return err
	}
	defer l.Close()
	s.url = "http://" + l.Addr().String()
	if s.aws, err = startAWS(ctx, cfg, s.program, s.report); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.aws.close()) }()
	if s.dir, err = os.MkdirTemp("", "middy-dev-"); err != nil {
		return failf("no temporary directory: %w", err)
	}
	defer os.RemoveAll(s.dir)
	if err := s.writeEnv(); err != nil {
		return err
	}
	err = s.serve(ctx, l, env)
	if ctx.Err() != nil {
		s.report.stopped()
		return nil // Ctrl-C is how dev ends
	}
	return err
}

// writeEnv leaves a file for a shell, which points the AWS CLI and SDKs at this
// session. Its credentials are the emulator's, and end with it, as the file does.
func (s *session) writeEnv() error {
	var b strings.Builder
	for _, kv := range append(s.aws.shell, "AWS_ENDPOINT_URL_LAMBDA="+s.url) {
		name, value, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, value) // none of ours has a quote
	}
	s.envFile = filepath.Join(s.dir, "env")
	if err := os.WriteFile(s.envFile, []byte(b.String()), 0o600); err != nil {
		return failf("the file with the environment cannot be written: %w", err)
	}
	return nil
}

// serve builds, starts, and stays until ctx ends. When it returns, no process of
// the function is left.
func (s *session) serve(ctx context.Context, l net.Listener, env []string) error {
	binary, took, err := s.build(ctx)
	if err != nil {
		return err
	}
	s.fn, err = runtimeapi.New(runtimeapi.Config{
		Command:      []string{binary},
		Dir:          s.program.Dir,
		Env:          append(s.aws.env, env...),
		Credentials:  s.aws.credentials,
		FunctionName: s.program.Name,
		Region:       s.aws.region,
		AccountID:    s.aws.account,
		MemoryMB:     s.cfg.memory,
		Timeout:      s.cfg.timeout,
		Freeze:       s.freezeMode(),
		Log:          s.report.line,
		Events:       s.report.event,
	})
	if err != nil {
		return failf("the function cannot be run: %w", err)
	}
	defer s.shutdown()
	if err := s.fn.Warm(ctx); err != nil {
		return s.initFailure(err)
	}
	print, err := fingerprint(binary)
	if err != nil {
		return failf("the build cannot be read: %w", err)
	}
	s.accept(binary, print)
	stop := s.listenAndServe(l)
	defer stop()
	s.report.ready(s, took)
	if s.cfg.noWatch {
		<-ctx.Done()
		return nil
	}
	return s.watch(ctx)
}

func (s *session) freezeMode() runtimeapi.FreezeMode {
	if s.cfg.noFreeze {
		return runtimeapi.FreezeNever
	}
	return runtimeapi.FreezeAlways
}

// initFailure says which function did not come up; what it printed stands above.
func (s *session) initFailure(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &failure{
		text:   fmt.Sprintf("%s does not start: %s", s.cfg.arg, clean(err)),
		detail: s.report.lastWords(),
		err:    err,
	}
}

// shutdown gives what is in flight a moment, then ends every process.
func (s *session) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.fn.Shutdown(ctx) // its only error is that the moment was too short
}

func (s *session) listenAndServe(l net.Listener) (stop func()) {
	doors, end := s.doors()
	srv := &http.Server{Handler: guard(doors), ReadHeaderTimeout: 10 * time.Second}
	var served sync.WaitGroup
	served.Go(func() { _ = srv.Serve(l) }) // it ends with ErrServerClosed, by stop
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
		served.Wait()
		end()
	}
}

// build makes the next binary, in its own directory, for the old one may run.
func (s *session) build(ctx context.Context) (string, time.Duration, error) {
	s.builds++
	s.began = time.Now()
	dir := filepath.Join(s.dir, strconv.Itoa(s.builds))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", 0, failf("no directory for the build: %w", err)
	}
	s.report.building(s.cfg.arg)
	end := s.a.ui.progress("building " + s.cfg.arg)
	binary := filepath.Join(dir, "bootstrap")
	took, err := s.program.build(ctx, binary)
	end()
	if err != nil {
		return "", took, err
	}
	return binary, took, nil
}

// accept makes a build that came up the good one, and removes the one before: a
// process of it that still ends an invocation has the file open.
func (s *session) accept(binary, print string) {
	if s.good != "" {
		_ = os.RemoveAll(filepath.Dir(s.good))
	}
	s.good, s.print = binary, print
}

// watch rebuilds until ctx ends.
func (s *session) watch(ctx context.Context) error {
	w := newWatcher(s.aws.seedFile, s.cfg.envFile)
	src, err := s.program.sources(ctx)
	if err != nil {
		return err
	}
	src.since = s.began
	w.watch(src)
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	running.Go(func() { w.run(ctx) })
	defer running.Wait()
	defer cancel()
	s.report.watching(len(src.dirs), w.polls())
	for {
		select {
		case <-ctx.Done():
			return nil
		case name := <-w.changed:
			switch {
			case same(name, s.aws.seedFile):
				s.report.seeded(s.aws.seedFile, s.aws.sow())
				continue
			case same(name, s.cfg.envFile):
				s.report.settingChanged(name)
				continue
			}
			s.rebuild(ctx, name)
			if src, err := s.program.sources(ctx); err == nil {
				src.since = s.began
				w.watch(src)
			}
		}
	}
}

// same says whether the watcher's absolute name is that of a file, which may be "".
func same(name, file string) bool {
	abs, err := filepath.Abs(file)
	return file != "" && err == nil && abs == name
}

// rebuild swaps a good build in and says why a bad one was not.
func (s *session) rebuild(ctx context.Context, name string) {
	begin := time.Now()
	s.report.changed(name)
	binary, took, err := s.build(ctx)
	var print string
	if err == nil {
		print, err = fingerprint(binary)
	}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		s.report.buildFailed(err)
		return
	case print == s.print:
		s.report.unchanged()
		return
	}
	s.fn.Replace([]string{binary})
	if err := s.fn.Warm(ctx); err != nil {
		if ctx.Err() != nil {
			return
		}
		s.report.initFailed(s.initFailure(err))
		s.fn.Replace([]string{s.good})
		_ = s.fn.Warm(ctx) // it came up before; if not now, the next invocation says why
		return
	}
	s.accept(binary, print)
	s.report.live(took, time.Since(begin))
}
