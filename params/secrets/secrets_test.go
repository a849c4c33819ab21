package secrets

import (
	"context"
	"errors"
	"fmt"
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
	s, seen := answering(t, 200, `{"Name":"a","VersionId":"id","VersionStages":["AWSPREVIOUS"],"CreatedDate":1.5,"SecretBinary":"AAE="}`)
	raw, err := s.Fetch(t.Context(), params.Key{ID: "a", Version: "id", Stage: "AWSPREVIOUS"})
	if err != nil || string(raw.Bytes) != "\x00\x01" || raw.Version != "id" || !raw.Created.Equal(time.UnixMilli(1500)) {
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
	s, _ := answering(t, 200, `{"SecretValues":[{"Name":"b","ARN":"x","SecretString":"B"},{"Name":"a","ARN":"`+arn+`","SecretString":"A"},
		{"Name":"e"},{"Name":"f","VersionStages":["AWSPENDING"],"SecretString":"F"}],
		"Errors":[{"SecretId":"c","ErrorCode":"InternalServiceError","Message":"m"}],"NextToken":""}`)
	keys := []params.Key{{ID: "a"}, {ID: arn}, {ID: strings.TrimSuffix(arn, "-AbCdEf")}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}, {ID: "f"}}
	results, err := s.FetchBatch(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"A", "A", "A", "B", "", "", "", ""} {
		if string(results[i].Raw.Bytes) != want {
			t.Errorf("%s: %q", keys[i].ID, results[i].Raw.Bytes)
		}
	}
	for i, want := range map[int]params.Kind{4: params.Unavailable, 5: params.Unanswered, 6: params.Unanswered, 7: params.Unanswered} {
		if got := params.KindOf(results[i].Err); got != want {
			t.Errorf("%s: %v, %v; want %v", keys[i].ID, got, results[i].Err, want)
		}
	}
}

func TestAnIDNamesASecretByNameByARNOrByAnARNWithoutItsEnd(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:1:secret:a"
	for _, tt := range []struct {
		id, arn, name string
		want          bool
	}{
		{"a", arn + "-AbCdEf", "a", true},
		{arn + "-AbCdEf", arn + "-AbCdEf", "a", true},
		{arn, arn + "-AbCdEf", "a", true},
		{arn, arn + "-b-AbCdEf", "a-b", false},
		{arn, arn[:len(arn)-1] + "b-AbCdEf", "b", false},
		{"a", "a-AbCdEf", "a-AbCdEf", false}, // an error names what was asked for, not its ARN
		{"", "", "", false},
	} {
		if got := named(tt.id, tt.arn, tt.name); got != tt.want {
			t.Errorf("%q names %s (%s): %v; want %v", tt.id, tt.arn, tt.name, got, tt.want)
		}
	}
}

func TestAPageThatFailsSaysNothingAboutTheOnesBefore(t *testing.T) {
	for code, want := range map[string]params.Kind{"InternalServiceError": params.Unavailable, "InvalidNextTokenException": params.Unanswered} {
		n := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if n++; n == 1 {
				_, _ = io.WriteString(w, `{"SecretValues":[{"Name":"a","SecretString":"A"}],"NextToken":"t"}`)
				return
			}
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"__type":"`+code+`"}`)
		}))
		defer srv.Close()
		s := From(aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1})
		results, err := s.FetchBatch(t.Context(), []params.Key{{ID: "a"}, {ID: "b"}})
		if err != nil || string(results[0].Raw.Bytes) != "A" || params.KindOf(results[1].Err) != want {
			t.Errorf("%s on the second page: %v, %v; want the first page's value and %v for the other", code, results, err, want)
		}
	}
}

func TestPagesAreBounded(t *testing.T) {
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		fmt.Fprintf(w, `{"NextToken":"%d"}`, n)
	}))
	defer srv.Close()
	s := From(aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL})
	results, err := s.FetchBatch(t.Context(), []params.Key{{ID: "a"}})
	if err != nil || n != maxPages || params.KindOf(results[0].Err) != params.Unanswered {
		t.Errorf("%v, %v after %d pages; want it unanswered after %d", results, err, n, maxPages)
	}
}

// A success that does not say that it is about what was asked for is nobody's
// password.
func TestASuccessCountsOnlyIfItIsAboutWhatWasAskedFor(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:1:secret:a-AbCdEf"
	a, b := params.Key{ID: "a"}, params.Key{ID: arn}
	for _, tt := range []struct {
		name, body string
		key        params.Key
		want       string // "": Unavailable
	}{
		{"the secret, by name", `{"Name":"a","SecretString":"x"}`, a, "x"},
		{"the secret, by ARN", `{"ARN":"` + arn + `","SecretBinary":"eA=="}`, b, "x"},
		{"the secret, by an ARN without its end", `{"ARN":"` + arn + `","SecretString":"x"}`, params.Key{ID: strings.TrimSuffix(arn, "-AbCdEf")}, "x"},
		{"that version", `{"Name":"a","VersionId":"v","SecretString":"x"}`, params.Key{ID: "a", Version: "v"}, "x"},
		{"that stage", `{"Name":"a","VersionStages":["S","AWSPENDING"],"SecretString":"x"}`, params.Key{ID: "a", Stage: Pending}, "x"},
		{"nothing", `{}`, a, ""},
		{"null", `null`, a, ""},
		{"no body", ``, a, ""},
		{"a page", `<html>`, a, ""},
		{"half of it", `{"Name":"a","SecretString":"x`, a, ""},
		{"a value without a name", `{"SecretString":"x"}`, a, ""},
		{"a name without a value", `{"Name":"a","ARN":"` + arn + `","VersionId":"v"}`, a, ""},
		{"a value that is null", `{"Name":"a","SecretString":null}`, a, ""},
		{"another secret", `{"Name":"b","SecretString":"x"}`, a, ""},
		{"another secret, by ARN", `{"ARN":"` + arn + `x","Name":"a2","SecretString":"x"}`, b, ""},
		{"another version", `{"Name":"a","VersionId":"w","SecretString":"x"}`, params.Key{ID: "a", Version: "v"}, ""},
		{"a version that it does not name", `{"Name":"a","SecretString":"x"}`, params.Key{ID: "a", Version: "v"}, ""},
		{"another stage", `{"Name":"a","VersionStages":["AWSCURRENT"],"SecretString":"x"}`, params.Key{ID: "a", Stage: Pending}, ""},
		{"another stage than the current one", `{"Name":"a","VersionStages":["AWSPENDING"],"SecretString":"x"}`, a, ""},
	} {
		s, _ := answering(t, 200, tt.body)
		raw, err := s.Fetch(t.Context(), tt.key)
		if tt.want == "" && (!errors.Is(err, params.ErrUnavailable) || !strings.Contains(err.Error(), "not about it") || raw.Bytes != nil) ||
			tt.want != "" && (err != nil || string(raw.Bytes) != tt.want) {
			t.Errorf("an answer that is %s: %q, %v; want %q", tt.name, raw.Bytes, err, tt.want)
		}
	}
	s, _ := answering(t, 200, `{"Name":"b","RotationEnabled":true,"NextRotationDate":1800000000}`)
	if r, err := s.Rotation(t.Context(), a); !errors.Is(err, params.ErrUnavailable) {
		t.Errorf("another secret's rotation: %v, %v; want ErrUnavailable", r, err)
	}
}

