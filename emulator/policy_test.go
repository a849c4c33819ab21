package emulator

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestGlobIsARegularExpression: another reading of * and ?.
func TestGlobIsARegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab:*?]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab:]{0,8}`).Draw(t, "s")
		quoted := strings.NewReplacer("*", ".*", "?", ".").Replace(pattern)
		if want := regexp.MustCompile("^" + quoted + "$").MatchString(s); glob(pattern, s) != want {
			t.Errorf("glob(%q, %q) is %t", pattern, s, !want)
		}
	})
}
