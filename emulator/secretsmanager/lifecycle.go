package secretsmanager

import (
	"slices"
	"strings"
	"time"
)

type secretIDInput struct {
	SecretId string `aws:"required,len=1:2048"`
}

func (s *Service) describeSecret(r *request, in *secretIDInput) (any, error) {
	sec, err := s.find(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	d := sec.describe()
	d.VersionIdsToStages = sec.stages()
	d.ReplicationStatus = s.replicationStatus(sec)
	return d, nil
}

type deleteInput struct {
	SecretId                   string `aws:"required,len=1:2048"`
	RecoveryWindowInDays       *int64
	ForceDeleteWithoutRecovery bool
}

type deleteOutput struct {
	ARN, Name    string
	DeletionDate epoch
}

func (s *Service) deleteSecret(r *request, in *deleteInput) (any, error) {
	days := int64(30)
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
		if in.ForceDeleteWithoutRecovery {
			return nil, fail("InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
		}
		if days < 7 || days > 30 {
			return nil, fail("InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
		}
	}
	sec, err := s.find(r, in.SecretId)
	if err != nil {
		if code, _ := errorParts(err); in.ForceDeleteWithoutRecovery && code == "ResourceNotFoundException" {
			return forcedNothing(r, in.SecretId), nil
		}
		return nil, err
	}
	if sec.isReplica() {
		return nil, errReplica()
	}
	if len(sec.Replicas) > 0 {
		return nil, fail("InvalidParameterException", "You can't delete secret %s that still has replica regions [%s]", sec.Name, strings.Join(sec.regions(), ","))
	}
	if in.ForceDeleteWithoutRecovery {
		return deleteOutput{sec.ARN, sec.Name, epoch{r.now}}, s.remove(sec)
	}
	if !sec.Deletion.IsZero() {
		return nil, errMarked()
	}
	next := sec.clone()
	next.Deletion = epoch{r.now.Add(time.Duration(days) * 24 * time.Hour)}
	next.Changed = epoch{r.now}
	return deleteOutput{next.ARN, next.Name, next.Deletion}, s.commit(next)
}

// forcedNothing is the success that AWS documents for forcing away a secret that
// is not there.
func forcedNothing(r *request, id string) deleteOutput {
	out := deleteOutput{ARN: id, Name: id, DeletionDate: epoch{r.now}}
	if strings.HasPrefix(id, "arn:") {
		out.Name = arnSuffix.ReplaceAllString(id[strings.LastIndex(id, ":")+1:], "")
	} else {
		out.ARN = newARN(r.place, id)
	}
	return out
}

func (s *Service) restoreSecret(r *request, in *secretIDInput) (any, error) {
	sec, err := s.find(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if sec.isReplica() {
		return nil, errReplica()
	}
	next := sec.clone()
	next.Deletion = epoch{}
	if !sec.Deletion.IsZero() {
		next.Changed = epoch{r.now}
	}
	return writeOutput{ARN: sec.ARN, Name: sec.Name}, s.commit(next)
}

type tagInput struct {
	SecretId string `aws:"required,len=1:2048"`
	Tags     []tag  `aws:"required"`
}

func (s *Service) tagResource(r *request, in *tagInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		i := slices.IndexFunc(sec.Tags, func(have tag) bool { return have.Key == t.Key })
		if i < 0 {
			sec.Tags = append(sec.Tags, t)
			continue
		}
		sec.Tags[i] = t
	}
	if len(sec.Tags) > 50 {
		return nil, fail("LimitExceededException", "A secret can have at most 50 tags.")
	}
	sec.Changed = epoch{r.now}
	return struct{}{}, s.commit(sec)
}

type untagInput struct {
	SecretId string   `aws:"required,len=1:2048"`
	TagKeys  []string `aws:"required" item:"len=1:128"`
}

func (s *Service) untagResource(r *request, in *untagInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	sec.Tags = slices.DeleteFunc(sec.Tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	sec.Changed = epoch{r.now}
	return struct{}{}, s.commit(sec)
}

func checkTags(tags []tag) error {
	seen := map[string]bool{}
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return fail("InvalidParameterException", "Tag keys can't start with aws:.")
		}
		if seen[t.Key] {
			return fail("InvalidParameterException", "Tag keys must be unique; %s is given twice.", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}
