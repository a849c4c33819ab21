package main

import (
	"fmt"

	"github.com/gomiddy/middy/conformance"
)

// core makes orders of phases: what runs, in which order, when something returns
// early or fails.
func core(g *gen) {
	names := []string{"a", "b", "c"}
	for range 90 {
		var uses []conformance.Use
		count := 1 + g.IntN(3)
		culprit, phase, what := g.IntN(count), "", ""
		if g.chance(60) {
			phase = pick(g, "before", "after", "onError")
			what = pick(g, "throw", "return", "respond")
		}
		for i := range count {
			o := object{}
			for _, p := range []string{"before", "after", "onError"} {
				if !g.chance(75) && !(i == culprit && p == phase) {
					continue
				}
				steps := list{object{"log": names[i] + "." + p}}
				if p == "onError" && g.chance(40) {
					steps = list{object{"logError": names[i] + "." + p + ": "}}
				}
				if i == culprit && p == phase {
					switch what {
					case "throw":
						steps = append(steps, object{"throw": object{"message": names[i] + " failed"}})
					case "return":
						steps = append(steps, object{"return": names[i] + " returned"})
					case "respond":
						if p != "before" {
							steps = append(steps, object{"respond": names[i] + " responded"})
						}
					}
				} else if p == "after" && g.chance(40) {
					steps = append(steps, object{"append": "+" + names[i]})
				} else if p == "onError" && g.chance(20) {
					steps = append(steps, object{"respond": names[i] + " recovered"})
				}
				o[p] = steps
			}
			if len(o) == 0 {
				o["before"] = list{object{"log": names[i] + ".before"}}
			}
			uses = append(uses, use("script", o))
		}
		h := &conformance.Handler{Log: "handler", Return: raw("result")}
		if g.chance(35) || phase == "onError" {
			h = &conformance.Handler{Log: "handler", Throw: raw(object{"message": "handler failed"})}
		}
		g.add("phases", conformance.Case{Use: uses, Event: raw(object{"id": 1}), Handler: h})
	}
	for _, v := range []any{"text", "", nil, 0, 1.5, true, false, object{"a": list{1, "<&>", nil}}, list{}, object{"日本": "語"}, object{"$repeat": list{"x", 20000}}} {
		g.add("result", conformance.Case{Use: []conformance.Use{use("script", object{"before": list{object{"log": "before"}}})}, Event: raw(object{}), Handler: returns(v)})
	}
}

func util(g *gen) {
	call := func(what, function string, args ...any) {
		c := &conformance.Call{Function: function}
		for _, a := range args {
			c.Args = append(c.Args, raw(a))
		}
		g.add(what, conformance.Case{Call: c})
	}
	for _, code := range []int{400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511} {
		call(fmt.Sprint(code), "createError", code)
	}
	for _, code := range []int{400, 404, 422, 500, 503} {
		for _, message := range []string{"custom", "日本", "a \"quote\"", "<b>"} {
			call("message", "createError", code, message)
		}
	}
}
