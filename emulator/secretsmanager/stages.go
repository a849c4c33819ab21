package secretsmanager

import (
	"errors"
	"slices"
	"time"

	"github.com/gomiddy/middy/emulator/service"
)

// add creates a version without labels.
func (sec *secret) add(id string, val value, now time.Time) *version {
	seq := int64(0)
	for _, v := range sec.Versions {
		seq = max(seq, v.Seq+1)
	}
	v := &version{ID: id, String: val.text, Binary: val.binary, Created: epoch{now}, KMSKeyID: sec.KMSKeyID, Seq: seq}
	sec.Versions[id] = v
	return v
}

// attach moves a label to v. Moving AWSCURRENT moves AWSPREVIOUS to the version
// that loses it.
func (sec *secret) attach(v *version, stage string) {
	old := sec.staged(stage)
	if old == v {
		return
	}
	if old != nil {
		old.detach(stage)
	}
	v.Stages = append(v.Stages, stage)
	if stage != current || old == nil {
		return
	}
	if p := sec.staged(previous); p != nil {
		p.detach(previous)
	}
	old.Stages = append(old.Stages, previous)
}

func (v *version) detach(stage string) {
	v.Stages = slices.DeleteFunc(v.Stages, func(s string) bool { return s == stage })
}

// prune removes versions without labels, oldest first, while there are most or
// more, sparing those created after keep. A negative most prunes nothing.
func (sec *secret) prune(most int, keep time.Time) {
	if most < 0 {
		return
	}
	for _, v := range sec.byAge() {
		if len(sec.Versions) < most {
			return
		}
		if len(v.Stages) == 0 && v.Created.Before(keep) {
			delete(sec.Versions, v.ID)
		}
	}
}

type updateStageInput struct {
	SecretId            string `aws:"required,len=1:2048"`
	VersionStage        string `aws:"required,len=1:256"`
	RemoveFromVersionId string `aws:"len=32:64"`
	MoveToVersionId     string `aws:"len=32:64"`
}

func (s *Service) updateSecretVersionStage(r *request, in *updateStageInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := sec.checkMove(in); err != nil {
		return nil, err
	}
	if in.MoveToVersionId != "" {
		to := sec.Versions[in.MoveToVersionId]
		if len(to.Stages) >= 20 && !slices.Contains(to.Stages, in.VersionStage) {
			return nil, fail("LimitExceededException", "A version can have at most 20 staging labels.")
		}
		sec.attach(to, in.VersionStage)
	} else {
		sec.Versions[in.RemoveFromVersionId].detach(in.VersionStage)
	}
	sec.Changed = epoch{r.now}
	return writeOutput{ARN: sec.ARN, Name: sec.Name}, s.commit(sec)
}

// checkMove refuses a move that the caller does not describe as it would happen:
// the label's present holder must be named, so that two rotations cannot overtake
// each other unseen.
func (sec *secret) checkMove(in *updateStageInput) error {
	for _, id := range []string{in.MoveToVersionId, in.RemoveFromVersionId} {
		if id != "" && sec.Versions[id] == nil {
			return fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", id)
		}
	}
	holder := sec.staged(in.VersionStage)
	switch {
	case in.MoveToVersionId == "" && in.RemoveFromVersionId == "":
		return fail("InvalidParameterException", "You must specify MoveToVersionId, RemoveFromVersionId, or both.")
	case in.MoveToVersionId == "" && in.VersionStage == current:
		return fail("InvalidParameterException", "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	case in.RemoveFromVersionId != "" && (holder == nil || holder.ID != in.RemoveFromVersionId):
		return fail("InvalidParameterException", "The parameter RemoveFromVersionId is not valid. Staging label %s is not currently attached to version %s.", in.VersionStage, in.RemoveFromVersionId)
	case in.RemoveFromVersionId == "" && holder != nil && holder.ID != in.MoveToVersionId:
		return fail("InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", in.VersionStage, holder.ID)
	case in.MoveToVersionId != "" && in.VersionStage == current && sec.Versions[in.MoveToVersionId].empty():
		return fail("InvalidRequestException", "You can't move staging label AWSCURRENT to version %s because it has no secret value.", in.MoveToVersionId)
	}
	return nil
}

type listVersionsInput struct {
	SecretId          string  `aws:"required,len=1:2048"`
	MaxResults        *int64  `aws:"range=1:100"`
	NextToken         *string `aws:"len=1:4096"`
	IncludeDeprecated bool
}

type listVersionsOutput struct {
	ARN, Name string
	Versions  []versionEntry
	NextToken string `json:",omitempty"`
}

type versionEntry struct {
	VersionId        string
	VersionStages    []string `json:",omitempty"`
	CreatedDate      epoch
	LastAccessedDate epoch    `json:",omitzero"`
	KmsKeyIds        []string `json:",omitempty"`
}

func (s *Service) listSecretVersionIDs(r *request, in *listVersionsInput) (any, error) {
	sec, err := s.find(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	var all []versionEntry
	for _, v := range slices.Backward(sec.byAge()) {
		if len(v.Stages) == 0 && !in.IncludeDeprecated {
			continue
		}
		e := versionEntry{VersionId: v.ID, VersionStages: v.Stages, CreatedDate: v.Created, LastAccessedDate: v.Accessed, KmsKeyIds: []string{"DefaultEncryptionKey"}}
		if v.KMSKeyID != "" {
			e.KmsKeyIds = []string{v.KMSKeyID}
		}
		all = append(all, e)
	}
	out := listVersionsOutput{ARN: sec.ARN, Name: sec.Name}
	out.Versions, out.NextToken, err = page(all, in.NextToken, "versions "+sec.ARN, in.MaxResults)
	return out, err
}

func errorParts(err error) (code, message string) {
	var e *service.Error
	if errors.As(err, &e) {
		return e.Code, e.Message
	}
	return "InternalServiceError", err.Error()
}
