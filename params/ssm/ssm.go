// Package ssm reads AWS Systems Manager Parameter Store for a params.Store.
//
// Parameter Store answers a request for ten names with those it found, a list of
// those it did not, and no word on why. This package turns that into one result
// per name. When to ask and whom to serve meanwhile is the policy of package
// params.
//
//	limit := params.Int(store, ssm.From(cfg).Parameter("/orders/limit"))
//
// Parameters are fetched by GetParameters, ten at a time, decrypted. A name may
// have a selector: "/orders/limit:3" is version 3, "/orders/limit:live" the
// version with that label. A whole path is one value, a JSON object:
//
//	flags := params.JSON[Flags](store, ssm.From(cfg).Path("/orders/flags/"))
package ssm

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/internal/awsapi"
	"github.com/gomiddy/middy/internal/awsapi/jsontext"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/internal/fault"
)

var service = awsapi.Service{ID: "SSM", Signing: "ssm", Target: "AmazonSSM", GovNoFIPSPrefix: true}

// A Source is Parameter Store in one region, with one set of credentials. It is
// safe for concurrent use.
type Source struct {
	client *awsapi.Client
	cfg    aws.Config
	source params.Source
}

var (
	_ params.Batcher      = (*Source)(nil)
	_ params.Permitter    = (*Source)(nil)
	_ params.KeyValidator = (*Source)(nil)
)

// From returns Parameter Store as cfg reaches it. It does no I/O. Sources made
// from the same cfg share entries and batches.
func From(cfg aws.Config) *Source {
	c := awsapi.New(service, cfg)
	return &Source{client: c, cfg: cfg, source: params.Source{
		Service: "ssm", Region: c.Region(), Endpoint: c.Endpoint(), Identity: awsapi.Identity(c.Credentials()),
	}}
}

// Parameter refers to a parameter by its name or ARN, with or without a selector.
// "name#a.b" is the field a.b of a JSON document. A name does not end in a slash;
// see [Source.Path].
func (s *Source) Parameter(name string) params.Ref {
	return params.NewRef(s, name).WithReplicas(s.inRegion)
}

// Path refers to all parameters below a path, as one JSON object: the rest of
// each name with its slashes is a member, its value a string. A path begins with
// a slash, and is not an ARN; it ends in a slash, which is added if need be.
// A path without parameters does not exist; declare it Optional where it may have
// none.
func (s *Source) Path(path string) params.Ref {
	path, field, _ := strings.Cut(path, "#")
	return params.RefTo(s, params.Key{ID: strings.TrimRight(path, "/") + "/", Tree: true}).
		Field(field).WithReplicas(s.inRegion)
}

// ValidateKey refuses what Parameter Store would refuse or misunderstand: a
// parameter that ends in a slash, a path that is an ARN, two selectors, and the
// ARN of another region, partition or service, of which it would say that it does
// not exist.
func (s *Source) ValidateKey(k params.Key) error {
	reason := awsapi.Misplaced(k.ID, service.Signing, "parameter/", s.client.Region())
	switch {
	case reason != "" && !k.Tree:
	case k.Tree && !strings.HasPrefix(k.ID, "/"):
		reason = "a path begins with a slash; it cannot be an ARN"
	case k.Tree && (k.Version != "" || k.Stage != ""):
		reason = "a path has no versions"
	case !k.Tree && strings.HasSuffix(k.ID, "/"):
		reason = "the name of a parameter does not end in a slash; Path refers to all below it"
	case selectors(k) > 1:
		reason = "it has two selectors: give one of a version, a stage, or what follows the colon in the name"
	default:
		return nil
	}
	return &params.Error{Kind: params.Invalid, Service: s.source.Service, Name: k.ID, Text: reason}
}

// selectors counts what selects a version of k.
func selectors(k params.Key) (n int) {
	name := k.ID
	switch {
	case strings.HasPrefix(name, "/aws/reference/secretsmanager/"):
		name = "" // what follows is the id of a secret
	case strings.HasPrefix(name, "arn:"):
		name = strings.Join(strings.Split(name, ":")[5:], ":") // whole: Misplaced has seen it
	}
	n = strings.Count(name, ":")
	for _, s := range []string{k.Version, k.Stage} {
		if s != "" {
			n++
		}
	}
	return n
}

