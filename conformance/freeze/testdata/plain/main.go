// Command plain is the same function as people write it on the SDK alone: the
// secret is cached, and refreshed by a goroutine so that nobody has to wait.
package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// A cache has one secret.
type cache struct {
	client *secretsmanager.Client
	ttl    time.Duration
	ahead  bool // refresh when the TTL is over, for the next one; otherwise fetch then

	mu      sync.Mutex
	value   string
	fetched time.Time
	refresh chan error // of the refresh that is under way; nil: none
}

func (c *cache) fetch(ctx context.Context) error {
	out, err := c.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("secret/00")})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value, c.fetched = aws.ToString(out.SecretString), time.Now()
	return nil
}

func (c *cache) get(ctx context.Context) (string, error) {
	c.mu.Lock()
	under, cold, old := c.refresh, c.fetched.IsZero(), time.Since(c.fetched) > c.ttl
	c.mu.Unlock()
	switch {
	case cold, old && !c.ahead:
		if err := c.fetch(ctx); err != nil {
			return "", err
		}
	case under != nil: // begun by an earlier invocation: here is its result
		c.mu.Lock()
		c.refresh = nil
		c.mu.Unlock()
		if err := <-under; err != nil {
			return "", err
		}
	case old:
		done := make(chan error, 1)
		c.mu.Lock()
		c.refresh = done
		c.mu.Unlock()
		go func() { done <- c.fetch(context.WithoutCancel(ctx)) }()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, nil
}

type answer struct{ Value string }

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	ttl, err := time.ParseDuration(os.Getenv("FN_TTL"))
	if err != nil {
		panic(err)
	}
	c := &cache{client: secretsmanager.NewFromConfig(cfg), ttl: ttl, ahead: os.Getenv("FN_AHEAD") != ""}
	lambda.Start(func(ctx context.Context) (answer, error) {
		v, err := c.get(ctx)
		<-time.After(50 * time.Millisecond) // the work, during which the request leaves
		return answer{v}, err
	})
}
