package secretsmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/service"
)

var start = time.Date(2026, 3, 10, 15, 30, 0, 0, time.UTC)

// stage is a service, a clock that the test turns, and a caller.
type stage struct {
	*secretsmanager.Service
	t       *testing.T
	mu      sync.Mutex
	now     time.Time
	region  string
	account string
}

func newStage(t *testing.T, cfg secretsmanager.Config) *stage {
	st := &stage{t: t, now: start}
	cfg.Now = st.clock
	st.Service = secretsmanager.New(cfg)
	t.Cleanup(func() { st.Close() })
	return st
}

func (st *stage) clock() time.Time {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.now
}

func (st *stage) pass(d time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.now = st.now.Add(d)
}

func (st *stage) call(operation, body string, args ...any) (map[string]any, error) {
	st.t.Helper()
	if len(args) > 0 {
		body = fmt.Sprintf(body, args...)
	}
	out, err := st.Call(context.Background(), &service.Call{Operation: operation, Body: []byte(body), Now: st.clock(),
		Region: st.region, Account: st.account, PrincipalARN: "arn:aws:iam::" + st.account + ":role/r"})
	if err != nil {
		var e *service.Error
		if !errors.As(err, &e) {
			st.t.Fatalf("%s: an error that is not AWS's: %v", operation, err)
		}
		return nil, err
	}
	b, err := json.Marshal(out)
	if err != nil {
		st.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		st.t.Fatal(err)
	}
	return m, nil
}

func (st *stage) ok(operation, body string, args ...any) map[string]any {
	st.t.Helper()
	m, err := st.call(operation, body, args...)
	if err != nil {
		st.t.Fatalf("%s %s: %v", operation, fmt.Sprintf(body, args...), err)
	}
	return m
}

func (st *stage) refused(want, operation, body string, args ...any) {
	st.t.Helper()
	m, err := st.call(operation, body, args...)
	if err == nil {
		st.t.Fatalf("%s: got %v, want %s", operation, m, want)
	}
	if !strings.Contains(err.Error(), want) {
		st.t.Errorf("%s: got %v, want %s", operation, err, want)
	}
}

// value reads one version and returns its text or its error.
func (st *stage) value(id, label string) string {
	st.t.Helper()
	m, err := st.call("GetSecretValue", `{"SecretId":%q,"VersionStage":%q}`, id, label)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(m["SecretString"])
}

const (
	tokenA = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
	tokenB = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"
	tokenC = "cccccccc-cccc-cccc-cccc-cccccccccccc"
	lambda = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
)

func noValue(label string) string {
	return "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: " + label
}

func TestConfigIsValidated(t *testing.T) {
	if err := (secretsmanager.Config{}).Validate(); err != nil {
		t.Error(err)
	}
	err := secretsmanager.Config{Region: "moon", AccountID: "1"}.Validate()
	if err == nil || !strings.Contains(err.Error(), "moon") || !strings.Contains(err.Error(), "twelve digits") {
		t.Errorf("got %v", err)
	}
}

func TestTheServiceSaysHowItIsReached(t *testing.T) {
	s := secretsmanager.New(secretsmanager.Config{})
	if s.SigningName() != "secretsmanager" || s.TargetPrefix() != "secretsmanager" || s.Protocol() != service.JSON11 {
		t.Error("wrong names")
	}
}

func TestCreateAndReadByNameAndARN(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	m := st.ok("CreateSecret", `{"Name":"prod/db","SecretString":"s3cret","Description":"d","ClientRequestToken":%q,"Tags":[{"Key":"k","Value":"v"}]}`, tokenA)
	arn := m["ARN"].(string)
	if !strings.HasPrefix(arn, "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-") || m["VersionId"] != tokenA {
		t.Fatalf("got %v", m)
	}
	partial := arn[:len(arn)-7]
	for _, id := range []string{"prod/db", arn, partial} {
		m := st.ok("GetSecretValue", `{"SecretId":%q}`, id)
		if m["SecretString"] != "s3cret" || m["ARN"] != arn || m["VersionId"] != tokenA || m["CreatedDate"] != float64(start.Unix()) {
			t.Errorf("%s: got %v", id, m)
		}
		if !reflect.DeepEqual(m["VersionStages"], []any{"AWSCURRENT"}) || m["SecretBinary"] != nil {
			t.Errorf("%s: got %v", id, m)
		}
	}
	const missing = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
	st.refused(missing, "GetSecretValue", `{"SecretId":"prod/d"}`)
	st.refused(missing, "GetSecretValue", `{"SecretId":%q}`, partial+"-zzzzzz")
	st.refused(missing, "GetSecretValue", `{"SecretId":%q}`, strings.Replace(arn, "us-east-1", "eu-west-1", 1))
	st.refused(missing, "GetSecretValue", `{"SecretId":%q}`, strings.Replace(partial, "us-east-1", "eu-west-1", 1))
	st.refused("ValidationException: Invalid ARN.", "GetSecretValue", `{"SecretId":"arn:aws:secretsmanager"}`)
	st.refused("ResourceNotFoundException: Secrets Manager can't find the specified secret value for VersionId: "+tokenB, "GetSecretValue", `{"SecretId":"prod/db","VersionId":%q}`, tokenB)
	st.refused("InvalidRequestException: You provided a VersionStage that is not associated to the provided VersionId.", "GetSecretValue", `{"SecretId":"prod/db","VersionId":%q,"VersionStage":"AWSPREVIOUS"}`, tokenA)
	st.region = "eu-west-1"
	st.refused(missing, "GetSecretValue", `{"SecretId":"prod/db"}`)
}

func TestBinaryValuesTravelAsBase64(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	st.ok("CreateSecret", `{"Name":"k","SecretBinary":"AAEC/w=="}`)
	if m := st.ok("GetSecretValue", `{"SecretId":"k"}`); m["SecretBinary"] != "AAEC/w==" || m["SecretString"] != nil {
		t.Errorf("got %v", m)
	}
}

