package ssm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomiddy/middy/emulator/service"
)

// Put gives the parameter a new version and creates it if it does not exist, in
// Config's region and account. A []string is a StringList, a string or any other
// value a String with that text.
func (s *Service) Put(name string, v any) error {
	if list, ok := v.([]string); ok {
		return s.put(name, typeList, strings.Join(list, ","))
	}
	return s.put(name, typeString, fmt.Sprint(v))
}

// PutSecure is Put for a SecureString.
func (s *Service) PutSecure(name, v string) error { return s.put(name, typeSecure, v) }

func (s *Service) put(name, kind, v string) error {
	_, err := s.write(Seed{Name: name, Type: kind, Value: v}, "")
	return err
}

// Delete removes the parameter.
func (s *Service) Delete(name string) error {
	if err := s.Open(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(s.self(), name)
	if err != nil {
		return fmt.Errorf("ssm: delete %q: it does not exist", name)
	}
	return s.remove(p)
}

// DisableKey makes a SecureString undecryptable: reads with decryption answer
// InvalidKeyId until [Service.EnableKey]. The parameter must exist.
func (s *Service) DisableKey(name string) error { return s.setKey(name, true) }

// EnableKey undoes [Service.DisableKey].
func (s *Service) EnableKey(name string) error { return s.setKey(name, false) }

func (s *Service) setKey(name string, disabled bool) error {
	if err := s.Open(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(s.self(), name)
	if err != nil {
		return fmt.Errorf("ssm: key of %q: it does not exist; put a value first", name)
	}
	next := p.clone()
	next.KeyDisabled = disabled
	return s.commit(next)
}

// FailReads answers every GetParameter and GetParameters that names the parameter
// with err until it is called with nil.
func (s *Service) FailReads(name string, err *service.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.faults, storeKey(name))
		return
	}
	s.faults[storeKey(name)] = err
}

// Names returns the names of all parameters of Config's region and account,
// sorted.
func (s *Service) Names() []string {
	if s.Open() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for p := range maps.Values(s.places[place{s.cfg.AccountID, s.cfg.Region}]) {
		out = append(out, p.Name)
	}
	slices.Sort(out)
	return out
}

func (s *Service) self() *request {
	return &request{place: place{s.cfg.AccountID, s.cfg.Region}, now: s.cfg.Now()}
}

// A Seed describes a parameter as a seed file gives it.
type Seed struct {
	Name string
	// Type is String, StringList or SecureString; empty for String.
	Type  string
	Value string
	// Description, KeyID, Tier, AllowedPattern and DataType are as in
	// PutParameter; empty for its defaults.
	Description, KeyID, Tier, AllowedPattern, DataType string
	// KeyDisabled makes reads with decryption answer InvalidKeyId.
	KeyDisabled bool
	Tags        map[string]string
	// Labels are attached to the version that the seed writes.
	Labels []string
}

// Format writes the name and the type under every verb, so that no verb shows the
// value.
func (seed Seed) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "parameter seed %q of type %s", seed.Name, seed.Type)
}

// Validate reports why the service would refuse the seed. It never quotes the
// value.
func (seed Seed) Validate() error {
	_, err := New(Config{}).Sow(seed)
	return err
}

// Sow brings a parameter to what seed says, unless the same seed has done so
// before: what clients have changed since then stays, also across restarts. It
// reports whether it wrote. A parameter that was deleted since is created again.
func (s *Service) Sow(seed Seed) (wrote bool, err error) {
	b, err := json.Marshal(seed)
	if err != nil {
		return false, fmt.Errorf("ssm: seed %q: %w", seed.Name, err)
	}
	sum := sha256.Sum256(b)
	return s.write(seed, hex.EncodeToString(sum[:]))
}

func (s *Service) write(seed Seed, sum string) (wrote bool, err error) {
	if err := s.Open(); err != nil {
		return false, err
	}
	if seed.Type == "" {
		seed.Type = typeString
	}
	r := s.self()
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.places[r.place][storeKey(seed.Name)]
	if old != nil && sum != "" && old.SeedSum == sum {
		return false, nil
	}
	p, err := seed.apply(old, r)
	if err != nil {
		var e *service.Error
		if errors.As(err, &e) {
			return false, fmt.Errorf("ssm: put %q: %s", seed.Name, e.Message)
		}
		return false, fmt.Errorf("ssm: put %q: %w", seed.Name, err)
	}
	if sum != "" {
		p.SeedSum = sum
	}
	return true, s.commit(p)
}

// apply makes the record, by the rules of PutParameter. A changed type replaces
// the parameter, which the API would refuse.
func (seed Seed) apply(old *parameter, r *request) (*parameter, error) {
	if err := checkName(seed.Name); err != nil {
		return nil, err
	}
	if seed.Value == "" {
		return nil, errors.New("the value is empty; Parameter Store needs at least one character")
	}
	in := putInput{Name: seed.Name, Value: &seed.Value, Type: seed.Type, KeyId: seed.KeyID, Tier: seed.Tier, DataType: seed.DataType}
	if seed.Tier == "" {
		in.Tier = "Intelligent-Tiering"
	}
	if seed.Description != "" {
		in.Description = &seed.Description
	}
	if seed.AllowedPattern != "" {
		in.AllowedPattern = &seed.AllowedPattern
	}
	if old != nil && old.latest().Type != seed.Type {
		old = nil
	}
	v, err := in.version(old, r)
	if err != nil {
		return nil, err
	}
	p := &parameter{Name: seed.Name, Account: r.account, Region: r.region}
	if old != nil {
		p = old.clone()
	}
	for _, label := range seed.Labels {
		if holder := p.labelled(label); holder != nil {
			holder.Labels = without(holder.Labels, label)
		}
		v.Labels = append(v.Labels, label)
	}
	p.Versions = append(p.Versions, v)
	if n := len(p.Versions); n > maxVersions {
		p.Versions = p.Versions[n-maxVersions:]
	}
	p.KeyDisabled = p.KeyDisabled && seed.Tags == nil || seed.KeyDisabled
	if seed.Tags != nil {
		p.Tags = nil
	}
	for _, k := range slices.Sorted(maps.Keys(seed.Tags)) {
		value := seed.Tags[k]
		p.Tags = append(p.Tags, tag{k, &value})
	}
	return p, nil
}
