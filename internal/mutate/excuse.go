package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// An excuse is a line of equivalent.txt: a mutant that no test can tell from the
// original.
type excuse struct {
	path   string // as the end of the file's path
	mutant string // its text, or * for all of the line
	line   string // of the source, without the space around it
	used   bool
}

// readExcuses reads a list of lines "path TAB mutant TAB source line TAB reason". A
// list that is not there excuses nothing.
func readExcuses(name string) ([]*excuse, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*excuse
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, "\t")
		if len(parts) != 4 || strings.TrimSpace(parts[3]) == "" {
			return nil, fmt.Errorf("%s:%d: want a path, a mutant, a source line and a reason, with tabs between", name, i+1)
		}
		all = append(all, &excuse{path: "/" + parts[0], mutant: parts[1], line: parts[2]})
	}
	return all, nil
}

// excused reports whether the list has the mutant of a line.
func (s *source) excused(line, mutant string) bool {
	found := false
	for _, e := range s.excuses {
		if strings.HasSuffix(filepath.ToSlash(s.path), e.path) && e.line == strings.TrimSpace(line) && (e.mutant == "*" || e.mutant == mutant) {
			e.used, found = true, true
		}
	}
	return found
}

// stale is an error for each excuse of the files that fits nothing in them.
func stale(excuses []*excuse, sources []*source) error {
	var errs []error
	for _, e := range excuses {
		for _, s := range sources {
			if strings.HasSuffix(filepath.ToSlash(s.path), e.path) && !e.used {
				errs = append(errs, fmt.Errorf("the list of equivalent mutants has %q at %q in %s, and there is no such mutant", e.mutant, e.line, e.path[1:]))
			}
		}
	}
	return errors.Join(errs...)
}
