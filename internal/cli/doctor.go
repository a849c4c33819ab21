package cli

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	goversion "go/version"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func doctorCommand() command {
	return command{
		name:    "doctor",
		args:    "[./pkg]",
		summary: "what on this machine, or in a function, would get in the way",
		help: `Checks the machine, and with a package also what the function weighs, what it
links, and whether its binary starts on every runtime. Each line says ok, warn or fail, and what to do about it. Exit code 1
says that something failed.

  middy doctor ./examples/orders`,
		run: runDoctor,
	}
}

// A finding is one line of doctor.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"` // ok, warn, fail
	Text    string `json:"text"`
	Advice  string `json:"advice,omitempty"`
}

func okay(check, format string, args ...any) finding {
	return finding{Check: check, Verdict: "ok", Text: fmt.Sprintf(format, args...)}
}

func runDoctor(ctx context.Context, a *app, args []string) error {
	fs := flag.NewFlagSet("doctor", flag.ContinueOnError)
	port := fs.Int("port", defaultPort, "`PORT` that middy dev is to use")
	tags := fs.String("tags", "", "build `TAGS`, comma-separated, besides "+buildTag)
	rest, err := a.parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("one package at a time; got %s", strings.Join(rest, ", "))
	}
	failed := false
	show := func(list ...finding) {
		for _, f := range list {
			failed = failed || f.Verdict == "fail"
			a.showFinding(f)
		}
	}
	show(checkGo(ctx, a), checkPort(ctx, *port), checkFreeze(ctx), checkClock())
	show(checkEnvironment(a.env)...)
	if len(rest) == 1 {
		list, err := checkPackage(ctx, a, rest[0], *tags)
		if err != nil {
			return err
		}
		show(list...)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed {
		return &exitError{exitFailed}
	}
	return nil
}

func (a *app) showFinding(f finding) {
	if a.ui.json {
		a.ui.emit(f)
		return
	}
	color := map[string]style{"ok": green, "warn": yellow, "fail": red}[f.Verdict]
	text := fmt.Sprintf("%s %-9s %s\n", a.ui.paint(color, fmt.Sprintf("%-4s", f.Verdict)), f.Check, f.Text)
	if f.Advice != "" {
		text += fmt.Sprintf("%15s→ %s\n", "", f.Advice)
	}
	fmt.Fprint(a.ui.out, text)
}

// goFloor is the go line of this module.
const goFloor = "go1.26"

func checkGo(ctx context.Context, a *app) finding {
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Env = a.env
	out, err := cmd.Output()
	have := strings.TrimSpace(string(out))
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return finding{"go", "fail", "the go command is not on the PATH", "install Go 1.26 or newer from https://go.dev/dl"}
	case err != nil:
		return finding{"go", "fail", fmt.Sprintf("`go env GOVERSION` failed: %v", err), "run it by hand; it says more"}
	case goversion.IsValid(have) && goversion.Compare(have, goFloor) < 0:
		return finding{"go", "fail", have + " is older than " + goFloor, "install a newer Go from https://go.dev/dl"}
	}
	return okay("go", "%s", have)
}

func checkPort(ctx context.Context, port int) finding {
	l, err := listen(ctx, port)
	if err != nil {
		return finding{"port", "warn", err.Error(), ""}
	}
	defer l.Close()
	return okay("port", "%d is free", l.Addr().(*net.TCPAddr).Port)
}

// checkClock compares the two clocks over a moment: a machine whose wall clock is
// being stepped or slewed hard makes signatures that services refuse.
func checkClock() finding {
	begin := time.Now()
	timer := time.NewTimer(50 * time.Millisecond)
	<-timer.C
	end := time.Now()
	drift := (end.Round(0).Sub(begin.Round(0)) - end.Sub(begin)).Abs()
	switch {
	case end.Year() < 2026:
		return finding{"clock", "fail", "the clock says " + end.Format(time.DateOnly), "set it; AWS refuses signatures more than 5 minutes off"}
	case drift > 10*time.Millisecond:
		return finding{"clock", "warn", fmt.Sprintf("wall and monotonic clock moved apart by %s in 50 ms", duration(drift)), "something sets the clock; wait until it is done"}
	}
	return okay("clock", "wall and monotonic clock agree; whether they are right, only the network knows")
}

// redirects are variables that change what a program built or run here talks to.
var redirects = []struct{ name, what, advice string }{
	{"AWS_ENDPOINT_URL", "sends every AWS client elsewhere", "unset it before you deploy or test against AWS; middy dev does not pass it on"},
	{"AWS_LAMBDA_RUNTIME_API", "makes a function believe it is in Lambda", "unset it"},
	{"AWS_PROFILE", "chooses credentials", "harmless for middy dev, which passes nothing on"},
	{"AWS_DISABLE_CLOCK_SKEW_CORRECTION", "turns the SDK's clock correction off", "unset it, unless you know why; freshsign has its own"},
	{"HTTP_PROXY", "sends HTTP through a proxy", "make sure NO_PROXY has 127.0.0.1 and localhost"},
	{"HTTPS_PROXY", "sends HTTPS through a proxy", "make sure NO_PROXY has 127.0.0.1 and localhost"},
	{"GOOS", "builds for another system", "middy dev ignores it; go build does not"},
	{"GOARCH", "builds for another processor", "middy dev ignores it; go build does not"},
}

