package freshsign

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// environ clears what FromEnv reads and sets vars.
func environ(t *testing.T, vars map[string]string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if k, _, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "AWS_") {
			t.Setenv(k, "")
			os.Unsetenv(k)
		}
	}
	for k, v := range vars {
		t.Setenv(k, v)
	}
}

func lambdaEnv(more map[string]string) map[string]string {
	vars := map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": keyPair.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": keyPair.SecretAccessKey, "AWS_SESSION_TOKEN": keyPair.SessionToken,
	}
	for k, v := range more {
		vars[k] = v
	}
	return vars
}

func TestFromEnvIsWhatLambdaProvidesAndProtected(t *testing.T) {
	environ(t, lambdaEnv(map[string]string{"AWS_SDK_UA_APP_ID": "app", "AWS_MAX_ATTEMPTS": "1", "AWS_RETRY_MODE": "Adaptive"}))
	cfg := FromEnv()
	if cfg.Region != "eu-central-1" || cfg.AppID != "app" || cfg.RetryMaxAttempts != 1 || cfg.RetryMode != aws.RetryModeAdaptive {
		t.Errorf("%+v", cfg)
	}
	g := newRig()
	g.service.now = time.Now
	g.wire.service = g.service
	cfg.HTTPClient = g.wire
	c := secretsmanager.NewFromConfig(cfg)
	if _, ok := c.Options().HTTPSignerV4.(*signer); !ok {
		t.Error("not protected")
	}
	if _, err := c.GetSecretValue(context.Background(), getInput); err != nil {
		t.Error(err)
	}
}

func TestDefaultsAreTheConfigPackages(t *testing.T) {
	environ(t, nil)
	cfg := FromEnv()
	if cfg.RequestChecksumCalculation != aws.RequestChecksumCalculationWhenSupported || cfg.ResponseChecksumValidation != aws.ResponseChecksumValidationWhenSupported ||
		cfg.AccountIDEndpointMode != aws.AccountIDEndpointModePreferred || cfg.RetryMaxAttempts != 0 || cfg.RetryMode != "" || cfg.BaseEndpoint != nil {
		t.Errorf("%+v", cfg)
	}
	environ(t, map[string]string{"AWS_REQUEST_CHECKSUM_CALCULATION": "When_Required", "AWS_RESPONSE_CHECKSUM_VALIDATION": "WHEN_REQUIRED", "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled", "AWS_RETRY_MODE": "STANDARD"})
	cfg = FromEnv()
	if cfg.RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired || cfg.ResponseChecksumValidation != aws.ResponseChecksumValidationWhenRequired ||
		cfg.AccountIDEndpointMode != aws.AccountIDEndpointModeDisabled || cfg.RetryMode != aws.RetryModeStandard {
		t.Errorf("%+v", cfg)
	}
}

func TestTheDefaultRegionIsSecondChoice(t *testing.T) {
	environ(t, map[string]string{"AWS_DEFAULT_REGION": "b"})
	if r := FromEnv().Region; r != "b" {
		t.Error(r)
	}
	t.Setenv("AWS_REGION", "a")
	if r := FromEnv().Region; r != "a" {
		t.Error(r)
	}
}

// endpoint returns the host that a client made from the environment calls.
func endpoint(t *testing.T, vars map[string]string) string {
	environ(t, lambdaEnv(vars))
	cfg := FromEnv()
	var host string
	cfg.HTTPClient = doFunc(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Host
		return nil, errors.New("no network")
	})
	_, _ = secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }).GetSecretValue(context.Background(), getInput)
	return host
}

