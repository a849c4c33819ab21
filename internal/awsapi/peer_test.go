//lint:file-ignore SA1019 deprecated resolvers must not be ignored

package awsapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	secretsService = Service{ID: "Secrets Manager", Signing: "secretsmanager", Target: "secretsmanager", PlainDualStack: true}
	ssmService     = Service{ID: "SSM", Signing: "ssm", Target: "AmazonSSM", GovNoFIPSPrefix: true}
)

// wire answers requests from a script and keeps them.
type wire struct {
	answers  []answer
	requests []*http.Request
	bodies   []string
}

type answer struct {
	status int
	header map[string]string
	body   string
	err    error
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	w.requests, w.bodies = append(w.requests, r), append(w.bodies, string(body))
	a := w.answers[min(len(w.requests), len(w.answers))-1]
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}, "X-Amzn-Requestid": {"req-1"}}
	for k, v := range a.header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)),
		ContentLength: int64(len(a.body)), Request: r}, nil
}

func config(w *wire) aws.Config {
	return aws.Config{
		Region:     "eu-west-1",
		HTTPClient: w,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET", SessionToken: "TOKEN"}, nil
		}),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
}

type getInput struct {
	SecretId     string
	VersionStage string `json:",omitempty"`
}

// both makes one call with the generated client and one with ours.
func both(t *testing.T, answers ...answer) (ours, theirs *wire, ourErr, theirErr error) {
	t.Helper()
	ours, theirs = &wire{answers: answers}, &wire{answers: answers}
	_, theirErr = secretsmanager.NewFromConfig(config(theirs)).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
		SecretId: aws.String("a<b>&c"), VersionStage: aws.String("AWSPENDING"),
	})
	var out struct{ Name string }
	ourErr = New(secretsService, config(ours)).Do(t.Context(), "GetSecretValue", getInput{"a<b>&c", "AWSPENDING"}, &out)
	return ours, theirs, ourErr, theirErr
}

func TestTheWireIsTheGeneratedClients(t *testing.T) {
	ours, theirs, err, peerErr := both(t, answer{status: 200, body: `{"Name":"x"}`})
	if err != nil || peerErr != nil {
		t.Fatal(err, peerErr)
	}
	if d := cmp.Diff(theirs.bodies, ours.bodies); d != "" {
		t.Error("body:", d)
	}
	a, b := theirs.requests[0], ours.requests[0]
	if a.Method != b.Method || a.URL.String() != b.URL.String() || a.ContentLength != b.ContentLength {
		t.Error(a.Method, a.URL, a.ContentLength, "is not", b.Method, b.URL, b.ContentLength)
	}
	for _, h := range []string{"X-Amz-Target", "Content-Type", "X-Amz-Security-Token", "Amz-Sdk-Request"} {
		if a.Header.Get(h) != b.Header.Get(h) || b.Header.Get(h) == "" {
			t.Errorf("%s: %q is not %q", h, b.Header.Get(h), a.Header.Get(h))
		}
	}
	for _, part := range []string{"Credential=AKID/", "SignedHeaders="} {
		if x, y := cut(a, part), cut(b, part); x != y || x == "" {
			t.Errorf("Authorization %s %q is not %q", part, y, x)
		}
	}
	if names(a.Header) != names(b.Header) {
		t.Errorf("headers %s are not %s", names(b.Header), names(a.Header))
	}
	if ua := b.Header.Get("User-Agent"); !strings.Contains(ua, "lib/middy") || !strings.Contains(ua, "api/secretsmanager#") {
		t.Error(ua)
	}
}

func cut(r *http.Request, part string) string {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), part)
	rest, _, _ = strings.Cut(rest, ",")
	return rest
}

func names(h http.Header) string {
	var n []string
	for k := range h {
		n = append(n, k)
	}
	slices.Sort(n)
	return strings.Join(n, " ")
}

// described is what a caller can see of an error, whatever its Go type.
func described(err error) string {
	if err == nil {
		return "none"
	}
	var b bytes.Buffer
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		fmt.Fprintf(&b, "%s %s;", op.Service(), op.Operation())
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		fmt.Fprintf(&b, "%s: %s;", api.ErrorCode(), api.ErrorMessage())
	}
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		fmt.Fprintf(&b, "%d %s;", resp.HTTPStatusCode(), resp.ServiceRequestID())
	}
	if sent, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		fmt.Fprintf(&b, "send: %v;", sent.Err)
	}
	if n, ok := errors.AsType[*retry.MaxAttemptsError](err); ok {
		fmt.Fprintf(&b, "attempts: %d;", n.Attempt)
	}
	return b.String()
}

