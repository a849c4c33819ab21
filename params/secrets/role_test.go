package secrets_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
)

// as is cfg with a role's credentials: one cache for all that is read with it,
// renewed five minutes before they expire.
func as(cfg aws.Config, roleARN, session string) aws.Config {
	assume := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), roleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = session
		o.ExternalID = aws.String("orders-of-team-a")
	})
	cfg.Credentials = aws.NewCredentialsCache(assume, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
	return cfg
}

// A secret of another account is read with a role of that account: give the
// provider an aws.Config with the role's credentials. Both configurations are
// protected by freshsign, and values of both live in one Store.
func ExampleFrom_role() {
	em, err := emulatortest.Open(emulatortest.Config{Seed: map[string]string{"own": "a", "theirs": "b"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer em.Close()
	cfg := em.ConfigFor(em.Credentials().Root()) // in a function: cfg := freshsign.FromEnv()
	freshsign.Apply(&cfg)

	role := cfg.Copy()
	role.Credentials = aws.NewCredentialsCache(
		stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), "arn:aws:iam::210987654321:role/reader"),
		func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute }, // renewed before they expire
	)

	store := params.New(params.Config{})
	own := params.String(store, secrets.From(cfg).Secret("own"))
	theirs := params.String(store, secrets.From(role).Secret("theirs"))
	fmt.Println(own.Get(context.Background()), theirs.Get(context.Background()))
	// Output: a b
}

func count(ops []string, op string) (n int) {
	for _, o := range ops {
		if o == op {
			n++
		}
	}
	return n
}

// For two hours a role's sessions of 15 minutes are renewed before they expire:
// no request is refused, and no role is assumed more often than needed.
func TestARolesCredentialsAreRenewedBeforeTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		em := emulatortest.Start(t, emulatortest.Config{InMemory: true, Seed: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}})
		cfg := em.ConfigFor(em.Credentials().Root())
		freshsign.Apply(&cfg)
		src := secrets.From(as(cfg, "arn:aws:iam::210987654321:role/reader", "orders"))
		store := params.New(params.Config{Jitter: -1, EarlyRefresh: -1})
		var values []*params.Value[string]
		for _, name := range []string{"a", "b", "c", "d"} {
			values = append(values, params.String(store, src.Secret(name).Required()))
		}
		if err := store.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ops := operations(em); count(ops, "AssumeRole") != 1 || len(ops) != 2 {
			t.Errorf("a cold start with a role is %v; want one AssumeRole and one batch", ops)
		}
		for range 2 * 60 {
			<-time.After(time.Minute)
			if _, err := invoke(t, store, func(ctx context.Context) error {
				for _, v := range values {
					if _, err := v.Lookup(ctx); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range em.Requests() {
			if r.ErrorCode != "" {
				t.Errorf("%s was refused: %s", r.Operation, r.ErrorCode)
			}
		}
		// A session lives 15 minutes, and is renewed by the first refresh in its
		// last 5: every 10 minutes.
		if ops := operations(em); count(ops, "AssumeRole") != 12 && count(ops, "AssumeRole") != 13 || count(ops, "BatchGetSecretValue") != 2*60/5+1 {
			t.Errorf("%d AssumeRole and %d batches", count(ops, "AssumeRole"), count(ops, "BatchGetSecretValue"))
		}
		_ = store.Close(t.Context())
	})
}

// One name read with two roles is two values: neither sees what the other may.
func TestOneNameReadByTwoRolesIsTwoValues(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1"}})
	cfg := em.ConfigFor(em.Credentials().Root())
	freshsign.Apply(&cfg)
	reader := as(cfg, "arn:aws:iam::210987654321:role/reader", "orders")
	other := as(cfg, "arn:aws:iam::210987654321:role/other", "orders")
	store := params.New(params.Config{})
	for _, src := range []*secrets.Source{secrets.From(cfg), secrets.From(reader), secrets.From(other), secrets.From(reader)} {
		if v, err := store.Lookup(t.Context(), src.Secret("a")); err != nil || v.Reveal() != "1" {
			t.Fatal(v, err)
		}
	}
	ops := operations(em)
	if count(ops, "GetSecretValue") != 3 || count(ops, "AssumeRole") != 2 {
		t.Errorf("%v; want one GetSecretValue for each identity, and one AssumeRole for each role", ops)
	}
}

// A role that may not be assumed is an error that says so, and the value of
// another role is none of its business.
func TestARoleThatMayNotBeAssumedIsNoReasonForAnothersFailure(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1"}})
	cfg := em.Config() // a session, which may assume no role for longer than an hour
	freshsign.Apply(&cfg)
	store := params.New(params.Config{})
	if _, err := store.Lookup(t.Context(), secrets.From(as(cfg, "no role at all", "orders")).Secret("a")); err == nil {
		t.Error("a secret was read with a role that is none")
	} else {
		t.Log(err)
	}
	if v, err := store.Lookup(t.Context(), secrets.From(cfg).Secret("a")); err != nil || v.Reveal() != "1" {
		t.Error(err)
	}
}