type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestEndpointsComeFromTheEnvironment(t *testing.T) {
	const all, one = "http://all.invalid", "http://one.invalid"
	for want, vars := range map[string]map[string]string{
		"secretsmanager.eu-central-1.amazonaws.com": {},
		"all.invalid": {"AWS_ENDPOINT_URL": all},
		"one.invalid": {"AWS_ENDPOINT_URL": all, "AWS_ENDPOINT_URL_SECRETS_MANAGER": one},
		"secretsmanager-fips.eu-central-1.amazonaws.com": {"AWS_USE_FIPS_ENDPOINT": "true"},
	} {
		if got := endpoint(t, vars); got != want {
			t.Errorf("%v: %q, want %q", vars, got, want)
		}
	}
	ignored := map[string]string{"AWS_ENDPOINT_URL": all, "AWS_ENDPOINT_URL_SECRETS_MANAGER": one, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
	if got := endpoint(t, ignored); got != "secretsmanager.eu-central-1.amazonaws.com" {
		t.Errorf("ignored endpoints are used: %q", got)
	}
	environ(t, lambdaEnv(map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}))
	if o := secretsmanager.NewFromConfig(FromEnv()).Options(); o.EndpointOptions.UseDualStackEndpoint != aws.DualStackEndpointStateEnabled {
		t.Error("dual stack is not passed on")
	}
	off := map[string]string{"AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": "FALSE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false", "AWS_ENDPOINT_URL": all}
	if got := endpoint(t, off); got != "all.invalid" {
		t.Errorf("false is read as true: %q", got)
	}
}

func TestFIPSAndDualStackHaveThreeStates(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		set  *bool
		fips aws.FIPSEndpointState
		dual aws.DualStackEndpointState
	}{
		{nil, aws.FIPSEndpointStateUnset, aws.DualStackEndpointStateUnset},
		{&yes, aws.FIPSEndpointStateEnabled, aws.DualStackEndpointStateEnabled},
		{&no, aws.FIPSEndpointStateDisabled, aws.DualStackEndpointStateDisabled},
	} {
		s := envSource{fips: c.set, dualStack: c.set, ignore: c.set}
		f, found, err := s.GetUseFIPSEndpoint(t.Context())
		d, found2, err2 := s.GetUseDualStackEndpoint(t.Context())
		_, found3, err3 := s.GetIgnoreConfiguredEndpoints(t.Context())
		if f != c.fips || d != c.dual || found != (c.set != nil) || found2 != found || found3 != found || errors.Join(err, err2, err3) != nil {
			t.Errorf("%v: %v %v %v", c.set, f, d, found)
		}
	}
}

