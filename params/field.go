package params

import (
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/gomiddy/middy/internal/awsapi/jsontext"
)

// splitPath splits "a.b\.c.0" into "a", "b.c", "0". An empty path has no parts.
func splitPath(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	var parts []string
	var part strings.Builder
	for i := 0; i <= len(path); i++ {
		switch {
		case i == len(path) || path[i] == '.':
			if part.Len() == 0 {
				return nil, fmt.Errorf("params: the field path %q has an empty part", path)
			}
			parts = append(parts, part.String())
			part.Reset()
		case path[i] == '\\' && i+1 < len(path) && (path[i+1] == '.' || path[i+1] == '\\'):
			i++
			part.WriteByte(path[i])
		default:
			part.WriteByte(path[i])
		}
	}
	return parts, nil
}

// extract returns the JSON fragment at path: a part of doc, not a copy. The
// reason says why there is none; it names parts of the path, never content.
func extract(doc []byte, path []string) (fragment []byte, reason string) {
	doc = trimBOM(doc)
	if !json.Valid(doc) {
		return nil, "it is not valid JSON, so it has no fields"
	}
	doc = doc[skipSpace(doc, 0):]
	for _, name := range path {
		switch doc[0] {
		case '{':
			fragment = member(doc, name)
		case '[':
			fragment = element(doc, name)
		default:
			return nil, fmt.Sprintf("it has no field %q: a %s stands where an object is needed", name, kindOf(doc))
		}
		if fragment == nil {
			return nil, fmt.Sprintf("it has no field %q", name)
		}
		doc = fragment
	}
	return doc[:skipValue(doc, 0)], ""
}

// trimBOM drops the byte order mark with which some editors begin a file.
func trimBOM(b []byte) []byte {
	if len(b) >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF {
		return b[3:]
	}
	return b
}

// member returns what follows name in the object that doc starts with. Of
// duplicate names the last one counts, as in encoding/json.
func member(doc []byte, name string) (found []byte) {
	for quoted, value := range members(doc) {
		if b, _ := jsontext.Unquote(quoted); string(b) == name { // valid, as doc is
			found = value
		}
	}
	return found
}

// members are the names, in their quotes, of the object that doc starts with, and
// what follows each.
func members(doc []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(quoted, value []byte) bool) {
		i := skipSpace(doc, 1)
		for doc[i] != '}' {
			end := skipString(doc, i)
			quoted := doc[i:end]
			i = skipSpace(doc, skipSpace(doc, end)+1) // the colon
			if !yield(quoted, doc[i:]) {
				return
			}
			if i = skipSpace(doc, skipValue(doc, i)); doc[i] == ',' {
				i = skipSpace(doc, i+1)
			}
		}
	}
}

// element returns what starts at an index of the array that doc starts with.
func element(doc []byte, index string) []byte {
	n, err := strconv.Atoi(index)
	if err != nil {
		return nil
	}
	for i, value := range elements(doc) {
		if i == n {
			return value
		}
	}
	return nil
}

// elements are what starts at each index of the array that doc starts with.
func elements(doc []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		i := skipSpace(doc, 1)
		for n := 0; doc[i] != ']'; n++ {
			if !yield(n, doc[i:]) {
				return
			}
			if i = skipSpace(doc, skipValue(doc, i)); doc[i] == ',' {
				i = skipSpace(doc, i+1)
			}
		}
	}
}

// The skip functions return the index after what starts at i. They rely on doc
// being valid JSON.

func skipSpace(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\n' || doc[i] == '\t' || doc[i] == '\r') {
		i++
	}
	return i
}

func skipString(doc []byte, i int) int {
	for i++; doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipValue(doc []byte, i int) int {
	depth := 0
	for i < len(doc) {
		switch doc[i] {
		case '"':
			i = skipString(doc, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ' ', '\n', '\t', '\r', ',', ':':
			i++
			continue
		default:
			i = skipScalar(doc, i)
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

func skipScalar(doc []byte, i int) int {
	for i < len(doc) && !strings.ContainsRune(" \n\t\r,:]}", rune(doc[i])) {
		i++
	}
	return i
}

// kindOf names the kind of a JSON value, for messages.
func kindOf(fragment []byte) string {
	switch fragment[0] {
	case '{':
		return "JSON object"
	case '[':
		return "JSON array"
	case '"':
		return "JSON string"
	case 't', 'f':
		return "JSON boolean"
	case 'n':
		return "JSON null"
	}
	return "JSON number"
}
