package params

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy"
)

const canary = "canary-7f3a91"

// holds reports whether text has the canary, in any encoding that a log might
// make of it.
func holds(text string) bool {
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))[:16], hex.EncodeToString([]byte(canary)),
		strings.Trim(fmt.Sprint([]byte(canary)), "[]")} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return true
		}
	}
	return false
}

func TestSecretCanary(t *testing.T) {
	secret := NewSecret(canary)
	versioned := Secret{b: secret.b, version: "ab12cd34ef56"}
	type nested struct {
		User     string
		Password Secret
		Pointer  *Secret
		List     []Secret
		Map      map[string]Secret
		Any      any
	}
	values := []any{secret, &secret, versioned, nested{"u", secret, &secret, []Secret{secret}, map[string]Secret{"a": secret}, secret}}
	for _, v := range values {
		var out strings.Builder
		for _, verb := range "vsqxXdtTpUbceEfFgGoO" {
			for _, flag := range []string{"", "+", "#", " ", "-20", "020", ".3"} {
				fmt.Fprintf(&out, "%"+flag+string(verb)+"\n", v)
			}
		}
		fmt.Fprintln(&out, v, errors.New(fmt.Sprint(v)), fmt.Errorf("x: %v", v))
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			l := slog.New(h).With("with", v)
			l.Info("m", "a", v, slog.Group("g", "b", v))
			l.Info(fmt.Sprint(v), slog.Any("c", []any{v}))
		}
		for _, encode := range []func() ([]byte, error){
			func() ([]byte, error) { return json.Marshal(v) },
			func() ([]byte, error) { return json.MarshalIndent(map[string]any{"k": v}, "", " ") },
			func() ([]byte, error) { return xml.Marshal(v) },
			func() ([]byte, error) {
				var b bytes.Buffer
				err := gob.NewEncoder(&b).Encode(v)
				return b.Bytes(), err
			},
		} {
			b, err := encode()
			fmt.Fprintf(&out, "%s %v\n", b, err)
		}
		func() {
			defer func() { fmt.Fprintln(&out, recover(), string(debug.Stack())) }()
			panic(v)
		}()
		if holds(out.String()) {
			t.Errorf("%T shows itself:\n%s", v, out.String())
		}
		if !strings.Contains(out.String(), "[redacted 13 B") {
			t.Errorf("%T says nothing at all", v)
		}
	}
	if b, err := json.Marshal(versioned); err != nil || !json.Valid(b) {
		t.Errorf("%s %v", b, err)
	}
}

// dump writes all that reflection reaches, as printers do that ignore methods:
// unexported fields, behind pointers, in slices and maps.
func dump(out *strings.Builder, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		dump(out, v.Elem(), seen)
	case reflect.Interface:
		dump(out, v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			dump(out, v.Field(i), seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(out, "%s\n", v)
			return
		}
		for i := range v.Len() {
			dump(out, v.Index(i), seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			dump(out, it.Key(), seen)
			dump(out, it.Value(), seen)
		}
	case reflect.String:
		fmt.Fprintf(out, "%s\n", v)
	}
}

// A failed assertion prints what it compared, methods ignored, into a log that
// may be public.
func TestASecretIsOutOfReflectionsReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type alias Secret
		type fields struct{ Password Secret }
		s := New(plain())
		f := newFake("text", canary, "json", `{"Password":"`+canary+`"}`)
		hidden, err := Hidden(s, f.ref("text")).Lookup(t.Context())
		decoded, err2 := JSON[fields](s, f.ref("json")).Lookup(t.Context())
		f.values = nil // the source has them, of course
		synctest.Wait()
		if err != nil || err2 != nil || hidden.Reveal() != canary || decoded.Password.Reveal() != canary {
			t.Fatalf("%v %v", err, err2)
		}
		var control strings.Builder
		dump(&control, reflect.ValueOf(&blobLike{b: []byte(canary)}), map[uintptr]bool{})
		if !holds(control.String()) {
			t.Fatal("dump does not find bytes in an unexported field")
		}
		for name, v := range map[string]any{"a Secret": NewSecret(canary), "another type": alias(NewSecret(canary)), "one of a Store": hidden,
			"a field": decoded, "the Store itself": s} {
			var out strings.Builder
			dump(&out, reflect.ValueOf(v), map[uintptr]bool{})
			fmt.Fprintf(&out, "%#v %+v", v, v)
			if holds(out.String()) {
				t.Errorf("%s shows its content to reflection:\n%s", name, out.String())
			}
		}
	})
}

