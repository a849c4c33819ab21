package secrets

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/params"
)

// answering is a Source whose service answers every request alike.
func answering(t *testing.T, status int, body string) (*Source, *[]string) {
	t.Helper()
	var seen []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Header.Get("X-Amz-Target")+" "+string(b))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return From(aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1}), &seen
}

func TestVersionsAndStagesAreAskedFor(t *testing.T) {
	s, seen := answering(t, 200, `{"VersionId":"v","CreatedDate":1.5,"SecretBinary":"AAE="}`)
	raw, err := s.Fetch(t.Context(), params.Key{ID: "a", Version: "id", Stage: "AWSPREVIOUS"})
	if err != nil || string(raw.Bytes) != "\x00\x01" || raw.Version != "v" || !raw.Created.Equal(time.UnixMilli(1500)) {
		t.Error(raw, err)
	}
	if d := cmp.Diff([]string{`secretsmanager.GetSecretValue {"SecretId":"a","VersionId":"id","VersionStage":"AWSPREVIOUS"}`}, *seen); d != "" {
		t.Error(d)
	}
	for k, want := range map[params.Key]bool{{ID: "a"}: true, {ID: "a", Stage: Current}: true, {ID: "a", Stage: Pending}: false, {ID: "a", Version: "v"}: false} {
		if s.Batchable(k) != want {
			t.Error(k)
		}
	}
}

func TestBatchMatchesNamesAndARNs(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:1:secret:a-AbCdEf"
	s, _ := answering(t, 200, `{"SecretValues":[{"Name":"b","ARN":"x","SecretString":"B"},{"Name":"a","ARN":"`+arn+`","SecretString":"A"}],
		"Errors":[{"SecretId":"c","ErrorCode":"InternalServiceError","Message":"m"}],"NextToken":""}`)
	keys := []params.Key{{ID: "a"}, {ID: arn}, {ID: strings.TrimSuffix(arn, "-AbCdEf")}, {ID: "b"}, {ID: "c"}, {ID: "d"}}
	results, err := s.FetchBatch(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"A", "A", "A", "B", "", ""} {
		if string(results[i].Raw.Bytes) != want {
			t.Errorf("%s: %q", keys[i].ID, results[i].Raw.Bytes)
		}
	}
	if !errors.Is(results[4].Err, params.ErrUnavailable) || params.KindOf(results[5].Err) != params.Unanswered {
		t.Error(results[4].Err, results[5].Err)
	}
}

func TestABatchThatFailsHalfwayFails(t *testing.T) {
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			_, _ = io.WriteString(w, `{"SecretValues":[{"Name":"a","SecretString":"A"}],"NextToken":"t"}`)
			return
		}
		w.WriteHeader(500)
		_, _ = io.WriteString(w, `{}`)
	}))
	defer srv.Close()
	s := From(aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1})
	if _, err := s.FetchBatch(t.Context(), []params.Key{{ID: "a"}, {ID: "b"}}); !errors.Is(err, params.ErrUnavailable) {
		t.Error(err)
	}
}

func TestRotationWindow(t *testing.T) {
	latest := time.Unix(1_800_000_000, 0).UTC()
	for body, window := range map[string]time.Duration{
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"Duration":"3h"}}`:                      3 * time.Hour,
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"ScheduleExpression":"rate(4 hours)"}}`: time.Hour,
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"AutomaticallyAfterDays":30}}`:          24 * time.Hour,
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"Duration":"x"}}`:                       24 * time.Hour,
		`{"RotationEnabled":false,"NextRotationDate":1800000000}`:                                                       -1,
		`{"RotationEnabled":true}`: -1,
	} {
		s, _ := answering(t, 200, body)
		got, err := s.Rotation(t.Context(), params.Key{ID: "a"})
		want := params.Rotation{Window: latest.Add(-window), Latest: latest}
		if window < 0 {
			want = params.Rotation{}
		}
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
	s, _ := answering(t, 400, `{"__type":"AccessDeniedException"}`)
	if _, err := s.Rotation(t.Context(), params.Key{ID: "a"}); !errors.Is(err, params.ErrDenied) || !strings.Contains(err.Error(), "secretsmanager:DescribeSecret") {
		t.Error(err)
	}
}

func TestPermissions(t *testing.T) {
	store := params.New(params.Config{})
	s := From(aws.Config{Region: "cn-north-1"})
	const arn = "arn:aws-cn:secretsmanager:cn-north-1:1:secret:full-AbCdEf"
	for _, r := range []params.Ref{s.Secret("a").FollowRotation(), s.Secret("a#field"), s.Secret(arn).KMSKey("arn:key"), s.Secret("arn:aws-cn:secretsmanager:cn-north-1:1:secret:part")} {
		params.String(store, r)
	}
	pattern := "arn:aws-cn:secretsmanager:cn-north-1:*:secret:a-??????"
	want := []middy.Permission{
		{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{pattern, arn, "arn:aws-cn:secretsmanager:cn-north-1:1:secret:part-??????"}},
		{Actions: []string{"secretsmanager:BatchGetSecretValue"}, Resources: []string{"*"}},
		{Actions: []string{"secretsmanager:DescribeSecret"}, Resources: []string{pattern}},
		{Actions: []string{"kms:Decrypt"}, Resources: []string{"arn:key"}, Condition: map[string]map[string]string{
			"StringEquals": {"kms:ViaService": "secretsmanager.cn-north-1.amazonaws.com"}, "StringLike": {"kms:EncryptionContext:SecretARN": arn}}},
	}
	got := store.Permissions()
	for i := range got {
		if got[i].Reason == "" {
			t.Error("no reason:", got[i])
		}
		got[i].Reason = ""
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAReplicasARNIsInItsRegion(t *testing.T) {
	s := From(aws.Config{Region: "eu-central-1"})
	if id := s.idFor("arn:aws:secretsmanager:eu-west-1:1:secret:a-AbCdEf"); !strings.Contains(id, ":eu-west-1:") {
		t.Error("an ARN of another region was rewritten though nobody asked for a replica")
	}
	s.replica = true
	if id := s.idFor("arn:aws:secretsmanager:eu-west-1:1:secret:a-AbCdEf"); id != "arn:aws:secretsmanager:eu-central-1:1:secret:a-AbCdEf" {
		t.Error(id)
	}
	if id := s.idFor("a"); id != "a" {
		t.Error(id)
	}
}

func TestSourcesFromOneConfigAreOne(t *testing.T) {
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, nil })
	cfg := aws.Config{Region: "eu-west-1", Credentials: creds}
	if From(cfg).Source() != From(cfg).Source() {
		t.Error("two Sources of one config do not share")
	}
	other := cfg
	other.Region = "eu-west-2"
	if From(cfg).Source() == From(other).Source() {
		t.Error("two regions share")
	}
}
