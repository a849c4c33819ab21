package secretsmanager_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/internal/moto"
	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/service"
)

// onSocket serves s on a socket that verifies signatures and returns the SDK's
// own client for it.
func onSocket(t *testing.T, s *secretsmanager.Service) *sdk.Client {
	t.Helper()
	srv := emulator.New(emulator.Config{Services: []service.Service{s}})
	if err := srv.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = srv.Close(ctx) // the client keeps idle connections
	})
	k := srv.Session()
	return client(srv.URL(), srv.Region(), aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken})
}

func client(url, region string, c aws.Credentials) *sdk.Client {
	return sdk.New(sdk.Options{Region: region, BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })})
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestTheSDKReadsEveryAnswer(t *testing.T) {
	s := secretsmanager.New(secretsmanager.Config{})
	t.Cleanup(func() { s.Close() })
	c, ctx := onSocket(t, s), t.Context()
	created, err := c.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("<é&>\n"),
		AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("eu-west-1")}}, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	if err != nil || len(created.ReplicationStatus) != 1 || created.ReplicationStatus[0].Status != types.StatusTypeInSync {
		t.Fatalf("%+v %v", created, err)
	}
	if _, err := c.PutSecretValue(ctx, &sdk.PutSecretValueInput{SecretId: created.ARN, SecretBinary: []byte{0, 255}}); err != nil {
		t.Fatal(err)
	}
	v, err := c.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s")})
	if err != nil || string(v.SecretBinary) != "\x00\xff" || v.SecretString != nil || time.Since(*v.CreatedDate) > time.Minute {
		t.Errorf("%+v %v", v, err)
	}
	v, err = c.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("s"), VersionStage: aws.String("AWSPREVIOUS")})
	if err != nil || *v.SecretString != "<é&>\n" {
		t.Errorf("%+v %v", v, err)
	}
	if _, err := c.RotateSecret(ctx, &sdk.RotateSecretInput{SecretId: aws.String("s"), RotationLambdaARN: aws.String(lambda),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(7)}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	d, err := c.DescribeSecret(ctx, &sdk.DescribeSecretInput{SecretId: aws.String("s")})
	if err != nil || !*d.RotationEnabled || *d.RotationRules.AutomaticallyAfterDays != 7 || d.LastRotatedDate == nil || d.NextRotationDate.Before(time.Now()) || len(d.VersionIdsToStages) != 2 || *d.Tags[0].Value != "v" {
		t.Errorf("%+v %v", d, err)
	}
	_, err = c.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("none")})
	if e, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok || *e.Message != "Secrets Manager can't find the specified secret." {
		t.Errorf("got %v", err)
	}
	s.FailReads("s", secretsmanager.AccessDenied("me", "s"))
	b, err := c.BatchGetSecretValue(ctx, &sdk.BatchGetSecretValueInput{SecretIdList: []string{"s", "none"}})
	if err != nil || len(b.SecretValues) != 0 || len(b.Errors) != 2 || *b.Errors[0].ErrorCode != "AccessDeniedException" {
		t.Errorf("%+v %v", b, err)
	}
	l, err := c.ListSecrets(ctx, &sdk.ListSecretsInput{Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{"s"}}}})
	if err != nil || len(l.SecretList) != 1 || len(l.SecretList[0].SecretVersionsToStages) != 2 {
		t.Errorf("%+v %v", l, err)
	}
	p, err := c.GetRandomPassword(ctx, &sdk.GetRandomPasswordInput{PasswordLength: aws.Int64(8)})
	if err != nil || len(*p.RandomPassword) != 8 {
		t.Errorf("%+v %v", p, err)
	}
}

// step is one call of the differential test: it says what it saw in words that
// hold nothing random.
type step struct {
	name string
	do   func(ctx context.Context, c *sdk.Client) (string, error)
	// differs is why moto's answer is not the one to meet.
	differs string
}

