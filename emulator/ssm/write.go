package ssm

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	standardBytes = 4096
	advancedBytes = 8192
	maxVersions   = 100
	maxLevels     = 15
	maxNameLength = 1011
)

var (
	nameCharacters = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)
	labelPattern   = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]*$`)
)

type putInput struct {
	Name           string  `aws:"required,len=1:2048"`
	Description    *string `aws:"len=0:1024"`
	Value          *string `aws:"required,len=1:100000,sensitive"`
	Type           string  `enum:"SecureString|StringList|String"`
	KeyId          string  `aws:"len=1:256" pattern:"^([a-zA-Z0-9:/_-]+)$"`
	Overwrite      bool
	AllowedPattern *string `aws:"len=0:1024"`
	Tags           []tag   `aws:"len=0:1000"`
	Tier           string  `enum:"Standard|Advanced|Intelligent-Tiering"`
	Policies       *string `aws:"len=1:4096"`
	DataType       string  `aws:"len=0:128"`
}

type putOutput struct {
	Version int64
	Tier    string
}

func (s *Service) putParameter(r *request, in *putInput) (any, error) {
	in.Name = strings.TrimSpace(in.Name)
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if in.Overwrite && len(in.Tags) > 0 {
		return nil, fail("ValidationException", "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	old := s.places[r.place][storeKey(in.Name)]
	if old != nil && !in.Overwrite {
		return nil, fail("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	}
	v, err := in.version(old, r)
	if err != nil {
		return nil, err
	}
	p := &parameter{Name: in.Name, Account: r.account, Region: r.region, Tags: in.Tags}
	if old != nil {
		p = old.clone()
		if len(p.Versions) >= maxVersions {
			if oldest := p.Versions[0]; len(oldest.Labels) > 0 {
				return nil, fail("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.", p.Name, oldest.Version)
			}
			p.Versions = p.Versions[1:]
		}
	} else if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	p.Versions = append(p.Versions, v)
	return putOutput{v.Version, v.Tier}, s.commit(p)
}

// version builds the next version; what the request leaves out comes from the
// one before.
func (in *putInput) version(old *parameter, r *request) (*version, error) {
	v := &version{Version: 1, Tier: "Standard", DataType: "text", Type: in.Type}
	before := v
	if old != nil {
		before = old.latest()
		c := *before
		v = &c
		v.Version, v.Labels = before.Version+1, nil
		if in.Type != "" && in.Type != before.Type {
			return nil, fail("HierarchyTypeMismatchException", "Parameter Store doesn't support changing a parameter type in a hierarchy. You can't change %s from %s to %s. Create a new, unique parameter.", old.Name, before.Type, in.Type)
		}
	}
	if v.Type == "" {
		return nil, fail("ValidationException", "A parameter type is required when you create a parameter.")
	}
	v.Value, v.Modified, v.User = *in.Value, epoch{r.now}, r.principal
	if in.Description != nil {
		v.Description = *in.Description
	}
	if in.AllowedPattern != nil {
		v.AllowedPattern = *in.AllowedPattern
	}
	if in.DataType != "" {
		v.DataType = in.DataType
	}
	for _, check := range []func(*putInput, *version) error{chooseTier, encrypt, checkValue, setPolicies} {
		if err := check(in, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func chooseTier(in *putInput, v *version) error {
	needsAdvanced := len(v.Value) > standardBytes || in.Policies != nil && *in.Policies != "[]"
	was := v.Tier
	switch {
	case in.Tier == "Standard" && was == "Advanced":
		return fail("ValidationException", "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	case in.Tier == "Intelligent-Tiering" && needsAdvanced:
		v.Tier = "Advanced"
	case in.Tier == "Advanced":
		v.Tier = "Advanced"
	}
	if v.Tier == "Standard" && len(v.Value) > standardBytes {
		return fail("ValidationException", "Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", standardBytes)
	}
	if len(v.Value) > advancedBytes {
		return fail("ValidationException", "Advanced tier parameters support a maximum parameter value of %d characters.", advancedBytes)
	}
	if v.Tier == "Standard" && needsAdvanced {
		return fail("ValidationException", "Parameter policies are supported by the advanced-parameter tier only. Upgrade the parameter to use them.")
	}
	return nil
}

func encrypt(in *putInput, v *version) error {
	if v.Type != typeSecure {
		if in.KeyId != "" {
			return fail("ValidationException", "KeyId is valid for the type SecureString only.")
		}
		return nil
	}
	if in.KeyId != "" {
		v.KeyID = in.KeyId
	}
	if v.KeyID == "" {
		v.KeyID = defaultKey
	}
	if !keyPattern.MatchString(v.KeyID) {
		return fail("InvalidKeyId", "Invalid keyId %s", v.KeyID)
	}
	v.Cipher = ciphertext(v.Value)
	return nil
}

// keyPattern is what KMS takes for a key: its id, its alias, or the ARN of either.
var keyPattern = regexp.MustCompile(`^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key/|alias/)[a-zA-Z0-9/_-]+|alias/[a-zA-Z0-9/_-]+|(mrk-)?[0-9a-f-]{32,36})$`)

func checkValue(_ *putInput, v *version) error {
	if strings.Contains(v.Value, "{{") && strings.Contains(v.Value, "}}") {
		return fail("ValidationException", "Parameter value can't contain a reference to another parameter in double brackets {{}}.")
	}
	if !slices.Contains([]string{"text", "aws:ec2:image", "aws:ssm:integration"}, v.DataType) {
		return fail("ValidationException", "The following data type is not supported: %s (Data type names are all lowercase.)", v.DataType)
	}
	if v.Type == typeList && slices.Contains(strings.Split(v.Value, ","), "") {
		return fail("ValidationException", "A StringList can't have an empty item.")
	}
	if v.AllowedPattern == "" {
		return nil
	}
	re, err := regexp.Compile(v.AllowedPattern)
	if err != nil {
		return fail("InvalidAllowedPatternException", "The allowedPattern %s is not a valid regular expression.", v.AllowedPattern)
	}
	items := []string{v.Value}
	if v.Type == typeList {
		items = strings.Split(v.Value, ",")
	}
	if slices.ContainsFunc(items, func(item string) bool { return !re.MatchString(item) }) {
		return fail("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", v.AllowedPattern)
	}
	return nil
}

// parameterPolicy is one of
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-policies.html
type parameterPolicy struct {
	Type, Version string
	Attributes    map[string]string
}

func setPolicies(in *putInput, v *version) error {
	if in.Policies == nil {
		return nil
	}
	var raw []json.RawMessage
	if json.Unmarshal([]byte(*in.Policies), &raw) != nil {
		return fail("InvalidPolicyAttributeException", "Policies must be a JSON array.")
	}
	if len(raw) > 10 {
		return fail("PoliciesLimitExceededException", "A parameter can have at most 10 policies.")
	}
	v.Policies, v.Expires = nil, epoch{}
	for _, one := range raw {
		var p parameterPolicy
		if json.Unmarshal(one, &p) != nil {
			return fail("InvalidPolicyAttributeException", "A policy has an attribute of the wrong type.")
		}
		switch p.Type {
		case "Expiration":
			at, err := time.Parse(time.RFC3339, p.Attributes["Timestamp"])
			if err != nil {
				return fail("InvalidPolicyAttributeException", "The Timestamp of an Expiration policy must be an ISO 8601 instant.")
			}
			v.Expires = epoch{at}
		case "ExpirationNotification", "NoChangeNotification":
		default:
			return fail("InvalidPolicyTypeException", "The policy type %s is not valid. Parameter Store supports Expiration, ExpirationNotification and NoChangeNotification.", p.Type)
		}
	}
	if len(raw) > 0 {
		v.Policies = json.RawMessage(*in.Policies)
	}
	return nil
}

func (v *version) inlinePolicies() []inlinePolicy {
	out := []inlinePolicy{}
	var raw []json.RawMessage
	if json.Unmarshal(v.Policies, &raw) != nil {
		return out
	}
	for _, one := range raw {
		var p parameterPolicy
		if json.Unmarshal(one, &p) == nil {
			out = append(out, inlinePolicy{string(one), p.Type, "Pending"})
		}
	}
	return out
}

// checkName applies the naming rules of PutParameter.
func checkName(name string) error {
	first := strings.ToLower(storeKey(name))
	isPath := strings.Contains(storeKey(name), "/")
	switch {
	case strings.HasPrefix(strings.ToLower(name), "/aws/"):
		return fail("AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case strings.HasPrefix(first, "aws") && !isPath, strings.HasPrefix(first, "ssm") && !isPath:
		return fail("ValidationException", "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	case strings.HasPrefix(first, "aws"), strings.HasPrefix(first, "ssm"):
		return errForm()
	}
	if err := checkForm(name); err != nil {
		return err
	}
	if strings.Count(storeKey(name), "/")+1 > maxLevels {
		return fail("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of %d levels.", maxLevels)
	}
	return nil
}

// checkForm applies the rules that hold for every name, also one that is read:
// localstack/localstack#7712 shows AWS's answer to GetParameter.
func checkForm(name string) error {
	switch {
	case !nameCharacters.MatchString(name), strings.Contains(name, "//"), strings.HasSuffix(name, "/"):
		return errForm()
	case strings.Contains(storeKey(name), "/") && !strings.HasPrefix(name, "/"):
		return fail("ValidationException", "Parameter name must be a fully qualified name.")
	case len(name) > maxNameLength:
		return fail("ValidationException", "Parameter name: can't be longer than %d characters.", maxNameLength)
	}
	return nil
}

func errForm() error {
	return fail("ValidationException", "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
}

type deleteInput struct {
	Name string `aws:"required,len=1:2048"`
}

func (s *Service) deleteParameter(r *request, in *deleteInput) (any, error) {
	p, err := s.named(r, in.Name)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.remove(p)
}

type deleteManyInput struct {
	Names []string `aws:"required,len=1:10" item:"len=1:2048"`
}

type deleteManyOutput struct{ DeletedParameters, InvalidParameters []string }

func (s *Service) deleteParameters(r *request, in *deleteManyInput) (any, error) {
	out := deleteManyOutput{[]string{}, []string{}}
	for _, name := range in.Names {
		p, err := s.find(r, name)
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		if err := s.remove(p); err != nil {
			return nil, err
		}
		out.DeletedParameters = append(out.DeletedParameters, name)
	}
	return out, nil
}

type labelInput struct {
	Name             string `aws:"required,len=1:2048"`
	ParameterVersion *int64
	Labels           []string `aws:"required,len=1:10" item:"len=1:100"`
}

type labelOutput struct {
	InvalidLabels    []string
	ParameterVersion int64
}

// labelVersion moves labels: one label belongs to one version.
func (s *Service) labelVersion(r *request, in *labelInput) (any, error) {
	old, err := s.named(r, in.Name)
	if err != nil {
		return nil, err
	}
	p := old.clone()
	v := p.latest()
	if in.ParameterVersion != nil {
		if v = p.numbered(*in.ParameterVersion); v == nil {
			return nil, errNoVersion(strconv.FormatInt(*in.ParameterVersion, 10), p.Name)
		}
	}
	out := labelOutput{[]string{}, v.Version}
	for _, label := range in.Labels {
		low := strings.ToLower(label)
		if !labelPattern.MatchString(label) || strings.HasPrefix(low, "aws") || strings.HasPrefix(low, "ssm") {
			out.InvalidLabels = append(out.InvalidLabels, label)
		}
	}
	if len(out.InvalidLabels) > 0 {
		return out, nil // AWS attaches none when one is invalid
	}
	for _, label := range in.Labels {
		if holder := p.labelled(label); holder != nil {
			holder.Labels = without(holder.Labels, label)
		}
		v.Labels = append(v.Labels, label)
	}
	if len(v.Labels) > 10 {
		return nil, fail("ParameterVersionLabelLimitExceeded", "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.")
	}
	return out, s.commit(p)
}

func without(labels []string, label string) []string {
	return slices.DeleteFunc(labels, func(l string) bool { return l == label })
}

type unlabelInput struct {
	Name             string   `aws:"required,len=1:2048"`
	ParameterVersion *int64   `aws:"required"`
	Labels           []string `aws:"required,len=1:10" item:"len=1:100"`
}

type unlabelOutput struct{ RemovedLabels, InvalidLabels []string }

func (s *Service) unlabelVersion(r *request, in *unlabelInput) (any, error) {
	old, err := s.named(r, in.Name)
	if err != nil {
		return nil, err
	}
	p := old.clone()
	v := p.numbered(*in.ParameterVersion)
	if v == nil {
		return nil, errNoVersion(strconv.FormatInt(*in.ParameterVersion, 10), p.Name)
	}
	out := unlabelOutput{[]string{}, []string{}}
	for _, label := range in.Labels {
		if !slices.Contains(v.Labels, label) {
			out.InvalidLabels = append(out.InvalidLabels, label)
			continue
		}
		v.Labels = without(v.Labels, label)
		out.RemovedLabels = append(out.RemovedLabels, label)
	}
	return out, s.commit(p)
}

type addTagsInput struct {
	ResourceType string `aws:"required"`
	ResourceId   string `aws:"required"`
	Tags         []tag  `aws:"required,len=0:1000"`
}

func (s *Service) addTags(r *request, in *addTagsInput) (any, error) {
	p, err := s.resource(r, in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		p.Tags = append(slices.DeleteFunc(p.Tags, func(have tag) bool { return have.Key == t.Key }), t)
	}
	if len(p.Tags) > 50 {
		return nil, fail("TooManyTagsError", "A parameter can have at most 50 tags.")
	}
	return struct{}{}, s.commit(p)
}

type removeTagsInput struct {
	ResourceType string   `aws:"required"`
	ResourceId   string   `aws:"required"`
	TagKeys      []string `aws:"required" item:"len=1:128"`
}

func (s *Service) removeTags(r *request, in *removeTagsInput) (any, error) {
	p, err := s.resource(r, in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	p.Tags = slices.DeleteFunc(p.Tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return struct{}{}, s.commit(p)
}

type listTagsInput struct {
	ResourceType string `aws:"required"`
	ResourceId   string `aws:"required"`
}

type listTagsOutput struct{ TagList []tag }

func (s *Service) listTags(r *request, in *listTagsInput) (any, error) {
	p, err := s.resource(r, in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	return listTagsOutput{append([]tag{}, p.Tags...)}, nil
}

func (s *Service) resource(r *request, kind, id string) (*parameter, error) {
	if kind != "Parameter" {
		return nil, fail("InvalidResourceType", "The emulator keeps resources of the type Parameter only.")
	}
	p, err := s.find(r, id)
	if err != nil {
		return nil, fail("InvalidResourceId", "The resource ID isn't valid. Verify that you entered the correct ID and try again.")
	}
	return p.clone(), nil
}

func checkTags(tags []tag) error {
	if len(tags) > 50 {
		return fail("TooManyTagsError", "A parameter can have at most 50 tags.")
	}
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return fail("ValidationException", "Tag keys can't start with aws:.")
		}
	}
	return nil
}
