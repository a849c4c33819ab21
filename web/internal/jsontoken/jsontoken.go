// Package jsontoken splits a JSON text into tokens without building a value.
//
// Middlewares need to know that a body is JSON, how deep it is and which keys it
// has, or to copy parts of it as they are written. encoding/json tells that only
// after a whole tree of maps has been built, and forgets the order of keys on the
// way. A Scanner makes one pass, keeps one byte per open bracket, and never
// recurses, so that a hostile depth costs nothing.
//
// The grammar is RFC 8259, nothing more: no comments, no trailing commas, no byte
// order mark, and strings are UTF-8.
package jsontoken

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Kind is what a token is.
type Kind byte

// The kinds. EOF comes after one whole value and the space behind it.
const (
	EOF         Kind = 0
	ObjectStart Kind = '{'
	ObjectEnd   Kind = '}'
	ArrayStart  Kind = '['
	ArrayEnd    Kind = ']'
	Key         Kind = 'k'
	String      Kind = '"'
	Number      Kind = '0'
	Literal     Kind = 'l' // true, false, null
)

// A Token is one token and where it stands: data[Start:End]. Keys and strings
// include their quotes.
type Token struct {
	Kind       Kind
	Start, End int
}

// A Reason says which rule a text broke.
type Reason int

// The reasons.
const (
	Syntax Reason = iota
	Depth
	UTF8
	Duplicate
)

// An Error says where a text stops being JSON.
type Error struct {
	Reason Reason
	Offset int // in bytes, from 0
	Text   string
}

func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.Text, e.Offset) }

// what may come next
type state byte

const (
	value      state = iota // a value
	firstValue              // a value, or the end of the array
	firstKey                // a key, or the end of the object
	nextKey                 // a key
	colon                   // the colon behind a key
	after                   // a comma or a closing bracket; at the top the end
)

// A Scanner reads one JSON text. The zero value is not usable: see [New].
type Scanner struct {
	// AnyBytes lets strings hold bytes that are not UTF-8.
	AnyBytes bool
	// Unique refuses an object that has a name twice, also when only case tells the
	// two apart. encoding/json matches names to fields in any case, and the last one
	// wins: whoever checks one of the two checks what nobody uses.
	Unique bool

	data     []byte
	pos      int
	maxDepth int
	open     []byte
	state    state
	names    []names // of the open objects, with Unique
}

// New returns a Scanner of data. More than maxDepth open brackets are an error.
func New(data []byte, maxDepth int) *Scanner {
	return &Scanner{data: data, maxDepth: maxDepth}
}

// Depth is the number of open brackets.
func (s *Scanner) Depth() int { return len(s.open) }

// Next returns the next token, an *[Error] where the text is wrong. After an error
// or EOF do not call it again.
func (s *Scanner) Next() (Token, error) {
	for {
		s.space()
		if s.pos == len(s.data) {
			return s.end()
		}
		c := s.data[s.pos]
		switch s.state {
		case after:
			if tok, done, err := s.separator(c); done || err != nil {
				return tok, err
			}
		case colon:
			if c != ':' {
				return Token{}, s.wrong("expected ':' behind a key")
			}
			s.pos++
			s.state = value
		case firstKey, nextKey:
			if c == '}' && s.state == firstKey {
				return s.closing(ObjectEnd), nil
			}
			if c != '"' {
				return Token{}, s.wrong("expected a key in double quotes")
			}
			tok, err := s.str(Key)
			s.state = colon
			if err == nil && s.Unique {
				err = s.once(tok)
			}
			return tok, err
		default:
			if c == ']' && s.state == firstValue {
				return s.closing(ArrayEnd), nil
			}
			return s.value(c)
		}
	}
}

func (s *Scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *Scanner) end() (Token, error) {
	if s.state == after && len(s.open) == 0 {
		return Token{Kind: EOF, Start: s.pos, End: s.pos}, nil
	}
	return Token{}, &Error{Syntax, s.pos, "unexpected end"}
}

// separator handles what stands behind a value.
func (s *Scanner) separator(c byte) (_ Token, done bool, _ error) {
	if len(s.open) == 0 {
		return Token{}, true, s.wrong("unexpected text behind the value")
	}
	object := s.open[len(s.open)-1] == '{'
	switch {
	case c == ',' && object:
		s.state = nextKey
	case c == ',':
		s.state = value
	case c == '}' && object:
		return s.closing(ObjectEnd), true, nil
	case c == ']' && !object:
		return s.closing(ArrayEnd), true, nil
	case object:
		return Token{}, true, s.wrong("expected ',' or '}'")
	default:
		return Token{}, true, s.wrong("expected ',' or ']'")
	}
	s.pos++
	return Token{}, false, nil
}

func (s *Scanner) closing(k Kind) Token {
	s.open = s.open[:len(s.open)-1]
	if s.Unique && k == ObjectEnd {
		s.names = s.names[:len(s.names)-1]
	}
	s.state = after
	s.pos++
	return Token{k, s.pos - 1, s.pos}
}

