package ssm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gomiddy/middy/emulator/service"
)

const referencePrefix = "/aws/reference/secretsmanager/"

// parameterOut is Parameter of the API.
type parameterOut struct {
	Name, Type, Value string
	Version           int64
	Selector          string `json:",omitempty"`
	SourceResult      string `json:",omitempty"`
	LastModifiedDate  epoch
	ARN               string
	DataType          string
}

type getInput struct {
	Name           string `aws:"required,len=1:2048"`
	WithDecryption bool
}

type getOutput struct{ Parameter *parameterOut }

func (s *Service) getParameter(r *request, in *getInput) (any, error) {
	out, err := s.read(r, in.Name, in.WithDecryption)
	if err != nil {
		return nil, err
	}
	return getOutput{out}, nil
}

// read finds name, name:version or name:label.
func (s *Service) read(r *request, full string, decrypt bool) (*parameterOut, error) {
	name, selector, err := r.split(full)
	if err != nil {
		return nil, err
	}
	if f := s.faults[storeKey(name)]; f != nil {
		e := *f
		return nil, &e
	}
	if strings.HasPrefix(name, referencePrefix) {
		return s.readSecret(r, name, selector, decrypt)
	}
	p, err := s.find(r, name)
	if err != nil {
		return nil, err
	}
	v, err := p.selected(selector)
	if err != nil {
		return nil, err
	}
	out, err := p.out(v, decrypt)
	if err == nil && selector != "" {
		out.Selector = ":" + selector
	}
	return out, err
}

// split takes the selector off a name or an ARN.
func (r *request) split(full string) (name, selector string, err error) {
	name, ok := r.bare(full)
	if !ok {
		return "", "", fail("ParameterNotFound", "Parameter %s not found.", full)
	}
	name, selector, found := strings.Cut(name, ":")
	if found && (selector == "" || strings.Contains(selector, ":")) {
		return "", "", fail("ValidationException", "Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>")
	}
	return name, selector, checkRead(name)
}

func (p *parameter) selected(selector string) (*version, error) {
	if selector == "" {
		return p.latest(), nil
	}
	if n, err := strconv.ParseInt(selector, 10, 64); err == nil {
		if v := p.numbered(n); v != nil {
			return v, nil
		}
		return nil, errNoVersion(selector, p.Name)
	}
	if v := p.labelled(selector); v != nil {
		return v, nil
	}
	return nil, fail("ParameterVersionNotFound", "Systems Manager could not find label %s of %s. Verify the label and try again.", selector, p.Name)
}

func errNoVersion(version, name string) error {
	return fail("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", version, name)
}

func (p *parameter) out(v *version, decrypt bool) (*parameterOut, error) {
	value, err := p.value(v, decrypt)
	if err != nil {
		return nil, err
	}
	return &parameterOut{Name: p.Name, Type: v.Type, Value: value, Version: v.Version,
		LastModifiedDate: v.Modified, ARN: p.arn(), DataType: v.DataType}, nil
}

func (p *parameter) value(v *version, decrypt bool) (string, error) {
	if v.Type != typeSecure {
		return v.Value, nil
	}
	if !decrypt {
		return v.Cipher, nil
	}
	if p.KeyDisabled {
		return "", fail("InvalidKeyId", "%s is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException)", v.KeyID)
	}
	return v.Value, nil
}