type blobLike struct{ b []byte }

func TestRevealAllocatesTheStringAlone(t *testing.T) {
	secret := NewSecret(canary + strings.Repeat("x", 64)) // too long for the stack
	sink := ""
	if n := testing.AllocsPerRun(100, func() { sink = secret.Reveal() }); n != 1 {
		t.Errorf("Reveal of %d bytes makes %v allocations; want 1", len(sink), n)
	}
	if n := testing.AllocsPerRun(100, func() { secret.Use(func([]byte) {}) }); n != 0 {
		t.Errorf("Use makes %v allocations; want 0", n)
	}
}

// Everything the Store says, over every failure it knows.
func TestStoreCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		cfg := plain()
		cfg.NamesInEvents = true
		cfg.OnEvent = locked(func(e Event) {
			b, err := json.Marshal(e)
			fmt.Fprintf(&out, "%v %+v %#v %s %v %v\n", e, e, e, b, err, e.Err)
		})
		f := newFake("text", canary, "json", `{"a":"`+canary+`","n":12345678901234567890,"o":{"`+canary+`":1}}`, "half", `{"a":"`+canary, "quoted", `"`+canary+`"`)
		s := New(cfg)
		show := func(v any, err error) {
			synctest.Wait() // for the events of what has just happened
			fmt.Fprintf(&out, "%v %+v %#v %v\n", v, v, v, err)
			b, _ := json.Marshal(err)
			fmt.Fprintf(&out, "%s %+v %#v\n", b, err, err)
			slog.New(slog.NewTextHandler(&out, nil)).Error("failed", "err", err, "v", v)
		}
		try := func(v interface {
			any() (any, error)
		}) {
			show(v.any())
		}
		for range 2 {
			try(look[int]{Int(s, f.ref("text"))})
			try(look[bool]{Bool(s, f.ref("text"))})
			try(look[time.Duration]{Duration(s, f.ref("text"))})
			try(look[struct{ A int }]{JSON[struct{ A int }](s, f.ref("json"))})
			try(look[struct{ N int8 }]{JSON[struct{ N int8 }](s, f.ref("json"))})
			try(look[map[string]picky]{JSON[map[string]picky](s, f.ref("json"))})
			try(look[struct{ O map[string]string }]{JSON[struct{ O map[string]string }](s, f.ref("json"))})
			try(look[struct{ A int }]{JSON[struct{ A int }](s, f.ref("half"))})
			try(look[struct{ A int }]{JSON[struct{ A int }](s, f.ref("text"))})
			try(look[int]{Int(s, f.ref("json#a"))})
			try(look[int]{Int(s, f.ref("json#o"))})
			try(look[string]{String(s, f.ref("json#x"))})
			try(look[string]{String(s, f.ref("json#a.b"))})
			try(look[string]{String(s, f.ref("half#a"))})
			try(look[Secret]{Hidden(s, f.ref("text"))})
			try(look[Secret]{Hidden(s, f.ref("json#a"))})
			try(look[struct{ A Secret }]{JSON[struct{ A Secret }](s, f.ref("json"))})
			try(look[int]{Decode(s, f.ref("text"), func(b []byte) (int, error) { return 0, errors.New(string(b)) })})
			try(look[int]{Decode(s, f.ref("quoted"), func(b []byte) (int, error) { panic(string(b)) })})
			wait(time.Hour)
		}
		show(s.Stats(), s.Validate())
		show(s.Lookup(t.Context(), f.ref("text")))
		_, err := s.Wrap(func(ctx context.Context, _ *middy.Invocation) (any, error) {
			return nil, &middy.PanicError{Value: getFailure{&DecodeError{Service: "s", Name: "n"}}}
		})(t.Context(), &middy.Invocation{})
		show(nil, err)
		show(s.Permissions(), s.Close(t.Context()))
		show(s.Lookup(t.Context(), f.ref("text")))
		if holds(out.String()) || strings.Contains(out.String(), "12345678901234567890") {
			for line := range strings.Lines(out.String()) {
				if holds(line) || strings.Contains(line, "12345678901234567890") {
					t.Error(line)
				}
			}
		}
		if strings.Count(out.String(), "decode") < 10 {
			t.Error("the failures did not happen:", out.String())
		}
	})
}

// picky is a type whose decoding quotes what it read.
type picky struct{}