func TestWhatIsMissingIsOneClearErrorAtTheFirstCall(t *testing.T) {
	for want, vars := range map[string]map[string]string{
		"no region: neither AWS_REGION nor AWS_DEFAULT_REGION is set": {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
		"no credentials: looked for AWS_ACCESS_KEY_ID":                {"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a"},
		`AWS_ACCOUNT_ID_ENDPOINT_MODE is "Required"`:                  lambdaEnv(map[string]string{"AWS_ACCOUNT_ID_ENDPOINT_MODE": "Required"}),
		`AWS_DEFAULTS_MODE is "x"`:                                    lambdaEnv(map[string]string{"AWS_DEFAULTS_MODE": "x"}),
		`AWS_DISABLE_REQUEST_COMPRESSION is "1"`:                      lambdaEnv(map[string]string{"AWS_DISABLE_REQUEST_COMPRESSION": "1"}),
		`AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES is "-1"`:              lambdaEnv(map[string]string{"AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "-1"}),
		`AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES is "10485761"`:        lambdaEnv(map[string]string{"AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "10485761"}),
		`AWS_ENABLE_ENDPOINT_DISCOVERY is "x"`:                        lambdaEnv(map[string]string{"AWS_ENABLE_ENDPOINT_DISCOVERY": "x"}),
		`AWS_S3_USE_ARN_REGION is "1"`:                                lambdaEnv(map[string]string{"AWS_S3_USE_ARN_REGION": "1"}),
		`AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS is "1"`:             lambdaEnv(map[string]string{"AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS": "1"}),
		`AWS_S3_DISABLE_EXPRESS_SESSION_AUTH is "1"`:                  lambdaEnv(map[string]string{"AWS_S3_DISABLE_EXPRESS_SESSION_AUTH": "1"}),
		`AWS_CA_BUNDLE cannot be read`:                                lambdaEnv(map[string]string{"AWS_CA_BUNDLE": "/nowhere/ca.pem"}),
		`AWS_CA_BUNDLE is "env_test.go"`:                              lambdaEnv(map[string]string{"AWS_CA_BUNDLE": "env_test.go"}),
		`AWS_MAX_ATTEMPTS is "x"`:                                     lambdaEnv(map[string]string{"AWS_MAX_ATTEMPTS": "x"}),
		`AWS_RETRY_MODE is "x"`:                                       lambdaEnv(map[string]string{"AWS_RETRY_MODE": "x"}),
		`AWS_USE_FIPS_ENDPOINT is "1"`:                                lambdaEnv(map[string]string{"AWS_USE_FIPS_ENDPOINT": "1"}),
		`AWS_USE_DUALSTACK_ENDPOINT is "1"`:                           lambdaEnv(map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "1"}),
		`AWS_REQUEST_CHECKSUM_CALCULATION is "x"`:                     lambdaEnv(map[string]string{"AWS_REQUEST_CHECKSUM_CALCULATION": "x"}),
		`AWS_RESPONSE_CHECKSUM_VALIDATION is "x"`:                     lambdaEnv(map[string]string{"AWS_RESPONSE_CHECKSUM_VALIDATION": "x"}),
		`AWS_ACCOUNT_ID_ENDPOINT_MODE is "x"`:                         lambdaEnv(map[string]string{"AWS_ACCOUNT_ID_ENDPOINT_MODE": "x"}),
		`AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is "1"`:                  lambdaEnv(map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "1"}),
	} {
		environ(t, vars)
		cfg := FromEnv()
		cfg.HTTPClient = doFunc(func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, errors.New("x") })
		_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(context.Background(), getInput)
		var e *EnvError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "freshsign: "+want) || e.Advice == "" {
			t.Errorf("%v: %v", vars, err)
		}
	}
}

func TestACallerMaySetWhatTheEnvironmentLacks(t *testing.T) {
	environ(t, nil)
	cfg := FromEnv()
	g := newRig()
	g.service.now = time.Now
	cfg.HTTPClient, cfg.Credentials, cfg.Region = g.wire, static(keyPair), "eu-west-1"
	if _, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(context.Background(), getInput); err != nil {
		t.Error(err)
	}
}

func TestContainerCredentialsAreFetchedAndTheirTokenIsReadEachTime(t *testing.T) {
	var token string
	fetches := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetches++
		token = r.Header.Get("Authorization")
		fmt.Fprintf(w, `{"AccessKeyId":"A%d","SecretAccessKey":"s","Token":"t","AccountId":"1","Expiration":%q}`, fetches, time.Now().Add(6*time.Minute+time.Hour).Format(time.RFC3339))
	}))
	defer srv.Close()
	environ(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": srv.URL + "/c", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "one"})
	p := FromEnv().Credentials
	creds, err := p.Retrieve(t.Context())
	if err != nil || creds.AccessKeyID != "A1" || creds.SecretAccessKey != "s" || creds.SessionToken != "t" || creds.AccountID != "1" || !creds.CanExpire || token != "one" {
		t.Fatalf("%+v %v, token %q", creds, err, token)
	}
	if left := time.Until(creds.Expires); left > 62*time.Minute || left < 60*time.Minute {
		t.Errorf("expire in %v: not five minutes early", left)
	}
	if again, _ := p.Retrieve(t.Context()); again.AccessKeyID != "A1" || fetches != 1 {
		t.Error("not cached")
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
	p.(*aws.CredentialsCache).Invalidate()
	if creds, err = p.Retrieve(t.Context()); err != nil || creds.AccessKeyID != "A2" || token != "two" {
		t.Errorf("%+v %v, token %q", creds, err, token)
	}
}

func TestContainerCredentialsRetryWhatMayPass(t *testing.T) {
	for status, want := range map[int]int32{500: 3, 429: 3, 499: 1, 400: 1, 302: 1, 200: 1} {
		var n atomic.Int32
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = w.Write([]byte("not json canary"))
		}))
		environ(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": srv.URL})
		c, _ := containerFromEnv()
		_, err := c.Retrieve(t.Context())
		if n.Load() != want || err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("status %d: %d attempts, want %d; %v", status, n.Load(), want, err)
		}
		srv.Close()
	}
}

