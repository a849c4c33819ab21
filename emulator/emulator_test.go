package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/goleak"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) *emulatortest.Emulator {
	t.Helper()
	return emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"prod/db": `{"password":"canary-value"}`}, Parameters: map[string]string{"/orders/limit": "5"}})
}

// client calls once: what the service said is what the test sees.
func client(e *emulatortest.Emulator) *secretsmanager.Client {
	cfg := e.Config()
	cfg.RetryMaxAttempts = 1
	cfg.HTTPClient = e.HTTPClient()
	return secretsmanager.NewFromConfig(cfg)
}

func get(ctx context.Context, c *secretsmanager.Client) error {
	_, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
	return err
}

func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func statusOf(err error) int {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}

func TestSecretsAndParametersThroughTheRealClients(t *testing.T) {
	e := start(t)
	out, err := client(e).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
	if err != nil || *out.SecretString != `{"password":"canary-value"}` {
		t.Errorf("secret: %v", err)
	}
	p, err := ssm.NewFromConfig(e.Config()).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/orders/limit")})
	if err != nil || *p.Parameter.Value != "5" {
		t.Errorf("parameter: %v", err)
	}
	_, err = client(e).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("nobody")})
	if codeOf(err) != "ResourceNotFoundException" {
		t.Errorf("missing secret: %v", err)
	}
}

// TestRejectionsInJSON: the same wrongs as in package emulatortest, in the words
// of the JSON services.
func TestRejectionsInJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		break_ func(*emulatortest.Emulator, *aws.Config)
		code   string
	}{
		"wrong secret": {func(e *emulatortest.Emulator, c *aws.Config) {
			k := e.Session()
			k.SecretAccessKey += "x"
			*c = e.ConfigFor(k)
		}, "InvalidSignatureException"},
		"unknown key": {func(e *emulatortest.Emulator, c *aws.Config) {
			*c = e.ConfigFor(emulator.KeyPair{AccessKeyID: "AKIANOBODY", SecretAccessKey: "x"})
		}, "UnrecognizedClientException"},
		"wrong region":    {func(_ *emulatortest.Emulator, c *aws.Config) { c.Region = "eu-north-1" }, "InvalidSignatureException"},
		"10 min slow":     {func(e *emulatortest.Emulator, _ *aws.Config) { e.Clock().Step(10 * time.Minute) }, "InvalidSignatureException"},
		"10 min fast":     {func(e *emulatortest.Emulator, _ *aws.Config) { e.Clock().Step(-10 * time.Minute) }, "InvalidSignatureException"},
		"expired session": {func(e *emulatortest.Emulator, _ *aws.Config) { e.Credentials().Expire(e.Session().AccessKeyID) }, "ExpiredTokenException"},
		"anonymous":       {func(_ *emulatortest.Emulator, c *aws.Config) { c.Credentials = aws.AnonymousCredentials{} }, "MissingAuthenticationTokenException"},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			cfg := e.Config()
			tc.break_(e, &cfg)
			cfg.RetryMaxAttempts = 1
			err := get(t.Context(), secretsmanager.NewFromConfig(cfg))
			if codeOf(err) != tc.code || statusOf(err) != 400 {
				t.Errorf("got %v, want %s with status 400", err, tc.code)
			}
			last := e.Requests()[len(e.Requests())-1]
			if last.ErrorCode != tc.code || last.Reason == "" || last.Service != "secretsmanager" || last.Operation != "GetSecretValue" {
				t.Errorf("record: %+v", last)
			}
		})
	}
}

// TestFreezeAndSkewLookDifferentToTheClient is the reason for two offsets: the
// SDK heals a skew it can see in Date, and is helpless where Date shows none.
func TestFreezeAndSkewLookDifferentToTheClient(t *testing.T) {
	for name, tc := range map[string]struct {
		move     func(*emulator.Clock)
		attempts int
		ok       bool
	}{
		"skew is healed by the second attempt": {func(c *emulator.Clock) { c.Step(10 * time.Minute) }, 2, true},
		"freeze is not retried":                {func(c *emulator.Clock) { c.Freeze(10 * time.Minute) }, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			tc.move(e.Clock())
			err := get(t.Context(), secretsmanager.NewFromConfig(e.Config()))
			if (err == nil) != tc.ok || len(e.Requests()) != tc.attempts {
				t.Errorf("err %v after %d requests, want ok=%t after %d", err, len(e.Requests()), tc.ok, tc.attempts)
			}
			if age := e.Requests()[0].Age; age < 10*time.Minute || age > 11*time.Minute {
				t.Errorf("recorded age %s", age)
			}
		})
	}
}

