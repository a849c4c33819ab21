package ws

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/jsontoken"
)

// A JSONConfig configures [JSON]. The zero value is Middy's behaviour within bounds.
type JSONConfig struct {
	// MaxDepth is how deep arrays and objects may be nested. Default: 64.
	// Negative: encoding/json's 10,000.
	MaxDepth int
	// RefuseUnknown makes a member that no field takes an error.
	RefuseUnknown bool
	// AllowPrototypeKeys lets the keys pass that change an object's prototype in
	// JavaScript: "__proto__", and "constructor" with an object that has
	// "prototype". Harmless in Go; what is broadcast may reach code where they are
	// not. Default: 422, as in Middy.
	AllowPrototypeKeys bool
}

// JSON makes a function over types a [Receiver] of messages with a JSON body. In
// may have the rules of [web.JSON] in its tags, and a method Validate. What does
// not fit never reaches f: it is a [*web.Error] with the status 422, and an entry
// for each invalid field. So is a name that comes twice in one object, in any case,
// whether In has a field for it or not.
//
// On $connect and $disconnect, which have no body, In is its zero value, unchecked.
//
// Out is the answer, as with [Receiver]; the zero value of struct{} is none. JSON
// panics when the tags of In make no sense: at cold start, before any event.
func JSON[In, Out any](f func(ctx context.Context, m *Message, in In) (Out, error), cfg ...JSONConfig) Receiver {
	var c JSONConfig
	switch len(cfg) {
	case 0:
	case 1:
		c = cfg[0]
	default:
		panic("ws: JSON takes one JSONConfig")
	}
	decoder := web.NewDecoder[In](web.EndpointConfig{MaxBody: MaxMessage, MaxDepth: c.MaxDepth, RefuseUnknown: c.RefuseUnknown})
	return Func(func(ctx context.Context, m *Message) (any, error) {
		var in In
		if m.RouteKey != Connect && m.RouteKey != Disconnect {
			var err error
			if in, err = decode(decoder, m, c); err != nil {
				return nil, err
			}
		}
		out, err := f(ctx, m, in)
		if err != nil {
			return nil, err
		}
		if _, nothing := any(out).(struct{}); nothing {
			return nil, nil
		}
		return out, nil
	})
}

const malformed = "Invalid or malformed JSON was provided"

func decode[In any](d *web.Decoder[In], m *Message, c JSONConfig) (in In, err error) {
	if !m.hasBody {
		return in, &web.Error{Status: http.StatusUnprocessableEntity, Detail: malformed}
	}
	body, err := m.Body()
	if err != nil {
		return in, &web.Error{Status: http.StatusUnprocessableEntity, Detail: malformed, Err: err}
	}
	if err := c.check(body); err != nil {
		return in, err
	}
	in, err = d.Decode(body)
	if e, ok := err.(*web.Error); ok && e.Status == http.StatusBadRequest { //nolint:errorlint // it was made here
		e.Status, e.Detail = http.StatusUnprocessableEntity, malformed+": "+e.Detail
	}
	return in, err
}

// check refuses names that come twice: the Receiver may read [Message.Body] in
// another way. And it refuses what would change a prototype: __proto__ anywhere, and
// a constructor that has a prototype. What is not JSON passes; the decoder says so.
func (c JSONConfig) check(data []byte) error {
	refuse := func(format string, args ...any) error {
		return &web.Error{Status: http.StatusUnprocessableEntity, Detail: fmt.Sprintf(format, args...)}
	}
	type frame struct{ object, constructor, next bool }
	var open []frame
	s := jsontoken.New(data, 10000)
	s.Unique = true
	for {
		tok, err := s.Next()
		if e, ok := errors.AsType[*jsontoken.Error](err); ok && e.Reason == jsontoken.Duplicate {
			return refuse("%s: %v", malformed, err)
		}
		if err != nil || tok.Kind == jsontoken.EOF {
			return nil //nolint:nilerr // the decoder says what else is wrong
		}
		top := len(open) - 1
		switch tok.Kind {
		case jsontoken.Key:
			key := jsontoken.Unquote(data[tok.Start:tok.End])
			switch {
			case c.AllowPrototypeKeys:
			case key == "__proto__":
				return refuse("Forbidden key in JSON body: %q", key)
			case key == "prototype" && open[top].constructor:
				return refuse("Forbidden key in JSON body: %q", "constructor")
			}
			open[top].next = key == "constructor"
		case jsontoken.ObjectStart:
			open = append(open, frame{object: true, constructor: top >= 0 && open[top].object && open[top].next})
		case jsontoken.ArrayStart:
			open = append(open, frame{})
		case jsontoken.ObjectEnd, jsontoken.ArrayEnd:
			open = open[:top]
		}
	}
}
