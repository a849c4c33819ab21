package secretsmanager

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator/service"
)

// Put gives the secret a new current version and creates the secret if it does
// not exist, in Config's region and account. A string is stored as SecretString,
// a []byte as SecretBinary, anything else as its JSON. It accepts what the API
// would refuse where clients must survive it, such as the empty string.
func (s *Service) Put(name string, v any) error {
	val, err := toValue(v)
	if err != nil {
		return fmt.Errorf("secretsmanager: put %q: %w", name, err)
	}
	return s.arrange("put", name, func(sec *secret, now time.Time) error {
		sec.prune(100, now.Add(time.Hour)) // tests write more often than AWS allows
		sec.attach(sec.add(newUUID(), val, now), current)
		return nil
	})
}

// Rotate leaves the secret as a successful rotation leaves it: value current, the
// old value AWSPREVIOUS, LastRotatedDate now. No function runs. The secret must
// exist.
func (s *Service) Rotate(name string, v any) error {
	val, err := toValue(v)
	if err != nil {
		return fmt.Errorf("secretsmanager: rotate %q: %w", name, err)
	}
	return s.arrange("rotate", name, func(sec *secret, now time.Time) error {
		if len(sec.Versions) == 0 {
			return fmt.Errorf("it does not exist; put a value first")
		}
		sec.prune(100, now.Add(time.Hour))
		if p := sec.staged(pending); p != nil {
			p.detach(pending)
		}
		sec.attach(sec.add(newUUID(), val, now), current)
		sec.Rotation.Configured, sec.Rotation.Enabled = true, true
		sec.Rotation.Last = epoch{now}
		sec.Rotation.reschedule(now)
		return nil
	})
}

// Stage leaves the secret in the middle of a rotation: value is AWSPENDING, or,
// when v is nil, AWSPENDING is attached to a version without a value.
func (s *Service) Stage(name string, v any) error {
	var val value
	if v != nil {
		var err error
		if val, err = toValue(v); err != nil {
			return fmt.Errorf("secretsmanager: stage %q: %w", name, err)
		}
	}
	return s.arrange("stage", name, func(sec *secret, now time.Time) error {
		sec.attach(sec.add(newUUID(), val, now), pending)
		return nil
	})
}

// Delete removes the secret at once, without a recovery window, and its replicas.
func (s *Service) Delete(name string) error {
	if err := s.Open(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sec := s.places[place{s.cfg.AccountID, s.cfg.Region}][name]
	if sec == nil {
		return fmt.Errorf("secretsmanager: delete %q: it does not exist", name)
	}
	for _, region := range sec.regions() {
		if there := s.places[place{sec.Account, region}][name]; there != nil && there.replicaOf(sec) {
			if err := s.remove(there); err != nil {
				return err
			}
		}
	}
	return s.remove(sec)
}

// DisableKey makes the secret's values undecryptable: reads answer
// DecryptionFailure until [Service.EnableKey]. The secret must exist.
func (s *Service) DisableKey(name string) error { return s.setKey("disable key of", name, true) }

// EnableKey undoes [Service.DisableKey].
func (s *Service) EnableKey(name string) error { return s.setKey("enable key of", name, false) }

func (s *Service) setKey(what, name string, disabled bool) error {
	return s.arrange(what, name, func(sec *secret, _ time.Time) error {
		if len(sec.Versions) == 0 {
			return fmt.Errorf("it does not exist; put a value first")
		}
		sec.KeyDisabled = disabled
		return nil
	})
}

// FailReads answers every read of the secret's value, in a batch too, with err
// until it is called with nil. It works for names that do not exist yet, and is
// not kept across restarts. [AccessDenied] makes the commonest one.
func (s *Service) FailReads(name string, err *service.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.faults, name)
		return
	}
	s.faults[name] = err
}

// AccessDenied is what AWS answers when no policy allows GetSecretValue.
func AccessDenied(principalARN, secret string) *service.Error {
	return &service.Error{Code: "AccessDeniedException", Message: fmt.Sprintf(
		"User: %s is not authorized to perform: secretsmanager:GetSecretValue on resource: %s because no identity-based policy allows the secretsmanager:GetSecretValue action",
		principalARN, secret)}
}

// HoldReplication keeps the secret's replicas as they are while hold is true, so
// that they lag behind their primary. Releasing brings them up to date.
func (s *Service) HoldReplication(name string, hold bool) error {
	if err := s.Open(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if hold {
		s.held[name] = true
		return nil
	}
	delete(s.held, name)
	for _, names := range s.places {
		if sec := names[name]; sec != nil {
			if err := s.replicate(sec); err != nil {
				return err
			}
		}
	}
	return nil
}

// Names returns the names of all secrets of Config's region and account, sorted,
// those marked for deletion included.
func (s *Service) Names() []string {
	if s.Open() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.places[place{s.cfg.AccountID, s.cfg.Region}]))
}

// arrange changes a secret of the default place, a new one if need be, and
// commits it.
func (s *Service) arrange(what, name string, f func(sec *secret, now time.Time) error) error {
	if err := s.Open(); err != nil {
		return err
	}
	if err := checkName(name); err != nil || len(name) > 512 {
		return fmt.Errorf("secretsmanager: %s %q: a name has 1 to 512 letters, digits and characters of -/_+=.@! (AWS's own rule)", what, name)
	}
	now := s.cfg.Now()
	p := place{s.cfg.AccountID, s.cfg.Region}
	s.mu.Lock()
	defer s.mu.Unlock()
	var sec *secret
	if old := s.places[p][name]; old != nil {
		sec = old.clone()
	} else {
		sec = &secret{ARN: newARN(p, name), Name: name, Account: p.account, Region: p.region,
			Versions: map[string]*version{}, Created: epoch{now}}
	}
	if err := f(sec, now); err != nil {
		return fmt.Errorf("secretsmanager: %s %q: %w", what, name, err)
	}
	sec.Changed = epoch{now}
	return s.commit(sec)
}

