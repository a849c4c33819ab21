package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
frozen between invocations as on Lambda. Before it: one or more front doors and
Lambda's Invoke API. Behind it: Secrets Manager, Parameter Store and STS, which
verify signatures, filled from seed.yaml in the package's directory.

  middy dev ./examples/orders
  curl localhost:3000/orders/42

Several doors show one function behind each of them, on ports that follow one
another; a WebSocket door brings the callback API, which the function's SDK finds:

  middy dev --front rest,alb ./examples/orders
  middy dev --websocket ./examples/chat

An edit is live as soon as it builds; what is in flight ends on the old build,
and an edit that does not build leaves the old one in place.`,
		run: runDev,
	}
}

type devConfig struct {
	arg      string
	port     int
	front    string
	fronts   []string // as read
	routes   listFlag
	stage    string
	binary   listFlag
	stream   bool
	tags     string
	seed     string
	data     string
	env      listFlag
	envFile  string
	timeout  time.Duration
	memory   int
	noFreeze bool
	noWatch  bool

	routeResponses bool
}

func (a *app) devFlags(args []string) (*devConfig, error) {
	c := &devConfig{}
	fs := flag.NewFlagSet("dev", flag.ContinueOnError)
	fs.IntVar(&c.port, "port", defaultPort, "`PORT` of the first front door and the Invoke API, more doors follow it; 0 takes free ones")
	fs.StringVar(&c.front, "front", "http", "`DOORS` before the function, with commas between: "+frontList())
	websocketToo := fs.Bool("websocket", false, "a WebSocket API, too, as with ws in --front")
	fs.Var(&c.routes, "route", "`ROUTE` of the API, as \"GET /orders/{id}\", $default or a WebSocket route key; repeat it (default: everything arrives)")
	fs.BoolVar(&c.routeResponses, "route-response", false, "answer WebSocket messages with the function's result, as route responses do")
	fs.StringVar(&c.stage, "stage", "", "`STAGE` of API Gateway, and then the first segment of the path")
	fs.Var(&c.binary, "binary", "media `TYPE` that the REST API treats as binary, as image/* or */*; repeat it for more")
	fs.BoolVar(&c.stream, "stream", false, "stream responses, at a function URL and a REST API")
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
	switch err := c.readFronts(*websocketToo); {
	case err != nil:
		return nil, err
	case c.memory < 128 || c.memory > 10240:
		return nil, usagef("--memory %d is outside of what Lambda has, 128 to 10240", c.memory)
	case c.timeout > runtimeapi.MaxTimeout:
		return nil, usagef("--timeout %v is longer than Lambda's 15 minutes; a negative one never ends", c.timeout)
	case c.timeout == 0:
		return nil, usagef("--timeout 0 leaves no time; a negative one never ends")
	}
	return c, nil
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
	fn      *swap
	env     []string // what the user gave the function
	fronts  []front
	url     string // of the first
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
	s := &session{a: a, cfg: cfg, report: newReporter(a.ui), fn: newSwap(), env: env}
	if s.program, err = findProgram(ctx, a, cfg.arg, cfg.tags); err != nil {
		return err
	}
	if s.fronts, err = listenFronts(ctx, cfg); err != nil {
		return err
	}
	defer closeFronts(s.fronts)
	s.url = s.fronts[0].url
	if s.aws, err = startAWS(ctx, cfg, s.program, s.report, reported{s.fn, s.report}); err != nil {
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
	err = s.serve(ctx)
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
	for _, kv := range slices.Concat(s.aws.shell, []string{"AWS_ENDPOINT_URL_LAMBDA=" + s.url}, callbackEnv(s.fronts)) {
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
func (s *session) serve(ctx context.Context) error {
	binary, took, err := s.build(ctx)
	if err != nil {
		return err
	}
	defer s.shutdown()
	fn, print, err := s.start(ctx, binary)
	if err != nil {
		return err
	}
	s.fn.replace(fn)
	s.accept(binary, print)
	defer s.serveFronts()()
	s.report.ready(s, took)
	if s.cfg.noWatch {
		<-ctx.Done()
		return nil
	}
	return s.watch(ctx)
}

// start brings a build up, through its Init. One that does not come up leaves no
// process.
func (s *session) start(ctx context.Context, binary string) (fn *runtimeapi.Function, print string, err error) {
	if print, err = fingerprint(binary); err != nil {
		return nil, "", failf("the build cannot be read: %w", err)
	}
	fn, err = runtimeapi.New(runtimeapi.Config{
		Command:      []string{binary},
		Dir:          s.program.Dir,
		Env:          slices.Concat(s.aws.env, callbackEnv(s.fronts), s.env),
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
		return nil, "", failf("the function cannot be run: %w", err)
	}
	if err := fn.Warm(ctx); err != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = fn.Shutdown(ended)
		return nil, "", s.initFailure(err)
	}
	return fn, print, nil
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
	s.fn.shutdown(ctx)
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

// rebuild swaps a good build in, and says why a bad one was not. Until the new one
// has its Init behind it, invocations go to the one before.
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
	fn, print, err := s.start(ctx, binary)
	if err != nil {
		if ctx.Err() == nil {
			s.report.initFailed(err)
		}
		return
	}
	s.fn.replace(fn)
	s.accept(binary, print)
	s.report.live(took, time.Since(begin))
}
