package ssm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/internal/moto"
	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/ssm"
)

// onSocket serves s on a socket that verifies signatures and returns the SDK's
// own client for it.
func onSocket(t *testing.T, s *ssm.Service) *sdk.Client {
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
	c, ctx := onSocket(t, ssm.New(ssm.Config{})), t.Context()
	put, err := c.PutParameter(ctx, &sdk.PutParameterInput{Name: aws.String("/a"), Value: aws.String("<é>"), Type: types.ParameterTypeSecureString})
	if err != nil || put.Version != 1 || put.Tier != types.ParameterTierStandard {
		t.Fatalf("%+v %v", put, err)
	}
	got, err := c.GetParameter(ctx, &sdk.GetParameterInput{Name: aws.String("/a"), WithDecryption: aws.Bool(true)})
	if err != nil || *got.Parameter.Value != "<é>" || time.Since(*got.Parameter.LastModifiedDate) > time.Minute {
		t.Errorf("%+v %v", got, err)
	}
	_, err = c.GetParameter(ctx, &sdk.GetParameterInput{Name: aws.String("/none")})
	if e, ok := errors.AsType[*types.ParameterNotFound](err); !ok || e.ErrorMessage() != "Parameter /none not found." {
		t.Errorf("got %v", err)
	}
	h, err := c.GetParameterHistory(ctx, &sdk.GetParameterHistoryInput{Name: aws.String("/a")})
	if err != nil || len(h.Parameters) != 1 || *h.Parameters[0].KeyId != "alias/aws/ssm" || !strings.Contains(*h.Parameters[0].LastModifiedUser, ":assumed-role/") {
		t.Errorf("%+v %v", h, err)
	}
	pages := sdk.NewGetParametersByPathPaginator(c, &sdk.GetParametersByPathInput{Path: aws.String("/p"), Recursive: aws.Bool(true)})
	for i := range 11 {
		if _, err := c.PutParameter(ctx, &sdk.PutParameterInput{Name: aws.String(fmt.Sprint("/p/", i)), Value: aws.String("v"), Type: types.ParameterTypeString}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n += len(p.Parameters)
	}
	if n != 11 {
		t.Errorf("%d parameters", n)
	}
}

type step struct {
	name    string
	do      func(ctx context.Context, c *sdk.Client) (string, error)
	differs string // why moto's answer is not the one to meet
}

func put(in sdk.PutParameterInput) func(context.Context, *sdk.Client) (string, error) {
	return func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.PutParameter(ctx, &in)
		if err != nil {
			return "", err
		}
		return fmt.Sprint(o.Version), nil
	}
}

func get(name string, decrypt bool) func(context.Context, *sdk.Client) (string, error) {
	return func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.GetParameter(ctx, &sdk.GetParameterInput{Name: &name, WithDecryption: &decrypt})
		if err != nil {
			return "", err
		}
		p := o.Parameter
		return fmt.Sprint(*p.Name, p.Type, *p.Value, p.Version, *p.ARN, *p.DataType), nil
	}
}

func byPath(in sdk.GetParametersByPathInput) func(context.Context, *sdk.Client) (string, error) {
	return func(ctx context.Context, c *sdk.Client) (string, error) {
		o, err := c.GetParametersByPath(ctx, &in)
		if err != nil {
			return "", err
		}
		var names []string
		for _, p := range o.Parameters {
			names = append(names, *p.Name)
		}
		slices.Sort(names)
		return fmt.Sprint(names, o.NextToken == nil), nil
	}
}

