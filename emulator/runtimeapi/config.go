package runtimeapi

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of the service, from
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const (
	// MaxPayload is the largest buffered event and the largest buffered response
	// in bytes: 6 MB, and the 100 bytes that Lambda allows for its own framing.
	MaxPayload = 6<<20 + 100
	// MaxStream is the largest streamed response in bytes.
	MaxStream = 200 << 20
	// MaxTimeout is the longest function timeout.
	MaxTimeout = 900 * time.Second
	// MaxEnv is how many bytes a function's own variables may have together.
	MaxEnv = 4 << 10
)

// A FreezeMode says when a sandbox is frozen.
type FreezeMode int

const (
	// FreezeAlways freezes a sandbox whenever Lambda would: as soon as the
	// runtime waits for the next event. It is the default.
	FreezeAlways FreezeMode = iota
	// FreezeNever keeps sandboxes running.
	FreezeNever
	// FreezeOnRequest freezes only when [Function.Freeze] is called.
	FreezeOnRequest
)

// An Overflow says what happens to an invocation that finds every sandbox busy.
type Overflow int

const (
	// Queue lets it wait for a sandbox, first come, first served. The default.
	Queue Overflow = iota
	// Refuse answers [ErrThrottled], as Lambda does at the concurrency limit.
	Refuse
)

// Credentials are what the function's process finds in its environment.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Config configures [New]. Only Command is needed.
type Config struct {
	// Command is the function's binary and its arguments.
	Command []string
	// Dir is the process's working directory, LAMBDA_TASK_ROOT on Lambda.
	// Default: this process's own.
	Dir string
	// TempDir is where each sandbox gets a directory of its own, which its processes
	// find in TMPDIR as on Lambda in /tmp, and which goes with the sandbox. Default:
	// none, and the system's own is used by all.
	TempDir string
	// Env are further variables in the form NAME=value. They are added to
	// Lambda's own and win over these, except those that the protocol needs.
	// Nothing is inherited from this process. Check what a user declared with
	// [ValidateEnv].
	Env []string
	// Credentials of the function. Default: "local" three times, which no real
	// service accepts, so that the SDK does not go looking for others.
	Credentials Credentials

	// FunctionName defaults to "function".
	FunctionName string
	// Handler is _HANDLER. Default: "bootstrap".
	Handler string
	// Region defaults to "us-east-1", AccountID to "000000000000".
	Region, AccountID string
	// MemoryMB is reported to the function, and not enforced. Default: 128.
	MemoryMB int

	// Timeout ends an invocation. Default: 3 s, Lambda's own. Negative: none, for
	// work with a debugger; the function is then told a deadline 24 h away.
	Timeout time.Duration
	// InitTimeout ends an Init outside of an invocation. Default: 10 s. Negative:
	// none.
	InitTimeout time.Duration
	// ShutdownBudget is what a process with an internal extension has between
	// SIGTERM and SIGKILL. Default: 500 ms, Lambda's own. A process without an
	// extension gets SIGKILL at once, as on Lambda. Negative: SIGKILL for all.
	ShutdownBudget time.Duration

	// Concurrency is the number of sandboxes at most. Default: 1.
	Concurrency int
	// Overflow says what happens beyond it. Default: [Queue].
	Overflow Overflow
	// PerSandbox is AWS_LAMBDA_MAX_CONCURRENCY: how many invocations one sandbox
	// has at a time. Above 1 it behaves as a Lambda Managed Instance: never
	// frozen, and a timeout ends the invocation, not the code. Default: 1.
	PerSandbox int
	// Freeze says when sandboxes are frozen. Default: [FreezeAlways].
	Freeze FreezeMode

	// Log receives each line of output, Events each step of a sandbox's life, and
	// Wire each request that the process sent. Each is called by one goroutine at
	// a time, must be quick, and must not call the Function back. Optional.
	Log    func(Line)
	Events func(Event)
	Wire   func(WireMessage)
	// Logger receives what goes wrong in the emulator itself. Default: none.
	Logger *slog.Logger
}

// reserved are the names that Lambda refuses to have declared.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION",
	"AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
	"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
	"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_MAX_CONCURRENCY", "LAMBDA_TASK_ROOT",
	"LAMBDA_RUNTIME_DIR",
}

// protocol are the names without which the process could not talk to us.
var protocol = []string{
	"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_FUNCTION_NAME",
	"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
	"AWS_LAMBDA_INITIALIZATION_TYPE",
}

