package freshsign

import (
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// An envReader reads variables that are more than text, and collects what is wrong with them. A variable that is empty
// counts as unset, as in the SDK.
type envReader struct{ problems []error }

func (r *envReader) refuse(name, value, advice string) {
	r.problems = append(r.problems, &EnvError{Problem: fmt.Sprintf("%s is %q", name, value), Advice: "set it to " + advice + ", or unset it"})
}

// whole reads a number between least and most.
func (r *envReader) whole(name string, least, most, unset int64) int64 {
	v := os.Getenv(name)
	if v == "" {
		return unset
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < least || n > most {
		r.refuse(name, v, fmt.Sprintf("a whole number from %d to %d", least, most))
		return unset
	}
	return n
}

// certificates reads a file of them in PEM; nil if the variable is unset. As in the SDK, they replace the system's.
func (r *envReader) certificates(name string) *x509.CertPool {
	file := os.Getenv(name)
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		r.problems = append(r.problems, &EnvError{Problem: name + " cannot be read", Advice: "set it to a file of certificates in PEM, or unset it", Err: err})
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		r.refuse(name, file, "a file that has a certificate in PEM")
		return nil
	}
	return pool
}

// boolean reads "true" or "false"; nil if it is unset.
func (r *envReader) boolean(name string) *bool {
	return envChoice(r, name, nil, map[string]*bool{"true": new(true), "false": new(false)})
}

// envChoice reads one of several words, without regard to case.
func envChoice[T any](r *envReader, name string, unset T, choices map[string]T) T {
	return choose(r, name, os.Getenv(name), strings.ToLower, unset, choices)
}

// envWord is envChoice where the SDK compares the case, too.
func envWord[T any](r *envReader, name string, unset T, choices map[string]T) T {
	return choose(r, name, os.Getenv(name), strings.Clone, unset, choices)
}

func choose[T any](r *envReader, name, v string, fold func(string) string, unset T, choices map[string]T) T {
	if v == "" {
		return unset
	}
	if t, ok := choices[fold(v)]; ok {
		return t
	}
	words := slices.Sorted(maps.Keys(choices))
	r.refuse(name, v, fmt.Sprintf("one of %q", words))
	return unset
}

func firstEnv(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}
