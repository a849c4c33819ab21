package freeze_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/freshsign"
)

// A sleeper is a sandbox that is frozen once, with a signed request in its hands.
type sleeper struct {
	clock *emulator.Clock
	slept bool
}

func (s *sleeper) Do(r *http.Request) (*http.Response, error) {
	if !s.slept {
		s.slept = true
		s.clock.Freeze(5*time.Minute + 10*time.Second) // to the service it is late by so much
		defer s.clock.Reset()                          // and what follows is on time
	}
	return http.DefaultClient.Do(r)
}

// The same freeze, once without and once with the toolkit.
func Example() {
	server := emulator.New(emulator.Config{})
	secrets := secretsmanager.New(secretsmanager.Config{Region: server.Region(), AccountID: server.AccountID()})
	server.Register(service.Service(secrets))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if err := errors.Join(secrets.Put("prod/orders/db", "s3cret"), server.Start(ctx)); err != nil {
		fmt.Println(err)
		return
	}
	for _, protect := range []func(*aws.Config){func(*aws.Config) {}, freshsign.Apply} {
		key := server.Session()
		cfg := aws.Config{Region: server.Region(), BaseEndpoint: aws.String(server.URL()), HTTPClient: &sleeper{clock: server.Clock()},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey, SessionToken: key.SessionToken}, nil
			})}
		protect(&cfg)
		_, err := sdk.NewFromConfig(cfg).GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("prod/orders/db")})
		if refused, ok := errors.AsType[smithy.APIError](err); ok {
			fmt.Println(refused.ErrorCode())
		} else {
			fmt.Println(err)
		}
	}
	// Output:
	// InvalidSignatureException
	// <nil>
}
