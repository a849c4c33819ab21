package params

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Ref says which remote value, and how it is to be kept. Providers make them;
// each method returns a changed copy. A Ref is immutable.
type Ref struct {
	provider Provider
	key      Key
	field    string
	ttl      time.Duration // 0: the Store's
	maxStale time.Duration // 0: the Store's
	required bool
	optional bool
	rotation bool
	kmsKey   string
	stages   []string
	fallback []Ref
	chain    any // fallback as a part of a key: a link, or nil
	replicas func(region string) Provider
}

// A link is one fallback in a key. Links compare by value, those before it
// included.
type link struct {
	before any // a link, or nil
	source Source
	key    Key
}

// then adds a fallback. It never writes into a slice that another Ref shares.
func (r Ref) then(next Ref) Ref {
	l := link{before: r.chain, key: next.key}
	if next.provider != nil {
		l.source = next.provider.Source()
	}
	r.fallback, r.chain = append(slices.Clip(r.fallback), next), l
	return r
}

// NewRef returns a reference to a value of p. A name may end in "#field", which
// is [Ref.Field].
func NewRef(p Provider, name string) Ref {
	id, field, _ := strings.Cut(name, "#")
	return Ref{provider: p, key: Key{ID: id}, field: field}
}

// WithReplicas says how to reach the same source in another region. It is for
// providers; users call [Ref.Replica].
func (r Ref) WithReplicas(in func(region string) Provider) Ref {
	r.replicas = in
	return r
}

// Version asks for one version, by its id or number. Such a value never changes.
func (r Ref) Version(id string) Ref { r.key.Version = id; return r }

// Stage asks for the version that a label points to, such as "AWSPREVIOUS".
func (r Ref) Stage(label string) Ref { r.key.Stage = label; return r }

// Field asks for one part of a JSON value: names and array indexes separated by
// dots, such as "db.hosts.0". A dot within a name is written "\.". Several
// fields of one value cost one fetch.
func (r Ref) Field(path string) Ref { r.field = path; return r }

// TTL overrides [Config.TTL]; negative: every invocation asks.
func (r Ref) TTL(d time.Duration) Ref { r.ttl = d; return r }

// MaxStale overrides [Config.MaxStale]; negative: never stale.
func (r Ref) MaxStale(d time.Duration) Ref { r.maxStale = d; return r }

// Required fails the cold start when the value cannot be had.
func (r Ref) Required() Ref { r.required = true; return r }

// Optional makes a missing value the zero value instead of an error. That it is
// missing is kept as a value is: for the TTL, and through an outage for
// [Config.MaxStale]. Denied is still an error. It belongs to the reference: views
// of one value may differ in it.
func (r Ref) Optional() Ref { r.optional = true; return r }

// FollowRotation reads when the value will rotate and shortens its TTL to the
// beginning of that window. It needs one more permission, and one more request
// per rotation.
func (r Ref) FollowRotation() Ref { r.rotation = true; return r }

// KMSKey names the customer's key that encrypts the value, for [Store.Permissions].
func (r Ref) KMSKey(arn string) Ref { r.kmsKey = arn; return r }

// TryStages are the labels that [Retry] may try, in order, when the current
// version is refused and the source has no newer one: "AWSPENDING" covers the
// window in which a rotation has set the new password and not yet said so.
func (r Ref) TryStages(labels ...string) Ref { r.stages = slices.Clone(labels); return r }

// Fallback adds sources to be asked, in order, when this one does not answer. A
// source that says "not found" or "denied" has answered, except a local one
// ([Localizer]).
func (r Ref) Fallback(next ...Ref) Ref {
	for _, f := range next {
		r = r.then(f)
	}
	return r
}

// Replica adds the same value in other regions as fallbacks. A replica that lags
// behind does not take a value back.
func (r Ref) Replica(regions ...string) Ref {
	for _, region := range regions {
		next := Ref{} // Validate reports it
		if r.replicas != nil {
			next = Ref{provider: r.replicas(region), key: r.key}
		}
		r = r.then(next)
	}
	return r
}

// String names the value; it is safe to print.
func (r Ref) String() string {
	if r.provider == nil {
		return "params.Ref{}"
	}
	name := r.provider.Source().Service + ":" + r.key.ID
	if r.key.Version != "" {
		name += "@" + r.key.Version
	}
	if r.key.Stage != "" {
		name += "@" + r.key.Stage
	}
	if r.field != "" {
		name += "#" + r.field
	}
	return name
}

func (r Ref) validate() error {
	switch {
	case r.provider == nil:
		return fmt.Errorf("params: a reference without a provider: get one from a provider's package, such as secrets.From(cfg).Secret(name)")
	case r.key.ID == "":
		return fmt.Errorf("params: a reference to %s without a name", r.provider.Source().Service)
	case r.required && r.optional:
		return fmt.Errorf("params: %s is both Required and Optional: choose one", r)
	}
	for _, f := range r.fallback {
		if f.provider == nil {
			return fmt.Errorf("params: %s has a fallback without a provider, or a Replica although its provider knows no regions", r)
		}
		if err := f.validateKey(); err != nil {
			return err
		}
	}
	if err := r.validateKey(); err != nil {
		return err
	}
	_, err := splitPath(r.field)
	return err
}

func (r Ref) validateKey() error {
	v, ok := r.provider.(KeyValidator)
	if !ok {
		return nil
	}
	err := v.ValidateKey(r.key)
	for _, label := range r.stages {
		k := r.key
		k.Stage = label
		err = cmp.Or(err, v.ValidateKey(k))
	}
	return err
}
