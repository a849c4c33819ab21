package emulatortest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
)

// whoami calls the simplest operation there is, once.
func whoami(t *testing.T, cfg aws.Config, mod ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error) {
	t.Helper()
	cfg.RetryMaxAttempts = 1
	return sts.NewFromConfig(cfg, mod...).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("error is %v, want an API error %s", err, code)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("got %s: %q\nwant %s: …%s…", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

func TestCorrectRequestPasses(t *testing.T) {
	for name, cfg := range map[string]emulatortest.Config{"HTTP/1.1": {}, "HTTP/2.0": {TLS: true}} {
		t.Run(name, func(t *testing.T) {
			e := emulatortest.Start(t, cfg)
			out, err := whoami(t, e.Config())
			if err != nil {
				t.Fatal(err)
			}
			if *out.Arn != "arn:aws:sts::123456789012:assumed-role/middy-local/function" || *out.Account != "123456789012" || !strings.HasSuffix(*out.UserId, ":function") {
				t.Errorf("got %s, %s, %s", *out.Arn, *out.Account, *out.UserId)
			}
			list := e.Requests()
			if len(list) != 1 || list[0].Proto != name || list[0].Service != "sts" || list[0].Operation != "GetCallerIdentity" || list[0].Status != 200 ||
				list[0].AccessKeyID != e.Session().AccessKeyID || list[0].SignedAt.IsZero() {
				t.Errorf("records: %+v", list)
			}
			if n := e.InFlight(); n != 0 {
				t.Errorf("%d in flight", n)
			}
		})
	}
}

func TestWrongRequestsGetAWSsOwnErrors(t *testing.T) {
	type setup struct {
		e   *emulatortest.Emulator
		cfg aws.Config
		mod []func(*sts.Options)
	}
	withKey := func(s *setup, change func(*emulator.KeyPair)) {
		k := s.e.Session()
		change(&k)
		s.cfg = s.e.ConfigFor(k)
	}
	for name, tc := range map[string]struct {
		change     func(*setup)
		code, text string
		status     int
	}{
		"wrong secret": {func(s *setup) { withKey(s, func(k *emulator.KeyPair) { k.SecretAccessKey += "x" }) },
			"SignatureDoesNotMatch", "The request signature we calculated does not match", 403},
		"unknown key": {func(s *setup) { withKey(s, func(k *emulator.KeyPair) { k.AccessKeyID = "AKIANOBODY" }) },
			"InvalidClientTokenId", "The security token included in the request is invalid.", 403},
		"wrong session token": {func(s *setup) { withKey(s, func(k *emulator.KeyPair) { k.SessionToken += "x" }) },
			"InvalidClientTokenId", "The security token included in the request is invalid.", 403},
		"no session token": {func(s *setup) { withKey(s, func(k *emulator.KeyPair) { k.SessionToken = "" }) },
			"InvalidClientTokenId", "The security token included in the request is invalid.", 403},
		"wrong region": {func(s *setup) { s.cfg.Region = "eu-north-1" },
			"SignatureDoesNotMatch", "Credential should be scoped to a valid region, not 'eu-north-1'.", 403},
		"wrong service": {func(s *setup) { s.mod = append(s.mod, signFor("ec2")) },
			"SignatureDoesNotMatch", "Credential should be scoped to correct service: 'sts'.", 403},
		"clock 16 min slow": {func(s *setup) { s.e.Clock().Step(16 * time.Minute) },
			"SignatureDoesNotMatch", " - 15 min.)", 403},
		"clock 16 min fast": {func(s *setup) { s.e.Clock().Step(-16 * time.Minute) },
			"SignatureDoesNotMatch", " + 15 min.)", 403},
		"expired credentials": {func(s *setup) { s.e.Credentials().Expire(s.e.Session().AccessKeyID) },
			"ExpiredToken", "The security token included in the request is expired", 403},
		"revoked credentials": {func(s *setup) { s.e.Credentials().Revoke(s.e.Session().AccessKeyID) },
			"InvalidClientTokenId", "The security token included in the request is invalid.", 403},
		"body changed on the way": {func(s *setup) { s.cfg.HTTPClient = mutateBody{} },
			"SignatureDoesNotMatch", "The request signature we calculated does not match", 403},
		"no signature": {func(s *setup) { s.cfg.Credentials = aws.AnonymousCredentials{} },
			"MissingAuthenticationToken", "Request is missing Authentication Token", 403},
	} {
		t.Run(name, func(t *testing.T) {
			s := &setup{e: emulatortest.Start(t, emulatortest.Config{})}
			s.cfg = s.e.Config()
			tc.change(s)
			_, err := whoami(t, s.cfg, s.mod...)
			wantCode(t, err, tc.code, tc.text)
			if resp, ok := errors.AsType[*smithyhttp.ResponseError](err); !ok || resp.HTTPStatusCode() != tc.status {
				t.Errorf("status: %v, want %d", err, tc.status)
			}
		})
	}
}

// signFor makes the client sign for another service.
func signFor(name string) func(*sts.Options) {
	return func(o *sts.Options) { o.AuthSchemeResolver = otherService(name) }
}

type otherService string

func (n otherService) ResolveAuthSchemes(_ context.Context, p *sts.AuthResolverParameters) ([]*smithyauth.Option, error) {
	o := &smithyauth.Option{SchemeID: smithyauth.SchemeIDSigV4}
	smithyhttp.SetSigV4SigningName(&o.SignerProperties, string(n))
	smithyhttp.SetSigV4SigningRegion(&o.SignerProperties, p.Region)
	return []*smithyauth.Option{o}, nil
}

// mutateBody is a proxy that changes one letter of the body.
type mutateBody struct{}

func (mutateBody) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(body), "Version=2011", "Version=2012", 1)))
	return http.DefaultClient.Do(r)
}

