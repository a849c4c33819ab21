package ours

import (
	"encoding/json"
	"fmt"

	"github.com/gomiddy/middy/conformance"
)

// options are Middy's, by name.
type options struct {
	all object
	raw json.RawMessage
}

func (o options) bool(name string) bool { b, _ := o.all[name].(bool); return b }

func (o options) text(name string) string { s, _ := o.all[name].(string); return s }

func (o options) number(name string) float64 { n, _ := o.all[name].(float64); return n }

func (o options) has(name string) bool { _, ok := o.all[name]; return ok }

func (o options) object(name string) object { m, _ := o.all[name].(object); return m }

// list is a list of strings, or one string.
func (o options) list(name string) []string {
	switch v := o.all[name].(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			out = append(out, fmt.Sprint(e))
		}
		return out
	}
	return nil
}

// function is the name of one of the functions of cases.
func (o options) function(name string) string {
	f, _ := o.all[name].(conformance.Function)
	return string(f)
}

// undefined reports whether the option is given as undefined: Value leaves those
// keys out, and Middy takes them as a choice.
func (o options) undefined(name string) bool {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(o.raw, &all) // it was read before
	return string(all[name]) == `{"$undef":1}`
}
