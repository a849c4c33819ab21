package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown is how much of a line is shown to people, in bytes.
const maxShown = 4 << 10

// visible is text from elsewhere for a terminal: control characters, which would
// move its cursor or colour it for good, are written as Go escapes them, and what is
// longer than [maxShown] is cut.
func visible(text string) string {
	cut := 0
	if len(text) > maxShown {
		end := maxShown
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		cut, text = len(text)-end, text[:end]
	}
	if strings.IndexFunc(text, hidden) >= 0 || !utf8.ValidString(text) {
		var b strings.Builder
		for i, r := range text {
			switch {
			case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
				fmt.Fprintf(&b, `\x%02x`, text[i])
			case !hidden(r):
				b.WriteRune(r)
			case r < utf8.RuneSelf:
				fmt.Fprintf(&b, `\x%02x`, r)
			case r <= 0xffff:
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				fmt.Fprintf(&b, `\U%08x`, r)
			}
		}
		text = b.String()
	}
	if cut > 0 {
		text += fmt.Sprintf(" … (%d bytes more)", cut)
	}
	return text
}

// hidden are control characters, but for the tabulator, and the ones that change the
// direction of what follows.
func hidden(r rune) bool {
	return r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// visibleLines is visible for each line of a block.
func visibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n")
}