// ValidateEnv checks variables that a user declared, in the form NAME=value, by
// Lambda's rules: names of at least two characters that start with a letter,
// none that Lambda reserves, 4 KB together. It returns every misfit, joined, and
// never a value.
func ValidateEnv(env []string) error {
	var errs []error
	total := 0
	for _, kv := range env {
		name, value, ok := strings.Cut(kv, "=")
		total += len(name) + len(value)
		switch {
		case !ok:
			what := "a variable"
			if validName(kv) && len(kv) <= 32 && strings.ToUpper(kv) == kv {
				what = "variable " + kv
			}
			errs = append(errs, fmt.Errorf("runtimeapi: %s has no \"=\"; write NAME=value", what))
		case !validName(name):
			errs = append(errs, fmt.Errorf("runtimeapi: variable %q: a name starts with a letter, has at least 2 characters, and only letters, digits and underscores", name))
		case slices.Contains(reserved, name):
			errs = append(errs, fmt.Errorf("runtimeapi: variable %s is reserved by Lambda; choose another name", name))
		}
	}
	if total > MaxEnv {
		errs = append(errs, fmt.Errorf("runtimeapi: the variables have %d bytes together; Lambda allows %d: move large values into a parameter", total, MaxEnv))
	}
	return errors.Join(errs...)
}

func validName(s string) bool {
	if len(s) < 2 {
		return false
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if i == 0 && !letter || !letter && r != '_' && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// Validate reports every misfit of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("runtimeapi: "+format, args...)) }
	if len(c.Command) == 0 || c.Command[0] == "" {
		bad("Command is empty; give the path of the function's binary")
	}
	if c.Timeout > MaxTimeout {
		bad("Timeout is %v; Lambda allows at most %v", c.Timeout, MaxTimeout)
	}
	if c.Concurrency < 0 || c.PerSandbox < 0 || c.MemoryMB < 0 {
		bad("Concurrency, PerSandbox and MemoryMB cannot be negative")
	}
	if c.Freeze < FreezeAlways || c.Freeze > FreezeOnRequest {
		bad("Freeze is %d; use FreezeAlways, FreezeNever or FreezeOnRequest", c.Freeze)
	}
	if c.Overflow < Queue || c.Overflow > Refuse {
		bad("Overflow is %d; use Queue or Refuse", c.Overflow)
	}
	for _, kv := range c.Env {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" || strings.ContainsRune(kv, 0) {
			bad("Env has an entry that is not NAME=value (its name: %q)", name)
		} else if slices.Contains(protocol, name) {
			bad("Env sets %s, which the emulator itself must set", name)
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&c.FunctionName, "function")
	def(&c.Handler, "bootstrap")
	def(&c.Region, "us-east-1")
	def(&c.AccountID, "000000000000")
	if c.Credentials == (Credentials{}) {
		c.Credentials = Credentials{"local", "local", "local"}
	}
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	num(&c.MemoryMB, 128)
	num(&c.Concurrency, 1)
	num(&c.PerSandbox, 1)
	dur := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	dur(&c.Timeout, 3*time.Second)
	dur(&c.InitTimeout, 10*time.Second)
	dur(&c.ShutdownBudget, 500*time.Millisecond)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Command, c.Env = slices.Clone(c.Command), slices.Clone(c.Env)
	return c
}

// environ is the whole environment of a process. Later entries win.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (c Config) environ(api, stream, initType, temp string) []string {
	dir := c.Dir
	if dir == "" {
		dir, _ = os.Getwd()
	}
	env := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"AWS_REGION=" + c.Region,
		"AWS_DEFAULT_REGION=" + c.Region,
		"AWS_ACCESS_KEY_ID=" + c.Credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + c.Credentials.SessionToken,
		"_HANDLER=" + c.Handler,
		"LAMBDA_TASK_ROOT=" + dir,
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + c.FunctionName,
		"AWS_LAMBDA_LOG_STREAM_NAME=" + stream,
		"AWS_XRAY_CONTEXT_MISSING=LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2000",
	}
	if runtime.GOOS == "windows" { // sockets need it there
		env = append(env, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
	}
	if temp != "" {
		env = append(env, "TMPDIR="+temp)
	}
	env = append(env, c.Env...)
	env = append(env,
		"AWS_LAMBDA_RUNTIME_API="+api,
		"AWS_LAMBDA_FUNCTION_NAME="+c.FunctionName,
		"AWS_LAMBDA_FUNCTION_VERSION="+latest,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+strconv.Itoa(c.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE="+initType,
	)
	if c.PerSandbox > 1 {
		env = append(env, "AWS_LAMBDA_MAX_CONCURRENCY="+strconv.Itoa(c.PerSandbox))
	}
	return env
}

func (c Config) arn(qualifier string) string {
	arn := "arn:aws:lambda:" + c.Region + ":" + c.AccountID + ":function:" + c.FunctionName
	if qualifier != "" {
		arn += ":" + qualifier
	}
	return arn
}

const latest = "$LATEST"