func TestWindowIsScaledAndSaysSo(t *testing.T) {
	e := start(t)
	e.Clock().SetWindow(2 * time.Second)
	if err := get(t.Context(), client(e)); err != nil {
		t.Fatalf("fresh signature: %v", err)
	}
	e.Clock().Freeze(4 * time.Second)
	if err := get(t.Context(), client(e)); err == nil || !strings.Contains(err.Error(), " - 2 sec.)") {
		t.Errorf("got %v", err)
	}
}

func TestChaosErrors(t *testing.T) {
	for _, tc := range []struct {
		effect emulator.Effect
		code   string
		status int
	}{
		{emulator.Throttle, "ThrottlingException", 400},
		{emulator.InternalError, "InternalServiceError", 500},
		{emulator.Unavailable, "ServiceUnavailableException", 503},
		{emulator.ExpiredToken, "ExpiredTokenException", 400},
		{emulator.SpuriousSignature, "InvalidSignatureException", 400},
	} {
		t.Run(string(tc.effect), func(t *testing.T) {
			e, ctx := start(t), t.Context()
			remove := e.Chaos().Add(emulator.Rule{Effect: tc.effect, Service: "secretsmanager", Times: 2})
			defer remove()
			c := client(e)
			for range 2 {
				if err := get(ctx, c); codeOf(err) != tc.code || statusOf(err) != tc.status {
					t.Errorf("got %v", err)
				}
			}
			if err := get(ctx, c); err != nil {
				t.Errorf("after Times are used up: %v", err)
			}
			if got := e.Requests()[0].Chaos; !slices.Equal(got, []emulator.Effect{tc.effect}) {
				t.Errorf("recorded chaos %v", got)
			}
		})
	}
}

func TestResetIsAConnectionReset(t *testing.T) {
	for _, effect := range []emulator.Effect{emulator.Reset, emulator.Outage, emulator.ResetResponse} {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprint(effect, " tls=", tls), func(t *testing.T) {
				e := emulatortest.Start(t, emulatortest.Config{TLS: tls, Seed: map[string]string{"prod/db": "x"}})
				remove := e.Chaos().Add(emulator.Rule{Effect: effect})
				c := client(e)
				err := get(t.Context(), c)
				if err == nil || (!tls && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF)) {
					t.Errorf("got %v", err)
				}
				remove()
				if err := get(t.Context(), c); err != nil {
					t.Errorf("after the outage: %v", err)
				}
				if r := e.Requests()[0]; r.Status != 0 || r.ErrorCode != "Reset" {
					t.Errorf("record: %+v", r)
				}
			})
		}
	}
}

// TestBlackHole: the request is taken, counted as in flight, and never answered;
// it ends when the client leaves or the rule is removed.
func TestBlackHole(t *testing.T) {
	e := start(t)
	remove := e.Chaos().Add(emulator.Rule{Effect: emulator.BlackHole})
	ended := make(chan emulator.Record, 2)
	defer e.Subscribe(func(r emulator.Record) { ended <- r })()

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- get(ctx, client(e)) }()
	waitFor(t, func() bool { return e.InFlight() == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("client: %v", err)
	}
	if r := <-ended; r.ErrorCode != "ClientLeft" {
		t.Errorf("record: %+v", r)
	}

	go func() { done <- get(t.Context(), client(e)) }()
	waitFor(t, func() bool { return e.Chaos().Rules()[0].Held == 1 }) // in flight is not yet swallowed
	remove()
	if err := <-done; err == nil {
		t.Error("a swallowed request was answered")
	}
	if r := <-ended; r.ErrorCode != "BlackHole" {
		t.Errorf("record: %+v", r)
	}
}

// waitFor polls a condition that has no signal, and yields in between.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("condition never became true")
		}
	}
}

