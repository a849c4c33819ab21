// Package file reads values from a file for a params.Store: secrets for work
// without a network, and the last resort of a fallback chain.
//
// A laptop on a train has no Secrets Manager. A plain file with its secrets is
// one git add away from being published. So the file is encrypted with age
// (https://age-encryption.org), and refused in Lambda unless it is allowed.
//
// The content is one JSON object; each member is a value. A member that is a
// string is the text itself, anything else its JSON:
//
//	{"prod/orders/db": {"user": "orders", "password": "..."}, "token": "..."}
//
// Encrypt it with: age -r age1... -o secrets.age secrets.json
package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/gomiddy/middy/internal/awsapi/jsontext"
	"github.com/gomiddy/middy/params"
)

// Config configures [New].
type Config struct {
	// Path is the file.
	Path string
	// Identities is the path of a file with age identities, the private keys
	// ("AGE-SECRET-KEY-1..."), one a line.
	Identities string
	// Passphrase decrypts a file that was encrypted with one. It is used when
	// Identities is empty.
	Passphrase params.Secret
	// Plaintext lets the file be plain JSON. Default: false.
	Plaintext bool
	// AllowInLambda lets the provider run where AWS_LAMBDA_FUNCTION_NAME is set.
	// Default: false.
	AllowInLambda bool
}

// Validate reports missing settings.
func (c Config) Validate() error {
	switch {
	case c.Path == "":
		return errors.New("file: Config.Path is empty: name the file with the values")
	case c.Identities == "" && c.Passphrase.IsZero() && !c.Plaintext:
		return fmt.Errorf("file: nothing decrypts %s: set Config.Identities or Passphrase, or Plaintext if it is not encrypted", c.Path)
	}
	return nil
}

// maxSize bounds the file: it is decrypted into memory.
const maxSize = 8 << 20

// A Source is one file. It is read anew for every fetch, since somebody may be
// editing it. It is safe for concurrent use.
type Source struct{ cfg Config }

var (
	_ params.Provider  = (*Source)(nil)
	_ params.Localizer = (*Source)(nil)
)

// New returns the values of a file. It does no I/O.
func New(cfg Config) *Source { return &Source{cfg} }

// Secret refers to a member of the file's object. "name#a.b" is its field a.b.
func (s *Source) Secret(name string) params.Ref { return params.NewRef(s, name) }

// Source identifies the file.
func (s *Source) Source() params.Source {
	return params.Source{Service: "file", Endpoint: s.cfg.Path, Identity: s}
}

// Local is true: that the file lacks a value says nothing about a secret.
func (s *Source) Local() bool { return true }

// Fetch reads a member. Its version is the file's modification time.
func (s *Source) Fetch(_ context.Context, k params.Key) (params.Raw, error) {
	fail := func(kind params.Kind, text string, err error) (params.Raw, error) {
		return params.Raw{}, &params.Error{Kind: kind, Service: "file", Name: k.ID, Text: text, Err: err}
	}
	if os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != "" && !s.cfg.AllowInLambda {
		return fail(params.Denied, "files are refused in Lambda; keep the value in a secret, or set file.Config.AllowInLambda", nil)
	}
	if k.Version != "" || k.Stage != "" {
		return fail(params.NotFound, "a file has no versions", nil)
	}
	if err := s.cfg.Validate(); err != nil {
		return fail(params.Invalid, "the provider is not configured", err)
	}
	doc, at, err := s.read()
	defer clear(doc)
	if err != nil {
		kind := params.Unavailable
		if errors.Is(err, fs.ErrNotExist) {
			kind = params.NotFound
		}
		return fail(kind, "the file cannot be used", err)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(doc, &members) != nil { // its error quotes the content
		return fail(params.Invalid, s.cfg.Path+" does not hold one JSON object", nil)
	}
	member, ok := members[k.ID]
	if !ok {
		return fail(params.NotFound, s.cfg.Path+" has no member of that name", nil)
	}
	value := []byte(member)
	if member[0] == '"' {
		value, err = jsontext.Unquote(member)
	}
	return params.Raw{Bytes: value, Version: at.UTC().Format(time.RFC3339Nano), Created: at}, err
}

// read returns the decrypted content and the modification time.
func (s *Source) read() ([]byte, time.Time, error) {
	f, err := os.Open(s.cfg.Path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	raw, err := readBounded(f, s.cfg.Path)
	if err != nil {
		return nil, time.Time{}, err
	}
	doc, err := s.decrypt(raw)
	return doc, info.ModTime(), err
}

func readBounded(r io.Reader, path string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err == nil && len(b) > maxSize {
		err = fmt.Errorf("%s has more than %d MiB", path, maxSize>>20)
	}
	return b, err
}

func (s *Source) decrypt(raw []byte) ([]byte, error) {
	var r io.Reader = bytes.NewReader(raw)
	switch {
	case bytes.HasPrefix(raw, []byte(armor.Header)):
		r = armor.NewReader(r)
	case !bytes.HasPrefix(raw, []byte("age-encryption.org/")):
		if s.cfg.Plaintext {
			return raw, nil
		}
		return nil, fmt.Errorf("%s is not encrypted with age: encrypt it, or set file.Config.Plaintext", s.cfg.Path)
	}
	ids, err := s.identities()
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(r, ids...)
	if err != nil {
		return nil, fmt.Errorf("decrypt %s: %w", s.cfg.Path, err)
	}
	return readBounded(plain, s.cfg.Path)
}

func (s *Source) identities() ([]age.Identity, error) {
	if s.cfg.Identities == "" {
		if s.cfg.Passphrase.IsZero() {
			return nil, fmt.Errorf("%s is encrypted, and neither file.Config.Identities nor Passphrase is set", s.cfg.Path)
		}
		id, err := age.NewScryptIdentity(s.cfg.Passphrase.Reveal())
		return []age.Identity{id}, err
	}
	f, err := os.Open(s.cfg.Identities)
	if err != nil {
		return nil, fmt.Errorf("the identities: %w", err)
	}
	defer f.Close()
	ids, err := age.ParseIdentities(f)
	if err != nil { // the error may quote a key
		return nil, fmt.Errorf("%s holds no age identities", s.cfg.Identities)
	}
	return ids, nil
}
