package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// buildTag keeps net/rpc out of the function. Without it lambda.Start links the
// go1.x path, and the linker keeps every exported method of the program.
const buildTag = "lambda.norpc"

// A program is the package main that becomes a function.
type program struct {
	arg        string // as the user named it
	workDir    string // where go commands run
	pattern    string // what they are given
	Dir        string
	ImportPath string
	Name       string
	env        []string
	tags       string
	debug      bool // for a debugger: not optimised, and with the paths of this machine
}

// findProgram resolves the argument of dev, iam and doctor with one `go list`. A
// directory is entered, so that a function with its own go.mod works from anywhere.
func findProgram(ctx context.Context, a *app, arg, tags string) (*program, error) {
	p := &program{arg: arg, pattern: arg, tags: buildTag, env: goEnv(a.env)}
	if tags != "" {
		p.tags += "," + tags
	}
	if strings.HasSuffix(arg, ".go") {
		arg = filepath.Dir(arg)
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		p.workDir, p.pattern = arg, "."
	case strings.Contains(arg, "..."):
		return nil, failf("%s may match many packages; name the directory of one main package", p.arg)
	case isPath(arg):
		return nil, failf("there is no directory %s; name the directory of the function's main package", p.arg)
	}
	out, stderr, err := p.gocmd(ctx, "list", "-e", "-tags", p.tags, "-json=Dir,ImportPath,Name,Error", p.pattern)
	if err != nil {
		return nil, p.explain("cannot be listed", stderr, err)
	}
	var listed struct {
		Dir, ImportPath, Name string
		Error                 *struct{ Err string }
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&listed); err != nil {
		return nil, failf("`go list %s` printed no package; name the directory of the function's main package", p.arg)
	}
	if listed.Error != nil && listed.Name == "" {
		return nil, p.explainList(listed.Error.Err)
	}
	if listed.Name != "main" {
		return nil, failf("%s is package %s, not a program: a Lambda function is a package main that calls middy.Start or lambda.Start", p.arg, listed.Name)
	}
	p.Dir, p.ImportPath = listed.Dir, listed.ImportPath
	p.Name = functionName(listed.ImportPath, listed.Dir)
	return p, nil
}

func isPath(arg string) bool {
	return arg == "." || arg == ".." || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") || filepath.IsAbs(arg)
}

// nameChars are what Lambda allows in a function's name.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
var nameChars = regexp.MustCompile(`[^a-zA-Z0-9_-]+`)

func functionName(importPath, dir string) string {
	base := importPath[strings.LastIndex(importPath, "/")+1:]
	if base == "" || base == "command-line-arguments" || base == "main" {
		base = filepath.Base(dir)
	}
	name := strings.Trim(nameChars.ReplaceAllString(base, "-"), "-")
	if name == "" {
		return "function"
	}
	return name[:min(len(name), 64)]
}

// goEnv is the environment of the go command: the user's, without what would make
// a binary that cannot run here.
func goEnv(env environ) []string {
	return append(env.without("GOOS", "GOARCH"), "GOFLAGS="+flagsWithoutTags(env.get("GOFLAGS")))
}

// flagsWithoutTags drops -tags from GOFLAGS: the command line's would win anyway,
// and saying so is doctor's business.
func flagsWithoutTags(flags string) string {
	var keep []string
	for _, f := range strings.Fields(flags) {
		if !strings.HasPrefix(strings.TrimLeft(f, "-"), "tags=") {
			keep = append(keep, f)
		}
	}
	return strings.Join(keep, " ")
}

// gocmd runs the go command in the program's directory. It is interrupted, then
// killed, with the compilers and linkers that it started, when ctx ends, and it is
// gone when gocmd returns.
func (p *program) gocmd(ctx context.Context, args ...string) (stdout, stderr []byte, err error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.workDir
	cmd.Env = p.env
	cmd.SysProcAttr = childAttr()
	cmd.Cancel = func() error { return interruptGroup(cmd.Process) }
	cmd.WaitDelay = 2 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	runtime.LockOSThread() // see childAttr
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if ctx.Err() != nil {
		if cmd.Process != nil {
			_ = killGroup(cmd.Process) // nothing is left of it, mostly
		}
		return nil, nil, ctx.Err()
	}
	return out.Bytes(), errs.Bytes(), err
}