func toValue(v any) (value, error) {
	var val value
	switch t := v.(type) {
	case string:
		val.text = &t
	case []byte:
		val.binary = append([]byte{}, t...)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return value{}, fmt.Errorf("encode the value as JSON: %w", err)
		}
		text := string(b)
		val.text = &text
	}
	if val.text != nil && !validText(*val.text) {
		return value{}, fmt.Errorf("the text is not UTF-8; give a []byte to store it as SecretBinary")
	}
	if n := (&version{String: val.text, Binary: val.binary}).size(); n > 65536 {
		return value{}, fmt.Errorf("the value has %d bytes; Secrets Manager stores at most 65536", n)
	}
	return val, nil
}

func arnPlace(arn string) (place, bool) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 {
		return place{}, false
	}
	return place{parts[4], parts[3]}, true
}

// A Seed describes a secret as a seed file gives it.
type Seed struct {
	Name        string
	Description string
	Tags        map[string]string
	KMSKeyID    string
	// KeyDisabled makes reads answer DecryptionFailure.
	KeyDisabled bool
	// Versions are created in this order.
	Versions []SeedVersion
	// Rotation configures rotation; nil leaves it off.
	Rotation *SeedRotation
}

// A SeedVersion is one version. One of String and Binary is set, or neither for a
// version that is staged but has no value.
type SeedVersion struct {
	// ID has 32 to 64 characters; empty for a random one.
	ID     string
	String *string
	Binary []byte
	// Stages are attached to it; empty for a deprecated version.
	Stages []string
}

// Format writes the name and the number of versions under every verb, so that no
// verb shows a value.
func (seed Seed) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "secret seed %q with %d versions", seed.Name, len(seed.Versions))
}

// Format writes the staging labels under every verb.
func (v SeedVersion) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "secret version %v [redacted]", v.Stages)
}

// A SeedRotation is the rotation of a secret.
type SeedRotation struct {
	LambdaARN              string
	AutomaticallyAfterDays int
	ScheduleExpression     string
	Duration               string
}

// Validate reports what is wrong with the rules.
func (r SeedRotation) Validate() error {
	_, err := parseRules(r.rules())
	if err != nil {
		_, msg := errorParts(err)
		return fmt.Errorf("secretsmanager: rotation: %s", msg)
	}
	return nil
}

func (r SeedRotation) rules() *rotationRules {
	rules := &rotationRules{}
	if r.AutomaticallyAfterDays != 0 {
		days := int64(r.AutomaticallyAfterDays)
		rules.AutomaticallyAfterDays = &days
	}
	if r.ScheduleExpression != "" {
		rules.ScheduleExpression = &r.ScheduleExpression
	}
	if r.Duration != "" {
		rules.Duration = &r.Duration
	}
	return rules
}

// Sow brings a secret to what seed says, unless the same seed has done so before:
// what clients have changed since then stays, also across restarts. It reports
// whether it wrote. A secret that was deleted since is created again.
func (s *Service) Sow(seed Seed) (wrote bool, err error) {
	b, err := json.Marshal(seed)
	if err != nil {
		return false, fmt.Errorf("secretsmanager: seed %q: %w", seed.Name, err)
	}
	sum := sha256.Sum256(b)
	err = s.arrange("seed", seed.Name, func(sec *secret, now time.Time) error {
		if sec.SeedSum == hex.EncodeToString(sum[:]) {
			return errSown
		}
		wrote = true
		sec.SeedSum = hex.EncodeToString(sum[:])
		return sec.sow(seed, now)
	})
	if errors.Is(err, errSown) {
		return false, nil
	}
	return wrote && err == nil, err
}

var errSown = errors.New("the seed has not changed")

// sowVersions moves AWSCURRENT first, which moves AWSPREVIOUS to the value that
// was current before, unless the seed then says otherwise.
func (sec *secret) sowVersions(seeds []SeedVersion, now time.Time) {
	for _, v := range sec.Versions {
		v.Stages = slices.DeleteFunc(v.Stages, func(l string) bool { return l != current && l != previous })
	}
	sec.prune(100, now.Add(time.Hour))
	var rest []func()
	for _, sv := range seeds {
		id := token(sv.ID)
		v := sec.Versions[id]
		if v == nil {
			v = sec.add(id, value{}, now)
		}
		v.String, v.Binary = sv.String, sv.Binary
		for _, stage := range sv.Stages {
			if stage == current {
				sec.attach(v, stage)
				continue
			}
			rest = append(rest, func() { sec.attach(v, stage) })
		}
	}
	for _, attach := range rest {
		attach()
	}
}

func (sec *secret) sow(seed Seed, now time.Time) error {
	sec.Description, sec.KMSKeyID, sec.KeyDisabled = seed.Description, customKey(seed.KMSKeyID), seed.KeyDisabled
	sec.Deletion = epoch{}
	sec.Tags = nil
	for _, k := range slices.Sorted(maps.Keys(seed.Tags)) {
		sec.Tags = append(sec.Tags, tag{k, seed.Tags[k]})
	}
	sec.sowVersions(seed.Versions, now)
	sec.Rotation = rotationState{}
	if r := seed.Rotation; r != nil {
		sec.Rotation = rotationState{Configured: true, Enabled: true, LambdaARN: r.LambdaARN, Rules: r.rules()}
		sec.Rotation.reschedule(now)
	}
	return nil
}
