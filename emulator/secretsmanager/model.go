package secretsmanager

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator/service"
)

// The staging labels that the service itself moves.
const (
	current  = "AWSCURRENT"
	pending  = "AWSPENDING"
	previous = "AWSPREVIOUS"
)

var (
	accountPattern = regexp.MustCompile(`^\d{12}$`)
	regionPattern  = regexp.MustCompile(`^([a-z]+-)+\d+$`)
	// namePattern is the service's sentence "-/_+=.@!" as a pattern: the
	// documentation leaves the exclamation mark out, names of managed secrets
	// ("rds!db-…") have it.
	namePattern = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]+$`)
	arnSuffix   = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)
)

// epoch is a time that AWS JSON prints as seconds since 1970, here to the
// millisecond as Secrets Manager does.
type epoch struct{ time.Time }

func (e epoch) MarshalJSON() ([]byte, error) {
	ms := e.UnixMilli()
	return strconv.AppendFloat(nil, float64(ms)/1000, 'f', -1, 64), nil
}

func (e *epoch) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("a time is not a number of seconds")
	}
	e.Time = time.UnixMilli(int64(f*1000 + 0.5)).UTC()
	return nil
}

type tag struct {
	Key   string `aws:"required,len=1:128"`
	Value string `aws:"len=0:256"`
}

// secret is one record: what a file of Config.Dir holds. Once it is in the
// service's map it is not changed; operations change a clone and commit it.
type secret struct {
	ARN, Name, Account, Region string
	Description                string              `json:",omitempty"`
	KMSKeyID                   string              `json:",omitempty"`
	Type                       string              `json:",omitempty"`
	Policy                     string              `json:",omitempty"`
	Tags                       []tag               `json:",omitempty"`
	Versions                   map[string]*version `json:",omitempty"`
	Created                    epoch               `json:",omitzero"`
	Changed                    epoch               `json:",omitzero"`
	Accessed                   epoch               `json:",omitzero"`
	Deletion                   epoch               `json:",omitzero"`
	KeyDisabled                bool                `json:",omitempty"`
	Rotation                   rotationState       `json:",omitzero"`
	// PrimaryRegion is set on a primary that has replicas and on its replicas.
	PrimaryRegion string    `json:",omitempty"`
	Replicas      []replica `json:",omitempty"`
	// SeedSum is the checksum of the seed entry that wrote this secret last.
	SeedSum string `json:",omitempty"`
}

type version struct {
	ID       string
	String   *string  `json:",omitempty"`
	Binary   []byte   `json:",omitempty"`
	Stages   []string `json:",omitempty"`
	Created  epoch    `json:",omitzero"`
	Accessed epoch    `json:",omitzero"`
	KMSKeyID string   `json:",omitempty"`
	// Seq orders versions created within one millisecond.
	Seq int64
}

// empty is true of the version that a rotation stages before its function has
// stored a value.
func (v *version) empty() bool { return v.String == nil && v.Binary == nil }

func (v *version) size() int {
	if v.String != nil {
		return len(*v.String)
	}
	return len(v.Binary)
}

func (v *version) holds(val value) bool {
	if val.text != nil {
		return v.String != nil && *v.String == *val.text
	}
	return v.Binary != nil && slices.Equal(v.Binary, val.binary)
}

// value is what a secret holds: one of text and binary.
type value struct {
	text   *string
	binary []byte
}

func (sec *secret) isReplica() bool {
	return sec.PrimaryRegion != "" && sec.PrimaryRegion != sec.Region
}

func (sec *secret) staged(stage string) *version {
	for _, v := range sec.Versions {
		if slices.Contains(v.Stages, stage) {
			return v
		}
	}
	return nil
}

func (sec *secret) clone() *secret {
	c := *sec
	c.Tags = slices.Clone(sec.Tags)
	c.Replicas = slices.Clone(sec.Replicas)
	c.Versions = make(map[string]*version, len(sec.Versions))
	for id, v := range sec.Versions {
		w := *v
		w.Stages = slices.Clone(v.Stages)
		c.Versions[id] = &w
	}
	return &c
}

// byAge returns the versions, oldest first.
func (sec *secret) byAge() []*version {
	return slices.SortedFunc(maps.Values(sec.Versions), func(a, b *version) int {
		if c := a.Created.Compare(b.Created.Time); c != 0 {
			return c
		}
		return int(a.Seq - b.Seq)
	})
}

func (sec *secret) stages() map[string][]string {
	m := map[string][]string{}
	for id, v := range sec.Versions {
		if len(v.Stages) > 0 {
			m[id] = v.Stages
		}
	}
	return m
}

func (sec *secret) key() string { return sec.Account + "/" + sec.Region + "/" + sec.Name }

// find looks a secret up by name, complete ARN or partial ARN (without the
// hyphen and six characters that the service appends). An ARN that ends in a
// hyphen and six letters or digits is taken for complete, which is why AWS warns
// against such names:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
func (s *Service) find(r *request, id string) (*secret, error) {
	notFound := fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	if !strings.HasPrefix(id, "arn:") {
		if err := checkName(id); err != nil {
			return nil, err
		}
		if sec := s.places[r.place][id]; sec != nil {
			return sec, nil
		}
		return nil, notFound
	}
	parts := strings.SplitN(id, ":", 7)
	if len(parts) != 7 || parts[2] != "secretsmanager" || parts[5] != "secret" || parts[6] == "" {
		return nil, fail("ValidationException", "Invalid ARN.")
	}
	if parts[1] != partition(r.region) || parts[3] != r.region {
		return nil, notFound
	}
	there := s.places[place{parts[4], r.region}]
	name := parts[6]
	if arnSuffix.MatchString(name) {
		name = name[:len(name)-7]
	}
	sec := there[name]
	if sec == nil || name != parts[6] && sec.ARN != id {
		return nil, notFound
	}
	if sec.Account != r.account && !sec.allows(r) {
		return nil, fail("AccessDeniedException",
			"User: %s is not authorized to perform: secretsmanager:%s on resource: %s because no resource-based policy allows the secretsmanager:%s action",
			r.principal, r.operation, id, r.operation)
	}
	return sec, nil
}

// change finds a secret that may be changed: a primary not marked for deletion.
// It returns a clone to change and commit.
func (s *Service) change(r *request, id string) (*secret, error) {
	sec, err := s.find(r, id)
	if err != nil {
		return nil, err
	}
	if !sec.Deletion.IsZero() {
		return nil, errMarked()
	}
	if sec.isReplica() {
		return nil, errReplica()
	}
	return sec.clone(), nil
}

func errMarked() error {
	return fail("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
}

func errReplica() error {
	return fail("InvalidRequestException", "Operation not permitted on a replica secret. Call must be made in primary secret's region.")
}

// maxName is the longest name of a secret:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
const maxName = 512

func checkName(name string) error {
	if len(name) > maxName || !namePattern.MatchString(name) {
		return fail("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	return nil
}

// commit saves the record and then shows it to everybody; replicas follow. On a
// failed save nothing has changed and the answer is a 500.
func (s *Service) commit(next *secret) error {
	if err := s.store(next); err != nil {
		return err
	}
	return s.replicate(next)
}

func (s *Service) store(next *secret) error {
	if err := s.disk.Save(next.key(), next); err != nil {
		return errStorage(err)
	}
	s.show(next)
	return nil
}

func (s *Service) show(sec *secret) {
	p := place{sec.Account, sec.Region}
	if s.places[p] == nil {
		s.places[p] = map[string]*secret{}
	}
	s.places[p][sec.Name] = sec
	s.listed = listing{}
	s.expect(sec)
}

func (s *Service) remove(sec *secret) error {
	if err := s.disk.Delete(sec.key()); err != nil {
		return errStorage(err)
	}
	delete(s.places[place{sec.Account, sec.Region}], sec.Name)
	s.listed = listing{}
	if r := s.rotations[sec.ARN]; r != nil {
		r.cancel()
	}
	return nil
}

func errStorage(err error) error {
	return &service.Error{Status: 500, Code: "InternalServiceError", Message: "An error occurred on the server side: " + err.Error()}
}

// restore is given each record of the directory by Open.
func (s *Service) restore(key string, data []byte) error {
	var sec secret
	if err := json.Unmarshal(data, &sec); err != nil {
		return fmt.Errorf("its record is not a secret")
	}
	if sec.Name == "" || sec.ARN == "" || sec.key() != key {
		return fmt.Errorf("its record is not the secret that its key names")
	}
	for id, v := range sec.Versions {
		if v == nil || v.ID != id {
			return fmt.Errorf("its record has a version without an id")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show(&sec)
	return nil
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// newARN appends six random characters, so that a new secret of an old name is
// not reached by the old secret's ARN.
func newARN(p place, name string) string {
	return fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s-%s", partition(p.region), p.region, p.account, name, randomText(alphanumeric, 6))
}

func randomText(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[randomIndex(len(alphabet))]
	}
	return string(b)
}

// randomIndex is uniform in [0, n). crypto/rand does not fail since Go 1.24.
func randomIndex(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic("secretsmanager: the system has no randomness: " + err.Error())
	}
	return int(i.Int64())
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
