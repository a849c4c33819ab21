package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

func TestProgressSpeaksAfterASecondAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			live bool
			took time.Duration
			want string
		}{
			{"quick work on a pipe", false, 900 * time.Millisecond, ""},
			{"slow work on a pipe", false, 2500 * time.Millisecond, "building x … 1 s\n"},
			{"very slow work on a pipe", false, 12 * time.Second, "building x … 1 s\nbuilding x … 11 s\n"},
			{"quick work on a terminal", true, 900 * time.Millisecond, ""},
			{"slow work on a terminal", true, 2500 * time.Millisecond, "\r\x1b[Kbuilding x … 1 s\r\x1b[Kbuilding x … 2 s\r\x1b[K"},
		} {
			var errs bytes.Buffer
			u := newUI(&bytes.Buffer{}, &errs, nil)
			u.live = c.live
			end := u.progress("building x")
			<-time.After(c.took)
			end()
			if errs.String() != c.want {
				t.Errorf("%s: %q, want %q", c.name, errs.String(), c.want)
			}
		}
	})
}

func TestColourIsForTerminalsOnly(t *testing.T) {
	var out bytes.Buffer
	u := newUI(&out, &out, environ{"TERM=xterm"})
	if got := u.paint(red, "x"); got != "x" {
		t.Errorf("a pipe gets %q", got)
	}
	u.color = true
	if got := u.paint(red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("a terminal gets %q", got)
	}
}

func TestDurationsHaveOneUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		250 * time.Microsecond:  "250 µs",
		1500 * time.Microsecond: "1.5 ms",
		42 * time.Millisecond:   "42 ms",
		1234 * time.Millisecond: "1.2 s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%d ns is %q, want %q", d, got, want)
		}
	}
}

func TestTheLastValueOfAVariableCounts(t *testing.T) {
	e := newEnviron([]string{"A=1", "B=2", "A=3"})
	if e.get("A") != "3" || e.get("C") != "" {
		t.Errorf("A is %q, C is %q", e.get("A"), e.get("C"))
	}
	if got := e.without("A"); !slices.Equal(got, []string{"B=2"}) {
		t.Errorf("without A: %v", got)
	}
}

func TestGoIsRunForThisMachine(t *testing.T) {
	env := environ(goEnv(environ{"GOOS=linux", "GOARCH=arm64", "GOFLAGS=-mod=mod -tags=x", "HOME=/h"}))
	if env.get("GOOS") != "" || env.get("GOARCH") != "" || env.get("GOFLAGS") != "-mod=mod" || env.get("HOME") != "/h" {
		t.Errorf("environment %v", env)
	}
}

func TestAFunctionsNameIsOneThatLambdaTakes(t *testing.T) {
	for _, c := range []struct{ path, dir, want string }{
		{"example.com/orders", "/x", "orders"},
		{"command-line-arguments", "/x/hello", "hello"},
		{"example.com/my.func", "/x", "my-func"},
		{"example.com/" + strings.Repeat("a", 70), "/x", strings.Repeat("a", 64)},
		{"example.com/...", "/x", "function"},
	} {
		if got := functionName(c.path, c.dir); got != c.want {
			t.Errorf("functionName(%q, %q) = %q, want %q", c.path, c.dir, got, c.want)
		}
	}
}

func TestEnvFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vars")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# comment\n\nAA=1\nexport BB = \"two words\"\nCC='x=y'\nDD=\n")
	got, err := readEnvFile(path)
	if want := []string{"AA=1", "BB=two words", "CC=x=y", "DD="}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	write("AA=1\nhunter2 without a name\n")
	if _, err := readEnvFile(path); err == nil || !strings.Contains(err.Error(), "vars:2 has no") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v, want the line's number and not its text", err)
	}
}

func TestATakenPortIsTakenBySomebody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = listen(t.Context(), port)
	if err == nil {
		t.Fatal("the port was given twice")
	}
	if want := fmt.Sprintf("(process %d)", os.Getpid()); holderText(port) != "" && !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %s in it", err, want)
	}
	if pid, _ := portHolder(0); pid != 0 {
		t.Errorf("port 0 is held by %d", pid)
	}
}

