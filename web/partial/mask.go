package partial

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web/internal/jsontoken"
)

// A mask says which members of an object are wanted, in the order of the selector.
// A nil mask wants everything.
type mask struct {
	entries []entry
	names   map[string]int // where the entry of a name is
	any     int            // where the wildcard is, from 1; 0: nowhere
}

type entry struct {
	name string
	any  bool  // the wildcard
	sub  *mask // of the member's value
}

// compile reads a selector in json-mask's grammar,
// https://github.com/nemtsov/json-mask#grammar-syntax: names separated by commas,
// a/b for a member of a member, a(b,c) for several, * for every member, and \
// before a character that shall be part of a name. Like the original it has no
// errors: what is not in the grammar has some meaning. Its depth of recursion is the
// number of / and ( in the selector, which the caller bounds.
func compile(selector string) *mask {
	p := &parser{tokens: scan(selector)}
	m, _ := p.props(false)
	return m
}

// A piece is a name or one of , / ( ).
type piece struct {
	mark byte // 0: a name
	name string
	any  bool
}

func scan(selector string) []piece {
	var pieces []piece
	var name strings.Builder
	escaped := false // the name has an escape, so that it is no wildcard
	push := func() {
		if s := name.String(); s != "" {
			pieces = append(pieces, piece{name: s, any: s == "*" && !escaped})
		}
		name.Reset()
		escaped = false
	}
	for i := 0; i < len(selector); i++ {
		switch c := selector[i]; c {
		case '\\':
			if i++; i < len(selector) {
				name.WriteByte(selector[i])
				escaped = true
			}
		case ',', '/', '(', ')':
			push()
			pieces = append(pieces, piece{mark: c})
		default:
			name.WriteByte(c)
		}
	}
	push()
	return pieces
}

type parser struct{ tokens []piece }

// props reads what belongs to one name, or to the top, up to and including the mark
// that ends it.
func (p *parser) props(path bool) (m *mask, ok bool) {
	m = &mask{}
	for len(p.tokens) > 0 {
		t := p.tokens[0]
		p.tokens = p.tokens[1:]
		switch t.mark {
		case ',', ')':
			return m, len(m.entries) > 0
		case '(':
		case '/':
			path = true
		default:
			sub, some := p.props(false)
			if !some {
				sub = nil
			}
			m.add(entry{t.name, t.any, sub})
			if path {
				return m, true
			}
		}
	}
	return m, len(m.entries) > 0
}

// add puts an entry into the mask. What a name selects in one place and in another is
// selected in both, other than in json-mask, where the last place counts.
func (m *mask) add(e entry) {
	at, known := m.names[e.name]
	if e.any {
		at, known = m.any-1, m.any > 0
	}
	switch {
	case known:
		m.entries[at].sub = m.entries[at].sub.with(e.sub)
		return
	case e.any:
		m.any = len(m.entries) + 1
	default:
		if m.names == nil {
			m.names = map[string]int{}
		}
		m.names[e.name] = len(m.entries)
	}
	m.entries = append(m.entries, e)
}

// with is the mask of what either selects.
func (m *mask) with(other *mask) *mask {
	if m == nil || other == nil {
		return nil
	}
	for _, e := range other.entries {
		m.add(e)
	}
	return m
}

// find returns the entries for a member's name as it stands in the document, with
// its quotes: the one that counts first, and the one that counts when the first
// selects nothing.
func (m *mask) find(quoted []byte) (first, second *entry) {
	name := quoted[1 : len(quoted)-1]
	for _, c := range name {
		if c == '\\' || c >= utf8.RuneSelf { // it may not stand for itself
			name = []byte(jsontoken.Unquote(quoted))
			break
		}
	}
	named, known := m.names[string(name)]
	switch {
	case !known && m.any == 0:
		return nil, nil
	case !known:
		return &m.entries[m.any-1], nil
	case m.any == 0:
		return &m.entries[named], nil
	case named > m.any-1:
		return &m.entries[named], &m.entries[m.any-1]
	}
	return &m.entries[m.any-1], &m.entries[named]
}

// A filter copies the wanted parts of a JSON text, without space between tokens.
type filter struct {
	src  []byte
	s    *jsontoken.Scanner
	out  []byte
	last jsontoken.Kind // written last
}

// maxDepth bounds the recursion over the document.
const maxDepth = 1000

