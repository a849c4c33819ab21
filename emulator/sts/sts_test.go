package sts_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/sts"
)

const role = "arn:aws:iam::210987654321:role/team/orders"

func once(cfg aws.Config) *client.Client {
	cfg.RetryMaxAttempts = 1
	return client.NewFromConfig(cfg)
}

func root(e *emulatortest.Emulator) *client.Client { return once(e.ConfigFor(e.Credentials().Root())) }

func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("got %v\nwant %s: …%s…", err, code, text)
	}
}

func TestAssumedCredentialsWorkAndReallyExpire(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{})
	out, err := root(e).AssumeRole(t.Context(), &client.AssumeRoleInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String("s-1"), DurationSeconds: aws.Int32(900),
		ExternalId: aws.String("ext"), Policy: aws.String(`{"Version":"2012-10-17","Statement":[]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if *out.AssumedRoleUser.Arn != "arn:aws:sts::210987654321:assumed-role/orders/s-1" || !strings.HasPrefix(*out.Credentials.AccessKeyId, "ASIA") {
		t.Errorf("got %+v", out)
	}
	if left := out.Credentials.Expiration.Sub(e.Clock().Now()); left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("they last %s", left)
	}
	session := once(e.ConfigFor(emulator.KeyPair{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken}))
	me, err := session.GetCallerIdentity(t.Context(), nil)
	if err != nil || *me.Arn != *out.AssumedRoleUser.Arn || *me.Account != "210987654321" || *me.UserId != *out.AssumedRoleUser.AssumedRoleId {
		t.Fatalf("who am I: %v, %v", me, err)
	}
	e.Clock().SetWindow(-1) // age is not the question here
	e.Clock().Step(15*time.Minute + time.Second)
	_, err = session.GetCallerIdentity(t.Context(), nil)
	wantError(t, err, "ExpiredToken", "The security token included in the request is expired")
}

func TestARoleHasAnIDOfItsOwnInEachAccount(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{})
	id := func(account, session string) string {
		out, err := root(e).AssumeRole(t.Context(), &client.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::" + account + ":role/orders"), RoleSessionName: aws.String(session),
		})
		if err != nil {
			t.Fatal(err)
		}
		id, _, _ := strings.Cut(*out.AssumedRoleUser.AssumedRoleId, ":")
		return id
	}
	one, again, other := id("210987654321", "s1"), id("210987654321", "s2"), id("123456789012", "s1")
	if one != again || one == other {
		t.Errorf("ids %s, %s and in another account %s; want the first two equal and the third another", one, again, other)
	}
}

func TestLimitsInAWSsWords(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{STS: sts.Config{MaxSessionDuration: 2 * time.Hour}})
	valid := func() *client.AssumeRoleInput {
		return &client.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("session")}
	}
	for name, tc := range map[string]struct {
		change     func(*client.AssumeRoleInput)
		code, text string
	}{
		"too short": {func(in *client.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }, "ValidationError",
			"1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"},
		"too long": {func(in *client.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, "ValidationError", "Member must have value less than or equal to 43200"},
		"longer than the role allows": {func(in *client.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7201) }, "ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		"two wrongs": {func(in *client.AssumeRoleInput) {
			in.DurationSeconds, in.RoleSessionName = aws.Int32(1), aws.String("x")
		}, "ValidationError",
			"2 validation errors detected: Value 'x' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2; Value '1'"},
		"session name with a space": {func(in *client.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "ValidationError", `regular expression pattern: [\w+=,.@-]*`},
		"not a role":                {func(in *client.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::210987654321:user/x") }, "ValidationError", "arn:aws:iam::210987654321:user/x is invalid"},
		"short external id":         {func(in *client.AssumeRoleInput) { in.ExternalId = aws.String("x") }, "ValidationError", "'externalId'"},
		"policy is no JSON":         {func(in *client.AssumeRoleInput) { in.Policy = aws.String("{") }, "MalformedPolicyDocument", "invalid Json"},
		"policy is too large":       {func(in *client.AssumeRoleInput) { in.Policy = aws.String(`"` + strings.Repeat("x", 2048) + `"`) }, "PackedPolicyTooLarge", "101%"},
	} {
		t.Run(name, func(t *testing.T) {
			in := valid()
			tc.change(in)
			_, err := root(e).AssumeRole(t.Context(), in)
			wantError(t, err, tc.code, tc.text)
		})
	}
	in := valid()
	in.DurationSeconds = aws.Int32(3601)
	_, err := once(e.Config()).AssumeRole(t.Context(), in)
	wantError(t, err, "ValidationError", "1 hour session limit for roles assumed by role chaining")
}

func TestShortSessionsForTests(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{STS: sts.Config{TTL: 20 * time.Second, MinDuration: time.Second}})
	for name, call := range map[string]func() (*time.Time, error){
		"AssumeRole": func() (*time.Time, error) {
			out, err := root(e).AssumeRole(t.Context(), &client.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("xy"), DurationSeconds: aws.Int32(1)})
			if err != nil {
				return nil, err
			}
			return out.Credentials.Expiration, nil
		},
		"GetSessionToken": func() (*time.Time, error) {
			out, err := root(e).GetSessionToken(t.Context(), nil)
			if err != nil {
				return nil, err
			}
			return out.Credentials.Expiration, nil
		},
	} {
		end, err := call()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if left := end.Sub(e.Clock().Now()); left > 20*time.Second {
			t.Errorf("%s: lasts %s", name, left)
		}
	}
}

func TestSessionTokensBelongToLongLivedKeys(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{})
	out, err := root(e).GetSessionToken(t.Context(), &client.GetSessionTokenInput{DurationSeconds: aws.Int32(129600)})
	if err != nil {
		t.Fatal(err)
	}
	if left := out.Credentials.Expiration.Sub(e.Clock().Now()); left < 35*time.Hour {
		t.Errorf("lasts %s", left)
	}
	_, err = root(e).GetSessionToken(t.Context(), &client.GetSessionTokenInput{DurationSeconds: aws.Int32(129601)})
	wantError(t, err, "ValidationError", "less than or equal to 129600")
	_, err = once(e.Config()).GetSessionToken(t.Context(), nil)
	wantError(t, err, "AccessDenied", "Cannot call GetSessionToken with session credentials")
}

func TestPolicyDeniesAssumeRole(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{})
	key := e.Credentials().Root().AccessKeyID
	e.Credentials().Allow(key, []emulator.Statement{{Actions: []string{"sts:AssumeRole"}, Resources: []string{"arn:aws:iam::*:role/team/*"}}})
	in := &client.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("session")}
	if _, err := root(e).AssumeRole(t.Context(), in); err != nil {
		t.Errorf("allowed role: %v", err)
	}
	in.RoleArn = aws.String("arn:aws:iam::210987654321:role/other")
	_, err := root(e).AssumeRole(t.Context(), in)
	wantError(t, err, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::210987654321:role/other")
	if _, err := root(e).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Errorf("GetCallerIdentity needs no permission: %v", err)
	}
}

// TestPresignedCallerIdentity is how EKS and Vault learn who somebody is: a URL
// that anybody may fetch for a while.
func TestPresignedCallerIdentity(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{})
	req, err := client.NewPresignClient(client.NewFromConfig(e.Config())).PresignGetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	fetch := func() (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), req.Method, req.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if status, body := fetch(); status != 200 || !strings.Contains(body, "<Arn>arn:aws:sts::123456789012:assumed-role/middy-local/function</Arn>") ||
		!strings.HasPrefix(body, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`) {
		t.Errorf("%d %s", status, body)
	}
	e.Clock().Step(16 * time.Minute)
	if status, body := fetch(); status != 403 || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") || !strings.Contains(body, "Signature expired: ") {
		t.Errorf("after 16 min: %d %s", status, body)
	}
}

func TestUnknownActions(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{})
	_, err := root(e).GetAccessKeyInfo(t.Context(), &client.GetAccessKeyInfoInput{AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE")})
	wantError(t, err, "InvalidAction", "Could not find operation GetAccessKeyInfo for version 2011-06-15")
}

func Example() {
	clock := &emulator.Clock{}
	keys := emulator.NewCredentials(clock, "123456789012")
	srv := emulator.New(emulator.Config{Clock: clock, Credentials: keys})
	srv.Register(sts.New(sts.Config{Credentials: keys}))
	ctx := context.Background()
	if err := srv.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close(ctx)

	k := srv.Session()
	out, err := client.New(client.Options{
		Region: srv.Region(), BaseEndpoint: aws.String(srv.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}, nil
		}),
	}).GetCallerIdentity(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*out.Arn)
	// Output:
	// arn:aws:sts::123456789012:assumed-role/middy-local/function
}
