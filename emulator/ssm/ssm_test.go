package ssm_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/persist"
	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/ssm"
)

var start = time.Date(2026, 3, 10, 15, 30, 0, 0, time.UTC)

// stage is a service, a clock that the test turns, and a caller.
type stage struct {
	*ssm.Service
	t      *testing.T
	now    time.Time
	region string
}

func newStage(t *testing.T, cfg ssm.Config) *stage {
	st := &stage{t: t, now: start}
	cfg.Now = func() time.Time { return st.now }
	st.Service = ssm.New(cfg)
	return st
}

func (st *stage) call(operation, body string, args ...any) (map[string]any, error) {
	st.t.Helper()
	if len(args) > 0 {
		body = fmt.Sprintf(body, args...)
	}
	out, err := st.Call(context.Background(), &service.Call{Operation: operation, Body: []byte(body), Now: st.now, Region: st.region, PrincipalARN: "arn:aws:iam::123456789012:role/r"})
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

func (st *stage) put(name, value string) {
	st.t.Helper()
	st.ok("PutParameter", `{"Name":%q,"Value":%q,"Type":"String","Overwrite":true}`, name, value)
}

// read returns "name selector value version" or the error.
func (st *stage) read(name string) string {
	st.t.Helper()
	m, err := st.call("GetParameter", `{"Name":%q,"WithDecryption":true}`, name)
	if err != nil {
		return err.Error()
	}
	p := m["Parameter"].(map[string]any)
	return fmt.Sprint(p["Name"], p["Selector"], " ", p["Value"], " ", p["Version"])
}

func names(m map[string]any, list string) string {
	var out []string
	for _, v := range m[list].([]any) {
		if p, ok := v.(map[string]any); ok {
			v = p["Name"]
		}
		out = append(out, v.(string))
	}
	return strings.Join(out, " ")
}

func TestConfigIsValidated(t *testing.T) {
	if err := (ssm.Config{}).Validate(); err != nil {
		t.Error(err)
	}
	if err := (ssm.Config{Region: "moon", AccountID: "1"}).Validate(); err == nil || !strings.Contains(err.Error(), "moon") || !strings.Contains(err.Error(), "twelve digits") {
		t.Errorf("got %v", err)
	}
}

func TestTheServiceSaysHowItIsReached(t *testing.T) {
	s := ssm.New(ssm.Config{})
	if s.SigningName() != "ssm" || s.TargetPrefix() != "AmazonSSM" || s.Protocol() != service.JSON11 {
		t.Error("wrong names")
	}
}

func TestPutAndGet(t *testing.T) {
	st := newStage(t, ssm.Config{})
	m := st.ok("PutParameter", `{"Name":"/a/b","Value":"1","Type":"String","Description":"d"}`)
	if m["Version"] != 1.0 || m["Tier"] != "Standard" {
		t.Errorf("got %v", m)
	}
	p := st.ok("GetParameter", `{"Name":"/a/b"}`)["Parameter"]
	want := map[string]any{"Name": "/a/b", "Type": "String", "Value": "1", "Version": 1.0, "LastModifiedDate": float64(start.Unix()),
		"ARN": "arn:aws:ssm:us-east-1:123456789012:parameter/a/b", "DataType": "text"}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got  %v\nwant %v", p, want)
	}
	st.refused("ParameterAlreadyExists: The parameter already exists. To overwrite this value, set the overwrite option in the request to true.", "PutParameter", `{"Name":"/a/b","Value":"2","Type":"String"}`)
	if m := st.ok("PutParameter", `{"Name":"/a/b","Value":"2","Overwrite":true}`); m["Version"] != 2.0 {
		t.Errorf("got %v", m)
	}
	st.refused("ParameterNotFound: Parameter /a/c not found.", "GetParameter", `{"Name":"/a/c"}`)
	st.region = "eu-west-1"
	st.refused("ParameterNotFound", "GetParameter", `{"Name":"/a/b"}`)
}

