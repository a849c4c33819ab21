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
	ARN, Name    string
	VersionId    string
	CreatedDate  float64
	SecretString jsontext.Text
	SecretBinary []byte
}

// raw takes the bytes; a secret that was stored with neither part is empty.
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
	err := s.client.Do(ctx, "GetSecretValue", getInput{s.idFor(k.ID), k.Version, k.Stage}, &out)
	if err != nil {
		return params.Raw{}, fault.Error(s.place(k, "secretsmanager:GetSecretValue"), err)
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

// FetchBatch calls BatchGetSecretValue. Values come in any order, under the name
// or the ARN, and in several pages when they are large.
func (s *Source) FetchBatch(ctx context.Context, keys []params.Key) ([]params.Result, error) {
	in := batchInput{}
	for _, k := range keys {
		in.SecretIdList = append(in.SecretIdList, s.idFor(k.ID))
	}
	results := make([]params.Result, len(keys))
	for i, k := range keys {
		results[i].Err = &params.Error{Kind: params.Unanswered, Service: s.source.Service, Name: k.ID}
	}
	for {
		var out batchOutput
		if err := s.client.Do(ctx, "BatchGetSecretValue", in, &out); err != nil {
			wipe(results)
			return nil, fault.Error(fault.Place{Service: s.source.Service,
				Action: "secretsmanager:BatchGetSecretValue", Resource: "*"}, err)
		}
		s.match(keys, in.SecretIdList, &out, results)
		if out.NextToken == "" || out.NextToken == in.NextToken {
			return results, nil
		}
		in.NextToken = out.NextToken
	}
}

// match gives each key its part of an answer. Two keys may mean one secret, by
// name and by ARN: each gets its own bytes.
func (s *Source) match(keys []params.Key, ids []string, out *batchOutput, results []params.Result) {
	for i, id := range ids {
		for j := range out.SecretValues {
			if v := &out.SecretValues[j]; named(id, v) {
				raw := v.raw()
				raw.Bytes = append([]byte{}, raw.Bytes...)
				results[i] = params.Result{Raw: raw}
			}
		}
		for _, e := range out.Errors {
			if e.SecretId == id {
				results[i].Err = s.itemError(keys[i], e.ErrorCode, e.Message)
			}
		}
	}
	for j := range out.SecretValues {
		clear(out.SecretValues[j].SecretString)
		clear(out.SecretValues[j].SecretBinary)
	}
}

func wipe(results []params.Result) {
	for _, r := range results {
		clear(r.Raw.Bytes)
	}
}

// named reports whether id asks for v: by name, by ARN, or by an ARN without the
// six random characters.
func named(id string, v *secretValue) bool {
	if id == v.Name || id == v.ARN {
		return true
	}
	return len(v.ARN) == len(id)+7 && strings.HasPrefix(v.ARN, id+"-") && strings.HasPrefix(id, "arn:")
}

func (s *Source) itemError(k params.Key, code, message string) error {
	return fault.Item(s.place(k, "secretsmanager:GetSecretValue"), code, message)
}

type describeOutput struct {
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
	in := struct{ SecretId string }{s.idFor(k.ID)}
	if err := s.client.Do(ctx, "DescribeSecret", in, &out); err != nil {
		return params.Rotation{}, fault.Error(s.place(k, "secretsmanager:DescribeSecret"), err)
	}
	if !out.RotationEnabled || out.NextRotationDate == 0 {
		return params.Rotation{}, nil
	}
	window := 24 * time.Hour
	if strings.Contains(out.RotationRules.ScheduleExpression, "hour") {
		window = time.Hour
	}
	if d, err := time.ParseDuration(out.RotationRules.Duration); err == nil && d > 0 {
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

func (s *Source) place(k params.Key, action string) fault.Place {
	return fault.Place{Service: s.source.Service, Name: k.ID, Action: action, Resource: s.resource(k.ID),
		Version: k.Version, Stage: k.Stage}
}
