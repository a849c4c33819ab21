// Package claims decodes the JSON objects of a token: its claims, its header, its footer.
//
// A token is read more than once: here, when it is checked, and by the handler, which
// decodes the claims into a struct. encoding/json keeps the last of two members with
// one name, and matches the fields of a struct in any case; a map keeps both spellings.
// So one reader can see "sub" where another sees "Sub". An object in which two readers
// could disagree is refused.
package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/gomiddy/middy/web/internal/jsontoken"
)

// maxDepth is far more than a token has.
const maxDepth = 64

// Object decodes a JSON object. Numbers are json.Number. It refuses what is not one
// object in UTF-8, an object at any depth with two members whose names are equal, or
// differ only in case as encoding/json folds it, and more than 64 levels.
func Object(data []byte) (map[string]any, error) {
	if err := unique(data); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("null is not an object")
	}
	return object, nil
}

// registered are the claims that are checked somewhere in this module.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "cnf"}

// Set is Object for a set of claims. It also refuses a claim that differs from a
// registered one only in case: "SUB" is nothing to the check, and the subject to a
// handler that decodes into a struct.
func Set(data []byte) (map[string]any, error) {
	set, err := Object(data)
	if err != nil {
		return nil, err
	}
	for name := range set {
		for _, r := range registered {
			if name != r && strings.EqualFold(name, r) {
				return nil, fmt.Errorf("the claim %.64q differs from %q only in case", name, r)
			}
		}
	}
	return set, nil
}

func unique(data []byte) error {
	s := jsontoken.New(data, maxDepth)
	var open []map[string]bool // the names of each object that is open; nil for an array
	for {
		tok, err := s.Next()
		if err != nil {
			return err
		}
		switch tok.Kind {
		case jsontoken.EOF:
			return nil
		case jsontoken.ObjectStart:
			open = append(open, map[string]bool{})
		case jsontoken.ArrayStart:
			open = append(open, nil)
		case jsontoken.ObjectEnd, jsontoken.ArrayEnd:
			open = open[:len(open)-1]
		case jsontoken.Key:
			name := jsontoken.Unquote(data[tok.Start:tok.End])
			names, folded := open[len(open)-1], strings.Map(fold, name)
			if names[folded] {
				return fmt.Errorf("the member %.64q comes twice", name)
			}
			names[folded] = true
		}
	}
}

// fold is the smallest of the runes that encoding/json takes for r: "K", "k" and the
// Kelvin sign are one.
func fold(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}
