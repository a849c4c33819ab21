package secretsmanager

import (
	"maps"
	"slices"
	"strings"
	"time"
)

type replicaSpec struct {
	Region   string `aws:"required,len=1:128" pattern:"^([a-z]+-)+\\d+$"`
	KmsKeyId string `aws:"len=0:2048"`
}

// replica is what a primary knows of one of its replicas.
type replica struct {
	Region   string
	KMSKeyID string `json:",omitempty"`
	// Failed says why the replica does not exist; empty when it does.
	Failed string `json:",omitempty"`
	// force lets the replica take the place of a secret of the same name.
	force bool
}

type replicaStatus struct {
	Region           string
	KmsKeyId         string
	Status           string
	StatusMessage    string `json:",omitempty"`
	LastAccessedDate epoch  `json:",omitzero"`
}

func (sec *secret) regions() []string {
	var out []string
	for _, rep := range sec.Replicas {
		out = append(out, rep.Region)
	}
	return out
}

func (s *Service) replicationStatus(sec *secret) []replicaStatus {
	var out []replicaStatus
	for _, rep := range sec.Replicas {
		st := replicaStatus{Region: rep.Region, KmsKeyId: rep.KMSKeyID, Status: "InSync"}
		if st.KmsKeyId == "" {
			st.KmsKeyId = "alias/aws/secretsmanager"
		}
		if there := s.places[place{sec.Account, rep.Region}][sec.Name]; there != nil && rep.Failed == "" {
			st.LastAccessedDate = there.Accessed
		}
		switch {
		case rep.Failed != "":
			st.Status, st.StatusMessage = "Failed", rep.Failed
		case s.held[sec.Name]:
			st.Status = "InProgress"
		}
		out = append(out, st)
	}
	return out
}

func (s *Service) checkRegions(sec *secret, specs []replicaSpec) error {
	seen := map[string]bool{sec.Region: true}
	for _, spec := range specs {
		if seen[spec.Region] {
			return fail("InvalidParameterException", "Invalid replica region.")
		}
		seen[spec.Region] = true
	}
	return nil
}

// addReplicas notes the replicas on sec; commit creates them.
func (s *Service) addReplicas(sec *secret, specs []replicaSpec, overwrite bool, now time.Time) {
	for _, spec := range specs {
		rep := replica{Region: spec.Region, KMSKeyID: customKey(spec.KmsKeyId)}
		there := s.places[place{sec.Account, spec.Region}][sec.Name]
		if there != nil && !there.replicaOf(sec) && !overwrite {
			rep.Failed = "Replication failed: Secret name " + sec.Name + " already exists in region " + spec.Region + "."
		}
		rep.force = overwrite
		sec.Replicas = slices.DeleteFunc(sec.Replicas, func(old replica) bool { return old.Region == spec.Region })
		sec.Replicas = append(sec.Replicas, rep)
		sec.PrimaryRegion = sec.Region
		sec.Changed = epoch{now}
	}
}

func (sec *secret) replicaOf(primary *secret) bool {
	return sec.isReplica() && sec.PrimaryRegion == primary.Region && sec.Account == primary.Account && sec.Name == primary.Name
}

// replicate copies a primary to its replicas. A replica keeps its own key and its
// own date of access, and its ARN differs in the region alone.
func (s *Service) replicate(primary *secret) error {
	if primary.isReplica() {
		return nil
	}
	for _, rep := range primary.Replicas {
		there := s.places[place{primary.Account, rep.Region}][primary.Name]
		if rep.Failed != "" || there != nil && (s.held[primary.Name] || !there.replicaOf(primary) && !rep.force) {
			continue
		}
		c := primary.clone()
		c.Region, c.KMSKeyID, c.Replicas, c.KeyDisabled, c.Accessed = rep.Region, rep.KMSKeyID, nil, false, epoch{}
		c.PrimaryRegion = primary.Region
		c.ARN = strings.Replace(primary.ARN,
			":"+partition(primary.Region)+":secretsmanager:"+primary.Region+":",
			":"+partition(rep.Region)+":secretsmanager:"+rep.Region+":", 1)
		if there != nil {
			c.KeyDisabled, c.Accessed = there.KeyDisabled, there.Accessed
		}
		if err := s.store(c); err != nil {
			return err
		}
	}
	return nil
}

