package cli

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// debounce lets an editor finish: saving is often three or four events.
	debounce = 200 * time.Millisecond
	// pollEvery is the period of the fallback where the system cannot notify.
	pollEvery = 400 * time.Millisecond
)

// A watcher reports changes of the files that make a program. Directories are
// watched, not files, because editors replace files instead of writing to them.
type watcher struct {
	changed chan string // the name of a file, after the dust has settled
	files   []string    // single files to watch besides source: seed, env
	notify  *fsnotify.Watcher
	dirs    map[string]bool
	rescan  chan []string
}

// newWatcher starts nothing; run does. It falls back to polling when the system
// refuses another watch (on Linux often fs.inotify.max_user_instances).
func newWatcher(files []string) *watcher {
	w := &watcher{changed: make(chan string, 1), dirs: map[string]bool{}, rescan: make(chan []string, 1)}
	for _, f := range files {
		if abs, err := filepath.Abs(f); err == nil {
			w.files = append(w.files, abs)
		}
	}
	if n, err := fsnotify.NewWatcher(); err == nil {
		w.notify = n
	}
	return w
}

func (w *watcher) polls() bool { return w.notify == nil }

// watch sets the directories. It is called before run and, from then on, from one
// goroutine after each build, because an edit may add an import.
func (w *watcher) watch(dirs []string) {
	for _, f := range w.files {
		dirs = append(dirs, filepath.Dir(f))
	}
	select {
	case <-w.rescan: // a set that run has not taken yet is out of date
	default:
	}
	w.rescan <- dirs
}

// run reports until ctx ends.
func (w *watcher) run(ctx context.Context) {
	if w.notify == nil {
		w.poll(ctx)
		return
	}
	defer w.notify.Close()
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	pending := ""
	for {
		select {
		case <-ctx.Done():
			return
		case dirs := <-w.rescan:
			w.set(dirs)
		case ev, ok := <-w.notify.Events:
			if !ok {
				return
			}
			if w.relevant(ev.Name) && !ev.Op.Has(fsnotify.Chmod) {
				pending = ev.Name
				quiet.Reset(debounce)
			}
		case <-w.notify.Errors: // an overflow lost events: look at everything
			pending = "source"
			quiet.Reset(debounce)
		case <-quiet.C:
			w.report(pending)
		}
	}
}

func (w *watcher) set(dirs []string) {
	want := map[string]bool{}
	for _, d := range dirs {
		want[d] = true
	}
	for d := range want {
		if !w.dirs[d] {
			_ = w.notify.Add(d) // a directory deleted meanwhile: the next build will say so
		}
	}
	for d := range w.dirs {
		if !want[d] {
			_ = w.notify.Remove(d)
		}
	}
	w.dirs = want
}

// report never blocks: one pending report stands for all that came after it.
func (w *watcher) report(name string) {
	select {
	case w.changed <- name:
	default:
	}
}

// relevant leaves out what is not part of the program: tests, editors' backup and
// lock files, hidden files.
func (w *watcher) relevant(path string) bool {
	if slices.Contains(w.files, path) {
		return true
	}
	base := filepath.Base(path)
	switch {
	case strings.HasPrefix(base, "."), strings.HasPrefix(base, "#"), strings.HasPrefix(base, "_"):
		return false
	case strings.HasSuffix(base, "~"), strings.HasSuffix(base, ".swp"), strings.HasSuffix(base, ".tmp"), base == "4913":
		return false
	case strings.HasSuffix(base, "_test.go"):
		return false
	}
	return filepath.Ext(base) != ""
}

// poll compares sizes and times, twice a second and a bit.
func (w *watcher) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var dirs []string
	var last map[string]stamp
	for {
		select {
		case <-ctx.Done():
			return
		case dirs = <-w.rescan:
			last = w.stamps(dirs)
			continue
		case <-tick.C:
		}
		now := w.stamps(dirs)
		if !maps.Equal(now, last) {
			w.report(firstDifference(last, now))
		}
		last = now
	}
}

type stamp struct {
	size int64
	time time.Time
}

func (w *watcher) stamps(dirs []string) map[string]stamp {
	out := map[string]stamp{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if e.Type()&fs.ModeDir != 0 || !w.relevant(path) {
				continue
			}
			if info, err := e.Info(); err == nil {
				out[path] = stamp{info.Size(), info.ModTime()}
			}
		}
	}
	return out
}

func firstDifference(last, now map[string]stamp) string {
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if last[path] != now[path] {
			return path
		}
	}
	for _, path := range slices.Sorted(maps.Keys(last)) {
		if _, ok := now[path]; !ok {
			return path
		}
	}
	return "source"
}