func checkEnvironment(env environ) []finding {
	var list []finding
	for _, r := range redirects {
		if env.get(r.name) != "" {
			list = append(list, finding{"env", "warn", r.name + " is set: it " + r.what, r.advice})
		}
	}
	var endpoints []string
	for _, kv := range env {
		if name, value, _ := strings.Cut(kv, "="); value != "" && strings.HasPrefix(name, "AWS_ENDPOINT_URL_") {
			endpoints = append(endpoints, name)
		}
	}
	if len(endpoints) > 0 {
		slices.Sort(endpoints)
		list = append(list, finding{"env", "warn", strings.Join(endpoints, ", ") + ": AWS clients of these services go elsewhere", "unset them before you test against AWS; middy dev does not pass them on"})
	}
	if strings.Contains(env.get("GOFLAGS"), "-tags") {
		list = append(list, finding{"env", "warn", "GOFLAGS has -tags: middy dev builds without them", "give them with --tags"})
	}
	if len(list) == 0 {
		return []finding{okay("env", "no variable sends AWS clients elsewhere")}
	}
	return list
}

// checkPackage builds the function three times: as it should ship, without the
// tag, and with the linker explaining itself.
func checkPackage(ctx context.Context, a *app, arg, tags string) ([]finding, error) {
	p, err := findProgram(ctx, a, arg, tags)
	if err != nil {
		return nil, err
	}
	temp, err := newTempDir("doctor")
	if err != nil {
		return nil, err
	}
	defer temp.remove()
	dir := temp.path
	defer a.ui.progress("building " + arg)()
	tagged, err := p.stripped(ctx, filepath.Join(dir, "tagged"))
	if err != nil {
		return nil, err
	}
	link := checkLinkage(filepath.Join(dir, "tagged"))
	bare := *p
	bare.tags = strings.TrimPrefix(strings.TrimPrefix(p.tags, buildTag), ",")
	untagged, err := bare.stripped(ctx, filepath.Join(dir, "untagged"))
	if err != nil {
		return nil, err
	}
	size := okay("size", "%s stripped with -tags %s; %s without", mebibytes(tagged), buildTag, mebibytes(untagged))
	if untagged-tagged > 64<<10 {
		size.Advice = "build with -tags " + buildTag + " wherever it ships"
	}
	methods, err := p.checkMethods(ctx, filepath.Join(dir, "dump"))
	if err != nil {
		return nil, err
	}
	return []finding{size, link, methods}, nil
}

func mebibytes(n int64) string { return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB" }

func (p *program) stripped(ctx context.Context, out string) (int64, error) {
	if _, err := p.build(ctx, out, "-ldflags=-s -w"); err != nil {
		return 0, err
	}
	info, err := os.Stat(out)
	if err != nil {
		return 0, failf("the build cannot be read: %w", err)
	}
	return info.Size(), nil
}

// checkLinkage looks for a dynamic linker in the binary. With one it needs a C library
// at least as new as this machine's where it runs, and the images of Lambda's runtimes
// differ: provided.al2 has glibc 2.26, provided.al2023 2.34.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
func checkLinkage(binary string) finding {
	f, err := elf.Open(binary)
	if err != nil {
		return okay("binary", "for this system, not for Lambda; GOOS=linux go build makes a static one")
	}
	defer f.Close()
	for _, prog := range f.Progs {
		if prog.Type != elf.PT_INTERP {
			continue
		}
		text := "it is linked dynamically, and does not start on a runtime whose C library is older or missing"
		if need := newestGlibc(f); need != "" {
			text += "; it needs glibc " + need
		}
		return finding{"binary", "warn", text, "build with CGO_ENABLED=0 where it ships, or on the image of its runtime if it needs C"}
	}
	return okay("binary", "static: it starts on every runtime of its processor")
}

// newestGlibc is the highest version of glibc that the binary names, or "".
func newestGlibc(f *elf.File) string {
	symbols, _ := f.ImportedSymbols() // without them there is nothing to say
	newest, found := 0, ""
	for _, s := range symbols {
		version, ok := strings.CutPrefix(s.Version, "GLIBC_2.")
		minor, _, _ := strings.Cut(version, ".")
		if n, err := strconv.Atoi(minor); ok && err == nil && n >= newest {
			newest, found = n, "2."+minor
		}
	}
	return found
}

func (p *program) checkMethods(ctx context.Context, out string) (finding, error) {
	_, dump, err := p.gocmd(ctx, "build", "-tags", p.tags, "-trimpath", "-buildvcs=false", "-o", out, "-ldflags=-s -w -dumpdep", p.pattern)
	if err != nil {
		return finding{}, p.explain("does not link", nil, err)
	}
	culprits := methodUsers(dump)
	if len(culprits) == 0 {
		return okay("link", "the linker drops what is not used: nothing looks methods up by a name known only at run time"), nil
	}
	return finding{"link", "warn",
		"the linker keeps every exported method, because of " + strings.Join(culprits, ", "),
		"do without these packages in the function; text/template, html/template and net/rpc are the usual ones"}, nil
}

// methodUsers lists the packages that own a <ReflectMethod> edge, a few of them.
func methodUsers(dump []byte) []string {
	var found []string
	for line := range bytes.Lines(dump) {
		if !bytes.Contains(line, []byte("<ReflectMethod>")) {
			continue
		}
		name, _, _ := strings.Cut(string(line), " ")
		if pkg := packageOf(name); pkg != "reflect" && !strings.HasPrefix(pkg, "type:") { // they are the way, not the cause
			found = append(found, pkg)
		}
	}
	if len(found) == 0 && bytes.Contains(dump, []byte("<ReflectMethod>")) {
		return []string{"reflect"}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return found[:min(len(found), 5)]
}

// packageOf cuts a linker's symbol behind the package's path.
func packageOf(symbol string) string {
	slash := strings.LastIndex(symbol, "/")
	if dot := strings.IndexByte(symbol[slash+1:], '.'); dot >= 0 {
		return symbol[:slash+1+dot]
	}
	return symbol
}
