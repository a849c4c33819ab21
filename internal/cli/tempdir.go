package cli

import (
	"io/fs"
	"os"
	"path/filepath"
)

// A tempDir is a directory of this process's, below the system's for temporary
// files. A process that is killed cannot remove it; the next one does, because the
// lock in it has gone with its holder.
type tempDir struct {
	path string
	lock *os.File
}

// tempKinds are the commands that make one.
var tempKinds = []string{"dev", "iam", "doctor"}

// newTempDir removes what killed processes left, and makes middy-KIND-*. It is
// renamed into place with its lock held, so that no other process sees it without.
func newTempDir(kind string) (*tempDir, error) {
	sweep(os.TempDir())
	fresh, err := os.MkdirTemp("", ".middy-new-")
	if err != nil {
		return nil, failf("no temporary directory: %w", err)
	}
	lock, err := holdLock(filepath.Join(fresh, "lock"))
	if err != nil {
		_ = os.RemoveAll(fresh)
		return nil, failf("the temporary directory cannot be locked: %w", err)
	}
	path := filepath.Join(filepath.Dir(fresh), "middy-"+kind+"-"+filepath.Base(fresh)[len(".middy-new-"):])
	if err := os.Rename(fresh, path); err != nil {
		_ = os.RemoveAll(fresh)
		lock.Close()
		return nil, failf("no temporary directory: %w", err)
	}
	return &tempDir{path, lock}, nil
}

// remove ends it.
func (t *tempDir) remove() {
	removeTree(t.path)
	t.lock.Close()
}

// sweep removes the directories of processes that are gone.
func sweep(parent string) {
	for _, kind := range tempKinds {
		found, err := filepath.Glob(filepath.Join(parent, "middy-"+kind+"-*"))
		if err != nil {
			continue // parent has a character of a pattern's: nothing is removed
		}
		for _, dir := range found {
			if abandoned(dir) {
				removeTree(dir)
			}
		}
	}
}

// removeTree also removes directories that nobody may write to.
func removeTree(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // what cannot be changed stays, and RemoveAll with it
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
