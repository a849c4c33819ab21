package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gomiddy/middy/conformance/internal/debian"
)

// command builds cmd/middy, once.
var command = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "middy-browser-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "middy")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/gomiddy/middy/cmd/middy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := command(); err == nil {
		_ = os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

// dev runs `middy dev` with args on a folder of the module until the test ends,
// and returns the event of type ready.
func dev(t *testing.T, args ...string) map[string]any {
	t.Helper()
	bin, err := command()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, append([]string{"dev", "--json", "--port", "0"}, args...)...)
	cmd.Dir = "../../.."
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("middy dev: %v\n%s", err, &errs)
		}
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event map[string]any
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("%v in %s", err, lines.Bytes())
		}
		switch event["type"] {
		case "ready":
			go func() { _, _ = io.Copy(io.Discard, out) }() // so that the command never blocks
			return event
		case "build.failed":
			t.Fatal(event)
		}
	}
	t.Fatalf("middy dev ended before it was ready: %s", &errs)
	return nil
}

// browser opens a page at url in Chromium.
func browser(t *testing.T, url string) context.Context {
	t.Helper()
	path := debian.Program(t, "/usr/bin/chromium", "chromium")
	ctx, cancel := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true),
		chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// script runs the body of an async function in the page and returns what that
// returns. Each %s in it is one of args, as JSON.
func script[T any](ctx context.Context, t *testing.T, body string, args ...any) T {
	t.Helper()
	for i, arg := range args {
		b, err := json.Marshal(arg)
		if err != nil {
			t.Fatal(err)
		}
		args[i] = string(b)
	}
	source := "(async () => {" + fmt.Sprintf(body, args...) + "})()"
	out, err := chromedp.Run(ctx, chromedp.Evaluate[T](source, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%v\nin %s", err, source)
	}
	return out
}

// page is a page of another origin than the function's.
func page(t *testing.T) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>page</title>")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAPageOfAnotherOrigin(t *testing.T) {
	// A REST API without binary media types passes text on as text, so that an
	// upload of 5 MiB stays below Lambda's 6 MB. In base64 it would not.
	api := dev(t, "--front", "rest", "./conformance/internal/browser/testdata/site")["url"]
	origin := page(t)
	ctx := browser(t, origin)

	t.Run("a credentialed request after a preflight", func(t *testing.T) {
		type seen struct {
			Status        int
			Total, Hidden *string
			Session, Name string
			Preflights    float64
		}
		got := script[seen](ctx, t, `
			const api = %s
			await fetch(api + "/login", {method: "POST", credentials: "include"})
			const send = () => fetch(api + "/data", {method: "PUT", credentials: "include", headers: {"Content-Type": "application/json", "X-App": "1"}, body: JSON.stringify({name: "Zoë"})})
			const r = await send()
			const b = await r.json()
			return {Status: r.status, Total: r.headers.get("X-Total"), Hidden: r.headers.get("X-Hidden"), Session: b.session, Name: b.name, Preflights: b.preflights}`, api)
		if got.Status != 200 || got.Session != "abc" || got.Name != "Zoë" || got.Preflights != 1 {
			t.Errorf("got %+v", got)
		}
		if got.Total == nil || *got.Total != "3" || got.Hidden != nil {
			t.Errorf("the page sees X-Total %v and X-Hidden %v", got.Total, got.Hidden)
		}
	})
	t.Run("a header that is not allowed stops at the preflight", func(t *testing.T) {
		got := script[string](ctx, t, `
			try { await fetch(%s + "/data", {method: "PUT", credentials: "include", headers: {"X-Other": "1"}, body: "{}"}); return "sent" } catch (e) { return e.name }`, api)
		if got != "TypeError" {
			t.Error(got)
		}
	})
	t.Run("a multipart upload of 5 MiB", func(t *testing.T) {
		type seen struct {
			Status     int
			Text, Want string
		}
		got := script[seen](ctx, t, `
			const text = "Lambda ".repeat(5 * 1024 * 1024 / 7 + 1).slice(0, 5 * 1024 * 1024)
			const form = new FormData()
			form.append("title", "a large file")
			form.append("file", new File([text], "large.txt", {type: "text/plain"}))
			const r = await fetch(%s + "/upload", {method: "POST", credentials: "include", body: form})
			const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
			return {Status: r.status, Text: await r.text(), Want: "a large file large.txt 5242880 " + Array.from(sum, b => b.toString(16).padStart(2, "0")).join("")}`, api)
		if got.Status != 200 || got.Text != got.Want {
			t.Errorf("got %d %q, want %q", got.Status, got.Text, got.Want)
		}
	})
	t.Run("a problem is for the page to read", func(t *testing.T) {
		type seen struct {
			Status       int
			Type, Detail string
		}
		got := script[seen](ctx, t, `
			const r = await fetch(%s + "/data", {method: "PUT", headers: {"X-App": "1"}, body: "{}"})
			const b = await r.json()
			return {Status: r.status, Type: r.headers.get("Content-Type"), Detail: b.detail}`, api)
		if got.Status != 401 || got.Type != "application/problem+json" || got.Detail != "log in first" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("another origin reads nothing", func(t *testing.T) {
		if err := chromedp.Do(ctx, chromedp.Navigate(strings.Replace(origin, "127.0.0.1", "localhost", 1))); err != nil {
			t.Fatal(err)
		}
		got := script[string](ctx, t, `try { await fetch(%s + "/big"); return "read" } catch (e) { return e.name }`, api)
		if got != "TypeError" {
			t.Error(got)
		}
	})
}

func TestACompressedDownload(t *testing.T) {
	// An HTTP API passes any bytes on.
	api, _ := dev(t, "--front", "http", "./conformance/internal/browser/testdata/site")["url"].(string)
	ctx := browser(t, page(t))
	type seen struct {
		Length, OnTheWire int
		Encoding          string
	}
	got := script[seen](ctx, t, `
		const r = await fetch(%s + "/big")
		const text = await r.text()
		const [entry] = performance.getEntriesByName(r.url)
		return {Length: text.length, OnTheWire: entry.encodedBodySize, Encoding: r.headers.get("Content-Encoding")}`, api)
	if want := len([]rune("Zoë ☃ ")) * 50_000; got.Length != want {
		t.Errorf("the page read %d characters, want %d", got.Length, want)
	}
	if got.Encoding != "zstd" && got.Encoding != "br" && got.Encoding != "gzip" {
		t.Errorf("the encoding is %q", got.Encoding)
	}
	if got.OnTheWire == 0 || got.OnTheWire > got.Length/10 {
		t.Errorf("%d bytes on the wire for %d characters", got.OnTheWire, got.Length)
	}
}

func TestAStreamOfEvents(t *testing.T) {
	api, _ := dev(t, "--front", "url", "--stream", "--timeout", "1m", "./examples/sse")["url"].(string)
	ctx := browser(t, api+"/") // its page reads the stream, too
	type seen struct {
		Words      []string
		First, All float64 // milliseconds after the request
	}
	got := script[seen](ctx, t, `
		const begin = performance.now()
		const words = []
		let first = 0
		await new Promise((resolve, reject) => {
			const source = new EventSource("/words?every=50ms")
			source.onmessage = e => { first ||= performance.now() - begin; words.push(e.data) }
			source.addEventListener("end", () => { source.close(); resolve() })
			source.onerror = () => reject(new Error("the stream broke"))
		})
		return {Words: words, First: first, All: performance.now() - begin}`)
	if text := strings.Join(got.Words, " "); !strings.HasPrefix(text, "An onion has layers;") || !strings.HasSuffix(text, "all of them.") {
		t.Errorf("the page read %q", text)
	}
	// Twenty pauses of 50 ms lie between the first word and the last. A response
	// that was held back until it was whole shows both at once.
	if got.All-got.First < 500 {
		t.Errorf("the first word came after %.0f ms, the last after %.0f ms: it was not streamed", got.First, got.All)
	}
}

func TestAWebSocketConversation(t *testing.T) {
	ready := dev(t, "--front", "ws", "./examples/chat")
	fronts, _ := ready["fronts"].([]any)
	if len(fronts) == 0 {
		t.Fatal(ready)
	}
	url := fronts[0].(map[string]any)["url"]
	ctx := browser(t, page(t))
	got := script[[]string](ctx, t, `
		const open = () => new Promise((resolve, reject) => {
			const socket = new WebSocket(%s)
			const inbox = [], waiting = []
			socket.onmessage = e => waiting.length ? waiting.shift()(e.data) : inbox.push(e.data)
			socket.next = () => inbox.length ? Promise.resolve(inbox.shift()) : new Promise(r => waiting.push(r))
			socket.onopen = () => resolve(socket)
			socket.onerror = () => reject(new Error("no connection"))
		})
		const heard = []
		const say = (socket, message) => socket.send(JSON.stringify(message))
		const ada = await open()
		say(ada, {action: "join", room: "blue", name: "ada"})
		heard.push(await ada.next())
		const bob = await open()
		say(bob, {action: "join", room: "blue", name: "bob"})
		heard.push(await bob.next(), await ada.next())
		say(ada, {action: "say", text: "hello ☃"})
		heard.push(await bob.next())
		say(bob, {action: "nonsense"})
		heard.push(JSON.parse(await bob.next()).status)
		bob.close()
		heard.push(await ada.next()) // her own line
		heard.push(await ada.next())
		ada.close()
		return heard.map(String)`, url)
	for i, want := range []string{"welcome to blue", "welcome to blue", "bob is here", "hello ☃", "404", "hello ☃", "bob has left"} {
		if i >= len(got) || !strings.Contains(got[i], want) {
			t.Fatalf("heard %q, want %q as number %d", got, want, i)
		}
	}
}
