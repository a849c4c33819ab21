package pattern

import (
	"regexp"
	"strings"
	"testing"
)

func TestGo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, ecma string
		match      []string
		other      []string
	}{
		{"what both have", `^(?:a|b{2,3})+?[^c-e\]]\d\w$`, []string{"bbbz0a", "abbf1_"}, []string{"ac1_"}},
		{"space is Unicode's", `^\s$`, []string{" ", "\t", "\v", "\u00a0", "\ufeff", "\u2003", "\u2028"}, []string{"a", "\u200b", "\u0085", ""}},
		{"and what is none", `^\S$`, []string{"a", "\u200b", "\u0085", "\x00", "\U0010ffff"}, []string{" ", "\v", "\u00a0", "\ufeff", "\u3000"}},
		{"in a class", `^[\sa]+[\S]$`, []string{"\u00a0ab"}, []string{"a "}},
		{"in a class that is negated", `^[^\s]$`, []string{"a"}, []string{"\u2003"}},
		{"a dot is no line end", `^.$`, []string{"a", "\v", "\U0001F600"}, []string{"\n", "\r", "\u2028", "\u2029"}},
		{"a dot in a class is a dot", `^[.]$`, []string{"."}, []string{"a"}},
		{"code units", `^\u0041\u{1F600}\uD83D\uDE00\x42$`, []string{"A\U0001F600\U0001F600B"}, []string{"A"}},
		{"half of a pair matches nothing", `\ud83d`, nil, []string{"\U0001F600", "\ufffd"}},
		{"a pair needs its low half", `^\ud83d\u0041$`, nil, []string{"A"}},
		{"control characters", `^\cJ\cz\0[\b]$`, []string{"\n\x1a\x00\b"}, []string{"cJ"}},
		{"a word boundary", `\ba\b\Bx`, nil, []string{"a"}},
		{"the class of nothing", `[]`, nil, []string{"", "]"}},
		{"the class of everything", `^[^]]$`, []string{"a]", "\n]"}, []string{"a", "]"}},
		{"a bracket in a class", `^[[:alpha:]]$`, []string{"a]", ":]", "[]"}, []string{"z]", "z"}},
		{"properties", `^\p{Script=Greek}\p{sc=Latin}\p{General_Category=Lu}\p{gc=Nd}\P{L}\p{L}$`, []string{"αaA1-ä"}, []string{"aaA1-ä"}},
		{"named groups", `^(?<year>\d{4})$`, []string{"2026"}, []string{"26"}},
		{"flags of a group", `^(?i:a)b$`, []string{"Ab"}, []string{"AB"}},
		{"escaped punctuation", `^\/\^\$\\\.\*\+\?\(\)\[\]\{\}\|[\-a]$`, []string{`/^$\.*+?()[]{}|-`}, []string{"a"}},
		{"other alphabets", `^[ä-ü]é$`, []string{"öé"}, []string{"zé"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			translated, err := Go(c.ecma)
			if err != nil {
				t.Fatalf("%s: got %v", c.ecma, err)
			}
			re, err := regexp.Compile(translated)
			if err != nil {
				t.Fatalf("%s: got %s, which is none: %v", c.ecma, translated, err)
			}
			for i, s := range append(c.match, c.other...) {
				if want := i < len(c.match); re.MatchString(s) != want {
					t.Errorf("%s matches %q: got %v, want %v", c.ecma, s, !want, want)
				}
			}
		})
	}
	for _, expr := range []string{`\A`, `\z`, `\Q.\E`, `\a`, `\pL`, `\p{`, `\p{}`, `(?i)a`, `(?P<n>a)`, `(?U:a)`, `(?-)`, `\`, `\-`, `\01`, `\c1`, `\c`, `\x1`, `\xg1`, `\u12`, `\u{110000}`, `\u{}`, `\u12g4`, `\ä`, `\_`, `[\B]`} {
		if translated, err := Go(expr); err == nil {
			t.Errorf("%s: got %s, want an error", expr, translated)
		}
	}
	for _, expr := range []string{`(?=a)`, `(?!a)`, `(?<=a)`, `(a)\1`, `(?<n>a)\k<n>`, `a{1,1001}`, `\p{Script_Extensions=Greek}`} {
		translated, err := Go(expr)
		if err == nil {
			_, err = regexp.Compile(translated)
		}
		if err == nil {
			t.Errorf("%s: got %s, which means something else", expr, translated)
		}
	}
}

func TestECMA(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`^[a-z]+$`:              `^[a-z]+$`,
		`\A\d{3}\z`:             `^\d{3}$`,
		`(?P<y>\d)(?<z>.)(?:a)`: `(?<y>\d)(?<z>[^\n])(?:a)`,
		`\s[\s]\S`:              `[\t\n\f\r ][\t\n\f\r ][^\t\n\f\r ]`,
		`[[a][]b][^]c][.]`:      `[\[a][\]b][^\]c][.]`,
		`\x{1F600}\x41\a`:       `\u{1F600}\x41\x07`,
		`\pL\p{Greek}\P{Lu}`:    `\p{L}\p{Script=Greek}\P{Lu}`,
		`\-\_\"[\-]\.\/`:        `-_"[\-]\.\/`,
		`a{,3}}{`:               `a\{,3\}\}\{`,
		`{2`:                    `\{2`,
		`a{2}{b}`:               `a{2}\{b\}`,
		`ä\\\{2}`:               `ä\\\{2\}`,
	} {
		if _, err := regexp.Compile(expr); err != nil && expr != `a{2}{b}` {
			t.Fatalf("%s is no pattern: %v", expr, err)
		}
		if got, ok := ECMA(expr); got != want || !ok {
			t.Errorf("%s: got %s, %v; want %s", expr, got, ok, want)
		}
	}
	for _, expr := range []string{`(?i)a`, `(?i:a)`, `(?s).`, `\Qa.b\E`, `[[:alpha:]]`, `[\S]`, `\p{^Greek}`, `\C`, `\123`} {
		if got, ok := ECMA(expr); ok {
			t.Errorf("%s: got %s, want none", expr, got)
		}
	}
}

// An expression of Go that has one of ECMA-262 comes back with the same matches.
func FuzzRoundTrip(f *testing.F) {
	for _, s := range []string{`\A[^\s.]\z`, `(?P<a>\pL)`, `[[]`, `a{2,3}b{,}`, `[]-a]`, `\x{41}`, `[^]^]`, `\Q`, `[\]-a]`} {
		f.Add(s, "a b\u00a0]")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		_, _ = Go(expr)
		re, err := regexp.Compile(expr)
		if err != nil || strings.Contains(expr, "\ufffd") {
			return
		}
		ecma, ok := ECMA(expr)
		if !ok {
			return
		}
		back, err := Go(ecma)
		if err != nil {
			t.Fatalf("%q: %q is no expression of ECMA-262: %v", expr, ecma, err)
		}
		again, err := regexp.Compile(back)
		if err != nil {
			t.Fatalf("%q: %q, and then %q: %v", expr, ecma, back, err)
		}
		for _, s := range append(strings.SplitAfter(text, ""), text) {
			if re.MatchString(s) != again.MatchString(s) {
				t.Fatalf("%q and %q differ on %q", expr, ecma, s)
			}
		}
	})
}