func TestErrorsAreTheGeneratedClients(t *testing.T) {
	ok := answer{status: 200, body: `{"Name":"x"}`}
	for name, answers := range map[string][]answer{
		"modelled":             {{status: 400, body: `{"__type":"ResourceNotFoundException","Message":"no such secret"}`}},
		"with a namespace":     {{status: 400, body: `{"__type":"com.amazon#AccessDeniedException:http://x","message":"no"}`}},
		"in the header":        {{status: 400, header: map[string]string{"X-Amzn-ErrorType": "ValidationException:http://x"}, body: `{"message":"m"}`}},
		"with a code member":   {{status: 400, body: `{"code":"SomeCode","message":"m"}`}},
		"with a number code":   {{status: 400, body: `{"code":17,"message":"m"}`}},
		"empty":                {{status: 400}},
		"server error, thrice": {{status: 500, body: `{"__type":"InternalServiceError","message":"m"}`}},
		"server error, once":   {{status: 503, body: `{}`}, ok},
		"throttled, once":      {{status: 400, body: `{"__type":"ThrottlingException","message":"m"}`}, ok},
		"reset, thrice":        {{err: &connReset{}}},
		"reset, once":          {{err: &connReset{}}, ok},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs, err, peerErr := both(t, answers...)
			if d := cmp.Diff(described(peerErr), described(err)); d != "" {
				t.Error(d)
			}
			if len(ours.requests) != len(theirs.requests) {
				t.Errorf("%d requests; the generated client makes %d", len(ours.requests), len(theirs.requests))
			}
			if last := len(ours.requests) - 1; ours.bodies[last] != ours.bodies[0] {
				t.Error("the body of a retry differs")
			}
		})
	}
}

type connReset struct{}

func (*connReset) Error() string   { return "connection reset" }
func (*connReset) Timeout() bool   { return false }
func (*connReset) Temporary() bool { return true }

func TestAProxysPageIsAnErrorOfItsOwn(t *testing.T) {
	w := &wire{answers: []answer{{status: 403, body: "<html>secret-canary"}}}
	err := New(secretsService, config(w)).Do(t.Context(), "GetSecretValue", getInput{}, nil)
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "proxy") {
		t.Error(err)
	}
}

func TestABadAnswerIsNotQuoted(t *testing.T) {
	for _, body := range []string{`{"Name":"secret-canary`, `{"Name":{"secret-canary":1}}`, `secret-canary`} {
		w := &wire{answers: []answer{{status: 200, body: body}}}
		var out struct{ Name string }
		err := New(secretsService, config(w)).Do(t.Context(), "GetSecretValue", getInput{}, &out)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Error(err)
		}
	}
}

// order is the IDs of a stack, in the order they run.
func order(s *middleware.Stack) map[string][]string {
	return map[string][]string{
		"Initialize": s.Initialize.List(), "Serialize": s.Serialize.List(), "Build": s.Build.List(),
		"Finalize": s.Finalize.List(), "Deserialize": s.Deserialize.List(),
	}
}

func TestTheStackIsTheGeneratedClients(t *testing.T) {
	// What a generated client has and this one needs no step for.
	without := []string{"setOperationInput", "ResolveEndpoint", "ResolveAuthScheme", "setLegacyContextSigningOptions", "disableHTTPS",
		"InterceptBeforeRetryLoop", "InterceptAttempt", "OperationInputValidation", "legacyEndpointContextSetter", "SpanInitializeStart", "SpanInitializeEnd", "SpanBuildRequestStart", "SpanBuildRequestEnd"}
	var ours, theirs map[string][]string
	capture := func(into *map[string][]string) func(*middleware.Stack) error {
		return func(s *middleware.Stack) error {
			*into = order(s)
			return nil
		}
	}
	w := &wire{answers: []answer{{status: 200, body: "{}"}}}
	cfg := config(w)
	cfg.APIOptions = []func(*middleware.Stack) error{capture(&theirs)}
	_, _ = secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
	cfg.APIOptions = []func(*middleware.Stack) error{capture(&ours)}
	_ = New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil)
	for step, ids := range theirs {
		theirs[step] = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(without, id) })
	}
	if d := cmp.Diff(theirs, ours, cmpopts.EquateEmpty()); d != "" {
		t.Error("an SDK upgrade changed its stack; follow it in build:", d)
	}
}

