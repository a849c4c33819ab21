package runtimeapi

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// FuzzLines: however output is cut into reads, its lines are the same, none is
// longer than Lambda's, and no byte is lost.
func FuzzLines(f *testing.F) {
	f.Add("one\ntwo\r\n\nthree", 2)
	f.Add(strings.Repeat("x", maxLine+7)+"\ny", 1000)
	f.Fuzz(func(t *testing.T, out string, step int) {
		var whole, cut []string
		a := newLineReader(nil, func(s string) { whole = append(whole, s) })
		a.feed([]byte(out))
		a.flush()
		b := newLineReader(nil, func(s string) { cut = append(cut, s) })
		step = max(step, len(out)/64+1)
		for rest := out; rest != ""; {
			n := min(step, len(rest))
			b.feed([]byte(rest[:n]))
			rest = rest[n:]
		}
		b.flush()
		if strings.Join(whole, "\n") != strings.Join(cut, "\n") {
			t.Errorf("read at once: %q; in pieces of %d: %q", whole, step, cut)
		}
		kept := strings.ReplaceAll(strings.Join(whole, ""), "\r", "")
		if kept != strings.NewReplacer("\n", "", "\r", "").Replace(out) {
			t.Errorf("%q became %q", out, whole)
		}
		for _, l := range whole {
			if len(l) > maxLine {
				t.Errorf("a line of %d bytes", len(l))
			}
		}
	})
}

// FuzzTrailer: whatever a runtime says after a stream, the caller gets a type.
func FuzzTrailer(f *testing.F) {
	f.Add("orderRejected", base64.StdEncoding.EncodeToString([]byte(`{"errorType":"orderRejected","errorMessage":"no"}`)))
	f.Add("", "***")
	f.Add("Function.X", "")
	f.Fuzz(func(t *testing.T, typ, body string) {
		h := http.Header{}
		h.Set(headerErrorType, typ)
		h.Set(headerErrorBody, body)
		got := trailerFailure(h)
		if (got == nil) != (typ == "" && body == "") {
			t.Fatalf("%q %q: %+v", typ, body, got)
		}
		if got != nil && (got.typ == "" || len(got.payload) == 0) {
			t.Errorf("%q %q: type %q, payload %q", typ, body, got.typ, got.payload)
		}
	})
}

func TestATrailerWithoutABodyIsStillAnError(t *testing.T) {
	h := http.Header{}
	h.Set(headerErrorType, "Function.Broken")
	f := trailerFailure(h)
	if f.typ != "Function.Broken" || !json.Valid(f.payload) {
		t.Errorf("%+v", f)
	}
	h.Set(headerErrorBody, base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"x"}`)))
	if f := trailerFailure(h); f.typ != "Function.Broken" || f.message != "x" {
		t.Errorf("%+v", f)
	}
}
