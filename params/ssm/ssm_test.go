package ssm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/emulator/emulatortest"
	emssm "github.com/gomiddy/middy/emulator/ssm"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/ssm"
)

// parameters answers requests with what a function returns, and keeps bodies.
type parameters struct {
	mu     sync.Mutex
	bodies []string
}

func serve(t testing.TB, answer func(op, body string) (int, string)) (*parameters, aws.Config) {
	p := &parameters{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		op := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM.")
		p.mu.Lock()
		p.bodies = append(p.bodies, op+" "+string(body))
		p.mu.Unlock()
		status, out := answer(op, string(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, out)
	}))
	t.Cleanup(srv.Close)
	return p, aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1}
}

func Example() {
	// In a function: cfg := freshsign.FromEnv().
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"Parameters":[{"Name":"/orders/limit","Type":"String","Value":"25","Version":3}]}`)
	}))
	defer srv.Close()
	cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &srv.URL}

	store := params.New(params.Config{})
	limit := params.Int(store, ssm.From(cfg).Parameter("/orders/limit"))
	fmt.Println(limit.Get(context.Background()), limit.Version())
	// Output: 25 3
}

func TestFifteenNamesAreTwoRequests(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{})
	svc := emssm.New(emssm.Config{Region: em.Region(), AccountID: em.AccountID(), Now: em.Clock().Now})
	em.Register(svc)
	store := params.New(params.Config{})
	src := ssm.From(em.Config())
	var values []*params.Value[string]
	for i := range 15 {
		name := fmt.Sprintf("/orders/%d", i)
		put := svc.Put
		if i%2 == 0 {
			put = func(n string, v any) error { return svc.PutSecure(n, v.(string)) }
		}
		if err := put(name, name); err != nil {
			t.Fatal(err)
		}
		values = append(values, params.String(store, src.Parameter(name).Required()))
	}
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if got := v.Get(t.Context()); got != fmt.Sprintf("/orders/%d", i) {
			t.Error(got)
		}
	}
	if n := len(em.Requests()); n != 2 {
		t.Error(n, "requests")
	}
	if _, err := store.Lookup(t.Context(), src.Parameter("/orders/none")); !errors.Is(err, params.ErrNotFound) {
		t.Error(err)
	}
	flags := params.JSON[map[string]string](store, src.Path("/orders"))
	if got := flags.Get(t.Context()); len(got) != 15 || got["7"] != "/orders/7" {
		t.Error(got)
	}
	if err := svc.Put("/orders/1", "second"); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"/orders/1": "second", "/orders/1:1": "/orders/1", "/orders/1:2": "second"} {
		if got, err := store.Lookup(t.Context(), src.Parameter(ref).TTL(-1)); err != nil || got.Reveal() != want {
			t.Errorf("%s: %q, %v", ref, got.Reveal(), err)
		}
	}
	if got, err := store.Lookup(t.Context(), src.Parameter("/orders/1").Version("1")); err != nil || got.Reveal() != "/orders/1" {
		t.Error(err)
	}
}

func TestNamesARNsAndSelectorsMatchTheirAnswers(t *testing.T) {
	_, cfg := serve(t, func(string, string) (int, string) {
		return 200, `{"Parameters":[
			{"Name":"/a","ARN":"arn:aws-cn:ssm:cn-north-1:1:parameter/a","Value":"A","Version":7},
			{"Name":"/a","ARN":"arn:aws-cn:ssm:cn-north-1:1:parameter/a","Selector":":3","Value":"A3","Version":3},
			{"Name":"/a","Selector":":live","Value":"AL","Version":4},
			{"Name":"plain","Value":"P"}],"InvalidParameters":["/none"]}`
	})
	src := ssm.From(cfg)
	keys := []params.Key{{ID: "/a"}, {ID: "/a:3"}, {ID: "/a", Stage: "live"}, {ID: "arn:aws-cn:ssm:cn-north-1:1:parameter/a"},
		{ID: "arn:aws-cn:ssm:cn-north-1:1:parameter/a", Version: "3"}, {ID: "plain"}, {ID: "/none"}, {ID: "unmentioned"}}
	results, err := src.FetchBatch(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"A", "A3", "AL", "A", "A3", "P", "", ""} {
		r := results[i]
		if string(r.Raw.Bytes) != want || (want == "") != (r.Err != nil) {
			t.Errorf("%+v: %q, %v", keys[i], r.Raw.Bytes, r.Err)
		}
	}
}

// Parameter Store names each parameter in one of two lists.
func TestOnlyInvalidParametersDoNotExist(t *testing.T) {
	for body, want := range map[string]params.Kind{
		`{"InvalidParameters":["/a"]}`: params.NotFound,
		`{}`:                           params.Unanswered,
		`{"Parameters":[],"InvalidParameters":[]}`:                   params.Unanswered,
		`{"InvalidParameters":["/b"]}`:                               params.Unanswered,
		`{"Parameters":[{"Name":"/b","Value":"x"}]}`:                 params.Unanswered,
		`{"Parameters":[{"Name":"/a"}]}`:                             params.Unanswered,
		`{"Parameters":[{"Name":"/a","Value":null}]}`:                params.Unanswered,
		`{"Parameters":[{"Name":"/a","Selector":":3","Value":"x"}]}`: params.Unanswered,
		``:       params.Unavailable,
		`<html>`: params.Unavailable,
	} {
		_, cfg := serve(t, func(string, string) (int, string) { return 200, body })
		raw, err := ssm.From(cfg).Fetch(t.Context(), params.Key{ID: "/a"})
		if params.KindOf(err) != want || err == nil || raw.Bytes != nil {
			t.Errorf("%s: %q, %v; want %v", body, raw.Bytes, err, want)
		}
	}
}

func TestAPageCountsOnlyIfItIsAboutThePath(t *testing.T) {
	for body, want := range map[string]error{
		`{"Parameters":[]}`:   params.ErrNotFound,
		`{}`:                  params.ErrUnavailable,
		`{"Parameters":null}`: params.ErrUnavailable,
		`{"Parameters":[{"Name":"/q/a","Value":"x"}]}`:                 params.ErrUnavailable,
		`{"Parameters":[{"Name":"/pa","Value":"x"}]}`:                  params.ErrUnavailable,
		`{"Parameters":[{"Name":"/p/a"}]}`:                             params.ErrUnavailable,
		`{"Parameters":[{"Name":"/p/a","Value":"x"}],"NextToken":"n"}`: params.ErrUnavailable, // for ever the same page
		``: params.ErrUnavailable,
	} {
		_, cfg := serve(t, func(string, string) (int, string) { return 200, body })
		store := params.New(params.Config{})
		v := params.String(store, ssm.From(cfg).Path("/p").Required())
		if s, err := v.Lookup(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %q, %v; want %v", body, s, err, want)
		}
	}
}

func TestWhatParameterStoreWouldRefuseIsRefusedBefore(t *testing.T) {
	src := ssm.From(aws.Config{Region: "us-east-1"})
	const arn = "arn:aws:ssm:us-east-1:123456789012:parameter/a"
	for _, tt := range []struct {
		ref  params.Ref
		want string
	}{
		{src.Parameter("/a"), ""},
		{src.Parameter("plain"), ""},
		{src.Parameter("/a:3"), ""},
		{src.Parameter("/a").Version("3"), ""},
		{src.Parameter("/a").Stage("live"), ""},
		{src.Parameter(arn), ""},
		{src.Parameter(arn + ":3"), ""},
		{src.Parameter("arn:aws:ssm:us-east-1:999999999999:parameter/shared"), ""},
		{src.Parameter("/aws/reference/secretsmanager/a:v").Version("3"), ""},
		{src.Path("/a"), ""},
		{src.Path("/a/#b"), ""},
		{src.Path("/"), ""},
		{src.Parameter("/a/"), "does not end in a slash; Path refers to"},
		{src.Parameter("a/"), "does not end in a slash"},
		{src.Parameter(arn + "/"), "does not end in a slash"},
		{src.Parameter("/a:3").Version("1"), "two selectors"},
		{src.Parameter("/a:3").Stage("live"), "two selectors"},
		{src.Parameter("/a:3:live"), "two selectors"},
		{src.Parameter("/a").Version("1").Stage("live"), "two selectors"},
		{src.Parameter(arn + ":3").Version("1"), "two selectors"},
		{src.Parameter("/a").TryStages("live"), ""},
		{src.Parameter("/a:3").TryStages("live"), "two selectors"},
		{src.Parameter("arn:aws:ssm:us-west-2:123456789012:parameter/a"), "the ARN is in us-west-2, this Source asks us-east-1: give From a cfg with that region"},
		{src.Parameter("arn:aws-us-gov:ssm:us-east-1:123456789012:parameter/a"), "in the partition aws-us-gov"},
		{src.Parameter("arn:aws:secretsmanager:us-east-1:123456789012:secret:a"), "the ARN is of secretsmanager"},
		{src.Parameter("arn:aws:ssm:us-east-1:123456789012:document/a"), "does not name a parameter"},
		{src.Parameter(arn).Replica("eu-west-1"), "the ARN is in us-east-1, this Source asks eu-west-1"},
		{src.Path("a"), "begins with a slash"},
		{src.Path(arn), "cannot be an ARN"},
		{src.Path("/a").Version("3"), "a path has no versions"},
	} {
		store := params.New(params.Config{})
		params.String(store, tt.ref)
		if err := store.Validate(); (tt.want == "") != (err == nil) || err != nil && (!errors.Is(err, params.ErrInvalid) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("Validate with %v: %v; want %q", tt.ref, err, tt.want)
		}
	}
}

func FuzzValidateKey(f *testing.F) {
	for _, id := range []string{"/a", "/a:3", "/a:3:4", "/a/", "arn:", "arn:aws:ssm:us-east-1:1:parameter/a:3", "arn:aws:ssm:us-west-2:1:parameter/a", ":::::::"} {
		f.Add(id, "", false)
		f.Add(id, "live", true)
	}
	src := ssm.From(aws.Config{Region: "us-east-1"})
	f.Fuzz(func(t *testing.T, id, stage string, tree bool) {
		err := src.ValidateKey(params.Key{ID: id, Stage: stage, Tree: tree})
		if err != nil && !errors.Is(err, params.ErrInvalid) {
			t.Errorf("%q %q %v: %v; want ErrInvalid or nothing", id, stage, tree, err)
		}
		if err == nil && strings.HasPrefix(id, "arn:") && !strings.HasPrefix(id, "arn:aws:ssm:us-east-1:") {
			t.Errorf("the ARN %q of another place is taken", id)
		}
	})
}

func TestAStringList(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Parameters: map[string]string{"/one": "a", "/two": "a,b c", "/odd": "a, b,"}})
	store := params.New(params.Config{})
	src := ssm.From(em.Config())
	for name, want := range map[string][]string{"/one": {"a"}, "/two": {"a", "b c"}, "/odd": {"a", " b", ""}} {
		if got, err := params.Strings(store, src.Parameter(name)).Lookup(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestADuplicateNameIsSentOnce(t *testing.T) {
	p, cfg := serve(t, func(string, string) (int, string) {
		return 200, `{"Parameters":[{"Name":"/a","Value":"A"}]}`
	})
	results, err := ssm.From(cfg).FetchBatch(t.Context(), []params.Key{{ID: "/a"}, {ID: "/a"}})
	if err != nil || string(results[0].Raw.Bytes) != "A" || string(results[1].Raw.Bytes) != "A" {
		t.Error(results, err)
	}
	if d := cmp.Diff([]string{`GetParameters {"Names":["/a"],"WithDecryption":true}`}, p.bodies); d != "" {
		t.Error(d)
	}
}

func TestPathsArePaged(t *testing.T) {
	p, cfg := serve(t, func(_, body string) (int, string) {
		if strings.Contains(body, `"NextToken":"n"`) {
			return 200, `{"Parameters":[{"Name":"/p/x/y","Value":"2"}]}`
		}
		return 200, `{"Parameters":[{"Name":"/p/k","Value":"1"}],"NextToken":"n"}`
	})
	raw, err := ssm.From(cfg).Fetch(t.Context(), params.Key{ID: "/p/", Tree: true})
	if err != nil || string(raw.Bytes) != `{"k":"1","x/y":"2"}` {
		t.Errorf("%s, %v", raw.Bytes, err)
	}
	want := []string{`GetParametersByPath {"Path":"/p","Recursive":true,"WithDecryption":true}`,
		`GetParametersByPath {"Path":"/p","Recursive":true,"WithDecryption":true,"NextToken":"n"}`}
	if d := cmp.Diff(want, p.bodies); d != "" {
		t.Error(d)
	}
}

func TestAPathThatNeverEndsIsRefused(t *testing.T) {
	n := 0
	_, cfg := serve(t, func(string, string) (int, string) {
		n++
		return 200, fmt.Sprintf(`{"Parameters":[],"NextToken":"%d"}`, n)
	})
	if _, err := ssm.From(cfg).Fetch(t.Context(), params.Key{ID: "/", Tree: true}); !errors.Is(err, params.ErrInvalid) || n != 200 {
		t.Error(err, n)
	}
}

func TestFailures(t *testing.T) {
	for code, want := range map[string]error{
		"AccessDeniedException": params.ErrDenied, "ThrottlingException": params.ErrThrottled, "InternalServerError": params.ErrUnavailable,
		"InvalidKeyId": params.ErrUndecryptable, "ValidationException": params.ErrInvalid,
	} {
		_, cfg := serve(t, func(string, string) (int, string) { return 400, `{"__type":"` + code + `","message":"m"}` })
		src := ssm.From(cfg)
		for _, k := range []params.Key{{ID: "/a"}, {ID: "/a/", Tree: true}} {
			_, err := src.Fetch(t.Context(), k)
			if !errors.Is(err, want) {
				t.Errorf("%s %v: %v; want %v", code, k, err, want)
			}
			if code == "AccessDeniedException" && !strings.Contains(err.Error(), "on arn:aws:ssm:eu-west-1:*:parameter/a") {
				t.Error(err)
			}
		}
	}
}

func TestPermissions(t *testing.T) {
	store := params.New(params.Config{})
	src := ssm.From(aws.Config{Region: "us-gov-west-1"})
	for _, r := range []params.Ref{src.Parameter("/a/b"), src.Parameter("/a/b:3"), src.Parameter("plain").KMSKey("arn:key"),
		src.Path("/flags/"), src.Parameter("arn:aws-us-gov:ssm:us-gov-west-1:1:parameter/x:2")} {
		params.String(store, r)
	}
	arn := "arn:aws-us-gov:ssm:us-gov-west-1:*:parameter/"
	want := []middy.Permission{
		{Actions: []string{"ssm:GetParameters"}, Resources: []string{arn + "a/b", arn + "plain", "arn:aws-us-gov:ssm:us-gov-west-1:1:parameter/x"}, Reason: "parameters that are declared"},
		{Actions: []string{"ssm:GetParametersByPath"}, Resources: []string{arn + "flags"}, Reason: "paths that are declared"},
		{Actions: []string{"kms:Decrypt"}, Resources: []string{"arn:key"}, Reason: "the customer's key of a parameter",
			Condition: map[string]map[string]string{"StringEquals": {"kms:ViaService": "ssm.us-gov-west-1.amazonaws.com"},
				"StringLike": {"kms:EncryptionContext:PARAMETER_ARN": arn + "plain"}}},
	}
	if d := cmp.Diff(want, store.Permissions()); d != "" {
		t.Error(d)
	}
}

func TestAReplicaIsAskedInItsRegion(t *testing.T) {
	store := params.New(params.Config{})
	params.String(store, ssm.From(aws.Config{Region: "eu-west-1"}).Parameter("/a").Replica("eu-central-1"))
	var resources []string
	for _, p := range store.Permissions() {
		resources = append(resources, p.Resources...)
	}
	if !slices.Equal(resources, []string{"arn:aws:ssm:eu-west-1:*:parameter/a", "arn:aws:ssm:eu-central-1:*:parameter/a"}) {
		t.Error(resources)
	}
}
