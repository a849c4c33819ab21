package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gomiddy/middy"
)

func TestIAMPrintsTheLeastPolicyOfTheDeclarations(t *testing.T) {
	r := run(t, "iam", "./testdata/orders")
	r.wantCode(exitOK)
	var got policy
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatalf("stdout is no JSON: %v\n%s", err, r.stdout)
	}
	want := policy{Version: "2012-10-17", Statement: []statement{
		{Effect: "Allow", Action: []string{"secretsmanager:GetSecretValue"}, Resource: []string{
			"arn:aws:secretsmanager:*:*:secret:prod/api-??????", "arn:aws:secretsmanager:*:*:secret:prod/db-??????"}},
		{Effect: "Allow", Action: []string{"ssm:GetParameters"}, Resource: []string{"arn:aws:ssm:*:*:parameter/limit"}},
	}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(statement{})); d != "" {
		t.Errorf("policy (-want +got):\n%s", d)
	}
	for _, reason := range []string{"secret prod/db", "secret prod/api", "parameter /limit"} {
		if !strings.Contains(r.stderr, "because "+reason) {
			t.Errorf("stderr does not give the reason %q:\n%s", reason, r.stderr)
		}
	}
}

func TestIAMSaysInOneSentenceWhyThereIsNoPolicy(t *testing.T) {
	for _, c := range []struct{ name, arg, want string }{
		{"a program that does not describe itself", "./testdata/mute", "./testdata/mute printed no list of what it needs"},
		{"a library", "./testdata/library", "is package library, not a program"},
		{"no such directory", "./testdata/none", "there is no directory ./testdata/none"},
		{"a directory without Go files", "./testdata", "has no Go files"},
		{"an unknown import path", "example.invalid/none", "is not a package that can be built"},
		{"a pattern", "./...", "may match many packages"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, "iam", c.arg)
			r.wantCode(exitFailed)
			if !strings.Contains(r.stderr, c.want) || !strings.HasPrefix(r.stderr, "middy iam: ") {
				t.Errorf("stderr:\n%s\nwant one sentence with %q", r.stderr, c.want)
			}
			if r.stdout != "" {
				t.Errorf("stdout is not empty: %s", r.stdout)
			}
		})
	}
}

func TestAFunctionThatPrintsWithoutEndIsCut(t *testing.T) {
	var kept bytes.Buffer
	n, err := io.Copy(limitedBuffer{&kept}, strings.NewReader(strings.Repeat("x", 3<<20)))
	if n != 3<<20 || err != nil || kept.Len() != 1<<20 {
		t.Errorf("%d bytes taken, %d kept, error %v; want all taken and 1 MiB kept", n, kept.Len(), err)
	}
}

func TestLeastPolicyKeepsConditionsApart(t *testing.T) {
	via := map[string]map[string]string{"StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}}
	got := leastPolicy([]middy.Permission{
		{Actions: []string{"kms:Decrypt"}, Resources: []string{"k"}},
		{Actions: []string{"kms:Decrypt"}, Resources: []string{"k"}, Condition: via},
		{Actions: []string{"kms:Decrypt", "kms:Decrypt"}, Resources: []string{"k"}},
	})
	if len(got.Statement) != 2 {
		t.Fatalf("%d statements, want one without and one with the condition: %+v", len(got.Statement), got.Statement)
	}
}
