package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/web"
)

// streaming is [frontdoor.InProcess] for web.Stream.
type streaming struct{ h http.Handler }

func (s streaming) Invoke(ctx context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	var e web.Request
	if err := e.DecodeEvent(req.Payload); err != nil {
		return nil, err
	}
	resp, err := web.Stream(s.h)(ctx, e)
	if err != nil {
		return &runtimeapi.Response{FunctionError: "Unhandled", ErrorType: "error", Explanation: err.Error()}, nil //nolint:nilerr // the invocation failed, and the call did not
	}
	return &runtimeapi.Response{Streamed: true, ContentType: resp.ContentType(), Stream: resp}, nil
}

// servers is h behind every front door, buffered and streamed.
func servers(t testing.TB, h http.Handler) map[string]http.Handler {
	t.Helper()
	all := map[string]http.Handler{}
	for name, door := range emulated {
		all[name] = through(t, door, h)
	}
	for name, door := range map[string]frontdoor.Door{
		"function URL, streamed": frontdoor.FunctionURL{Stream: true},
		"REST API, streamed":     frontdoor.RESTAPI{Stream: true},
	} {
		all[name] = frontdoor.New(frontdoor.Config{Function: streaming{h}, Door: door})
	}
	return all
}

// An outcome is what the client gets.
type outcome struct {
	status int
	header http.Header
	body   string
	broken bool // the client knows that the response is not whole
}

func (o outcome) String() string {
	return fmt.Sprintf("%d %v %.300q broken=%v", o.status, o.header, o.body, o.broken)
}

// quiet is for servers whose handlers panic on purpose.
var quiet = log.New(io.Discard, "", 0)

