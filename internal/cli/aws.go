package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/lambda"
	"github.com/gomiddy/middy/emulator/persist"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/seed"
	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/sigv4"
	"github.com/gomiddy/middy/emulator/ssm"
	"github.com/gomiddy/middy/emulator/sts"
)

// localAWS is what stands behind the function.
type localAWS struct {
	url, summary    string
	region, account string
	seedFile        string
	env             []string // what points the function's SDK at it
	shell           []string // what points a shell at it: with region and credentials
	credentials     runtimeapi.Credentials
	secrets         *secretsmanager.Service
	parameters      *ssm.Service
	verifier        *sigv4.Verifier    // of signatures with the function's credentials
	rotator         runtimeapi.Invoker // the function, for secrets that name it
	function        string             // its name
	close           func() error
	other           *otherAWS // for every other service
}

// seedNames are looked for beside the function, in this order.
var seedNames = []string{"seed.yaml", "seed.yml", "seed.json"}

func findSeed(cfg *devConfig, p *program) (string, error) {
	if cfg.seed != "" {
		if _, err := os.Stat(cfg.seed); err != nil {
			return "", failf("--seed cannot be read: %w", err)
		}
		return cfg.seed, nil
	}
	for _, name := range seedNames {
		path := filepath.Join(p.Dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", nil
}

// startAWS starts the emulator with its services and fills it from the seed. fn is
// the function, for rotations.
func startAWS(ctx context.Context, app *app, cfg *devConfig, p *program, r *reporter, fn runtimeapi.Invoker) (*localAWS, error) {
	seedFile, err := findSeed(cfg, p)
	if err != nil {
		return nil, err
	}
	// Each request that is remembered costs 1.3 KB.
	server := emulator.New(emulator.Config{Region: cfg.region, MaxRecords: 10_000})
	a := &localAWS{seedFile: seedFile, region: server.Region(), account: server.AccountID(), function: p.Name, rotator: fn}
	a.secrets = secretsmanager.New(secretsmanager.Config{
		Region: a.region, AccountID: a.account, Now: server.Clock().Now, Dir: under(cfg.data, "secretsmanager"),
		Invoke: a.rotate, OnRotation: r.rotated,
	})
	a.parameters = ssm.New(ssm.Config{
		Region: a.region, AccountID: a.account, Now: server.Clock().Now, Dir: under(cfg.data, "ssm"), Secrets: a.secrets,
	})
	err = a.secrets.Open()
	if !errors.Is(err, persist.ErrInUse) { // else the second says the same
		err = errors.Join(err, a.parameters.Open())
	}
	if err != nil {
		return nil, failf("--data %s cannot be used: %s", cfg.data, clean(err))
	}
	if err := a.sow(); err != nil {
		return nil, errors.Join(err, a.secrets.Close())
	}
	server.Register(namedSecrets{a.secrets, r})
	server.Register(namedParameters{a.parameters, r})
	server.Register(sts.New(sts.Config{Credentials: server.Credentials()}))
	// Not ctx: on Ctrl-C the function still has what it needs to end well.
	if err := server.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, failf("the emulated AWS does not start: %s", clean(err))
	}
	unsubscribe := server.Subscribe(r.refused)
	session := server.Session()
	a.verifier = verifier(server, sigv4.DefaultMaxBody)
	a.url = server.URL()
	a.shell = server.Env()
	if a.other, err = startOther(ctx, app, cfg, verifier(server, maxPassed), a.region, r); err != nil {
		unsubscribe()
		return nil, errors.Join(err, server.Close(ctx), a.secrets.Close())
	}
	a.shell = append(a.shell, a.other.env...)
	a.env = endpointsOnly(a.shell)
	a.credentials = runtimeapi.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken}
	a.close = func() error {
		unsubscribe()
		a.other.close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return errors.Join(server.Close(ctx), a.secrets.Close())
	}
	return a, nil
}

