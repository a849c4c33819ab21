package seed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/seed"
	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/ssm"
)

const everything = `
secrets:
  app/token: t0p-s3cret
  app/quoted: "0123"
  app/date: 2024-01-02
  app/db:
    user: app
    port: 5432
    big: 12345678901234567890
    ratio: 1.50
    hex: 0x1F
    tls: true
    none: null
    hosts: [a, "b,c"]
  app/list: [1, two]
  app/long:
    value: text
    description: a description
    tags: {team: orders, tier: 1}
    kmsKeyId: alias/mine
  app/json: {json: {value: 1}}
  app/key: {binary: AAEC}
  app/dead: {value: x, kms: disabled}
  app/rotating:
    rotation: {lambda: "arn:aws:lambda:us-east-1:000000000000:function:r", days: 30}
    versions:
      - {value: older, stages: [AWSPREVIOUS]}
      - {value: old, stages: [AWSCURRENT], id: 11111111-1111-1111-1111-111111111111}
      - {empty: true, stages: [AWSPENDING]}
parameters:
  /app/limit: 10
  /app/on: true
  /app/zones: [a, b]
  /app/key:
    type: SecureString
    value: k3y
    description: the key
    labels: [live]
    tags: {a: b}
  /app/list: {value: [x, y], tier: Advanced}
`

// call asks a service and returns the answer as JSON decodes it.
func call(t *testing.T, s service.Service, operation, body string) (map[string]any, error) {
	t.Helper()
	out, err := s.Call(context.Background(), &service.Call{Operation: operation, Body: []byte(body)})
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m, nil
}

func get(t *testing.T, s service.Service, id, stage string) string {
	t.Helper()
	m, err := call(t, s, "GetSecretValue", fmt.Sprintf(`{"SecretId":%q,"VersionStage":%q}`, id, stage))
	if err != nil {
		return err.Error()
	}
	if v, ok := m["SecretString"].(string); ok {
		return v
	}
	return fmt.Sprint("binary ", m["SecretBinary"])
}