func (s *Source) inRegion(region string) params.Provider {
	cfg := s.cfg.Copy()
	cfg.Region = region
	return From(cfg)
}

// Source identifies the region, the endpoint and whose credentials are used.
func (s *Source) Source() params.Source { return s.source }

// Batch is up to 10 names, from two on.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
func (s *Source) Batch() (limit, from int) { return 10, 2 }

// Batchable reports whether k is a single parameter, not a path.
func (s *Source) Batchable(k params.Key) bool { return !k.Tree }

// selector is the name that asks for k's version or label.
func selector(k params.Key) string {
	switch {
	case k.Version != "":
		return k.ID + ":" + k.Version
	case k.Stage != "":
		return k.ID + ":" + k.Stage
	}
	return k.ID
}

type getInput struct {
	Names          []string
	WithDecryption bool
}

type parameter struct {
	ARN              string
	Name             string
	Selector         string
	Type             string
	Value            jsontext.Text
	Version          int64
	LastModifiedDate float64
}

type getOutput struct {
	Parameters        []parameter
	InvalidParameters []string
}

func (p *parameter) raw() params.Raw {
	r := params.Raw{Bytes: p.Value, Created: time.UnixMilli(int64(p.LastModifiedDate * 1000)).UTC()}
	if p.Version != 0 {
		r.Version = strconv.FormatInt(p.Version, 10)
	}
	return r
}

// Fetch calls GetParameters for one name, or GetParametersByPath for a path.
func (s *Source) Fetch(ctx context.Context, k params.Key) (params.Raw, error) {
	if k.Tree {
		return s.fetchPath(ctx, k)
	}
	results, err := s.FetchBatch(ctx, []params.Key{k})
	if err != nil {
		return params.Raw{}, err
	}
	return results[0].Raw, results[0].Err
}

// FetchBatch calls GetParameters. A name that is asked for twice is sent once:
// the service refuses duplicates.
func (s *Source) FetchBatch(ctx context.Context, keys []params.Key) ([]params.Result, error) {
	in := getInput{WithDecryption: true}
	asked := make(map[string]bool)
	for _, k := range keys {
		if name := selector(k); !asked[name] {
			asked[name] = true
			in.Names = append(in.Names, name)
		}
	}
	var out getOutput
	if err := s.client.Do(ctx, "GetParameters", in, &out); err != nil {
		place := fault.Place{Service: s.source.Service, Action: "ssm:GetParameters", Resource: "each of the parameters"}
		if len(keys) == 1 {
			place = s.place(keys[0], "ssm:GetParameters")
		}
		return nil, fault.Error(place, err)
	}
	results := make([]params.Result, len(keys))
	for i, k := range keys {
		results[i] = s.resultFor(k, &out)
	}
	for i := range out.Parameters {
		clear(out.Parameters[i].Value)
	}
	return results, nil
}

func (s *Source) resultFor(k params.Key, out *getOutput) params.Result {
	name := selector(k)
	for i := range out.Parameters {
		if p := &out.Parameters[i]; p.answers(name) && p.Value != nil {
			raw := p.raw()
			raw.Bytes = append([]byte{}, raw.Bytes...)
			return params.Result{Raw: raw}
		}
	}
	if slices.Contains(out.InvalidParameters, name) {
		return params.Result{Err: &params.Error{Kind: params.NotFound, Service: s.source.Service, Name: k.ID,
			Text: "it does not exist in this account and region, or not in that version; create it or correct the name"}}
	}
	// Parameter Store names each in one of the two lists.
	return params.Result{Err: &params.Error{Kind: params.Unanswered, Service: s.source.Service, Name: k.ID, Text: fault.Foreign}}
}

// answers reports whether p is what was asked for by name: its Name and its
// selector, or its ARN in whatever partition.
func (p *parameter) answers(name string) bool {
	return name == p.Name+p.Selector || name == p.ARN+p.Selector ||
		p.Selector == "" && strings.TrimPrefix(name, "/") == p.Name
}

type pathInput struct {
	Path           string
	Recursive      bool
	WithDecryption bool
	NextToken      string `json:",omitempty"`
}

type pathOutput struct {
	Parameters []parameter
	NextToken  string
}

// maxPages bounds a path's pages of ten, against a service that never ends.
const maxPages = 200