func TestContainerFetchEndsWithItsContextAndItsNetwork(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	c := &container{url: srv.URL, client: http.DefaultClient}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Retrieve(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, again, err := c.fetch(t.Context(), "token"); err == nil || !again {
		t.Errorf("again %v, %v", again, err)
	}
	if _, _, err := (&container{url: "http://[::1", client: http.DefaultClient}).fetch(t.Context(), ""); err == nil {
		t.Error("no error")
	}
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("{"))
	}))
	defer cut.Close()
	if _, again, err := (&container{url: cut.URL, client: http.DefaultClient}).fetch(t.Context(), ""); err == nil || !again {
		t.Errorf("a cut answer: again %v, %v", again, err)
	}
}

func TestAnEndpointThatHangsIsGivenUpAfterThreeTimesFiveSeconds(t *testing.T) {
	environ(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/"})
	synctest.Test(t, func(t *testing.T) {
		c, _ := containerFromEnv()
		var dials []time.Duration
		began := time.Now()
		c.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
			dials = append(dials, time.Since(began))
			silent, _ := pipe()
			return silent, nil
		}
		_, err := c.Retrieve(t.Context())
		const ms = time.Millisecond
		if took := time.Since(began); err == nil || took != 15*time.Second+150*ms {
			t.Errorf("%v: %v", took, err)
		}
		if want := []time.Duration{0, 5*time.Second + 50*ms, 10*time.Second + 150*ms}; !slices.Equal(dials, want) {
			t.Errorf("attempts at %v, want %v", dials, want)
		}
	})
}

func TestAnAnswerOfMoreThan64KiBIsNotCredentials(t *testing.T) {
	for size, ok := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		const head, tail = `{"AccessKeyId":"a","SecretAccessKey":"b","Token":"`, `"}`
		body := head + strings.Repeat("t", size-len(head)-len(tail)) + tail
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		environ(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": srv.URL})
		c, _ := containerFromEnv()
		if _, err := c.Retrieve(t.Context()); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
		srv.Close()
	}
}

func TestTheRelativeURIIsECSs(t *testing.T) {
	environ(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/y"})
	if c, ok := containerFromEnv(); !ok || c.url != "http://169.254.170.2/v2/x" {
		t.Errorf("%v %s", ok, c.url)
	}
	t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@127.0.0.1:1/")
	if c, _ := containerFromEnv(); c.url != "http://169.254.170.2/@127.0.0.1:1/" {
		t.Errorf("a relative URI reaches %s: it names another host", c.url)
	}
}

func TestOnlyLocalHostsGetTheTokenInTheClear(t *testing.T) {
	for address, ok := range map[string]bool{
		"http://127.0.0.1/":         true,
		"http://127.9.9.9:80/":      true,
		"http://[::1]/":             true,
		"http://localhost/":         true,
		"http://169.254.170.2/":     true,
		"http://169.254.170.23/":    true,
		"http://[fd00:ec2::23]/":    true,
		"https://anywhere.invalid/": true,
		"http://169.254.170.3/":     false,
		"http://10.0.0.1/":          false,
		"http://[fd00:ec2::24]/":    false,
		"http://nowhere.invalid/":   false,
		"http:///path":              false,
		"http://[::1":               false,
	} {
		err := allowed(t.Context(), address)
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
		var e *EnvError
		if !ok && !errors.As(err, &e) {
			t.Errorf("%s: %T", address, err)
		}
	}
	environ(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/"})
	if _, err := FromEnv().Credentials.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "10.0.0.1") {
		t.Error(err)
	}
}

func TestATokenThatCannotBeReadIsAnError(t *testing.T) {
	environ(t, map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": filepath.Join(t.TempDir(), "none")})
	_, err := FromEnv().Credentials.Retrieve(t.Context())
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, bad := range []string{"a\nb", "a\rb"} {
		environ(t, map[string]string{"AWS_CONTAINER_AUTHORIZATION_TOKEN": bad})
		if _, err := containerToken(); err == nil || strings.Contains(err.Error(), bad) {
			t.Error(err)
		}
	}
}

func TestCredentialsAnswersThatLackAKeyAreRefused(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"AccessKeyId":"a","SecretAccessKey":"b"}`: true,
		`{"AccessKeyId":"a"}`:                       false,
		`{"SecretAccessKey":"b"}`:                   false,
		`[]`:                                        false,
		`{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"later"}`: false,
	} {
		c, err := parseCredentials([]byte(body))
		if (err == nil) != ok || ok && c.CanExpire {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte(`{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseCredentials(b); err == nil && (!c.HasKeys() || c.CanExpire && c.Expires.IsZero() && !strings.Contains(string(b), "0001")) {
			t.Errorf("%q: %v", b, c.CanExpire)
		}
	})
}

