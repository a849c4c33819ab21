package conformance

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// A rule knows one kind of difference. apply takes it out of both results and
// reports whether it was there; what two results still differ in is another
// matter. A reason that has a rule cannot hide what it was not meant for.
type rule struct {
	id       string
	packages []string // none: all
	apply    func(c *Case, want, got map[string]any) bool
}

// Explain returns the ids of the reasons that explain, together, all of the
// difference between what Middy did and got; none when something is left.
func Explain(c *Case, got json.RawMessage) Words {
	w, g, err := canonicalPair(c.Want, got)
	want, okW := w.(map[string]any)
	have, okG := g.(map[string]any)
	if err != nil || !okW || !okG {
		return nil
	}
	var ids Words
	for _, r := range rules {
		if len(r.packages) > 0 && !slices.Contains(r.packages, c.Package()) {
			continue
		}
		applied := r.apply(c, want, have)
		steps, _ := want["steps"].([]any)
		ours, _ := have["steps"].([]any)
		for i := range min(len(steps), len(ours)) {
			a, okA := steps[i].(map[string]any)
			b, okB := ours[i].(map[string]any)
			if okA && okB && r.apply(c, a, b) {
				applied = true
			}
		}
		if applied {
			ids = append(ids, r.id)
		}
	}
	if !reflect.DeepEqual(want, have) {
		return nil
	}
	return ids
}

// HasRule reports whether a reason is one that a rule checks.
func HasRule(id string) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.id == id })
}

var rules = []rule{
	{id: "detail", apply: detail},
	{id: "nosniff", apply: nosniff},
	{id: "vary", apply: vary},
}

func errors2(want, got map[string]any) (a, b map[string]any, ok bool) {
	a, okA := want["error"].(map[string]any)
	b, okB := got["error"].(map[string]any)
	return a, b, okA && okB
}

func headers2(want, got map[string]any) (a, b map[string]any, ok bool) {
	w, _ := want["response"].(map[string]any)
	g, _ := got["response"].(map[string]any)
	a, okA := w["headers"].(map[string]any)
	b, okB := g["headers"].(map[string]any)
	return a, b, okA && okB
}

// detail: the same status, with a text that says more.
func detail(_ *Case, want, got map[string]any) bool {
	a, b, ok := errors2(want, got)
	if !ok || a["status"] == nil || a["status"] != b["status"] || a["message"] == b["message"] {
		return false
	}
	b["message"] = a["message"]
	return true
}

// nosniff: an error's text carries X-Content-Type-Options.
func nosniff(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	const name = "x-content-type-options"
	if !ok || a[name] != nil || b[name] != "nosniff" {
		return false
	}
	delete(b, name)
	return true
}

// vary: ours names each header once, and all that the response depends on.
func vary(_ *Case, want, got map[string]any) bool {
	a, b, ok := headers2(want, got)
	if !ok || a["vary"] == b["vary"] {
		return false
	}
	theirs, ours := tokens(a["vary"]), tokens(b["vary"])
	for _, name := range theirs {
		if !slices.Contains(ours, name) && !slices.Contains(ours, "*") {
			return false
		}
	}
	delete(a, "vary")
	delete(b, "vary")
	return true
}

func tokens(v any) []string {
	s, _ := v.(string)
	var out []string
	for t := range strings.SplitSeq(s, ",") {
		if t = strings.ToLower(strings.TrimSpace(t)); t != "" {
			out = append(out, t)
		}
	}
	return out
}
