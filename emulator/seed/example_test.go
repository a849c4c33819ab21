package seed_test

import (
	"fmt"

	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/seed"
	"github.com/gomiddy/middy/emulator/ssm"
)

func Example() {
	s, err := seed.Parse("seed.yaml", []byte(`
secrets:
  prod/orders/db: {user: app, password: s3cret}
parameters:
  /orders/limit: 10
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	secrets, params := secretsmanager.New(secretsmanager.Config{}), ssm.New(ssm.Config{})
	if err := s.Apply(secrets, params); err != nil {
		fmt.Println(err)
	}
	fmt.Println(secrets.Names(), params.Names())

	_, err = seed.Parse("seed.yaml", []byte("secrets:\n  prod/pin: 0123\nparameter: {}\n"))
	fmt.Println(err)
	// Output:
	// [prod/orders/db] [/orders/limit]
	// seed: seed.yaml:2: secret "prod/pin" is a number; put it in quotes to store it as text
	// seed: seed.yaml:3: unknown section "parameter"; a seed has secrets and parameters
}