func differential() []step {
	s, str := aws.String, types.ParameterTypeString
	return []step{
		{"put", put(sdk.PutParameterInput{Name: s("/d/a"), Value: s("1"), Type: str, Description: s("d")}), ""},
		{"put again", put(sdk.PutParameterInput{Name: s("/d/a"), Value: s("1"), Type: str}), ""},
		{"overwrite", put(sdk.PutParameterInput{Name: s("/d/a"), Value: s("2"), Overwrite: aws.Bool(true)}), ""},
		{"put a list", put(sdk.PutParameterInput{Name: s("/d/l"), Value: s("a,b"), Type: types.ParameterTypeStringList}), ""},
		{"put deep", put(sdk.PutParameterInput{Name: s("/d/e/f"), Value: s("x"), Type: str}), ""},
		{"put secure", put(sdk.PutParameterInput{Name: s("/d/k"), Value: s("v"), Type: types.ParameterTypeSecureString}), ""},
		{"put without a type", put(sdk.PutParameterInput{Name: s("/d/n"), Value: s("v")}), ""},
		{"put an empty value", put(sdk.PutParameterInput{Name: s("/d/n"), Value: s(""), Type: str}), ""},
		{"put a reserved name", put(sdk.PutParameterInput{Name: s("/aws/x"), Value: s("v"), Type: str}), ""},
		{"put a name that begins with aws", put(sdk.PutParameterInput{Name: s("awsx"), Value: s("v"), Type: str}), ""},
		{"put a path that begins with ssm", put(sdk.PutParameterInput{Name: s("/ssm/x"), Value: s("v"), Type: str}), ""},
		{"put an unknown data type", put(sdk.PutParameterInput{Name: s("/d/n"), Value: s("v"), Type: str, DataType: s("Text")}), ""},
		{"put tags over a parameter", put(sdk.PutParameterInput{Name: s("/d/a"), Value: s("v"), Type: str, Overwrite: aws.Bool(true), Tags: []types.Tag{{Key: s("a"), Value: s("b")}}}), ""},
		{"put beside the pattern", put(sdk.PutParameterInput{Name: s("/x/pattern"), Value: s("v"), Type: str, AllowedPattern: s(`^\d+$`)}),
			"moto does not apply AllowedPattern; the API reference has ParameterPatternMismatchException"},
		{"put too much", put(sdk.PutParameterInput{Name: s("/x/much"), Value: s(strings.Repeat("x", 4097)), Type: str}),
			"moto has no limit of size; the API reference says 4 KB"},
		{"get", get("/d/a", false), ""},
		{"get a version", get("/d/a:1", false), ""},
		{"get a missing version", get("/d/a:9", false), ""},
		{"get a missing label", get("/d/a:none", false), "moto answers ParameterNotFound; the user guide has ParameterVersionNotFound"},
		{"get by ARN", get("arn:aws:ssm:us-east-1:123456789012:parameter/d/a", false), ""},
		{"get missing", get("/d/none", false), ""},
		{"get secure", get("/d/k", true), ""},
		{"get a reference to nothing", get("/aws/reference/secretsmanager/none", true), ""},
		{"get several", func(ctx context.Context, c *sdk.Client) (string, error) {
			o, err := c.GetParameters(ctx, &sdk.GetParametersInput{Names: []string{"/d/a", "/d/none", "/d/l"}})
			if err != nil {
				return "", err
			}
			var names []string
			for _, p := range o.Parameters {
				names = append(names, *p.Name+*p.Value)
			}
			slices.Sort(names) // moto's order is random
			return fmt.Sprint(names, o.InvalidParameters), nil
		}, ""},
		{"get eleven", func(ctx context.Context, c *sdk.Client) (string, error) {
			_, err := c.GetParameters(ctx, &sdk.GetParametersInput{Names: strings.Split("abcdefghijk", "")})
			return "", err
		}, ""},
		{"path", byPath(sdk.GetParametersByPathInput{Path: s("/d")}), ""},
		{"path, recursive", byPath(sdk.GetParametersByPathInput{Path: s("/d/"), Recursive: aws.Bool(true)}), ""},
		{"path with a name filter", byPath(sdk.GetParametersByPathInput{Path: s("/d"), ParameterFilters: []types.ParameterStringFilter{{Key: s("Name"), Values: []string{"x"}}}}), ""},
		{"path, eleven results", byPath(sdk.GetParametersByPathInput{Path: s("/d"), MaxResults: aws.Int32(11)}), ""},
		{"label", func(ctx context.Context, c *sdk.Client) (string, error) {
			o, err := c.LabelParameterVersion(ctx, &sdk.LabelParameterVersionInput{Name: s("/d/a"), ParameterVersion: aws.Int64(1), Labels: []string{"live"}})
			if err != nil {
				return "", err
			}
			return fmt.Sprint(o.ParameterVersion, o.InvalidLabels), nil
		}, ""},
		{"get by label", get("/d/a:live", false), ""},
		{"label a missing version", func(ctx context.Context, c *sdk.Client) (string, error) {
			_, err := c.LabelParameterVersion(ctx, &sdk.LabelParameterVersionInput{Name: s("/d/a"), ParameterVersion: aws.Int64(9), Labels: []string{"live"}})
			return "", err
		}, ""},
		{"history", func(ctx context.Context, c *sdk.Client) (string, error) {
			o, err := c.GetParameterHistory(ctx, &sdk.GetParameterHistoryInput{Name: s("/d/a")})
			if err != nil {
				return "", err
			}
			var all []string
			for _, p := range o.Parameters {
				all = append(all, fmt.Sprint(p.Version, *p.Value, p.Labels))
			}
			return strings.Join(all, " "), nil
		}, ""},
		{"tags of a missing parameter", func(ctx context.Context, c *sdk.Client) (string, error) {
			_, err := c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: s("/d/none")})
			return "", err
		}, ""},
		{"delete several", func(ctx context.Context, c *sdk.Client) (string, error) {
			o, err := c.DeleteParameters(ctx, &sdk.DeleteParametersInput{Names: []string{"/d/a", "/d/none"}})
			if err != nil {
				return "", err
			}
			return fmt.Sprint(o.DeletedParameters, o.InvalidParameters), nil
		}, ""},
		{"delete a missing one", func(ctx context.Context, c *sdk.Client) (string, error) {
			_, err := c.DeleteParameter(ctx, &sdk.DeleteParameterInput{Name: s("/d/a")})
			return "", err
		}, ""},
	}
}

// TestTheSameCallsGetTheSameAnswersAsFromMoto holds the service beside an
// emulator that many people's tests rely on.
func TestTheSameCallsGetTheSameAnswersAsFromMoto(t *testing.T) {
	url := moto.Start(t)
	theirs := client(url, "us-east-1", aws.Credentials{AccessKeyID: "x", SecretAccessKey: "y"})
	ours := onSocket(t, ssm.New(ssm.Config{}))
	for _, st := range differential() {
		a, errA := st.do(t.Context(), ours)
		b, errB := st.do(t.Context(), theirs)
		same := a == b && code(errA) == code(errB)
		if same == (st.differs != "") {
			t.Errorf("%s:\nours   %s %v\ntheirs %s %v\nexpected difference: %q", st.name, a, errA, b, errB, st.differs)
		}
	}
}