// sow fills the services from the seed file, if there is one. It may be called
// again when the file has changed.
func (a *localAWS) sow() error {
	a.summary = "Secrets Manager, Parameter Store, STS"
	if a.seedFile == "" {
		return nil
	}
	s, err := seed.Load(a.seedFile)
	if err == nil {
		err = s.Apply(a.secrets, a.parameters)
	}
	if bad, ok := errors.AsType[*seed.FileError](err); ok {
		var lines []string
		for _, p := range bad.Problems {
			lines = append(lines, fmt.Sprintf("%s:%d: %s", shorten(a.seedFile), p.Line, p.Text))
		}
		return &failure{text: "the seed file " + shorten(a.seedFile) + " cannot be used; correct what is listed", detail: strings.Join(lines, "\n"), err: err}
	}
	if err != nil {
		return failf("the seed file %s cannot be used: %s", shorten(a.seedFile), clean(err))
	}
	a.summary += fmt.Sprintf("; %s and %s from %s", count(len(s.SecretNames()), "secret"), count(len(s.ParameterNames()), "parameter"), shorten(a.seedFile))
	return nil
}

// rotate runs a step of a rotation: the function's own when the secret names it,
// and the built-in one for an ARN of a function that is not here.
func (a *localAWS) rotate(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	name, qualifier, err := lambda.ParseName(arn)
	if err != nil || name != a.function {
		return secretsmanager.BuiltinRotation(a.secrets)(ctx, arn, payload)
	}
	resp, err := a.rotator.Invoke(ctx, runtimeapi.Request{Payload: payload, Qualifier: qualifier})
	if err != nil {
		return nil, err
	}
	if resp.FunctionError != "" {
		return nil, fmt.Errorf("%s: %s", resp.ErrorType, resp.ErrorMessage)
	}
	return resp.Payload, nil
}

// verifier checks signatures made with what this emulator has issued to the
// function and to a shell.
func verifier(server *emulator.Server, maxBody int64) *sigv4.Verifier {
	known := []emulator.KeyPair{server.Session(), server.Credentials().Root()}
	return sigv4.New(sigv4.Config{Now: server.Clock().Now, MaxBody: maxBody, Lookup: func(id string) (sigv4.Credentials, bool) {
		for _, k := range known {
			if k.AccessKeyID == id {
				return sigv4.Credentials{Secret: k.SecretAccessKey, SessionToken: k.SessionToken, Expires: k.Expires, PrincipalARN: k.PrincipalARN}, true
			}
		}
		return sigv4.Credentials{}, false
	}})
}

// namedSecrets tells the reporter which secret a refused request asked for: the
// emulator's record of a request has no body.
type namedSecrets struct {
	*secretsmanager.Service
	r *reporter
}

func (n namedSecrets) Call(ctx context.Context, c *service.Call) (any, error) {
	result, err := n.Service.Call(ctx, c)
	switch {
	case err != nil:
		n.r.asked(c.RequestID, c.Body)
	case c.Operation == "BatchGetSecretValue":
		n.r.batchErrors(result)
	}
	return result, err
}

// namedParameters does the same for Parameter Store.
type namedParameters struct {
	*ssm.Service
	r *reporter
}

func (n namedParameters) Call(ctx context.Context, c *service.Call) (any, error) {
	result, err := n.Service.Call(ctx, c)
	if err != nil {
		n.r.asked(c.RequestID, c.Body)
	}
	return result, err
}

// resourceIn is the name in a request, or "".
func resourceIn(body []byte) string {
	var in struct {
		SecretID string `json:"SecretId"` //nolint:tagliatelle // AWS's name
		Name     string `json:"Name"`
		Path     string `json:"Path"`
	}
	if json.Unmarshal(body, &in) != nil {
		return ""
	}
	return cmp.Or(in.SecretID, in.Name, in.Path)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func under(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// endpointsOnly leaves out region and credentials, which the Runtime API sets.
func endpointsOnly(env []string) []string {
	var out []string
	for _, kv := range env {
		if strings.HasPrefix(kv, "AWS_ENDPOINT_URL") {
			out = append(out, kv)
		}
	}
	return out
}
