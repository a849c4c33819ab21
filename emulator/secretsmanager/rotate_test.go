package secretsmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/persist"
	"github.com/gomiddy/middy/emulator/secretsmanager"
)

type event struct{ Step, SecretId, ClientRequestToken, RotationToken string }

// function is a rotation function that a test scripts, step by step.
type function struct {
	st    *stage
	steps []string
	fail  string
	block chan struct{}
	last  event
	arn   string
}

func (f *function) invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	var ev event
	if err := json.Unmarshal(payload, &ev); err != nil {
		return nil, err
	}
	f.steps, f.last, f.arn = append(f.steps, ev.Step), ev, arn
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if ev.Step == f.fail {
		return nil, errors.New("database is down")
	}
	return secretsmanager.BuiltinRotation(f.st.Service)(ctx, arn, payload)
}

func rotating(t *testing.T) (*stage, *function, chan secretsmanager.Rotation) {
	f := &function{}
	ended := make(chan secretsmanager.Rotation, 10)
	f.st = newStage(t, secretsmanager.Config{Invoke: f.invoke, OnRotation: func(r secretsmanager.Rotation) { ended <- r }})
	f.st.ok("CreateSecret", `{"Name":"db","SecretString":"{\"user\":\"app\",\"password\":\"old\"}","ClientRequestToken":%q}`, tokenA)
	return f.st, f, ended
}

func TestRotationRunsTheFourStepsAndMovesTheLabels(t *testing.T) {
	st, f, ended := rotating(t)
	m := st.ok("RotateSecret", `{"SecretId":"db","ClientRequestToken":%q,"RotationLambdaARN":%q,"RotationRules":{"AutomaticallyAfterDays":30}}`, tokenB, lambda)
	if m["VersionId"] != tokenB {
		t.Errorf("got %v", m)
	}
	r := <-ended
	if r.Err != nil || r.VersionID != tokenB {
		t.Fatalf("got %+v", r)
	}
	if !reflect.DeepEqual(f.steps, []string{"createSecret", "setSecret", "testSecret", "finishSecret"}) {
		t.Errorf("got %v", f.steps)
	}
	if f.arn != lambda || f.last.SecretId != m["ARN"] || f.last.ClientRequestToken != tokenB || len(f.last.RotationToken) < 36 {
		t.Errorf("%s got %+v", f.arn, f.last)
	}
	var now map[string]string
	if err := json.Unmarshal([]byte(st.value("db", "AWSCURRENT")), &now); err != nil || now["user"] != "app" || len(now["password"]) != 32 {
		t.Errorf("current: %v %v", now, err)
	}
	if p := st.value("db", "AWSPREVIOUS"); !strings.Contains(p, `"old"`) {
		t.Errorf("previous: %s", p)
	}
	if p := st.value("db", "AWSPENDING"); p != noValue("AWSPENDING") {
		t.Errorf("pending: %s", p)
	}
	d := st.ok("DescribeSecret", `{"SecretId":"db"}`)
	next := time.Date(2026, 4, 9, 23, 59, 59, 0, time.UTC)
	if d["LastRotatedDate"] != float64(start.Unix()) || d["NextRotationDate"] != float64(next.Unix()) || d["RotationLambdaARN"] != lambda {
		t.Errorf("got %v, want next %d", d, next.Unix())
	}
	if m := st.ok("RotateSecret", `{"SecretId":"db","ClientRequestToken":%q}`, tokenB); m["VersionId"] != tokenB || len(f.steps) != 4 {
		t.Errorf("a repeated request rotated again: %v", f.steps)
	}
}

