package secretsmanager_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/service"
)

// Whatever clients do, in whatever order: a label belongs to one version, a secret
// with a current version keeps one, AWSPREVIOUS is never the current version, and
// a restart at any moment shows the same as no restart.
func TestLabelsStayConsistentAndRestartsShowTheSame(t *testing.T) {
	root := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		dir := ""
		if runs++; runs%5 == 1 { // every write is synced to the disk, which takes its time
			dir = filepath.Join(root, fmt.Sprint(runs))
		}
		st := newStage(t, secretsmanager.Config{Dir: dir, MaxVersions: -1})
		st.ok("CreateSecret", `{"Name":"s","SecretString":"0"}`)
		var ids []string
		label := rapid.SampledFrom([]string{"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS", "MINE"})
		for i := range rapid.IntRange(1, 15).Draw(rt, "calls") {
			st.pass(time.Second)
			switch rapid.IntRange(0, 5).Draw(rt, "call") {
			case 0:
				id := fmt.Sprintf("%032d", i)
				ids = append(ids, id)
				st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"%d","ClientRequestToken":%q}`, i, id)
			case 1:
				id := fmt.Sprintf("%032d", i)
				ids = append(ids, id)
				st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"%d","ClientRequestToken":%q,"VersionStages":[%q,%q]}`, i, id, label.Draw(rt, "label"), label.Draw(rt, "label"))
			case 2:
				if len(ids) == 0 {
					continue
				}
				from, to := rapid.SampledFrom(ids).Draw(rt, "from"), rapid.SampledFrom(ids).Draw(rt, "to")
				_, _ = st.call("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":%q,"MoveToVersionId":%q,"RemoveFromVersionId":%q}`, label.Draw(rt, "label"), to, from)
			case 3:
				if len(ids) == 0 {
					continue
				}
				_, _ = st.call("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":%q,"RemoveFromVersionId":%q}`, label.Draw(rt, "label"), rapid.SampledFrom(ids).Draw(rt, "from"))
			case 4:
				_, _ = st.call("RotateSecret", `{"SecretId":"s","RotationLambdaARN":"x"}`)
				if err := st.Wait(context.Background()); err != nil {
					rt.Fatal(err)
				}
			case 5:
				st.ok("ReplicateSecretToRegions", `{"SecretId":"s","AddReplicaRegions":[{"Region":"eu-west-1"}]}`)
			}
			checkLabels(rt, st.ok("DescribeSecret", `{"SecretId":"s"}`))
		}
		if dir == "" {
			return
		}
		again := newStage(t, secretsmanager.Config{Dir: dir})
		for _, body := range []string{`{"SecretId":"s"}`, `{"SecretId":"s","IncludeDeprecated":true}`} {
			for _, operation := range []string{"DescribeSecret", "ListSecretVersionIds"} {
				if a, b := st.ok(operation, "%s", body), again.ok(operation, "%s", body); !reflect.DeepEqual(a, b) {
					rt.Fatalf("after a restart %s says\n%v\nand said\n%v", operation, b, a)
				}
			}
		}
	})
}

func checkLabels(rt *rapid.T, d map[string]any) {
	holders := map[string]string{}
	for id, labels := range d["VersionIdsToStages"].(map[string]any) {
		for _, l := range labels.([]any) {
			if other := holders[l.(string)]; other != "" {
				rt.Fatalf("%s is attached to %s and %s", l, other, id)
			}
			holders[l.(string)] = id
		}
	}
	if holders["AWSCURRENT"] == "" {
		rt.Fatalf("no version is current: %v", holders)
	}
}

// A write that cannot be kept is answered with a 500 and changes nothing.
func TestAFailedSaveChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	st := newStage(t, secretsmanager.Config{Dir: dir})
	if err := st.Put("s", "kept"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for operation, body := range map[string]string{
		"CreateSecret":             `{"Name":"x","SecretString":"v"}`,
		"PutSecretValue":           `{"SecretId":"s","SecretString":"lost"}`,
		"UpdateSecret":             `{"SecretId":"s","Description":"lost"}`,
		"TagResource":              `{"SecretId":"s","Tags":[{"Key":"a","Value":"b"}]}`,
		"DeleteSecret":             `{"SecretId":"s","ForceDeleteWithoutRecovery":true}`,
		"RotateSecret":             `{"SecretId":"s","RotationLambdaARN":"x"}`,
		"ReplicateSecretToRegions": `{"SecretId":"s","AddReplicaRegions":[{"Region":"eu-west-1"}]}`,
	} {
		_, err := st.call(operation, "%s", body)
		var e *service.Error
		if !errors.As(err, &e) || e.Status != 500 || e.Code != "InternalServiceError" {
			t.Errorf("%s: got %v", operation, err)
		}
	}
	if got := st.value("s", "AWSCURRENT"); got != "kept" || !slices.Equal(st.Names(), []string{"s"}) {
		t.Errorf("got %s of %v", got, st.Names())
	}
	if err := st.Put("s", "lost"); err == nil || strings.Contains(err.Error(), "lost") {
		t.Errorf("got %v", err)
	}
}

// FuzzCall: any body for any operation is answered, with AWS's errors, without a
// panic.
func FuzzCall(f *testing.F) {
	operations := []string{"BatchGetSecretValue", "CreateSecret", "DeleteSecret", "GetRandomPassword", "GetSecretValue", "ListSecretVersionIds", "ListSecrets",
		"PutResourcePolicy", "PutSecretValue", "RemoveRegionsFromReplication", "ReplicateSecretToRegions", "RotateSecret", "TagResource", "UpdateSecret",
		"UpdateSecretVersionStage", "ValidateResourcePolicy", "StopReplicationToReplica"}
	for i, body := range []string{`{"SecretIdList":["s"]}`, `{"Name":"n","SecretString":"v"}`, `{"SecretId":"s"}`, `{"PasswordLength":5,"ExcludeCharacters":"é"}`,
		`{"SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:s"}`, `{"SecretId":"s","NextToken":"MTIzNDU2Nzg5MDEyMzQ1Njc="}`,
		`{"Filters":[{"Key":"all","Values":["!s"]}]}`, `{"SecretId":"s","ResourcePolicy":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\"}}"}`} {
		f.Add(uint8(i), []byte(body))
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		s := secretsmanager.New(secretsmanager.Config{})
		defer s.Close()
		if err := s.Put("s", "CANARY"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Call(context.Background(), &service.Call{Operation: operations[int(n)%len(operations)], Body: body})
		var e *service.Error
		if err != nil && (!errors.As(err, &e) || e.Status != 0 || strings.Contains(e.Message, "CANARY")) {
			t.Fatalf("got %v", err)
		}
	})
}