func TestSetenvReachesTheDefaultConfig(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{Region: "eu-west-1", Seed: map[string]string{"a": "from seed"}})
	e.Setenv(t)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
	if err != nil || *out.SecretString != "from seed" || !strings.Contains(*out.ARN, ":eu-west-1:123456789012:") {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestSeedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(file, []byte("secrets:\n  a: file\n  b: file\nparameters:\n  /p: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := emulatortest.Start(t, emulatortest.Config{SeedFile: file, Seed: map[string]string{"b": "map"}})
	client := secretsmanager.NewFromConfig(e.Config())
	for name, want := range map[string]string{"a": "file", "b": "map"} {
		out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)})
		if err != nil || *out.SecretString != want {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
	if names := e.Parameters().Names(); len(names) != 1 || names[0] != "/p" {
		t.Errorf("parameters %v", names)
	}
	if _, err := emulatortest.Open(emulatortest.Config{SeedFile: file + ".none"}); err == nil || !strings.Contains(err.Error(), "seed.yaml.none") {
		t.Errorf("missing file: %v", err)
	}
}

// A function slept for ten minutes between signing and sending. Nothing heals
// that in the SDK: the service's Date shows no skew.
func Example() {
	e, err := emulatortest.Open(emulatortest.Config{Seed: map[string]string{"prod/db": "s3cret"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	client := secretsmanager.NewFromConfig(e.Config())
	get := func() string {
		_, err := client.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			return api.ErrorCode()
		}
		return fmt.Sprint("error: ", err)
	}
	fmt.Println(get())
	e.Clock().Freeze(10 * time.Minute)
	fmt.Println(get())
	fmt.Println(len(e.Requests()), "requests, the last", e.Requests()[1].Age.Round(time.Minute), "old")
	// Output:
	// error: <nil>
	// InvalidSignatureException
	// 2 requests, the last 10m0s old
}

// TestInMemory: no socket, one hour in no time, and nobody left when it is closed.
func TestInMemory(t *testing.T) {
	for name, tls := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := emulatortest.Start(t, emulatortest.Config{InMemory: true, TLS: tls, Parameters: map[string]string{"/p": "1"}})
				e.Chaos().Add(emulator.Rule{Effect: emulator.SlowResponse, Delay: time.Hour})
				began := time.Now()
				if _, err := whoami(t, e.Config()); err != nil {
					t.Fatal(err)
				}
				if r := e.Requests()[0]; time.Since(began) != time.Hour || r.Proto != name || r.RemoteAddr != "pipe" {
					t.Errorf("took %s: %+v", time.Since(began), r)
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
				if _, err := whoami(t, e.Config()); !errors.Is(err, net.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			})
		})
	}
}
