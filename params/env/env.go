// Package env reads values from environment variables for a params.Store, for
// work on a laptop and for tests.
//
// A secret in a function's environment is readable by everybody who may look at
// its configuration, and never rotates. So this provider refuses to run in
// Lambda, unless it is told that it may.
//
//	token := params.Hidden(store, secrets.From(cfg).Secret("prod/token").Fallback(env.Var("TOKEN")))
package env

import (
	"context"
	"os"

	"github.com/gomiddy/middy/params"
)

// Config configures [New].
type Config struct {
	// AllowInLambda lets the provider run where AWS_LAMBDA_FUNCTION_NAME is set.
	// Default: false.
	AllowInLambda bool
	// Lookup reads one variable. Default: os.LookupEnv.
	Lookup func(name string) (string, bool)
}

// A Source is the environment. It is safe for concurrent use.
type Source struct{ cfg Config }

var (
	_ params.Provider  = (*Source)(nil)
	_ params.Localizer = (*Source)(nil)
)

// New returns the environment as a provider.
func New(cfg Config) *Source { return &Source{cfg} }

// Var refers to a variable of the process, not in Lambda. "NAME#a.b" is the field
// a.b of a JSON document.
func Var(name string) params.Ref { return New(Config{}).Var(name) }

// Var refers to a variable. An empty one is a value; one that is not set is not
// found.
func (s *Source) Var(name string) params.Ref { return params.NewRef(s, name) }

// Source is one for all environments with the same rules.
func (s *Source) Source() params.Source {
	src := params.Source{Service: "env"}
	if s.cfg.Lookup != nil {
		src.Identity = s
	} else if s.cfg.AllowInLambda {
		src.Identity = true
	}
	return src
}

// Local is true: that a variable is not set says nothing about a secret.
func (s *Source) Local() bool { return true }

// Fetch reads a variable.
func (s *Source) Fetch(_ context.Context, k params.Key) (params.Raw, error) {
	fail := func(kind params.Kind, text string) (params.Raw, error) {
		return params.Raw{}, &params.Error{Kind: kind, Service: "env", Name: k.ID, Text: text}
	}
	lookup := s.cfg.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	if os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != "" && !s.cfg.AllowInLambda {
		return fail(params.Denied, "environment variables are refused in Lambda; keep the value in a secret, or set env.Config.AllowInLambda")
	}
	if k.Version != "" || k.Stage != "" {
		return fail(params.NotFound, "an environment variable has no versions")
	}
	v, ok := lookup(k.ID)
	if !ok {
		return fail(params.NotFound, "it is not set")
	}
	return params.Raw{Bytes: []byte(v)}, nil
}