func (*picky) UnmarshalJSON(b []byte) error { return fmt.Errorf("bad: %s", b) }

// look reads a value without saying its type. The type parameter keeps the value
// itself from being printed as something other than what users have.
type look[T any] struct{ v *Value[T] }

func (l look[T]) any() (any, error) {
	v, err := l.v.Lookup(context.Background())
	return v, err
}

func TestSecret(t *testing.T) {
	a, b := NewSecret("same"), NewSecret("same")
	var zero Secret
	if !a.Equal(b) || a.Equal(NewSecret("other")) || a.Equal(zero) || !zero.Equal(Secret{}) || !a.EqualString("same") || a.EqualString("sam") {
		t.Error("Equal is wrong")
	}
	if zero.Len() != 0 || !zero.IsZero() || a.IsZero() || a.Len() != 4 || zero.Reveal() != "" || zero.String() != "[redacted 0 B]" {
		t.Error("the zero value is not empty")
	}
	var doc struct{ A, B Secret }
	if err := json.Unmarshal([]byte(`{"A":"caf\u00e9","B":null}`), &doc); err != nil || doc.A.Reveal() != "café" || !doc.B.IsZero() {
		t.Error(doc.A.Reveal(), err)
	}
	if err := json.Unmarshal([]byte(`{"A":7}`), &doc); err == nil {
		t.Error("a number became a secret")
	}
	var text Secret
	if err := text.UnmarshalText([]byte("x")); err != nil || text.Reveal() != "x" || text.Version() != "" {
		t.Error(err)
	}
	if b, err := a.MarshalBinary(); string(b) != "[redacted 4 B]" || err != nil {
		t.Errorf("%s", b)
	}
	wiped := NewSecret("gone")
	wiped.b.m.wipe()
	if wiped.EqualString("") || wiped.Use(func([]byte) { t.Error("called") }) || wiped.Equal(zero) || zero.Equal(wiped) {
		t.Error("a wiped secret can be read")
	}
	defer func() {
		p, ok := recover().(interface{ Failure() error })
		if !ok || !errors.Is(p.Failure(), ErrClosed) {
			t.Errorf("a wiped secret was revealed: %v", p)
		}
	}()
	t.Errorf("a wiped secret is %q", wiped.Reveal())
}

func TestEvictedMemoryIsClearedWhenNobodyHoldsIt(t *testing.T) {
	f := newFake("a", "first-version", "b", "x")
	f.setLatency(0)
	s := New(Config{MaxEntries: 1})
	held, err := s.Lookup(t.Context(), f.ref("a"))
	if err != nil {
		t.Fatal(err)
	}
	m := held.b.m
	if _, err := s.Lookup(t.Context(), f.ref("b")); err != nil { // evicts a
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC()
	if held.Reveal() != "first-version" {
		t.Fatal("a reader saw wiped memory")
	}
	held = Secret{}
	for range 100 {
		runtime.GC()
		m.mu.RLock()
		wiped := m.bytes == nil
		m.mu.RUnlock()
		if wiped {
			s.custody.mu.Lock()
			_, alive := s.custody.alive[m]
			s.custody.mu.Unlock()
			if !alive {
				return
			}
		}
		runtime.Gosched()
		<-time.After(time.Millisecond)
	}
	t.Error("the memory was not cleared")
}

// Readers run beside refreshes, evictions and Close: each sees a whole version
// or nothing.
func TestNoReaderEverSeesAZeroedByte(t *testing.T) {
	f := newFake("a", strings.Repeat("1", 64))
	f.setLatency(0)
	s := New(Config{TTL: time.Microsecond, MaxEntries: 2, EarlyRefresh: -1})
	v := Hidden(s, f.ref("a"))
	stop := make(chan struct{})
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				secret, err := v.Lookup(t.Context())
				if err != nil {
					continue
				}
				var text string
				if secret.Use(func(b []byte) { text = string(b) }) && (len(text) != 64 || strings.Trim(text, text[:1]) != "" || text[0] == 0) {
					t.Errorf("%q", text)
					return
				}
			}
		}()
	}
	for i := range 300 {
		f.put("a", strings.Repeat(string(rune('1'+i%9)), 64))
		_, _ = s.Lookup(t.Context(), f.ref(fmt.Sprint("other", i)))
		if i%50 == 0 {
			runtime.GC()
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	close(stop)
	for range 4 {
		<-done
	}
}
