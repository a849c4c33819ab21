package emulator_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/service"
)

// A fake is a service made of one function.
type fake struct {
	name     string
	protocol service.Protocol
	call     func(*service.Call) (any, error)
}

func (f fake) SigningName() string        { return f.name }
func (f fake) Protocol() service.Protocol { return f.protocol }
func (f fake) TargetPrefix() string       { return f.name }
func (f fake) Call(_ context.Context, c *service.Call) (any, error) {
	return f.call(c)
}

// TestServicesMayMisbehave: whatever a service does, its client gets an answer
// and the emulator goes on.
func TestServicesMayMisbehave(t *testing.T) {
	for name, call := range map[string]func(*service.Call) (any, error){
		"panics":            func(*service.Call) (any, error) { panic("canary-panic") },
		"fails on its own":  func(*service.Call) (any, error) { return nil, errors.New("canary-failure") },
		"cannot be encoded": func(*service.Call) (any, error) { return func() {}, nil },
		"fails as AWS would": func(*service.Call) (any, error) {
			return nil, &service.Error{Status: 500, Code: "InternalServiceError"}
		},
		"wraps what AWS says": func(*service.Call) (any, error) {
			return nil, fmt.Errorf("x: %w", &service.Error{Status: 500, Code: "InternalServiceError"})
		},
		"returns a nil pointer": func(*service.Call) (any, error) { var p *string; _ = *p; return nil, nil },
	} {
		for _, protocol := range []service.Protocol{service.JSON11, service.Query} {
			t.Run(fmt.Sprint(name, " ", protocol), func(t *testing.T) {
				sm, st := "secretsmanager", "sts"
				if protocol == service.Query {
					sm = "other"
				} else {
					st = "other"
				}
				e := emulatortest.Start(t, emulatortest.Config{})
				e.Register(fake{sm, service.JSON11, call})
				e.Register(fake{st, service.Query, call})
				var err error
				if protocol == service.JSON11 {
					err = get(t.Context(), client(e))
				} else {
					cfg := e.Config()
					cfg.RetryMaxAttempts, cfg.HTTPClient = 1, e.HTTPClient()
					_, err = sts.NewFromConfig(cfg).GetSessionToken(t.Context(), nil)
				}
				if codeOf(err) != "InternalServiceError" || statusOf(err) != 500 || strings.Contains(err.Error(), "canary") {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestQueryChaosUsesTheOlderCodes(t *testing.T) {
	e := start(t)
	cfg := e.Config()
	cfg.RetryMaxAttempts, cfg.HTTPClient = 1, e.HTTPClient()
	c := sts.NewFromConfig(cfg)
	for effect, want := range map[emulator.Effect]struct {
		code   string
		status int
	}{
		emulator.Throttle: {"Throttling", 400}, emulator.InternalError: {"InternalFailure", 500}, emulator.Unavailable: {"ServiceUnavailable", 503},
		emulator.ExpiredToken: {"ExpiredToken", 403}, emulator.SpuriousSignature: {"SignatureDoesNotMatch", 403},
	} {
		remove := e.Chaos().Add(emulator.Rule{Effect: effect, Service: "sts"})
		_, err := c.GetCallerIdentity(t.Context(), nil)
		if codeOf(err) != want.code || statusOf(err) != want.status {
			t.Errorf("%s: %v", effect, err)
		}
		remove()
		remove()
	}
}

func TestHalfResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := emulatortest.Start(t, emulatortest.Config{InMemory: true, Seed: map[string]string{"prod/db": "x"}})
		e.Chaos().Add(emulator.Rule{Effect: emulator.HalfResponse, Delay: time.Hour, Times: 1})
		resp, err := e.HTTPClient().Do(signedGet(t, e))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		began := time.Now()
		if n := e.InFlight(); n != 1 {
			t.Errorf("%d in flight with the headers here", n)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(body), `"SecretString":"x"`) || time.Since(began) != time.Hour {
			t.Errorf("%s, %v, after %s", body, err, time.Since(began))
		}

		e.Chaos().Add(emulator.Rule{Effect: emulator.HalfResponse})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan emulator.Record, 1)
		defer e.Subscribe(func(r emulator.Record) { ended <- r })()
		resp, err = e.HTTPClient().Do(signedGet(t, e).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("half an answer passed for a whole one")
		}
		resp.Body.Close()
		if r := <-ended; r.Status != 0 {
			t.Errorf("record: %+v", r)
		}
	})
}

func TestServicesAskWhatIsAllowed(t *testing.T) {
	var answers []string
	batch := fake{"secretsmanager", service.JSON11, func(c *service.Call) (any, error) {
		for _, name := range []string{"a", "b", "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-XXXXXX"} {
			if e := c.Authorize("secretsmanager:GetSecretValue", name); e != nil {
				answers = append(answers, e.Code)
			} else {
				answers = append(answers, "")
			}
		}
		return nil, nil
	}}
	e := start(t)
	e.Register(batch)
	e.Credentials().Allow(e.Session().AccessKeyID, []emulator.Statement{
		{Actions: []string{"secretsmanager:Batch*"}},
		{Actions: []string{"SecretsManager:getsecretvalue"}, Resources: []string{"*:secret:a-??????"}},
	})
	_, err := client(e).BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(answers, ","); got != ",AccessDeniedException," {
		t.Errorf("answers %q", got)
	}
}

func TestParametersArePolicedByName(t *testing.T) {
	e := start(t)
	e.Credentials().Allow(e.Session().AccessKeyID, []emulator.Statement{{Actions: []string{"ssm:GetParameter*"}, Resources: []string{"arn:aws:ssm:*:*:parameter/orders/*"}}})
	cfg := e.Config()
	cfg.RetryMaxAttempts, cfg.HTTPClient = 1, e.HTTPClient()
	c := ssm.NewFromConfig(cfg)
	if _, err := c.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/orders/limit:1")}); err != nil {
		t.Errorf("allowed: %v", err)
	}
	_, err := c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/orders/limit", "/other"}})
	if codeOf(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "on resource: arn:aws:ssm:us-east-1:123456789012:parameter/other because") {
		t.Errorf("one of two is not allowed: %v", err)
	}
}

func TestFurtherRegions(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{Region: "eu-west-1", Regions: []string{"eu-central-1"}, Seed: map[string]string{"prod/db": "x"}})
	for region, want := range map[string]string{"eu-west-1": "", "eu-central-1": "ResourceNotFoundException", "us-east-1": "InvalidSignatureException"} {
		cfg := e.Config()
		cfg.Region, cfg.RetryMaxAttempts, cfg.HTTPClient = region, 1, e.HTTPClient()
		if err := get(t.Context(), secretsmanager.NewFromConfig(cfg)); codeOf(err) != want {
			t.Errorf("%s: %v", region, err)
		}
	}
}

