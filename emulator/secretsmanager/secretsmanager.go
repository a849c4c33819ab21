// Package secretsmanager is an AWS Secrets Manager for one process.
//
// Code that reads secrets is easy to test against a map and hard to test against
// what Secrets Manager does: a version that is staged but has no value yet, a
// batch of which one item is denied, a secret that is marked for deletion, a
// replica that lags, a rotation that stops half way. This package keeps
// secrets, versions and staging labels by the service's own rules and answers
// with its own error codes and sentences, on a clock that the caller turns.
//
// [New] gives a [Service] for the emulator, which verifies signatures and speaks
// HTTP around it. Tests in Go arrange the stage with [Service.Put],
// [Service.Rotate], [Service.DisableKey], [Service.FailReads] and
// [Service.HoldReplication].
//
// Facts are from the API reference,
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html,
// and the quotas page,
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html.
// One deliberate difference: AWS is eventually consistent, this is not.
package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator/internal/shape"
	"github.com/gomiddy/middy/emulator/persist"
	"github.com/gomiddy/middy/emulator/service"
)

// Defaults of [Config].
const (
	DefaultRegion      = "us-east-1"
	DefaultAccountID   = "123456789012"
	DefaultMaxVersions = 100
	DefaultBatchBytes  = 65_536
)

// Config configures [New]. The zero value is a working service in memory.
type Config struct {
	// Region is used by the Go helpers and by calls that name none.
	// Default: us-east-1.
	Region string
	// AccountID is used as Region is. Twelve digits. Default: 123456789012.
	AccountID string
	// Now is the clock for the Go helpers, for the end of rotations and for calls
	// that carry no time: the emulator's, where there is one. Default: time.Now.
	Now func() time.Time
	// Invoke runs the rotation function with the payload of one rotation step and
	// returns its answer; an error fails the step. It may call the service.
	// Default: [BuiltinRotation] of this service.
	Invoke func(ctx context.Context, functionARN string, payload []byte) ([]byte, error)
	// OnRotation is told the end of every rotation; nil tells nobody. It must not
	// block.
	OnRotation func(Rotation)
	// RotationTimeout bounds one rotation step. Lambda's own limit for a function
	// is 15 min. Default: 15 min; negative: none.
	RotationTimeout time.Duration
	// MaxVersions is how many versions a secret may have while none is older than
	// a day. Default: 100 (the documented quota is "about 100"); negative: no limit.
	MaxVersions int
	// BatchBytes is how many bytes of values one BatchGetSecretValue answer holds
	// before it is cut with a NextToken. Default: 65,536; negative: no limit.
	BatchBytes int
	// Dir keeps secrets across restarts, one file per secret, in clear text. It is
	// created when missing and belongs to one process. Default: memory only.
	Dir string
}

// Validate reports what New would not accept. The zero Config is valid.
func (c Config) Validate() error {
	var errs []error
	if c.AccountID != "" && !accountPattern.MatchString(c.AccountID) {
		errs = append(errs, fmt.Errorf("secretsmanager: account id %q: give twelve digits", c.AccountID))
	}
	if c.Region != "" && !regionPattern.MatchString(c.Region) {
		errs = append(errs, fmt.Errorf("secretsmanager: region %q: give a region code such as eu-central-1", c.Region))
	}
	return errors.Join(errs...)
}

// A Service is an emulated Secrets Manager of all regions and accounts. It is
// safe for concurrent use.
type Service struct {
	cfg        Config
	operations map[string]func(*Service, *request, []byte) (any, error)

	openOnce sync.Once
	openErr  error
	disk     *persist.Dir

	mu        sync.Mutex
	places    map[place]map[string]*secret // by name; records are never changed in place
	due       time.Time                    // nothing is due before; zero: nothing is
	listed    listing                      // for the next page
	faults    map[string]*service.Error    // by name
	held      map[string]bool              // names whose replicas do not follow
	rotations map[string]*rotation         // in progress, by ARN
	running   map[*rotation]chan struct{}  // closed when OnRotation has returned
	closed    bool
}

// place is where a name is unique.
type place struct{ account, region string }

var _ service.Service = (*Service)(nil)