// fetchPath calls GetParametersByPath until there are no more pages.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
func (s *Source) fetchPath(ctx context.Context, k params.Key) (params.Raw, error) {
	in := pathInput{Path: strings.TrimSuffix(k.ID, "/"), Recursive: true, WithDecryption: true}
	if in.Path == "" {
		in.Path = "/"
	}
	members := make(map[string]string)
	var newest float64
	place := s.place(k, "ssm:GetParametersByPath")
	for range maxPages {
		var out pathOutput
		if err := s.client.Do(ctx, "GetParametersByPath", in, &out); err != nil {
			return params.Raw{}, fault.Error(place, err)
		}
		if !out.answers(k.ID) || out.NextToken != "" && out.NextToken == in.NextToken {
			return params.Raw{}, fault.NotAbout(place)
		}
		for i := range out.Parameters {
			p := &out.Parameters[i]
			members[strings.TrimPrefix(p.Name, k.ID)] = string(p.Value)
			newest = max(newest, p.LastModifiedDate)
			clear(p.Value)
		}
		if out.NextToken == "" {
			if len(members) == 0 {
				return params.Raw{}, &params.Error{Kind: params.NotFound, Service: s.source.Service, Name: k.ID,
					Text: "it has no parameters in this account and region; create one or correct the path"}
			}
			b, err := json.Marshal(members)
			return params.Raw{Bytes: b, Created: time.UnixMilli(int64(newest * 1000)).UTC()}, err
		}
		in.NextToken = out.NextToken
	}
	return params.Raw{}, &params.Error{Kind: params.Invalid, Service: s.source.Service, Name: k.ID,
		Text: "it has more than " + strconv.Itoa(10*maxPages) + " parameters; name a narrower path"}
}

// answers reports whether a page has a list, though it may be empty, of
// parameters below the path, each with a value.
func (out *pathOutput) answers(path string) bool {
	for i := range out.Parameters {
		if p := &out.Parameters[i]; !strings.HasPrefix(p.Name, path) || p.Value == nil {
			return false
		}
	}
	return out.Parameters != nil
}

func (s *Source) place(k params.Key, action string) fault.Place {
	return fault.Place{Service: s.source.Service, Name: k.ID, Action: action, Resource: s.resource(k.ID),
		Version: k.Version, Stage: k.Stage}
}

// resource is the ARN of a parameter without its selector. The slash that a name
// begins with is the one that follows "parameter".
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html
func (s *Source) resource(id string) string {
	if strings.HasPrefix(id, "arn:") {
		if parts := strings.SplitN(id, ":", 7); len(parts) == 7 {
			return strings.Join(parts[:6], ":")
		}
		return id
	}
	name, _, _ := strings.Cut(id, ":")
	name = strings.TrimSuffix(strings.TrimPrefix(name, "/"), "/")
	region := s.client.Region()
	return "arn:" + awsapi.PartitionOf(region).Name + ":ssm:" + region + ":*:parameter/" + name
}

// Permissions are the least statements for the uses.
func (s *Source) Permissions(uses []params.Use) []middy.Permission {
	get := middy.Permission{Actions: []string{"ssm:GetParameters"}, Reason: "parameters that are declared"}
	path := middy.Permission{Actions: []string{"ssm:GetParametersByPath"}, Reason: "paths that are declared"}
	var out, keys []middy.Permission
	for _, u := range uses {
		arn := s.resource(u.ID)
		if u.Tree {
			path.Resources = addOnce(path.Resources, arn)
		} else {
			get.Resources = addOnce(get.Resources, arn)
		}
		if u.KMSKey != "" {
			keys = append(keys, middy.Permission{Actions: []string{"kms:Decrypt"}, Resources: []string{u.KMSKey},
				Condition: map[string]map[string]string{
					"StringEquals": {"kms:ViaService": "ssm." + s.client.Region() + ".amazonaws.com"},
					"StringLike":   {"kms:EncryptionContext:PARAMETER_ARN": arn},
				},
				Reason: "the customer's key of a parameter"})
		}
	}
	for _, p := range []middy.Permission{get, path} {
		if len(p.Resources) > 0 {
			out = append(out, p)
		}
	}
	return append(out, keys...)
}

func addOnce(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