func TestAFailedStepLeavesThePendingVersion(t *testing.T) {
	for _, c := range []struct{ step, pending string }{
		{"createSecret", noValue("AWSPENDING")}, {"setSecret", "value"}, {"testSecret", "value"}, {"finishSecret", "value"},
	} {
		t.Run(c.step, func(t *testing.T) {
			st, f, ended := rotating(t)
			f.fail = c.step
			st.ok("RotateSecret", `{"SecretId":"db","ClientRequestToken":%q,"RotationLambdaARN":%q}`, tokenB, lambda)
			if r := <-ended; r.Step != c.step || r.Err == nil {
				t.Fatalf("got %+v", r)
			}
			if got := st.value("db", "AWSCURRENT"); !strings.Contains(got, `"old"`) {
				t.Errorf("current: %s", got)
			}
			if got := st.value("db", "AWSPENDING"); got != c.pending && !(c.pending == "value" && strings.Contains(got, `"user":"app"`)) {
				t.Errorf("pending: %s", got)
			}
			if d := st.ok("DescribeSecret", `{"SecretId":"db"}`); d["LastRotatedDate"] != nil {
				t.Errorf("a failed rotation has a date: %v", d)
			}
			// The next request is refused and attempts the old rotation again.
			f.fail = ""
			st.refused("InvalidRequestException: A previous rotation isn't complete. That rotation will be reattempted.", "RotateSecret", `{"SecretId":"db"}`)
			if r := <-ended; r.Err != nil || r.VersionID != tokenB {
				t.Errorf("got %+v", r)
			}
			if got := st.value("db", "AWSCURRENT"); strings.Contains(got, `"old"`) {
				t.Errorf("current: %s", got)
			}
		})
	}
}

func TestAFunctionThatDoesNotFinishHasFailed(t *testing.T) {
	ended := make(chan secretsmanager.Rotation, 1)
	st := newStage(t, secretsmanager.Config{OnRotation: func(r secretsmanager.Rotation) { ended <- r },
		Invoke: func(context.Context, string, []byte) ([]byte, error) { return nil, nil }})
	st.ok("CreateSecret", `{"Name":"db","SecretString":"v"}`)
	st.ok("RotateSecret", `{"SecretId":"db","RotationLambdaARN":%q}`, lambda)
	if r := <-ended; r.Step != "finishSecret" || r.Err == nil {
		t.Errorf("got %+v", r)
	}
}

func TestAPanicOfTheFunctionFailsItsStepAlone(t *testing.T) {
	ended := make(chan secretsmanager.Rotation, 1)
	st := newStage(t, secretsmanager.Config{OnRotation: func(r secretsmanager.Rotation) { ended <- r },
		Invoke: func(context.Context, string, []byte) ([]byte, error) { panic("boom") }})
	st.ok("CreateSecret", `{"Name":"db","SecretString":"v"}`)
	st.ok("RotateSecret", `{"SecretId":"db","RotationLambdaARN":%q}`, lambda)
	if r := <-ended; r.Step != "createSecret" || r.Err == nil || !strings.Contains(r.Err.Error(), "boom") {
		t.Errorf("got %+v", r)
	}
}

func TestRotateImmediatelyFalseOnlyTestsTheFunction(t *testing.T) {
	st, f, ended := rotating(t)
	st.ok("RotateSecret", `{"SecretId":"db","RotationLambdaARN":%q,"RotateImmediately":false,"RotationRules":{"ScheduleExpression":"rate(10 days)","Duration":"3h"}}`, lambda)
	if r := <-ended; r.Err != nil {
		t.Fatalf("got %+v", r)
	}
	if !reflect.DeepEqual(f.steps, []string{"testSecret"}) {
		t.Errorf("got %v", f.steps)
	}
	d := st.ok("DescribeSecret", `{"SecretId":"db"}`)
	next := time.Date(2026, 3, 20, 3, 0, 0, 0, time.UTC)
	if !reflect.DeepEqual(d["VersionIdsToStages"], map[string]any{tokenA: []any{"AWSCURRENT"}}) || d["NextRotationDate"] != float64(next.Unix()) {
		t.Errorf("got %v", d)
	}
}