// apply returns the parts of src that m selects, or false when src is no array or
// object.
func apply(src []byte, m *mask) ([]byte, bool) {
	f := &filter{src: src, s: jsontoken.New(src, maxDepth), out: make([]byte, 0, len(src))}
	tok, err := f.s.Next()
	if err != nil || tok.Kind != jsontoken.ObjectStart && tok.Kind != jsontoken.ArrayStart {
		return nil, false
	}
	selected, err := f.value(tok, m)
	if err != nil {
		return nil, false
	}
	if end, err := f.s.Next(); err != nil || end.Kind != jsontoken.EOF {
		return nil, false
	}
	if !selected {
		return []byte("null"), true
	}
	return f.out, true
}

// write appends a token and the comma or colon before it.
func (f *filter) write(tok jsontoken.Token) {
	switch f.last {
	case jsontoken.Key:
		f.out = append(f.out, ':')
	case jsontoken.EOF, jsontoken.ObjectStart, jsontoken.ArrayStart:
	default:
		if tok.Kind != jsontoken.ObjectEnd && tok.Kind != jsontoken.ArrayEnd {
			f.out = append(f.out, ',')
		}
	}
	f.out = append(f.out, f.src[tok.Start:tok.End]...)
	f.last = tok.Kind
}

// A place is where the output can be cut off again.
type place struct {
	length int
	last   jsontoken.Kind
}

func (f *filter) here() place   { return place{len(f.out), f.last} }
func (f *filter) undo(to place) { f.out, f.last = f.out[:to.length], to.last }

// value copies what m selects of the value that begins with tok. It reports false,
// and copies nothing, when m selects members of what has none.
func (f *filter) value(tok jsontoken.Token, m *mask) (selected bool, err error) {
	switch {
	case m == nil:
		return true, f.whole(tok, f.write)
	case tok.Kind == jsontoken.ObjectStart:
		return true, f.object(tok, m)
	case tok.Kind == jsontoken.ArrayStart:
		return f.array(tok, m)
	case f.falsy(tok): // as in JavaScript, where a missing customer may be null
		f.write(tok)
		return true, nil
	}
	return false, nil
}

func (f *filter) falsy(tok jsontoken.Token) bool {
	text := string(f.src[tok.Start:tok.End])
	switch tok.Kind {
	case jsontoken.Literal:
		return text != "true"
	case jsontoken.Number:
		n, _ := strconv.ParseFloat(text, 64)
		return n == 0
	}
	return text == `""`
}

// whole calls do for every token of the value that begins with tok.
func (f *filter) whole(tok jsontoken.Token, do func(jsontoken.Token)) error {
	do(tok)
	if tok.Kind != jsontoken.ObjectStart && tok.Kind != jsontoken.ArrayStart {
		return nil
	}
	for depth := f.s.Depth(); f.s.Depth() >= depth; {
		next, err := f.s.Next()
		if err != nil {
			return err
		}
		do(next)
	}
	return nil
}

func (f *filter) object(tok jsontoken.Token, m *mask) error {
	f.write(tok)
	for {
		key, err := f.s.Next()
		if err != nil {
			return err
		}
		if key.Kind == jsontoken.ObjectEnd {
			f.write(key)
			return nil
		}
		if err := f.member(key, m); err != nil {
			return err
		}
	}
}

func (f *filter) member(key jsontoken.Token, m *mask) error {
	tok, err := f.s.Next()
	if err != nil {
		return err
	}
	first, second := m.find(f.src[key.Start:key.End])
	if first == nil {
		return f.whole(tok, func(jsontoken.Token) {})
	}
	if second == nil {
		_, err := f.choose(key, tok, first)
		return err
	}
	retry, outside := *f.s, f.s
	if selected, err := f.choose(key, tok, first); err != nil || selected {
		return err
	}
	f.s = &retry
	_, err = f.choose(key, tok, second)
	f.s = outside
	return err
}

// choose copies a member with what e selects of its value, if that is anything.
func (f *filter) choose(key, tok jsontoken.Token, e *entry) (selected bool, err error) {
	before := f.here()
	f.write(key)
	selected, err = f.value(tok, e.sub)
	if !selected {
		f.undo(before)
	}
	return selected, err
}

// array selects of every element. One that is not empty and of which nothing is
// selected is not selected itself.
func (f *filter) array(tok jsontoken.Token, m *mask) (selected bool, err error) {
	before := f.here()
	f.write(tok)
	empty := true
	for {
		next, err := f.s.Next()
		if err != nil {
			return false, err
		}
		if next.Kind == jsontoken.ArrayEnd {
			f.write(next)
			break
		}
		empty = false
		one, err := f.value(next, m)
		if err != nil {
			return false, err
		}
		selected = selected || one
	}
	if empty || selected {
		return true, nil
	}
	f.undo(before)
	return false, nil
}
