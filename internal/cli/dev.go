package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
and an edit that does not build leaves the old one in place. The files beside the
source are deployed with it: a change of one starts new sandboxes, too, as does a
change of the seed file. Tests, hidden files and files of other packages do nothing.

Requests in parallel get a sandbox each, up to --concurrency; the next one waits,
and its END line says how long. On Lambda it would start one more, or be throttled.

The function runs as on Lambda: in a copy of the package's folder without source,
which cannot be written to (a superuser can, and is warned), and with a directory
for temporary files of its own in TMPDIR, as /tmp is there; its limit of 512 MB is not
enforced. Its environment has nothing of yours but --env and --env-file.

Emulated are Secrets Manager, Parameter Store, STS and the Invoke API for this
function. A rotation runs the function when the secret names its ARN; without an
ARN, or with another function's, a built-in one makes a new password (in JSON only
the member "password", else the whole value). A call to any other AWS service ends
here with an error, whatever credentials you have, unless you say where it goes:

  middy dev --env AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000 ./pkg
  middy dev --pass s3,dynamodb ./pkg

--pass goes to AWS itself, in --region, with your own credentials (environment, then
AWS_PROFILE). The function does not get them: its requests are signed anew on their
way, after its own signature was verified. Presigned URLs cannot be passed.

The file that "shell" names points the AWS CLI and SDKs here: awscli 2.13, boto3
1.28 or newer; for older ones give --endpoint-url.

A function that takes events of SQS, SNS, S3 and the like gets no HTTP door unless
--front names one; call it with middy invoke --template sqs.

A WebSocket API takes 1,000 connections; each costs about 100 KB here.

A debugger needs a build with its names and no time limit:

  middy dev --debug ./pkg
  dlv attach PID

--debug prints the second line with the function's process. It stays one process
that is never frozen.`,
		run: runDev,
	}
}

var validRegion = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)

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
	region   string
	pass     string
	passed   []string // as read
	noFreeze bool
	noWatch  bool
	debug    bool
	verbose  bool

	concurrency    int
	routeResponses bool
	frontGiven     bool // the user named the doors
}

// defaultConcurrency is how many sandboxes there may be: more than a browser or a page
// asks for at a time, and few enough for a laptop. They start as they are needed.
const defaultConcurrency = 20

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
	fs.IntVar(&c.concurrency, "concurrency", defaultConcurrency, "`N` sandboxes at most, each for one request at a time; further requests wait")
	fs.StringVar(&c.region, "region", "us-east-1", "`REGION` that the function and the emulated AWS are in")
	fs.StringVar(&c.pass, "pass", "", "`SERVICES` that are AWS's own, with your credentials, as s3,dynamodb (names as in AWS_ENDPOINT_URL_<NAME>)")
	fs.BoolVar(&c.verbose, "verbose", false, "show events and responses, up to 4 KB of each")
	fs.BoolVar(&c.debug, "debug", false, "build for a debugger, and neither freeze nor end the function")
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
	fs.Visit(func(f *flag.Flag) { c.frontGiven = c.frontGiven || f.Name == "front" || f.Name == "websocket" })
	if c.debug {
		c.timeout, c.noFreeze, c.concurrency = -1, true, 1
	}
	if c.passed, err = readPass(c.pass); err != nil {
		return nil, err
	}
	switch err := c.readFronts(*websocketToo); {
	case err != nil:
		return nil, err
	case c.memory < 128 || c.memory > 10240:
		return nil, usagef("--memory %d is outside of what Lambda has, 128 to 10240", c.memory)
	case c.concurrency < 1 || c.concurrency > 1000:
		return nil, usagef("--concurrency %d is not between 1 and 1000", c.concurrency)
	case !validRegion.MatchString(c.region):
		return nil, usagef("--region %q is not a region; it looks like eu-west-1", c.region)
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
	temp    *tempDir // the builds and the sandboxes' directories
	builds  int
	began   time.Time // of the last build
	good    *build    // the last one that came up
	envFile string    // for a shell
	report  *reporter
	aws     *localAWS
	fn      *swap
	env     []string // what the user gave the function
	fronts  []front
	url     string // of the first
	// why says why there is no door for HTTP, when the function takes other events.
	why string
}

// A build is a function as it would be deployed.
type build struct {
	task   string // what is /var/task on Lambda
	binary string
	dir    string // the working directory: task, or the package's own
	print  string // fingerprint of task
	took   time.Duration

	mu     sync.Mutex
	before listing // what was in task, where the function can write to it
}

func runDev(ctx context.Context, a *app, args []string) (err error) {
	cfg, err := a.devFlags(args)
	if err != nil {
		return err
	}
	report := newReporter(a.ui)
	report.verbose = cfg.verbose
	env, err := functionEnv(cfg.envFile, cfg.env, report.warn)
	if err != nil {
		return err
	}
	ctx, cancel := withParent(ctx)
	defer cancel()
	s := &session{a: a, cfg: cfg, report: report, fn: newSwap(), env: env}
	if s.program, err = findProgram(ctx, a, cfg.arg, cfg.tags); err != nil {
		return err
	}
	s.program.debug = cfg.debug
	if kind := s.program.eventKind(); kind != "" && !cfg.frontGiven {
		cfg.fronts = []string{noFront}
		s.why = fmt.Sprintf("the function takes events of %s, and no HTTP; --front http gives it a door", kind)
	}
	if s.fronts, err = listenFronts(ctx, cfg); err != nil {
		return err
	}
	defer closeFronts(s.fronts)
	s.url = s.fronts[0].url
	if s.aws, err = startAWS(ctx, a, cfg, s.program, s.report, reported{s.fn, s.report}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.aws.close()) }()
	if s.temp, err = newTempDir("dev"); err != nil {
		return err
	}
	defer s.temp.remove()
	s.program.env = append(s.program.env, "TMPDIR="+s.temp.path) // what go leaves when it is killed goes with it
	if err := s.writeEnv(); err != nil {
		return err
	}
	s.warnOfEndpoints()
	err = s.serve(ctx)
	if ctx.Err() != nil {
		s.report.stopped()
		return nil // Ctrl-C is how dev ends
	}
	return err
}

// warnOfEndpoints says which addresses of the developer's shell do not count here.
func (s *session) warnOfEndpoints() {
	for _, kv := range s.a.env {
		name, value, _ := strings.Cut(kv, "=")
		given := slices.ContainsFunc(s.env, func(v string) bool { return strings.HasPrefix(v, name+"=") }) ||
			slices.Contains(s.cfg.passed, strings.ToLower(strings.TrimPrefix(name, "AWS_ENDPOINT_URL_")))
		if strings.HasPrefix(name, "AWS_ENDPOINT_URL") && value != "" && !given {
			s.report.warn(fmt.Sprintf("%s of your shell is not passed on to the function; give it with --env %s", name, name+"=…"))
		}
	}
}

// writeEnv leaves a file for a shell, which points the AWS CLI and SDKs at this
// session. Its credentials are the emulator's, and end with it, as the file does.
func (s *session) writeEnv() error {
	var b strings.Builder
	b.WriteString(`# Points a shell at middy dev: awscli 2.13, boto3 1.28 or newer; older ones need --endpoint-url.