var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// visit sends one request to h behind a real socket, with the target as it is.
func visit(t testing.TB, h http.Handler, method, target string, header http.Header, body string) outcome {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = quiet
	srv.Start()
	defer srv.Close()
	r, err := http.NewRequest(method, srv.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost"
	r.URL.Opaque, r.URL.RawQuery, _ = strings.Cut(target, "?")
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := client.Do(r)
	if err != nil {
		return outcome{broken: true}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return outcome{resp.StatusCode, resp.Header, string(b), err != nil}
}

// doorsOwn are header fields that a front door adds, or counts itself.
var doorsOwn = []string{"Date", "Content-Length", "Connection", "Transfer-Encoding", "Trailer"}

// differ says in what the outcome behind a door differs from that of net/http, or "".
func differ(want, got outcome) string {
	if want.broken {
		if !got.broken && got.status < 500 {
			return fmt.Sprintf("a response that breaks off is whole: %v", got)
		}
		return ""
	}
	if got.broken || got.status != want.status {
		return fmt.Sprintf("got %v, want %v", got, want)
	}
	if got.body != want.body {
		return fmt.Sprintf("body %.300q, want %.300q", got.body, want.body)
	}
	for name, values := range want.header {
		if !slices.Contains(doorsOwn, name) && strings.Join(got.header[name], ", ") != strings.Join(values, ", ") {
			return fmt.Sprintf("%s is %q, want %q", name, got.header[name], values)
		}
	}
	return ""
}

const (
	urlStream, restStream = "function URL, streamed", "REST API, streamed"
	lattice1, lattice2    = "VPC Lattice V1", "VPC Lattice V2"
)

// A serverCase is one handler and one request. What the handler sees of its side it
// writes into the response.
type serverCase struct {
	rule           string
	method, target string
	header         http.Header
	body           string
	serve          http.HandlerFunc
	// differs says, for each door that makes a difference, why. A difference that is
	// not there any more fails the test, too.
	differs map[string]string
}

func every(reason string) map[string]string {
	m := map[string]string{urlStream: reason, restStream: reason}
	for name := range emulated {
		m[name] = reason
	}
	return m
}

func at(reason string, doors ...string) map[string]string {
	m := map[string]string{}
	for _, d := range doors {
		m[d] = reason
	}
	return m
}

func without(m map[string]string, doors ...string) map[string]string {
	for _, d := range doors {
		delete(m, d)
	}
	return m
}

func write(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, p := range parts {
			_, _ = io.WriteString(w, p)
		}
	}
}

func target(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%q %q %q %q", r.URL.Path, r.URL.RawPath, r.RequestURI, r.URL.RawQuery)
}

const (
	decodedPath = "an HTTP API decodes the path, so that an escape in it is lost"
	readQuery   = "the event has the query as a map: its spelling is lost"
	lastOne     = "a load balancer without multi-value headers keeps the last of several values"
	noBytes     = "JSON has characters and no bytes"
	joins       = "several fields of one name are joined by a comma"
)

// The same handlers behind net/http's server and behind every front door: what a
// function changes is in this table, and nothing else.
func TestServerCases(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.EscapedPath())
		_, _ = io.Copy(w, r.Body)
	}))
	defer backend.Close()
	cut := cutting(t)
	queries := without(every(""), "HTTP API 2.0", "function URL", urlStream)
	because := func(reason string, except ...string) map[string]string {
		m := map[string]string{}
		for name := range queries {
			if !slices.Contains(except, name) {
				m[name] = reason
			}
		}
		return m
	}
	var form bytes.Buffer
	mw := multipart.NewWriter(&form)
	fw, _ := mw.CreateFormFile("f", "a.bin") // a bytes.Buffer does not fail
	_, _ = fw.Write(bytes.Repeat([]byte{0xff}, 200<<10))
	_ = mw.Close()

	cases := []serverCase{
		{rule: "the root", target: "/", serve: target},
		{rule: "a space in the path", target: "/a%20b", serve: target},
		{rule: "beyond ASCII", target: "/files/caf%C3%A9", serve: target},
		{rule: "an encoded slash", target: "/a%2Fb", serve: target, differs: at(decodedPath, "HTTP API 2.0")},
		{rule: "an encoded percent sign", target: "/100%25.txt", serve: target},
		{rule: "an escape that was escaped", target: "/a%2541", serve: target},
		{rule: "another spelling of a letter", target: "/%61", serve: target, differs: at(decodedPath, "HTTP API 2.0")},
		{rule: "small letters in an escape", target: "/caf%c3%a9", serve: target, differs: at(decodedPath, "HTTP API 2.0")},
		{rule: "characters that need no escape: OData", target: "/Products('x')", serve: target, differs: at("an HTTP API's path shows no spelling", "HTTP API 2.0")},
		{rule: "brackets", target: "/a[1]", serve: target, differs: at("an HTTP API's path shows no spelling", "HTTP API 2.0")},
		{rule: "marks", target: "/a!b*c", serve: target, differs: at("an HTTP API's path shows no spelling", "HTTP API 2.0")},
		{rule: "path parameters of old", target: "/a;v=1/b,c", serve: target},
		{rule: "empty segments", target: "/a//b/", serve: target},
		{rule: "a query", target: "/?b=2&a=1", serve: target, differs: because("the event has the query as a map, without the order", lattice1)},
		{rule: "one parameter", target: "/?a=1", serve: target},
		{rule: "a parameter without a value", target: "/?a", serve: target, differs: because(readQuery, lattice1)},
		{rule: "a parameter twice", target: "/?a=1&a=2", serve: target, differs: at(lastOne, "ALB")},
		{rule: "escapes in a query", target: "/?q=a%20b", serve: target, differs: because(readQuery, "ALB", "ALB multi-value", lattice1)},
		{rule: "a semicolon in a query", target: "/?q=a;b", serve: target, differs: because(readQuery, "ALB", "ALB multi-value", lattice1)},

		{rule: "nothing written", serve: write()},
		{rule: "the type of HTML", serve: write("<!DOCTYPE html>")},
		{rule: "the type of HTML after its first line", serve: write("\n", "<!DOCTYPE html>")},
		{rule: "the type after a write of nothing", serve: write("", "<html>")},
		{rule: "the type of an image in pieces", serve: write("\x89PNG", "\r\n\x1a\n", "\xff\xfe")},
		{rule: "the type of an image in bytes", serve: func(w http.ResponseWriter, _ *http.Request) {
			for _, c := range []byte("\x89PNG\r\n\x1a\n\xff") {
				_, _ = w.Write([]byte{c})
			}
		}},
		{rule: "the type after a status", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "<html>not here")
		}},
		{rule: "the type of what was there at the first flush", serve: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "text ")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "<html>")
		}},
		{rule: "the type behind http.TimeoutHandler", serve: http.TimeoutHandler(write("<html>in time"), time.Minute, "").ServeHTTP},
		{rule: "the type of an encoded body is not guessed", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.Header().Set("Content-Type", "text/css")
			_, _ = io.WriteString(w, "x")
		}},
		{rule: "5 KB", serve: write(strings.Repeat("a", 5<<10))},
		{rule: "100 KB of bytes", serve: write(strings.Repeat("\xff", 100<<10))},
		{rule: "2 MB", serve: write(strings.Repeat("a", 2<<20)), differs: at("a load balancer takes 1 MB", "ALB", "ALB multi-value")},
		{rule: "7 MB", serve: write(strings.Repeat("a", 7<<20)), differs: without(every("Lambda takes 6 MB"), urlStream, restStream)},

		{rule: "a type without a body", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/custom-type")
			w.WriteHeader(204)
		}},
		{rule: "a body that 204 does not have", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			_, err := io.WriteString(w, "x")
			if !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		}},
		{rule: "what 304 says", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			w.Header().Set("Vary", "Accept")
			w.WriteHeader(304)
		}},
		{rule: "HEAD", method: "HEAD", serve: write("<html>hello")},
		{rule: "HEAD after a status", method: "HEAD", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			n, err := io.WriteString(w, "<html>")
			if n != 6 || err != nil {
				panic("HEAD: the handler must not notice")
			}
		}},

		{rule: "a length that is met", serve: declaring("5", "hello")},
		{rule: "a length that is met in pieces", serve: declaring("5", "he", "llo")},
		{rule: "a length that is not met", serve: declaring("20", "hello")},
		{rule: "a length that is not met after a flush", serve: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "20")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "hello")
		}},
		{rule: "nothing where a length was declared", serve: declaring("5")},
		{rule: "more than the length", serve: declaring("2", "abc")},
		{rule: "more after the length was met", serve: declaring("2", "ab", "c")},
		{rule: "a length that is none", serve: declaring("many", "hello")},
		{rule: "a length on HEAD", method: "HEAD", serve: declaring("20")},
		{rule: "a file that ends too early", serve: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			http.ServeContent(w, r, "a.txt", time.Time{}, io.NewSectionReader(&early{"0123456789abcde"}, 0, 20))
		}},
		{rule: "a file", serve: content},
		{rule: "a range of a file", header: http.Header{"Range": {"bytes=2-4"}}, serve: content},
		{rule: "a file that the client has", header: http.Header{"If-None-Match": {`"v1"`}}, serve: content},
		{rule: "a redirect", serve: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }},

		{rule: "several cookies", serve: func(w http.ResponseWriter, _ *http.Request) {
			for _, c := range []string{"b=1", "a=2", "c=3"} {
				http.SetCookie(w, &http.Cookie{Name: c[:1], Value: c[2:]})
			}
		}, differs: at("VPC Lattice documents one value for each name; what it does with several spellings is not known", lattice1, lattice2)},
		{rule: "cookies under a name in small letters", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["set-cookie"] = []string{"a=1", "b=2"}
		}, differs: at("VPC Lattice documents one value for each name; what it does with several spellings is not known", lattice1, lattice2)},
		{rule: "several values of a field", serve: func(w http.ResponseWriter, _ *http.Request) { w.Header()["X-A"] = []string{"1", "2"} }},
		{rule: "a line break in a field", serve: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "1\nX-B: 2") }},
		{rule: "a header that was set too late", serve: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			w.Header().Set("X-Late", "1")
		}},
		{rule: "a second status", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			w.WriteHeader(500)
		}},
		{rule: "an informational response", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(103)
			w.WriteHeader(404)
		}},

		{rule: "a panic", serve: func(http.ResponseWriter, *http.Request) { panic("no") }},
		{rule: "a panic after the first byte", serve: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic("no")
		}},
		{rule: "ErrAbortHandler", serve: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{rule: "ErrAbortHandler after the first byte", serve: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		{rule: "an error after the first byte", serve: web.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = io.WriteString(w, "a,b\n")
			return errors.New("broke")
		}).ServeHTTP},
		{rule: "an error after the first byte was sent", serve: web.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = io.WriteString(w, "a,b\n")
			w.(http.Flusher).Flush()
			return errors.New("broke")
		}).ServeHTTP},
		{rule: "an error before", serve: web.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
			return web.Errorf(404, "no order 42")
		}).ServeHTTP},
		{rule: "a write after the deadline", serve: func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second)); err != nil {
				panic(err)
			}
			_, _ = io.WriteString(w, "late")
			if err := http.NewResponseController(w).Flush(); err == nil {
				panic("the flush did not fail")
			}
		}},

		{rule: "a proxy", method: "POST", target: "/a%2Fb", body: "ping", serve: proxy(backend.URL).ServeHTTP, differs: at(decodedPath, "HTTP API 2.0")},
		{rule: "a proxy whose backend breaks off", serve: proxy(cut).ServeHTTP},

		{rule: "what the server's writer can do", serve: func(w http.ResponseWriter, r *http.Request) {
			_, flusher := w.(http.Flusher)
			_, hijacker := w.(http.Hijacker)
			_, notifier := w.(interface{ CloseNotify() <-chan bool })
			_, text := w.(io.StringWriter)
			from, copies := w.(io.ReaderFrom)
			if copies {
				n, err := from.ReadFrom(strings.NewReader("copied "))
				fmt.Fprint(w, n, err)
			}
			c := http.NewResponseController(w)
			fmt.Fprint(w, flusher, hijacker, notifier, text, copies, c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}), c.EnableFullDuplex(), c.Flush())
		}},
		{rule: "what the request's context has", serve: func(w http.ResponseWriter, r *http.Request) {
			server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
			addr, isAddr := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			fmt.Fprint(w, server != nil, ok, isAddr, addr.Network(), r.Context().Err())
		}},
		{rule: "the client's address has a port", serve: func(w http.ResponseWriter, r *http.Request) {
			host, port, err := net.SplitHostPort(r.RemoteAddr)
			fmt.Fprint(w, host, port != "", err)
		}},
		{rule: "the length of the body is in the header, too", method: "POST", body: "ä", serve: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Header["Content-Length"], r.ContentLength)
		}},
		{rule: "the body", method: "POST", body: `{"a":"ä"}`, header: http.Header{"Content-Type": {"application/json"}}, serve: func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %v %d", b, err, r.ContentLength)
		}},
		{rule: "no body", serve: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Body == http.NoBody, r.ContentLength)
		}},
		{rule: "a body after it was closed", method: "POST", body: "abc", serve: func(w http.ResponseWriter, r *http.Request) {
			_, _ = r.Body.Read(make([]byte, 1))
			_ = r.Body.Close()
			n, err := r.Body.Read(make([]byte, 1))
			fmt.Fprint(w, n, err)
		}},
		{rule: "a body that is too large for the handler", method: "POST", body: "abcdef", serve: func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 3))
			fmt.Fprint(w, err)
		}},
		{rule: "cookies of the client", header: http.Header{"Cookie": {"a=1; b=2"}}, serve: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Cookies(), r.Header["Cookie"])
		}},
		{rule: "several values of the client", header: http.Header{"X-A": {"1", "2"}}, serve: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%q", r.Header["X-A"])
		}, differs: map[string]string{"HTTP API 2.0": joins, "function URL": joins, urlStream: joins, lattice1: joins, "ALB": lastOne}},
		{rule: "a Latin-1 value of the client", header: http.Header{"X-A": {"caf\xe9"}}, serve: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%q", r.Header["X-A"])
		}, differs: every(noBytes)},
		{rule: "a Latin-1 value", serve: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "caf\xe9") }, differs: every(noBytes)},
		{rule: "a file that goes to the disk", method: "POST", body: form.String(), header: http.Header{"Content-Type": {mw.FormDataContentType()}}, serve: func(w http.ResponseWriter, r *http.Request) {
			err := r.ParseMultipartForm(1 << 10)
			if err != nil {
				panic(err)
			}
			left, _ := filepath.Glob(filepath.Join(os.TempDir(), "multipart-*"))
			fmt.Fprint(w, len(left), r.MultipartForm.File["f"][0].Size)
		}, differs: map[string]string{"REST API, streamed": "a REST API without binary media types damages the body"}},
		{rule: "trailers", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "a")
			w.Header().Set("X-Sum", "1")
		}},
		{rule: "an upgrade", serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) },
			differs: every("no front door switches protocols")},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if c.method == "" {
				c.method = "GET"
			}
			if c.target == "" {
				c.target = "/"
			}
			want := visit(t, c.serve, c.method, c.target, c.header, c.body)
			for door, h := range servers(t, c.serve) {
				difference := differ(want, visit(t, h, c.method, c.target, c.header, c.body))
				switch reason := c.differs[door]; {
				case difference != "" && reason == "":
					t.Errorf("%s: %s", door, difference)
				case difference == "" && reason != "":
					t.Errorf("%s: there is no difference any more: %s", door, reason)
				}
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "multipart-*")); len(left) > 0 {
		t.Errorf("files of forms are left: %q", left)
	}
}

// declaring writes parts under a length, and goes on after an error as io.Copy's
// callers do.
func declaring(length string, parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", length)
		for _, p := range parts {
			_, _ = io.WriteString(w, p)
		}
	}
}

func content(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"v1"`)
	http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("0123456789"))
}

// early is a file whose second half cannot be read.
type early struct{ text string }

func (e *early) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(e.text)) {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, e.text[off:]), nil
}

func proxy(to string) http.Handler {
	u, err := url.Parse(to)
	if err != nil {
		panic(err)
	}
	p := httputil.NewSingleHostReverseProxy(u)
	p.ErrorLog = quiet
	return p
}

// cutting is a server that declares more than it sends.
func cutting(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: text/plain\r\n\r\nhalf")
			}
			c.Close()
		}
	}()
	return "http://" + ln.Addr().String()
}