// build compiles into the file out and returns how long that took. The error is a
// [*failure] whose detail is the compiler's text with paths as the user sees them.
func (p *program) build(ctx context.Context, out string, more ...string) (time.Duration, error) {
	begin := time.Now()
	args := append([]string{"build", "-tags", p.tags, "-buildvcs=false", "-o", out}, more...)
	if p.debug {
		args = append(args, "-gcflags=all=-N -l")
	} else {
		args = append(args, "-trimpath")
	}
	_, stderr, err := p.gocmd(ctx, append(args, p.pattern)...)
	if err != nil {
		return time.Since(begin), p.explain("does not build", stderr, err)
	}
	return time.Since(begin), nil
}

// explain makes one sentence and one block of a failed go command.
func (p *program) explain(what string, stderr []byte, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, exec.ErrNotFound) {
		return &failure{text: "the go command is not on the PATH; install Go 1.26 or newer from https://go.dev/dl", err: err}
	}
	return &failure{text: p.arg + " " + what, detail: p.compilerText(stderr), err: err}
}

func (p *program) explainList(text string) error {
	switch {
	case strings.Contains(text, "no Go files"), strings.Contains(text, "no non-test Go files"):
		return failf("%s has no Go files; name the directory of the function's main package", p.arg)
	case strings.Contains(text, "build constraints exclude all Go files"):
		return failf("the build constraints in %s exclude all Go files on this platform; see --tags", p.arg)
	case strings.Contains(text, "go.mod file not found"):
		return failf("%s is in no Go module; run `go mod init` first", p.arg)
	}
	return &failure{text: p.arg + " is not a package that can be built", detail: p.compilerText([]byte(text))}
}

// position is file:line:col at the start of a compiler's line.
var position = regexp.MustCompile(`(?m)^(\s*)([^\s:]+\.go)(:\d+)`)

// compilerText drops the "# package" headers and makes paths relative to where the
// user stands instead of where the compiler ran.
func (p *program) compilerText(stderr []byte) string {
	var lines []string
	for line := range strings.Lines(string(stderr)) {
		if !strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "go: downloading ") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	text := strings.Join(lines, "\n")
	if p.workDir == "" {
		return text
	}
	return position.ReplaceAllStringFunc(text, func(match string) string {
		m := position.FindStringSubmatch(match)
		if filepath.IsAbs(m[2]) {
			return match
		}
		return m[1] + shorten(filepath.Join(p.workDir, m[2])) + m[3]
	})
}

// shorten makes path relative to the working directory when that is shorter.
func shorten(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, abs)
	if err != nil || len(rel) > len(abs) {
		return abs
	}
	return rel
}

// sources are what makes a program and may change under it.
type sources struct {
	dirs   []string // of packages: their source counts
	embeds []string // of what they embed: everything in them counts
	tree   []string // of what is deployed beside the binary: all but source counts
	files  []string // go.mod and go.sum
	// since is when the build began that was made from them: what is newer has
	// not been built.
	since time.Time
}

// sources lists those of the main module, of the workspace, and of local
// replacements. Modules from the cache are read-only and left out.
func (p *program) sources(ctx context.Context) (*sources, error) {
	out, stderr, err := p.gocmd(ctx, "list", "-e", "-deps", "-tags", p.tags, "-json=Dir,Standard,Module,EmbedFiles", p.pattern)
	if err != nil {
		return nil, p.explain("cannot be listed", stderr, err)
	}
	type module struct {
		Main    bool
		Version string
		Dir     string
		Replace *struct{ Version string }
	}
	src := &sources{}
	_ = walkTask(p.Dir, nil, func(path string, d fs.DirEntry) error { // what cannot be read, the copy complains of
		if d.IsDir() {
			src.tree = append(src.tree, path)
		}
		return nil
	})
	add := func(list *[]string, path string) {
		if path != "" && !slices.Contains(*list, path) {
			*list = append(*list, path)
		}
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			Dir        string
			Standard   bool
			Module     *module
			EmbedFiles []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return src, nil
		} else if err != nil {
			return nil, fmt.Errorf("cli: reading the output of `go list -deps`: %w", err)
		}
		m := pkg.Module
		local := m == nil || m.Main || (m.Replace != nil && m.Replace.Version == "")
		if pkg.Standard || !local {
			continue
		}
		add(&src.dirs, pkg.Dir)
		for _, f := range pkg.EmbedFiles {
			add(&src.embeds, filepath.Dir(filepath.Join(pkg.Dir, f)))
		}
		if m != nil && m.Dir != "" {
			add(&src.files, filepath.Join(m.Dir, "go.mod"))
			add(&src.files, filepath.Join(m.Dir, "go.sum"))
		}
	}
}