func TestAnARNOfAnotherPlaceIsRefusedBeforeItIsAskedFor(t *testing.T) {
	s := From(aws.Config{Region: "us-east-1"})
	for id, want := range map[string]string{
		"a":   "",
		"a:b": "",
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf": "",
		"arn:aws:secretsmanager:us-east-1:999999999999:secret:a-AbCdEf": "", // shared by another account
		"arn:aws:secretsmanager:us-west-2:123456789012:secret:a-AbCdEf": "the ARN is in us-west-2, this Source asks us-east-1: give From a cfg with that region",
		"arn:aws-cn:secretsmanager:us-east-1:123456789012:secret:a":     "the ARN is in the partition aws-cn, and us-east-1 is in aws",
		"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a":    "the ARN is in cn-north-1",
		"arn:aws:ssm:us-east-1:123456789012:parameter/a":                "the ARN is of ssm, this Source asks secretsmanager",
		"arn:aws:secretsmanager:us-east-1:123456789012:policy:a":        "does not name a secret",
		"arn:aws:secretsmanager:us-east-1":                              "not a whole ARN",
		"arn:aws:secretsmanager::123456789012:secret:a":                 "not a whole ARN",
	} {
		store := params.New(params.Config{})
		params.String(store, s.Secret(id))
		if err := store.Validate(); (want == "") != (err == nil) || err != nil && (!errors.Is(err, params.ErrInvalid) || !strings.Contains(err.Error(), want)) {
			t.Errorf("Validate with the secret %s: %v; want %q", id, err, want)
		}
		if _, err := store.Lookup(t.Context(), s.Secret(id)); want != "" && !errors.Is(err, params.ErrInvalid) {
			t.Errorf("Lookup of the secret %s: %v; want ErrInvalid", id, err)
		}
	}
	store := params.New(params.Config{})
	params.String(store, s.Secret("arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf").Replica("eu-west-1"))
	if err := store.Validate(); err != nil {
		t.Errorf("a replica of a secret with an ARN: %v; want it asked for in its own region", err)
	}
	store = params.New(params.Config{})
	params.String(store, s.Secret("arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf").Replica("cn-north-1"))
	if err := store.Validate(); !errors.Is(err, params.ErrInvalid) {
		t.Errorf("a replica in another partition: %v; want ErrInvalid", err)
	}
}

func TestRotationWindow(t *testing.T) {
	latest := time.Unix(1_800_000_000, 0).UTC()
	for body, window := range map[string]time.Duration{
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"Duration":"3h"}}`:                      3 * time.Hour,
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"ScheduleExpression":"rate(4 hours)"}}`: time.Hour,
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"AutomaticallyAfterDays":30}}`:          24 * time.Hour,
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"Duration":"x"}}`:                       24 * time.Hour,
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"Duration":"0h"}}`:                      24 * time.Hour,
		`{"RotationEnabled":true,"NextRotationDate":1800000000,"RotationRules":{"Duration":"-3h"}}`:                     24 * time.Hour,
		`{"RotationEnabled":false,"NextRotationDate":1800000000}`:                                                       -1,
		`{"RotationEnabled":true}`: -1,
	} {
		s, _ := answering(t, 200, `{"Name":"a",`+body[1:])
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
	for _, r := range []params.Ref{s.Secret("a").FollowRotation(), s.Secret("a#field"), s.Secret(arn).KMSKey("arn:key"), s.Secret("arn:aws-cn:secretsmanager:cn-north-1:1:secret:part"), s.Secret("a").Stage(Previous)} {
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
	for _, id := range []string{"a", "arn", "arn:aws"} {
		if got := s.idFor(id); got != id {
			t.Errorf("%s was rewritten to %s", id, got)
		}
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
