// Package secrets reads AWS Secrets Manager for a params.Store.
//
// A function that fetches its secrets on every invocation pays for each one in
// milliseconds and in money; one that fetches them once never notices a
// rotation. This package knows only how to ask Secrets Manager and what its
// errors mean. When to ask, whom to serve meanwhile, and for how long, is the
// policy of package params.
//
//	cfg := freshsign.FromEnv()
//	store := params.New(params.Config{})
//	db := params.JSON[Credentials](store, secrets.From(cfg).Secret("prod/orders/db"))
//
// Up to 20 secrets are fetched by one BatchGetSecretValue when the function
// starts. Where that action is not allowed, GetSecretValue is used.
package secrets

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gomiddy/middy/internal/awsapi"
	"github.com/gomiddy/middy/internal/awsapi/jsontext"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/internal/fault"
)

var service = awsapi.Service{ID: "Secrets Manager", Signing: "secretsmanager", Target: "secretsmanager", PlainDualStack: true}

// Labels that Secrets Manager moves during a rotation.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
const (
	Current  = "AWSCURRENT"
	Pending  = "AWSPENDING"
	Previous = "AWSPREVIOUS"
)

// A Source is Secrets Manager in one region, with one set of credentials. It is
// safe for concurrent use.
type Source struct {
	client  *awsapi.Client
	cfg     aws.Config
	source  params.Source
	replica bool // of a secret that was named with another region's ARN
}

var (
	_ params.Batcher        = (*Source)(nil)
	_ params.SeparateQuota  = (*Source)(nil)
	_ params.RotationReader = (*Source)(nil)
	_ params.Permitter      = (*Source)(nil)
	_ params.KeyValidator   = (*Source)(nil)
)

// From returns Secrets Manager as cfg reaches it: any aws.Config, such as
// freshsign.FromEnv's or the SDK's config package's. It does no I/O. Sources
// made from the same cfg share entries and batches.
//
// Another role's secrets, or another account's, are read by a Source of their
// own: give it a copy of cfg with that role's credentials, as in the example.
// Sources with different credentials never share an entry.
func From(cfg aws.Config) *Source {
	c := awsapi.New(service, cfg)
	return &Source{client: c, cfg: cfg, source: params.Source{
		Service: "secretsmanager", Region: c.Region(), Endpoint: c.Endpoint(), Identity: awsapi.Identity(c.Credentials()),
	}}
}

// Secret refers to a secret by its name or ARN. "name#a.b" is its field a.b.
func (s *Source) Secret(name string) params.Ref {
	return params.NewRef(s, name).WithReplicas(func(region string) params.Provider {
		cfg := s.cfg.Copy()
		cfg.Region = region
		replica := From(cfg)
		replica.replica = true
		return replica
	})
}

// Source identifies the region, the endpoint and whose credentials are used.
func (s *Source) Source() params.Source { return s.source }

type getInput struct {
	SecretId     string
	VersionId    string `json:",omitempty"`
	VersionStage string `json:",omitempty"`
}

type secretValue struct {
	ARN, Name     string
	VersionId     string
	VersionStages []string
	CreatedDate   float64
	SecretString  jsontext.Text
	SecretBinary  []byte
}

// answers reports whether v is what was asked for by id: that secret, in that
// version and stage, with a value. Everything else is a stub's, a proxy's or
// another secret's, and must not become the password.
func (v *secretValue) answers(id string, k params.Key) bool {
	stage := k.Stage
	if stage == "" && k.Version == "" {
		stage = Current
	}
	return named(id, v.ARN, v.Name) && (v.SecretString != nil || v.SecretBinary != nil) &&
		(k.Version == "" || k.Version == v.VersionId) &&
		(stage == "" || v.VersionStages == nil || slices.Contains(v.VersionStages, stage))
}

// wipe clears the value.
func (v *secretValue) wipe() {
	clear(v.SecretString)
	clear(v.SecretBinary)
}

// raw takes the bytes.
func (v *secretValue) raw() params.Raw {
	b := []byte(v.SecretString)
	if v.SecretString == nil {
		b = v.SecretBinary
	}
	return params.Raw{Bytes: b, Version: v.VersionId, Created: seconds(v.CreatedDate)}
}

func seconds(s float64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(s * 1000)).UTC()
}

// Fetch calls GetSecretValue.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (s *Source) Fetch(ctx context.Context, k params.Key) (params.Raw, error) {
	var out secretValue
	id, place := s.idFor(k.ID), s.place(k, "secretsmanager:GetSecretValue")
	if err := s.client.Do(ctx, "GetSecretValue", getInput{id, k.Version, k.Stage}, &out); err != nil {
		return params.Raw{}, fault.Error(place, err)
	}
	if !out.answers(id, k) {
		out.wipe()
		return params.Raw{}, fault.NotAbout(place)
	}
	return out.raw(), nil
}

// Batch is up to 20 secrets, from three on: the batch action has the smaller
// quota.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
func (s *Source) Batch() (limit, from int) { return 20, 3 }

// SeparateQuota is true: GetSecretValue is allowed a hundred times as often.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
func (s *Source) SeparateQuota() bool { return true }

// Batchable reports whether k is the current version: a batch has no other.
func (s *Source) Batchable(k params.Key) bool {
	return k.Version == "" && (k.Stage == "" || k.Stage == Current)
}

type batchInput struct {
	SecretIdList []string
	NextToken    string `json:",omitempty"`
}

type batchOutput struct {
	SecretValues []secretValue
	Errors       []struct{ SecretId, ErrorCode, Message string }
	NextToken    string
}

// maxPages bounds the pages of a batch, against a service that never ends.
const maxPages = 50