func TestWatchersSeeWhatMakesTheProgramAndNothingElse(t *testing.T) {
	for _, polling := range []bool{false, true} {
		t.Run(map[bool]string{false: "by notice", true: "by polling"}[polling], func(t *testing.T) {
			dir, other := t.TempDir(), t.TempDir()
			seedFile := filepath.Join(other, "seed.yaml")
			w := newWatcher(seedFile)
			if polling && w.notify != nil {
				w.notify.Close()
				w.notify = nil
			}
			w.watch(&sources{dirs: []string{dir}, files: []string{filepath.Join(other, "go.mod")}})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); w.run(ctx) }()
			defer func() { cancel(); <-ended }()
			write := func(path string) {
				if err := os.WriteFile(path, []byte(time.Now().String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// A first change shows that the watcher is there.
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for ready := false; !ready; {
				write(filepath.Join(dir, "main.go"))
				select {
				case <-w.changed:
					ready = true
				case <-tick.C:
				}
				if polling { // it compares twice before it can see a difference
					select {
					case <-w.changed:
						ready = true
					case <-time.After(pollEvery):
					}
				} else if !ready {
					select {
					case <-w.changed:
						ready = true
					case <-time.After(2 * debounce):
					}
				}
			}
			for _, name := range []string{"main_test.go", ".main.go.swp", "main.go~", "#main.go#", "4913"} {
				write(filepath.Join(dir, name))
			}
			write(filepath.Join(other, "unrelated.go"))
			write(seedFile)
			for {
				select {
				case got := <-w.changed:
					if got == seedFile {
						return
					}
					if got != filepath.Join(dir, "main.go") { // a late echo of the first change
						t.Fatalf("%s was reported", got)
					}
				case <-time.After(patience):
					t.Fatal("the seed file's change was not reported")
				}
			}
		})
	}
}

func TestDevEndsWithGoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		parents := []int{100, 100, 100, 1}
		begin := time.Now()
		endWithParent(ctx, cancel, func() int { p := parents[0]; parents = parents[1:]; return p }, time.NewTicker(time.Second))
		if ctx.Err() == nil || time.Since(begin) != 3*time.Second {
			t.Errorf("context %v after %v, want it ended after 3 s", ctx.Err(), time.Since(begin))
		}
	})
	if !fromGoRun("/x/go-build12/b001/exe/middy") || fromGoRun("/usr/bin/middy") || fromGoRun("/x/go-build12/b001/cli.test") {
		t.Error("go run is not known by its directory")
	}
}

func TestDoctorLooksAtTheEnvironment(t *testing.T) {
	list := checkEnvironment(environ{"AWS_ENDPOINT_URL_S3=http://x", "AWS_PROFILE=me", "GOFLAGS=-tags=x"})
	text := fmt.Sprint(list)
	for _, want := range []string{"AWS_PROFILE is set", "AWS_ENDPOINT_URL_S3", "GOFLAGS has -tags"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s; want %q", text, want)
		}
	}
	for _, f := range list {
		if f.Verdict != "warn" || f.Advice == "" {
			t.Errorf("%+v; want a warning with advice", f)
		}
	}
	if list := checkEnvironment(nil); len(list) != 1 || list[0].Verdict != "ok" {
		t.Errorf("an empty environment gives %v", list)
	}
}

func TestDoctorNamesWhoLooksMethodsUp(t *testing.T) {
	dump := []byte("main.main -> fmt.Println\ntext/template.(*state).evalField <ReflectMethod>\ntext/template.x -> <ReflectMethod>\nexample.com/a.b/c.F <ReflectMethod>\n")
	if got := methodUsers(dump); !slices.Equal(got, []string{"example.com/a.b/c", "text/template"}) {
		t.Errorf("%q", got)
	}
}

