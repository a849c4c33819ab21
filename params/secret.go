package params

import (
	"crypto/subtle"
	"fmt"
	"log/slog"

	"github.com/gomiddy/middy/internal/awsapi/jsontext"
)

// A Secret is a value that does not show itself: under every fmt verb, in JSON,
// text and log/slog it is "[redacted 32 B]", with the first characters of its
// version where that is known. [Secret.Reveal] and [Secret.Use] are the only
// ways to its content.
//
// Its bytes are kept once per version and cleared when the last Secret that
// refers to them is unreachable, or by [Store.Close]. That limits how long a
// secret is in memory, not that it was: buffers of TLS and HTTP, and every
// string that Reveal returned, are out of reach. A Secret that is a field of a
// decoded struct is cleared when it is unreachable, not by Close.
//
// Printers that ignore methods, such as those of test libraries, find no bytes
// either. So reflect.DeepEqual takes only copies of one Secret for equal; compare
// with [Secret.Equal].
//
// A Secret is immutable and safe for concurrent use. The zero value is empty.
type Secret struct {
	b       *blob
	version string
}

// NewSecret returns a Secret with a copy of text, for tests and for values that
// do not come from a Store.
func NewSecret(text string) Secret { return Secret{b: newBlob([]byte(text))} }

// Reveal returns the content. It panics when the content was wiped ([Store.Close]):
// an empty text might pass for a password. The panic is like that of [Value.Get],
// with a [*WipedError].
func (s Secret) Reveal() string {
	var text string
	if !s.Use(func(b []byte) { text = string(b) }) {
		panic(getFailure{&WipedError{Version: s.version}})
	}
	return text
}

// Use calls fn with the content, without a copy. fn must neither change nor keep
// the bytes. It reports false, and does not call fn, after [Store.Close].
func (s Secret) Use(fn func([]byte)) bool {
	if s.b == nil {
		fn(nil)
		return true
	}
	return s.b.read(fn)
}

// Len is the length in bytes.
func (s Secret) Len() int {
	if s.b == nil {
		return 0
	}
	return s.b.n
}

// IsZero reports whether the Secret is empty.
func (s Secret) IsZero() bool { return s.Len() == 0 }

// Version is the source's identifier of the content, or empty.
func (s Secret) Version() string { return s.version }

// Equal compares two contents in constant time, save for their lengths.
func (s Secret) Equal(other Secret) (equal bool) {
	var text string
	if !other.Use(func(b []byte) { text = string(b) }) {
		return false
	}
	return s.EqualString(text)
}

// EqualString compares the content with text in constant time, save for the
// lengths, such as a token from a request. A wiped Secret equals nothing.
func (s Secret) EqualString(text string) (equal bool) {
	s.Use(func(b []byte) { equal = subtle.ConstantTimeCompare(b, []byte(text)) == 1 })
	return equal
}

// String is "[redacted 32 B]", or "[redacted 32 B v=ab12cd34…]".
func (s Secret) String() string {
	if s.version == "" {
		return fmt.Sprintf("[redacted %d B]", s.Len())
	}
	return fmt.Sprintf("[redacted %d B v=%.8s…]", s.Len(), s.version)
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format writes String under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalJSON returns String as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.redactedASCII() + `"`), nil }

// MarshalText returns String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalBinary returns String; encoding/gob uses it.
func (s Secret) MarshalBinary() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// redactedASCII leaves the version out: it is the source's word and might need
// escaping.
func (s Secret) redactedASCII() string { return fmt.Sprintf("[redacted %d B]", s.Len()) }

// UnmarshalJSON takes the content from a JSON string, so that a field of a
// decoded struct may be a Secret. null is the empty Secret.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var t jsontext.Text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	*s = Secret{}
	if t != nil {
		s.b = newBlob(t)
	}
	return nil
}

// UnmarshalText takes a copy of the content.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = NewSecret(string(b))
	return nil
}
