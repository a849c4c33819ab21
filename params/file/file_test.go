package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/file"
)

const content = `{"db": {"user": "orders", "password": "secret-canary"}, "token": "caf\u00e9", "n": 7}`

func Example() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "secrets.json")
	_ = os.WriteFile(path, []byte(`{"prod/token": "t0ken"}`), 0o600)

	laptop := file.New(file.Config{Path: path, Plaintext: true}) // encrypt yours
	store := params.New(params.Config{})
	token := params.Hidden(store, laptop.Secret("prod/token"))
	fmt.Println(token.Get(context.Background()).Reveal())
	// Output: t0ken
}

// write encrypts content to a key, and returns the paths of file and key.
func write(t *testing.T, armored bool, recipients ...age.Recipient) (path, identities string) {
	t.Helper()
	dir := t.TempDir()
	path, identities = filepath.Join(dir, "secrets.age"), filepath.Join(dir, "key.txt")
	if len(recipients) == 0 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		recipients = append(recipients, id.Recipient())
		if err := os.WriteFile(identities, []byte(id.String()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	var w io.WriteCloser = nopCloser{&out}
	if armored {
		w = armor.NewWriter(&out)
	}
	enc, err := age.Encrypt(w, recipients...)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(enc, content)
	if err := errors.Join(enc.Close(), w.Close(), os.WriteFile(path, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path, identities
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func lookup(t *testing.T, cfg file.Config, name string) (string, error) {
	t.Helper()
	store := params.New(params.Config{})
	return params.String(store, file.New(cfg).Secret(name)).Lookup(t.Context())
}

func TestEncryptedFiles(t *testing.T) {
	scrypt, err := age.NewScryptRecipient("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	scrypt.SetWorkFactor(10)
	binary, key := write(t, false)
	armored, key2 := write(t, true)
	locked, _ := write(t, false, scrypt)
	for name, cfg := range map[string]file.Config{
		"binary":     {Path: binary, Identities: key},
		"armored":    {Path: armored, Identities: key2},
		"passphrase": {Path: locked, Passphrase: params.NewSecret("correct horse")},
	} {
		t.Run(name, func(t *testing.T) {
			for member, want := range map[string]string{"token": "café", "db#user": "orders", "n": "7"} {
				if got, err := lookup(t, cfg, member); got != want || err != nil {
					t.Errorf("%s: %q, %v", member, got, err)
				}
			}
		})
	}
}

func TestBadFilesAreRefusedInWordsWithoutTheirContent(t *testing.T) {
	path, key := write(t, false)
	_, otherKey := write(t, false)
	dir := t.TempDir()
	put := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct {
		name, member string
		cfg          file.Config
		err          error
		text         string
	}{
		{"no such member", "nope", file.Config{Path: path, Identities: key}, params.ErrNotFound, "has no member"},
		{"no such file", "db", file.Config{Path: dir + "/none", Identities: key}, params.ErrNotFound, "no such file"},
		{"a directory", "db", file.Config{Path: dir, Identities: key}, params.ErrUnavailable, "directory"},
		{"another key", "db", file.Config{Path: path, Identities: otherKey}, params.ErrUnavailable, "decrypt"},
		{"no keys file", "db", file.Config{Path: path, Identities: dir + "/none"}, params.ErrNotFound, "the identities"},
		{"not a key", "db", file.Config{Path: path, Identities: put("bad", "secret-canary")}, params.ErrUnavailable, "no age identities"},
		{"encrypted, though Plaintext", "db", file.Config{Path: path, Plaintext: true}, params.ErrUnavailable, "is encrypted"},
		{"plain, though not allowed", "db", file.Config{Path: put("plain", content), Identities: key}, params.ErrUnavailable, "not encrypted"},
		{"not JSON", "db", file.Config{Path: put("x", "secret-canary"), Plaintext: true}, params.ErrInvalid, "one JSON object"},
		{"no path", "db", file.Config{Identities: key}, params.ErrInvalid, "Config.Path is empty"},
		{"no key", "db", file.Config{Path: path}, params.ErrInvalid, "nothing decrypts"},
		{"too large", "db", file.Config{Path: put("large", strings.Repeat(" ", 8<<20+1)), Plaintext: true}, params.ErrUnavailable, "more than 8 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lookup(t, tt.cfg, tt.member)
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "canary") {
				t.Error(err)
			}
		})
	}
}

func TestProductionGuardAndVersions(t *testing.T) {
	path, key := write(t, false)
	store := params.New(params.Config{})
	src := file.New(file.Config{Path: path, Identities: key})
	if _, err := store.Lookup(t.Context(), src.Secret("token").Stage("AWSPENDING")); !errors.Is(err, params.ErrNotFound) {
		t.Error(err)
	}
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
	if _, err := lookup(t, file.Config{Path: path, Identities: key}, "token"); !errors.Is(err, params.ErrDenied) {
		t.Error(err)
	}
	if got, err := lookup(t, file.Config{Path: path, Identities: key, AllowInLambda: true}, "token"); got != "café" {
		t.Error(err)
	}
}