func TestASecretWithoutAValueHasNoCurrentVersion(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	if m := st.ok("CreateSecret", `{"Name":"empty"}`); m["VersionId"] != nil {
		t.Errorf("got %v", m)
	}
	st.refused(noValue("AWSCURRENT"), "GetSecretValue", `{"SecretId":"empty"}`)
	m := st.ok("PutSecretValue", `{"SecretId":"empty","SecretString":"v","VersionStages":["MINE"]}`)
	if !reflect.DeepEqual(m["VersionStages"], []any{"MINE", "AWSCURRENT"}) {
		t.Errorf("the first version is not current: %v", m)
	}
}

func TestRequestTokensMakeWritesIdempotent(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	st.ok("CreateSecret", `{"Name":"s","SecretString":"v","ClientRequestToken":%q}`, tokenA)
	if m := st.ok("CreateSecret", `{"Name":"s","SecretString":"v","ClientRequestToken":%q}`, tokenA); m["VersionId"] != tokenA {
		t.Errorf("got %v", m)
	}
	used := "ResourceExistsException: You can't use ClientRequestToken " + tokenA + " because that value is already in use for a version of secret arn:"
	st.refused(used, "CreateSecret", `{"Name":"s","SecretString":"w","ClientRequestToken":%q}`, tokenA)
	st.refused("ResourceExistsException: The operation failed because the secret s already exists.", "CreateSecret", `{"Name":"s","SecretString":"v","ClientRequestToken":%q}`, tokenB)
	st.refused("ResourceExistsException: The operation failed because the secret s already exists.", "CreateSecret", `{"Name":"s","ClientRequestToken":%q}`, tokenA)
	st.refused(used, "PutSecretValue", `{"SecretId":"s","SecretString":"w","ClientRequestToken":%q}`, tokenA)
	st.refused(used, "UpdateSecret", `{"SecretId":"s","SecretString":"w","ClientRequestToken":%q}`, tokenA)

	st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"w","ClientRequestToken":%q}`, tokenB)
	m := st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"v","ClientRequestToken":%q}`, tokenA)
	if !reflect.DeepEqual(m["VersionStages"], []any{"AWSPREVIOUS"}) || st.value("s", "AWSCURRENT") != "w" {
		t.Errorf("a repeated request moved a label: %v", m)
	}
}

