package validate

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomiddy/middy/web/internal/format"
	"github.com/gomiddy/middy/web/internal/schema"
)

// tagged is the rule of a field with the tag format.
func tagged(t *testing.T, name string) *schema.Rules {
	t.Helper()
	fields, err := schema.Members(reflect.StructOf([]reflect.StructField{{
		Name: "F", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(fmt.Sprintf(`format:%q`, name)),
	}}))
	if err != nil {
		t.Fatalf("the tag format:%q: %v", name, err)
	}
	return fields[0].Rules
}

// A schema and a tag say the same of a format, and both what its document says.
func TestFormats(t *testing.T) {
	t.Parallel()
	label63 := strings.Repeat("a", 63)
	cases := map[string]struct{ good, bad []string }{
		"date": {
			[]string{"2026-01-31", "2024-02-29", "0000-01-01"},
			[]string{"2026-02-30", "2025-02-29", "2026-1-31", "31.01.2026", "2026-01-31Z", "", "２０２６-01-31", "2026-01-3১"},
		},
		"time": {
			[]string{"15:04:05Z", "15:04:05z", "15:04:05.123456789012+01:00", "00:00:00-23:59", "23:59:60Z", "15:59:60-08:00", "01:29:60+01:30", "23:29:60-00:30"},
			[]string{"15:04:05", "15:04:05+0100", "15:04:05+01", "24:00:00Z", "15:60:05Z", "15:04:61Z", "22:59:60Z", "23:58:60Z", "15:04:05.Z", "15:04:05,5Z", "15:04:05+24:00", "15:04:05+10:60", "15:04:05 +1:00", "1:04:05Z", "15:04Z", "15.04:05Z", "15:04.05Z", "15:04:05?01:00", "aa:04:05Z", "15:aa:05Z", "15:04:aaZ", "15:04:05+aa:00", "15:04:05+01:aa", "15:04:05+01.00", ""},
		},
		"date-time": {
			[]string{"2026-01-31T15:04:05Z", "1963-06-19t08:30:06.28z", "1998-12-31T23:59:60Z", "1998-12-31T15:59:60.123-08:00", "2026-01-31T15:04:05.1+01:00"},
			[]string{"2026-01-31 15:04:05Z", "2026-01-31T15:04:05", "2026-01-31", "1990-12-31T10:00:00+10:60", "1990-12-31T15:59:59-24:00", "2024-01-01T00:00:00,5Z", "1998-12-31T23:58:60Z", "1998-12-31T22:59:60Z", "2026-02-30T15:04:05Z", "2026-01-31T15:04:05+0200", "2026-01-31T25:04:05Z", "T15:04:05Z", ""},
		},
		"duration": {
			[]string{"P4DT12H30M5S", "P4Y", "PT0S", "P0D", "P1M", "PT1M", "PT36H", "P1DT12H", "P2W", "P1Y2M3D", "PT1H2M3S", "P1YT1S", "PT1M2S"},
			[]string{"P1Y2D", "PT1H2S", "P", "PT", "P1", "P1D2H", "P2S", "PT1D", "P1W2D", "P1Y2W", "4DT12H", "PT1H T", "P1DT", "P-1D", "P1.5D", "P২Y", "PW", "W", "P1D1D", "P1M1Y", "PT1S1M", ""},
		},
		"email": {
			[]string{"a@example.com", "a.b+c@sub.example.com", "te~st@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", `"a b"@example.com`, `"a..b"@example.com`, `"a@b"@example.com`, `"a\"b"@example.com`, `"a\\"@example.com`, "a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "a@[ipv6:::1]", strings.Repeat("a", 64) + "@b.de"},
			[]string{"abc@abc", "example.com", "@example.com", "a@", "a@-example.com", "a@example-.com", "a@exa mple.com", "a b@example.com", "a@b@c", ".a@b.de", "a.@b.de", "te..st@example.com", "a@b..de", "a@b.de.", "a@.b.de", "ä@b.de", "a@bücher.de", `"a@b.de`, `"a"b@c.de`, `"a\"@b.de`, "\"a\n\"@b.de", "\"a\\\n\"@b.de", "\"ä\"@b.de", `"@b.de`, "a@[192.0.2.256]", "a@[2001:db8::1]", "a@[IPv6:192.0.2.1]", "a@[192.0.2.1", "a@192.0.2.1]", "a b@[192.0.2.1]", "a@[IPv6:fe80::1%eth0]", "a@" + strings.Repeat("b", 64) + ".com", strings.Repeat("a", 65) + "@b.de", "a@" + strings.Repeat("b.", 126) + "de", "a,b@c.de", "a@b_c.de", "a@b.de, c@d.de", ""},
		},
		"hostname": {
			[]string{"example.com", "EXAMPLE", "a", "1host", "xn--bcher-kva.example", label63 + ".com", "a-b.c", "192.0.2.1"},
			[]string{"-a", "a-", "a.-b", "a..b", ".a", "a.", ".", "", "a_b", "a b", "bücher.example", label63 + "a.com", strings.Repeat("a.", 126) + "bc"},
		},
		"ipv4": {
			[]string{"192.0.2.1", "0.0.0.0", "255.255.255.255"},
			[]string{"192.0.2.256", "::1", "+1.2.3.4", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.-4", "0x1.2.3.4", "1.2.3.4 ", "::ffff:1.2.3.4", ""},
		},
		"ipv6": {
			[]string{"2001:db8::1", "::", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8"},
			[]string{"fe80::1%eth0", "192.0.2.1", "1::2::3", "12345::", ":1", "[::1]", ""},
		},
		"uri": {
			[]string{"https://example.com/a?b=c#d", "mailto:a@example.com", "urn:uuid:0192f0c4-0000-7000-8000-00000000abcd", "file:///etc/hosts", "http://a:b@[2001:db8::1]:80/", "http://[v1.a:b]/", "http://[V1F.a:b]/", "http://example.com:/", "tel:+1-816-555-1212", "x:", "a+b-c.d1:x", "https://x/%C3%BC", "http://x//y//", "http://x/(a)!$&'*+,;=:@", "http://x?a/b?c", "http://x#a/b?c"},
			[]string{"/relative", "https://exa mple.com/", "https://example.com/a b", "https://example.org/foobar®.txt", "https://x.io/ü", "https://日本.jp", "https://x.io/{a}", `https://x/"`, "https://x/<>", "https://x/^", "https://x/`", "https://x/|", `https://x/\`, "://", ":x", "1a:x", "ä:x", "a b:x", "https://x/%", "https://x/%4", "https://x/%4g", "https://x/%g4", "http://[::1", "http://[::1]a", "http://[::1]:a", "http://[192.0.2.1]/", "http://[fe80::1%25eth0]/", "http://[v.a]/", "http://[x1.a]/", "http://[v1.]/", "http://[v1]/", "http://[vg.a]/", "http://[v1.a/b]/", "http://a@b@c/", "http://a\"@c/", "http://x:8a/", "http://x:1:2/", "http://x#a#b", "http://x?\u00e9", "http://x#\u00e9", "http://x\n", ""},
		},
		"uri-reference": {
			[]string{"/relative", "", "a", "?q", "#f", "//host/p", "./a:b", "https://example.com", "a/b:c", "../x"},
			[]string{"a b", "1a:b", ":", "ü", "//a b/", `\\host`, "#a#b", "//[::1"},
		},
		"iri": {
			[]string{"https://example.com/a", "https://日本.jp/ü?\ue000#é", "ftp://\U0001F600.example", "x:\U000E1000", "x:?\U000F0000\U00100000"},
			[]string{"/ü", "https://x/a b", "https://x/\ue000", "https://x#\ue000", "https://x/\ufffd", "https://x/\u0085", "x:\ufdd0", "x:\U0001FFFE", "x:\U000E0001", "x:\U000EFFFE", "x:?\U000FFFFE", "x:?\U0010FFFE", "ü:x", ""},
		},
		"iri-reference": {
			[]string{"/ü", "", "日本", "https://日本.jp"},
			[]string{"a b", "\ufffd"},
		},
		"uri-template": {
			[]string{"", "http://x/{a}{?b,c*}", "{?var}", "{#var}", "{/var}", "{+var}", "{.var}", "{;var}", "{&var}", "{=var}", "{v:1000}", "{v:1}", "{a.b}", "{a_1,%20x}", "it's", "/ü", "%41", "{v*}", "\ue000"},
			[]string{"{}", "a b", "{a,}", "{a,,b}", "{var=def}", "{a..b}", "{.}", "{a.}", "{a", "a}", "{{a}}", "{v:0}", "{v:10000}", "{v:}", "{v:1a}", "{v:a}", "{v:01}", "{a b}", "{ä}", "{a%2}", "%", "%4g", "<", "\"", "\\", "^", "`", "|", "\x7f", "\u0085", "{?}", "{??a}", "{a:1*}"},
		},
		"uuid": {
			[]string{"0192f0c4-0000-7000-8000-00000000abcd", "0192F0C4-0000-7000-8000-00000000ABCD", "00000000-0000-0000-0000-000000000000"},
			[]string{"0192f0c400007000800000000000abcd", "0192f0c4-0000-7000-8000-00000000abcg", "0192f0c4-00007-000-8000-00000000abcd", "0192f0c4-0000-7000-80000-0000000abcd", "0192f0c4-000-07000-8000-00000000abcd", "urn:uuid:0192f0c4-0000-7000-8000-00000000abcd", "{0192f0c4-0000-7000-8000-00000000abcd}", "0192f0c4-0000-7000-8000-00000000abcd ", "0192f0c4-0000-7000-8000x00000000abcd", ""},
		},
	}
	for _, name := range format.Names() {
		c, ok := cases[name]
		if !ok {
			t.Errorf("the format %s has no case", name)
			continue
		}
		s, err := Compile(fmt.Appendf(nil, `{"format":%q}`, name), Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rules := tagged(t, name)
		for i, text := range slices.Concat(c.good, c.bad) {
			want := i < len(c.good)
			findings, err := s.Validate(text)
			if got := len(findings) == 0; got != want || err != nil {
				t.Errorf("a schema with the format %s says of %q: %v, %v; want %v", name, text, got, err, want)
			}
			if got := rules.Text(text) == ""; got != want {
				t.Errorf("a tag with the format %s says of %q: %v, want %v", name, text, got, want)
			}
		}
	}
}

// The formats that only Ajv knows.
func TestFormatsOfAjv(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format, value string // JSON
		ok            bool
	}{
		{"url", `"https://example.com/a"`, true},
		{"url", `"FTP://bücher.example/ü"`, true},
		{"url", `"https:///a"`, false},
		{"url", `"https://?a"`, false},
		{"url", `"https://"`, false},
		{"url", `"https://a b"`, false},
		{"url", `"mailto:a@b.de"`, false},
		{"url", `"https"`, false},
		{"iso-time", `"15:04:05"`, true},
		{"iso-time", `"15:04:05+0100"`, true},
		{"iso-time", `"15:04:05+01"`, true},
		{"iso-time", `"15:04:05+1"`, false},
		{"iso-time", `"15:04:05,5Z"`, false},
		{"iso-date-time", `"2026-01-31 15:04:05"`, true},
		{"iso-date-time", `"2026-01-31t15:04:05z"`, true},
		{"iso-date-time", `"2026-01-31T15:04:05+10:60"`, false},
		{"iso-date-time", `"2026-01-31_15:04:05"`, false},
		{"iso-date-time", `"2026-02-30T15:04:05"`, false},
		{"iso-date-time", `"2026-01-31"`, false},
		{"email", `1`, true},
		{"int32", `"x"`, true},
	} {
		s, err := Compile(fmt.Appendf(nil, `{"format":%q}`, c.format), Options{})
		if err != nil {
			t.Fatalf("%s: %v", c.format, err)
		}
		var v any
		if err := json.Unmarshal([]byte(c.value), &v); err != nil {
			t.Fatalf("%s: %v", c.value, err)
		}
		if findings, err := s.Validate(v); (len(findings) == 0) != c.ok || err != nil {
			t.Errorf("%s %s: got %v, %v; want valid: %v", c.format, c.value, findings, err, c.ok)
		}
	}
}