func TestScheduledRotationStartsOnTheVirtualClock(t *testing.T) {
	st, f, ended := rotating(t)
	st.ok("RotateSecret", `{"SecretId":"db","RotationLambdaARN":%q,"RotationRules":{"AutomaticallyAfterDays":1}}`, lambda)
	<-ended
	st.pass(8 * time.Hour) // 23:30, the window opens at midnight
	if err := st.Advance(st.clock()); err != nil {
		t.Fatal(err)
	}
	if len(f.steps) != 4 {
		t.Fatalf("rotated before the window: %v", f.steps)
	}
	st.pass(time.Hour)
	f.fail = "setSecret"
	if err := st.Advance(st.clock()); err != nil {
		t.Fatal(err)
	}
	if r := <-ended; r.Err == nil {
		t.Fatal("the rotation did not fail")
	}
	// A failed window is not repeated: NextRotationDate lies in the past.
	st.pass(72 * time.Hour)
	n := len(f.steps)
	d := st.ok("DescribeSecret", `{"SecretId":"db"}`)
	if err := st.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d["NextRotationDate"].(float64) > float64(st.clock().Unix()) || len(f.steps) != n {
		t.Errorf("got %v after %v", d, f.steps)
	}
	f.fail = ""
	st.refused("reattempted", "RotateSecret", `{"SecretId":"db"}`)
	if r := <-ended; r.Err != nil {
		t.Errorf("got %+v", r)
	}
	if d := st.ok("DescribeSecret", `{"SecretId":"db"}`); d["NextRotationDate"].(float64) < float64(st.clock().Unix()) {
		t.Errorf("got %v", d)
	}
}

func TestWritingAValueByHandCountsAsARotation(t *testing.T) {
	st, _, ended := rotating(t)
	st.ok("RotateSecret", `{"SecretId":"db","RotationLambdaARN":%q,"RotationRules":{"AutomaticallyAfterDays":10}}`, lambda)
	<-ended
	before := st.ok("DescribeSecret", `{"SecretId":"db"}`)["NextRotationDate"].(float64)
	st.pass(48 * time.Hour)
	st.ok("PutSecretValue", `{"SecretId":"db","SecretString":"by hand"}`)
	if after := st.ok("DescribeSecret", `{"SecretId":"db"}`)["NextRotationDate"].(float64); after-before != 48*3600 {
		t.Errorf("moved by %v s", after-before)
	}
}