func TestStagingLabelsMoveAsTheServiceMovesThem(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	st.ok("CreateSecret", `{"Name":"s","SecretString":"1","ClientRequestToken":%q}`, tokenA)
	st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"2","ClientRequestToken":%q}`, tokenB)
	st.ok("UpdateSecret", `{"SecretId":"s","SecretString":"3","ClientRequestToken":%q}`, tokenC)
	if c, p := st.value("s", "AWSCURRENT"), st.value("s", "AWSPREVIOUS"); c != "3" || p != "2" {
		t.Errorf("current %s, previous %s", c, p)
	}
	stages := func() any { return st.ok("DescribeSecret", `{"SecretId":"s"}`)["VersionIdsToStages"] }
	if got := stages(); !reflect.DeepEqual(got, map[string]any{tokenC: []any{"AWSCURRENT"}, tokenB: []any{"AWSPREVIOUS"}}) {
		t.Errorf("got %v", got)
	}
	// Roll back to the first version, which is deprecated by now.
	st.refused("The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "+tokenC+", so you must explicitly reference that version in RemoveFromVersionId.",
		"UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":%q}`, tokenA)
	st.refused("Staging label AWSCURRENT is not currently attached", "UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":%q,"RemoveFromVersionId":%q}`, tokenA, tokenB)
	st.refused("It can't be completely removed", "UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSCURRENT","RemoveFromVersionId":%q}`, tokenC)
	st.refused("You must specify MoveToVersionId", "UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"X"}`)
	st.refused("ResourceNotFoundException", "UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"X","MoveToVersionId":"dddddddd-dddd-dddd-dddd-dddddddddddd"}`)
	st.ok("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":%q,"RemoveFromVersionId":%q}`, tokenA, tokenC)
	if got := stages(); !reflect.DeepEqual(got, map[string]any{tokenA: []any{"AWSCURRENT"}, tokenC: []any{"AWSPREVIOUS"}}) {
		t.Errorf("got %v", got)
	}
	// And forward again to the version that is previous: it must lose that label.
	st.ok("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":%q,"RemoveFromVersionId":%q}`, tokenC, tokenA)
	if got := stages(); !reflect.DeepEqual(got, map[string]any{tokenC: []any{"AWSCURRENT"}, tokenA: []any{"AWSPREVIOUS"}}) {
		t.Errorf("got %v", got)
	}
	// Moving another label leaves AWSPREVIOUS where it is.
	st.ok("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSPENDING","MoveToVersionId":%q}`, tokenB)
	st.ok("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"AWSPENDING","MoveToVersionId":%q,"RemoveFromVersionId":%q}`, tokenC, tokenB)
	if got := stages(); !reflect.DeepEqual(got, map[string]any{tokenC: []any{"AWSCURRENT", "AWSPENDING"}, tokenA: []any{"AWSPREVIOUS"}}) {
		t.Errorf("got %v", got)
	}
	// A label of one's own comes and goes.
	st.ok("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"MINE","MoveToVersionId":%q}`, tokenB)
	if got := st.value("s", "MINE"); got != "2" {
		t.Errorf("got %s", got)
	}
	st.ok("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"MINE","RemoveFromVersionId":%q}`, tokenB)
	if got := st.value("s", "MINE"); got != noValue("MINE") {
		t.Errorf("got %s", got)
	}
	for i := range 18 {
		st.ok("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"L%d","MoveToVersionId":%q}`, i, tokenC)
	}
	st.refused("LimitExceededException", "UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"L20","MoveToVersionId":%q}`, tokenC)
}

func TestInvalidRequestsAreRefusedInTheServicesWords(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	st.ok("CreateSecret", `{"Name":"s","SecretString":"v"}`)
	long := strings.Repeat("x", 513)
	for name, c := range map[string]struct{ want, operation, body string }{
		"bad JSON":               {"SerializationException", "GetSecretValue", `{"SecretId"`},
		"data after JSON":        {"SerializationException", "GetSecretValue", `{} {}`},
		"not an object":          {"SerializationException", "GetSecretValue", `[]`},
		"number for text":        {"SerializationException: NUMBER_VALUE can not be converted to a String", "GetSecretValue", `{"SecretId":1}`},
		"text for list":          {"SerializationException: STRING_VALUE can not be converted to a list", "BatchGetSecretValue", `{"SecretIdList":"a"}`},
		"bad base64":             {"SerializationException", "CreateSecret", `{"Name":"x","SecretBinary":"!"}`},
		"unknown operation":      {"UnknownOperationException", "GetSecret", `{}`},
		"missing id":             {"ValidationException: 1 validation error detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null", "GetSecretValue", ``},
		"wrong case is missing":  {"Value null at 'secretId'", "GetSecretValue", `{"secretId":"s"}`},
		"long name":              {"Value '" + long + "' at 'name' failed to satisfy constraint: Member must have length less than or equal to 512", "CreateSecret", `{"Name":"` + long + `"}`},
		"bad name":               {"ValidationException: Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!", "CreateSecret", `{"Name":"a b"}`},
		"bad name in a read":     {"ValidationException: Invalid name.", "GetSecretValue", `{"SecretId":"a b"}`},
		"long name in a read":    {"ValidationException: Invalid name.", "GetSecretValue", `{"SecretId":"` + long + `"}`},
		"too long an id":         {"ValidationException: 1 validation error detected", "GetSecretValue", `{"SecretId":"` + strings.Repeat("x", 2049) + `"}`},
		"too long an id in many": {"ValidationException: 1 validation error detected", "BatchGetSecretValue", `{"SecretIdList":["s","` + strings.Repeat("x", 2049) + `"]}`},
		"short token":            {"at 'clientRequestToken' failed to satisfy constraint: Member must have length greater than or equal to 32", "CreateSecret", `{"Name":"x","ClientRequestToken":"short"}`},
		"two errors":             {"2 validation errors detected: ", "UpdateSecretVersionStage", `{}`},
		"empty value":            {"Value at 'secretString' failed to satisfy constraint: Member must have length greater than or equal to 1", "CreateSecret", `{"Name":"x","SecretString":""}`},
		"large value":            {"Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536", "CreateSecret", `{"Name":"x","SecretString":"` + strings.Repeat("x", 65537) + `"}`},
		"two values":             {"InvalidParameterException: You can't specify both a binary secret value and a string secret value in the same secret.", "CreateSecret", `{"Name":"x","SecretString":"v","SecretBinary":"AA=="}`},
		"two values in a put":    {"InvalidParameterException", "PutSecretValue", `{"SecretId":"s","SecretString":"v","SecretBinary":"AA=="}`},
		"two values in update":   {"InvalidParameterException", "UpdateSecret", `{"SecretId":"s","SecretString":"v","SecretBinary":"AA=="}`},
		"no value":               {"InvalidRequestException: You must provide either SecretString or SecretBinary.", "PutSecretValue", `{"SecretId":"s"}`},
		"21 labels":              {"Member must have length less than or equal to 20", "PutSecretValue", `{"SecretId":"s","SecretString":"v","VersionStages":["` + strings.Repeat(`a","`, 20) + `a"]}`},
		"reserved tag":           {"InvalidParameterException", "CreateSecret", `{"Name":"x","Tags":[{"Key":"aws:x","Value":"y"}]}`},
		"tag twice":              {"InvalidParameterException", "TagResource", `{"SecretId":"s","Tags":[{"Key":"x"},{"Key":"x"}]}`},
		"window of 6 days":       {"InvalidParameterException: The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).", "DeleteSecret", `{"SecretId":"s","RecoveryWindowInDays":6}`},
		"window of 31 days":      {"InvalidParameterException", "DeleteSecret", `{"SecretId":"s","RecoveryWindowInDays":31}`},
		"window and force":       {"InvalidParameterException: You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.", "DeleteSecret", `{"SecretId":"s","RecoveryWindowInDays":7,"ForceDeleteWithoutRecovery":true}`},
		"filter key":             {"Value 'x' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum value set: [description, name", "ListSecrets", `{"Filters":[{"Key":"x","Values":["y"]}]}`},
		"101 results":            {"Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100", "ListSecrets", `{"MaxResults":101}`},
		"token of another list":  {"InvalidNextTokenException", "ListSecrets", `{"NextToken":"eA=="}`},
		"no token":               {"InvalidNextTokenException", "ListSecretVersionIds", `{"SecretId":"s","NextToken":"!"}`},
		"21 in a batch":          {"Member must have length less than or equal to 20", "BatchGetSecretValue", `{"SecretIdList":["` + strings.Repeat(`a","`, 20) + `a"]}`},
		"ids and filters":        {"InvalidParameterException: Either 'SecretIdList' or 'Filters' must be provided, but not both.", "BatchGetSecretValue", `{"SecretIdList":["s"],"Filters":[{"Key":"name","Values":["s"]}]}`},
		"neither":                {"InvalidParameterException: Either 'SecretIdList' or 'Filters' must be provided.", "BatchGetSecretValue", `{}`},
		"results without filter": {"InvalidParameterException: 'Filters' not specified.", "BatchGetSecretValue", `{"SecretIdList":["s"],"MaxResults":1}`},
		"no rotation function":   {"InvalidRequestException: No Lambda rotation function ARN is associated with this secret.", "RotateSecret", `{"SecretId":"s"}`},
		"nothing to cancel":      {"InvalidRequestException", "CancelRotateSecret", `{"SecretId":"s"}`},
		"two schedules":          {"InvalidParameterException: You can't specify both", "RotateSecret", `{"SecretId":"s","RotationLambdaARN":"x","RotationRules":{"AutomaticallyAfterDays":1,"ScheduleExpression":"rate(1 day)"}}`},
		"strange rotation token": {"InvalidParameterException: The RotationToken is not valid", "PutSecretValue", `{"SecretId":"s","SecretString":"v","RotationToken":"` + tokenA + `"}`},
		"own region":             {"InvalidParameterException: Invalid replica region.", "ReplicateSecretToRegions", `{"SecretId":"s","AddReplicaRegions":[{"Region":"us-east-1"}]}`},
		"not a replica":          {"InvalidRequestException", "StopReplicationToReplica", `{"SecretId":"s"}`},
		"not a policy":           {"MalformedPolicyDocumentException: This resource policy contains invalid Json", "PutResourcePolicy", `{"SecretId":"s","ResourcePolicy":"x"}`},
		"too short a password":   {"InvalidParameterException: Password length is too short based on the required types.", "GetRandomPassword", `{"PasswordLength":3}`},
		"nothing to choose from": {"InvalidParameterException", "GetRandomPassword", `{"ExcludeNumbers":true,"ExcludePunctuation":true,"ExcludeUppercase":true,"ExcludeLowercase":true}`},
		"very long password":     {"Value '4097' at 'passwordLength' failed to satisfy constraint: Member must have value less than or equal to 4096", "GetRandomPassword", `{"PasswordLength":4097}`},
	} {
		t.Run(name, func(t *testing.T) {
			st.t = t
			st.refused(c.want, c.operation, "%s", c.body)
		})
	}
	// Every operation that names a secret says the same of a missing one.
	for _, operation := range []string{"CancelRotateSecret", "DeleteResourcePolicy", "DeleteSecret", "DescribeSecret", "GetResourcePolicy", "GetSecretValue",
		"ListSecretVersionIds", "RestoreSecret", "RotateSecret", "StopReplicationToReplica", "UpdateSecret"} {
		st.refused("ResourceNotFoundException: Secrets Manager can't find the specified secret.", operation, `{"SecretId":"none"}`)
	}
	for operation, rest := range map[string]string{"PutSecretValue": `"SecretString":"v"`, "TagResource": `"Tags":[]`, "UntagResource": `"TagKeys":[]`,
		"UpdateSecretVersionStage": `"VersionStage":"x"`, "PutResourcePolicy": `"ResourcePolicy":"x"`, "ValidateResourcePolicy": `"ResourcePolicy":"x"`,
		"ReplicateSecretToRegions": `"AddReplicaRegions":[{"Region":"eu-west-1"}]`, "RemoveRegionsFromReplication": `"RemoveReplicaRegions":["eu-west-1"]`} {
		st.refused("ResourceNotFoundException: Secrets Manager can't find the specified secret.", operation, `{"SecretId":"none",%s}`, rest)
	}
}

func TestDeletionHappensOnTheVirtualClock(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	st.ok("CreateSecret", `{"Name":"s","SecretString":"v"}`)
	m := st.ok("DeleteSecret", `{"SecretId":"s","RecoveryWindowInDays":7}`)
	due := start.Add(7 * 24 * time.Hour)
	if m["DeletionDate"] != float64(due.Unix()) {
		t.Errorf("got %v", m)
	}
	const marked = "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."
	st.refused(marked, "GetSecretValue", `{"SecretId":"s"}`)
	st.refused(marked, "PutSecretValue", `{"SecretId":"s","SecretString":"w"}`)
	st.refused(marked, "DeleteSecret", `{"SecretId":"s"}`)
	st.refused(marked, "GetResourcePolicy", `{"SecretId":"s"}`)
	st.refused("InvalidRequestException: You can't create this secret because a secret with this name is already scheduled for deletion.", "CreateSecret", `{"Name":"s"}`)
	if d := st.ok("DescribeSecret", `{"SecretId":"s"}`); d["DeletedDate"] != float64(due.Unix()) {
		t.Errorf("got %v", d)
	}
	if l := st.ok("ListSecrets", `{}`); len(l["SecretList"].([]any)) != 0 {
		t.Errorf("a marked secret is listed: %v", l)
	}
	if l := st.ok("ListSecrets", `{"IncludePlannedDeletion":true}`); len(l["SecretList"].([]any)) != 1 {
		t.Errorf("got %v", l)
	}
	st.pass(7*24*time.Hour - time.Second)
	st.ok("RestoreSecret", `{"SecretId":"s"}`)
	st.pass(24 * time.Hour)
	if got := st.value("s", "AWSCURRENT"); got != "v" {
		t.Errorf("the restored secret: %s", got)
	}
	st.ok("DeleteSecret", `{"SecretId":"s","RecoveryWindowInDays":30}`)
	st.ok("RestoreSecret", `{"SecretId":"s"}`)
	st.ok("DeleteSecret", `{"SecretId":"s"}`)
	st.pass(30 * 24 * time.Hour)
	st.refused("ResourceNotFoundException", "RestoreSecret", `{"SecretId":"s"}`)
	st.ok("CreateSecret", `{"Name":"s","SecretString":"new"}`)
}

func TestANewSecretOfAnOldNameHasAnotherARN(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	old := st.ok("CreateSecret", `{"Name":"s","SecretString":"v"}`)["ARN"]
	st.ok("DeleteSecret", `{"SecretId":"s","ForceDeleteWithoutRecovery":true}`)
	st.ok("CreateSecret", `{"Name":"s","SecretString":"v"}`)
	st.refused("ResourceNotFoundException", "GetSecretValue", `{"SecretId":%q}`, old)
	if m := st.ok("DeleteSecret", `{"SecretId":"gone","ForceDeleteWithoutRecovery":true}`); m["Name"] != "gone" {
		t.Errorf("got %v", m)
	}
	if m := st.ok("DeleteSecret", `{"SecretId":%q,"ForceDeleteWithoutRecovery":true}`, old); m["Name"] != "s" || m["ARN"] != old {
		t.Errorf("got %v", m)
	}
	if got := st.value("s", "AWSCURRENT"); got != "v" {
		t.Errorf("the old ARN deleted the new secret: %s", got)
	}
}

func TestABatchReportsErrorsBesideValues(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	for _, n := range []string{"a", "b", "denied", "locked"} {
		if err := st.Put(n, "value of "+n); err != nil {
			t.Fatal(err)
		}
	}
	st.FailReads("denied", secretsmanager.AccessDenied("arn:aws:sts::123456789012:assumed-role/r/s", "denied"))
	if err := st.DisableKey("locked"); err != nil {
		t.Fatal(err)
	}
	st.ok("CreateSecret", `{"Name":"marked","SecretString":"x"}`)
	st.ok("DeleteSecret", `{"SecretId":"marked"}`)
	m := st.ok("BatchGetSecretValue", `{"SecretIdList":["b","denied","missing","locked","a","marked","a b","b"]}`)
	var got []string
	for _, v := range m["SecretValues"].([]any) {
		got = append(got, v.(map[string]any)["SecretString"].(string))
	}
	for _, v := range m["Errors"].([]any) {
		e := v.(map[string]any)
		got = append(got, fmt.Sprint(e["SecretId"], " ", e["ErrorCode"]))
	}
	want := []string{"value of b", "value of a", "value of b", "denied AccessDeniedException", "missing ResourceNotFoundException",
		"locked DecryptionFailure", "marked InvalidRequestException", "a b ValidationException"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	st.FailReads("denied", nil)
	if err := st.EnableKey("locked"); err != nil {
		t.Fatal(err)
	}
	if m := st.ok("BatchGetSecretValue", `{"SecretIdList":["denied","locked"]}`); len(m["Errors"].([]any)) != 0 {
		t.Errorf("got %v", m)
	}
}

func TestALargeBatchAnswerIsCutWithAToken(t *testing.T) {
	for _, c := range []struct {
		bytes, pages int
	}{{0, 3}, {-1, 1}, {1, 5}} {
		st := newStage(t, secretsmanager.Config{BatchBytes: c.bytes})
		for i := range 5 {
			if err := st.Put(fmt.Sprint("s", i), strings.Repeat("x", 30_000)); err != nil {
				t.Fatal(err)
			}
		}
		body, pages, values := `{"SecretIdList":["s0","s1","s2","s3","s4"]%s}`, 0, 0
		next := ""
		for {
			m := st.ok("BatchGetSecretValue", body, next)
			pages++
			values += len(m["SecretValues"].([]any))
			if m["NextToken"] == nil {
				break
			}
			next = fmt.Sprintf(`,"NextToken":%q`, m["NextToken"])
		}
		if pages != c.pages || values != 5 {
			t.Errorf("limit %d: %d values on %d pages, want 5 on %d", c.bytes, values, pages, c.pages)
		}
	}
}

func TestABatchByFilterPages(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	for i := range 25 {
		if err := st.Put(fmt.Sprintf("app/%02d", i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Put("other", "v"); err != nil {
		t.Fatal(err)
	}
	m := st.ok("BatchGetSecretValue", `{"Filters":[{"Key":"name","Values":["app/"]}]}`)
	n := len(m["SecretValues"].([]any))
	m = st.ok("BatchGetSecretValue", `{"Filters":[{"Key":"name","Values":["app/"]}],"NextToken":%q}`, m["NextToken"])
	if n != 20 || len(m["SecretValues"].([]any)) != 5 || m["NextToken"] != nil {
		t.Errorf("%d, then %v", n, len(m["SecretValues"].([]any)))
	}
	m = st.ok("BatchGetSecretValue", `{"Filters":[{"Key":"name","Values":["app/"]}],"MaxResults":3}`)
	if len(m["SecretValues"].([]any)) != 3 {
		t.Errorf("got %v", m)
	}
}

func names(m map[string]any) string {
	var out []string
	for _, v := range m["SecretList"].([]any) {
		out = append(out, v.(map[string]any)["Name"].(string))
	}
	return strings.Join(out, " ")
}

func TestListFiltersSortsAndPages(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	for _, c := range []string{
		`{"Name":"db/Orders","Description":"Orders database","Tags":[{"Key":"team","Value":"blue"}],"SecretString":"v"}`,
		`{"Name":"db/billing","Description":"billing","Tags":[{"Key":"Team","Value":"green"}],"SecretString":"v"}`,
		`{"Name":"api","AddReplicaRegions":[{"Region":"eu-west-1"}],"SecretString":"v"}`,
		`{"Name":"rds!managed","SecretString":"v"}`,
	} {
		st.pass(time.Second)
		st.ok("CreateSecret", "%s", c)
	}
	st.pass(25 * time.Hour)
	st.ok("GetSecretValue", `{"SecretId":"db/billing"}`)
	st.ok("TagResource", `{"SecretId":"db/Orders","Tags":[{"Key":"x","Value":"y"}]}`)
	for _, c := range []struct{ body, want string }{
		{`{}`, "db/Orders db/billing api rds!managed"},
		{`{"SortOrder":"desc"}`, "rds!managed api db/billing db/Orders"},
		{`{"SortBy":"name","SortOrder":"asc"}`, "api db/Orders db/billing rds!managed"},
		{`{"SortBy":"last-accessed-date","SortOrder":"desc","MaxResults":1}`, "db/billing"},
		{`{"SortBy":"last-changed-date","SortOrder":"desc","MaxResults":1}`, "db/Orders"},
		{`{"Filters":[{"Key":"name","Values":["db/"]}]}`, "db/Orders db/billing"},
		{`{"Filters":[{"Key":"name","Values":["DB/"]}]}`, ""},
		{`{"Filters":[{"Key":"name","Values":["!db/"]}]}`, "api rds!managed"},
		{`{"Filters":[{"Key":"name","Values":["db/","!db/b"]}]}`, "db/Orders"},
		{`{"Filters":[{"Key":"name","Values":["db/o","api"]}]}`, "api"},
		{`{"Filters":[{"Key":"description","Values":["ORDERS"]}]}`, "db/Orders"},
		{`{"Filters":[{"Key":"tag-key","Values":["team"]}]}`, "db/Orders"},
		{`{"Filters":[{"Key":"tag-value","Values":["gre"]}]}`, "db/billing"},
		{`{"Filters":[{"Key":"primary-region","Values":["us-east-1"]}]}`, "api"},
		{`{"Filters":[{"Key":"owning-service","Values":["rds"]}]}`, "rds!managed"},
		{`{"Filters":[{"Key":"all","Values":["database BLUE"]}]}`, "db/Orders"},
		{`{"Filters":[{"Key":"name","Values":["db/"]},{"Key":"tag-key","Values":["Team"]}]}`, "db/billing"},
	} {
		if got := names(st.ok("ListSecrets", "%s", c.body)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.body, got, c.want)
		}
	}
	first := st.ok("ListSecrets", `{"MaxResults":3}`)
	second := st.ok("ListSecrets", `{"MaxResults":3,"NextToken":%q}`, first["NextToken"])
	if got := names(first) + " | " + names(second); got != "db/Orders db/billing api | rds!managed" || second["NextToken"] != nil {
		t.Errorf("got %s", got)
	}
	st.refused("InvalidNextTokenException", "ListSecrets", `{"SortOrder":"desc","NextToken":%q}`, first["NextToken"])
}

func TestVersionsAreListedNewestFirstAndPruned(t *testing.T) {
	st := newStage(t, secretsmanager.Config{MaxVersions: 5})
	st.ok("CreateSecret", `{"Name":"s","SecretString":"0","ClientRequestToken":%q}`, tokenA)
	for i := range 4 {
		st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"%d"}`, i+1)
	}
	st.refused("LimitExceededException", "PutSecretValue", `{"SecretId":"s","SecretString":"x"}`)
	list := func(body string) map[string]any { return st.ok("ListSecretVersionIds", "%s", body) }
	if n := len(list(`{"SecretId":"s"}`)["Versions"].([]any)); n != 2 {
		t.Errorf("%d versions have labels", n)
	}
	m := list(`{"SecretId":"s","IncludeDeprecated":true,"MaxResults":3}`)
	first := m["Versions"].([]any)[0].(map[string]any)
	if len(m["Versions"].([]any)) != 3 || !reflect.DeepEqual(first["VersionStages"], []any{"AWSCURRENT"}) || m["NextToken"] == nil {
		t.Errorf("got %v", m)
	}
	st.ok("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"KEEP","MoveToVersionId":%q}`, tokenA)
	st.pass(25 * time.Hour)
	st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"5"}`)
	if got := st.value("s", "KEEP"); got != "0" {
		t.Errorf("the oldest version was pruned although it has a label: %s", got)
	}
	if n := len(list(`{"SecretId":"s","IncludeDeprecated":true}`)["Versions"].([]any)); n != 5 {
		t.Errorf("%d versions are left", n)
	}
	if c, p := st.value("s", "AWSCURRENT"), st.value("s", "AWSPREVIOUS"); c != "5" || p != "4" {
		t.Errorf("current %s, previous %s", c, p)
	}
	for i := range 300 { // the Go helpers know no quota and no growth
		if err := st.Put("helper", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(st.ok("ListSecretVersionIds", `{"SecretId":"helper","IncludeDeprecated":true}`)["Versions"].([]any)); n > 100 {
		t.Errorf("%d versions were kept", n)
	}
}

func TestDescriptionTagsAndKeyChange(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	st.ok("CreateSecret", `{"Name":"s","SecretString":"v","KmsKeyId":"alias/aws/secretsmanager"}`)
	st.pass(time.Hour)
	st.ok("TagResource", `{"SecretId":"s","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}]}`)
	st.ok("TagResource", `{"SecretId":"s","Tags":[{"Key":"a","Value":"3"}]}`)
	st.ok("UntagResource", `{"SecretId":"s","TagKeys":["b","none"]}`)
	m := st.ok("UpdateSecret", `{"SecretId":"s","Description":"new","KmsKeyId":"alias/mine","Type":"t"}`)
	if m["VersionId"] != nil {
		t.Errorf("an update without a value made a version: %v", m)
	}
	st.ok("GetSecretValue", `{"SecretId":"s"}`)
	d := st.ok("DescribeSecret", `{"SecretId":"s"}`)
	want := map[string]any{"Description": "new", "KmsKeyId": "alias/mine", "Type": "t", "Tags": []any{map[string]any{"Key": "a", "Value": "3"}},
		"LastChangedDate": float64(start.Add(time.Hour).Unix()), "CreatedDate": float64(start.Unix()), "LastAccessedDate": float64(start.Truncate(24 * time.Hour).Unix())}
	for k, v := range want {
		if !reflect.DeepEqual(d[k], v) {
			t.Errorf("%s: got %v, want %v", k, d[k], v)
		}
	}
	for _, k := range []string{"RotationEnabled", "NextRotationDate", "DeletedDate", "PrimaryRegion", "OwningService"} {
		if d[k] != nil {
			t.Errorf("%s is present: %v", k, d[k])
		}
	}
	var tags []string
	for i := range 50 {
		tags = append(tags, fmt.Sprintf(`{"Key":"t%d","Value":""}`, i))
	}
	st.refused("LimitExceededException: A secret can have at most 50 tags.", "TagResource", `{"SecretId":"s","Tags":[%s]}`, strings.Join(tags, ","))
}

func TestRandomPasswords(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	get := func(body string) string { return st.ok("GetRandomPassword", "%s", body)["RandomPassword"].(string) }
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	for range 200 {
		if p := get(`{}`); len(p) != 32 || !strings.ContainsAny(p, lower) || !strings.ContainsAny(p, upper) || !strings.ContainsAny(p, digits) || strings.Trim(p, lower+upper+digits) == "" && !strings.ContainsAny(p, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") {
			t.Fatalf("%q lacks a type", p)
		}
		if p := get(`{"PasswordLength":4}`); !strings.ContainsAny(p, lower) || !strings.ContainsAny(p, upper) || !strings.ContainsAny(p, digits) {
			t.Fatalf("%q lacks a type", p)
		}
		if p := get(`{"PasswordLength":5,"IncludeSpace":true}`); !strings.Contains(p, " ") {
			t.Fatalf("%q has no space", p)
		}
		if p := get(`{"ExcludePunctuation":true,"ExcludeUppercase":true,"ExcludeLowercase":true,"ExcludeCharacters":"013456789","PasswordLength":6}`); p != "222222" {
			t.Fatalf("%q has an excluded character", p)
		}
		if p := get(`{"PasswordLength":1,"RequireEachIncludedType":false}`); len(p) != 1 {
			t.Fatalf("%q", p)
		}
	}
	if a, b := get(`{}`), get(`{}`); a == b {
		t.Error("two passwords are equal")
	}
}

func TestReplicasFollowTheirPrimaryAndCanBePromoted(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	arn := st.ok("CreateSecret", `{"Name":"s","SecretString":"1","AddReplicaRegions":[{"Region":"eu-west-1","KmsKeyId":"alias/eu"}]}`)["ARN"].(string)
	replicaARN := strings.Replace(arn, "us-east-1", "eu-west-1", 1)
	there := func() *stage { return &stage{Service: st.Service, t: t, now: st.clock(), region: "eu-west-1"} }
	if m := there().ok("GetSecretValue", `{"SecretId":%q}`, replicaARN); m["SecretString"] != "1" || m["ARN"] != replicaARN {
		t.Errorf("got %v", m)
	}
	if err := st.HoldReplication("s", true); err != nil {
		t.Fatal(err)
	}
	st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"2"}`)
	if got := there().value("s", "AWSCURRENT"); got != "1" {
		t.Errorf("a held replica follows: %s", got)
	}
	d := st.ok("DescribeSecret", `{"SecretId":"s"}`)
	if s := d["ReplicationStatus"].([]any)[0].(map[string]any); s["Status"] != "InProgress" || s["KmsKeyId"] != "alias/eu" || d["PrimaryRegion"] != "us-east-1" {
		t.Errorf("got %v", d)
	}
	if err := st.HoldReplication("s", false); err != nil {
		t.Fatal(err)
	}
	if c, p := there().value("s", "AWSCURRENT"), there().value("s", "AWSPREVIOUS"); c != "2" || p != "1" {
		t.Errorf("current %s, previous %s", c, p)
	}
	there().refused("InvalidRequestException: Operation not permitted on a replica secret. Call must be made in primary secret's region.", "PutSecretValue", `{"SecretId":"s","SecretString":"x"}`)
	there().refused("replica secret", "DeleteSecret", `{"SecretId":"s"}`)
	there().refused("replica secret", "RestoreSecret", `{"SecretId":"s"}`)
	st.refused("InvalidParameterException: You can't delete secret s that still has replica regions [eu-west-1]", "DeleteSecret", `{"SecretId":"s"}`)
	if m := there().ok("StopReplicationToReplica", `{"SecretId":"s"}`); m["ARN"] != replicaARN {
		t.Errorf("got %v", m)
	}
	st.ok("PutSecretValue", `{"SecretId":"s","SecretString":"3"}`)
	there().ok("PutSecretValue", `{"SecretId":"s","SecretString":"promoted"}`)
	if a, b := st.value("s", "AWSCURRENT"), there().value("s", "AWSCURRENT"); a != "3" || b != "promoted" {
		t.Errorf("%s and %s", a, b)
	}
	// The name is taken there now.
	m := st.ok("ReplicateSecretToRegions", `{"SecretId":"s","AddReplicaRegions":[{"Region":"eu-west-1"},{"Region":"ap-south-1"}]}`)
	if s := m["ReplicationStatus"].([]any)[0].(map[string]any); s["Status"] != "Failed" || !strings.Contains(fmt.Sprint(s["StatusMessage"]), "already exists in region eu-west-1") {
		t.Errorf("got %v", m)
	}
	st.ok("ReplicateSecretToRegions", `{"SecretId":"s","AddReplicaRegions":[{"Region":"eu-west-1"}],"ForceOverwriteReplicaSecret":true}`)
	if got := there().value("s", "AWSCURRENT"); got != "3" {
		t.Errorf("got %s", got)
	}
	if m := st.ok("RemoveRegionsFromReplication", `{"SecretId":"s","RemoveReplicaRegions":["eu-west-1","ap-south-1"]}`); m["ReplicationStatus"] != nil {
		t.Errorf("got %v", m)
	}
	there().refused("ResourceNotFoundException", "GetSecretValue", `{"SecretId":"s"}`)
	st.ok("DeleteSecret", `{"SecretId":"s"}`)
}

func TestResourcePoliciesOpenASecretToOtherAccounts(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	arn := st.ok("CreateSecret", `{"Name":"s","SecretString":"v"}`)["ARN"].(string)
	other := &stage{Service: st.Service, t: t, now: st.clock(), account: "222222222222"}
	other.refused("AccessDeniedException: User: arn:aws:iam::222222222222:role/r is not authorized to perform: secretsmanager:GetSecretValue on resource: "+arn, "GetSecretValue", `{"SecretId":%q}`, arn)
	policy := func(effect, principal, action, rest string) string {
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Principal":{"AWS":%s},"Action":%q,"Resource":"*"%s}]}`, effect, principal, action, rest)
	}
	for _, c := range []struct {
		policy  string
		allowed bool
	}{
		{policy("Allow", `"222222222222"`, "secretsmanager:GetSecretValue", ""), true},
		{policy("Allow", `["arn:aws:iam::222222222222:root"]`, "secretsmanager:Get*", ""), true},
		{policy("Allow", `"arn:aws:iam::222222222222:role/r"`, "*", ""), true},
		{policy("Allow", `"*"`, "secretsmanager:*", ""), true},
		{policy("Allow", `"333333333333"`, "secretsmanager:*", ""), false},
		{policy("Allow", `"222222222222"`, "secretsmanager:DescribeSecret", ""), false},
		{policy("Allow", `"222222222222"`, "secretsmanager:*", `,"Condition":{"Bool":{"a":"b"}}`), false},
		{policy("Deny", `"222222222222"`, "secretsmanager:*", ""), false},
		{`{"Statement":{"Effect":"Allow","Principal":"*","Action":["secretsmanager:GetSecretValue"]}}`, true},
	} {
		st.ok("PutResourcePolicy", `{"SecretId":"s","ResourcePolicy":%q}`, c.policy)
		_, err := other.call("GetSecretValue", `{"SecretId":%q}`, arn)
		if (err == nil) != c.allowed {
			t.Errorf("%s: %v", c.policy, err)
		}
	}
	public := policy("Allow", `"*"`, "secretsmanager:*", "")
	st.refused("PublicPolicyException", "PutResourcePolicy", `{"SecretId":"s","BlockPublicPolicy":true,"ResourcePolicy":%q}`, public)
	if m := st.ok("GetResourcePolicy", `{"SecretId":"s"}`); m["ResourcePolicy"] == nil {
		t.Errorf("got %v", m)
	}
	if m := st.ok("ValidateResourcePolicy", `{"SecretId":"s","ResourcePolicy":%q}`, public); m["PolicyValidationPassed"] != false {
		t.Errorf("got %v", m)
	}
	if m := st.ok("ValidateResourcePolicy", `{"ResourcePolicy":%q}`, policy("Allow", `"222222222222"`, "secretsmanager:*", "")); m["PolicyValidationPassed"] != true {
		t.Errorf("got %v", m)
	}
	for _, bad := range []string{"[]", `{"Statement":[]}`, `{"Statement":"x"}`, `{"Statement":[{"Effect":"Perhaps","Action":"*"}]}`} {
		st.refused("MalformedPolicyDocumentException", "ValidateResourcePolicy", `{"ResourcePolicy":%q}`, bad)
	}
	st.ok("DeleteResourcePolicy", `{"SecretId":"s"}`)
	if m := st.ok("GetResourcePolicy", `{"SecretId":"s"}`); m["ResourcePolicy"] != nil {
		t.Errorf("got %v", m)
	}
}

func TestTheGoHelpersArrangeTheStage(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	for _, v := range []any{"text", []byte{0}, map[string]int{"n": 1}, ""} {
		if err := st.Put("a", v); err != nil {
			t.Error(err)
		}
	}
	for what, err := range map[string]error{
		"Put name":      st.Put("a b", "x"),
		"Put size":      st.Put("a", strings.Repeat("CANARY", 20_000)),
		"Put UTF-8":     st.Put("a", "CANARY\xff"),
		"Put type":      st.Put("a", func() {}),
		"Rotate absent": st.Rotate("none", "CANARY"),
		"Rotate value":  st.Rotate("a", func() {}),
		"Stage value":   st.Stage("a", func() {}),
		"Delete absent": st.Delete("none"),
		"key of absent": st.DisableKey("none"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "secretsmanager: ") || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := st.value("a", "AWSCURRENT"); got != "" {
		t.Errorf("the empty value: %q", got)
	}
	if err := st.Stage("a", nil); err != nil {
		t.Fatal(err)
	}
	if got := st.value("a", "AWSPENDING"); got != noValue("AWSPENDING") {
		t.Errorf("got %s", got)
	}
	if err := st.Stage("a", "next"); err != nil {
		t.Fatal(err)
	}
	if got := st.value("a", "AWSPENDING"); got != "next" {
		t.Errorf("got %s", got)
	}
	if err := st.Rotate("a", "rotated"); err != nil {
		t.Fatal(err)
	}
	d := st.ok("DescribeSecret", `{"SecretId":"a"}`)
	if d["LastRotatedDate"] != float64(start.Unix()) || d["RotationEnabled"] != true {
		t.Errorf("got %v", d)
	}
	if got := st.value("a", "AWSPENDING"); got != noValue("AWSPENDING") {
		t.Errorf("the pending label stayed: %s", got)
	}
	st.ok("ReplicateSecretToRegions", `{"SecretId":"a","AddReplicaRegions":[{"Region":"eu-west-1"}]}`)
	if err := st.Delete("a"); err != nil {
		t.Fatal(err)
	}
	if n := st.Names(); len(n) != 0 {
		t.Errorf("left: %v", n)
	}
	st.region = "eu-west-1"
	st.refused("ResourceNotFoundException", "GetSecretValue", `{"SecretId":"a"}`)
}

func TestConcurrentCallersSeeWholeVersions(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	if err := st.Put("s", "0"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				if i == 0 {
					if err := st.Put("s", fmt.Sprint(j)); err != nil {
						t.Error(err)
					}
					continue
				}
				if m, err := st.call("GetSecretValue", `{"SecretId":"s"}`); err != nil || m["SecretString"] == "" {
					t.Errorf("%v %v", m, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestABatchIsAuthorisedItemByItem(t *testing.T) {
	st := newStage(t, secretsmanager.Config{})
	st.ok("CreateSecret", `{"Name":"mine","SecretString":"x"}`)
	st.ok("CreateSecret", `{"Name":"yours","SecretString":"y"}`)
	var asked []string
	out, err := st.Call(t.Context(), &service.Call{
		Operation: "BatchGetSecretValue", Body: []byte(`{"SecretIdList":["mine","yours","none"]}`), Now: st.clock(),
		Authorize: func(action, resource string) *service.Error {
			asked = append(asked, action+" "+resource)
			if resource == "mine" {
				return nil
			}
			return &service.Error{Code: "AccessDeniedException", Message: "no"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		SecretValues []struct{ Name string }
		Errors       []struct{ SecretID, ErrorCode, Message string }
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.SecretValues) != 1 || m.SecretValues[0].Name != "mine" || len(m.Errors) != 2 || m.Errors[0].SecretID != "yours" || m.Errors[0].ErrorCode != "AccessDeniedException" ||
		m.Errors[1].ErrorCode != "AccessDeniedException" { // what does not exist is not told to who may not read it
		t.Errorf("%s", b)
	}
	if want := []string{"secretsmanager:GetSecretValue mine", "secretsmanager:GetSecretValue yours", "secretsmanager:GetSecretValue none"}; !reflect.DeepEqual(asked, want) {
		t.Errorf("asked for %v", asked)
	}
}
