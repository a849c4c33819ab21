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
		if string(r.Raw.Bytes) != want || (want == "") != errors.Is(r.Err, params.ErrNotFound) {
			t.Errorf("%+v: %q, %v", keys[i], r.Raw.Bytes, r.Err)
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
	raw, err := ssm.From(cfg).Fetch(t.Context(), params.Key{ID: "/p/"})
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
		return 200, fmt.Sprintf(`{"NextToken":"%d"}`, n)
	})
	if _, err := ssm.From(cfg).Fetch(t.Context(), params.Key{ID: "/"}); !errors.Is(err, params.ErrInvalid) || n != 200 {
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
		for _, id := range []string{"/a", "/a/"} {
			_, err := src.Fetch(t.Context(), params.Key{ID: id})
			if !errors.Is(err, want) {
				t.Errorf("%s %s: %v", code, id, err)
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
		src.Path("/flags/"), src.Parameter("arn:aws:ssm:eu-west-1:1:parameter/x:2"), src.Parameter("arn:short")} {
		params.String(store, r)
	}
	arn := "arn:aws-us-gov:ssm:us-gov-west-1:*:parameter/"
	want := []middy.Permission{
		{Actions: []string{"ssm:GetParameters"}, Resources: []string{arn + "a/b", arn + "plain", "arn:aws:ssm:eu-west-1:1:parameter/x", "arn:short"}, Reason: "parameters that are declared"},
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
