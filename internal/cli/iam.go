package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy"
)

// describeLimit is how long a function may take to describe itself. It does no
// I/O for it; the time is package initialisation on a busy machine.
const describeLimit = 10 * time.Second

func iamCommand() command {
	return command{
		name:    "iam",
		args:    "./pkg",
		summary: "the least policy for what the function declares",
		help: `Builds the function, asks it which secrets, parameters and other values its
middlewares declare, and prints the IAM policy that allows just that, for the
region in AWS_REGION (without one, us-east-1). The function calls nothing and needs no
credentials for it; of your environment it gets only what --env and --env-file name.
The reasons go to stderr, so that the output can be redirected:

  middy iam ./examples/orders > policy.json
  middy iam --env ISSUER=https://issuer.example ./examples/rest`,
		run: runIAM,
	}
}

// A policy is an IAM policy document.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type policy struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
}

type statement struct {
	Effect    string                       `json:"Effect"`
	Action    []string                     `json:"Action"`
	Resource  []string                     `json:"Resource"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`

	reasons []string
}

func runIAM(ctx context.Context, a *app, args []string) error {
	fs := flag.NewFlagSet("iam", flag.ContinueOnError)
	tags := fs.String("tags", "", "build `TAGS`, comma-separated, besides "+buildTag)
	var given listFlag
	fs.Var(&given, "env", "`NAME=VALUE` for the function; repeat it for more")
	envFile := fs.String("env-file", "", "`FILE` with NAME=VALUE lines for the function")
	rest, err := a.parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("name the directory of one function, as in `middy iam ./examples/orders`")
	}
	env, err := functionEnv(*envFile, given, func(text string) { fmt.Fprintf(a.ui.err, "middy iam: %s\n", text) })
	if err != nil {
		return err
	}
	m, err := describe(ctx, a, rest[0], *tags, env)
	if err != nil {
		return err
	}
	p := leastPolicy(m.Permissions)
	if a.ui.json {
		a.ui.emit(struct {
			Policy   policy          `json:"policy"`
			Manifest *middy.Manifest `json:"manifest"`
		}{p, m})
		return nil
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("cli: encoding the policy: %w", err)
	}
	fmt.Fprintf(a.ui.out, "%s\n", text)
	if len(p.Statement) == 0 {
		fmt.Fprintf(a.ui.err, "%s declares nothing that needs a permission.\n", rest[0])
	}
	for _, s := range p.Statement {
		fmt.Fprintf(a.ui.err, "%s\n  on %s\n", strings.Join(s.Action, ", "), strings.Join(s.Resource, "\n     "))
		for _, r := range s.reasons {
			fmt.Fprintf(a.ui.err, "  because %s\n", r)
		}
	}
	return nil
}

// describe builds the function and reads its manifest.
func describe(ctx context.Context, a *app, arg, tags string, env []string) (*middy.Manifest, error) {
	p, err := findProgram(ctx, a, arg, tags)
	if err != nil {
		return nil, err
	}
	dir, err := newTempDir("iam")
	if err != nil {
		return nil, err
	}
	defer dir.remove()
	binary := filepath.Join(dir.path, "bootstrap")
	end := a.ui.progress("building " + arg)
	_, err = p.build(ctx, binary)
	end()
	if err != nil {
		return nil, err
	}
	return askManifest(ctx, a.region(), arg, binary, env)
}

// region is what the policy is for: the one of the user's environment.
func (a *app) region() string {
	return cmp.Or(a.env.get("AWS_REGION"), a.env.get("AWS_DEFAULT_REGION"), "us-east-1")
}