// TestFrozenResponse: the answer was finished, Date included, before the clock
// moved; the client that reads it late learns an old Date.
func TestFrozenResponse(t *testing.T) {
	e := start(t)
	remove := e.Chaos().Add(emulator.Rule{Effect: emulator.FrozenResponse})
	before := e.Clock().Date()
	got := make(chan time.Time, 1)
	go func() {
		resp, err := http.DefaultClient.Do(signedGet(t, e))
		if err != nil {
			t.Error(err)
			got <- time.Time{}
			return
		}
		defer resp.Body.Close()
		date, err := http.ParseTime(resp.Header.Get("Date"))
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("status %d, date %v", resp.StatusCode, err)
		}
		got <- date
	}()
	waitFor(t, func() bool { return e.Chaos().Rules()[0].Held == 1 })
	e.Clock().Step(time.Hour)
	remove()
	if date := <-got; date.Sub(before) > time.Minute {
		t.Errorf("Date %s was stamped after the freeze that began at %s", date, before)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestLatencyAgesTheSignature(t *testing.T) {
	e := start(t)
	e.Clock().SetWindow(time.Second)
	remove := e.Chaos().Add(emulator.Rule{Effect: emulator.Latency, Delay: time.Hour})
	done := make(chan error, 1)
	go func() { done <- get(t.Context(), client(e)) }()
	waitFor(t, func() bool { return e.InFlight() == 1 })
	e.Clock().Freeze(3 * time.Second)
	remove()
	if err := <-done; codeOf(err) != "InvalidSignatureException" {
		t.Errorf("got %v", err)
	}
}

func TestSlowResponse(t *testing.T) {
	e := start(t)
	e.Chaos().Add(emulator.Rule{Effect: emulator.SlowResponse, Delay: 30 * time.Millisecond, Times: 1})
	if err := get(t.Context(), client(e)); err != nil {
		t.Fatal(err)
	}
	if d := e.Requests()[0].Duration; d < 30*time.Millisecond {
		t.Errorf("held for %s", d)
	}
}

func TestDateCanBeMissingAndAgePresent(t *testing.T) {
	e := start(t)
	e.Chaos().Add(emulator.Rule{Effect: emulator.NoDate})
	e.Chaos().Add(emulator.Rule{Effect: emulator.AgeHeader, Delay: 90 * time.Second})
	resp, err := http.DefaultClient.Do(signedGet(t, e))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if _, ok := resp.Header["Date"]; ok || resp.Header.Get("Age") != "90" || resp.StatusCode != 200 {
		t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
}

// TestSeedRepeats: the same seed gives the same faults in the same places.
func TestSeedRepeats(t *testing.T) {
	pattern := func(seed uint64) string {
		e := emulatortest.Start(t, emulatortest.Config{ChaosSeed: seed, Seed: map[string]string{"prod/db": "x"}})
		e.Chaos().Add(emulator.Rule{Effect: emulator.InternalError, Probability: 0.5})
		var b strings.Builder
		c := client(e)
		for range 24 {
			if get(t.Context(), c) == nil {
				b.WriteByte('.')
			} else {
				b.WriteByte('x')
			}
		}
		return b.String()
	}
	one := pattern(1)
	if two := pattern(1); one != two || !strings.Contains(one, ".") || !strings.Contains(one, "x") {
		t.Errorf("seed 1 gave %s and %s", one, two)
	}
	if other := pattern(2); other == one {
		t.Errorf("seed 2 gave the same %s", other)
	}
}

func TestRuleScopeSkipAndOrder(t *testing.T) {
	e := start(t)
	e.Chaos().Add(emulator.Rule{Effect: emulator.Throttle, Operation: "DescribeSecret"})
	e.Chaos().Add(emulator.Rule{Effect: emulator.Throttle, Service: "ssm"})
	e.Chaos().Add(emulator.Rule{Effect: emulator.InternalError, Skip: 1, Times: 1})
	c, ctx := client(e), t.Context()
	var codes []string
	for range 3 {
		codes = append(codes, codeOf(get(ctx, c)))
	}
	if want := []string{"", "InternalServiceError", ""}; !slices.Equal(codes, want) {
		t.Errorf("codes %q, want %q", codes, want)
	}
	_, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db")})
	if codeOf(err) != "ThrottlingException" {
		t.Errorf("DescribeSecret: %v", err)
	}
	e.Chaos().Clear()
	if _, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db")}); err != nil {
		t.Errorf("after Clear: %v", err)
	}
}

func TestBadRulesAreNamed(t *testing.T) {
	for _, r := range []emulator.Rule{{}, {Effect: "fire"}, {Effect: emulator.Throttle, Probability: 2}, {Effect: emulator.Latency}, {Effect: emulator.Throttle, Times: -1}} {
		if err := r.Validate(); !errors.Is(err, emulator.ErrRule) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Add accepted a bad rule")
		}
	}()
	start(t).Chaos().Add(emulator.Rule{Effect: "fire"})
}

func TestPolicyDeniesInAWSsWords(t *testing.T) {
	e := start(t)
	key := e.Session().AccessKeyID
	e.Credentials().Allow(key, []emulator.Statement{{
		Actions:   []string{"secretsmanager:GetSecretValue"},
		Resources: []string{"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-??????"},
	}})
	c := client(e)
	if err := get(t.Context(), c); err != nil {
		t.Errorf("allowed call: %v", err)
	}
	_, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db")})
	want := "User: arn:aws:sts::123456789012:assumed-role/middy-local/function is not authorized to perform: secretsmanager:DescribeSecret" +
		" on resource: prod/db because no identity-based policy allows the secretsmanager:DescribeSecret action"
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "AccessDeniedException" || api.ErrorMessage() != want {
		t.Errorf("got %v", err)
	}
	_, err = c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/other")})
	if codeOf(err) != "AccessDeniedException" {
		t.Errorf("other secret: %v", err)
	}
	e.Credentials().AllowAll(key)
	if _, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("prod/db")}); err != nil {
		t.Errorf("after AllowAll: %v", err)
	}
}