// reconcile finishes replication that a kill interrupted.
func (s *Service) reconcile() error {
	for _, names := range s.places {
		for _, sec := range slices.Collect(maps.Values(names)) {
			if err := s.replicate(sec); err != nil {
				return err
			}
			if !sec.isReplica() {
				continue
			}
			primary := s.places[place{sec.Account, sec.PrimaryRegion}][sec.Name]
			if primary == nil || !slices.Contains(primary.regions(), sec.Region) {
				if err := s.remove(sec); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

type replicateInput struct {
	SecretId                    string        `aws:"required,len=1:2048"`
	AddReplicaRegions           []replicaSpec `aws:"required,len=1:100"`
	ForceOverwriteReplicaSecret bool
}

type replicateOutput struct {
	ARN               string
	ReplicationStatus []replicaStatus `json:",omitempty"`
}

func (s *Service) replicateSecretToRegions(r *request, in *replicateInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := s.checkRegions(sec, in.AddReplicaRegions); err != nil {
		return nil, err
	}
	s.addReplicas(sec, in.AddReplicaRegions, in.ForceOverwriteReplicaSecret, r.now)
	if err := s.commit(sec); err != nil {
		return nil, err
	}
	return replicateOutput{sec.ARN, s.replicationStatus(sec)}, nil
}

type removeRegionsInput struct {
	SecretId             string   `aws:"required,len=1:2048"`
	RemoveReplicaRegions []string `aws:"required,len=1:100" item:"len=1:128" itempattern:"^([a-z]+-)+\\d+$"`
}

func (s *Service) removeRegionsFromReplication(r *request, in *removeRegionsInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	sec.Replicas = slices.DeleteFunc(sec.Replicas, func(rep replica) bool { return slices.Contains(in.RemoveReplicaRegions, rep.Region) })
	if len(sec.Replicas) == 0 {
		sec.PrimaryRegion = ""
	}
	sec.Changed = epoch{r.now}
	if err := s.commit(sec); err != nil {
		return nil, err
	}
	primary := &secret{Name: sec.Name, Account: sec.Account, Region: sec.Region}
	for _, region := range in.RemoveReplicaRegions {
		if there := s.places[place{sec.Account, region}][sec.Name]; there != nil && there.replicaOf(primary) {
			if err := s.remove(there); err != nil {
				return nil, err
			}
		}
	}
	return replicateOutput{sec.ARN, s.replicationStatus(sec)}, nil
}

// stopReplicationToReplica promotes the replica in the call's region.
func (s *Service) stopReplicationToReplica(r *request, in *secretIDInput) (any, error) {
	sec, err := s.find(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if !sec.isReplica() {
		return nil, fail("InvalidRequestException", "Operation not permitted on a primary secret. Call must be made in the replica secret's region.")
	}
	alone := sec.clone()
	alone.PrimaryRegion, alone.Changed = "", epoch{r.now}
	if err := s.store(alone); err != nil {
		return nil, err
	}
	if primary := s.places[place{sec.Account, sec.PrimaryRegion}][sec.Name]; primary != nil {
		next := primary.clone()
		next.Replicas = slices.DeleteFunc(next.Replicas, func(rep replica) bool { return rep.Region == sec.Region })
		if len(next.Replicas) == 0 {
			next.PrimaryRegion = ""
		}
		if err := s.store(next); err != nil {
			return nil, err
		}
	}
	return replicateOutput{ARN: sec.ARN}, nil
}