var differential = []step{
	{name: "create", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("d/s"), SecretString: aws.String("1"), ClientRequestToken: aws.String(tokenA), Description: aws.String("d")})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(*o.Name, *o.VersionId, shapeOfARN(o.ARN)), nil
	}},
	{name: "create again", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		_, err := c.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("d/s"), SecretString: aws.String("1"), ClientRequestToken: aws.String(tokenB)})
		return "", err
	}},
	{name: "create with a used token", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		_, err := c.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("d/s"), SecretString: aws.String("2"), ClientRequestToken: aws.String(tokenA)})
		return "", err
	}},
	{name: "get", do: get("d/s", nil, nil)},
	{name: "get missing", do: get("none", nil, nil)},
	{name: "get missing version", do: get("d/s", aws.String(tokenC), nil)},
	{name: "get missing stage", do: get("d/s", nil, aws.String("AWSPENDING"))},
	{name: "put", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.PutSecretValue(ctx, &sdk.PutSecretValueInput{SecretId: aws.String("d/s"), SecretString: aws.String("2"), ClientRequestToken: aws.String(tokenB)})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(*o.VersionId, o.VersionStages), nil
	}},
	{name: "put with a used token", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		_, err := c.PutSecretValue(ctx, &sdk.PutSecretValueInput{SecretId: aws.String("d/s"), SecretString: aws.String("3"), ClientRequestToken: aws.String(tokenB)})
		return "", err
	}},
	{name: "get previous", do: get("d/s", nil, aws.String("AWSPREVIOUS"))},
	{name: "get version and wrong stage", do: get("d/s", aws.String(tokenA), aws.String("AWSCURRENT"))},
	{name: "stage pending", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.PutSecretValue(ctx, &sdk.PutSecretValueInput{SecretId: aws.String("d/s"), SecretString: aws.String("3"), ClientRequestToken: aws.String(tokenC), VersionStages: []string{"AWSPENDING"}})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(*o.VersionId, o.VersionStages), nil
	}},
	{name: "get pending", do: get("d/s", nil, aws.String("AWSPENDING"))},
	{name: "describe", do: describe},
	{name: "move current without its holder", do: move("AWSCURRENT", nil, aws.String(tokenC))},
	{name: "move current", do: move("AWSCURRENT", aws.String(tokenB), aws.String(tokenC))},
	{name: "remove pending", do: move("AWSPENDING", aws.String(tokenC), nil)},
	{name: "describe after the move", do: describe},
	{name: "batch", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.BatchGetSecretValue(ctx, &sdk.BatchGetSecretValueInput{SecretIdList: []string{"d/s", "none"}})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(*o.SecretValues[0].SecretString, len(o.SecretValues), *o.Errors[0].SecretId, *o.Errors[0].ErrorCode, *o.Errors[0].Message), nil
	}, differs: "moto goes on reading the version that was current before UpdateSecretVersionStage moved AWSCURRENT"},
	{name: "batch without ids", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		_, err := c.BatchGetSecretValue(ctx, &sdk.BatchGetSecretValueInput{})
		return "", err
	}, differs: "moto answers an empty batch; the API reference demands ids or filters"},
	{name: "list", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.ListSecrets(ctx, &sdk.ListSecretsInput{})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(len(o.SecretList), *o.SecretList[0].Name, *o.SecretList[0].Description, len(o.SecretList[0].SecretVersionsToStages)), nil
	}, differs: "moto lists deprecated versions, without labels; DescribeSecret's reference lists versions that have labels attached"},
	{name: "delete", do: del("d/s", 7, false)},
	{name: "get deleted", do: get("d/s", nil, nil)},
	{name: "put to deleted", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		_, err := c.UpdateSecret(ctx, &sdk.UpdateSecretInput{SecretId: aws.String("d/s"), SecretString: aws.String("9")})
		return "", err
	}},
	{name: "restore", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.RestoreSecret(ctx, &sdk.RestoreSecretInput{SecretId: aws.String("d/s")})
		if err != nil {
			return "", err
		}
		return *o.Name, nil
	}},
	{name: "delete with a short window", do: del("d/s", 3, false)},
	{name: "delete with window and force", do: del("d/s", 7, true)},
	{name: "force", do: del("d/s", 0, true)},
	{name: "force a missing one", do: del("none", 0, true)},
	{name: "delete a missing one", do: del("none", 0, false)},
	{name: "describe a missing one", do: describe},
	{name: "rotate a missing one", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		_, err := c.RotateSecret(ctx, &sdk.RotateSecretInput{SecretId: aws.String("none")})
		return "", err
	}},
	{name: "short password", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		_, err := c.GetRandomPassword(ctx, &sdk.GetRandomPasswordInput{PasswordLength: aws.Int64(3)})
		return "", err
	}},
	{name: "password", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.GetRandomPassword(ctx, &sdk.GetRandomPasswordInput{PasswordLength: aws.Int64(20), ExcludePunctuation: aws.Bool(true)})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(len(*o.RandomPassword), strings.ContainsAny(*o.RandomPassword, "!-#$%&")), nil
	}},
	{name: "bad policy", do: func(ctx context.Context, c *sdk.Client) (string, error) {
		if _, err := c.CreateSecret(ctx, &sdk.CreateSecretInput{Name: aws.String("p"), SecretString: aws.String("1")}); err != nil {
			return "", err
		}
		_, err := c.PutResourcePolicy(ctx, &sdk.PutResourcePolicyInput{SecretId: aws.String("p"), ResourcePolicy: aws.String("x")})
		return "", err
	}, differs: "moto stores any text; the API reference has MalformedPolicyDocumentException"},
}

