package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/secretsmanager"
)

// localAWS is what stands behind the function.
type localAWS struct {
	url, summary    string
	region, account string
	seedFile        string
	env             []string // what points the SDK at it
	credentials     runtimeapi.Credentials
	close           func() error
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

// startAWS starts the emulator with its services and fills it.
func startAWS(ctx context.Context, cfg *devConfig, p *program, r *reporter) (*localAWS, error) {
	seedFile, err := findSeed(cfg, p)
	if err != nil {
		return nil, err
	}
	server := emulator.New(emulator.Config{})
	secrets := secretsmanager.New(secretsmanager.Config{
		Region:    server.Region(),
		AccountID: server.AccountID(),
		Now:       server.Clock().Now,
		Dir:       under(cfg.data, "secretsmanager"),
	})
	server.Register(secrets)
	if err := secrets.Open(); err != nil {
		return nil, failf("--data %s cannot be used: %s", cfg.data, clean(err))
	}
	// Not ctx: on Ctrl-C the function still has what it needs to end well.
	if err := server.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, failf("the emulated AWS does not start: %s", clean(err))
	}
	unsubscribe := server.Subscribe(r.refused)
	session := server.Session()
	a := &localAWS{
		url: server.URL(), summary: "Secrets Manager, Parameter Store, STS", seedFile: seedFile,
		region: server.Region(), account: server.AccountID(),
		env:         endpointsOnly(server.Env()),
		credentials: runtimeapi.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken},
	}
	a.close = func() error {
		unsubscribe()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return errors.Join(server.Close(ctx), secrets.Close())
	}
	if seedFile != "" {
		a.summary += ", filled from " + shorten(seedFile)
	}
	return a, nil
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
