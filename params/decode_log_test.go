package params

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Without OnEvent nobody would notice that a new version is unusable, until new
// sandboxes cannot start.
func TestAVersionThatDoesNotDecodeIsLoggedOnce(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for _, tt := range []struct {
		name   string
		first  string
		events func(Event)
		lines  int
	}{{"by default", "7", nil, 1}, {"not beside OnEvent", "7", func(Event) {}, 0}, {"not where the reader gets the error", "x", nil, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
			synctest.Test(t, func(t *testing.T) {
				f := newFake("a", tt.first)
				cfg := plain()
				cfg.OnEvent = tt.events
				s := New(cfg)
				v := Int(s, f.ref("a"))
				if tt.first != "7" {
					wantErr(t, s, v, ErrDecode)
					return
				}
				wantRead(t, s, v, 7)
				f.put("a", "seven-canary")
				for range 3 {
					wait(time.Hour)
					wantRead(t, s, v, 7)
				}
			})
			text := log.String()
			if n := strings.Count(text, "\n"); n != tt.lines {
				t.Errorf("%d lines are logged; want %d:\n%s", n, tt.lines, text)
			}
			if strings.Contains(text, "canary") || tt.lines > 0 && !strings.Contains(text, `fake \"a\" (version 2)`) {
				t.Errorf("the log does not say which value, or says too much: %s", text)
			}
		})
	}
}