func askManifest(ctx context.Context, region, arg, binary string, env []string) (*middy.Manifest, error) {
	limited, cancel := context.WithTimeout(ctx, describeLimit)
	defer cancel()
	cmd := exec.CommandContext(limited, binary)
	// A clean environment: no credentials, no Runtime API, nothing of the user's that is
	// not given.
	cmd.Env = append([]string{"TZ=:UTC", "AWS_REGION=" + region, "AWS_EC2_METADATA_DISABLED=true"}, env...)
	cmd.Env = append(cmd.Env, middy.DescribeEnv+"=1")
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = childAttr()
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	runtime.LockOSThread() // see childAttr
	defer runtime.UnlockOSThread()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = limitedBuffer{&out}, limitedBuffer{&errs}
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m, ok := lastManifest(out.Bytes())
	if ok && err == nil {
		return m, nil
	}
	said := strings.TrimSpace(errs.String() + out.String())
	switch {
	case limited.Err() != nil:
		return nil, &failure{text: fmt.Sprintf("%s did not describe itself within %v; a function does that in middy.Start, so keep slow work out of what comes before it", arg, describeLimit), detail: said}
	case err != nil && strings.HasPrefix(said, "middy: "):
		return nil, &failure{text: arg + " cannot be assembled, so it cannot say what it needs", detail: said, err: err}
	case err != nil && crashLine(said) != "":
		return nil, &failure{text: arg + " ends before it can say what it needs: " + crashLine(said) + "; give it what it reads from its environment with --env", err: err}
	case err != nil:
		return nil, &failure{text: arg + " printed no list of what it needs; only a function that starts with middy.Start (and gets there without a Lambda around it) can", detail: said, err: err}
	}
	return nil, &failure{text: arg + " printed no manifest; only a function that starts with middy.Start has one", detail: said}
}

// crashLine is the line in which the Go runtime says why it ends a program, or "".
func crashLine(said string) string {
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// lastManifest takes the last line, because a program may print before it starts.
func lastManifest(out []byte) (*middy.Manifest, bool) {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var m middy.Manifest
	dec := json.NewDecoder(bytes.NewReader(lines[len(lines)-1]))
	if err := dec.Decode(&m); err != nil || m.Event == "" {
		return nil, false
	}
	return &m, true
}

// limitedBuffer keeps the first mebibyte and drops the rest. It does not embed the
// buffer, whose ReadFrom would go around the limit.
type limitedBuffer struct{ to *bytes.Buffer }

func (l limitedBuffer) Write(p []byte) (int, error) {
	if room := 1<<20 - l.to.Len(); room > 0 {
		l.to.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// leastPolicy merges permissions that differ only in their actions or only in
// their resources, and sorts everything, so that equal declarations give equal
// bytes.
func leastPolicy(perms []middy.Permission) policy {
	p := policy{Version: "2012-10-17", Statement: []statement{}}
	byResource := merge(perms,
		func(q middy.Permission) string { return key(q.Resources, q.Condition) },
		func(s *statement, q middy.Permission) {
			s.Action = append(s.Action, q.Actions...)
			s.Resource = q.Resources
		})
	byAction := map[string]*statement{}
	for _, s := range byResource {
		k := key(s.Action, s.Condition)
		if first, ok := byAction[k]; ok {
			first.Resource = append(first.Resource, s.Resource...)
			first.reasons = append(first.reasons, s.reasons...)
			continue
		}
		byAction[k] = s
	}
	for _, k := range slices.Sorted(maps.Keys(byAction)) {
		s := byAction[k]
		s.Effect = "Allow"
		s.Resource, s.reasons = unique(s.Resource), unique(s.reasons)
		p.Statement = append(p.Statement, *s)
	}
	return p
}

func merge(perms []middy.Permission, keyOf func(middy.Permission) string, add func(*statement, middy.Permission)) []*statement {
	found := map[string]*statement{}
	for _, q := range perms {
		k := keyOf(q)
		if found[k] == nil {
			found[k] = &statement{Condition: q.Condition}
		}
		add(found[k], q)
		if q.Reason != "" {
			found[k].reasons = append(found[k].reasons, q.Reason)
		}
	}
	var out []*statement
	for _, k := range slices.Sorted(maps.Keys(found)) {
		s := found[k]
		s.Action, s.Resource = unique(s.Action), unique(s.Resource)
		out = append(out, s)
	}
	return out
}

// key is equal for equal lists and conditions.
func key(list []string, condition map[string]map[string]string) string {
	return fmt.Sprintf("%q %v", unique(list), condition) // fmt sorts the keys of a map
}

// unique returns a sorted copy without repetitions.
func unique(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}
