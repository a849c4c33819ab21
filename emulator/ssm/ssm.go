// Package ssm is the Parameter Store of AWS Systems Manager for one process.
//
// Reading a parameter is easy to fake and easy to fake wrongly: a selector that
// names a version, a SecureString read without decryption, the parameter that is
// missing from a batch and reported beside the others, a page that ends before
// the path does. This package keeps parameters, versions and labels by the
// service's rules and answers with its own error codes and sentences.
//
// [New] gives a [Service] for the emulator, which verifies signatures and speaks
// HTTP around it. Names under /aws/reference/secretsmanager/ are read from
// Config.Secrets, as AWS reads them from Secrets Manager.
//
// Facts are from the API reference and the user guide,
// https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html.
package ssm

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator/internal/shape"
	"github.com/gomiddy/middy/emulator/persist"
	"github.com/gomiddy/middy/emulator/service"
)

// Defaults of [Config].
const (
	DefaultRegion    = "us-east-1"
	DefaultAccountID = "123456789012"
)

// Config configures [New]. The zero value is a working service in memory.
type Config struct {
	// Region is used by the Go helpers and by calls that name none.
	// Default: us-east-1.
	Region string
	// AccountID is used as Region is. Twelve digits. Default: 123456789012.
	AccountID string
	// Now is the clock for the Go helpers and for calls that carry no time.
	// Default: time.Now.
	Now func() time.Time
	// Secrets answers GetSecretValue for names under
	// /aws/reference/secretsmanager/. Default: nil, no such name is found.
	Secrets service.Service
	// Dir keeps parameters across restarts, one file each, in clear text. It is
	// created when missing and belongs to one process. Default: memory only.
	Dir string
}

var (
	accountPattern = regexp.MustCompile(`^\d{12}$`)
	regionPattern  = regexp.MustCompile(`^([a-z]+-)+\d+$`)
)

// Validate reports what New would not accept. The zero Config is valid.
func (c Config) Validate() error {
	var errs []error
	if c.AccountID != "" && !accountPattern.MatchString(c.AccountID) {
		errs = append(errs, fmt.Errorf("ssm: account id %q: give twelve digits", c.AccountID))
	}
	if c.Region != "" && !regionPattern.MatchString(c.Region) {
		errs = append(errs, fmt.Errorf("ssm: region %q: give a region code such as eu-central-1", c.Region))
	}
	return errors.Join(errs...)
}

// A Service is an emulated Parameter Store of all regions and accounts. It is
// safe for concurrent use.
type Service struct {
	cfg        Config
	operations map[string]func(*Service, *request, []byte) (any, error)

	openOnce sync.Once
	openErr  error
	disk     *persist.Dir

	mu     sync.Mutex
	places map[place]map[string]*parameter // by [storeKey]; records are never changed in place
	faults map[string]*service.Error
	listed listing // for the next page
}

// A listing is the last list that was made, until a parameter changes: its next
// page needs no second look at all of them.
type listing struct {
	place      place
	filters    string
	parameters []*parameter
}

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
	return &Service{cfg: cfg, operations: operations(), places: map[place]map[string]*parameter{}, faults: map[string]*service.Error{}}
}

// Open reads what Config.Dir holds. It is called by the first use if nobody did
// before, and does its work once. Every damaged file is named in the error, which
// has [persist.ErrCorrupt] in its chain; the service then answers
// InternalServerError.
func (s *Service) Open() error {
	s.openOnce.Do(func() {
		disk, err := persist.Open(s.cfg.Dir)
		if err != nil {
			s.openErr = fmt.Errorf("ssm: %w", err)
			return
		}
		s.disk = disk
		if err := disk.Load(s.restore); err != nil {
			s.openErr = fmt.Errorf("ssm: %w", err)
		}
	})
	return s.openErr
}

// SigningName returns "ssm".
func (s *Service) SigningName() string { return "ssm" }

// Protocol returns [service.JSON11].
func (s *Service) Protocol() service.Protocol { return service.JSON11 }

// TargetPrefix returns "AmazonSSM".
func (s *Service) TargetPrefix() string { return "AmazonSSM" }

// request is a call with its defaults filled in.
type request struct {
	place
	ctx       context.Context
	now       time.Time
	principal string
	call      *service.Call
}