func TestCredentialsMadeElsewhere(t *testing.T) {
	e := start(t)
	k := emulator.KeyPair{AccessKeyID: "test", SecretAccessKey: "test", PrincipalARN: "arn:aws:iam::123456789012:user/test"}
	cfg := e.ConfigFor(k)
	cfg.RetryMaxAttempts, cfg.HTTPClient = 1, e.HTTPClient()
	c := sts.NewFromConfig(cfg)
	if _, err := c.GetCallerIdentity(t.Context(), nil); codeOf(err) != "InvalidClientTokenId" {
		t.Errorf("before: %v", err)
	}
	e.Credentials().Add(k)
	if out, err := c.GetCallerIdentity(t.Context(), nil); err != nil || *out.Arn != k.PrincipalARN {
		t.Errorf("after: %v, %v", out, err)
	}
	if !e.Credentials().Revoke("test") || e.Credentials().Revoke("test") || e.Credentials().Expire("test") {
		t.Error("Revoke and Expire do not report what they found")
	}
	alone := emulator.NewCredentials(nil, "")
	if arn := alone.Root().PrincipalARN; arn != "arn:aws:iam::123456789012:user/middy" {
		t.Errorf("root is %s", arn)
	}
}

// TestHandlerWithoutStart: under somebody else's server a reset is an abort.
func TestHandlerWithoutStart(t *testing.T) {
	srv := emulator.New(emulator.Config{})
	srv.Chaos().Add(emulator.Rule{Effect: emulator.Reset, Times: 1})
	other := httptest.NewServer(srv.Handler())
	defer other.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if resp, err := http.Get(other.URL); err == nil {
		resp.Body.Close()
		t.Errorf("status %d in place of an abort", resp.StatusCode)
	}
	resp, err := http.Get(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// TestQueryAnswersAreXML decodes an answer as any XML client does.
func TestQueryAnswersAreXML(t *testing.T) {
	e := start(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", e.URL(), strings.NewReader("Action=GetCallerIdentity&Version=2011-06-15"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	resp, err := e.HTTPClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		RequestID string   `xml:"RequestId"`
	}
	if err := xml.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if doc.Type != "Sender" || doc.Code != "MissingAuthenticationToken" || doc.RequestID != resp.Header.Get("X-Amzn-Requestid") || resp.StatusCode != 403 {
		t.Errorf("%+v, status %d", doc, resp.StatusCode)
	}
}