func TestServiceOptionsFindAGeneratedClientsFields(t *testing.T) {
	w := &wire{answers: []answer{{status: 200, body: "{}"}}}
	cfg := config(w)
	other := &wire{answers: w.answers}
	cfg.ServiceOptions = []func(string, any){func(id string, o any) {
		if id != secretsmanager.ServiceID {
			t.Error(id)
		}
		opts := o.(*Options)
		opts.HTTPClient, opts.Region, opts.BaseEndpoint = other, "us-east-2", aws.String("http://127.0.0.1:1/base/")
		opts.RetryMaxAttempts = 1
	}}
	if err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil); err != nil {
		t.Fatal(err)
	}
	r := other.requests[0]
	if r.URL.String() != "http://127.0.0.1:1/base/" || !strings.Contains(r.Header.Get("Authorization"), "/us-east-2/secretsmanager/") {
		t.Error(r.URL, r.Header)
	}
}

// ends records which interceptors ran.
type ends struct{ calls []string }

func (e *ends) BeforeExecution(context.Context, *smithyhttp.InterceptorContext) error {
	e.calls = append(e.calls, "BeforeExecution")
	return nil
}
func (e *ends) BeforeAttempt(context.Context, *smithyhttp.InterceptorContext) error {
	e.calls = append(e.calls, "BeforeAttempt")
	return nil
}
func (e *ends) AfterSigning(context.Context, *smithyhttp.InterceptorContext) error {
	e.calls = append(e.calls, "AfterSigning")
	return nil
}
func (e *ends) AfterExecution(context.Context, *smithyhttp.InterceptorContext) error {
	e.calls = append(e.calls, "AfterExecution")
	return nil
}

func TestInterceptorsRun(t *testing.T) {
	w := &wire{answers: []answer{{status: 200, body: "{}"}}}
	cfg, e := config(w), &ends{}
	cfg.Interceptors.AddBeforeExecution(e)
	cfg.Interceptors.AddBeforeAttempt(e)
	cfg.Interceptors.AddAfterSigning(e)
	cfg.Interceptors.AddAfterExecution(e)
	if err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"BeforeExecution", "BeforeAttempt", "AfterSigning", "AfterExecution"}, e.calls); d != "" {
		t.Error(d)
	}
}

func TestRetryModesAndAttempts(t *testing.T) {
	for _, tt := range []struct {
		mode     aws.RetryMode
		attempts int
		want     int
	}{{"", 0, 3}, {aws.RetryModeStandard, 1, 1}, {aws.RetryModeAdaptive, 2, 2}} {
		w := &wire{answers: []answer{{status: 500, body: "{}"}}}
		cfg := config(w)
		cfg.RetryMode, cfg.RetryMaxAttempts = tt.mode, tt.attempts
		if tt.want < 3 {
			cfg.Retryer = nil
		}
		_ = New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil)
		if len(w.requests) != tt.want {
			t.Errorf("%+v: %d requests", tt, len(w.requests))
		}
	}
}

func TestSkewIsCorrectedAsTheSDKDoesUnlessDisabled(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		w := &wire{answers: []answer{{status: 200, body: "{}", header: map[string]string{"Date": time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}}}
		cfg := config(w)
		cfg.DisableClockSkewCorrection = disabled
		c := New(secretsService, cfg)
		for range 2 {
			if err := c.Do(t.Context(), "GetSecretValue", getInput{}, nil); err != nil {
				t.Fatal(err)
			}
		}
		at, err := time.Parse("20060102T150405Z", w.requests[1].Header.Get("X-Amz-Date"))
		if ahead := time.Until(at) > 50*time.Minute; err != nil || ahead == disabled {
			t.Error(at, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Run("none: the request is anonymous, as the SDK's", func(t *testing.T) {
		w := &wire{answers: []answer{{status: 200, body: "{}"}}}
		cfg := config(w)
		cfg.Credentials = aws.AnonymousCredentials{}
		if err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil); err != nil {
			t.Fatal(err)
		}
		if w.requests[0].Header.Get("Authorization") != "" {
			t.Error("signed")
		}
	})
	t.Run("failing: the error says so", func(t *testing.T) {
		cfg := config(&wire{})
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no role")
		})
		err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil)
		if err == nil || !strings.Contains(err.Error(), "get credentials: no role") {
			t.Error(err)
		}
	})
}

func TestIdentity(t *testing.T) {
	provider := func(id string) aws.CredentialsProviderFunc {
		return func(context.Context) (aws.Credentials, error) { return aws.Credentials{AccessKeyID: id}, nil }
	}
	a, b := provider("a"), provider("b")
	cache := aws.NewCredentialsCache(a)
	if Identity(a) != Identity(a) || Identity(cache) != Identity(cache) || Identity(nil) != Identity(nil) {
		t.Error("one provider is not itself")
	}
	if Identity(a) == Identity(b) || Identity(a) == Identity(cache) || Identity(cache) == Identity(aws.NewCredentialsCache(a)) {
		t.Error("two providers are one")
	}
	u := uncomparable{[]int{1}}
	if Identity(u) == Identity(u) {
		t.Error("an uncomparable provider must not be taken for another")
	}
}

