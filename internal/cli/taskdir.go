package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxTask is the largest deployment package, unzipped.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxTask = 250 << 20

var errTaskTooLarge = errors.New("more than 250 MB")

// sourceExt are the files that a Go build reads. They are not deployed.
// https://pkg.go.dev/cmd/go#hdr-File_types
var sourceExt = []string{".go", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90", ".s", ".S", ".sx", ".swig", ".swigcxx", ".syso"}

func isSource(name string) bool { return slices.Contains(sourceExt, filepath.Ext(name)) }

// walkTask calls visit for each file below dir that a deployment package would have
// beside the binary: not source, not hidden, not of another module, not testdata, not
// the package itself, and none of those in without (absolute). Directories are visited too.
func walkTask(dir string, without []string, visit func(path string, d fs.DirEntry) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path == dir {
				return visit(path, d)
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" {
				return fs.SkipDir
			}
			return visit(path, d)
		}
		if strings.HasPrefix(name, ".") || isSource(name) || slices.Contains([]string{"go.mod", "go.sum", "go.work", "go.work.sum"}, name) ||
			slices.Contains(seedNames, name) || slices.Contains(without, path) ||
			filepath.Dir(path) == dir && (name == "bootstrap" || filepath.Ext(name) == ".zip") { // what was built to be deployed
			return nil
		}
		return visit(path, d)
	})
}

// copyTask copies what is deployed beside the binary into task. It fails with
// errTaskTooLarge before it copies more than Lambda takes.
func copyTask(dir, task string, without []string) error {
	room := int64(maxTask)
	return walkTask(dir, without, func(path string, d fs.DirEntry) error {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(task, rel)
		info, err := os.Stat(path) // a link is deployed as what it leads to
		switch {
		case err != nil, !info.Mode().IsRegular() && !d.IsDir():
			return nil //nolint:nilerr // a socket, or a link to nowhere: a zip has neither
		case d.IsDir():
			return os.MkdirAll(to, 0o700)
		}
		if room -= info.Size(); room < 0 {
			return errTaskTooLarge
		}
		return copyFile(path, to, info.Mode().Perm())
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode&0o555|0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// readOnly takes the right to write from everything in task. A superuser keeps it;
// for that there is [written].
func readOnly(task string) error {
	var dirs []string
	err := filepath.WalkDir(task, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	for _, d := range dirs {
		err = errors.Join(err, os.Chmod(d, 0o555))
	}
	return err
}

// A listing is what is in a task directory: path, size and time.
type listing map[string]stamp

func list(task string) listing {
	l := listing{}
	_ = filepath.WalkDir(task, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == task {
			return nil //nolint:nilerr // what cannot be read is not listed
		}
		if info, err := d.Info(); err == nil {
			s := stamp{info.Size(), info.ModTime()}
			if d.IsDir() {
				s = stamp{} // its time changes with what is in it
			}
			l[path] = s
		}
		return nil
	})
	return l
}

// written names what differs, at most a few.
func (before listing) written(task string, now listing) []string {
	var names []string
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if was, ok := before[path]; !ok || was != now[path] {
			if rel, err := filepath.Rel(task, path); err == nil {
				names = append(names, rel)
			}
		}
	}
	if few := 3; len(names) > few {
		names = append(names[:few], fmt.Sprintf("%d more", len(names)-few))
	}
	return names
}

// fingerprint tells whether a rebuild made another program or other files.
func fingerprint(task string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(task, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(task, path) // path is below task
		fmt.Fprintf(h, "%q %v\n", rel, d.IsDir())
		if d.IsDir() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(h, f)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
