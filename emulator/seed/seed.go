// Package seed fills the emulated Secrets Manager and Parameter Store from a file.
//
// A function that reads secrets needs some to read on a laptop and in CI. Typed
// in by hand they are forgotten or wrong; a seed file lies beside the code. It is
// YAML or JSON:
//
//	secrets:
//	  prod/orders/token: t0p-s3cret            # text
//	  prod/orders/db:                          # a mapping is stored as JSON
//	    user: app
//	    password: s3cret
//	  prod/orders/key:                         # the long form
//	    binary: AAEC                           # base64; or value:, or json:
//	    description: signing key
//	    tags: {team: orders}
//	    kms: disabled                          # reads answer DecryptionFailure
//	    rotation: {lambda: "arn:aws:lambda:…", days: 30}   # or schedule:, duration:
//	  prod/orders/rotating:
//	    versions:                              # a rotation, half way
//	      - {value: old, stages: [AWSCURRENT]}
//	      - {empty: true, stages: [AWSPENDING]}
//	parameters:
//	  /orders/limit: 10
//	  /orders/zones: [a, b]                    # a StringList
//	  /orders/api-key:
//	    type: SecureString
//	    value: k3y
//
// A mapping under secrets is the long form when it has one of the keys value,
// json, binary and versions.
//
// Every mistake in the file is reported at once, with its line, the name of the
// thing and what to do. No error, and no way of printing a [Seed], shows a value.
//
// # Seeds and persistence
//
// Applying a seed a second time, also after a restart with persistence, writes
// only the entries that the file changed since: what clients wrote in the
// meantime stays. A changed entry becomes a new version. An entry that was
// deleted by a client is created again. Entries removed from the file stay in the
// store.
package seed

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/ssm"
)

// MaxBytes is how large a seed file may be.
const MaxBytes = 4 << 20

// ErrInvalid is in the chain of the error for a file that is not a seed.
var ErrInvalid = errors.New("seed: invalid file")

// A Problem is one mistake.
type Problem struct {
	// Line counts from 1; zero when the mistake has no place.
	Line int
	// Text names the thing and says what to do.
	Text string
}

// A FileError is every mistake of a file. errors.Is finds [ErrInvalid] in it.
type FileError struct {
	// Name is the file's.
	Name string
	// Problems are sorted by line and not empty.
	Problems []Problem
}

func (e *FileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = fmt.Sprintf("seed: %s:%d: %s", e.Name, p.Line, p.Text)
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns [ErrInvalid].
func (e *FileError) Unwrap() error { return ErrInvalid }

// A Seed is a file that was read. It is immutable. It prints as a count of what
// it holds.
type Seed struct {
	name       string
	secrets    []secretsmanager.Seed
	parameters []ssm.Seed
}

// Load reads the file at path. The error is a [*FileError], or says why the file
// cannot be read.
func Load(path string) (*Seed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("seed: open file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("seed: read file %s: %w", path, err)
	}
	return Parse(path, data)
}

// Parse reads a seed from memory. The name stands in errors; one that ends in
// .json makes the content JSON, any other YAML. The error is a [*FileError].
func Parse(name string, data []byte) (*Seed, error) {
	p := &parser{seed: &Seed{name: name}}
	p.file(filepath.Ext(name) == ".json", data)
	if len(p.problems) == 0 {
		return p.seed, nil
	}
	slices.SortStableFunc(p.problems, func(a, b Problem) int { return a.Line - b.Line })
	return nil, &FileError{Name: name, Problems: p.problems}
}

// Apply writes the entries to the services, either of which may be nil if the
// seed has nothing for it. It goes on after an error and returns all of them.
func (s *Seed) Apply(secrets *secretsmanager.Service, params *ssm.Service) error {
	var errs []error
	if secrets == nil && len(s.secrets) > 0 {
		errs = append(errs, fmt.Errorf("seed: %s has secrets and there is no Secrets Manager to put them in", s.name))
	} else {
		for _, sec := range s.secrets {
			if _, err := secrets.Sow(sec); err != nil {
				errs = append(errs, fmt.Errorf("seed: %s: %w", s.name, err))
			}
		}
	}
	if params == nil && len(s.parameters) > 0 {
		errs = append(errs, fmt.Errorf("seed: %s has parameters and there is no Parameter Store to put them in", s.name))
	} else {
		for _, param := range s.parameters {
			if _, err := params.Sow(param); err != nil {
				errs = append(errs, fmt.Errorf("seed: %s: %w", s.name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// SecretNames returns the names of the secrets in the order of the file.
func (s *Seed) SecretNames() []string {
	var out []string
	for _, sec := range s.secrets {
		out = append(out, sec.Name)
	}
	return out
}

// ParameterNames returns the names of the parameters in the order of the file.
func (s *Seed) ParameterNames() []string {
	var out []string
	for _, p := range s.parameters {
		out = append(out, p.Name)
	}
	return out
}

// String counts what the seed holds.
func (s *Seed) String() string {
	return fmt.Sprintf("seed %s: %d secrets, %d parameters", s.name, len(s.secrets), len(s.parameters))
}

// Format writes String under every verb, so that no verb shows a value.
func (s *Seed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is String.
func (s *Seed) LogValue() slog.Value { return slog.StringValue(s.String()) }
