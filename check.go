package middy

import (
	"cmp"
	"errors"
	"path"
	"reflect"
	"runtime"
	"strings"
)

// unwrapped calls visit for m and for everything it carries.
func unwrapped(m Middleware, visit func(Middleware)) {
	for !isNil(m) {
		visit(m)
		w, ok := m.(wrapper)
		if !ok {
			return
		}
		m = w.Unwrap()
	}
}

// misfitsOf returns what is wrong with m around a handler of these types.
func misfitsOf(m Middleware, event, result reflect.Type) []error {
	if isNil(m) {
		return []error{errors.New("is nil")}
	}
	var errs []error
	unwrapped(m, func(m Middleware) {
		if v, ok := m.(Validator); ok {
			if err := v.Validate(); err != nil {
				errs = append(errs, err)
			}
		}
		if a, ok := m.(Accepter); ok {
			if err := a.Accepts(event, result); err != nil {
				errs = append(errs, err)
			}
		}
	})
	return errs
}

// collect finds m's optional interfaces. A value that stands in the chain twice
// is initialised, settled and closed once.
func (f *Function) collect(name string, m Middleware, seen map[any]bool) {
	unwrapped(m, func(m Middleware) {
		if reflect.TypeOf(m).Comparable() {
			if seen[m] {
				return
			}
			seen[m] = true
		}
		if v, ok := m.(Initer); ok {
			f.initers = append(f.initers, named[Initer]{name, v})
		}
		if v, ok := m.(Settler); ok {
			f.settlers = append(f.settlers, named[Settler]{name, v})
		}
		if v, ok := m.(Closer); ok {
			f.closers = append(f.closers, named[Closer]{name, v})
		}
		if v, ok := m.(Thawer); ok {
			f.thawers = append(f.thawers, v)
		}
		if v, ok := m.(Observer); ok {
			f.observers = append(f.observers, v)
		}
		if v, ok := m.(Permitter); ok {
			f.permitters = append(f.permitters, v)
		}
		if v, ok := m.(*Timeout); ok {
			f.timeout = v
		}
	})
}

// isNil reports whether v is nil, or a nil pointer, func or the like.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return r.IsNil()
	}
	return false
}

// layerName is how messages and spans call m: its type, or for a function the
// name it was declared with.
func layerName(m Middleware) string {
	if isNil(m) {
		return "nil"
	}
	switch m := m.(type) {
	case interface{ Name() string }:
		return m.Name()
	case Hooks:
		return cmp.Or(m.Name, "middy.Hooks")
	case *Hooks:
		return cmp.Or(m.Name, "middy.Hooks")
	}
	v := reflect.ValueOf(m)
	if v.Kind() == reflect.Func {
		if f := runtime.FuncForPC(v.Pointer()); f != nil {
			return strings.TrimSuffix(path.Base(f.Name()), "-fm")
		}
	}
	return v.Type().String()
}