func TestEveryFormArrivesAsWritten(t *testing.T) {
	s, err := seed.Parse("seed.yaml", []byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	secrets := secretsmanager.New(secretsmanager.Config{})
	params := ssm.New(ssm.Config{})
	if err := s.Apply(secrets, params); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ id, stage, want string }{
		{"app/token", "AWSCURRENT", "t0p-s3cret"},
		{"app/quoted", "AWSCURRENT", "0123"},
		{"app/date", "AWSCURRENT", "2024-01-02"},
		{"app/db", "AWSCURRENT", `{"user":"app","port":5432,"big":12345678901234567890,"ratio":1.50,"hex":31,"tls":true,"none":null,"hosts":["a","b,c"]}`},
		{"app/list", "AWSCURRENT", `[1,"two"]`},
		{"app/long", "AWSCURRENT", "text"},
		{"app/json", "AWSCURRENT", `{"value":1}`},
		{"app/key", "AWSCURRENT", "binary AAEC"},
		{"app/dead", "AWSCURRENT", "DecryptionFailure: Secrets Manager can't decrypt the protected secret text using the provided KMS key."},
		{"app/rotating", "AWSCURRENT", "old"},
		{"app/rotating", "AWSPREVIOUS", "older"},
		{"app/rotating", "AWSPENDING", "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING"},
	} {
		if got := get(t, secrets, c.id, c.stage); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.id, c.stage, got, c.want)
		}
	}
	d, err := call(t, secrets, "DescribeSecret", `{"SecretId":"app/rotating"}`)
	if err != nil || d["RotationEnabled"] != true || d["NextRotationDate"] == nil {
		t.Errorf("rotation was not configured: %v %v", d, err)
	}
	for name, want := range map[string]string{"/app/limit": "String 10", "/app/on": "String true", "/app/zones": "StringList a,b",
		"/app/key:live": "SecureString k3y", "/app/list": "StringList x,y"} {
		m, err := call(t, params, "GetParameter", fmt.Sprintf(`{"Name":%q,"WithDecryption":true}`, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := m["Parameter"].(map[string]any)
		if got := fmt.Sprint(p["Type"], " ", p["Value"]); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if n := len(s.SecretNames()) + len(s.ParameterNames()); n != 15 {
		t.Errorf("%d names", n)
	}
}

func TestJSONFilesMayHaveTabsAndSurrogatePairs(t *testing.T) {
	s, err := seed.Parse("seed.json", []byte("{\n\t\"secrets\": {\"a\": \"x\\ud83d\\ude00\\\"\\n/\\/\", \"b\": {\"n\":\t1e400}},\n\t\"parameters\": {\"/p\": 3}}"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := secretsmanager.New(secretsmanager.Config{})
	if err := s.Apply(secrets, ssm.New(ssm.Config{})); err != nil {
		t.Fatal(err)
	}
	if got := get(t, secrets, "a", "AWSCURRENT"); got != "x😀\"\n//" {
		t.Errorf("got %q", got)
	}
	if got := get(t, secrets, "b", "AWSCURRENT"); got != `{"n":1e400}` {
		t.Errorf("got %q", got)
	}
}

// Every case carries the text CANARY where a value stands; no message may.
func TestMistakesNameTheThingAndTheLine(t *testing.T) {
	big := strings.Repeat("C", 65_537)
	for name, c := range map[string]struct {
		file, data string
		want       []string
	}{
		"unknown section":        {"s.yaml", "secret: {a: CANARY}", []string{"1: unknown section \"secret\"; a seed has secrets and parameters"}},
		"unknown field":          {"s.yaml", "secrets:\n  a:\n    value: CANARY\n    desc: x", []string{`4: secret "a": unknown field "desc"`, "under json"}},
		"number as secret":       {"s.yaml", "secrets:\n  a: 123", []string{`2: secret "a" is a number; put it in quotes`}},
		"empty secret":           {"s.yaml", "secrets:\n  a:", []string{`2: secret "a" is empty; it must be text`}},
		"duplicate":              {"s.yaml", "secrets:\n  a: CANARY\n  a: CANARY", []string{`3: secrets has "a" twice, first in line 2; remove one`}},
		"bad name":               {"s.yaml", "secrets:\n  \"a b\": CANARY", []string{`2: secret "a b": a name has 1 to 512 letters`}},
		"oversize":               {"s.yaml", "secrets:\n  a: " + big, []string{`2: secret "a": the value has 65537 bytes; Secrets Manager stores at most 65536`}},
		"bad base64":             {"s.yaml", "secrets:\n  a: {binary: CANARY!}", []string{`2: secret "a": binary is not base64`}},
		"two values":             {"s.yaml", "secrets:\n  a: {value: CANARY, json: 1}", []string{"more than one of value, json and binary"}},
		"value beside versions":  {"s.yaml", "secrets:\n  a: {value: CANARY, versions: [{value: CANARY}]}", []string{"belong into the entries of versions"}},
		"version without value":  {"s.yaml", "secrets:\n  a: {versions: [{stages: [X]}]}", []string{"version 1: give exactly one of"}},
		"versions not a list":    {"s.yaml", "secrets:\n  a: {versions: CANARY}", []string{"versions is text; it must be a list"}},
		"label twice":            {"s.yaml", "secrets:\n  a: {versions: [{value: CANARY, stages: [X]}, {value: CANARY, stages: [X]}]}", []string{`staging label "X" is given twice`}},
		"short id":               {"s.yaml", "secrets:\n  a: {versions: [{value: CANARY, id: abc}]}", []string{"has 3 characters; give 32 to 64"}},
		"bad rotation":           {"s.yaml", "secrets:\n  a: {value: CANARY, rotation: {schedule: rate(1 hour)}}", []string{`secret "a": rotation: The ScheduleExpression is not valid`, "four hours"}},
		"days out of range":      {"s.yaml", "secrets:\n  a: {value: CANARY, rotation: {days: 0, x: 1}}", []string{"days must be a number of days from 1 to 1000", `unknown field "x"`}},
		"kms":                    {"s.yaml", "secrets:\n  a: {value: CANARY, kms: off}", []string{"kms"}},
		"tags":                   {"s.yaml", "secrets:\n  a: {value: CANARY, tags: {'aws:x': y}}", []string{"does not start with aws:"}},
		"secrets a list":         {"s.yaml", "secrets: [CANARY]", []string{"secrets is a list; it must be a mapping of names"}},
		"merge key":              {"s.yaml", "x: &x {a: CANARY}\nsecrets:\n  a:\n    json:\n      <<: *x", []string{"merge key"}},
		"parameter name":         {"s.yaml", "parameters:\n  aws-limit: CANARY", []string{`2: parameter "aws-limit": Parameter name: can't be prefixed`}},
		"parameter mapping":      {"s.yaml", "parameters:\n  /a: {x: CANARY}", []string{`unknown field "x"`, "it has no value"}},
		"parameter type":         {"s.yaml", "parameters:\n  /a: {type: Secret, value: CANARY}", []string{"must be String, StringList or SecureString"}},
		"parameter tier":         {"s.yaml", "parameters:\n  /a: {tier: Big, value: CANARY}", []string{"must be Standard, Advanced or"}},
		"parameter size":         {"s.yaml", "parameters:\n  /a: " + strings.Repeat("C", 8193), []string{`parameter "/a": Advanced tier parameters support a maximum`}},
		"parameter pattern":      {"s.yaml", "parameters:\n  /a: {allowedPattern: '^x$', value: CANARY}", []string{"cannot be validated against allowedPattern"}},
		"comma in list":          {"s.yaml", "parameters:\n  /a: ['CANARY,x']", []string{"item 1 has a comma"}},
		"syntax":                 {"s.yaml", "secrets:\n  a: 'CANARY\n", []string{"the YAML cannot be read"}},
		"json syntax":            {"s.json", "{\n\"secrets\": {\"a\": \"CANARY\",}\n}", []string{"s.json:2: this is not valid JSON"}},
		"second document":        {"s.yaml", "secrets: {a: CANARY}\n---\nsecrets: {}", []string{"second document"}},
		"not a mapping":          {"s.yaml", "CANARY", []string{"the file is text"}},
		"not UTF-8":              {"s.yaml", "secrets: {a: \"\xff\"}", []string{"not UTF-8"}},
		"alias bomb":             {"s.yaml", bomb(), []string{"nested too deeply or too large"}},
		"several at once":        {"s.yaml", "secrets:\n  a: 1\n  'b c': CANARY\nparameters:\n  ssmx: 1", []string{"s.yaml:2:", "s.yaml:3:", "s.yaml:5:"}},
		"unknown version field":  {"s.yaml", "secrets:\n  a: {versions: [{value: CANARY, x: 1, empty: 1}]}", []string{`version 1: unknown field "x"`, "must be true or false"}},
		"too large":              {"s.yaml", "secrets: {a: '" + strings.Repeat("C", seed.MaxBytes) + "'}", []string{"split it"}},
		"infinite number":        {"s.yaml", "secrets: {a: {x: .inf}}", []string{"cannot be written as JSON"}},
		"stages must be a list":  {"s.yaml", "secrets: {a: {value: CANARY, stages: X}}", []string{"must be a list of text"}},
		"empty label":            {"s.yaml", "secrets: {a: {value: CANARY, stages: ['']}}", []string{"a staging label has 0 characters"}},
		"binary must be text":    {"s.yaml", "secrets: {a: {binary: [1]}}", []string{"must be base64 text"}},
		"list in parameter list": {"s.yaml", "parameters: {/a: [[x]]}", []string{"must be text, a number"}},
		"key is a list":          {"s.yaml", "secrets: {[a]: CANARY}", []string{"use plain names"}},
		"unknown anchor":         {"s.yaml", "secrets: {a: *CANARY}", []string{"the YAML cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := seed.Parse(c.file, []byte(c.data))
			if !errors.Is(err, seed.ErrInvalid) {
				t.Fatalf("got %v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in %s", w, err)
				}
			}
			if strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), "CCC") {
				t.Errorf("the message shows a value: %.300s", err)
			}
			if !strings.HasPrefix(err.Error(), "seed: "+c.file+":") {
				t.Errorf("the message does not begin with the place: %s", err)
			}
		})
	}
}

func bomb() string {
	b := "x0: &x0 [C,C,C,C,C,C,C,C,C,C]\n"
	for i := 1; i < 8; i++ {
		b += fmt.Sprintf("x%d: &x%d [%s*x%d]\n", i, i, strings.Repeat(fmt.Sprintf("*x%d,", i-1), 9), i-1)
	}
	return b + "secrets: {a: *x7}\n"
}

func TestEmptyFilesSeedNothing(t *testing.T) {
	for _, data := range []string{"", "# nothing\n", "---\n", "secrets:\nparameters:\n", "{}"} {
		s, err := seed.Parse("s.yaml", []byte(data))
		if err != nil {
			t.Errorf("%q: %v", data, err)
			continue
		}
		if err := s.Apply(nil, nil); err != nil || s.String() != "seed s.yaml: 0 secrets, 0 parameters" {
			t.Errorf("%q: %v, %v", data, s, err)
		}
	}
}

func TestASeedWithoutItsServiceIsAnError(t *testing.T) {
	s, err := seed.Parse("s.yaml", []byte("secrets: {a: b}\nparameters: {/p: 1}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(nil, nil); err == nil || !strings.Contains(err.Error(), "no Secrets Manager") || !strings.Contains(err.Error(), "no Parameter Store") {
		t.Errorf("got %v", err)
	}
}

func TestNoWayOfPrintingShowsAValue(t *testing.T) {
	s, err := seed.Parse("s.yaml", []byte("secrets: {a: CANARY, b: {x: CANARY}}\nparameters: {/p: CANARY}"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "seed", s)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "seed", s)
	text := "CANARY"
	for _, v := range []any{s, struct{ S *seed.Seed }{s}, secretsmanager.Seed{Versions: []secretsmanager.SeedVersion{{String: &text, Binary: []byte(text)}}},
		secretsmanager.SeedVersion{String: &text, Binary: []byte(text)}, ssm.Seed{Value: text}} {
		fmt.Fprintf(&b, "%v %+v %#v %s %q %d %x", v, v, v, v, v, v, v)
	}
	//lint:ignore SA9005 that it has nothing to show is what is tested
	j, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(j)
	if strings.Contains(b.String(), text) || strings.Contains(b.String(), "43414e415259") {
		t.Errorf("a value shows: %s", b.String())
	}
}

// The rule of the package comment: a restart keeps what clients wrote, a changed
// entry is written, a deleted one comes back.
func TestASecondApplyWritesOnlyWhatChangedInTheFile(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	start := func(data string) (*secretsmanager.Service, *ssm.Service) {
		t.Helper()
		clock := func() time.Time { now = now.Add(time.Second); return now }
		sm := secretsmanager.New(secretsmanager.Config{Dir: filepath.Join(dir, "secrets"), Now: clock})
		ps := ssm.New(ssm.Config{Dir: filepath.Join(dir, "parameters"), Now: clock})
		s, err := seed.Parse("s.yaml", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(sm, ps); err != nil {
			t.Fatal(err)
		}
		return sm, ps
	}
	param := func(ps *ssm.Service, name string) any {
		t.Helper()
		m, err := call(t, ps, "GetParameter", fmt.Sprintf(`{"Name":%q}`, name))
		if err != nil {
			t.Fatal(err)
		}
		return m["Parameter"].(map[string]any)["Value"]
	}
	const first = "secrets: {a: one, b: one, c: one}\nparameters: {/a: one, /b: one}"
	sm, ps := start(first)
	if err := errors.Join(sm.Put("a", "client"), ps.Put("/a", "client"), sm.Delete("c")); err != nil {
		t.Fatal(err)
	}

	sm, ps = start(first)
	if got := get(t, sm, "a", "AWSCURRENT"); got != "client" {
		t.Errorf("the unchanged seed overwrote the client's value: %s", got)
	}
	if got := param(ps, "/a"); got != "client" {
		t.Errorf("the unchanged seed overwrote the client's parameter: %s", got)
	}
	if got := get(t, sm, "c", "AWSCURRENT"); got != "one" {
		t.Errorf("the deleted secret did not come back: %s", got)
	}

	sm, ps = start("secrets: {a: two, b: one, c: one}\nparameters: {/a: two, /b: one}")
	if got := get(t, sm, "a", "AWSCURRENT"); got != "two" {
		t.Errorf("the changed seed was not written: %s", got)
	}
	if got := get(t, sm, "a", "AWSPREVIOUS"); got != "client" {
		t.Errorf("the client's value is not the previous version: %s", got)
	}
	if got := param(ps, "/a"); got != "two" {
		t.Errorf("the changed parameter was not written: %s", got)
	}
}

func TestAChangedSeedSaysWhichLabelsThereAre(t *testing.T) {
	sm := secretsmanager.New(secretsmanager.Config{})
	apply := func(data string) {
		t.Helper()
		s, err := seed.Parse("s.yaml", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(sm, nil); err != nil {
			t.Fatal(err)
		}
	}
	const rotating = "secrets: {a: {versions: [{value: %[1]s-p, stages: [AWSPREVIOUS]}, {value: %[1]s-c, stages: [AWSCURRENT]}, {value: %[1]s-n, stages: [AWSPENDING, MINE]}]}}"
	for _, n := range []string{"one", "two"} {
		apply(fmt.Sprintf(rotating, n))
		for label, want := range map[string]string{"AWSPREVIOUS": n + "-p", "AWSCURRENT": n + "-c", "AWSPENDING": n + "-n", "MINE": n + "-n"} {
			if got := get(t, sm, "a", label); got != want {
				t.Errorf("%s: got %s, want %s", label, got, want)
			}
		}
	}
	apply("secrets: {a: three}")
	for label, want := range map[string]string{"AWSPREVIOUS": "two-c", "AWSCURRENT": "three"} {
		if got := get(t, sm, "a", label); got != want {
			t.Errorf("%s: got %s, want %s", label, got, want)
		}
	}
	if got := get(t, sm, "a", "AWSPENDING"); !strings.HasPrefix(got, "ResourceNotFoundException") {
		t.Errorf("a label stayed that the seed no longer names: %s", got)
	}
	for i := range 150 {
		apply(fmt.Sprintf("secrets: {a: v%d}", i))
	}
	m, err := call(t, sm, "ListSecretVersionIds", `{"SecretId":"a","IncludeDeprecated":true}`)
	if err != nil || len(m["Versions"].([]any)) > 100 {
		t.Errorf("%d versions, %v", len(m["Versions"].([]any)), err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seed.yaml")
	if _, err := seed.Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("secrets: {a: b}"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := seed.Load(path)
	if err != nil || len(s.SecretNames()) != 1 {
		t.Errorf("got %v, %v", s, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(false, []byte(everything))
	f.Add(true, []byte(`{"secrets":{"a":"\ud83d\ude00","b":{"value":"x","stages":[]}}}`))
	f.Add(false, []byte("secrets: {a: &x [*x]}"))
	f.Add(false, []byte("a: !!binary x\n? [b]\n: c"))
	f.Fuzz(func(t *testing.T, isJSON bool, data []byte) {
		name := "f.yaml"
		if isJSON {
			name = "f.json"
		}
		s, err := seed.Parse(name, data)
		if err != nil {
			var fe *seed.FileError
			if !errors.As(err, &fe) || len(fe.Problems) == 0 || s != nil {
				t.Fatalf("an error without problems: %v", err)
			}
			return
		}
		// What Parse accepts, the services accept.
		if err := s.Apply(secretsmanager.New(secretsmanager.Config{}), ssm.New(ssm.Config{})); err != nil {
			t.Fatalf("accepted, then refused: %v", err)
		}
	})
}