# A profile, a proxy or a switch of the shell's must not lead past it.
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_USE_FIPS_ENDPOINT AWS_USE_DUALSTACK_ENDPOINT AWS_CREDENTIAL_EXPIRATION
export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}" no_proxy="127.0.0.1,localhost${no_proxy:+,$no_proxy}"
`)
	for _, kv := range s.a.env { // those of the shell that reads the file, as far as they are ours to know
		if name, value, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_ENDPOINT_URL_") && value != "" {
			fmt.Fprintf(&b, "unset %s\n", name)
		}
	}
	for _, kv := range slices.Concat(s.aws.shell, s.endpoints()) {
		name, value, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, value) // none of ours has a quote
	}
	s.envFile = filepath.Join(s.temp.path, "env")
	if err := os.WriteFile(s.envFile, []byte(b.String()), 0o600); err != nil {
		return failf("the file with the environment cannot be written: %w", err)
	}
	return nil
}

// endpoints are those beside the emulated AWS: the Invoke API and the callback API.
func (s *session) endpoints() []string {
	return append([]string{"AWS_ENDPOINT_URL_LAMBDA=" + s.url}, callbackEnv(s.fronts)...)
}

// serve builds, starts, and stays until ctx ends. When it returns, no process of
// the function is left. A first build that fails waits for the edit, as later ones do.
func (s *session) serve(ctx context.Context) error {
	defer s.shutdown()
	defer s.serveFronts()()
	err := s.renew(ctx)
	if s.cfg.noWatch {
		if err == nil {
			<-ctx.Done()
		}
		return err
	}
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.report.broken(err, "")
	}
	return s.watch(ctx)
}

// renew builds the function and makes it the one that answers, unless it is the same
// as before.
func (s *session) renew(ctx context.Context) error {
	begin := time.Now()
	s.fn.building()
	b, err := s.build(ctx)
	if err != nil {
		s.fn.failed(s.cfg.arg + " does not build; the console of middy dev says why")
		return err
	}
	if s.good != nil && b.print == s.good.print {
		removeTree(b.task)
		s.report.unchanged()
		return nil
	}
	fn, err := s.start(ctx, b)
	if err != nil {
		removeTree(b.task)
		s.fn.failed(s.cfg.arg + " does not start; the console of middy dev says why")
		return err
	}
	first := s.good == nil
	s.good = b
	s.fn.replace(fn, func() { removeTree(b.task) })
	if first {
		s.report.ready(s, b.took)
	} else {
		s.report.live(b.took, time.Since(begin))
	}
	if s.cfg.debug {
		s.report.debug(fn)
	}
	return nil
}

// start brings a build up, through its Init. One that does not come up leaves no
// process.
func (s *session) start(ctx context.Context, b *build) (*runtimeapi.Function, error) {
	fn, err := runtimeapi.New(runtimeapi.Config{
		Command:      []string{b.binary},
		Dir:          b.dir,
		TempDir:      filepath.Join(s.temp.path, "tmp"),
		Env:          slices.Concat(s.aws.env, s.endpoints(), s.env),
		Credentials:  s.aws.credentials,
		FunctionName: s.program.Name,
		Region:       s.aws.region,
		AccountID:    s.aws.account,
		MemoryMB:     s.cfg.memory,
		Timeout:      s.cfg.timeout,
		InitTimeout:  s.initTimeout(),
		Concurrency:  s.cfg.concurrency,
		Freeze:       s.freezeMode(),
		Log:          s.report.line,
		Events:       func(e runtimeapi.Event) { s.report.event(e); b.look(e, s.report) },
	})
	if err != nil {
		return nil, failf("the function cannot be run: %w", err)
	}
	if err := fn.Warm(ctx); err != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = fn.Shutdown(ended)
		return nil, s.initFailure(err)
	}
	return fn, nil
}

// initTimeout is Lambda's, or none for a debugger.
func (s *session) initTimeout() time.Duration {
	if s.cfg.debug {
		return -1
	}
	return 0
}

// look warns of what the function wrote into its own directory, after each Init and
// invocation. Only a superuser's processes can.
func (b *build) look(e runtimeapi.Event, r *reporter) {
	if e.Type != runtimeapi.InitDone && e.Type != runtimeapi.InvokeDone {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.before == nil {
		return
	}
	now := list(b.task)
	if names := b.before.written(b.task, now); len(names) > 0 {
		r.warn(fmt.Sprintf("the function wrote %s into its own directory, which is read-only on Lambda: write below os.TempDir()", strings.Join(names, ", ")))
	}
	b.before = now
}

func (s *session) freezeMode() runtimeapi.FreezeMode {
	if s.cfg.noFreeze {
		return runtimeapi.FreezeNever
	}
	return runtimeapi.FreezeAlways
}

// initFailure says which function did not come up, and what it printed.
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

// build makes the next one, in its own directory, for the old one may run.
func (s *session) build(ctx context.Context) (b *build, err error) {
	s.builds++
	s.began = time.Now()
	task := filepath.Join(s.temp.path, strconv.Itoa(s.builds))
	if err := os.Mkdir(task, 0o700); err != nil {
		return nil, failf("no directory for the build: %w", err)
	}
	defer func() {
		if err != nil {
			removeTree(task)
		}
	}()
	s.report.building(s.cfg.arg, s.builds == 1)
	end := s.a.ui.progress("building " + s.cfg.arg)
	b = &build{task: task, binary: filepath.Join(task, "bootstrap"), dir: task}
	b.took, err = s.program.build(ctx, b.binary)
	end()
	if err != nil {
		return nil, err
	}
	switch err := copyTask(s.program.Dir, task, s.notDeployed()); {
	case errors.Is(err, errTaskTooLarge):
		s.report.warn(fmt.Sprintf("%s has %v of files, and Lambda takes 250 MB: the function runs in the folder itself", shorten(s.program.Dir), err))
		b.dir = s.program.Dir
	case err != nil:
		return nil, failf("the files beside the function cannot be copied: %w", err)
	}
	if b.print, err = fingerprint(task); err == nil {
		err = readOnly(task)
	}
	if err != nil {
		return nil, failf("the build cannot be used: %w", err)
	}
	if os.Geteuid() == 0 {
		b.before = list(task)
	}
	return b, nil
}

// notDeployed are files that may stand in the package's directory for dev alone.
func (s *session) notDeployed() []string {
	var files []string
	for _, f := range []string{s.aws.seedFile, s.cfg.envFile} {
		if abs, err := filepath.Abs(f); err == nil && f != "" {
			files = append(files, abs)
		}
	}
	return files
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
			if s.aws.seedFile == "" && filepath.Dir(name) == s.program.Dir && slices.Contains(seedNames, filepath.Base(name)) {
				s.aws.seedFile = name // it came later than dev
			}
			switch {
			case same(name, s.aws.seedFile):
				s.reseed()
				continue
			case same(name, s.cfg.envFile):
				s.report.settingChanged(name)
				continue
			}
			s.report.changed(name)
			if err := s.renew(ctx); err != nil && ctx.Err() == nil {
				s.report.broken(err, s.lastGood())
			}
			if src, err := s.program.sources(ctx); err == nil {
				src.since = s.began
				w.watch(src)
			}
		}
	}
}

// lastGood says what goes on while a build is broken.
func (s *session) lastGood() string {
	if s.good == nil {
		return ""
	}
	return "the last good build keeps running"
}

// reseed loads the seed file, and starts new sandboxes: those there are have values
// that they may keep for minutes.
func (s *session) reseed() {
	err := s.aws.sow()
	if err == nil {
		s.fn.fresh()
	}
	s.report.seeded(s.aws.seedFile, err)
}

// same says whether the watcher's absolute name is that of a file, which may be "".
func same(name, file string) bool {
	abs, err := filepath.Abs(file)
	return file != "" && err == nil && abs == name
}
