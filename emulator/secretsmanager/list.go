package secretsmanager

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

type filter struct {
	Key    string   `aws:"required" enum:"description|name|tag-key|tag-value|primary-region|owning-service|all"`
	Values []string `aws:"required,len=1:10" item:"len=0:512" itempattern:"^!?[a-zA-Z0-9 :_@/+=.!-]*$"`
}

type listInput struct {
	IncludePlannedDeletion bool
	MaxResults             *int64   `aws:"range=1:100"`
	NextToken              *string  `aws:"len=1:4096"`
	Filters                []filter `aws:"len=0:10"`
	SortOrder              string   `enum:"asc|desc"`
	SortBy                 string   `enum:"created-date|last-accessed-date|last-changed-date|name"`
}

type listOutput struct {
	SecretList []description
	NextToken  string `json:",omitempty"`
}

// description is the answer of DescribeSecret and an entry of ListSecrets, which
// name the map of stages differently.
type description struct {
	ARN, Name              string
	Type                   string              `json:",omitempty"`
	Description            string              `json:",omitempty"`
	KmsKeyId               string              `json:",omitempty"`
	RotationEnabled        *bool               `json:",omitempty"`
	RotationLambdaARN      string              `json:",omitempty"`
	RotationRules          *rotationRules      `json:",omitempty"`
	LastRotatedDate        epoch               `json:",omitzero"`
	NextRotationDate       epoch               `json:",omitzero"`
	LastChangedDate        epoch               `json:",omitzero"`
	LastAccessedDate       epoch               `json:",omitzero"`
	DeletedDate            epoch               `json:",omitzero"`
	CreatedDate            epoch               `json:",omitzero"`
	Tags                   []tag               `json:",omitempty"`
	VersionIdsToStages     map[string][]string `json:",omitempty"`
	SecretVersionsToStages map[string][]string `json:",omitempty"`
	OwningService          string              `json:",omitempty"`
	PrimaryRegion          string              `json:",omitempty"`
	ReplicationStatus      []replicaStatus     `json:",omitempty"`
}

func (sec *secret) describe() description {
	d := description{
		ARN: sec.ARN, Name: sec.Name, Type: sec.Type, Description: sec.Description, KmsKeyId: sec.KMSKeyID,
		LastChangedDate: sec.Changed, LastAccessedDate: sec.Accessed, DeletedDate: sec.Deletion, CreatedDate: sec.Created,
		Tags: sec.Tags, OwningService: sec.owner(), PrimaryRegion: sec.PrimaryRegion,
	}
	if st := sec.Rotation; st.Configured {
		d.RotationEnabled, d.RotationLambdaARN, d.RotationRules = &st.Enabled, st.LambdaARN, st.Rules
		if st.Enabled { // the dates are null while rotation is turned off
			d.LastRotatedDate, d.NextRotationDate = st.Last, st.Next
		}
	}
	return d
}

// owner is the service that manages the secret: "rds" for "rds!db-…".
func (sec *secret) owner() string {
	owner, _, found := strings.Cut(sec.Name, "!")
	if !found {
		return ""
	}
	return owner
}

