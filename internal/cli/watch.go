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
	extra   []string    // files besides the source: seed, env
	notify  *fsnotify.Watcher
	rescan  chan *sources

	// What is watched now; only run's goroutine has it.
	files   map[string]bool // single files
	dirs    map[string]bool // directories of which the source counts
	embeds  map[string]bool // directories of which every file counts
	tree    map[string]bool // directories of which everything but source counts
	watched map[string]bool // what the system was asked for: these, and the files' directories
}

// newWatcher starts nothing; run does. It falls back to polling when the system
// refuses another watch (on Linux often fs.inotify.max_user_instances).
func newWatcher(extra ...string) *watcher {
	w := &watcher{changed: make(chan string, 1), rescan: make(chan *sources, 1)}
	for _, f := range extra {
		if abs, err := filepath.Abs(f); err == nil && f != "" {
			w.extra = append(w.extra, abs)
		}
	}
	if n, err := fsnotify.NewWatcher(); err == nil {
		w.notify = n
	}
	return w
}

func (w *watcher) polls() bool { return w.notify == nil }

// watch sets what is watched. It is called before run and, from then on, from one
// goroutine after each build, because an edit may add an import.
func (w *watcher) watch(src *sources) {
	select {
	case <-w.rescan: // a set that run has not taken yet is out of date
	default:
	}
	w.rescan <- src
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
		case src := <-w.rescan:
			w.set(src)
			if path := w.newer(src.since); path != "" {
				pending = path
				quiet.Reset(debounce)
			}
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

func (w *watcher) set(src *sources) {
	w.files = map[string]bool{}
	want := map[string]bool{}
	set := func(dirs []string) map[string]bool {
		m := map[string]bool{}
		for _, d := range dirs {
			m[d], want[d] = true, true
		}
		return m
	}
	w.dirs, w.embeds, w.tree = set(src.dirs), set(src.embeds), set(src.tree)
	for _, f := range append(src.files, w.extra...) {
		w.files[f], want[filepath.Dir(f)] = true, true
	}
	if w.notify != nil {
		for d := range want {
			if !w.watched[d] {
				_ = w.notify.Add(d) // a directory deleted meanwhile: the next build will say so
			}
		}
		for d := range w.watched {
			if !want[d] {
				_ = w.notify.Remove(d)
			}
		}
	}
	w.watched = want
}

// report never blocks: one pending report stands for all that came after it.
func (w *watcher) report(name string) {
	select {
	case w.changed <- name:
	default:
	}
}

// relevant leaves out what makes neither the program nor what is deployed beside it:
// tests, editors' backup and lock files, hidden files, and files without a dot, which
// are mostly somebody's build.
func (w *watcher) relevant(path string) bool {
	dir, base := filepath.Dir(path), filepath.Base(path)
	if w.files[path] {
		return true
	}
	if counts := w.embeds[dir] || isSource(base) && w.dirs[dir] || !isSource(base) && w.tree[dir]; !counts {
		return false
	}
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
	var last map[string]stamp
	for {
		select {
		case <-ctx.Done():
			return
		case src := <-w.rescan:
			w.set(src)
			last = w.stamps()
			if path := w.newer(src.since); path != "" {
				w.report(path)
			}
			continue
		case <-tick.C:
		}
		now := w.stamps()
		if !maps.Equal(now, last) {
			w.report(firstDifference(last, now))
		}
		last = now
	}
}

// newer returns a file that was changed after t, or "": an edit that came while
// nobody watched, during the build or before the first watch. File systems stamp
// with a coarser clock than ours, which may lag by a tick.
func (w *watcher) newer(t time.Time) string {
	const tick = 20 * time.Millisecond
	if t.IsZero() {
		return ""
	}
	stamps := w.stamps()
	for _, path := range slices.Sorted(maps.Keys(stamps)) {
		if stamps[path].time.After(t.Add(-tick)) {
			return path
		}
	}
	return ""
}

type stamp struct {
	size int64
	time time.Time
}

func (w *watcher) stamps() map[string]stamp {
	out := map[string]stamp{}
	for dir := range w.watched {
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