// readSecret passes a read on to Secrets Manager:
// https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
func (s *Service) readSecret(r *request, name, selector string, decrypt bool) (*parameterOut, error) {
	if !decrypt {
		return nil, fail("ValidationException", "WithDecryption flag must be True for retrieving a Secret Manager secret.")
	}
	notFound := fail("ParameterNotFound", "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret %s not found.", name)
	if s.cfg.Secrets == nil {
		return nil, notFound
	}
	in := map[string]string{"SecretId": strings.TrimPrefix(name, referencePrefix)}
	if len(selector) >= 32 {
		in["VersionId"] = selector
	} else if selector != "" {
		in["VersionStage"] = selector
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	c := *r.call
	c.Operation, c.Body = "GetSecretValue", body
	c.Account, c.Region, c.Now = r.account, r.region, r.now
	answer, err := s.cfg.Secrets.Call(r.ctx, &c)
	if err != nil {
		if e, ok := errors.AsType[*service.Error](err); ok && e.Code == "ResourceNotFoundException" {
			return nil, notFound
		}
		return nil, err
	}
	return secretParameter(r, name, selector, answer)
}

func secretParameter(r *request, name, selector string, answer any) (*parameterOut, error) {
	source, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	var sv struct {
		ARN          string
		SecretString *string
		SecretBinary []byte
		CreatedDate  epoch
	}
	if err := json.Unmarshal(source, &sv); err != nil {
		return nil, err
	}
	out := &parameterOut{Name: name, Type: typeSecure, SourceResult: string(source), LastModifiedDate: sv.CreatedDate,
		ARN: (&parameter{Name: name, Account: r.account, Region: r.region}).arn(), DataType: "text"}
	if selector != "" {
		out.Selector = ":" + selector
	}
	if sv.SecretString != nil {
		out.Value = *sv.SecretString
	} else {
		out.Value = base64.StdEncoding.EncodeToString(sv.SecretBinary)
	}
	return out, nil
}

type getManyInput struct {
	Names          []string `aws:"required,len=1:10" item:"len=1:2048"`
	WithDecryption bool
}

type getManyOutput struct {
	Parameters        []*parameterOut
	InvalidParameters []string
}

// checkRead applies those naming rules that hold for every request that names a
// parameter. A reference has the name of a secret.
func checkRead(name string) error {
	if strings.HasPrefix(name, referencePrefix) {
		return nil
	}
	return checkForm(name)
}

// getParameters reports names that cannot be found beside the others; any other
// error fails the whole batch.
func (s *Service) getParameters(r *request, in *getManyInput) (any, error) {
	out := getManyOutput{Parameters: []*parameterOut{}, InvalidParameters: []string{}}
	for i, name := range in.Names {
		if slices.Contains(in.Names[:i], name) {
			// AWS refuses it; the words are ours.
			return nil, fail("ValidationException", "The list of names contains %s twice.", name)
		}
		if _, _, err := r.split(name); err != nil && codeOf(err) != "ParameterNotFound" {
			return nil, err // before anything is read
		}
	}
	for _, name := range in.Names {
		p, err := s.read(r, name, in.WithDecryption)
		if err == nil {
			out.Parameters = append(out.Parameters, p)
			continue
		}
		if code := codeOf(err); code != "ParameterNotFound" && code != "ParameterVersionNotFound" {
			return nil, err
		}
		out.InvalidParameters = append(out.InvalidParameters, name)
	}
	return out, nil
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*service.Error](err); ok {
		return e.Code
	}
	return ""
}

type byPathInput struct {
	Path             string `aws:"required,len=1:2048"`
	Recursive        bool
	ParameterFilters []stringFilter
	WithDecryption   bool
	MaxResults       *int64 `aws:"range=1:10"`
	NextToken        *string
}

type byPathOutput struct {
	Parameters []*parameterOut
	NextToken  string `json:",omitempty"`
}