func TestDoctorExaminesTheMachineAndAFunction(t *testing.T) {
	r := run(t, "doctor", "--port", "0", "./testdata/orders")
	r.wantCode(exitOK)
	for _, want := range []string{"ok   go ", "ok   freeze ", "ok   clock ", "MiB stripped with -tags lambda.norpc", "ok   link "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in:\n%s", want, r.stdout)
		}
	}
	heavy := newFunction(t)
	heavy.edit("one", `template.Must(template.New("").Parse("{{.}}")).Execute(os.Stdout, 1)`)
	source, err := os.ReadFile(filepath.Join(heavy.dir, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	heavy.write("main.go", strings.Replace(string(source), `"os"`, "\"os\"\n\t\"text/template\"", 1))
	r = run(t, "doctor", "--json", "--port", "0", heavy.dir)
	r.wantCode(exitOK)
	if want := `"check":"link","verdict":"warn","text":"the linker keeps every exported method, because of text/template"`; !strings.Contains(r.stdout, want) {
		t.Errorf("no %q in:\n%s", want, r.stdout)
	}
}

func TestPeopleGetOneLineForEachStep(t *testing.T) {
	var out bytes.Buffer
	r := newReporter(newUI(&out, &out, nil))
	fn := scripted{
		`{"statusCode":201}`: {Payload: []byte(`{"statusCode":201}`), Duration: 12 * time.Millisecond, InitDuration: 30 * time.Millisecond, Cold: true},
		`{"fail":true}`:      {FunctionError: "Unhandled", ErrorType: "Rejected", ErrorMessage: "order 42 was rejected", Duration: time.Millisecond},
	}
	for _, event := range slices.Sorted(maps.Keys(fn)) {
		if _, err := (reported{fn, r}).Invoke(t.Context(), runtimeapi.Request{Payload: []byte(event), RequestID: "0123456789"}); err != nil {
			t.Fatal(err)
		}
	}
	r.line(runtimeapi.Line{Stream: "stdout", Text: "hello", RequestID: "0123456789"})
	r.line(runtimeapi.Line{Stream: "platform", Text: "START RequestId: 0123456789"})
	if _, err := (reported{fn, r}).Invoke(t.Context(), runtimeapi.Request{Payload: []byte("{}")}); err == nil {
		t.Error("an error was lost")
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		if len(line) > 9 && line[2] == ':' {
			line = line[9:] // the time of day
		}
		lines = append(lines, strings.TrimRight(line, "\n"))
	}
	got := strings.Join(lines, "\n")
	for _, want := range []string{
		"START   01234567 event of 13 bytes\nEND     01234567 1.0 ms failed: Rejected: order 42 was rejected\n",
		"START   01234567 event of 18 bytes\nEND     01234567 201 12 ms, init 30 ms\n",
		"01234567 | hello\n",
		"failed: refused: it is shut down",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no\n%s\nin\n%s", want, got)
		}
	}
	if strings.Contains(got, "RequestId") {
		t.Errorf("Lambda's own line is there too:\n%s", got)
	}
}

// scripted answers events from a table.
type scripted map[string]*runtimeapi.Response

func (s scripted) Invoke(_ context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	resp := s[string(req.Payload)]
	if resp == nil {
		return nil, errors.New("runtimeapi: it is shut down")
	}
	resp.RequestID = req.RequestID
	return resp, nil
}

// An edit that comes during a build, before anybody watches, is not lost.
func TestWatchersReportWhatIsNewerThanTheBuild(t *testing.T) {
	for _, polling := range []bool{false, true} {
		for _, c := range []struct {
			rule  string
			since time.Duration // before the edit
			want  bool
		}{
			{"edited after the build began", time.Minute, true},
			{"edited before", -time.Minute, false},
		} {
			t.Run(fmt.Sprintf("%s, polling %v", c.rule, polling), func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "main.go")
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				w := newWatcher()
				if polling && w.notify != nil {
					w.notify.Close()
					w.notify = nil
				}
				w.watch(&sources{dirs: []string{dir}, since: time.Now().Add(-c.since)})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				ended := make(chan struct{})
				go func() { defer close(ended); w.run(ctx) }()
				defer func() { cancel(); <-ended }()
				quiet := make(<-chan time.Time)
				if !c.want {
					quiet = time.After(2 * pollEvery)
				}
				select {
				case name := <-w.changed:
					if !c.want || name != path {
						t.Errorf("reported %s", name)
					}
				case <-quiet:
				case <-ctx.Done():
					t.Error("the edit is lost")
				}
			})
		}
	}
}