// FetchBatch calls BatchGetSecretValue. Values come in any order, under the name
// or the ARN, and in several pages when they are large. A page that fails says
// nothing about the keys of the pages before it.
func (s *Source) FetchBatch(ctx context.Context, keys []params.Key) ([]params.Result, error) {
	in := batchInput{}
	for _, k := range keys {
		in.SecretIdList = append(in.SecretIdList, s.idFor(k.ID))
	}
	results := make([]params.Result, len(keys))
	for i, k := range keys {
		results[i].Err = &params.Error{Kind: params.Unanswered, Service: s.source.Service, Name: k.ID, Text: fault.Foreign}
	}
	for range maxPages {
		var out batchOutput
		if err := s.client.Do(ctx, "BatchGetSecretValue", in, &out); err != nil {
			err = fault.Error(fault.Place{Service: s.source.Service, Action: "secretsmanager:BatchGetSecretValue", Resource: "*"}, err)
			if in.NextToken == "" {
				return nil, err
			}
			s.breakOff(keys, results, err)
			break
		}
		s.match(keys, in.SecretIdList, &out, results)
		if out.NextToken == "" || out.NextToken == in.NextToken {
			break
		}
		in.NextToken = out.NextToken
	}
	return results, nil
}

// breakOff gives those keys that no page has named the failure of the next page,
// if that is one of the service and not of the request.
func (s *Source) breakOff(keys []params.Key, results []params.Result, err error) {
	if !errors.Is(err, params.ErrUnavailable) {
		return
	}
	for i := range results {
		if params.KindOf(results[i].Err) == params.Unanswered {
			whole, _ := errors.AsType[*params.Error](err)
			one := *whole
			one.Name = keys[i].ID
			results[i].Err = &one
		}
	}
}

// match gives each key its part of an answer. Two keys may mean one secret, by
// name and by ARN: each gets its own bytes.
func (s *Source) match(keys []params.Key, ids []string, out *batchOutput, results []params.Result) {
	for i, id := range ids {
		for j := range out.SecretValues {
			if v := &out.SecretValues[j]; v.answers(id, keys[i]) {
				raw := v.raw()
				raw.Bytes = append([]byte{}, raw.Bytes...)
				clear(results[i].Raw.Bytes) // it comes twice
				results[i] = params.Result{Raw: raw}
			}
		}
		for _, e := range out.Errors {
			if results[i].Err != nil && e.ErrorCode != "" && named(id, e.SecretId, e.SecretId) {
				results[i].Err = s.itemError(keys[i], e.ErrorCode, e.Message)
			}
		}
	}
	for j := range out.SecretValues {
		out.SecretValues[j].wipe()
	}
}

// named reports whether id asks for the secret with that ARN and name: by name,
// by ARN, or by an ARN without the six random characters.
func named(id, arn, name string) bool {
	if id == "" || id == name || id == arn {
		return id != ""
	}
	return len(arn) == len(id)+7 && strings.HasPrefix(arn, id+"-") && strings.HasPrefix(id, "arn:")
}

func (s *Source) itemError(k params.Key, code, message string) error {
	return fault.Item(s.place(k, "secretsmanager:GetSecretValue"), code, message)
}

type describeOutput struct {
	ARN, Name        string
	RotationEnabled  bool
	NextRotationDate float64
	RotationRules    struct {
		Duration           string
		ScheduleExpression string
	}
}

// Rotation calls DescribeSecret. NextRotationDate is the end of the window, on or
// before which the rotation happens; the window is as long as its rules say, or
// an hour for a schedule in hours, or a day.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
func (s *Source) Rotation(ctx context.Context, k params.Key) (params.Rotation, error) {
	var out describeOutput
	in, place := struct{ SecretId string }{s.idFor(k.ID)}, s.place(k, "secretsmanager:DescribeSecret")
	if err := s.client.Do(ctx, "DescribeSecret", in, &out); err != nil {
		return params.Rotation{}, fault.Error(place, err)
	}
	if !named(in.SecretId, out.ARN, out.Name) {
		return params.Rotation{}, fault.NotAbout(place)
	}
	if !out.RotationEnabled || out.NextRotationDate == 0 {
		return params.Rotation{}, nil
	}
	window := 24 * time.Hour
	if strings.Contains(out.RotationRules.ScheduleExpression, "hour") {
		window = time.Hour
	}
	if d, _ := time.ParseDuration(out.RotationRules.Duration); d > 0 {
		window = d
	}
	latest := seconds(out.NextRotationDate)
	return params.Rotation{Window: latest.Add(-window), Latest: latest}, nil
}

// idFor turns the ARN of a primary into that of its replica here: they are the
// same but for the region.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/create-manage-multi-region-secrets.html
func (s *Source) idFor(id string) string {
	parts := strings.SplitN(id, ":", 6)
	if !s.replica || len(parts) != 6 || parts[0] != "arn" {
		return id
	}
	parts[3] = s.client.Region()
	return strings.Join(parts, ":")
}

// ValidateKey refuses the ARN of another region, partition or service: Secrets
// Manager would say that there is no such secret. A replica is asked by its
// primary's ARN.
func (s *Source) ValidateKey(k params.Key) error {
	if reason := awsapi.Misplaced(s.idFor(k.ID), service.Signing, "secret:", s.client.Region()); reason != "" {
		return &params.Error{Kind: params.Invalid, Service: s.source.Service, Name: k.ID, Text: reason}
	}
	return nil
}

func (s *Source) place(k params.Key, action string) fault.Place {
	return fault.Place{Service: s.source.Service, Name: k.ID, Action: action, Resource: s.resource(k.ID),
		Version: k.Version, Stage: k.Stage}
}