func (s *Service) getParametersByPath(r *request, in *byPathInput) (any, error) {
	if err := checkPath(in.Path); err != nil {
		return nil, err
	}
	if err := checkFilters(in.ParameterFilters, true); err != nil {
		return nil, err
	}
	option := "OneLevel"
	if in.Recursive {
		option = "Recursive"
	}
	filters := append([]stringFilter{{Key: "Path", Option: option, Values: []string{in.Path}}}, in.ParameterFilters...)
	all := s.matching(r, filters)
	picked, next, err := page(all, in.NextToken, "path"+filterText(filters), in.MaxResults, 10)
	if err != nil {
		return nil, err
	}
	out := byPathOutput{Parameters: []*parameterOut{}, NextToken: next}
	for _, p := range picked {
		v := p.latest()
		label := labelFilter(in.ParameterFilters)
		if label != "" {
			v = p.labelled(label)
		}
		one, err := p.out(v, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		if label != "" {
			one.Selector = ":" + label
		}
		out.Parameters = append(out.Parameters, one)
	}
	return out, nil
}

type historyInput struct {
	Name           string `aws:"required,len=1:2048"`
	WithDecryption bool
	MaxResults     *int64 `aws:"range=1:50"`
	NextToken      *string
}

type historyOutput struct {
	Parameters []historyEntry
	NextToken  string `json:",omitempty"`
}

type historyEntry struct {
	metadata
	Value  string
	Labels []string
}

func (s *Service) getParameterHistory(r *request, in *historyInput) (any, error) {
	p, err := s.named(r, in.Name)
	if err != nil {
		return nil, err
	}
	picked, next, err := page(p.Versions, in.NextToken, "history "+p.key(), in.MaxResults, 50)
	if err != nil {
		return nil, err
	}
	out := historyOutput{Parameters: []historyEntry{}, NextToken: next}
	for _, v := range picked {
		value, err := p.value(v, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		e := historyEntry{metadata: p.metadata(v), Value: value, Labels: v.Labels}
		e.ARN = "" // ParameterHistory has no ARN
		if e.Labels == nil {
			e.Labels = []string{}
		}
		out.Parameters = append(out.Parameters, e)
	}
	return out, nil
}

// metadata is ParameterMetadata of the API.
type metadata struct {
	Name             string
	ARN              string `json:",omitempty"`
	Type             string
	KeyId            string `json:",omitempty"`
	LastModifiedDate epoch
	LastModifiedUser string `json:",omitempty"`
	Description      string `json:",omitempty"`
	AllowedPattern   string `json:",omitempty"`
	Version          int64
	Tier             string
	Policies         []inlinePolicy
	DataType         string
}

type inlinePolicy struct{ PolicyText, PolicyType, PolicyStatus string }

func (p *parameter) metadata(v *version) metadata {
	return metadata{Name: p.Name, ARN: p.arn(), Type: v.Type, KeyId: v.KeyID, LastModifiedDate: v.Modified,
		LastModifiedUser: v.User, Description: v.Description, AllowedPattern: v.AllowedPattern, Version: v.Version,
		Tier: v.Tier, Policies: v.inlinePolicies(), DataType: v.DataType}
}

type describeInput struct {
	Filters []struct {
		Key    string   `aws:"required" enum:"Name|Type|KeyId"`
		Values []string `aws:"required,len=1:50" item:"len=1:1024"`
	}
	ParameterFilters []stringFilter
	MaxResults       *int64 `aws:"range=1:50"`
	NextToken        *string
}

type describeOutput struct {
	Parameters []metadata
	NextToken  string `json:",omitempty"`
}

func (s *Service) describeParameters(r *request, in *describeInput) (any, error) {
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, fail("ValidationException", "You can use either Filters or ParameterFilters in a single request.")
	}
	filters := in.ParameterFilters
	if err := checkFilters(filters, false); err != nil {
		return nil, err
	}
	for _, f := range in.Filters {
		option := "Equals"
		if f.Key == "Name" {
			option = "BeginsWith"
		}
		filters = append(filters, stringFilter{Key: f.Key, Option: option, Values: f.Values})
	}
	picked, next, err := page(s.matching(r, filters), in.NextToken, "describe"+filterText(filters), in.MaxResults, 50)
	if err != nil {
		return nil, err
	}
	out := describeOutput{Parameters: []metadata{}, NextToken: next}
	for _, p := range picked {
		out.Parameters = append(out.Parameters, p.metadata(p.latest()))
	}
	return out, nil
}

// matching returns the parameters that pass all filters, by name.
func (s *Service) matching(r *request, filters []stringFilter) []*parameter {
	text := " " + filterText(filters) // not the zero listing's
	if s.listed.place == r.place && s.listed.filters == text {
		return s.listed.parameters
	}
	var out []*parameter
	names := s.places[r.place]
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if p := names[name]; !slices.ContainsFunc(filters, func(f stringFilter) bool { return !f.matches(p) }) {
			out = append(out, p)
		}
	}
	s.listed = listing{r.place, text, out}
	return out
}
