package env_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/env"
)

func Example() {
	vars := map[string]string{"DB": `{"user":"orders"}`}
	laptop := env.New(env.Config{Lookup: func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}})
	store := params.New(params.Config{})
	user := params.String(store, laptop.Var("DB#user"))
	fmt.Println(user.Get(context.Background()))
	// Output: orders
}

func TestVar(t *testing.T) {
	t.Setenv("MIDDY_TEST_A", "one")
	t.Setenv("MIDDY_TEST_EMPTY", "")
	for _, tt := range []struct {
		name, lambda string
		ref          params.Ref
		want         string
		err          error
		text         string
	}{
		{"set", "", env.Var("MIDDY_TEST_A"), "one", nil, ""},
		{"empty is a value", "", env.Var("MIDDY_TEST_EMPTY"), "", nil, ""},
		{"not set", "", env.Var("MIDDY_TEST_NONE"), "", params.ErrNotFound, `env "MIDDY_TEST_NONE": it is not set`},
		{"a stage", "", env.Var("MIDDY_TEST_A").Stage("AWSPENDING"), "", params.ErrNotFound, "no versions"},
		{"a version", "", env.Var("MIDDY_TEST_A").Version("1"), "", params.ErrNotFound, "no versions"},
		{"in Lambda", "orders", env.Var("MIDDY_TEST_A"), "", params.ErrDenied, "AllowInLambda"},
		{"allowed in Lambda", "orders", env.New(env.Config{AllowInLambda: true}).Var("MIDDY_TEST_A"), "one", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("AWS_LAMBDA_FUNCTION_NAME", tt.lambda)
			store := params.New(params.Config{})
			got, err := params.String(store, tt.ref).Lookup(t.Context())
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%q, %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Error(err)
			}
		})
	}
}

func TestEnvironmentsWithOtherRulesDoNotShareEntries(t *testing.T) {
	lookup := func(string) (string, bool) { return "", false }
	a, b := env.New(env.Config{}), env.New(env.Config{AllowInLambda: true})
	c, d := env.New(env.Config{Lookup: lookup}), env.New(env.Config{Lookup: lookup})
	seen := map[params.Source]bool{a.Source(): true, b.Source(): true, c.Source(): true, d.Source(): true}
	if len(seen) != 4 || a.Source() != env.New(env.Config{}).Source() {
		t.Error(seen)
	}
}
