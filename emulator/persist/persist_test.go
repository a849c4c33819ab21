package persist

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T, path string) map[string]string {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	if err := d.Load(func(key string, value []byte) error { got[key] = string(value); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRecordsSurviveAReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("long/", 200)
	for key, v := range map[string]any{"k": "<&>é", "K": []int{1}, long: nil, "gone": 1} {
		if err := d.Save(key, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(d.Delete("gone"), d.Delete("never was"), d.Save("k", "two")); err != nil {
		t.Fatal(err)
	}
	if got := load(t, path); !maps.Equal(got, map[string]string{"k": `"two"`, "K": "[1]", long: "null"}) {
		t.Errorf("got %v", got)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Save("k", 1); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %o", p, mode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A kill at any step leaves the old record or the new one, whole, and the next
// start cleans up. Only after the rename may it be the new one, and whatever
// Save answered with success is there.
func TestAKillAtEachStepLeavesAWholeRecord(t *testing.T) {
	steps := []string{"create", "write", "sync", "rename", "sync directory"}
	for _, at := range steps {
		for _, existed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s existed=%t", at, existed), func(t *testing.T) {
				path := t.TempDir()
				d, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				if existed {
					if err := d.Save("k", "old"); err != nil {
						t.Fatal(err)
					}
				}
				var seen []string
				d.hook = func(step string) error {
					seen = append(seen, step)
					if step == at {
						return errKilled
					}
					return nil
				}
				if err := d.Save("k", "new"); !errors.Is(err, errKilled) {
					t.Fatalf("got %v", err)
				}
				if n := slices.Index(steps, at) + 1; !slices.Equal(seen, steps[:n]) {
					t.Errorf("steps %v", seen)
				}
				want := map[string]string{"k": `"old"`}
				if at == "sync directory" {
					want["k"] = `"new"`
				} else if !existed {
					want = map[string]string{}
				}
				if got := load(t, path); !maps.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				left, err := filepath.Glob(filepath.Join(path, tempPrefix+"*"))
				if err != nil || len(left) != 0 {
					t.Errorf("left behind: %v %v", left, err)
				}
			})
		}
	}
}

func TestAFailedWriteLeavesNothingBehind(t *testing.T) {
	path := t.TempDir()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	d.hook = func(step string) error {
		if step == "sync" {
			return full
		}
		return nil
	}
	if err := d.Save("k", "v"); !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "persist: save record: ") {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 1 || entries[0].Name() != lockName {
		t.Errorf("left behind: %v %v; want the lock alone", entries, err)
	}
	if err := d.Save("k", func() {}); err == nil {
		t.Error("a value that is no JSON was saved")
	}
}

func TestEveryDamagedFileIsNamedAndNotQuoted(t *testing.T) {
	good := func(t *testing.T) (string, string) {
		path := t.TempDir()
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.Save("k", "CANARY"), d.Save("sound", 1)); err != nil {
			t.Fatal(err)
		}
		return path, d.file("k")
	}
	for name, c := range map[string]struct {
		damage func(b []byte) []byte
		want   string
	}{
		"cut":             {func(b []byte) []byte { return b[:len(b)/2] }, "not a complete JSON record"},
		"empty":           {func([]byte) []byte { return nil }, "not a complete JSON record"},
		"changed value":   {func(b []byte) []byte { return bytes.Replace(b, []byte("CANARY"), []byte("CANARI"), 1) }, "checksum"},
		"unknown member":  {func(b []byte) []byte { return append([]byte(`{"x":1,`), b[1:]...) }, "not a complete JSON record"},
		"future format":   {func(b []byte) []byte { return bytes.Replace(b, []byte(`"format":1`), []byte(`"format":2`), 1) }, "its format is 2 and this version reads format 1"},
		"appended":        {func(b []byte) []byte { return append(b, '{') }, "data after its record"},
		"another's place": {func(b []byte) []byte { return bytes.Replace(b, []byte(`"key":"k"`), []byte(`"key":"j"`), 1) }, "its name does not belong"},
	} {
		t.Run(name, func(t *testing.T) {
			path, file := good(t)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, c.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			loaded := 0
			err = d.Load(func(string, []byte) error { loaded++; return nil })
			var ce *CorruptError
			if !errors.As(err, &ce) || !errors.Is(err, ErrCorrupt) || ce.Path != file {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "CANAR") || loaded != 1 {
				t.Errorf("got %v after %d records", err, loaded)
			}
		})
	}
}

func TestTheReadersErrorNamesTheFile(t *testing.T) {
	path := t.TempDir()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Save("k", 1); err != nil {
		t.Fatal(err)
	}
	err = d.Load(func(string, []byte) error { return errors.New("not mine") })
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), d.file("k")) || !strings.Contains(err.Error(), "not mine") {
		t.Errorf("got %v", err)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{"README", ".hidden.json"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := load(t, path); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestANilDirStoresNothing(t *testing.T) {
	d, err := Open("")
	if d != nil || err != nil {
		t.Fatal(d, err)
	}
	if err := errors.Join(d.Save("k", 1), d.Delete("k"), d.Load(nil)); err != nil {
		t.Error(err)
	}
}

func TestADirectoryThatVanishedIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"save": d.Save("k", 1), "delete": d.Delete("k"), "load": d.Load(nil)} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzOpenRecord(f *testing.F) {
	f.Add([]byte(`{"format":1,"key":"k","sha256":"x","value":1}`))
	f.Add([]byte(`{"format":1,"key":"k","sha256":"","value":null}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		env, err := open("p", data)
		if (env == nil) == (err == nil) {
			t.Fatalf("%v and %v", env, err)
		}
	})
}