func (s *Scanner) value(c byte) (Token, error) {
	switch {
	case c == '{':
		return s.opening(ObjectStart, firstKey)
	case c == '[':
		return s.opening(ArrayStart, firstValue)
	case c == '"':
		s.state = after
		return s.str(String)
	case c == '-' || '0' <= c && c <= '9':
		s.state = after
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return Token{}, s.wrong("expected a value")
}

func (s *Scanner) opening(k Kind, next state) (Token, error) {
	if len(s.open) == s.maxDepth {
		return Token{}, &Error{Depth, s.pos, fmt.Sprintf("more than %d levels deep", s.maxDepth)}
	}
	s.open = append(s.open, byte(k))
	if s.Unique && k == ObjectStart {
		s.names = append(s.names, names{})
	}
	s.state = next
	s.pos++
	return Token{k, s.pos - 1, s.pos}, nil
}

// Unique returns the error of a Scanner with Unique for a text, or nil.
func Unique(text []byte) error {
	s := New(text, 10000)
	s.Unique = true
	for {
		if tok, err := s.Next(); err != nil || tok.Kind == EOF {
			return err
		}
	}
}

// once refuses a key that the innermost object has already.
func (s *Scanner) once(tok Token) error {
	name := Unquote(s.data[tok.Start:tok.End])
	if s.names[len(s.names)-1].add(Fold(name)) {
		return nil
	}
	return &Error{Duplicate, tok.Start, fmt.Sprintf("the name %q comes twice in one object, in this case or another,", short(name))}
}

// short cuts a name that the client chose.
func short(name string) string {
	const most = 64
	if len(name) <= most {
		return name
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "…"
}

// names are the folded names of one object. Most objects have few.
type names struct {
	few  []string
	many map[string]struct{}
}

// add reports false when the name is there.
func (n *names) add(name string) bool {
	if n.many != nil {
		before := len(n.many)
		n.many[name] = struct{}{}
		return len(n.many) > before
	}
	if slices.Contains(n.few, name) {
		return false
	}
	if n.few = append(n.few, name); len(n.few) > 16 {
		n.many = make(map[string]struct{}, 2*len(n.few))
		for _, name := range n.few {
			n.many[name] = struct{}{}
		}
	}
	return true
}

// Fold returns the same text for two names that encoding/json takes for one: it
// replaces every character by the first of those that differ from it only in case.
func Fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		if r < utf8.RuneSelf {
			return r
		}
		first := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			first = min(first, next)
		}
		return first
	}, name)
}

func (s *Scanner) literal(text string) (Token, error) {
	start := s.pos
	for i := range len(text) {
		if s.pos == len(s.data) {
			return Token{}, &Error{Syntax, s.pos, "unexpected end"}
		}
		if s.data[s.pos] != text[i] {
			return Token{}, s.wrong("expected " + text)
		}
		s.pos++
	}
	s.state = after
	return Token{Literal, start, s.pos}, nil
}

// str reads a string; s.pos is at its opening quote.
func (s *Scanner) str(k Kind) (Token, error) {
	start := s.pos
	s.pos++
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return Token{k, start, s.pos}, nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return Token{}, err
			}
		case c < ' ':
			return Token{}, s.wrong("a control character in a string must be escaped")
		case c < utf8.RuneSelf || s.AnyBytes:
			s.pos++
		default:
			r, n := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return Token{}, &Error{UTF8, s.pos, "a string is not UTF-8"}
			}
			s.pos += n
		}
	}
	return Token{}, &Error{Syntax, s.pos, "unexpected end in a string"}
}

func (s *Scanner) escape() error {
	rest := s.data[s.pos+1:]
	if len(rest) == 0 {
		return &Error{Syntax, len(s.data), "unexpected end in a string"}
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		for i := 1; i <= 4; i++ {
			if i >= len(rest) {
				return &Error{Syntax, len(s.data), "unexpected end in a string"}
			}
			if !hex(rest[i]) {
				return s.wrong("expected four hexadecimal digits behind \\u")
			}
		}
		s.pos += 6
		return nil
	}
	return s.wrong("unknown escape in a string")
}

func hex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// number reads [ minus ] int [ frac ] [ exp ]: RFC 8259 section 6.
func (s *Scanner) number() (Token, error) {
	start := s.pos
	if s.data[s.pos] == '-' {
		s.pos++
	}
	first := s.pos
	if !s.digits() {
		return Token{}, s.digitMissing()
	}
	if s.data[first] == '0' && s.pos > first+1 {
		s.pos = first
		return Token{}, s.wrong("a number must not begin with 0")
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return Token{}, s.digitMissing()
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return Token{}, s.digitMissing()
		}
	}
	return Token{Number, start, s.pos}, nil
}

func (s *Scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

func (s *Scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *Scanner) digitMissing() error {
	if s.pos == len(s.data) {
		return &Error{Syntax, s.pos, "unexpected end in a number"}
	}
	return s.wrong("expected a digit")
}

func (s *Scanner) wrong(text string) error { return &Error{Syntax, s.pos, text} }

// Unquote returns the text of a key or string token of a valid JSON text. Half of
// a surrogate pair, and bytes that are not UTF-8, become U+FFFD.
func Unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c == '\\' || c >= utf8.RuneSelf {
			var s string
			_ = json.Unmarshal(quoted, &s) // cannot fail: the Scanner has read it
			return s
		}
	}
	return string(inner)
}