func TestUnknownTargetsAreUnknownOperations(t *testing.T) {
	e := start(t)
	for target, want := range map[string]string{"Nobody.DoIt": "UnknownOperationException", "secretsmanager.DoIt": "UnknownOperationException"} {
		r := signedTarget(t, e, target, "{}")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 400 || !strings.Contains(string(body), `"__type":"`+want+`"`) || resp.Header.Get("Content-Type") != "application/x-amz-json-1.1" ||
			resp.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: %d %s %v", target, resp.StatusCode, body, resp.Header)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestOversizedBodyIsRefused(t *testing.T) {
	e := start(t)
	resp, err := http.DefaultClient.Do(signedTarget(t, e, "secretsmanager.GetSecretValue", strings.Repeat("x", 10<<20+1)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestRecordsAreBoundedAndOrdered(t *testing.T) {
	srv := emulator.New(emulator.Config{MaxRecords: 3})
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		resp, err := http.Post(srv.URL(), "application/x-amz-json-1.1", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	var ids []uint64
	for _, r := range srv.Requests() {
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, []uint64{3, 4, 5}) {
		t.Errorf("ids %v", ids)
	}
	srv.ResetRequests()
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("%d records after reset", n)
	}
	if err := srv.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestConcurrentCallsAreCounted(t *testing.T) {
	e := start(t)
	remove := e.Chaos().Add(emulator.Rule{Effect: emulator.Latency, Delay: time.Hour})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := get(t.Context(), client(e)); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(t, func() bool { return e.InFlight() == 20 })
	remove()
	wg.Wait()
	if n, m := e.InFlight(), len(e.Requests()); n != 0 || m != 20 {
		t.Errorf("%d in flight, %d recorded", n, m)
	}
}

func TestStart(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "foo.localhost:0", "example.com:0"} { // a name may be looked up elsewhere
		if err := emulator.New(emulator.Config{Addr: addr}).Start(t.Context()); !errors.Is(err, emulator.ErrNotLoopback) {
			t.Errorf("listening on %s gave %v, want ErrNotLoopback", addr, err)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = emulator.New(emulator.Config{Addr: taken.Addr().String()}).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("taken port: %v", err)
	}
	srv := emulator.New(emulator.Config{})
	if srv.URL() != "" {
		t.Errorf("URL before Start: %s", srv.URL())
	}
	if err := srv.Close(t.Context()); err != nil {
		t.Errorf("Close before Start: %v", err)
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := srv.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	if err := srv.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEnvMakesTheSDKFindIt(t *testing.T) {
	e := start(t)
	keys := map[string]string{}
	for _, kv := range e.Env() {
		k, v, _ := strings.Cut(kv, "=")
		keys[k] = v
	}
	for _, k := range []string{"AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL_STS"} {
		if keys[k] != e.URL() {
			t.Errorf("%s=%s", k, keys[k])
		}
	}
	for _, k := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		if keys[k] == "" {
			t.Errorf("%s is empty", k)
		}
	}
}

// TestHTTP2WithoutTLS: a client that begins with HTTP/2 gets it.
func TestHTTP2WithoutTLS(t *testing.T) {
	e := start(t)
	tr := e.Transport()
	tr.Protocols = new(http.Protocols)
	tr.Protocols.SetUnencryptedHTTP2(true)
	cfg := e.Config()
	cfg.HTTPClient = &http.Client{Transport: tr}
	if err := get(t.Context(), secretsmanager.NewFromConfig(cfg)); err != nil {
		t.Fatal(err)
	}
	if p := e.Requests()[0].Proto; p != "HTTP/2.0" {
		t.Errorf("protocol %s", p)
	}
}

func TestStartsContextEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := emulator.New(emulator.Config{AdminToken: "fixed"})
	if err := srv.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if srv.AdminToken() != "fixed" {
		t.Errorf("token %q", srv.AdminToken())
	}
	cancel()
	waitFor(t, func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL(), "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if err := srv.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCloseCutsOff what does not end by itself.
func TestCloseCutsOff(t *testing.T) {
	e := start(t)
	release := make(chan struct{})
	e.Register(fake{"secretsmanager", service.JSON11, func(*service.Call) (any, error) { <-release; return nil, nil }})
	done := make(chan error, 1)
	go func() { done <- get(t.Context(), client(e)) }()
	waitFor(t, func() bool { return e.InFlight() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Server.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 requests still in flight") {
		t.Errorf("Close: %v", err)
	}
	if err := <-done; err == nil {
		t.Error("a request that was cut off succeeded")
	}
	close(release)
	waitFor(t, func() bool { return e.InFlight() == 0 })
}