func (s *Service) listSecrets(r *request, in *listInput) (any, error) {
	scope := fmt.Sprintf("list %s %s %t%s", in.SortBy, in.SortOrder, in.IncludePlannedDeletion, filterText(in.Filters))
	all := s.list(r.place, scope, func() []*secret {
		all := s.matching(r, in.Filters, in.IncludePlannedDeletion)
		slices.SortStableFunc(all, in.order())
		if in.SortOrder == "desc" {
			slices.Reverse(all)
		}
		return all
	})
	picked, next, err := page(all, in.NextToken, scope, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := listOutput{SecretList: []description{}, NextToken: next}
	for _, sec := range picked {
		d := sec.describe()
		d.SecretVersionsToStages = sec.stages()
		out.SecretList = append(out.SecretList, d)
	}
	return out, nil
}

func (in *listInput) order() func(a, b *secret) int {
	switch in.SortBy {
	case "last-accessed-date":
		return func(a, b *secret) int { return a.Accessed.Compare(b.Accessed.Time) }
	case "last-changed-date":
		return func(a, b *secret) int { return a.Changed.Compare(b.Changed.Time) }
	case "name":
		return func(a, b *secret) int { return cmp.Compare(a.Name, b.Name) }
	}
	return func(a, b *secret) int { return a.Created.Compare(b.Created.Time) }
}

// A listing is the last list that was made, until a secret changes: its next page
// needs no second look at all of them.
type listing struct {
	place   place
	scope   string
	secrets []*secret
}

func (s *Service) list(p place, scope string, list func() []*secret) []*secret {
	if s.listed.place != p || s.listed.scope != scope {
		s.listed = listing{p, scope, list()}
	}
	return s.listed.secrets
}

// matching returns the secrets of the caller's place that pass every filter, by
// name.
func (s *Service) matching(r *request, filters []filter, deleted bool) []*secret {
	var out []*secret
	names := s.places[r.place]
	for _, name := range slices.Sorted(maps.Keys(names)) {
		sec := names[name]
		if !sec.Deletion.IsZero() && !deleted {
			continue
		}
		if !slices.ContainsFunc(filters, func(f filter) bool { return !f.matches(sec) }) {
			out = append(out, sec)
		}
	}
	return out
}

// matches is true when one of the values matches; a value with an exclamation
// mark in front must not match.
func (f filter) matches(sec *secret) bool {
	positive, hit := false, false
	for _, v := range f.Values {
		if rest, not := strings.CutPrefix(v, "!"); not {
			if f.matchesValue(sec, rest) {
				return false
			}
			continue
		}
		positive = true
		hit = hit || f.matchesValue(sec, v)
	}
	return hit || !positive
}

func (f filter) matchesValue(sec *secret, v string) bool {
	fold := strings.ToLower
	switch f.Key {
	case "description":
		return strings.HasPrefix(fold(sec.Description), fold(v))
	case "name":
		return strings.HasPrefix(sec.Name, v)
	case "tag-key":
		return slices.ContainsFunc(sec.Tags, func(t tag) bool { return strings.HasPrefix(t.Key, v) })
	case "tag-value":
		return slices.ContainsFunc(sec.Tags, func(t tag) bool { return strings.HasPrefix(t.Value, v) })
	case "primary-region":
		return sec.PrimaryRegion != "" && strings.HasPrefix(sec.PrimaryRegion, v)
	case "owning-service":
		return sec.owner() != "" && strings.HasPrefix(sec.owner(), v)
	}
	return sec.mentions(strings.Fields(fold(v)))
}

// mentions is the filter "all": every word occurs in some attribute.
func (sec *secret) mentions(words []string) bool {
	texts := []string{sec.Name, sec.Description, sec.PrimaryRegion, sec.owner()}
	for _, t := range sec.Tags {
		texts = append(texts, t.Key, t.Value)
	}
	for _, w := range words {
		if !slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(strings.ToLower(t), w) }) {
			return false
		}
	}
	return true
}

func filterText(filters []filter) string {
	var b strings.Builder
	for _, f := range filters {
		fmt.Fprintf(&b, " %q %q", f.Key, f.Values)
	}
	return b.String()
}

// page cuts one page out of all. A token is bound to the request it continues.
func page[T any](all []T, nextToken *string, scope string, maxResults *int64) (items []T, next string, err error) {
	start, err := pageStart(nextToken, scope, len(all))
	if err != nil {
		return nil, "", err
	}
	most := 100
	if maxResults != nil {
		most = int(*maxResults)
	}
	end := min(len(all), start+most)
	if end < len(all) {
		next = pageToken(scope, end)
	}
	return all[start:end], next, nil
}

func pageToken(scope string, next int) string {
	sum := sha256.Sum256([]byte(scope))
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:8]) + strconv.Itoa(next)))
}

func pageStart(nextToken *string, scope string, most int) (int, error) {
	if nextToken == nil {
		return 0, nil
	}
	bad := fail("InvalidNextTokenException", "The NextToken value is invalid.")
	raw, err := base64.StdEncoding.DecodeString(*nextToken)
	if err != nil || len(raw) < 17 {
		return 0, bad
	}
	n, err := strconv.Atoi(string(raw[16:]))
	if err != nil || n < 0 || pageToken(scope, n) != *nextToken {
		return 0, bad
	}
	return min(n, most), nil // secrets may have been deleted since
}
