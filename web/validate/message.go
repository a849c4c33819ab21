package validate

import (
	"errors"
	"fmt"
	"strings"
)

// messages are the keyword errorMessage of ajv-errors, which Middy's schemas may
// use: https://ajv.js.org/packages/ajv-errors.html
type messages struct {
	all        string     // for whatever else is wrong
	keywords   []reworded // for a keyword of this schema
	missing    []reworded // for a property that required misses
	properties []reworded // for all that is wrong with a property
	items      []string   // for all that is wrong with an item
}

type reworded struct{ of, text string }

// parseMessages reads the keyword. Texts with ${…} would put values of the client
// into answers and logs, and are refused.
func parseMessages(raw any) (*messages, error) {
	m := &messages{}
	if text, ok := raw.(string); ok {
		m.all = text
		return m, plainText(text)
	}
	o, ok := raw.(*ordered)
	if !ok {
		return nil, errors.New("errorMessage must be a string or an object")
	}
	var errs []error
	for _, key := range o.keys {
		switch value := o.values[key].(type) {
		case string:
			errs = append(errs, plainText(value))
			if key == "_" {
				m.all = value
			} else {
				m.keywords = append(m.keywords, reworded{key, value})
			}
		case *ordered:
			list, err := texts(value)
			errs = append(errs, err)
			switch key {
			case "properties":
				m.properties = list
			case "required":
				m.missing = list
			default:
				errs = append(errs, fmt.Errorf("errorMessage.%s must be a text", key))
			}
		case []any:
			for _, v := range value {
				text, ok := v.(string)
				if !ok || key != "items" {
					errs = append(errs, fmt.Errorf("errorMessage.%s must have texts only", key))
				}
				errs = append(errs, plainText(text))
				m.items = append(m.items, text)
			}
		default:
			errs = append(errs, fmt.Errorf("errorMessage.%s must be a text", key))
		}
	}
	return m, errors.Join(errs...)
}

func texts(o *ordered) ([]reworded, error) {
	var list []reworded
	for _, name := range o.keys {
		text, ok := o.values[name].(string)
		if !ok {
			return nil, fmt.Errorf("errorMessage: the text for %s is none", name)
		}
		if err := plainText(text); err != nil {
			return nil, err
		}
		list = append(list, reworded{name, text})
	}
	return list, nil
}

func plainText(s string) error {
	if strings.Contains(s, "${") {
		return fmt.Errorf("errorMessage %q has a template, which would repeat what the client sent: use a text", s)
	}
	return nil
}

// used is a finding that a message stands for.
type used struct {
	Finding
	EmUsed bool `json:"emUsed"`
}

// reword replaces what was found in n since mark by the schema's own messages.
func (e *evaluation) reword(n *node, p *place, mark int) {
	if n.messages == nil {
		return
	}
	w := rewording{n: n, rest: append([]found(nil), e.out[mark:]...)}
	m := n.messages
	for _, k := range m.keywords {
		w.replace(p, k.text, func(f found) bool { return f.place == p && f.of(n) && f.keyword == k.of })
	}
	for _, k := range m.missing {
		w.replace(p, k.text, func(f found) bool {
			return f.place == p && f.of(n) && f.keyword == "required" && f.params["missingProperty"] == k.of
		})
	}
	for _, k := range m.properties {
		w.child(p, k.of, k.text)
	}
	for i, text := range m.items {
		w.child(p, fmt.Sprint(i), text)
	}
	if m.all != "" {
		w.replace(p, m.all, func(f found) bool { return f.of(n) })
	}
	e.out = append(append(e.out[:mark], w.rest...), w.made...)
}

type rewording struct {
	n          *node
	rest, made []found
}

// replace makes one finding of all that match. A message is not reworded again by
// the same schema.
func (w *rewording) replace(p *place, text string, match func(found) bool) {
	var errs []used
	var rest []found
	for _, f := range w.rest {
		if f.keyword != "errorMessage" && match(f) {
			errs = append(errs, used{f.finding(), true})
		} else {
			rest = append(rest, f)
		}
	}
	w.rest = rest
	if len(errs) > 0 {
		w.made = append(w.made, found{node: w.n, place: p, keyword: "errorMessage", params: map[string]any{"errors": errs}, message: text})
	}
}

func (w *rewording) child(p *place, name, text string) {
	w.replace(p.in(name), text, func(f found) bool {
		for at := f.place; at != nil; at = at.parent {
			if at.parent == p {
				return at.token == name
			}
		}
		return false
	})
}

// of reports whether f is about n or about what is inside it, in the text.
func (f found) of(n *node) bool { return strings.HasPrefix(f.node.path+"/", n.path+"/") }
