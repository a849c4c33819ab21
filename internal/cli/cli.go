// Package cli is the middy command: a Lambda function on this machine, run the
// way Lambda runs it.
//
// A function that works under `go run` can still fail in Lambda, because Lambda
// does three things a laptop does not: it speaks the Runtime API to the process,
// it freezes the process between invocations, and it refuses a request whose
// signature is too old. The commands here do the same three things locally, with
// the function's own main and without a container, an account or a network. The
// function is hosted as there, too: read-only files, a directory for temporary ones,
// an environment of its own, and a process for each request at a time.
//
//	middy dev ./pkg       build, run, rebuild on change; front doors and Invoke API
//	middy invoke          call a function that middy dev runs
//	middy iam ./pkg       the least policy for what the function declares
//	middy doctor          what on this machine would get in the way
//	middy demo freeze     plain SDK and Middy through the same freezes, one table
//
// The whole command is [Run]: arguments, streams and environment in, an exit code
// out. Nothing here reads os.Args or os.Environ, so the tests drive what users run.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/gomiddy/middy/internal/demo"
)

// Exit codes of [Run].
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT, what a shell expects
)

// A command is one entry of `middy help`.
type command struct {
	name    string
	args    string // what follows the name in the usage line
	summary string
	help    string // the paragraph and the examples below the usage line
	run     func(ctx context.Context, a *app, args []string) error
}

func commands() []command {
	return []command{devCommand(), invokeCommand(), iamCommand(), doctorCommand(), demoCommand()}
}

// app is what a command gets: the streams and the environment of one Run.
type app struct {
	command string // "dev", for messages
	stdin   io.Reader
	ui      *ui
	env     environ
}

// Run executes the command line args (without the program's name) and returns
// the exit code: 0 for success, 1 for a failure, 2 for a wrong command line, 130
// when ctx was cancelled before a command that has an end had come to it. env has
// the form of os.Environ. Run returns only after every process it started is gone
// and every temporary directory is removed.
//
// Run is safe for concurrent use, as far as the ports asked for differ.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	vars := newEnviron(env)
	if name := vars.get(demo.FunctionVar); name != "" {
		return demo.RunFunction(name, stderr) // this process is one of demo's functions
	}
	a := &app{stdin: stdin, env: vars, ui: newUI(stdout, stderr, vars)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.ui.gone = cancel // as in `middy dev | head`: nobody is left to work for
	if len(args) == 0 {
		a.usage(a.ui.err)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		return a.help(args[1:])
	case "version", "--version":
		fmt.Fprintln(a.ui.out, version())
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			a.command = c.name
			return a.exit(ctx, c, c.run(ctx, a, args[1:]))
		}
	}
	fmt.Fprintf(a.ui.err, "middy: there is no command %q; the commands are %s\n", args[0], commandNames())
	return exitUsage
}

func (a *app) help(args []string) int {
	if len(args) == 0 {
		a.usage(a.ui.out)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return a.exit(context.Background(), c, c.run(context.Background(), a, []string{"-h"}))
		}
	}
	fmt.Fprintf(a.ui.err, "middy: there is no command %q; the commands are %s\n", args[0], commandNames())
	return exitUsage
}

func commandNames() string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

func (a *app) usage(w io.Writer) {
	fmt.Fprint(w, "middy runs, calls and examines Lambda functions on this machine.\n\nUsage:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  middy %-30s %s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
	}
	fmt.Fprint(w, "\n`middy help COMMAND` explains one of them.\n")
}

// exit turns what a command returned into its exit code, after saying on stderr
// what has not been said yet.
func (a *app) exit(ctx context.Context, c command, err error) int {
	var wrong *usageError
	var help *helpRequest
	var said *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &help):
		fmt.Fprintf(a.ui.out, "Usage: middy %s %s\n\n%s\n\nFlags:\n%s", c.name, c.args, strings.TrimSpace(c.help), help.flags)
		return exitOK
	case errors.As(err, &said):
		return said.code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &wrong):
		a.ui.failure(c.name, err)
		fmt.Fprintf(a.ui.err, "`middy help %s` lists the flags.\n", c.name)
		return exitUsage
	}
	a.ui.failure(c.name, err)
	return exitFailed
}

// A usageError is a command line that cannot be followed.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// A helpRequest is -h; it carries the rendered flags.
type helpRequest struct{ flags string }

func (*helpRequest) Error() string { return "help requested" }

// An exitError ends the command with a code after everything has been said.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// A failure is one clear sentence, and below it the text of another program that
// explains it, such as the compiler's.
type failure struct {
	text   string
	detail string
	err    error
}

func (e *failure) Error() string { return e.text }
func (e *failure) Unwrap() error { return e.err }

func failf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &failure{text: err.Error(), err: errors.Unwrap(err)}
}

// parse reads flags that stand before, between or behind the arguments, as people
// type them: `middy dev ./pkg --port 0`. The standard library stops at the first
// argument, so it is asked again after each.
func (a *app) parse(fs *flag.FlagSet, args []string) ([]string, error) {
	fs.SetOutput(io.Discard)
	fs.BoolVar(&a.ui.json, "json", a.ui.json, "print JSON, one object a line, for machines")
	var rest []string
	for {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, &helpRequest{flags: flagText(fs)}
		}
		if err != nil {
			return nil, usagef("%s", flagMessage(fs, err))
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// invalidValue is the standard library's message about a value.
var invalidValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([^:]+): (.*)$`)

// flagMessage says "--port" where the standard library says "-port", and what a value
// has to look like.
func flagMessage(fs *flag.FlagSet, err error) string {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return "there is no such flag: --" + name
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return "flag needs an argument: --" + name
	}
	m := invalidValue.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	value, name, reason := m[1], m[2], m[3]
	if g, ok := fs.Lookup(name).Value.(flag.Getter); ok {
		switch g.Get().(type) {
		case time.Duration:
			reason = "a duration has a unit, as 3s or 1m30s"
			if n := strings.Trim(value, `"`); n != "" && strings.Trim(n, "0123456789") == "" {
				reason = "a duration has a unit; write " + n + "s"
			}
		case int:
			reason = "it is not a number"
		case bool:
			reason = "it is true or false"
		}
	}
	return fmt.Sprintf("invalid value %s for flag --%s: %s", value, name, reason)
}

func flagText(fs *flag.FlagSet) string {
	var b strings.Builder
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		head := "--" + f.Name
		if value != "" {
			head += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0s" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, "  %-20s %s\n", head, text)
	})
	return b.String()
}

// A listFlag collects the values of a flag that may be given more than once.
type listFlag []string

func (l *listFlag) String() string     { return "" }
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }
