package web

import (
	"fmt"
	"reflect"

	"github.com/gomiddy/middy/web/internal/schema"
)

// A Decoder makes a T of JSON that does not come in an HTTP request, such as a
// WebSocket message, under the same rules as [JSON]: the tags of nested structs,
// every mistake at once, and a Validate method. It is immutable and safe for
// concurrent use.
type Decoder[T any] struct {
	value  value
	limits limits
}

// NewDecoder reads the tags of T. It panics when they make no sense, as [JSON]
// does.
func NewDecoder[T any](cfg EndpointConfig) *Decoder[T] {
	t := reflect.TypeFor[T]()
	d := &Decoder[T]{limits: cfg.limits()}
	d.value.field = schema.Field{Type: t, Rules: &schema.Rules{MaxLength: -1, MaxItems: -1}}
	c := compiler{objects: map[reflect.Type]*object{}}
	if err := c.fill(&d.value); err != nil {
		panic(fmt.Errorf("web: NewDecoder[%v]: %w", t, err))
	}
	return d
}

// Decode returns the T that data is, or an [*Error]: 400 for what is not JSON, 413
// for what is too large, 422 for what breaks a rule. It keeps no part of data.
func (d *Decoder[T]) Decode(data []byte) (T, error) {
	var v, zero T
	if d.limits.bytes > 0 && int64(len(data)) > d.limits.bytes {
		return zero, tooLarge(d.limits.bytes)
	}
	if err := checkJSON(data, d.limits); err != nil {
		return zero, err
	}
	in := newDecoder(data, d.limits.strict)
	d.value.decode(&in, reflect.ValueOf(&v).Elem())
	err := invalid(in.wrong)
	if err == nil {
		err = validate(&v)
	}
	if err != nil {
		return zero, err
	}
	return v, nil
}
