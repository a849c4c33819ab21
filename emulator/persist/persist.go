// Package persist keeps an emulated service's records on disk, so that a restart
// loses nothing that was answered with success.
//
// A developer's emulator is killed all the time: Ctrl-C, a rebuild, a flat
// battery. A file that is rewritten in place is then empty or half written on
// the next start. A [Dir] holds one file per record. A record is written to a
// temporary file, synced, renamed over the old one, and the directory is synced
// before [Dir.Save] returns, so at every instant the disk holds the old record
// or the new one. Every file carries a checksum: a damaged one is reported by
// name, not loaded in part.
//
// A directory belongs to one process: [Open] refuses one that another has open.
//
// Files are readable by their owner alone (mode 0600, directory 0700). They hold
// secrets in clear text: the directory is for development values only.
package persist

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrCorrupt is in the chain of the error for a file that is not what Save wrote.
var ErrCorrupt = errors.New("persist: damaged file")

// A CorruptError names the damaged file. errors.Is finds [ErrCorrupt] in it.
type CorruptError struct {
	// Path is the damaged file.
	Path string
	// Reason says what is wrong with it; it never quotes the content.
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("persist: %s is damaged (%s); restore it from a copy, or delete it to start without this record", e.Path, e.Reason)
}

// Unwrap returns [ErrCorrupt].
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

const (
	suffix     = ".json"
	tempPrefix = ".tmp-"
)

// A Dir stores records under one directory. Calls for different keys may run
// concurrently; calls for one key must not overlap. A nil *Dir stores nothing
// and holds nothing.
type Dir struct {
	path string
	// hook, set by tests, runs before each step of a write; an error stops the
	// write there, as a kill would.
	hook func(step string) error
}

// Open creates the directory if it does not exist, locks it until this process
// ends, and removes what interrupted writes left behind. An empty path gives a nil
// Dir. The error is an [*InUseError] when another process has the directory; where
// the system has no flock, as on Windows, that goes unnoticed.
func Open(path string) (*Dir, error) {
	if path == "" {
		return nil, nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("persist: create directory: %w", err)
	}
	if err := lock(path); errors.Is(err, ErrInUse) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("persist: lock directory: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("persist: read directory: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := os.Remove(filepath.Join(path, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("persist: remove an interrupted write: %w", err)
			}
		}
	}
	return &Dir{path: path}, nil
}

// envelope is the content of a file. Sum covers Value's bytes.
type envelope struct {
	Format int             `json:"format"`
	Key    string          `json:"key"`
	Sum    string          `json:"sha256"`
	Value  json.RawMessage `json:"value"`
}

// Save writes v, encoded as JSON, as the record of key. When it returns nil the
// record survives a crash; when it returns an error the old record is still there
// (or, if only the last directory sync failed, the new one).
func (d *Dir) Save(key string, v any) error {
	if d == nil {
		return nil
	}
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("persist: encode record: %w", err)
	}
	sum := sha256.Sum256(value)
	data, err := json.Marshal(envelope{Format: 1, Key: key, Sum: hex.EncodeToString(sum[:]), Value: value})
	if err != nil {
		return fmt.Errorf("persist: encode record: %w", err)
	}
	if err := d.replace(d.file(key), data); err != nil {
		return fmt.Errorf("persist: save record: %w", err)
	}
	return nil
}

func (d *Dir) replace(path string, data []byte) (err error) {
	if err := d.step("create"); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.path, tempPrefix+"*") // created with mode 0600
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			f.Close()
		}
		if err != nil && !errors.Is(err, errKilled) {
			_ = os.Remove(f.Name())
		}
	}()
	half := len(data) / 2
	if _, err := f.Write(data[:half]); err != nil {
		return err
	}
	if err := d.step("write"); err != nil {
		return err
	}
	if _, err := f.Write(data[half:]); err != nil {
		return err
	}
	if err := d.step("sync"); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	closed = true
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.step("rename"); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := d.step("sync directory"); err != nil {
		return err
	}
	return d.syncDir()
}

// errKilled is what a test's hook returns to leave the disk as a kill would.
var errKilled = errors.New("persist: killed")

func (d *Dir) step(name string) error {
	if d.hook == nil {
		return nil
	}
	return d.hook(name)
}

// Delete removes the record of key; a missing one is no error.
func (d *Dir) Delete(key string) error {
	if d == nil {
		return nil
	}
	if err := os.Remove(d.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("persist: delete record: %w", err)
	}
	if err := d.syncDir(); err != nil {
		return fmt.Errorf("persist: delete record: %w", err)
	}
	return nil
}

// Load calls each with every record. All damaged files are reported together, as
// [*CorruptError]; each's own errors are joined with the file's name.
func (d *Dir) Load(each func(key string, value []byte) error) error {
	if d == nil {
		return nil
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("persist: read directory: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := d.loadFile(filepath.Join(d.path, e.Name()), each); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (d *Dir) loadFile(path string, each func(key string, value []byte) error) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("persist: read record: %w", err)
	}
	env, err := open(path, data)
	if err != nil {
		return err
	}
	if d.file(env.Key) != path {
		return &CorruptError{Path: path, Reason: "its name does not belong to the record in it"}
	}
	if err := each(env.Key, env.Value); err != nil {
		return &CorruptError{Path: path, Reason: err.Error()}
	}
	return nil
}

// open checks the outside of a file and never panics on its content.
func open(path string, data []byte) (*envelope, error) {
	var env envelope
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&env); err != nil {
		return nil, &CorruptError{Path: path, Reason: "it is not a complete JSON record"}
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, &CorruptError{Path: path, Reason: "it has data after its record"}
	}
	if env.Format != 1 {
		return nil, &CorruptError{Path: path, Reason: fmt.Sprintf("its format is %d and this version reads format 1", env.Format)}
	}
	if sum := sha256.Sum256(env.Value); hex.EncodeToString(sum[:]) != env.Sum {
		return nil, &CorruptError{Path: path, Reason: "its checksum does not match"}
	}
	return &env, nil
}

// file names a record's file by the hash of its key: names of secrets are longer
// than a file system's limit and may differ only in case.
func (d *Dir) file(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(d.path, hex.EncodeToString(sum[:])+suffix)
}

// syncDir makes a rename last. Windows has no sync of directories; its journal
// orders the rename.
func (d *Dir) syncDir() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(d.path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
