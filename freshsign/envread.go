package freshsign

import (
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

// whole reads a number of at least 1; zero if it is unset.
func (r *envReader) whole(name string) int {
	v := os.Getenv(name)
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		r.refuse(name, v, "a whole number of at least 1")
		return 0
	}
	return n
}

// boolean reads "true" or "false"; nil if it is unset.
func (r *envReader) boolean(name string) *bool {
	return envChoice(r, name, nil, map[string]*bool{"true": new(true), "false": new(false)})
}

// envChoice reads one of several words, without regard to case.
func envChoice[T any](r *envReader, name string, unset T, choices map[string]T) T {
	v := os.Getenv(name)
	if v == "" {
		return unset
	}
	if t, ok := choices[strings.ToLower(v)]; ok {
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
