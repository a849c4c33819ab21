package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/secretsmanager"
)

// A world is an emulator with Secrets Manager and a rotation function.
type world struct {
	*emulatortest.Emulator

	mu    sync.Mutex
	steps []string // that the rotation function was called for
	ended []error  // how each rotation ended
}

const rotationARN = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

func start(t *testing.T) *world {
	t.Helper()
	w := &world{}
	w.Emulator = emulatortest.Start(t, emulatortest.Config{SecretsManager: secretsmanager.Config{Invoke: w.rotate, OnRotation: func(r secretsmanager.Rotation) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = append(w.ended, r.Err)
	}}})
	return w
}

// rotate is the function that a user writes for Secrets Manager: it is called
// four times and talks to the service itself, over the socket.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
func (w *world) rotate(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	var event struct{ Step, SecretId, ClientRequestToken string }
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	if arn != rotationARN {
		return nil, fmt.Errorf("called as %s", arn)
	}
	w.mu.Lock()
	w.steps = append(w.steps, event.Step)
	w.mu.Unlock()
	client := sdk.NewFromConfig(w.ConfigFor(w.Credentials().Root()))
	switch event.Step {
	case "createSecret":
		_, err := client.PutSecretValue(ctx, &sdk.PutSecretValueInput{SecretId: &event.SecretId, ClientRequestToken: &event.ClientRequestToken,
			SecretString: aws.String(`{"password":"rotated"}`), VersionStages: []string{"AWSPENDING"}})
		return nil, err
	case "setSecret", "testSecret":
		_, err := client.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: &event.SecretId, VersionStage: aws.String("AWSPENDING")})
		return nil, err
	case "finishSecret":
		current, err := client.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: &event.SecretId})
		if err != nil {
			return nil, err
		}
		_, err = client.UpdateSecretVersionStage(ctx, &sdk.UpdateSecretVersionStageInput{SecretId: &event.SecretId,
			VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &event.ClientRequestToken, RemoveFromVersionId: current.VersionId})
		return nil, err
	}
	return nil, fmt.Errorf("called for %q", event.Step)
}

func (w *world) caller(t *testing.T, c client) caller {
	return caller{client: c, t: t, url: w.URL(), region: w.Region(), key: w.Session()}
}

// in is an operation's input.
type in = map[string]any

func TestASecretLivesItsLife(t *testing.T) {
	for name, load := range clients(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			c := w.caller(t, load(t))
			life(t, w, c)
			if n := w.InFlight(); n != 0 {
				t.Errorf("%d requests in flight after the last client has gone", n)
			}
		})
	}
}