// The SDK's config package obeys these, so that FromEnv obeys them too, or says that it does not.
func TestEveryVariableOfTheSDKIsReadOrNamedAsLeftOut(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/config").Output()
	if err != nil {
		t.Fatalf("the config package is not in the module cache: %v", err)
	}
	theirs, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "env_config.go"))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile("env.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`= "(AWS_[A-Z0-9_]+)"`).FindAllSubmatch(theirs, -1)
	if len(names) < 40 {
		t.Fatalf("%d variables found in the SDK, want at least 40: the test reads it wrong", len(names))
	}
	for _, m := range names {
		if name := m[1]; !bytes.Contains(ours, name) && !bytes.HasPrefix(name, []byte("AWS_EC2_METADATA_")) {
			t.Errorf("FromEnv neither reads %s nor says that it does not", name)
		}
	}
}

func TestTheEnvironmentMeansWhatItMeansToTheSDK(t *testing.T) {
	for _, vars := range []map[string]string{
		{},
		{"AWS_MAX_ATTEMPTS": "0"},
		{"AWS_MAX_ATTEMPTS": "-1"},
		{"AWS_DEFAULTS_MODE": "Standard"},
		{"AWS_DEFAULTS_MODE": "auto", "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023"},
		{"AWS_AUTH_SCHEME_PREFERENCE": "sigv4a, sigv4,,"},
		{"AWS_DISABLE_REQUEST_COMPRESSION": "true", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": "0"},
		{"AWS_ENABLE_ENDPOINT_DISCOVERY": "Auto"},
		{"AWS_S3_USE_ARN_REGION": "true", "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS": "false", "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH": "true"},
	} {
		environ(t, lambdaEnv(vars))
		theirs, err := config.LoadDefaultConfig(t.Context(), config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil))
		if err != nil {
			t.Fatalf("%v: the SDK refuses it: %v", vars, err)
		}
		ours := FromEnv()
		type settings struct {
			attempts   int
			mode       aws.DefaultsMode
			runtime    aws.RuntimeEnvironment
			schemes    string
			compressed bool
			least      int64
			s3         s3.Options
		}
		of := func(c aws.Config) settings {
			o := s3.NewFromConfig(c).Options()
			return settings{c.RetryMaxAttempts, c.DefaultsMode, aws.RuntimeEnvironment{EnvironmentIdentifier: c.RuntimeEnvironment.EnvironmentIdentifier, Region: c.RuntimeEnvironment.Region},
				strings.Join(c.AuthSchemePreference, " "), !c.DisableRequestCompression, c.RequestMinCompressSizeBytes,
				s3.Options{UseARNRegion: o.UseARNRegion, DisableMultiRegionAccessPoints: o.DisableMultiRegionAccessPoints, DisableS3ExpressSessionAuth: o.DisableS3ExpressSessionAuth}}
		}
		want, got := of(theirs), of(ours)
		if want.mode != aws.DefaultsModeAuto {
			want.runtime, got.runtime = aws.RuntimeEnvironment{}, aws.RuntimeEnvironment{} // nobody asks
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v: settings are %+v, want the SDK's %+v", vars, got, want)
		}
		if got, _, _ := ours.ConfigSources[0].(envSource).GetEnableEndpointDiscovery(t.Context()); (got != aws.EndpointDiscoveryUnset) != (vars["AWS_ENABLE_ENDPOINT_DISCOVERY"] != "") {
			t.Errorf("%v: endpoint discovery is %v", vars, got)
		}
	}
}

