package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/conformance/internal/debian"
	"github.com/gomiddy/middy/emulator"
)

// callLimit bounds one call of a client: a process that starts, on a busy machine.
const callLimit = time.Minute

// A client is somebody else's, and runs one operation per process.
type client struct {
	// command is the program for an operation, and env what it needs besides the
	// emulator's.
	command func(url, operation string, input map[string]any) []string
	env     []string
	// fails is what it prints for an error of the service.
	fails func(operation, code, message string) string
}

// A refusal is what a client printed.
type refusal struct{ printed string }

func (r *refusal) Error() string { return r.printed }

func clients(t *testing.T) map[string]func(t *testing.T) client {
	t.Helper()
	return map[string]func(t *testing.T) client{
		"aws-cli": func(t *testing.T) client {
			aws := debian.Program(t, debianAWS, "awscli")
			return client{
				command: func(url, operation string, input map[string]any) []string {
					return append([]string{aws, "secretsmanager", kebab(operation), "--endpoint-url", url, "--output", "json"}, flags(input)...)
				},
				env: []string{"AWS_PAGER=", "AWS_CLI_AUTO_PROMPT=off"},
				fails: func(operation, code, message string) string {
					return fmt.Sprintf("An error occurred (%s) when calling the %s operation: %s", code, operation, message)
				},
			}
		},
		"aws-sdk-js": func(t *testing.T) client {
			node, modules := javaScript(t)
			return client{
				command: func(_, operation string, input map[string]any) []string {
					b, err := json.Marshal(input)
					if err != nil {
						t.Fatal(err)
					}
					return []string{node, "testdata/client.cjs", operation, string(b)}
				},
				env:   []string{"NODE_PATH=" + modules, "NODE_NO_WARNINGS=1"},
				fails: func(_, code, message string) string { return code + ": " + message },
			}
		},
	}
}

// kebab is how the CLI spells an operation or a field: RotationLambdaARN is
// rotation-lambda-arn.
func kebab(name string) string {
	return strings.ToLower(word.ReplaceAllString(name, "$1-$2"))
}

var word = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// flags are an operation's input as a person types it.
func flags(input map[string]any) []string {
	var args []string
	for name, value := range input {
		switch v := value.(type) {
		case string:
			args = append(args, "--"+kebab(name), v)
		case bool:
			if v {
				args = append(args, "--"+kebab(name))
			} else {
				args = append(args, "--no-"+kebab(name))
			}
		default:
			b, _ := json.Marshal(v) // maps and lists of strings and numbers
			args = append(args, "--"+kebab(name), string(b))
		}
	}
	return args
}

// A caller is a client with a region and a key.
type caller struct {
	client
	t      *testing.T
	url    string
	region string
	key    emulator.KeyPair
}

// environ has nothing of this process in it: no profile, no proxy, no region.
func (c caller) environ() []string {
	return append([]string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + c.t.TempDir(), "LANG=C.UTF-8",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + c.url,
		"AWS_REGION=" + c.region, "AWS_DEFAULT_REGION=" + c.region,
		"AWS_ACCESS_KEY_ID=" + c.key.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.key.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + c.key.SessionToken,
	}, c.env...)
}

// do runs the client once. The error is a [*refusal] when the client printed one.
func (c caller) do(operation string, input map[string]any) (map[string]any, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), callLimit)
	defer cancel()
	args := c.command(c.url, operation, input)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = slices.DeleteFunc(c.environ(), func(kv string) bool { return kv == "AWS_SESSION_TOKEN=" })
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		c.t.Fatalf("%s did not end within %v\n%s", operation, callLimit, stderr.String())
	}
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return nil, &refusal{strings.TrimSpace(stderr.String())}
	}
	if err != nil {
		c.t.Fatal(err)
	}
	var out map[string]any
	if stdout.Len() > 0 {
		if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
			c.t.Fatalf("%s printed no JSON: %v\n%s", operation, err, stdout.String())
		}
	}
	return out, nil
}

// must is do for a call that has to succeed.
func (c caller) must(operation string, input map[string]any) map[string]any {
	c.t.Helper()
	out, err := c.do(operation, input)
	if err != nil {
		c.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// mustFail is do for a call that the service has to refuse, with what the person
// at the terminal has to read.
func (c caller) mustFail(operation string, input map[string]any, code, message string) {
	c.t.Helper()
	_, err := c.do(operation, input)
	if err == nil {
		c.t.Fatalf("%s succeeded, want %s", operation, code)
	}
	if want := c.fails(operation, code, message); err.Error() != want {
		c.t.Errorf("%s printed\n\t%s\nwant\n\t%s", operation, err, want)
	}
}
