package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
)

// layers: what is done is what the rule of the onion says, and nothing else: a
// layer sees what happens inside it, and After or OnError runs exactly when its own
// Before succeeded.
func layers(c *Case, want, got map[string]any) bool {
	if c.Handler == nil || slices.ContainsFunc(c.Use, func(u Use) bool { return u.Name != "script" }) {
		return false
	}
	o := onion{c: c}
	result, failure := o.layer(0)
	model := map[string]any{"log": digest(o.log)}
	if len(o.log) == 0 {
		delete(model, "log")
	}
	if failure != nil {
		model["error"] = failure.seen()
	} else {
		model["response"] = result
	}
	if !o.ran && failure == nil {
		model["skipped"] = true
	}
	a, b, err := canonicalPair(plainJSON(Encode(model)), plainJSON(Encode(got)))
	if err != nil || !reflect.DeepEqual(a, b) {
		return false
	}
	replace(want, got)
	return true
}

// onion is the rule, in as few words as possible.
type onion struct {
	c   *Case
	log []any
	ran bool
}

type act struct {
	Log, LogError, Append string
	Respond, Return       json.RawMessage
	Throw                 json.RawMessage
}

// failure is what a case throws: an error, with or without a status, or another
// value.
type failure struct {
	message, raw, status any
	value                bool // no error, raw
}

func failureOf(b json.RawMessage) *failure {
	t := object(jsonOf(b))
	if v, ok := t["value"]; ok {
		if o := object(v); o != nil {
			return &failure{message: o["message"], status: o["statusCode"]}
		}
		return &failure{raw: v, value: true, message: fmt.Sprint(v)}
	}
	f := &failure{message: t["message"], status: t["statusCode"]}
	if list, ok := t["http"].([]any); ok {
		code, _ := list[0].(float64)
		f.status, f.message = code, http.StatusText(int(code))
		if len(list) > 1 {
			f.message = list[1]
		}
	}
	return f
}

// seen is the failure as a result of a runner.
func (f *failure) seen() map[string]any {
	if f.value {
		return map[string]any{"raw": f.raw}
	}
	return map[string]any{"status": f.status, "message": f.message}
}

func (o *onion) layer(i int) (result any, fails *failure) {
	if i == len(o.c.Use) {
		return o.handler()
	}
	var phases struct{ Before, After, OnError []act }
	_ = json.Unmarshal(o.c.Use[i].Options, &phases) // the runners have read it
	early, answered, fails := o.do(phases.Before, nil, nil)
	if answered || fails != nil {
		return early, fails
	}
	result, fails = o.layer(i + 1)
	if fails == nil {
		result, _, fails = o.do(phases.After, result, nil)
		return result, fails
	}
	result, _, fails = o.do(phases.OnError, nil, fails)
	return result, fails
}

func (o *onion) handler() (any, *failure) {
	o.ran = true
	if o.c.Handler.Log != "" {
		o.log = append(o.log, o.c.Handler.Log)
	}
	if o.c.Handler.Throw != nil {
		return nil, failureOf(o.c.Handler.Throw)
	}
	if o.c.Handler.Return == nil {
		return "ok", nil
	}
	return jsonOf(o.c.Handler.Return), nil
}

// do is one phase. A result takes the place of a failure.
func (o *onion) do(acts []act, result any, fails *failure) (_ any, answered bool, _ *failure) {
	for _, a := range acts {
		switch {
		case a.Log != "":
			o.log = append(o.log, a.Log)
		case a.LogError != "" && fails != nil:
			o.log = append(o.log, a.LogError+fmt.Sprint(fails.message))
		case a.Append != "":
			result = fmt.Sprint(result) + a.Append
		case a.Throw != nil:
			return nil, false, failureOf(a.Throw)
		case a.Return != nil:
			result, answered, fails = jsonOf(a.Return), true, nil
		case a.Respond != nil:
			result, answered, fails = jsonOf(a.Respond), true, nil
		}
	}
	return result, answered, fails
}
