package middy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

type order struct {
	ID    string `json:"id"`
	Total int    `json:"total"`
}

type receipt struct {
	ID string `json:"id"`
	OK bool   `json:"ok"`
}

func accept(_ context.Context, o order) (receipt, error) { return receipt{o.ID, true}, nil }

// trace returns a middleware that notes its way in and out.
func trace(log *[]string, name string) Middleware {
	return Func(func(next Handler) Handler {
		return func(ctx context.Context, inv *Invocation) (any, error) {
			*log = append(*log, name+" in")
			result, err := next(ctx, inv)
			*log = append(*log, name+" out")
			return result, err
		}
	})
}

func mustNew[E, R any](t testing.TB, h func(context.Context, E) (R, error), mw ...Middleware) *Function {
	t.Helper()
	f, err := New(h, mw...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFirstMiddlewareIsOutermost(t *testing.T) {
	var log []string
	f := mustNew(t, func(context.Context, order) (receipt, error) {
		log = append(log, "handler")
		return receipt{}, nil
	}, trace(&log, "a"), trace(&log, "b"))
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	want := []string{"a in", "b in", "handler", "b out", "a out"}
	if !slices.Equal(log, want) {
		t.Fatalf("order of layers: %q, want %q", log, want)
	}
}

func TestNewEqualsWrappingByHand(t *testing.T) {
	var byNew, byHand []string
	f := mustNew(t, accept, trace(&byNew, "a"), trace(&byNew, "b"))
	got, err := f.Invoke(t.Context(), []byte(`{"id":"7"}`))
	if err != nil {
		t.Fatal(err)
	}
	h := trace(&byHand, "a").Wrap(trace(&byHand, "b").Wrap(innermost(accept)))
	result, err := h(t.Context(), &Invocation{Event: &order{ID: "7"}})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(result)
	if !slices.Equal(byNew, byHand) || !bytes.Equal(got, want) {
		t.Fatalf("New: %q %s; by hand: %q %s", byNew, got, byHand, want)
	}
}

type picky struct{ validate, accepts error }

func (p *picky) Wrap(next Handler) Handler                { return next }
func (p *picky) Validate() error                          { return p.validate }
func (p *picky) Accepts(reflect.Type, reflect.Type) error { return p.accepts }

func TestNewReportsEveryMisfitAtOnce(t *testing.T) {
	never := func(context.Context, *Invocation) bool { return false }
	_, err := New(accept,
		&picky{validate: errors.New("TTL is -1 s; use 0 for the default")},
		nil,
		Func(nil),
		Typed(func(context.Context, *string, func(context.Context) (*int, error)) (*int, error) { return nil, nil }),
		When(never, &picky{accepts: errors.New("needs an HTTP event")}),
		When(nil, &picky{}),
		When(never, nil),
		Typed[order, receipt](nil),
		(*picky)(nil),
	)
	if err == nil {
		t.Fatal("nine misfits and no error")
	}
	for _, want := range []string{
		"middleware 0 (*middy.picky): TTL is -1 s; use 0 for the default",
		"middleware 1 (nil): is nil",
		"middleware 2 (nil): is nil",
		"middleware 3 (middy.Typed[string,int]): is made for (string) (int, error), the handler is (middy.order) (middy.receipt, error)",
		"middleware 4 (middy.When(*middy.picky)): needs an HTTP event",
		"middleware 5 (middy.When(*middy.picky)): the condition given to When is nil",
		"middleware 6 (middy.When(nil)): the middleware given to When is nil",
		"middleware 7 (middy.Typed[middy.order,middy.receipt]): the function given to Typed is nil",
		"middleware 8 (nil): is nil",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing line %q in:\n%v", want, err)
		}
	}
}

func TestANilHandlerIsReportedWithTheOtherMisfits(t *testing.T) {
	for mw, want := range map[int]string{0: "middy: the handler is nil", 1: "middy: the handler is nil\nmiddy: middleware 0 (nil): is nil"} {
		if _, err := New[order, receipt](nil, make([]Middleware, mw)...); err == nil || err.Error() != want {
			t.Errorf("%d nil middlewares: got %v, want %q", mw, err, want)
		}
	}
}

func TestMiddlewareMayAnswerInPlaceOfTheHandler(t *testing.T) {
	answer := Func(func(Handler) Handler {
		return func(context.Context, *Invocation) (any, error) { return map[string]int{"n": 1}, nil }
	})
	got, err := mustNew(t, accept, answer).Invoke(t.Context(), []byte(`{}`))
	if err != nil || string(got) != `{"n":1}` {
		t.Fatalf("got %s, %v", got, err)
	}
}

func TestANilResultOfALayerIsNull(t *testing.T) {
	for name, v := range map[string]any{"nil": nil, "a nil *R": (*receipt)(nil), "a nil pointer to something else": (*order)(nil)} {
		answer := Func(func(Handler) Handler {
			return func(context.Context, *Invocation) (any, error) { return v, nil }
		})
		if got, err := mustNew(t, accept, answer).Invoke(t.Context(), []byte(`{}`)); string(got) != "null" || err != nil {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
}

func TestMiddlewareMayCallNextAgain(t *testing.T) {
	calls := 0
	flaky := func(context.Context, order) (receipt, error) {
		if calls++; calls < 3 {
			return receipt{}, errors.New("not yet")
		}
		return receipt{OK: true}, nil
	}
	retry := Func(func(next Handler) Handler {
		return func(ctx context.Context, inv *Invocation) (result any, err error) {
			for range 3 {
				if result, err = next(ctx, inv); err == nil {
					break
				}
			}
			return result, err
		}
	})
	got, err := mustNew(t, flaky, retry).Invoke(t.Context(), []byte(`{}`))
	if err != nil || calls != 3 || string(got) != `{"id":"","ok":true}` {
		t.Fatalf("got %s, %v after %d calls", got, err, calls)
	}
}

func TestOuterLayersEditTheResultInPlace(t *testing.T) {
	edit := Func(func(next Handler) Handler {
		return func(ctx context.Context, inv *Invocation) (any, error) {
			result, err := next(ctx, inv)
			result.(*receipt).ID = "edited"
			return result, err
		}
	})
	got, err := mustNew(t, accept, edit).Invoke(t.Context(), []byte(`{}`))
	if err != nil || string(got) != `{"id":"edited","ok":true}` {
		t.Fatalf("got %s, %v", got, err)
	}
}

func TestReplacedEventIsNamed(t *testing.T) {
	replace := Func(func(next Handler) Handler {
		return func(ctx context.Context, inv *Invocation) (any, error) {
			inv.Event = "something else"
			return next(ctx, inv)
		}
	})
	_, err := mustNew(t, accept, replace).Invoke(t.Context(), []byte(`{}`))
	if err == nil || !strings.Contains(err.Error(), "takes a *middy.order, Invocation.Event is a string") {
		t.Fatalf("got %v", err)
	}
}

func TestAnEventThatALayerTookAwayIsNamed(t *testing.T) {
	take := Hooks{Before: func(_ context.Context, inv *Invocation) error { inv.Event = (*order)(nil); return nil }}
	_, err := mustNew(t, accept, take).Invoke(t.Context(), []byte(`{}`))
	if _, panicked := errors.AsType[*PanicError](err); err == nil || panicked || !strings.Contains(err.Error(), "Invocation.Event is a *middy.order") {
		t.Fatalf("got %v", err)
	}
}

func TestDecodeErrorTravelsThroughTheLayers(t *testing.T) {
	var seen error
	called := false
	f := mustNew(t, func(context.Context, order) (receipt, error) { called = true; return receipt{}, nil },
		Hooks{OnError: func(_ context.Context, _ *Invocation, err error) (any, error) { seen = err; return nil, err }})
	for _, payload := range []string{`{"total":"many"}`, `{`, ``, `[]`} {
		seen = nil
		_, err := f.Invoke(t.Context(), []byte(payload))
		var decode *DecodeError
		if !errors.As(err, &decode) || seen != err || called {
			t.Errorf("%q: error %v, seen by the layer: %v, handler called: %v", payload, err, seen, called)
		}
	}
}

func TestPanicOfTheHandlerIsAnErrorToAllLayers(t *testing.T) {
	var seen error
	see := Hooks{OnError: func(_ context.Context, _ *Invocation, err error) (any, error) { seen = err; return "saved", nil }}
	boom := func(context.Context, order) (receipt, error) { panic("boom") }
	got, err := mustNew(t, boom, see).Invoke(t.Context(), []byte(`{}`))
	if err != nil || string(got) != `"saved"` {
		t.Fatalf("got %s, %v", got, err)
	}
	p, ok := errors.AsType[*PanicError](seen)
	if !ok || p.Value != "boom" || p.Error() != "panic: boom" {
		t.Fatalf("the layer saw %#v", seen)
	}
	if frames := stackFrames(p.Stack); len(frames) == 0 || !strings.Contains(frames[0].Label, "TestPanicOfTheHandler") {
		t.Fatalf("the stack does not start where panic was called: %+v", frames)
	}
}

func TestPanicOfAMiddlewareIsRecovered(t *testing.T) {
	bad := Func(func(Handler) Handler {
		return func(context.Context, *Invocation) (any, error) { panic(io.ErrUnexpectedEOF) }
	})
	_, err := mustNew(t, accept, bad).Invoke(t.Context(), []byte(`{}`))
	if _, ok := errors.AsType[*PanicError](err); !ok || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
}

func TestHooksSeeAPanicOfALayerInside(t *testing.T) {
	var seen error
	f := mustNew(t, accept,
		Hooks{OnError: func(_ context.Context, _ *Invocation, err error) (any, error) { seen = err; return nil, err }},
		Func(func(Handler) Handler {
			return func(context.Context, *Invocation) (any, error) { panic("inner") }
		}))
	_, err := f.Invoke(t.Context(), []byte(`{}`))
	if _, ok := errors.AsType[*PanicError](seen); !ok || err != seen {
		t.Fatalf("seen %v, returned %v", seen, err)
	}
}

func TestHooksPairStrictly(t *testing.T) {
	failure := errors.New("failure")
	for _, c := range []struct {
		rule            string
		before, handler error
		want            []string
	}{
		{"success: Before, After", nil, nil, []string{"before", "after"}},
		{"failure inside: Before, OnError", nil, failure, []string{"before", "onError"}},
		{"Before failed: neither", failure, nil, []string{"before"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var log []string
			f := mustNew(t, func(context.Context, order) (receipt, error) { return receipt{}, c.handler }, Hooks{
				Before: func(context.Context, *Invocation) error { log = append(log, "before"); return c.before },
				After:  func(_ context.Context, _ *Invocation, r any) (any, error) { log = append(log, "after"); return r, nil },
				OnError: func(_ context.Context, _ *Invocation, err error) (any, error) {
					log = append(log, "onError")
					return nil, err
				},
			})
			_, err := f.Invoke(t.Context(), []byte(`{}`))
			if want := errors.Join(c.before, c.handler); (err == nil) != (want == nil) {
				t.Errorf("error %v", err)
			}
			if !slices.Equal(log, c.want) {
				t.Errorf("phases %q, want %q", log, c.want)
			}
		})
	}
}

// Middy 7.8 lets an outer middleware's open trace segment leak when an inner one
// answers early, and runs onError of a middleware whose before never ran.
func TestHooksDoNotLeakAsMiddysPhasesDo(t *testing.T) {
	var log []string
	note := func(name string) Hooks {
		return Hooks{
			Before: func(context.Context, *Invocation) error { log = append(log, name+".before"); return nil },
			After: func(_ context.Context, _ *Invocation, r any) (any, error) {
				log = append(log, name+".after")
				return r, nil
			},
			OnError: func(_ context.Context, _ *Invocation, err error) (any, error) {
				log = append(log, name+".onError")
				return nil, err
			},
		}
	}
	early := Func(func(Handler) Handler {
		return func(context.Context, *Invocation) (any, error) { return 1, nil }
	})
	_, _ = mustNew(t, accept, note("outer"), early, note("inner")).Invoke(t.Context(), []byte(`{}`))
	if want := []string{"outer.before", "outer.after"}; !slices.Equal(log, want) {
		t.Errorf("early answer: %q, want %q", log, want)
	}
	log = nil
	failing := Hooks{Before: func(context.Context, *Invocation) error { return errors.New("no") }}
	_, _ = mustNew(t, accept, note("outer"), failing, note("inner")).Invoke(t.Context(), []byte(`{}`))
	if want := []string{"outer.before", "outer.onError"}; !slices.Equal(log, want) {
		t.Errorf("failing before: %q, want %q", log, want)
	}
}

func TestTyped(t *testing.T) {
	double := Typed(func(ctx context.Context, o *order, next func(context.Context) (*receipt, error)) (*receipt, error) {
		o.ID += "!"
		r, err := next(ctx)
		if err == nil {
			r.ID += "?"
		}
		return r, err
	})
	got, err := mustNew(t, accept, double).Invoke(t.Context(), []byte(`{"id":"7"}`))
	if err != nil || string(got) != `{"id":"7!?","ok":true}` {
		t.Fatalf("got %s, %v", got, err)
	}
}

func TestHooksThatAreNotSetDoNothing(t *testing.T) {
	after := Hooks{After: func(context.Context, *Invocation, any) (any, error) { return "after", nil }}
	boom := func(context.Context, order) (receipt, error) { panic("boom") }
	fails := func(context.Context, order) (receipt, error) { return receipt{}, io.ErrUnexpectedEOF }
	inner := Func(func(Handler) Handler {
		return func(context.Context, *Invocation) (any, error) { panic("boom") }
	})
	for rule, f := range map[string]*Function{
		"a panic of the handler": mustNew(t, boom, after), "a panic of a layer": mustNew(t, accept, after, inner),
	} {
		_, err := f.Invoke(t.Context(), []byte(`{}`))
		if p, ok := errors.AsType[*PanicError](err); !ok || p.Value != "boom" {
			t.Errorf("%s passes as %v", rule, err)
		}
	}
	if out, err := mustNew(t, fails, after).Invoke(t.Context(), []byte(`{}`)); err != io.ErrUnexpectedEOF {
		t.Errorf("a failure passes as %s, %v", out, err)
	}
	if out, err := mustNew(t, accept, after).Invoke(t.Context(), []byte(`{}`)); string(out) != `"after"` || err != nil {
		t.Errorf("a success: %s, %v", out, err)
	}
}

func TestTypedFitsOnlyWhereBothTypesDo(t *testing.T) {
	event := Typed(func(context.Context, *string, func(context.Context) (*receipt, error)) (*receipt, error) {
		return nil, nil
	})
	result := Typed(func(context.Context, *order, func(context.Context) (*string, error)) (*string, error) {
		return nil, nil
	})
	for name, m := range map[string]Middleware{"another event": event, "another result": result} {
		if _, err := New(accept, m); err == nil || !strings.Contains(err.Error(), "is made for") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTypedIsNotCalledForAnEventOfAnotherType(t *testing.T) {
	called := false
	typed := Typed(func(ctx context.Context, _ *order, next func(context.Context) (*receipt, error)) (*receipt, error) {
		called = true
		return next(ctx)
	})
	replace := Hooks{Before: func(_ context.Context, inv *Invocation) error { inv.Event = "x"; return nil }}
	if _, err := mustNew(t, accept, replace, typed).Invoke(t.Context(), []byte(`{}`)); err == nil || called {
		t.Errorf("got %v, called: %v", err, called)
	}
	if _, err := mustNew(t, accept, typed).Invoke(t.Context(), []byte(`[]`)); err == nil || called {
		t.Errorf("an event that does not decode: %v, called: %v", err, called)
	}
}

func TestTypedMeetsForeignResults(t *testing.T) {
	pass := Typed(func(ctx context.Context, _ *order, next func(context.Context) (*receipt, error)) (*receipt, error) {
		return next(ctx)
	})
	answer := func(v any, err error) Middleware {
		return Func(func(Handler) Handler {
			return func(context.Context, *Invocation) (any, error) { return v, err }
		})
	}
	failure := errors.New("failure")
	for _, c := range []struct {
		rule   string
		inside Middleware
		want   string
		err    string
	}{
		{"a value in place of a pointer is taken", answer(receipt{ID: "v"}, nil), `{"id":"v","ok":false}`, ""},
		{"another type is named", answer(42, nil), "", "a layer inside answered with a int in place of a *middy.receipt"},
		{"an error passes as it is", answer(nil, failure), "", "failure"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := mustNew(t, accept, pass, c.inside).Invoke(t.Context(), []byte(`{}`))
			if string(got) != c.want || (err != nil) != (c.err != "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("got %s, %v", got, err)
			}
		})
	}
	null := Typed(func(context.Context, *order, func(context.Context) (*receipt, error)) (*receipt, error) {
		return nil, nil
	})
	if got, err := mustNew(t, accept, null).Invoke(t.Context(), []byte(`{}`)); err != nil || string(got) != "null" {
		t.Errorf("a nil result: %s, %v", got, err)
	}
	var decode *DecodeError
	if _, err := mustNew(t, accept, null).Invoke(t.Context(), []byte(`[]`)); !errors.As(err, &decode) {
		t.Errorf("an event that does not decode: %v", err)
	}
}

func TestWhen(t *testing.T) {
	wraps := 0
	m := Func(func(next Handler) Handler {
		wraps++
		return func(ctx context.Context, inv *Invocation) (any, error) { return "matched", nil }
	})
	f := mustNew(t, accept, When(func(_ context.Context, inv *Invocation) bool { return inv.Event.(*order).Total > 0 }, m))
	for payload, want := range map[string]string{`{"total":1}`: `"matched"`, `{"id":"x"}`: `{"id":"x","ok":true}`} {
		if got, err := f.Invoke(t.Context(), []byte(payload)); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", payload, got, err, want)
		}
	}
	if wraps != 1 {
		t.Errorf("wrapped %d times, want once", wraps)
	}
}

func TestKeyIsVisibleToOuterLayers(t *testing.T) {
	user, other := NewKey[string]("user"), NewKey[string]("user")
	var seen string
	var found bool
	f := mustNew(t, func(ctx context.Context, o order) (receipt, error) {
		user.Set(ctx, "first")
		user.Set(ctx, o.ID)
		return receipt{}, nil
	}, Func(func(next Handler) Handler {
		return func(ctx context.Context, inv *Invocation) (any, error) {
			if _, ok := user.Get(ctx); ok {
				t.Error("set before anybody set it")
			}
			result, err := next(ctx, inv)
			seen, _ = user.Get(ctx)
			_, found = other.Get(ctx)
			return result, err
		}
	}))
	if _, err := f.Invoke(t.Context(), []byte(`{"id":"ada"}`)); err != nil {
		t.Fatal(err)
	}
	if seen != "ada" || found {
		t.Fatalf("saw %q; another key of the same name found: %v", seen, found)
	}
	if user.Set(t.Context(), "x") {
		t.Error("Set outside an invocation reported true")
	}
	if _, ok := user.Get(t.Context()); ok {
		t.Error("Get outside an invocation reported true")
	}
	if user.String() != "middy.Key(user)" {
		t.Error(user.String())
	}
}

// The result's JSON is that of aws-lambda-go, byte for byte.
func TestResultsEncodeAsAwsLambdaGoDoes(t *testing.T) {
	check := func(name string, h [2]lambda.Handler) {
		plain, ours := h[0], h[1]
		want, werr := plain.Invoke(t.Context(), []byte(`{"id":"<&>"}`))
		got, gerr := ours.Invoke(t.Context(), []byte(`{"id":"<&>"}`))
		if !bytes.Equal(got, want) || (werr == nil) != (gerr == nil) {
			t.Errorf("%s: %s (%v), aws-lambda-go: %s (%v)", name, got, gerr, want, werr)
		}
	}
	check("html is not escaped", both(t, accept))
	check("pointer", both(t, func(_ context.Context, o order) (*order, error) { return &o, nil }))
	check("nil pointer", both(t, func(context.Context, order) (*order, error) { return nil, nil }))
	check("any nil", both(t, func(context.Context, order) (any, error) { return nil, nil }))
	check("string", both(t, func(context.Context, order) (string, error) { return "a\u2028<b>", nil }))
	check("map", both(t, func(context.Context, order) (map[string]any, error) { return map[string]any{"b": 1, "a": nil}, nil }))
	check("pointer-receiver marshaler in a value", both(t, func(context.Context, order) (holder, error) { return holder{}, nil }))
	check("reader", both(t, func(context.Context, order) (io.Reader, error) { return strings.NewReader("stream"), nil }))
	check("not encodable", both(t, func(context.Context, order) (chan int, error) { return make(chan int), nil }))
	check("empty struct", both(t, func(context.Context, order) (struct{}, error) { return struct{}{}, nil }))
	check("raw", both(t, func(context.Context, order) (json.RawMessage, error) { return json.RawMessage(`{"x":1}`), nil }))
}

type pointerMarshaler struct{ N int }

func (*pointerMarshaler) MarshalJSON() ([]byte, error) { return []byte(`"by pointer"`), nil }

type holder struct{ M pointerMarshaler }

// both is h on aws-lambda-go and on ours.
func both[E, R any](t *testing.T, h func(context.Context, E) (R, error)) [2]lambda.Handler {
	return [2]lambda.Handler{lambda.NewHandler(h), mustNew(t, h)}
}

func TestReadersAreStreams(t *testing.T) {
	limited := func(context.Context, order) (*io.LimitedReader, error) {
		return &io.LimitedReader{R: strings.NewReader("stream and more"), N: 6}, nil
	}
	if got, err := mustNew(t, limited).Invoke(t.Context(), []byte(`{}`)); err != nil || string(got) != "stream" {
		t.Errorf("a reader with exported fields: %s, %v", got, err)
	}
	asJSON := func(context.Context, order) (marshalingReader, error) { return marshalingReader{}, nil }
	if got, err := mustNew(t, asJSON).Invoke(t.Context(), []byte(`{}`)); err != nil || string(got) != `{"json":true}` {
		t.Errorf("a reader that says how it encodes: %s, %v", got, err)
	}
}

type marshalingReader struct{ plainR }

func (marshalingReader) MarshalJSON() ([]byte, error) { return []byte(`{"json":true}`), nil }

type (
	plainR struct{}
	typedR struct{ plainR }
)

func (plainR) Read([]byte) (int, error) { return 0, io.EOF }
func (typedR) ContentType() string      { return "text/event-stream" }

func TestNullEventIsTheZeroValue(t *testing.T) {
	f := mustNew(t, accept)
	got, err := lambda.NewHandler(f.entry).Invoke(t.Context(), []byte("null"))
	if err != nil || string(got) != `{"id":"","ok":true}` {
		t.Fatalf("got %s, %v", got, err)
	}
}

func TestPayloadIsTheEventAsDelivered(t *testing.T) {
	const event = `{ "id" : "7" , "unknown":[1, 2] }`
	var payload string
	f := mustNew(t, accept, Hooks{Before: func(_ context.Context, inv *Invocation) error {
		payload = string(inv.Payload)
		return nil
	}})
	for name, h := range map[string]lambda.Handler{"Invoke": f, "loop": lambda.NewHandler(f.entry)} {
		payload = ""
		if _, err := h.Invoke(t.Context(), []byte(event)); err != nil || payload != event {
			t.Errorf("%s: payload %q, %v", name, payload, err)
		}
	}
}

func TestTenLayersAllocateNothing(t *testing.T) {
	pass := Func(func(next Handler) Handler {
		return func(ctx context.Context, inv *Invocation) (any, error) { return next(ctx, inv) }
	})
	run := func(mw ...Middleware) float64 {
		f := mustNew(t, accept, mw...)
		event := &order{}
		return testing.AllocsPerRun(1000, func() {
			c := f.begin(context.Background(), nil)
			c.inv.Event = event
			if _, err := f.handler(c, &c.inv); err != nil {
				t.Fatal(err)
			}
		})
	}
	ten := make([]Middleware, 10)
	for i := range ten {
		ten[i] = pass
	}
	if none, with := run(), run(ten...); with != none {
		t.Fatalf("no layer: %v allocations, ten layers: %v", none, with)
	}
}

// BenchmarkChain compares ten layers with none, and a whole invocation through
// ten layers with aws-lambda-go's handler without any, in one run.
func BenchmarkChain(b *testing.B) {
	pass := Func(func(next Handler) Handler {
		return func(ctx context.Context, inv *Invocation) (any, error) { return next(ctx, inv) }
	})
	none, ten := mustNew(b, accept), mustNew(b, accept, slices.Repeat([]Middleware{pass}, 10)...)
	plain := lambda.NewHandler(accept)
	ctx, event, payload := context.Background(), &order{}, []byte(`{"id":"42","total":100}`)

	b.Run("layers", func(b *testing.B) {
		chain := func(f *Function) func() {
			return func() {
				c := f.begin(ctx, nil)
				c.inv.Event = event
				_, _ = f.handler(c, &c.inv)
			}
		}
		with, without := inTurn(b, chain(ten), chain(none))
		b.ReportMetric(with-without, "ns-for-ten")
		b.ReportMetric(with/without, "ratio")
	})
	b.Run("invocation", func(b *testing.B) {
		ours, theirs := inTurn(b, func() { _, _ = ten.Invoke(ctx, payload) }, func() { _, _ = plain.Invoke(ctx, payload) })
		b.ReportMetric(ours, "ours-ns")
		b.ReportMetric(theirs, "aws-lambda-go-ns")
		b.ReportMetric(ours/theirs, "ratio")
	})
}

// inTurn times two functions batch by batch in turn, so that both share the
// machine's mood, and returns the median of each in nanoseconds a call.
func inTurn(b *testing.B, x, y func()) (medianX, medianY float64) {
	const batch = 2000
	var xs, ys []float64
	timed := func(f func()) float64 {
		start := time.Now()
		for range batch {
			f()
		}
		return float64(time.Since(start).Nanoseconds()) / batch
	}
	for b.Loop() {
		xs, ys = append(xs, timed(x)), append(ys, timed(y))
	}
	b.ReportMetric(0, "ns/op") // it would be that of two batches
	slices.Sort(xs)
	slices.Sort(ys)
	return xs[len(xs)/2], ys[len(ys)/2]
}

// ownEvent decodes itself, and ownResult encodes itself.
type ownEvent struct{ payload string }

func (e *ownEvent) DecodeEvent(payload []byte) error {
	if string(payload) == "bad" {
		return io.ErrUnexpectedEOF
	}
	e.payload = string(payload)
	return nil
}

type ownResult struct{ text string }

func (r ownResult) AppendJSON(dst []byte) ([]byte, error) {
	if r.text == "" {
		return nil, io.ErrShortBuffer
	}
	return append(dst, r.text...), nil
}

func TestAnEventAndAResultMayKnowTheirOwnJSON(t *testing.T) {
	f, err := New(func(_ context.Context, e ownEvent) (ownResult, error) {
		return ownResult{strings.TrimPrefix(e.payload, "x")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rule, payload, want string
		err                 error
	}{
		{"both are asked, and nothing is added", `{ "a" : 1 }`, `{ "a" : 1 }`, nil},
		{"a payload that it refuses is a decode error", "bad", "", io.ErrUnexpectedEOF},
		{"a result that cannot be encoded is an error", "x", "", io.ErrShortBuffer},
	} {
		t.Run(c.rule, func(t *testing.T) {
			for range 2 { // with a buffer from the pool, too
				out, err := f.Invoke(t.Context(), []byte(c.payload))
				if string(out) != c.want || !errors.Is(err, c.err) {
					t.Fatalf("got %q, %v", out, err)
				}
				if _, decode := errors.AsType[*DecodeError](err); decode != (c.payload == "bad") {
					t.Errorf("a decode error: %v", err)
				}
			}
		})
	}
}

type thrown struct{ err error }

func (f thrown) Failure() error { return f.err }

// What cannot return an error, such as the Get of a required value, throws one.
func TestAFailureThatIsThrownIsThatErrorToEveryLayer(t *testing.T) {
	cause := errors.New("no such secret")
	for name, f := range map[string]*Function{
		"by the handler": mustNew(t, func(context.Context, order) (receipt, error) { panic(thrown{cause}) }),
		"by a layer":     mustNew(t, accept, Func(func(Handler) Handler { return func(context.Context, *Invocation) (any, error) { panic(thrown{cause}) } })),
		"by a phase":     mustNew(t, accept, Hooks{Before: func(context.Context, *Invocation) error { panic(thrown{cause}) }}),
	} {
		_, err := f.Invoke(t.Context(), []byte(`{}`))
		if _, panicked := errors.AsType[*PanicError](err); panicked || !errors.Is(err, cause) {
			t.Errorf("thrown %s: %v, want the error that was thrown and no panic", name, err)
		}
	}
}