func TestCancelStopsARotationInProgress(t *testing.T) {
	st, f, ended := rotating(t)
	f.block = make(chan struct{})
	st.ok("RotateSecret", `{"SecretId":"db","ClientRequestToken":%q,"RotationLambdaARN":%q,"RotationRules":{"AutomaticallyAfterDays":1}}`, tokenB, lambda)
	st.refused("A previous rotation isn't complete", "RotateSecret", `{"SecretId":"db"}`)
	if m := st.ok("RotateSecret", `{"SecretId":"db","ClientRequestToken":%q}`, tokenB); m["VersionId"] != tokenB {
		t.Errorf("a repeated request: %v", m)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := st.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if m := st.ok("CancelRotateSecret", `{"SecretId":"db"}`); m["VersionId"] != tokenB {
		t.Errorf("got %v", m)
	}
	if r := <-ended; !errors.Is(r.Err, context.Canceled) {
		t.Errorf("got %+v", r)
	}
	if err := st.Wait(context.Background()); err != nil {
		t.Error(err)
	}
	d := st.ok("DescribeSecret", `{"SecretId":"db"}`)
	if d["RotationEnabled"] != false || d["NextRotationDate"] != nil {
		t.Errorf("got %v", d)
	}
}

func TestASecretThatIsDeletedWhileItRotatesStaysDeleted(t *testing.T) {
	st, f, ended := rotating(t)
	f.block = make(chan struct{})
	st.ok("RotateSecret", `{"SecretId":"db","RotationLambdaARN":%q}`, lambda)
	st.ok("DeleteSecret", `{"SecretId":"db","ForceDeleteWithoutRecovery":true}`)
	if r := <-ended; r.Err == nil {
		t.Error("the rotation ended well")
	}
	if n := st.Names(); len(n) != 0 {
		t.Errorf("left: %v", n)
	}
}

func TestTheRotationTokenBelongsToItsRotation(t *testing.T) {
	st, f, ended := rotating(t)
	f.block = make(chan struct{})
	st.ok("RotateSecret", `{"SecretId":"db","ClientRequestToken":%q,"RotationLambdaARN":%q}`, tokenB, lambda)
	st.refused("The RotationToken is not valid", "PutSecretValue", `{"SecretId":"db","SecretString":"x","ClientRequestToken":%q,"RotationToken":%q}`, tokenB, tokenC)
	close(f.block)
	if r := <-ended; r.Err != nil {
		t.Errorf("the right token was refused: %+v", r)
	}
}

func TestTheBuiltinFunctionRotatesAnyValue(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	fn := secretsmanager.BuiltinRotation(st.Service)
	for _, payload := range []string{"x", `{"Step":"x"}`, `{"Step":"createSecret","SecretId":"none","ClientRequestToken":"` + tokenA + `"}`} {
		if _, err := fn(context.Background(), lambda, []byte(payload)); err == nil {
			t.Errorf("%s: no error", payload)
		}
	}
	for name, v := range map[string]any{"text": "old", "json": map[string]int{"n": 1}, "bytes": []byte("old")} {
		if err := st.Put(name, v); err != nil {
			t.Fatal(err)
		}
		st.ok("RotateSecret", `{"SecretId":%q,"RotationLambdaARN":%q}`, name, lambda)
		if err := st.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		m := st.ok("GetSecretValue", `{"SecretId":%q}`, name)
		if n := len(fmt.Sprint(m["SecretString"])); name != "bytes" && n != 32 || name == "bytes" && m["SecretBinary"] == nil {
			t.Errorf("%s: got %v", name, m)
		}
		if d := st.ok("DescribeSecret", `{"SecretId":%q}`, name); d["LastRotatedDate"] == nil {
			t.Errorf("%s: not rotated: %v", name, d)
		}
	}
}

func TestARestartKeepsWhatWasAnswered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	st := newStage(t, secretsmanager.Config{Dir: dir})
	st.ok("CreateSecret", `{"Name":"s","SecretString":"1","ClientRequestToken":%q,"AddReplicaRegions":[{"Region":"eu-west-1"}],"Tags":[{"Key":"a","Value":"b"}]}`, tokenA)
	st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"2"}`)
	st.ok("CreateSecret", `{"Name":"S","SecretBinary":"AAEC"}`)
	st.ok("CreateSecret", `{"Name":"gone","SecretString":"x"}`)
	st.ok("DeleteSecret", `{"SecretId":"gone","ForceDeleteWithoutRecovery":true}`)
	st.ok("CreateSecret", `{"Name":"marked","SecretString":"x"}`)
	st.ok("DeleteSecret", `{"SecretId":"marked"}`)
	if err := st.DisableKey("S"); err != nil {
		t.Fatal(err)
	}
	st.ok("RotateSecret", `{"SecretId":"s","RotationLambdaARN":%q,"RotationRules":{"AutomaticallyAfterDays":3}}`, lambda)
	if err := st.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := st.ok("DescribeSecret", `{"SecretId":"s"}`)
	value := st.ok("GetSecretValue", `{"SecretId":"s"}`)

	again := newStage(t, secretsmanager.Config{Dir: dir})
	value2 := again.ok("GetSecretValue", `{"SecretId":"s"}`)
	if !reflect.DeepEqual(value, value2) {
		t.Error("the value changed")
	}
	want["LastAccessedDate"], want["ReplicationStatus"] = nil, nil
	got := again.ok("DescribeSecret", `{"SecretId":"s"}`)
	got["LastAccessedDate"], got["ReplicationStatus"] = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if n := again.Names(); !reflect.DeepEqual(n, []string{"S", "marked", "s"}) {
		t.Errorf("got %v", n)
	}
	again.refused("DecryptionFailure", "GetSecretValue", `{"SecretId":"S"}`)
	again.refused("marked for deletion", "GetSecretValue", `{"SecretId":"marked"}`)
	again.region = "eu-west-1"
	if got := again.ok("GetSecretValue", `{"SecretId":"s"}`); got["SecretString"] != value["SecretString"] {
		t.Error("the replica was lost")
	}
}

// A kill between the two records of a primary and its replica leaves one old file;
// the next start finishes what the answer had not yet promised.
func TestAKillBetweenPrimaryAndReplicaIsMended(t *testing.T) {
	for _, c := range []struct {
		name, region, operation, body string
		old                           string // the region whose record the kill left as it was
		primary, replica              string // values after the restart
	}{
		{"put", "us-east-1", "PutSecretValue", `{"SecretId":"s","SecretString":"2"}`, "eu-west-1", "2", "2"},
		{"remove", "us-east-1", "RemoveRegionsFromReplication", `{"SecretId":"s","RemoveReplicaRegions":["eu-west-1"]}`, "eu-west-1", "1", "ResourceNotFoundException"},
		{"promote", "eu-west-1", "StopReplicationToReplica", `{"SecretId":"s"}`, "us-east-1", "after", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			st := newStage(t, secretsmanager.Config{Dir: dir})
			st.ok("CreateSecret", `{"Name":"s","SecretString":"1","AddReplicaRegions":[{"Region":"eu-west-1"}]}`)
			files, err := filepath.Glob(filepath.Join(dir, "*.json"))
			if err != nil || len(files) != 2 {
				t.Fatal(files, err)
			}
			kept := map[string][]byte{}
			for _, f := range files {
				if kept[f], err = os.ReadFile(f); err != nil {
					t.Fatal(err)
				}
			}
			st.region = c.region
			st.ok(c.operation, "%s", c.body)
			for f, b := range kept {
				if strings.Contains(string(b), `"key":"123456789012/`+c.old+`/s"`) {
					if err := os.WriteFile(f, b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			again := newStage(t, secretsmanager.Config{Dir: dir})
			if c.primary == "after" {
				again.ok("PutSecretValue", `{"SecretId":"s","SecretString":"after"}`)
			}
			if got := again.value("s", "AWSCURRENT"); got != c.primary {
				t.Errorf("primary: %s", got)
			}
			again.region = "eu-west-1"
			if got := again.value("s", "AWSCURRENT"); !strings.HasPrefix(got, c.replica) {
				t.Errorf("replica: %s", got)
			}
		})
	}
}

func TestADamagedFileStopsTheServiceByName(t *testing.T) {
	dir := t.TempDir()
	st := newStage(t, secretsmanager.Config{Dir: dir})
	if err := st.Put("s", "CANARY"); err != nil {
		t.Fatal(err)
	}
	disk, err := persist.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := disk.Save("123456789012/us-east-1/other", map[string]string{"Name": "CANARY"}); err != nil {
		t.Fatal(err)
	}
	again := newStage(t, secretsmanager.Config{Dir: dir})
	err = again.Open()
	if !errors.Is(err, persist.ErrCorrupt) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("got %v", err)
	}
	again.refused("InternalServiceError: secretsmanager: persist: "+dir, "GetSecretValue", `{"SecretId":"s"}`)
	if err := again.Put("x", "y"); !errors.Is(err, persist.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if again.Names() != nil || again.Delete("s") == nil || again.Advance(start) == nil || again.HoldReplication("s", true) == nil {
		t.Error("a damaged store was used")
	}
}

func TestAPathThatIsNoDirectoryIsReported(t *testing.T) {
	st := newStage(t, secretsmanager.Config{Dir: "/dev/null/x"})
	if err := st.Open(); err == nil || !strings.HasPrefix(err.Error(), "secretsmanager: persist: create directory") {
		t.Errorf("got %v", err)
	}
}
