package ours

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/conformance"
	"github.com/gomiddy/middy/web"
)

// split is a list that Middy takes as one text.
func split(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// script is a middleware that does what its phases list.
type script struct {
	Before, After, OnError []step
}

type step struct {
	Log      string          `json:"log"`
	LogError string          `json:"logError"`
	Respond  json.RawMessage `json:"respond"`
	Append   string          `json:"append"`
	Throw    json.RawMessage `json:"throw"`
	Return   json.RawMessage `json:"return"`
}

// outcome is what a phase has come to.
type outcome struct {
	result   any
	answered bool
	err      error
}

func (o *outcome) do(log *[]any, steps []step) {
	for _, s := range steps {
		switch {
		case s.Log != "":
			*log = append(*log, s.Log)
		case s.LogError != "":
			*log = append(*log, s.LogError+o.err.Error())
		case s.Respond != nil:
			o.result, o.answered = value(s.Respond), true
		case s.Append != "":
			o.result = fmt.Sprintf("%v%s", o.result, s.Append)
		case s.Throw != nil:
			o.err, o.answered = thrown(s.Throw), false
			return
		case s.Return != nil:
			o.result, o.answered = value(s.Return), true
		}
	}
}

// middleware writes the script as one would in Go: Hooks, and a Func where
// something answers before the handler.
func (s script) middleware(log *[]any) middy.Middleware {
	for _, step := range s.Before {
		if step.Return != nil {
			return middy.Func(func(middy.Handler) middy.Handler {
				return func(context.Context, *middy.Invocation) (any, error) {
					o := outcome{}
					o.do(log, s.Before)
					return o.result, o.err
				}
			})
		}
	}
	hooks := middy.Hooks{Before: func(context.Context, *middy.Invocation) error {
		o := outcome{}
		o.do(log, s.Before)
		return o.err
	}}
	if s.After != nil {
		hooks.After = func(_ context.Context, _ *middy.Invocation, result any) (any, error) {
			if p, ok := result.(*any); ok { // a typed result is a pointer, and the handler's is any
				result = *p
			}
			o := outcome{result: result}
			o.do(log, s.After)
			return o.result, o.err
		}
	}
	if s.OnError != nil {
		hooks.OnError = func(_ context.Context, _ *middy.Invocation, err error) (any, error) {
			o := outcome{err: err}
			o.do(log, s.OnError)
			if o.answered {
				return o.result, nil
			}
			return nil, o.err
		}
	}
	return hooks
}

// engine runs a case of Middy's core on package middy.
func engine(ctx context.Context, c *conformance.Case) object {
	var log []any
	ran := false
	var uses []middy.Middleware
	for _, u := range c.Use {
		var s script
		if err := json.Unmarshal(u.Options, &s); err != nil {
			return object{"runner": err.Error()}
		}
		uses = append(uses, s.middleware(&log))
	}
	f, err := middy.New(func(context.Context, json.RawMessage) (any, error) {
		ran = true
		if c.Handler.Log != "" {
			log = append(log, c.Handler.Log)
		}
		if c.Handler.Throw != nil {
			return nil, thrown(c.Handler.Throw)
		}
		return value(c.Handler.Return), nil
	}, uses...)
	if err != nil {
		return object{"error": object{"at": "construction", "message": err.Error()}}
	}
	payload, err := conformance.Plain(c.Event)
	if err != nil {
		return object{"runner": err.Error()}
	}
	got := object{}
	out, err := f.Invoke(ctx, payload)
	if err != nil {
		got["error"] = errorOf(err)
	} else {
		got["response"] = value(out)
	}
	if !ran && err == nil {
		got["skipped"] = true
	}
	if len(log) > 0 {
		got["log"] = log
	}
	return got
}

// call is a function of @middy/util, of which createError has a counterpart: an
// error with a status, as the client reads it.
func call(c *conformance.Call) object {
	if c.Function != "createError" || len(c.Args) == 0 {
		return object{"unsupported": c.Function}
	}
	code, _ := value(c.Args[0]).(float64)
	e := &web.Error{Status: int(code)}
	if len(c.Args) > 1 {
		e.Detail, _ = value(c.Args[1]).(string)
	}
	w := httptest.NewRecorder()
	web.WriteProblem(w, httptest.NewRequest("GET", "/", nil), e)
	var details struct{ Title, Detail string }
	if err := json.Unmarshal(w.Body.Bytes(), &details); err != nil {
		return object{"runner": err.Error()}
	}
	message := details.Detail
	if message == "" {
		message = details.Title
	}
	return object{"value": object{"status": w.Code, "message": message}}
}