func get(id string, version, stage *string) func(context.Context, *sdk.Client) (string, error) {
	return func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: &id, VersionId: version, VersionStage: stage})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(*o.Name, *o.VersionId, *o.SecretString, o.VersionStages, shapeOfARN(o.ARN)), nil
	}
}

func del(id string, days int64, force bool) func(context.Context, *sdk.Client) (string, error) {
	return func(ctx context.Context, c *sdk.Client) (string, error) {
		in := &sdk.DeleteSecretInput{SecretId: &id, ForceDeleteWithoutRecovery: &force}
		if days > 0 {
			in.RecoveryWindowInDays = &days
		}
		o, err := c.DeleteSecret(ctx, in)
		if err != nil {
			return "", err
		}
		return fmt.Sprint(*o.Name, time.Until(*o.DeletionDate).Round(24*time.Hour), shapeOfARN(o.ARN)), nil
	}
}

func move(label string, from, to *string) func(context.Context, *sdk.Client) (string, error) {
	return func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.UpdateSecretVersionStage(ctx, &sdk.UpdateSecretVersionStageInput{SecretId: aws.String("d/s"), VersionStage: &label, RemoveFromVersionId: from, MoveToVersionId: to})
		if err != nil {
			return "", err
		}
		return *o.Name, nil
	}
}

// describe compares the labelled versions: moto lists deprecated ones too.
func describe(ctx context.Context, c *sdk.Client) (string, error) {
	o, err := c.DescribeSecret(ctx, &sdk.DescribeSecretInput{SecretId: aws.String("d/s")})
	if err != nil {
		return "", err
	}
	var stages []string
	for id, s := range o.VersionIdsToStages {
		sort.Strings(s)
		if len(s) > 0 {
			stages = append(stages, fmt.Sprint(id, s))
		}
	}
	sort.Strings(stages)
	return fmt.Sprint(*o.Name, *o.Description, o.KmsKeyId == nil, o.DeletedDate == nil, o.CreatedDate != nil, stages), nil
}

var randomARN = regexp.MustCompile(`^arn:aws:secretsmanager:us-east-1:123456789012:secret:(.*)-[A-Za-z0-9]{6}$`)

func shapeOfARN(arn *string) string { return randomARN.ReplaceAllString(*arn, "ARN of $1") }

// TestTheSameCallsGetTheSameAnswersAsFromMoto holds the service beside an
// emulator that many people's tests rely on.
func TestTheSameCallsGetTheSameAnswersAsFromMoto(t *testing.T) {
	url := moto.Start(t)
	theirs := client(url, "us-east-1", aws.Credentials{AccessKeyID: "x", SecretAccessKey: "y"})
	ours := onSocket(t, secretsmanager.New(secretsmanager.Config{}))
	for _, st := range differential {
		a, errA := st.do(t.Context(), ours)
		b, errB := st.do(t.Context(), theirs)
		same := a == b && code(errA) == code(errB)
		if same == (st.differs != "") {
			t.Errorf("%s:\nours   %s %v\ntheirs %s %v\nexpected difference: %q", st.name, a, errA, b, errB, st.differs)
		}
	}
}
