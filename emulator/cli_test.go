package emulator_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestAWSCLI lets somebody else's implementation judge. It needs the command aws.
func TestAWSCLI(t *testing.T) {
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed: the emulator was not tried with it (apt-get install awscli)")
	}
	if testing.Short() {
		t.Skip("starts the AWS CLI five times")
	}
	e := start(t)
	aws := func(env string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), path, args...)
		// The CLI finds the emulator by AWS_ENDPOINT_URL_*, or, before 2.13, by --endpoint-url.
		cmd.Args = append(cmd.Args, "--endpoint-url", e.URL(), "--output", "text")
		cmd.Env = append(append(os.Environ(), e.Env()...), "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", env)
		out, _ := cmd.CombinedOutput() // what it says is judged, not how it exits
		return string(out)
	}
	read := []string{"secretsmanager", "get-secret-value", "--secret-id", "prod/db", "--query", "SecretString"}
	for _, tc := range []struct {
		name, env, want string
		step            time.Duration
		args            []string
	}{
		{"reads a secret", "X=", "canary-value", 0, read},
		{"knows who it is", "X=", "arn:aws:sts::123456789012:assumed-role/middy-local/function", 0, []string{"sts", "get-caller-identity"}},
		{"wrong key", "AWS_SECRET_ACCESS_KEY=wrong", "(InvalidSignatureException)", 0, read},
		{"wrong region", "AWS_DEFAULT_REGION=eu-north-1", "not 'eu-north-1'", 0, append([]string{"--region", "eu-north-1"}, read...)},
		{"clock 10 min slow", "X=", " - 5 min.)", 10 * time.Minute, read},
	} {
		e.Clock().SetOffset(tc.step)
		if out := aws(tc.env, tc.args...); !strings.Contains(out, tc.want) {
			t.Errorf("%s: got %s, want …%s…", tc.name, out, tc.want)
		}
	}
}