func TestTheCABundleReplacesTheSystemsRoots(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, okBody) }))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for bundle, ok := range map[string]bool{"": false, file: true} {
		environ(t, lambdaEnv(map[string]string{"AWS_ENDPOINT_URL": srv.URL, "AWS_CA_BUNDLE": bundle, "AWS_MAX_ATTEMPTS": "1"}))
		_, err := secretsmanager.NewFromConfig(FromEnv()).GetSecretValue(t.Context(), getInput)
		if (err == nil) != ok {
			t.Errorf("with AWS_CA_BUNDLE %q the call gave %v, want success: %v", bundle, err, ok)
		}
	}
}

// agent is a container credentials endpoint without a network.
type agent struct {
	life  time.Duration
	away  bool
	asked int
}

func (a *agent) RoundTrip(*http.Request) (*http.Response, error) {
	a.asked++
	status, body := 200, fmt.Sprintf(`{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":%q}`, time.Now().Add(a.life).Format(time.RFC3339))
	if a.away {
		status, body = 503, ""
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func TestContainerCredentialsThatStillWorkOutliveTheirEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &agent{life: time.Hour}
		c := &container{url: "http://127.0.0.1/", client: &http.Client{Transport: a}}
		p := c.cached()
		if _, err := p.Retrieve(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.away = true
		calls := 0
		for began := time.Now(); time.Since(began) < time.Hour-10*time.Second; time.Sleep(5 * time.Second) {
			calls++
			if _, err := p.Retrieve(t.Context()); err != nil {
				t.Fatalf("after %v the credentials work and the call failed: %v", time.Since(began), err)
			}
		}
		if a.asked > 1+3*10 {
			t.Errorf("%d calls asked the endpoint %d times, want at most 31: a failing endpoint is asked at ever shorter halves", calls, a.asked)
		}
		time.Sleep(11 * time.Second)
		if _, err := p.Retrieve(t.Context()); err == nil {
			t.Error("credentials that have ended are still given out")
		}
		p.(*aws.CredentialsCache).Invalidate()
		a.away, a.asked = false, 0
		if _, err := p.Retrieve(t.Context()); err != nil {
			t.Errorf("after the endpoint is back: %v", err)
		}
		a.away = true
		p.(*aws.CredentialsCache).Invalidate()
		if _, err := p.Retrieve(t.Context()); err == nil {
			t.Error("credentials that a service has rejected are given out again")
		}
	})
}

func TestShortLivedContainerCredentialsAreNotFetchedForEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for life, most := range map[time.Duration]int{4 * time.Minute: 1, 9 * time.Minute: 1, time.Hour: 1, 0: 100, -time.Minute: 100} {
			a := &agent{life: life}
			p := (&container{url: "http://127.0.0.1/", client: &http.Client{Transport: a}}).cached()
			for range 100 {
				_, _ = p.Retrieve(t.Context())
				time.Sleep(time.Second)
			}
			if a.asked > most || a.asked < most {
				t.Errorf("credentials of %v: 100 calls in 100 s asked %d times, want %d", life, a.asked, most)
			}
		}
	})
}
