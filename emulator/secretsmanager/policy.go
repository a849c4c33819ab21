package secretsmanager

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

type putPolicyInput struct {
	SecretId          string `aws:"required,len=1:2048"`
	ResourcePolicy    string `aws:"required,len=1:20480"`
	BlockPublicPolicy bool
}

type policyOutput struct {
	ARN, Name      string
	ResourcePolicy string `json:",omitempty"`
}

func (s *Service) putResourcePolicy(r *request, in *putPolicyInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	p, reason := parsePolicy(in.ResourcePolicy)
	if reason != "" {
		return nil, fail("MalformedPolicyDocumentException", "%s", reason)
	}
	if in.BlockPublicPolicy && p.public() {
		return nil, fail("PublicPolicyException", "The resource policy grants public access to the secret. Name the principals, or add a condition.")
	}
	sec.Policy, sec.Changed = in.ResourcePolicy, epoch{r.now}
	return policyOutput{ARN: sec.ARN, Name: sec.Name}, s.commit(sec)
}

func (s *Service) getResourcePolicy(r *request, in *secretIDInput) (any, error) {
	sec, err := s.find(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	if !sec.Deletion.IsZero() {
		return nil, errMarked()
	}
	return policyOutput{sec.ARN, sec.Name, sec.Policy}, nil
}

func (s *Service) deleteResourcePolicy(r *request, in *secretIDInput) (any, error) {
	sec, err := s.change(r, in.SecretId)
	if err != nil {
		return nil, err
	}
	sec.Policy, sec.Changed = "", epoch{r.now}
	return policyOutput{ARN: sec.ARN, Name: sec.Name}, s.commit(sec)
}

type validatePolicyInput struct {
	SecretId       string `aws:"len=1:2048"`
	ResourcePolicy string `aws:"required,len=1:20480"`
}

type validatePolicyOutput struct {
	PolicyValidationPassed bool
	ValidationErrors       []policyFinding
}

type policyFinding struct{ CheckName, ErrorMessage string }

func (s *Service) validateResourcePolicy(r *request, in *validatePolicyInput) (any, error) {
	if in.SecretId != "" {
		if _, err := s.find(r, in.SecretId); err != nil {
			return nil, err
		}
	}
	out := validatePolicyOutput{ValidationErrors: []policyFinding{}}
	p, reason := parsePolicy(in.ResourcePolicy)
	if reason != "" {
		return nil, fail("MalformedPolicyDocumentException", "%s", reason)
	}
	if p.public() {
		out.ValidationErrors = append(out.ValidationErrors, policyFinding{"PUBLIC_POLICY", "The resource policy grants public access to the secret."})
	}
	out.PolicyValidationPassed = len(out.ValidationErrors) == 0
	return out, nil
}

// policy is the part of IAM's grammar that decides a cross-account read:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type policy struct{ Statement []statement }

type statement struct {
	Effect    string
	Principal principals
	Action    texts
	Condition map[string]any
}

// texts is one string or a list of them.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// principals is "*" or {"AWS": …}; other kinds cannot call this emulator.
type principals []string

func (p *principals) UnmarshalJSON(b []byte) error {
	var all string
	if json.Unmarshal(b, &all) == nil {
		*p = principals{all}
		return nil
	}
	var byKind map[string]texts
	if err := json.Unmarshal(b, &byKind); err != nil {
		return err
	}
	*p = principals(byKind["AWS"])
	return nil
}

// parsePolicy returns a sentence when text is no policy.
func parsePolicy(text string) (policy, string) {
	var doc struct {
		Version   string
		Statement json.RawMessage
	}
	if json.Unmarshal([]byte(text), &doc) != nil {
		return policy{}, "This resource policy contains invalid Json"
	}
	var p policy
	var one statement
	if json.Unmarshal(doc.Statement, &one) == nil {
		p.Statement = []statement{one}
	} else if json.Unmarshal(doc.Statement, &p.Statement) != nil {
		return policy{}, "This resource policy contains a statement that is not an object"
	}
	for _, st := range p.Statement {
		if st.Effect != "Allow" && st.Effect != "Deny" || len(st.Action) == 0 {
			return policy{}, "This resource policy contains a statement without a valid Effect and Action"
		}
	}
	if len(p.Statement) == 0 {
		return policy{}, "This resource policy contains no statement"
	}
	return p, ""
}

func (p policy) public() bool {
	return slices.ContainsFunc(p.Statement, func(st statement) bool {
		return st.Effect == "Allow" && len(st.Condition) == 0 && slices.Contains(st.Principal, "*")
	})
}

// allows decides whether another account's principal may do r. A statement with
// conditions never allows and always denies: the emulator does not evaluate them.
func (sec *secret) allows(r *request) bool {
	p, reason := parsePolicy(sec.Policy)
	if reason != "" {
		return false
	}
	allowed := false
	for _, st := range p.Statement {
		if !st.concerns(r) {
			continue
		}
		if st.Effect == "Deny" {
			return false
		}
		allowed = allowed || len(st.Condition) == 0
	}
	return allowed
}

func (st statement) concerns(r *request) bool {
	action := "secretsmanager:" + r.operation
	if !slices.ContainsFunc(st.Action, func(a string) bool {
		ok, err := path.Match(strings.ToLower(a), strings.ToLower(action))
		return ok && err == nil
	}) {
		return false
	}
	return slices.ContainsFunc(st.Principal, func(p string) bool {
		return p == "*" || p == r.account || p == r.principal ||
			strings.HasPrefix(p, "arn:") && strings.HasSuffix(p, ":iam::"+r.account+":root")
	})
}
