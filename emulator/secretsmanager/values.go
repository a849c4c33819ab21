package secretsmanager

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

type createSecretInput struct {
	Name                        string        `aws:"required,len=1:512"`
	ClientRequestToken          string        `aws:"len=32:64"`
	Description                 string        `aws:"len=0:2048"`
	KmsKeyId                    string        `aws:"len=0:2048"`
	SecretBinary                []byte        `aws:"bytes=1:65536,sensitive"`
	SecretString                *string       `aws:"bytes=1:65536,sensitive"`
	Tags                        []tag         `aws:"len=0:50"`
	AddReplicaRegions           []replicaSpec `aws:"len=1:100"`
	ForceOverwriteReplicaSecret bool
	Type                        string `aws:"len=0:256"`
}

type writeOutput struct {
	ARN, Name         string
	VersionId         string          `json:",omitempty"`
	VersionStages     []string        `json:",omitempty"`
	ReplicationStatus []replicaStatus `json:",omitempty"`
}

func (s *Service) createSecret(r *request, in *createSecretInput) (any, error) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	val, given, err := oneValue(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if old := s.places[r.place][in.Name]; old != nil {
		return repeatedCreate(old, in.ClientRequestToken, val, given)
	}
	sec := &secret{
		ARN: newARN(r.place, in.Name), Name: in.Name, Account: r.account, Region: r.region,
		Description: in.Description, KMSKeyID: customKey(in.KmsKeyId), Type: in.Type, Tags: in.Tags,
		Versions: map[string]*version{}, Created: epoch{r.now}, Changed: epoch{r.now},
	}
	out := writeOutput{ARN: sec.ARN, Name: sec.Name}
	if given {
		v := sec.add(token(in.ClientRequestToken), val, r.now)
		sec.attach(v, current)
		out.VersionId = v.ID
	}
	if err := s.checkRegions(sec, in.AddReplicaRegions); err != nil {
		return nil, err
	}
	s.addReplicas(sec, in.AddReplicaRegions, in.ForceOverwriteReplicaSecret, r.now)
	if err := s.commit(sec); err != nil {
		return nil, err
	}
	out.ReplicationStatus = s.replicationStatus(sec)
	return out, nil
}

