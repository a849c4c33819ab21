package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// ErrInUse is in the chain of the error for a directory that another process has
// open.
var ErrInUse = errors.New("persist: the directory is in use")

// An InUseError says who has a directory open. errors.Is finds [ErrInUse] in it.
type InUseError struct {
	Path string
	// Holder is such as "process 4711 (middy)".
	Holder string
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("persist: %s is in use by %s: two would lose each other's writes; end that one, or choose another directory", e.Path, e.Holder)
}

// Unwrap returns [ErrInUse].
func (e *InUseError) Unwrap() error { return ErrInUse }

const lockName = ".lock"

// locked are the directories that this process has, for the rest of its life: the
// lock is against other processes, and goes with ours.
var locked = struct {
	sync.Mutex
	files map[string]*os.File
}{files: map[string]*os.File{}}

// lock takes a directory for this process.
func lock(dir string) error {
	path, err := filepath.Abs(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	locked.Lock()
	defer locked.Unlock()
	if locked.files[path] != nil {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	ours, err := tryLock(f)
	if err != nil || !ours {
		defer f.Close()
		if err == nil {
			err = &InUseError{Path: dir, Holder: holder(f)}
		}
		return err
	}
	name := fmt.Sprintf("process %d (%s)", os.Getpid(), filepath.Base(os.Args[0]))
	if err := errors.Join(f.Truncate(0), second(f.WriteAt([]byte(name), 0))); err != nil {
		return errors.Join(err, f.Close())
	}
	locked.files[path] = f
	return nil
}

func second(_ int, err error) error { return err }

// holder is what the process that has the lock wrote of itself.
func holder(f *os.File) string {
	b := make([]byte, 200)
	n, _ := f.ReadAt(b, 0) // it may be about to write it
	if name := strings.TrimSpace(string(b[:n])); strings.HasPrefix(name, "process ") {
		return name
	}
	return "another process"
}
