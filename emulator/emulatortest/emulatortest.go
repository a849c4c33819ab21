// Package emulatortest starts an emulated AWS for one test.
//
// A test that mocks an SDK client proves that the code calls the mock. This
// gives the real client a real socket and a service that verifies what arrives:
//
//	aws := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"prod/db": `{"password":"s3cret"}`}})
//	client := secretsmanager.NewFromConfig(aws.Config())
//
// Clock, chaos and the record of requests are the emulator's own: see package
// emulator.
package emulatortest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/seed"
	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/ssm"
	"github.com/gomiddy/middy/emulator/sts"
)

// Config says what the emulator begins with. The zero value has the services
// and nothing in them.
type Config struct {
	// Region and what follows up to Logger are those of [emulator.Config].
	Region, AccountID string
	Regions           []string
	TLS               bool
	ChaosSeed         uint64
	SessionTTL        time.Duration
	Logger            *slog.Logger
	// InMemory uses pipes instead of a socket: for a testing/synctest bubble, where
	// time stands still while a socket waits. Only the clients of
	// [Emulator.Config] and [Emulator.HTTPClient] reach it then, nothing is reset
	// by TCP, and every request's address is "pipe".
	InMemory bool
	// Seed are secrets by name: the current version's SecretString.
	Seed map[string]string
	// SecretsManager is passed to [secretsmanager.New]; Region, AccountID and Now
	// are filled in.
	SecretsManager secretsmanager.Config
	// SeedFile is a YAML or JSON file of secrets and parameters: see package seed.
	// Seed and Parameters are put on top of it.
	SeedFile string
	// Parameters are Parameter Store parameters by name, of type String.
	Parameters map[string]string
	// SSM is passed to [ssm.New]; Region, AccountID, Now and Secrets are filled in.
	SSM ssm.Config
	// STS is passed to [sts.New]; its Credentials are filled in.
	STS sts.Config
	// Services are further services.
	Services []service.Service
}

// An Emulator is a running one. All methods are safe for concurrent use.
type Emulator struct {
	*emulator.Server
	secrets    *secretsmanager.Service
	parameters *ssm.Service
	memory     *memory // nil for a socket
}

// Secrets is the emulated Secrets Manager, to set the stage with: Put, Rotate,
// Stage, FailReads and more.
func (e *Emulator) Secrets() *secretsmanager.Service { return e.secrets }

// Parameters is the emulated Parameter Store, likewise.
func (e *Emulator) Parameters() *ssm.Service { return e.parameters }

// Start starts an emulator on a free port of 127.0.0.1 and stops it when the
// test ends. It fails the test when it cannot.
func Start(t testing.TB, cfg Config) *Emulator {
	t.Helper()
	e, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Log(err)
		}
	})
	return e
}

// Open is [Start] for TestMain, where one emulator serves many tests: the caller
// closes it. The error is that of the seed file, or of the network.
func Open(cfg Config) (*Emulator, error) {
	srv := emulator.New(emulator.Config{Region: cfg.Region, AccountID: cfg.AccountID, Regions: cfg.Regions, TLS: cfg.TLS,
		ChaosSeed: cfg.ChaosSeed, SessionTTL: cfg.SessionTTL, Services: cfg.Services, Logger: cfg.Logger})
	sm := cfg.SecretsManager
	sm.Region, sm.AccountID, sm.Now = srv.Region(), srv.AccountID(), srv.Clock().Now
	secrets := secretsmanager.New(sm)
	ps := cfg.SSM
	ps.Region, ps.AccountID, ps.Now, ps.Secrets = sm.Region, sm.AccountID, sm.Now, secrets
	parameters := ssm.New(ps)
	cfg.STS.Credentials = srv.Credentials()
	srv.Register(sts.New(cfg.STS))
	srv.Register(secrets)
	srv.Register(parameters)
	e := &Emulator{Server: srv, secrets: secrets, parameters: parameters}
	if err := e.sow(cfg); err != nil {
		return nil, errors.Join(err, secrets.Close())
	}
	if err := e.listen(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("emulatortest: %w", err), secrets.Close())
	}
	return e, nil
}

func (e *Emulator) listen(cfg Config) error {
	if !cfg.InMemory {
		return e.Start(context.Background())
	}
	e.memory = newMemory(cfg.TLS)
	return e.Serve(e.memory)
}

func (e *Emulator) sow(cfg Config) error {
	if cfg.SeedFile != "" {
		file, err := seed.Load(cfg.SeedFile)
		if err != nil {
			return fmt.Errorf("emulatortest: %w", err)
		}
		if err := file.Apply(e.secrets, e.parameters); err != nil {
			return fmt.Errorf("emulatortest: %s: %w", cfg.SeedFile, err)
		}
	}
	for name, value := range cfg.Seed {
		if err := e.secrets.Put(name, value); err != nil {
			return fmt.Errorf("emulatortest: secret %q: %w", name, err)
		}
	}
	for name, value := range cfg.Parameters {
		if err := e.parameters.Put(name, value); err != nil {
			return fmt.Errorf("emulatortest: parameter %q: %w", name, err)
		}
	}
	return nil
}

// Close stops the emulator: what chaos holds is let go, requests in flight have
// two seconds. [Start] does it by itself.
func (e *Emulator) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return errors.Join(e.Server.Close(ctx), e.secrets.Close())
}

// Config is a plain SDK configuration that talks to the emulator with Lambda-like
// session credentials. It is a fresh value; change what you like.
func (e *Emulator) Config() aws.Config { return e.ConfigFor(e.Session()) }

// ConfigFor is [Emulator.Config] with another key pair, such as one that
// Credentials().Issue made.
func (e *Emulator) ConfigFor(k emulator.KeyPair) aws.Config {
	cfg := aws.Config{
		Region:       e.Region(),
		BaseEndpoint: aws.String(e.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken, Source: "emulatortest"}, nil
		}),
	}
	if e.CACert() != nil || e.memory != nil {
		cfg.HTTPClient = e.HTTPClient()
	}
	return cfg
}

// HTTPClient is a new client, with connections of its own, that reaches the
// emulator, trusts its certificate, and speaks HTTP/2 where TLS is on.
func (e *Emulator) HTTPClient() *http.Client { return &http.Client{Transport: e.Transport()} }

// Transport is [Emulator.HTTPClient]'s, to be changed before its first use.
func (e *Emulator) Transport() *http.Transport {
	t := &http.Transport{TLSClientConfig: e.ClientTLS(), ForceAttemptHTTP2: true}
	if e.memory != nil {
		t.DialContext = e.memory.dial
	}
	return t
}

// Setenv sets the environment of the test's process, and what it starts, so
// that SDKs find the emulator; the test's end restores it. Not for parallel tests.
func (e *Emulator) Setenv(t testing.TB) {
	t.Helper()
	for _, kv := range e.Env() {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
}

// String is the emulator's address.
func (e *Emulator) String() string { return fmt.Sprintf("emulator at %s", e.URL()) }