// repeatedCreate answers for a name that is taken: the same token with the same
// value is the retry of a request whose answer was lost.
func repeatedCreate(old *secret, clientToken string, val value, given bool) (any, error) {
	if !old.Deletion.IsZero() {
		return nil, fail("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	v := old.Versions[clientToken]
	if v == nil || !given {
		return nil, fail("ResourceExistsException", "The operation failed because the secret %s already exists.", old.Name)
	}
	if !v.holds(val) {
		return nil, errTokenUsed(clientToken, old)
	}
	return writeOutput{ARN: old.ARN, Name: old.Name, VersionId: v.ID}, nil
}

type putSecretValueInput struct {
	SecretId           string   `aws:"required,len=1:2048"`
	ClientRequestToken string   `aws:"len=32:64"`
	SecretBinary       []byte   `aws:"bytes=1:65536,sensitive"`
	SecretString       *string  `aws:"bytes=1:65536,sensitive"`
	VersionStages      []string `aws:"len=1:20" item:"len=1:256"`
	RotationToken      string   `aws:"len=36:256,sensitive" pattern:"^[a-zA-Z0-9-]+$"`
}

func (s *Service) putSecretValue(r *request, in *putSecretValueInput) (any, error) {
	val, given, err := oneValue(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	if !given {
		return nil, fail("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	}
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := s.checkRotationToken(sec, in.RotationToken); err != nil {
		return nil, err
	}
	v, done, err := s.write(sec, token(in.ClientRequestToken), val, r.now)
	if err != nil {
		return nil, err
	}
	if !done {
		stages := slices.Compact(slices.Sorted(slices.Values(in.VersionStages)))
		if len(stages) == 0 || sec.staged(current) == nil && !slices.Contains(stages, current) {
			stages = append(stages, current)
		}
		for _, stage := range stages {
			sec.attach(v, stage)
		}
		s.updatedByHand(sec, v, r.now)
		sec.Changed = epoch{r.now}
		if err := s.commit(sec); err != nil {
			return nil, err
		}
	}
	return writeOutput{ARN: sec.ARN, Name: sec.Name, VersionId: v.ID, VersionStages: v.Stages}, nil
}

type updateSecretInput struct {
	SecretId           string  `aws:"required,len=1:2048"`
	ClientRequestToken string  `aws:"len=32:64"`
	Description        *string `aws:"len=0:2048"`
	KmsKeyId           *string `aws:"len=0:2048"`
	SecretBinary       []byte  `aws:"bytes=1:65536,sensitive"`
	SecretString       *string `aws:"bytes=1:65536,sensitive"`
	Type               *string `aws:"len=0:256"`
}

func (s *Service) updateSecret(r *request, in *updateSecretInput) (any, error) {
	val, given, err := oneValue(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.Description != nil {
		sec.Description = *in.Description
	}
	if in.KmsKeyId != nil {
		// The service re-encrypts the labelled versions under the new key.
		sec.KMSKeyID, sec.KeyDisabled = customKey(*in.KmsKeyId), false
		for _, v := range sec.Versions {
			if len(v.Stages) > 0 {
				v.KMSKeyID = sec.KMSKeyID
			}
		}
	}
	if in.Type != nil {
		sec.Type = *in.Type
	}
	out := writeOutput{ARN: sec.ARN, Name: sec.Name}
	if given {
		v, done, err := s.write(sec, token(in.ClientRequestToken), val, r.now)
		if err != nil {
			return nil, err
		}
		if !done {
			sec.attach(v, current)
			s.updatedByHand(sec, v, r.now)
		}
		out.VersionId = v.ID
	}
	sec.Changed = epoch{r.now}
	return out, s.commit(sec)
}

// write stores a value under a version id. done says that the version was there
// with the same value: the request is a repetition and changes nothing.
func (s *Service) write(sec *secret, id string, val value, now time.Time) (v *version, done bool, err error) {
	if v := sec.Versions[id]; v != nil && !v.empty() {
		if !v.holds(val) {
			return nil, false, errTokenUsed(id, sec)
		}
		return v, true, nil
	} else if v != nil {
		v.String, v.Binary = val.text, val.binary
		return v, false, nil
	}
	sec.prune(s.cfg.MaxVersions, now.Add(-24*time.Hour))
	if s.cfg.MaxVersions > 0 && len(sec.Versions) >= s.cfg.MaxVersions {
		return nil, false, fail("LimitExceededException", "The secret %s has reached the quota of %d versions. Versions without staging labels are removed when they are 24 hours old.", sec.Name, s.cfg.MaxVersions)
	}
	return sec.add(id, val, now), false, nil
}

// updatedByHand counts a new current value as a rotation where the schedule is
// AutomaticallyAfterDays, as AWS does.
func (s *Service) updatedByHand(sec *secret, v *version, now time.Time) {
	st := &sec.Rotation
	if st.Enabled && st.Rules != nil && st.Rules.AutomaticallyAfterDays != nil &&
		slices.Contains(v.Stages, current) && s.rotations[sec.ARN] == nil {
		st.reschedule(now)
	}
}

func errTokenUsed(id string, sec *secret) error {
	return fail("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", id, sec.ARN)
}

func token(clientToken string) string {
	if clientToken == "" {
		return newUUID()
	}
	return clientToken
}

func oneValue(text *string, binary []byte) (val value, given bool, err error) {
	if text != nil && binary != nil {
		return value{}, false, fail("InvalidParameterException", "You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	return value{text, binary}, text != nil || binary != nil, nil
}

// customKey drops the name of the service's own key, which answers omit.
func customKey(id string) string {
	if id == "alias/aws/secretsmanager" || strings.HasSuffix(id, ":alias/aws/secretsmanager") {
		return ""
	}
	return id
}

type getSecretValueInput struct {
	SecretId     string  `aws:"required,len=1:2048"`
	VersionId    *string `aws:"len=32:64"`
	VersionStage *string `aws:"len=1:256"`
}

type secretValue struct {
	ARN, Name, VersionId string
	SecretString         *string  `json:",omitempty"`
	SecretBinary         []byte   `json:",omitempty"`
	VersionStages        []string `json:",omitempty"`
	CreatedDate          epoch
}

func (s *Service) getSecretValue(r *request, in *getSecretValueInput) (any, error) {
	sec, err := s.find(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	v, err := s.read(r, sec, in.VersionId, in.VersionStage)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (s *Service) read(r *request, sec *secret, id, stage *string) (*secretValue, error) {
	if f := s.faults[sec.Name]; f != nil {
		e := *f
		return nil, &e
	}
	if !sec.Deletion.IsZero() {
		return nil, errMarked()
	}
	v, err := sec.choose(id, stage)
	if err != nil {
		return nil, err
	}
	if sec.KeyDisabled {
		return nil, fail("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key.")
	}
	s.touch(sec, v.ID, r.now)
	return &secretValue{
		ARN: sec.ARN, Name: sec.Name, VersionId: v.ID, SecretString: v.String, SecretBinary: v.Binary,
		VersionStages: v.Stages, CreatedDate: v.Created,
	}, nil
}

// choose finds the version by id, by label, by both, or AWSCURRENT.
func (sec *secret) choose(id, stage *string) (*version, error) {
	if id != nil {
		v := sec.Versions[*id]
		if v == nil || v.empty() {
			return nil, errNoValue("VersionId: " + *id)
		}
		if stage != nil && !slices.Contains(v.Stages, *stage) {
			return nil, fail("InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
		}
		return v, nil
	}
	label := current
	if stage != nil {
		label = *stage
	}
	v := sec.staged(label)
	if v == nil || v.empty() {
		return nil, errNoValue("staging label: " + label)
	}
	return v, nil
}

func errNoValue(what string) error {
	return fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for %s", what)
}

// touch notes the day of the access; the service keeps no finer time, and so at
// most one read a day writes to the disk. A read does not fail because its date
// cannot be saved.
func (s *Service) touch(sec *secret, id string, now time.Time) {
	day := epoch{now.UTC().Truncate(24 * time.Hour)}
	if sec.Accessed.Equal(day.Time) && sec.Versions[id].Accessed.Equal(day.Time) {
		return
	}
	next := sec.clone()
	next.Accessed, next.Versions[id].Accessed = day, day
	_ = s.disk.Save(next.key(), next)
	s.show(next)
}

type batchInput struct {
	SecretIdList []string `aws:"len=1:20" item:"len=1:2048"`
	Filters      []filter `aws:"len=0:10"`
	MaxResults   *int64   `aws:"range=1:20"`
	NextToken    *string  `aws:"len=1:4096"`
}

type batchOutput struct {
	SecretValues []*secretValue
	Errors       []batchError
	NextToken    string `json:",omitempty"`
}

type batchError struct{ SecretId, ErrorCode, Message string }

func (s *Service) batchGetSecretValue(r *request, in *batchInput) (any, error) {
	ids := in.SecretIdList
	switch {
	case len(ids) > 0 && len(in.Filters) > 0:
		return nil, fail("InvalidParameterException", "Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	case len(ids) == 0 && len(in.Filters) == 0:
		return nil, fail("InvalidParameterException", "Either 'SecretIdList' or 'Filters' must be provided.")
	case in.MaxResults != nil && len(in.Filters) == 0:
		return nil, fail("InvalidParameterException", "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.")
	}
	scope := "batch\x00" + strings.Join(ids, "\x00")
	if len(in.Filters) > 0 {
		scope = "batch filters" + filterText(in.Filters)
		for _, sec := range s.list(r.place, scope, func() []*secret { return s.matching(r, in.Filters, false) }) {
			ids = append(ids, sec.ARN)
		}
	}
	start, err := pageStart(in.NextToken, scope, len(ids))
	if err != nil {
		return nil, err
	}
	most := int64(20)
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	out := batchOutput{SecretValues: []*secretValue{}, Errors: []batchError{}}
	next := s.fillBatch(r, &out, ids[start:min(len(ids), start+int(most))]) + start
	if next < len(ids) {
		out.NextToken = pageToken(scope, next)
	}
	return out, nil
}

// fillBatch reads ids until the answer is full, and returns how many it took.
func (s *Service) fillBatch(r *request, out *batchOutput, ids []string) int {
	size := 0
	one := *r
	one.operation = "GetSecretValue"
	for i, id := range ids {
		v, err := s.batchItem(&one, id)
		if err != nil {
			code, msg := errorParts(err)
			out.Errors = append(out.Errors, batchError{id, code, msg})
			continue
		}
		n := base64.StdEncoding.EncodedLen(len(v.SecretBinary))
		if v.SecretString != nil {
			n = len(*v.SecretString)
		}
		if s.cfg.BatchBytes > 0 && len(out.SecretValues) > 0 && size+n > s.cfg.BatchBytes {
			return i
		}
		size += n
		out.SecretValues = append(out.SecretValues, v)
	}
	return len(ids)
}

// batchItem is authorised by itself: the batch was for its operation alone.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
func (s *Service) batchItem(r *request, id string) (*secretValue, error) {
	if r.authorize != nil {
		if denied := r.authorize("secretsmanager:GetSecretValue", id); denied != nil {
			return nil, denied
		}
	}
	sec, err := s.find(r, id)
	if err != nil {
		return nil, err
	}
	return s.read(r, sec, nil, nil)
}

// validText keeps text out that JSON would change on its way to the client.
func validText(s string) bool { return utf8.ValidString(s) }
