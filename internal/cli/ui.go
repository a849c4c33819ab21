package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// ui is where a command speaks: results to out, everything about them to err.
// It adapts to what is at the other end: colour and a moving progress line for a
// terminal, plain lines for a pipe, one JSON object a line with --json. Its
// methods are safe for concurrent use.
type ui struct {
	out, err io.Writer
	json     bool
	color    bool   // out is a terminal that wants colour
	live     bool   // err is a terminal: a progress line may be rewritten
	width    int    // columns of a terminal, 0 when unknown
	gone     func() // called when nobody reads out any more

	mu sync.Mutex
}

func newUI(stdout, stderr io.Writer, env environ) *ui {
	u := &ui{}
	u.gone = func() {}
	u.out = &lockedWriter{mu: &u.mu, w: stdout, failed: func() { u.gone() }}
	u.err = &lockedWriter{mu: &u.mu, w: stderr, failed: func() {}}
	outTTY, width := terminal(stdout)
	errTTY, _ := terminal(stderr)
	dumb := env.get("TERM") == "dumb"
	// https://no-color.org: present and not empty means no colour.
	u.color = outTTY && !dumb && env.get("NO_COLOR") == ""
	u.live = errTTY && !dumb
	u.width = width
	return u
}

func terminal(w io.Writer) (bool, int) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return true, width
}

// lockedWriter keeps lines of different goroutines whole.
type lockedWriter struct {
	mu     *sync.Mutex
	w      io.Writer
	failed func()
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.w.Write(p)
	if err != nil {
		l.failed()
	}
	return n, err
}

// A style is an SGR parameter (ECMA-48 §8.3.117).
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

func (u *ui) paint(s style, text string) string {
	if !u.color {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// emit writes v as one line of JSON to out.
func (u *ui) emit(v any) {
	line, err := json.Marshal(v)
	if err != nil { // only a programming error gets here: every v is our own struct
		line = fmt.Appendf(nil, `{"type":"error","message":%q}`, err.Error())
	}
	_, _ = u.out.Write(append(line, '\n'))
}

// failure prints the one sentence of err, and the detail below it.
func (u *ui) failure(command string, err error) {
	detail := ""
	if f, ok := errors.AsType[*failure](err); ok {
		detail = f.detail
	}
	if u.json {
		u.emit(struct {
			Time    time.Time `json:"time"`
			Type    string    `json:"type"`
			Message string    `json:"message"`
			Detail  string    `json:"detail,omitempty"`
		}{time.Now(), "error", err.Error(), detail})
		return
	}
	text := fmt.Sprintf("middy %s: %s\n", command, visibleLines(err.Error()))
	if detail != "" {
		text += indent(visibleLines(detail)) + "\n"
	}
	_, _ = io.WriteString(u.err, text)
}

// indent sets a block of another program's text apart from our own lines.
func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// progressAfter is how long something may take before it is announced.
const progressAfter = time.Second

// progress announces what is being done when it takes longer than a second, and
// keeps a terminal's line moving. The returned function ends it; it is called once.
func (u *ui) progress(what string) func() {
	if u.json {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	begin := time.Now()
	go func() {
		defer close(ended)
		tick := time.NewTimer(progressAfter)
		defer tick.Stop()
		for shown := false; ; shown = true {
			select {
			case <-done:
				if shown && u.live {
					_, _ = io.WriteString(u.err, "\r\x1b[K")
				}
				return
			case <-tick.C:
			}
			line := fmt.Sprintf("%s … %d s", what, int(time.Since(begin).Seconds()))
			if u.live {
				_, _ = io.WriteString(u.err, "\r\x1b[K"+line)
				tick.Reset(time.Second)
			} else {
				_, _ = io.WriteString(u.err, line+"\n")
				tick.Reset(10 * time.Second)
			}
		}
	}()
	return func() { close(done); <-ended }
}

// duration prints d as a person reads it: three digits, one unit.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