func TestSelectorsAndARNsNameOneVersion(t *testing.T) {
	st := newStage(t, ssm.Config{})
	for _, v := range []string{"one", "two", "three"} {
		st.put("/a", v)
	}
	st.ok("LabelParameterVersion", `{"Name":"/a","ParameterVersion":2,"Labels":["live"]}`)
	arn := "arn:aws:ssm:us-east-1:123456789012:parameter/a"
	for name, want := range map[string]string{
		"/a":        "/a<nil> three 3",
		"a":         "/a<nil> three 3",
		"/a:1":      "/a:1 one 1",
		"/a:live":   "/a:live two 2",
		arn:         "/a<nil> three 3",
		arn + ":2":  "/a:2 two 2",
		"/a:9":      "ParameterVersionNotFound: Systems Manager could not find version 9 of /a. Verify the version and try again.",
		"/a:dead":   "ParameterVersionNotFound: Systems Manager could not find label dead of /a. Verify the label and try again.",
		"/a:":       "ValidationException: Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>",
		"/a:1:live": "ValidationException: Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>",
		"arn:aws:x": "ParameterNotFound: Parameter arn:aws:x not found.",
	} {
		if got := st.read(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// A name that AWS refuses is refused in a read as well, and takes the whole batch
// with it; one that only does not exist does not.
func TestNamesThatAWSRefusesAreRefusedInReads(t *testing.T) {
	st := newStage(t, ssm.Config{})
	st.put("/good", "1")
	const form = "ValidationException: Parameter name: can't be prefixed with"
	for name, want := range map[string]string{
		"/has space/x":                        form,
		"/ünï":                                form,
		"//x":                                 form,
		"/a//b":                               form,
		"/a/":                                 form,
		"/":                                   form,
		"/a,b":                                form,
		"{test}-test":                         form,
		"a/b":                                 "ValidationException: Parameter name must be a fully qualified name.",
		"/" + strings.Repeat("x", 1011):       "ValidationException: Parameter name: can't be longer than 1011 characters.",
		strings.Repeat("x", 2049):             "ValidationException: 1 validation error detected",
		"/none":                               "ParameterNotFound",
		"/" + strings.Repeat("x", 1010):       "ParameterNotFound",
		"/aws/service/none":                   "ParameterNotFound",
		"/aws/reference/secretsmanager/a+b@c": "ValidationException: WithDecryption",
	} {
		t.Run(name[:min(len(name), 20)], func(t *testing.T) {
			st.t = t
			st.refused(want, "GetParameter", `{"Name":%q}`, name)
			if strings.HasPrefix(want, "ValidationException") {
				st.refused(want, "GetParameters", `{"Names":["/good",%q]}`, name)
			} else if m := st.ok("GetParameters", `{"Names":["/good",%q]}`, name); len(m["Parameters"].([]any)) != 1 || len(m["InvalidParameters"].([]any)) != 1 {
				t.Errorf("GetParameters of /good and %s: %v; want one in each list", name, m)
			}
			if !strings.HasPrefix(name, "/aws/reference/") {
				st.refused(want, "GetParameterHistory", `{"Name":%q}`, name)
				st.refused(want, "DeleteParameter", `{"Name":%q}`, name)
			}
		})
	}
	st.t = t
	st.refused("ValidationException", "GetParameters", `{"Names":["/good","/none","/good"]}`)
}

func TestSecureStringsAreCiphertextWithoutDecryption(t *testing.T) {
	st := newStage(t, ssm.Config{})
	st.ok("PutParameter", `{"Name":"/k","Value":"CANARY","Type":"SecureString"}`)
	p := st.ok("GetParameter", `{"Name":"/k"}`)["Parameter"].(map[string]any)
	raw, err := base64.StdEncoding.DecodeString(p["Value"].(string))
	if err != nil || len(raw) < 100 || strings.Contains(string(raw), "CANARY") || !strings.HasPrefix(p["Value"].(string), "AQICAH") || p["Type"] != "SecureString" {
		t.Errorf("got %v %v", p, err)
	}
	if again := st.ok("GetParameter", `{"Name":"/k"}`)["Parameter"].(map[string]any); again["Value"] != p["Value"] {
		t.Error("the ciphertext of a version changes")
	}
	if got := st.read("/k"); got != "/k<nil> CANARY 1" {
		t.Errorf("got %s", got)
	}
	if d := st.ok("DescribeParameters", `{}`)["Parameters"].([]any)[0].(map[string]any); d["KeyId"] != "alias/aws/ssm" || d["Value"] != nil {
		t.Errorf("got %v", d)
	}
	st.ok("PutParameter", `{"Name":"/k","Value":"2","Overwrite":true,"KeyId":"alias/mine"}`)
	if err := st.DisableKey("/k"); err != nil {
		t.Fatal(err)
	}
	st.refused("InvalidKeyId: alias/mine is disabled.", "GetParameter", `{"Name":"/k","WithDecryption":true}`)
	st.refused("InvalidKeyId", "GetParameters", `{"Names":["/k"],"WithDecryption":true}`)
	st.refused("InvalidKeyId", "GetParametersByPath", `{"Path":"/","WithDecryption":true}`)
	st.refused("InvalidKeyId", "GetParameterHistory", `{"Name":"/k","WithDecryption":true}`)
	st.ok("GetParameter", `{"Name":"/k"}`)
	if err := st.EnableKey("/k"); err != nil {
		t.Fatal(err)
	}
	if got := st.read("/k"); got != "/k<nil> 2 2" {
		t.Errorf("got %s", got)
	}
}

func TestABatchReportsWhatItDidNotFind(t *testing.T) {
	st := newStage(t, ssm.Config{})
	st.put("/a", "1")
	st.put("/b", "2")
	m := st.ok("GetParameters", `{"Names":["/b","/x","/a:9","/a","arn:aws:ssm:us-east-1:123456789012:parameter/b:1"]}`)
	if got := names(m, "Parameters") + " | " + names(m, "InvalidParameters"); got != "/b /a /b | /x /a:9" {
		t.Errorf("got %s", got)
	}
	st.FailReads("/a", &service.Error{Code: "AccessDeniedException", Message: "no"})
	st.refused("AccessDeniedException: no", "GetParameters", `{"Names":["/a"]}`)
	st.FailReads("/a", nil)
	m = st.ok("DeleteParameters", `{"Names":["/a","/x"]}`)
	if got := names(m, "DeletedParameters") + " | " + names(m, "InvalidParameters"); got != "/a | /x" {
		t.Errorf("got %s", got)
	}
	st.ok("DeleteParameter", `{"Name":"/b"}`)
	st.refused("ParameterNotFound", "DeleteParameter", `{"Name":"/b"}`)
}

func TestPathsAreReadOneLevelOrRecursively(t *testing.T) {
	st := newStage(t, ssm.Config{})
	for i := range 12 {
		st.put(fmt.Sprintf("/app/n%02d", i), "v")
	}
	st.put("/app/deep/x", "v")
	st.put("/apple", "v")
	st.put("root", "v")
	st.ok("PutParameter", `{"Name":"/app/deep/key","Value":"v","Type":"SecureString"}`)
	st.ok("LabelParameterVersion", `{"Name":"/app/deep/x","Labels":["live"]}`)
	st.put("/app/deep/x", "newer")
	first := st.ok("GetParametersByPath", `{"Path":"/app"}`)
	if n := len(first["Parameters"].([]any)); n != 10 {
		t.Errorf("%d on the first page", n)
	}
	second := st.ok("GetParametersByPath", `{"Path":"/app","NextToken":%q}`, first["NextToken"])
	if got := names(second, "Parameters"); got != "/app/n10 /app/n11" || second["NextToken"] != nil {
		t.Errorf("got %s", got)
	}
	st.refused("InvalidNextToken: The specified token is not valid.", "GetParametersByPath", `{"Path":"/app","Recursive":true,"NextToken":%q}`, first["NextToken"])
	st.refused("InvalidNextToken", "GetParametersByPath", `{"Path":"/app","NextToken":"!"}`)
	for body, want := range map[string]string{
		`{"Path":"/app/","Recursive":true,"MaxResults":3}`: "/app/deep/key /app/deep/x /app/n00",
		`{"Path":"/app/deep"}`:                             "/app/deep/key /app/deep/x",
		`{"Path":"/"}`:                                     "/apple root",
		`{"Path":"/none"}`:                                 "",
		`{"Path":"/app","Recursive":true,"ParameterFilters":[{"Key":"Type","Values":["SecureString"]}]}`:                  "/app/deep/key",
		`{"Path":"/app","Recursive":true,"ParameterFilters":[{"Key":"Label","Values":["live"]}]}`:                         "/app/deep/x",
		`{"Path":"/app","Recursive":true,"ParameterFilters":[{"Key":"KeyId","Values":["alias/aws/ssm","x"]}]}`:            "/app/deep/key",
		`{"Path":"/app","Recursive":true,"ParameterFilters":[{"Key":"KeyId","Option":"BeginsWith","Values":["alias/"]}]}`: "/app/deep/key",
	} {
		if got := names(st.ok("GetParametersByPath", "%s", body), "Parameters"); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
	m := st.ok("GetParametersByPath", `{"Path":"/app/deep","ParameterFilters":[{"Key":"Label","Values":["live"]}]}`)
	if p := m["Parameters"].([]any)[0].(map[string]any); p["Value"] != "v" || p["Selector"] != ":live" {
		t.Errorf("got %v", p)
	}
}

func TestDescribeParametersFilters(t *testing.T) {
	st := newStage(t, ssm.Config{})
	st.ok("PutParameter", `{"Name":"/a/one","Value":"1","Type":"String","Tags":[{"Key":"team","Value":"blue"}],"AllowedPattern":"^\\d$"}`)
	st.ok("PutParameter", `{"Name":"/a/b/two","Value":"1,2","Type":"StringList","Tier":"Advanced"}`)
	st.ok("PutParameter", `{"Name":"three","Value":"ami-1","Type":"String","DataType":"aws:ec2:image"}`)
	for body, want := range map[string]string{
		`{}`: "/a/b/two /a/one three",
		`{"ParameterFilters":[{"Key":"Path","Values":["/a"]}]}`:                              "/a/one",
		`{"ParameterFilters":[{"Key":"Path","Option":"Recursive","Values":["/a"]}]}`:         "/a/b/two /a/one",
		`{"ParameterFilters":[{"Key":"Name","Option":"BeginsWith","Values":["/a/o","th"]}]}`: "/a/one three",
		`{"ParameterFilters":[{"Key":"Name","Option":"Contains","Values":["w"]}]}`:           "/a/b/two",
		`{"ParameterFilters":[{"Key":"Type","Values":["StringList"]}]}`:                      "/a/b/two",
		`{"ParameterFilters":[{"Key":"Tier","Values":["Advanced"]}]}`:                        "/a/b/two",
		`{"ParameterFilters":[{"Key":"DataType","Values":["aws:ec2:image"]}]}`:               "three",
		`{"ParameterFilters":[{"Key":"tag:team","Values":["blue"]}]}`:                        "/a/one",
		`{"ParameterFilters":[{"Key":"tag:team"}]}`:                                          "/a/one",
		`{"ParameterFilters":[{"Key":"tag:team","Values":["red"]}]}`:                         "",
		`{"Filters":[{"Key":"Name","Values":["/a"]}]}`:                                       "/a/b/two /a/one",
		`{"MaxResults":1}`: "/a/b/two",
		`{"ParameterFilters":[{"Key":"Name","Values":["three"]},{"Key":"Type","Values":["String"]}]}`: "three",
	} {
		if got := names(st.ok("DescribeParameters", "%s", body), "Parameters"); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
	d := st.ok("DescribeParameters", `{"ParameterFilters":[{"Key":"Name","Values":["/a/one"]}]}`)["Parameters"].([]any)[0].(map[string]any)
	if d["AllowedPattern"] != `^\d$` || d["LastModifiedUser"] != "arn:aws:iam::123456789012:role/r" || d["ARN"] != "arn:aws:ssm:us-east-1:123456789012:parameter/a/one" {
		t.Errorf("got %v", d)
	}
	for body, want := range map[string]string{
		`{"ParameterFilters":[{"Key":"Label","Values":["x"]}]}`:                                          "InvalidFilterKey: The following filter key is not valid: Label.",
		`{"ParameterFilters":[{"Key":"Name"}]}`:                                                          "InvalidFilterValue",
		`{"ParameterFilters":[{"Key":"Name","Values":["x"]},{"Key":"Name","Values":["y"]}]}`:             "InvalidFilterKey: The following filter is duplicated",
		`{"ParameterFilters":[{"Key":"Path","Option":"Equals","Values":["/x"]}]}`:                        "InvalidFilterOption: The following filter option is not valid: Equals. Valid options include: [Recursive, OneLevel].",
		`{"ParameterFilters":[{"Key":"Path","Values":["x"]}]}`:                                           "ValidationException: The parameter doesn't meet the parameter name requirements.",
		`{"ParameterFilters":[{"Key":"Type","Values":["x"]}]}`:                                           "InvalidFilterOption: The following filter value is not valid: x.",
		`{"ParameterFilters":[{"Key":"x","Values":["x"]}]}`:                                              "ValidationException: 1 validation error detected: Value 'x' at 'parameterFilters.1.member.key'",
		`{"Filters":[{"Key":"Name","Values":["x"]}],"ParameterFilters":[{"Key":"Name","Values":["x"]}]}`: "You can use either Filters or ParameterFilters in a single request.",
	} {
		st.refused(want, "DescribeParameters", "%s", body)
	}
	st.refused("InvalidFilterKey", "GetParametersByPath", `{"Path":"/","ParameterFilters":[{"Key":"Name","Values":["x"]}]}`)
}

func TestInvalidPutsAreRefused(t *testing.T) {
	st := newStage(t, ssm.Config{})
	st.ok("PutParameter", `{"Name":"/adv","Value":"v","Type":"String","Tier":"Advanced"}`)
	put := func(name, rest string) string {
		return fmt.Sprintf(`{"Name":%q,"Value":"CANARY","Type":"String"%s}`, name, rest)
	}
	value := func(n int, rest string) string {
		return fmt.Sprintf(`{"Name":"/v","Type":"String","Value":%q%s}`, strings.Repeat("C", n), rest)
	}
	for name, c := range map[string]struct{ body, want string }{
		"aws prefix":         {put("awsome", ""), `ValidationException: Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive).`},
		"reserved path":      {put("/aws/x", ""), "AccessDeniedException: No access to reserved parameter name: /aws/x."},
		"ssm path":           {put("/SSM/x", ""), `ValidationException: Parameter name: can't be prefixed with "ssm"`},
		"space":              {put("/a b", ""), "ValidationException: Parameter name"},
		"empty level":        {put("/a//b", ""), "ValidationException: Parameter name"},
		"slash at the end":   {put("/a/", ""), "ValidationException: Parameter name"},
		"path without root":  {put("a/b", ""), "ValidationException: Parameter name must be a fully qualified name."},
		"16 levels":          {put(strings.Repeat("/x", 16), ""), "HierarchyLevelLimitExceededException"},
		"long name":          {put("/"+strings.Repeat("x", 1012), ""), "ValidationException"},
		"no type":            {`{"Name":"/t","Value":"v"}`, "ValidationException: A parameter type is required when you create a parameter."},
		"unknown type":       {`{"Name":"/t","Value":"v","Type":"x"}`, "at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]"},
		"empty value":        {`{"Name":"/t","Value":"","Type":"String"}`, "Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"standard size":      {value(4097, ""), "Standard tier parameters support a maximum parameter value of 4096 characters."},
		"advanced size":      {value(8193, `,"Tier":"Advanced"`), "maximum parameter value of 8192"},
		"intelligent size":   {value(8193, `,"Tier":"Intelligent-Tiering"`), "maximum parameter value of 8192"},
		"reference":          {`{"Name":"/t","Type":"String","Value":"{{ssm:x}}"}`, "ValidationException"},
		"data type":          {put("/t", `,"DataType":"Text"`), "The following data type is not supported: Text (Data type names are all lowercase.)"},
		"pattern":            {put("/t", `,"AllowedPattern":"^\\d+$"`), `ParameterPatternMismatchException: Parameter value, cannot be validated against allowedPattern: ^\d+$`},
		"bad pattern":        {put("/t", `,"AllowedPattern":"("`), "InvalidAllowedPatternException"},
		"empty item":         {`{"Name":"/t","Type":"StringList","Value":"a,,b"}`, "ValidationException"},
		"key of plain text":  {put("/t", `,"KeyId":"alias/x"`), "KeyId is valid for the type SecureString only"},
		"unknown key":        {`{"Name":"/t","Type":"SecureString","Value":"v","KeyId":"nokey"}`, "InvalidKeyId: Invalid keyId nokey"},
		"tags and overwrite": {put("/t", `,"Overwrite":true,"Tags":[{"Key":"a","Value":"b"}]`), "tags and overwrite can't be used together"},
		"reserved tag":       {put("/t", `,"Tags":[{"Key":"aws:a","Value":"b"}]`), "ValidationException"},
		"another type":       {`{"Name":"/adv","Value":"v","Type":"SecureString","Overwrite":true}`, "HierarchyTypeMismatchException"},
		"downgrade":          {`{"Name":"/adv","Value":"v","Overwrite":true,"Tier":"Standard"}`, "You can't downgrade a parameter"},
		"policy on standard": {put("/t", `,"Policies":"[{\"Type\":\"NoChangeNotification\"}]"`), "advanced-parameter tier only"},
		"policies no list":   {put("/t", `,"Tier":"Advanced","Policies":"{}"`), "InvalidPolicyAttributeException"},
		"policy type":        {put("/t", `,"Tier":"Advanced","Policies":"[{\"Type\":\"x\"}]"`), "InvalidPolicyTypeException"},
		"policy attribute":   {put("/t", `,"Tier":"Advanced","Policies":"[{\"Type\":1}]"`), "InvalidPolicyAttributeException"},
		"policy time":        {put("/t", `,"Tier":"Advanced","Policies":"[{\"Type\":\"Expiration\"}]"`), "InvalidPolicyAttributeException"},
		"eleven policies":    {put("/t", `,"Tier":"Advanced","Policies":"[`+strings.Repeat("{},", 10)+`{}]"`), "PoliciesLimitExceededException"},
		"bad JSON":           {`{`, "SerializationException"},
	} {
		t.Run(name, func(t *testing.T) {
			st.t = t
			st.refused(c.want, "PutParameter", "%s", c.body)
			if _, err := st.call("PutParameter", "%s", c.body); strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), "CCC") {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
	st.t = t
	st.refused("at 'names' failed to satisfy constraint: Member must have length less than or equal to 10", "GetParameters", `{"Names":["%s"]}`, strings.Join(strings.Split("abcdefghijk", ""), `","`))
	st.refused("UnknownOperationException", "SendCommand", `{}`)
	if n := st.Names(); !reflect.DeepEqual(n, []string{"/adv"}) {
		t.Errorf("a refused parameter was stored: %v", n)
	}
}

func TestTiersAndPolicies(t *testing.T) {
	st := newStage(t, ssm.Config{})
	if m := st.ok("PutParameter", `{"Name":"/small","Value":"v","Type":"String","Tier":"Intelligent-Tiering"}`); m["Tier"] != "Standard" {
		t.Errorf("got %v", m)
	}
	// What lies on a limit is accepted.
	st.ok("PutParameter", `{"Name":"/limit","Value":%q,"Type":"String"}`, strings.Repeat("x", 4096))
	st.ok("PutParameter", `{"Name":%q,"Value":"v","Type":"String"}`, strings.Repeat("/x", 15))
	st.ok("PutParameter", `{"Name":%q,"Value":"v","Type":"String"}`, "/"+strings.Repeat("x", 1010))
	if m := st.ok("PutParameter", `{"Name":"/big","Value":%q,"Type":"String","Tier":"Intelligent-Tiering"}`, strings.Repeat("x", 8192)); m["Tier"] != "Advanced" {
		t.Errorf("got %v", m)
	}
	st.ok("PutParameter", `{"Name":"/t","Value":"v","Type":"String","Tier":"Advanced","Policies":%q}`,
		`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2026-03-11T00:00:00.000Z"}},{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Days"}}]`)
	d := st.ok("DescribeParameters", `{"ParameterFilters":[{"Key":"Name","Values":["/t"]}]}`)["Parameters"].([]any)[0].(map[string]any)
	if len(d["Policies"].([]any)) != 2 {
		t.Errorf("got %v", d)
	}
	st.ok("PutParameter", `{"Name":"/t","Value":"w","Overwrite":true}`)
	st.now = start.Add(8*time.Hour + 29*time.Minute)
	if got := st.read("/t"); got != "/t<nil> w 2" {
		t.Errorf("got %s", got)
	}
	st.now = start.Add(8*time.Hour + 30*time.Minute)
	st.refused("ParameterNotFound", "GetParameter", `{"Name":"/t"}`)
}

func TestHistoryAndItsLimit(t *testing.T) {
	st := newStage(t, ssm.Config{})
	for i := range 60 {
		st.put("/h", fmt.Sprint(i+1))
	}
	st.ok("LabelParameterVersion", `{"Name":"/h","ParameterVersion":3,"Labels":["keep"]}`)
	first := st.ok("GetParameterHistory", `{"Name":"/h"}`)
	second := st.ok("GetParameterHistory", `{"Name":"/h","NextToken":%q}`, first["NextToken"])
	if a, b := len(first["Parameters"].([]any)), len(second["Parameters"].([]any)); a != 50 || b != 10 {
		t.Errorf("%d and %d", a, b)
	}
	e := first["Parameters"].([]any)[2].(map[string]any)
	if e["Value"] != "3" || !reflect.DeepEqual(e["Labels"], []any{"keep"}) || e["ARN"] != nil {
		t.Errorf("got %v", e)
	}
	for i := range 42 {
		st.put("/h", fmt.Sprint(i+61))
	}
	if got := st.read("/h:1"); !strings.HasPrefix(got, "ParameterVersionNotFound") {
		t.Errorf("the oldest version was kept: %s", got)
	}
	st.refused("ParameterMaxVersionLimitExceeded: You attempted to create a new version of /h by calling the PutParameter API with the overwrite flag. Version 3, the oldest version,", "PutParameter", `{"Name":"/h","Value":"x","Overwrite":true}`)
	st.refused("ParameterNotFound", "GetParameterHistory", `{"Name":"/none"}`)
}

func TestALabelBelongsToOneVersion(t *testing.T) {
	st := newStage(t, ssm.Config{})
	st.put("/l", "1")
	st.put("/l", "2")
	st.ok("LabelParameterVersion", `{"Name":"/l","ParameterVersion":1,"Labels":["live","old"]}`)
	if m := st.ok("LabelParameterVersion", `{"Name":"/l","Labels":["live"]}`); m["ParameterVersion"] != 2.0 {
		t.Errorf("got %v", m)
	}
	if got := st.read("/l:live"); got != "/l:live 2 2" {
		t.Errorf("got %s", got)
	}
	m := st.ok("LabelParameterVersion", `{"Name":"/l","Labels":["1x","aws-x","SSMx","a b","fine"]}`)
	if got := names(m, "InvalidLabels"); got != "1x aws-x SSMx a b" {
		t.Errorf("got %s", got)
	}
	if got := st.read("/l:fine"); !strings.HasPrefix(got, "ParameterVersionNotFound") {
		t.Errorf("a label was attached beside invalid ones: %s", got)
	}
	st.ok("LabelParameterVersion", `{"Name":"/l","Labels":["a","b","c","d","e","f","g","h","i"]}`)
	st.refused("ParameterVersionLabelLimitExceeded", "LabelParameterVersion", `{"Name":"/l","Labels":["j"]}`)
	m = st.ok("UnlabelParameterVersion", `{"Name":"/l","ParameterVersion":1,"Labels":["old","live"]}`)
	if got := names(m, "RemovedLabels") + " | " + names(m, "InvalidLabels"); got != "old | live" {
		t.Errorf("got %s", got)
	}
	st.refused("ParameterVersionNotFound: Systems Manager could not find version 7 of /l.", "LabelParameterVersion", `{"Name":"/l","ParameterVersion":7,"Labels":["x"]}`)
	st.refused("ParameterVersionNotFound", "UnlabelParameterVersion", `{"Name":"/l","ParameterVersion":7,"Labels":["x"]}`)
	st.refused("Value null at 'parameterVersion'", "UnlabelParameterVersion", `{"Name":"/l","Labels":["x"]}`)
	st.refused("ParameterNotFound", "LabelParameterVersion", `{"Name":"/none","Labels":["x"]}`)
	st.refused("ParameterNotFound", "UnlabelParameterVersion", `{"Name":"/none","ParameterVersion":1,"Labels":["x"]}`)
}

func TestTags(t *testing.T) {
	st := newStage(t, ssm.Config{})
	st.put("/t", "1")
	st.ok("AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"/t","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":""}]}`)
	st.ok("AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"/t","Tags":[{"Key":"a","Value":"2"}]}`)
	st.ok("RemoveTagsFromResource", `{"ResourceType":"Parameter","ResourceId":"/t","TagKeys":["b"]}`)
	m := st.ok("ListTagsForResource", `{"ResourceType":"Parameter","ResourceId":"/t"}`)
	if !reflect.DeepEqual(m["TagList"], []any{map[string]any{"Key": "a", "Value": "2"}}) {
		t.Errorf("got %v", m)
	}
	for operation, rest := range map[string]string{"AddTagsToResource": `,"Tags":[]`, "RemoveTagsFromResource": `,"TagKeys":[]`, "ListTagsForResource": ""} {
		st.refused("InvalidResourceId", operation, `{"ResourceType":"Parameter","ResourceId":"/none"%s}`, rest)
		st.refused("InvalidResourceType", operation, `{"ResourceType":"Document","ResourceId":"/t"%s}`, rest)
	}
	var tags []string
	for i := range 51 {
		tags = append(tags, fmt.Sprintf(`{"Key":"k%d","Value":"v"}`, i))
	}
	st.refused("TooManyTagsError", "AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"/t","Tags":[%s]}`, strings.Join(tags, ","))
	st.refused("TooManyTagsError", "AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"/t","Tags":[%s]}`, strings.Join(tags[:50], ","))
	st.refused("ValidationException", "AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"/t","Tags":[{"Key":"aws:x","Value":""}]}`)
}

func TestSecretsAreReadThroughTheirReference(t *testing.T) {
	secrets := secretsmanager.New(secretsmanager.Config{})
	for _, v := range []string{"old", "new"} {
		if err := secrets.Put("app/db", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := secrets.Put("bin", []byte{0, 1}); err != nil {
		t.Fatal(err)
	}
	st := newStage(t, ssm.Config{Secrets: secrets})
	const ref = "/aws/reference/secretsmanager/"
	p := st.ok("GetParameter", `{"Name":"%sapp/db","WithDecryption":true}`, ref)["Parameter"].(map[string]any)
	if p["Name"] != ref+"app/db" || p["Type"] != "SecureString" || p["Value"] != "new" || p["Version"] != 0.0 || !strings.Contains(fmt.Sprint(p["SourceResult"]), `"ARN":"arn:aws:secretsmanager:`) {
		t.Errorf("got %v", p)
	}
	p = st.ok("GetParameter", `{"Name":"%sapp/db:AWSPREVIOUS","WithDecryption":true}`, ref)["Parameter"].(map[string]any)
	if p["Value"] != "old" || p["Selector"] != ":AWSPREVIOUS" {
		t.Errorf("got %v", p)
	}
	if p := st.ok("GetParameter", `{"Name":"%sbin","WithDecryption":true}`, ref)["Parameter"].(map[string]any); p["Value"] != "AAE=" {
		t.Errorf("got %v", p)
	}
	st.refused("ValidationException: WithDecryption flag must be True for retrieving a Secret Manager secret.", "GetParameter", `{"Name":"%sapp/db"}`, ref)
	st.refused("ParameterNotFound: An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret "+ref+"none not found.", "GetParameter", `{"Name":"%snone","WithDecryption":true}`, ref)
	st.refused("ParameterNotFound", "GetParameter", `{"Name":"%sapp/db:11111111-1111-1111-1111-111111111111","WithDecryption":true}`, ref)
	m := st.ok("GetParameters", `{"Names":["%sapp/db","%snone"],"WithDecryption":true}`, ref, ref)
	if got := names(m, "Parameters") + " | " + names(m, "InvalidParameters"); got != ref+"app/db | "+ref+"none" {
		t.Errorf("got %s", got)
	}
	if err := secrets.DisableKey("app/db"); err != nil {
		t.Fatal(err)
	}
	st.refused("DecryptionFailure", "GetParameter", `{"Name":"%sapp/db","WithDecryption":true}`, ref)
	newStage(t, ssm.Config{}).refused("ParameterNotFound", "GetParameter", `{"Name":"%sapp/db","WithDecryption":true}`, ref)
}

func TestTheGoHelpersArrangeTheStage(t *testing.T) {
	st := newStage(t, ssm.Config{})
	if err := errors.Join(st.Put("/s", "text"), st.Put("/n", 7), st.Put("/l", []string{"a", "b"}), st.PutSecure("/k", "v"), st.PutSecure("/s", "now secret")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/n": "/n<nil> 7 1", "/l": "/l<nil> a,b 1", "/k": "/k<nil> v 1", "/s": "/s<nil> now secret 1"} {
		if got := st.read(name); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for i := range 120 {
		if err := st.Put("/n", i); err != nil {
			t.Fatal(err)
		}
	}
	if got := st.read("/n"); got != "/n<nil> 119 121" {
		t.Errorf("got %s", got)
	}
	for what, err := range map[string]error{
		"name": st.Put("awsx", "CANARY"), "empty": st.Put("/e", ""), "size": st.Put("/e", strings.Repeat("CANARY", 2000)),
		"delete": st.Delete("/none"), "key": st.DisableKey("/none"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "ssm: ") || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := st.Delete("/k"); err != nil {
		t.Fatal(err)
	}
	if n := st.Names(); !reflect.DeepEqual(n, []string{"/l", "/n", "/s"}) {
		t.Errorf("got %v", n)
	}
}

func TestARestartKeepsWhatWasAnswered(t *testing.T) {
	dir := t.TempDir()
	st := newStage(t, ssm.Config{Dir: dir})
	st.put("/a", "1")
	st.put("/a", "2")
	st.ok("PutParameter", `{"Name":"/k","Value":"v","Type":"SecureString","Tags":[{"Key":"a","Value":"b"}]}`)
	st.ok("LabelParameterVersion", `{"Name":"/a","ParameterVersion":1,"Labels":["old"]}`)
	st.put("/gone", "x")
	st.ok("DeleteParameter", `{"Name":"/gone"}`)
	if err := st.DisableKey("/k"); err != nil {
		t.Fatal(err)
	}
	again := newStage(t, ssm.Config{Dir: dir})
	for _, c := range [][2]string{{"GetParameterHistory", `{"Name":"/a"}`}, {"DescribeParameters", `{}`}, {"GetParameter", `{"Name":"/k"}`}, {"ListTagsForResource", `{"ResourceType":"Parameter","ResourceId":"/k"}`}} {
		if a, b := st.ok(c[0], "%s", c[1]), again.ok(c[0], "%s", c[1]); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %v became %v", c[0], a, b)
		}
	}
	again.refused("InvalidKeyId", "GetParameter", `{"Name":"/k","WithDecryption":true}`)
	if got := again.read("/a:old"); got != "/a:old 1 1" {
		t.Errorf("got %s", got)
	}
}

func TestADamagedFileStopsTheServiceByName(t *testing.T) {
	dir := t.TempDir()
	disk, err := persist.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{map[string]any{"Name": "CANARY"}, []string{"CANARY"}} {
		if err := disk.Save("123456789012/us-east-1/x", v); err != nil {
			t.Fatal(err)
		}
		st := newStage(t, ssm.Config{Dir: dir})
		if err := st.Open(); !errors.Is(err, persist.ErrCorrupt) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("got %v", err)
		}
		st.refused("InternalServerError: ssm: persist: "+dir, "GetParameter", `{"Name":"/s"}`)
		if st.Put("/x", "y") == nil || st.Names() != nil || st.Delete("/x") == nil || st.DisableKey("/x") == nil {
			t.Error("a damaged store was used")
		}
	}
	if err := newStage(t, ssm.Config{Dir: "/dev/null/x"}).Open(); err == nil {
		t.Error("a path that is no directory was accepted")
	}
}

func TestConcurrentCallersSeeWholeVersions(t *testing.T) {
	s := ssm.New(ssm.Config{})
	if err := s.Put("/c", 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				if i == 0 {
					if err := s.Put("/c", j); err != nil {
						t.Error(err)
					}
				} else if _, err := s.Call(context.Background(), &service.Call{Operation: "GetParameter", Body: []byte(`{"Name":"/c"}`)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