func life(t *testing.T, w *world, c caller) {
	const name = "prod/orders/db"
	equal := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	value := func(id string, more in) map[string]any {
		t.Helper()
		input := in{"SecretId": id}
		for k, v := range more {
			input[k] = v
		}
		return c.must("GetSecretValue", input)
	}

	made := c.must("CreateSecret", in{"Name": name, "SecretString": `{"password":"first"}`, "Description": "of the orders",
		"Tags": []in{{"Key": "team", "Value": "orders"}}})
	arn, _ := made["ARN"].(string)
	if !regexp.MustCompile(`^arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/orders/db-[A-Za-z0-9]{6}$`).MatchString(arn) {
		t.Errorf("ARN is %q", arn)
	}
	first := value(name, nil)
	equal("the secret", first["SecretString"], `{"password":"first"}`)
	equal("the version", first["VersionId"], made["VersionId"])
	equal("the stages", first["VersionStages"], []any{"AWSCURRENT"})
	c.mustFail("CreateSecret", in{"Name": name, "SecretString": "again"}, "ResourceExistsException",
		"The operation failed because the secret "+name+" already exists.")

	c.must("PutSecretValue", in{"SecretId": name, "SecretString": `{"password":"second"}`})
	equal("by ARN, the secret", value(arn, nil)["SecretString"], `{"password":"second"}`)
	equal("the previous one", value(name, in{"VersionStage": "AWSPREVIOUS"})["SecretString"], `{"password":"first"}`)

	c.must("CreateSecret", in{"Name": "prod/key", "SecretBinary": "AAECA/8="})
	equal("the bytes", value("prod/key", nil)["SecretBinary"], "AAECA/8=")

	listed := c.must("ListSecrets", in{"Filters": []in{{"Key": "name", "Values": []string{"prod/orders"}}}})
	list, _ := listed["SecretList"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["ARN"] != arn {
		t.Errorf("listed %v, want %s alone", list, arn)
	}

	turned := c.must("RotateSecret", in{"SecretId": name, "RotationLambdaARN": rotationARN, "RotationRules": in{"AutomaticallyAfterDays": 30}})
	w.settle(t)
	equal("the rotation's end", w.ended, []error{nil})
	equal("the rotation's steps", w.steps, []string{"createSecret", "setSecret", "testSecret", "finishSecret"})
	rotated := value(name, nil)
	equal("after the rotation, the secret", rotated["SecretString"], `{"password":"rotated"}`)
	equal("the version", rotated["VersionId"], turned["VersionId"])

	described := c.must("DescribeSecret", in{"SecretId": name})
	equal("RotationEnabled", described["RotationEnabled"], true)
	equal("RotationLambdaARN", described["RotationLambdaARN"], rotationARN)
	equal("Description", described["Description"], "of the orders")
	equal("Tags", described["Tags"], []any{map[string]any{"Key": "team", "Value": "orders"}})
	if described["NextRotationDate"] == nil || described["LastRotatedDate"] == nil {
		t.Errorf("no rotation dates: %v", described)
	}

	gone := c.must("DeleteSecret", in{"SecretId": name, "RecoveryWindowInDays": 7})
	if gone["DeletionDate"] == nil {
		t.Errorf("no deletion date: %v", gone)
	}
	const read = "You can't perform this operation on the secret because it was marked for deletion."
	c.mustFail("GetSecretValue", in{"SecretId": name}, "InvalidRequestException", read)
	c.must("RestoreSecret", in{"SecretId": name})
	equal("restored, the secret", value(name, nil)["SecretString"], `{"password":"rotated"}`)
	c.must("DeleteSecret", in{"SecretId": name, "ForceDeleteWithoutRecovery": true})
	c.mustFail("GetSecretValue", in{"SecretId": name}, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// settle waits for rotations.
func (w *world) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callLimit)
	defer cancel()
	if err := w.Secrets().Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

const clock = 10 * time.Minute

func TestTheTerminalShowsAWSsOwnErrors(t *testing.T) {
	const mismatch = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	for name, load := range clients(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load(t)
			for rule, tc := range map[string]struct {
				change        func(*world, *caller)
				code, message string // message is a regular expression
			}{
				"a wrong secret key": {
					func(_ *world, c *caller) { c.key.SecretAccessKey += "x" },
					"InvalidSignatureException", regexp.QuoteMeta(mismatch)},
				"an unknown key": {
					func(_ *world, c *caller) { c.key = emulator.KeyPair{AccessKeyID: "AKIANOBODY", SecretAccessKey: "x"} },
					"UnrecognizedClientException", `The security token included in the request is invalid\.`},
				"a wrong region": {
					func(_ *world, c *caller) { c.region = "eu-north-1" },
					"InvalidSignatureException", `Credential should be scoped to a valid region, not 'eu-north-1'\.`},
				// The Date header stays with the client, so that nobody can learn
				// the difference from it and correct the clock.
				"a clock ten minutes slow": {
					func(w *world, _ *caller) { w.Clock().SetOffset(clock); w.Clock().SetDateOffset(-clock) },
					"InvalidSignatureException", `Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)`},
				"a clock ten minutes fast": {
					func(w *world, _ *caller) { w.Clock().SetOffset(-clock); w.Clock().SetDateOffset(clock) },
					"InvalidSignatureException", `Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)`},
				"a session that has ended": {
					func(w *world, c *caller) { w.Credentials().Expire(c.key.AccessKeyID) },
					"ExpiredTokenException", "The security token included in the request is expired"},
			} {
				t.Run(rule, func(t *testing.T) {
					w := start(t)
					c := w.caller(t, c)
					tc.change(w, &c)
					_, err := c.do("GetSecretValue", in{"SecretId": "prod/orders/db"})
					if err == nil {
						t.Fatalf("succeeded, want %s", tc.code)
					}
					want := "^" + regexp.QuoteMeta(c.fails("GetSecretValue", tc.code, "")) + tc.message + "$"
					if !regexp.MustCompile(want).MatchString(err.Error()) {
						t.Errorf("printed\n\t%s\nwant\n\t%s", err, want)
					}
					seen := w.Requests()
					if len(seen) == 0 {
						t.Fatal("nothing reached the socket")
					}
					for _, r := range seen {
						if r.ErrorCode != tc.code || r.Status != 400 {
							t.Errorf("answered with %d %s, want 400 %s", r.Status, r.ErrorCode, tc.code)
						}
					}
				})
			}
		})
	}
}

func TestTheSDKIsPinnedAndNamesNoRegistry(t *testing.T) {
	var want struct{ Dependencies map[string]string }
	var lock struct {
		Packages map[string]map[string]any
	}
	for name, to := range map[string]any{"package.json": &want, "package-lock.json": &lock} {
		b, err := os.ReadFile("testdata/" + name)
		if err == nil {
			err = json.Unmarshal(b, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, version := range want.Dependencies {
		if got := lock.Packages["node_modules/"+name]["version"]; got != version {
			t.Errorf("package.json wants %s %s, the lock file has %v", name, version, got)
		}
	}
	for name, p := range lock.Packages {
		if p["resolved"] != nil {
			t.Errorf("%s names where it was downloaded: remove the field, or others cannot use their own mirror", name)
		}
		if name != "" && p["integrity"] == nil {
			t.Errorf("%s has no hash", name)
		}
	}
}
