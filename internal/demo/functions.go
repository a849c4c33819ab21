package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
)

const (
	// secretName is what both functions read.
	secretName = "prod/orders/db"
	// ttl is how long both use it, and ahead how long before the end of that time
	// they look for a new one.
	ttl   = 5 * time.Minute
	ahead = time.Minute
)

// plainMain is the function as most people write it: the SDK with its defaults, a
// cache with a TTL, and a goroutine that refreshes it ahead of time so that no
// invocation waits.
func plainMain() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fail(err)
	}
	clock := newPlayedClock()
	cache := &plainCache{client: secretsmanager.NewFromConfig(cfg), now: clock.now}
	if _, err := cache.get(); err != nil {
		fail(err)
	}
	lambda.Start(func(_ context.Context, e event) (string, error) {
		clock.set(e)
		if _, err := cache.get(); err != nil {
			return "", err
		}
		e.work()
		return "ok", nil
	})
}

type plainCache struct {
	client *secretsmanager.Client
	now    func() time.Time

	mu      sync.Mutex
	value   string
	expires time.Time
	next    func() (string, error) // the refresh that is under way
}

// get returns the secret, and starts its refresh when the time is near.
func (c *plainCache) get() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil && c.now().After(c.expires.Add(-ahead)) {
		c.next = sync.OnceValues(c.fetch)
		go func() { _, _ = c.next() }()
	}
	if c.now().Before(c.expires) {
		return c.value, nil
	}
	value, err := c.next()
	c.next = nil
	if err != nil {
		return "", err
	}
	c.value, c.expires = value, c.now().Add(ttl)
	return value, nil
}

func (c *plainCache) fetch() (string, error) {
	out, err := c.client.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretName)})
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", secretName, err)
	}
	return aws.ToString(out.SecretString), nil
}

// middyMain is the same function on Middy. Clock and Rand are here because the
// demonstration plays the time; a function of yours has neither.
func middyMain() {
	clock := newPlayedClock()
	cfg := freshsign.Config{OnIncident: printIncident}.FromEnv()
	store := params.New(params.Config{
		TTL:          ttl,
		Jitter:       -1,
		EarlyRefresh: float64(ahead) / float64(ttl),
		Now:          clock.now,
		Rand:         func() float64 { return 0.5 },
		OnEvent:      printEvent,
	})
	db := params.String(store, secrets.From(cfg).Secret(secretName))
	played := middy.Func(func(next middy.Handler) middy.Handler {
		return func(ctx context.Context, inv *middy.Invocation) (any, error) {
			var e event // before the Store looks at the clock
			if err := json.Unmarshal(inv.Payload, &e); err != nil {
				return nil, err
			}
			clock.set(e)
			return next(ctx, inv)
		}
	})
	middy.Start(func(ctx context.Context, e event) (string, error) {
		if _, err := db.Lookup(ctx); err != nil {
			return "", err
		}
		e.work()
		return "ok", nil
	}, played, store)
}

// incidentMark begins the lines by which the Middy function tells the stage of an
// incident.
const incidentMark = "middy-demo-incident "

// toldIncident is what such a line has.
type toldIncident struct{ Cause, Outcome, Text string }

func printIncident(_ context.Context, i freshsign.Incident) {
	tell(toldIncident{i.Cause.String(), i.Outcome.String(), i.String()})
}

// printEvent tells of what the Store did so that nobody failed.
func printEvent(e params.Event) {
	switch e.Kind {
	case params.EventStale:
		tell(toldIncident{"source unavailable", "served", fmt.Sprintf("the source does not answer: the value confirmed %s ago was served", e.Age.Round(time.Second))})
	case params.EventCancelled:
		tell(toldIncident{"slow source", "cancelled", "a refresh was cancelled so that no request crosses into the freeze"})
	}
}

func tell(t toldIncident) {
	line, err := json.Marshal(t)
	if err != nil {
		line = []byte("{}")
	}
	fmt.Fprintf(os.Stderr, "%s%s\n", incidentMark, line)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, errors.Join(errors.New("demo: the function cannot start"), err))
	os.Exit(1)
}