type uncomparable struct{ s []int }

func (uncomparable) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials{}, nil }

func TestBodyModesDoNotLogSecrets(t *testing.T) {
	w := &wire{answers: []answer{{status: 200, body: `{"SecretString":"secret-canary"}`}}}
	cfg := config(w)
	var log bytes.Buffer
	cfg.Logger = logger{&log}
	cfg.ClientLogMode = aws.LogRequestWithBody | aws.LogResponseWithBody | aws.LogSigning | aws.LogRetries
	if err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil); err != nil {
		t.Fatal(err)
	}
	if log.Len() == 0 || strings.Contains(log.String(), "canary") {
		t.Error(log.String())
	}
}

type logger struct{ w io.Writer }

func (l logger) Logf(_ logging.Classification, format string, v ...any) {
	fmt.Fprintf(l.w, format, v...)
}

func TestEndpointsAreTheGeneratedClients(t *testing.T) {
	regions := []string{"us-east-1", "eu-west-3", "ap-northeast-1", "mx-central-1", "cn-north-1", "us-gov-west-1", "us-gov-east-1",
		"us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1", "eusc-de-east-1", "xx-new-1", "fips-us-east-1", "us-west-2-fips", ""}
	for _, region := range regions {
		for _, fips := range []aws.FIPSEndpointState{aws.FIPSEndpointStateUnset, aws.FIPSEndpointStateEnabled} {
			for _, dual := range []aws.DualStackEndpointState{aws.DualStackEndpointStateUnset, aws.DualStackEndpointStateEnabled} {
				name := fmt.Sprintf("%s fips=%d dual=%d", region, fips, dual)
				cfg := aws.Config{Region: region, ConfigSources: []any{sources{fips: fips, dual: dual}}}
				peer(t, name, cfg)
			}
		}
	}
}

// peer compares where the generated clients and ours send a request.
func peer(t *testing.T, name string, cfg aws.Config) {
	t.Helper()
	var hosts []string
	base := config(&wire{})
	cfg.Credentials, cfg.Retryer = base.Credentials, base.Retryer
	for _, call := range []func(aws.Config) error{
		func(cfg aws.Config) error {
			_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
			return err
		},
		func(cfg aws.Config) error {
			return New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil)
		},
		func(cfg aws.Config) error {
			_, err := ssm.NewFromConfig(cfg).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("a")})
			return err
		},
		func(cfg aws.Config) error {
			return New(ssmService, cfg).Do(t.Context(), "GetParameter", getInput{}, nil)
		},
	} {
		w := &wire{answers: []answer{{status: 200, body: "{}"}}}
		cfg.HTTPClient = w
		err := call(cfg)
		host := "refused"
		if err == nil {
			host = w.requests[0].URL.String()
			if !strings.Contains(cfg.Region, "fips") { // there the generated client signs for the pseudo region, which no server knows
				host += " " + cut(w.requests[0], "Credential=AKID/")
			}
		}
		hosts = append(hosts, host)
	}
	if hosts[0] != hosts[1] || hosts[2] != hosts[3] {
		t.Errorf("%s: %q", name, hosts)
	}
}

// sources stands in for the SDK's config package.
type sources struct {
	fips     aws.FIPSEndpointState
	dual     aws.DualStackEndpointState
	endpoint string
	ignore   bool
}

func (s sources) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return s.fips, s.fips != aws.FIPSEndpointStateUnset, nil
}
func (s sources) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return s.dual, s.dual != aws.DualStackEndpointStateUnset, nil
}
func (s sources) GetServiceBaseEndpoint(context.Context, string) (string, bool, error) {
	return s.endpoint, s.endpoint != "", nil
}
func (s sources) GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error) {
	return s.ignore, s.ignore, nil
}