func operations() map[string]func(*Service, *request, []byte) (any, error) {
	return map[string]func(*Service, *request, []byte) (any, error){
		"AddTagsToResource":       op((*Service).addTags),
		"DeleteParameter":         op((*Service).deleteParameter),
		"DeleteParameters":        op((*Service).deleteParameters),
		"DescribeParameters":      op((*Service).describeParameters),
		"GetParameter":            op((*Service).getParameter),
		"GetParameterHistory":     op((*Service).getParameterHistory),
		"GetParameters":           op((*Service).getParameters),
		"GetParametersByPath":     op((*Service).getParametersByPath),
		"LabelParameterVersion":   op((*Service).labelVersion),
		"ListTagsForResource":     op((*Service).listTags),
		"PutParameter":            op((*Service).putParameter),
		"RemoveTagsFromResource":  op((*Service).removeTags),
		"UnlabelParameterVersion": op((*Service).unlabelVersion),
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

// Call answers one request. Parameters whose Expiration policy has come due by
// the call's time are gone before it.
func (s *Service) Call(ctx context.Context, c *service.Call) (any, error) {
	f, ok := s.operations[c.Operation]
	if !ok {
		return nil, fail("UnknownOperationException", "The operation %s is not known to Systems Manager's Parameter Store.", c.Operation)
	}
	if err := s.Open(); err != nil {
		return nil, &service.Error{Status: 500, Code: "InternalServerError", Message: err.Error()}
	}
	r := &request{place: place{c.Account, c.Region}, ctx: ctx, now: c.Now, principal: c.PrincipalARN, call: c}
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
	if err := s.expire(r.now); err != nil {
		return nil, err
	}
	return f(s, r, c.Body)
}

func (s *Service) expire(now time.Time) error {
	for _, names := range s.places {
		for _, p := range names {
			if e := p.latest().Expires; !e.IsZero() && !now.Before(e.Time) {
				if err := s.remove(p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func fail(code, format string, args ...any) error {
	return &service.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// epoch is a time that AWS JSON prints as seconds since 1970.
type epoch struct{ time.Time }

func (e epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(e.UnixMilli())/1000, 'f', -1, 64), nil
}

func (e *epoch) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return errors.New("a time is not a number of seconds")
	}
	e.Time = time.UnixMilli(int64(f*1000 + 0.5)).UTC()
	return nil
}

type tag struct {
	Key   string  `aws:"required,len=1:128"`
	Value *string `aws:"required,len=0:256"`
}

// parameter is one record: what a file of Config.Dir holds.
type parameter struct {
	Name, Account, Region string
	Versions              []*version // oldest first
	Tags                  []tag      `json:",omitempty"`
	KeyDisabled           bool       `json:",omitempty"`
	SeedSum               string     `json:",omitempty"`
}

type version struct {
	Version        int64
	Type, Value    string
	Cipher         string          `json:",omitempty"` // what a read without decryption gives
	KeyID          string          `json:",omitempty"`
	Modified       epoch           `json:",omitzero"`
	User           string          `json:",omitempty"`
	Description    string          `json:",omitempty"`
	AllowedPattern string          `json:",omitempty"`
	Labels         []string        `json:",omitempty"`
	Tier, DataType string          `json:",omitempty"`
	Policies       json.RawMessage `json:",omitempty"`
	Expires        epoch           `json:",omitzero"`
}

const (
	typeString = "String"
	typeList   = "StringList"
	typeSecure = "SecureString"
	defaultKey = "alias/aws/ssm"
)

func (p *parameter) latest() *version { return p.Versions[len(p.Versions)-1] }

func (p *parameter) numbered(n int64) *version {
	for _, v := range p.Versions {
		if v.Version == n {
			return v
		}
	}
	return nil
}

func (p *parameter) labelled(label string) *version {
	for _, v := range p.Versions {
		if slices.Contains(v.Labels, label) {
			return v
		}
	}
	return nil
}

func (p *parameter) clone() *parameter {
	c := *p
	c.Tags = slices.Clone(p.Tags)
	c.Versions = make([]*version, len(p.Versions))
	for i, v := range p.Versions {
		w := *v
		w.Labels = slices.Clone(v.Labels)
		c.Versions[i] = &w
	}
	return &c
}

func (p *parameter) arn() string {
	return fmt.Sprintf("arn:%s:ssm:%s:%s:parameter/%s", partition(p.Region), p.Region, p.Account, strings.TrimPrefix(p.Name, "/"))
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// storeKey is the identity of a name: "db" and "/db" are one parameter, since
// both have the ARN …:parameter/db.
func storeKey(name string) string { return strings.TrimPrefix(name, "/") }

func (p *parameter) key() string { return p.Account + "/" + p.Region + "/" + storeKey(p.Name) }

// bare takes an ARN of the caller's place for the name in it.
func (r *request) bare(name string) (string, bool) {
	if !strings.HasPrefix(name, "arn:") {
		return name, true
	}
	prefix := fmt.Sprintf("arn:%s:ssm:%s:%s:parameter/", partition(r.region), r.region, r.account)
	rest, ok := strings.CutPrefix(name, prefix)
	return "/" + rest, ok && rest != ""
}

// named is find for a request: a name that AWS refuses is refused.
func (s *Service) named(r *request, name string) (*parameter, error) {
	if bare, ok := r.bare(name); ok {
		if err := checkRead(bare); err != nil {
			return nil, err
		}
	}
	return s.find(r, name)
}

func (s *Service) find(r *request, name string) (*parameter, error) {
	if bare, ok := r.bare(name); ok {
		if p := s.places[r.place][storeKey(bare)]; p != nil {
			return p, nil
		}
	}
	return nil, fail("ParameterNotFound", "Parameter %s not found.", name)
}

func (s *Service) commit(p *parameter) error {
	if err := s.disk.Save(p.key(), p); err != nil {
		return errStorage(err)
	}
	s.show(p)
	return nil
}

func (s *Service) show(p *parameter) {
	at := place{p.Account, p.Region}
	if s.places[at] == nil {
		s.places[at] = map[string]*parameter{}
	}
	s.places[at][storeKey(p.Name)] = p
	s.listed = listing{}
}

func (s *Service) remove(p *parameter) error {
	if err := s.disk.Delete(p.key()); err != nil {
		return errStorage(err)
	}
	delete(s.places[place{p.Account, p.Region}], storeKey(p.Name))
	s.listed = listing{}
	return nil
}

func errStorage(err error) error {
	return &service.Error{Status: 500, Code: "InternalServerError", Message: "An error occurred on the server side: " + err.Error()}
}

func (s *Service) restore(key string, data []byte) error {
	var p parameter
	if err := json.Unmarshal(data, &p); err != nil {
		return errors.New("its record is not a parameter")
	}
	if p.Name == "" || p.key() != key || len(p.Versions) == 0 || slices.Contains(p.Versions, nil) {
		return errors.New("its record is not the parameter that its key names")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show(&p)
	return nil
}

// ciphertext looks like KMS's, has its length, and holds nothing of the value.
func ciphertext(value string) string {
	b := make([]byte, 5+140+len(value))
	rand.Read(b)
	copy(b, []byte{1, 2, 2, 0, 0x78})
	return base64.StdEncoding.EncodeToString(b)
}
