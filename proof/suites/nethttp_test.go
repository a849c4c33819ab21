package suites

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// standIn has, under their names, what the tests use of net/http's insides and of
// test files that are not copied.
const standIn = `package http_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	. "net/http"
	"testing"
	"time"
)

func CondSkipHTTP2(testing.TB) {}

func ExportHttp2ConfigureServer(s *Server, _ any) error {
	s.TLSConfig = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	return nil
}

func ExportHttp2ConfigureTransport(t *Transport) error {
	t.ForceAttemptHTTP2 = true
	return nil
}

func NewTestTimeoutHandler(h Handler, ctx context.Context) Handler {
	return HandlerFunc(func(w ResponseWriter, r *Request) {
		TimeoutHandler(h, time.Hour, "").ServeHTTP(w, r.WithContext(ctx))
	})
}

var quietLog = log.New(io.Discard, "", 0)

func setParallel(t *testing.T) { t.Parallel() }

func afterTest(testing.TB) {}

func waitCondition(t testing.TB, delay time.Duration, fn func(time.Duration) bool) {
	for start := time.Now(); !fn(time.Since(start)); {
		time.Sleep(delay)
	}
}

func newLocalListener(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func wantBody(res *Response, err error, want string) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != want {
		return fmt.Errorf("body %q, %v; want %q", got, err, want)
	}
	return nil
}

type eofReaderFunc func()

func (f eofReaderFunc) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
`

// netHTTP fills dir with those tests of net/http and its ReverseProxy that compile
// outside of GOROOT.
func netHTTP(t *testing.T, dir string) {
	t.Helper()
	from := filepath.Join(goroot(t), "src", "net", "http")
	files := map[string][]string{
		"":         {"clientserver_test.go", "csrf_test.go", "fs_test.go", "netconn_test.go", "responsecontroller_test.go", "serve_test.go", "sniff_test.go"},
		"httputil": {"reverseproxy_test.go"},
	}
	for folder, names := range files {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(from, folder, name))
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.Replace(text, []byte(`"internal/synctest"`), []byte(`"testing/synctest"`), 1)
			write(t, filepath.Join(dir, folder, name), text)
		}
	}
	copyTree(t, filepath.Join(from, "testdata"), filepath.Join(dir, "testdata"))
	write(t, filepath.Join(dir, "standin_test.go"), []byte(standIn))
	write(t, filepath.Join(dir, "go.mod"), []byte("module nethttp\n\ngo 1.26.0\n"))
	// The tests are ReverseProxy's own package's; the proxy itself stays where it is.
	proxy := filepath.Join(dir, "httputil", "reverseproxy_test.go")
	text, err := os.ReadFile(proxy)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("package httputil\n"), []byte("package httputil_test\n\nimport . \"net/http/httputil\"\n"), 1)
	write(t, proxy, text)
	workspace(t, dir)
	for _, pkg := range []string{".", "./httputil"} {
		dropWhatDoesNotCompile(t, dir, pkg)
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

var compileError = regexp.MustCompile(`(?m)^(\S+_test\.go):(\d+):\d+: `)

// dropWhatDoesNotCompile removes imports of GOROOT's internal packages, then each
// declaration that the compiler refuses, until it refuses none.
func dropWhatDoesNotCompile(t *testing.T, dir, pkg string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		drop(t, file, func(_, _ int, n ast.Node) bool {
			spec, ok := n.(*ast.ImportSpec)
			return ok && slices.Contains(strings.Split(strings.Trim(spec.Path.Value, `"`), "/"), "internal")
		})
	}
	for range 20 {
		out, err := goIn(dir, "test", "-c", "-vet=off", "-gcflags=-e", "-o", os.DevNull, pkg).CombinedOutput()
		if err == nil {
			return
		}
		bad := map[string][]int{}
		for _, m := range compileError.FindAllStringSubmatch(string(out), -1) {
			line, err := strconv.Atoi(m[2])
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, m[1])
			bad[file] = append(bad[file], line)
		}
		if len(bad) == 0 {
			t.Fatalf("%s does not compile, and the compiler does not say where: %v\n%s", pkg, err, out)
		}
		delete(bad, filepath.Join(dir, "standin_test.go"))
		for file, lines := range bad {
			drop(t, file, func(from, to int, _ ast.Node) bool {
				return slices.ContainsFunc(lines, func(line int) bool { return from <= line && line <= to })
			})
		}
	}
	t.Fatalf("%s does not compile after 20 passes", pkg)
}

// drop removes the functions and the specs of a file that match.
func drop(t *testing.T, path string, match func(from, to int, n ast.Node) bool) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	matches := func(n ast.Node) bool {
		return match(fset.Position(n.Pos()).Line, fset.Position(n.End()).Line, n)
	}
	file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
		general, ok := d.(*ast.GenDecl)
		if !ok {
			return matches(d)
		}
		general.Specs = slices.DeleteFunc(general.Specs, func(s ast.Spec) bool { return matches(s) })
		return len(general.Specs) == 0
	})
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, file); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
	write(t, path, b.Bytes())
}

func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