// New returns a service. It copies cfg and does no I/O: [Service.Open] or the
// first call reads Config.Dir.
func New(cfg Config) *Service {
	if cfg.Region == "" {
		cfg.Region = DefaultRegion
	}
	if cfg.AccountID == "" {
		cfg.AccountID = DefaultAccountID
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxVersions == 0 {
		cfg.MaxVersions = DefaultMaxVersions
	}
	if cfg.BatchBytes == 0 {
		cfg.BatchBytes = DefaultBatchBytes
	}
	if cfg.RotationTimeout == 0 {
		cfg.RotationTimeout = 15 * time.Minute
	}
	s := &Service{
		cfg:        cfg,
		operations: operations(),
		places:     map[place]map[string]*secret{},
		faults:     map[string]*service.Error{},
		held:       map[string]bool{},
		rotations:  map[string]*rotation{},
		running:    map[*rotation]chan struct{}{},
	}
	if s.cfg.Invoke == nil {
		s.cfg.Invoke = BuiltinRotation(s)
	}
	return s
}

// Open reads what Config.Dir holds. It is called by the first use if nobody did
// before, and does its work once. Every damaged file is named in the error, which
// has [persist.ErrCorrupt] in its chain; the service then answers
// InternalServiceError, because serving some of the secrets would look like the
// loss of the others.
func (s *Service) Open() error {
	s.openOnce.Do(func() {
		disk, err := persist.Open(s.cfg.Dir)
		if err != nil {
			s.openErr = fmt.Errorf("secretsmanager: %w", err)
			return
		}
		s.disk = disk
		if err := disk.Load(s.restore); err != nil {
			s.openErr = fmt.Errorf("secretsmanager: %w", err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.openErr = s.reconcile()
	})
	return s.openErr
}

// Wait returns when no rotation is in progress, or with ctx's error.
func (s *Service) Wait(ctx context.Context) error {
	for {
		done := s.anyRunning()
		if done == nil {
			return nil
		}
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Service) anyRunning() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, done := range s.running {
		return done
	}
	return nil
}

// Close cancels rotations in progress, waits for them and starts no new ones.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	for ro := range s.running {
		ro.cancel()
	}
	s.mu.Unlock()
	return s.Wait(context.Background())
}

// SigningName returns "secretsmanager".
func (s *Service) SigningName() string { return "secretsmanager" }

// Protocol returns [service.JSON11].
func (s *Service) Protocol() service.Protocol { return service.JSON11 }

// TargetPrefix returns "secretsmanager".
func (s *Service) TargetPrefix() string { return "secretsmanager" }

// request is a call with its defaults filled in.
type request struct {
	place
	now       time.Time
	principal string
	operation string
	authorize func(action, resource string) *service.Error // nil allows all
}

// operations maps a name to what reads its input and carries it out, with the
// service locked.
func operations() map[string]func(*Service, *request, []byte) (any, error) {
	return map[string]func(*Service, *request, []byte) (any, error){
		"BatchGetSecretValue":          op((*Service).batchGetSecretValue),
		"CancelRotateSecret":           op((*Service).cancelRotateSecret),
		"CreateSecret":                 op((*Service).createSecret),
		"DeleteResourcePolicy":         op((*Service).deleteResourcePolicy),
		"DeleteSecret":                 op((*Service).deleteSecret),
		"DescribeSecret":               op((*Service).describeSecret),
		"GetRandomPassword":            op((*Service).getRandomPassword),
		"GetResourcePolicy":            op((*Service).getResourcePolicy),
		"GetSecretValue":               op((*Service).getSecretValue),
		"ListSecretVersionIds":         op((*Service).listSecretVersionIDs),
		"ListSecrets":                  op((*Service).listSecrets),
		"PutResourcePolicy":            op((*Service).putResourcePolicy),
		"PutSecretValue":               op((*Service).putSecretValue),
		"RemoveRegionsFromReplication": op((*Service).removeRegionsFromReplication),
		"ReplicateSecretToRegions":     op((*Service).replicateSecretToRegions),
		"RestoreSecret":                op((*Service).restoreSecret),
		"RotateSecret":                 op((*Service).rotateSecret),
		"StopReplicationToReplica":     op((*Service).stopReplicationToReplica),
		"TagResource":                  op((*Service).tagResource),
		"UntagResource":                op((*Service).untagResource),
		"UpdateSecret":                 op((*Service).updateSecret),
		"UpdateSecretVersionStage":     op((*Service).updateSecretVersionStage),
		"ValidateResourcePolicy":       op((*Service).validateResourcePolicy),
	}
}

func op[In any](f func(*Service, *request, *In) (any, error)) func(*Service, *request, []byte) (any, error) {
	return func(s *Service, r *request, body []byte) (any, error) {
		var in In
		if err := shape.Decode(body, &in); err != nil {
			return nil, err
		}
		return f(s, r, &in)
	}
}

// Call answers one request. Before it looks at the request it does what has come
// due by the call's time: deletions at the end of their recovery window, and the
// start of scheduled rotations.
func (s *Service) Call(ctx context.Context, c *service.Call) (any, error) {
	f, ok := s.operations[c.Operation]
	if !ok {
		return nil, fail("UnknownOperationException", "The operation %s is not known to Secrets Manager.", c.Operation)
	}
	if err := s.Open(); err != nil {
		return nil, &service.Error{Status: 500, Code: "InternalServiceError", Message: err.Error()}
	}
	r := &request{place: place{c.Account, c.Region}, now: c.Now, principal: c.PrincipalARN, operation: c.Operation, authorize: c.Authorize}
	if r.account == "" {
		r.account = s.cfg.AccountID
	}
	if r.region == "" {
		r.region = s.cfg.Region
	}
	if r.now.IsZero() {
		r.now = s.cfg.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.advance(r.now); err != nil {
		return nil, err
	}
	return f(s, r, c.Body)
}

// Advance does what has come due by now without a call: deletions and scheduled
// rotations. The emulator calls it when its clock is stepped.
func (s *Service) Advance(now time.Time) error {
	if err := s.Open(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.advance(now)
}

func (s *Service) advance(now time.Time) error {
	if s.due.IsZero() || now.Before(s.due) {
		return nil // no look at every secret for every call
	}
	s.due = time.Time{}
	for _, names := range s.places {
		for _, sec := range names {
			var err error
			switch {
			case !sec.Deletion.IsZero() && !now.Before(sec.Deletion.Time):
				err = s.remove(sec)
			case s.rotationDue(sec, now):
				err = s.startScheduled(sec, now)
			default:
				s.expect(sec)
			}
			if err != nil {
				s.due = now // the rest has not been looked at
				return err
			}
		}
	}
	return nil
}

// expect makes advance look at the secrets when something is due for this one.
func (s *Service) expect(sec *secret) {
	at := sec.Deletion.Time
	if st := sec.Rotation; at.IsZero() && st.Enabled && !sec.isReplica() && st.Tried.Before(st.Due.Time) {
		at = st.Due.Time
	}
	if !at.IsZero() && (s.due.IsZero() || at.Before(s.due)) {
		s.due = at
	}
}

func fail(code, format string, args ...any) error {
	return &service.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// partition is the part of an ARN that tells AWS's separate clouds apart.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