func TestCustomEndpointsAreTheGeneratedClients(t *testing.T) {
	one, two := aws.String("http://127.0.0.1:1"), "http://127.0.0.1:2/x"
	for name, cfg := range map[string]aws.Config{
		"code":              {BaseEndpoint: one, ConfigSources: []any{sources{}}},
		"service's own":     {BaseEndpoint: one, ConfigSources: []any{sources{endpoint: two}}},
		"ignored":           {BaseEndpoint: one, ConfigSources: []any{sources{endpoint: two, ignore: true}}},
		"with FIPS":         {BaseEndpoint: one, ConfigSources: []any{sources{fips: aws.FIPSEndpointStateEnabled}}},
		"with dual-stack":   {BaseEndpoint: one, ConfigSources: []any{sources{dual: aws.DualStackEndpointStateEnabled}}},
		"legacy resolver":   {EndpointResolverWithOptions: legacy("http://127.0.0.1:3"), ConfigSources: []any{sources{}}},
		"legacy, not found": {EndpointResolverWithOptions: legacy(""), ConfigSources: []any{sources{}}},
	} {
		cfg.Region = "eu-west-1"
		peer(t, name, cfg)
	}
	t.Run("global in the environment", func(t *testing.T) {
		t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4")
		peer(t, "global", aws.Config{Region: "eu-west-1", BaseEndpoint: one, ConfigSources: []any{sources{endpoint: two}}})
	})
}

func legacy(url string) aws.EndpointResolverWithOptions {
	return aws.EndpointResolverWithOptionsFunc(func(service, region string, _ ...any) (aws.Endpoint, error) {
		if url == "" {
			return aws.Endpoint{}, &aws.EndpointNotFoundError{}
		}
		return aws.Endpoint{URL: url, SigningRegion: region}, nil
	})
}

func TestTheEnvironmentStandsInForConfigSources(t *testing.T) {
	for _, tt := range []struct {
		name, env, value, want string
	}{
		{"service", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:5", "http://127.0.0.1:5/"},
		{"global", "AWS_ENDPOINT_URL", "http://127.0.0.1:6", "http://127.0.0.1:6/"},
		{"FIPS", "AWS_USE_FIPS_ENDPOINT", "true", "https://secretsmanager-fips.eu-west-1.amazonaws.com/"},
		{"dual-stack", "AWS_USE_DUALSTACK_ENDPOINT", "TRUE", "https://secretsmanager.eu-west-1.amazonaws.com/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(tt.env, tt.value)
			w := &wire{answers: []answer{{status: 200, body: "{}"}}}
			if err := New(secretsService, config(w)).Do(t.Context(), "GetSecretValue", getInput{}, nil); err != nil {
				t.Fatal(err)
			}
			if got := w.requests[0].URL.String(); got != tt.want {
				t.Errorf("%s; want %s", got, tt.want)
			}
			t.Setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
			if c := New(secretsService, config(w)); c.Endpoint() != "" {
				t.Error("ignored, but", c.Endpoint())
			}
		})
	}
}

func TestBadEndpointsAreRefusedInWords(t *testing.T) {
	for _, tt := range []struct {
		region, endpoint, want string
	}{
		{"", "", "no region"},
		{"eu-west-1.evil.example/", "", "is not a host label"},
		{"-x", "", "is not a host label"},
		{"eu-west-1", "ftp://x", "not an http or https URL"},
		{"eu-west-1", "://", "not an http or https URL"},
		{"eu-west-1", "localhost:4566", "not an http or https URL"},
	} {
		cfg := config(&wire{})
		cfg.Region = tt.region
		if tt.endpoint != "" {
			cfg.BaseEndpoint = &tt.endpoint
		}
		err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestARegionIsAHostLabel(t *testing.T) {
	for region, ok := range map[string]bool{
		"eu-west-1": true, "azAZ09-": true, strings.Repeat("a", 63): true,
		strings.Repeat("a", 64): false, "-a": false, "a/": false, "a:": false, "a@": false, "a[": false, "a`": false, "a{": false, "a.b": false, "é": false,
	} {
		if got := validRegion(region); got != ok {
			t.Errorf("the region %q is a host label: %v; want %v", region, got, ok)
		}
	}
}

func TestServerTimeAndRequestIDReachInterestedMiddlewares(t *testing.T) {
	w := &wire{answers: []answer{{status: 200, body: "{}"}}}
	cfg := config(w)
	var id string
	var at time.Time
	cfg.APIOptions = []func(*middleware.Stack) error{func(s *middleware.Stack) error {
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("look", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			out, md, err := next.HandleFinalize(ctx, in)
			id, _ = awsmiddleware.GetRequestIDMetadata(md)
			at, _ = awsmiddleware.GetServerTime(md)
			return out, md, err
		}), "Retry", middleware.Before)
	}}
	if err := New(secretsService, cfg).Do(t.Context(), "GetSecretValue", getInput{}, nil); err != nil {
		t.Fatal(err)
	}
	if id != "req-1" || time.Since(at) > time.Minute {
		t.Error(id, at)
	}
}
