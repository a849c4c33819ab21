package secure

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A structured field, RFC 9651: what cannot be parsed is dropped whole, without a word.
// This is as much of it as the headers here use: dictionaries and items, of tokens,
// strings, booleans and whole numbers.

// member is an element of a dictionary. A value that is no inner list is one item.
type member struct {
	key   string
	list  bool
	items []item
}

// item is a token or a string; other kinds have no text.
type item struct {
	kind byte // 't' token, '"' string, '?' boolean, '0' number
	text string
}

type scanner struct {
	rest string
}

// dictionary reads a whole field: section 4.2.2. A key that comes twice is an error,
// since the last one counts and the others do not.
func dictionary(field string) ([]member, error) {
	s := &scanner{strings.Trim(field, " ")}
	var all []member
	for {
		key, err := s.key()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(m member) bool { return m.key == key }) {
			return nil, fmt.Errorf("%s comes twice", key)
		}
		m := member{key: key, items: []item{{kind: '?'}}}
		if s.take('=') {
			if m, err = s.value(key); err != nil {
				return nil, err
			}
		}
		if err := s.parameters(); err != nil {
			return nil, err
		}
		all = append(all, m)
		s.space(" \t")
		if s.rest == "" {
			return all, nil
		}
		if !s.take(',') {
			return nil, fmt.Errorf("%.20q stands where a comma should", s.rest)
		}
		s.space(" \t")
	}
}

// single reads a field that is one item: section 4.2.3.
func single(field string) (item, error) {
	s := &scanner{strings.Trim(field, " ")}
	it, err := s.item()
	if err == nil && s.rest != "" {
		err = fmt.Errorf("%.20q stands behind the value", s.rest)
	}
	return it, err
}

func (s *scanner) value(key string) (member, error) {
	m := member{key: key}
	if !s.take('(') {
		it, err := s.bare()
		m.items = []item{it}
		return m, err
	}
	m.list = true
	for {
		s.space(" ")
		if s.take(')') {
			return m, nil
		}
		it, err := s.item()
		if err != nil {
			return m, err
		}
		m.items = append(m.items, it)
		if s.rest == "" || s.rest[0] != ' ' && s.rest[0] != ')' {
			return m, fmt.Errorf("the list of %s does not end, or has no space between two elements", key)
		}
	}
}

func (s *scanner) item() (item, error) {
	it, err := s.bare()
	if err != nil {
		return it, err
	}
	return it, s.parameters()
}

func (s *scanner) parameters() error {
	for s.take(';') {
		s.space(" ")
		if _, err := s.key(); err != nil {
			return err
		}
		if s.take('=') {
			if _, err := s.bare(); err != nil {
				return err
			}
		}
	}
	return nil
}

// bare is a bare item: section 4.2.3.1.
func (s *scanner) bare() (item, error) {
	switch {
	case s.take('"'):
		return s.str()
	case strings.HasPrefix(s.rest, "?0"), strings.HasPrefix(s.rest, "?1"):
		s.rest = s.rest[2:]
		return item{kind: '?'}, nil
	}
	if digits := s.while(func(c byte) bool { return '0' <= c && c <= '9' }); digits != "" {
		if len(digits) > 15 {
			return item{}, errors.New("a number has more than 15 digits")
		}
		return item{kind: '0'}, nil
	}
	if s.rest == "" || !alpha(s.rest[0]) && s.rest[0] != '*' {
		return item{}, fmt.Errorf("%.20q is no token and no string in double quotes", s.rest)
	}
	return item{'t', s.while(func(c byte) bool {
		return alpha(c) || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
	})}, nil
}

// str is a string, behind its opening quote: section 4.2.5.
func (s *scanner) str() (item, error) {
	var text strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return item{'"', text.String()}, nil
		case c == '\\':
			if i++; i == len(s.rest) || s.rest[i] != '"' && s.rest[i] != '\\' {
				return item{}, errors.New(`in a string \ stands before " and \ only`)
			}
			text.WriteByte(s.rest[i])
		case c < ' ' || c > '~':
			return item{}, fmt.Errorf("a string has the byte %#02x, and may have ASCII that prints", c)
		default:
			text.WriteByte(c)
		}
	}
	return item{}, errors.New("a string does not end")
}

// key is the key of a member or parameter: section 4.2.3.3.
func (s *scanner) key() (string, error) {
	start := s.rest
	key := s.while(func(c byte) bool {
		return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("_-.*", c) >= 0
	})
	if !isKey(key) {
		return "", fmt.Errorf("%.20q does not begin with a name of lower-case letters, digits, _, -, . and *", start)
	}
	return key, nil
}

// isKey reports whether a name can be the key of a dictionary.
func isKey(s string) bool {
	if s == "" || (s[0] < 'a' || s[0] > 'z') && s[0] != '*' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.*", r)
	})
}

func alpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func (s *scanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) space(set string) { s.rest = strings.TrimLeft(s.rest, set) }

func (s *scanner) while(in func(byte) bool) string {
	n := 0
	for n < len(s.rest) && in(s.rest[n]) {
		n++
	}
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}
