package secrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/goleak"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
)

// protected is the emulator's configuration with fresh signatures.
func protected(em *emulatortest.Emulator) aws.Config {
	cfg := em.Config()
	freshsign.Apply(&cfg)
	return cfg
}

func operations(em *emulatortest.Emulator) (ops []string) {
	for _, r := range em.Requests() {
		ops = append(ops, r.Operation)
	}
	return ops
}

func invoke(t *testing.T, s *params.Store, fn func(context.Context) error) (time.Duration, error) {
	t.Helper()
	h := s.Wrap(func(ctx context.Context, _ *middy.Invocation) (any, error) { return nil, fn(ctx) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	start := time.Now()
	_, err := h(ctx, &middy.Invocation{})
	return time.Since(start), err
}

func TestTwentyFiveSecretsAreTwoRequests(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{})
	cfg := protected(em)
	store := params.New(params.Config{})
	var values []*params.Value[string]
	for i := range 25 {
		name := fmt.Sprintf("prod/%d", i)
		if err := em.Secrets().Put(name, name); err != nil {
			t.Fatal(err)
		}
		values = append(values, params.String(store, secrets.From(cfg).Secret(name).Required()))
	}
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if got := v.Get(t.Context()); got != fmt.Sprintf("prod/%d", i) {
			t.Error(got)
		}
	}
	if ops := operations(em); !slices.Equal(ops, []string{"BatchGetSecretValue", "BatchGetSecretValue"}) {
		t.Error(ops)
	}
}

func TestABatchMapsItsItems(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"ok": "1", "denied": "2", "kms": "3", "twice": "4"}})
	em.Secrets().FailReads("denied", secretsmanager.AccessDenied("x", "arn:aws:iam::123456789012:role/r"))
	if err := em.Secrets().DisableKey("kms"); err != nil {
		t.Fatal(err)
	}
	store := params.New(params.Config{})
	src := secrets.From(protected(em))
	want := []struct {
		name string
		text string
		err  error
		says string
	}{
		{"ok", "1", nil, ""},
		{"denied", "", params.ErrDenied, "allow secretsmanager:GetSecretValue on arn:aws:secretsmanager:" + em.Region() + ":*:secret:denied-??????"},
		{"kms", "", params.ErrUndecryptable, "kms:Decrypt"},
		{"missing", "", params.ErrNotFound, "create it or correct the name"},
		{"twice", "4", nil, ""},
	}
	var values []*params.Value[string]
	for _, w := range want {
		values = append(values, params.String(store, src.Secret(w.name)))
	}
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		got, err := values[i].Lookup(t.Context())
		if got != w.text || !errors.Is(err, w.err) {
			t.Errorf("%s: %q, %v", w.name, got, err)
		}
		if w.err != nil && (!strings.Contains(err.Error(), w.says) || !strings.Contains(err.Error(), `"`+w.name+`"`)) {
			t.Errorf("%s: %v", w.name, err)
		}
	}
	if ops := operations(em); len(ops) != 1 {
		t.Error(ops)
	}
}

func TestLargeBatchesComeInPages(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{})
	store := params.New(params.Config{})
	src := secrets.From(protected(em))
	var values []*params.Value[params.Secret]
	for i := range 20 {
		big := bytes.Repeat([]byte{byte('a' + i)}, 65536)
		if err := em.Secrets().Put(fmt.Sprint(i), string(big)); err != nil {
			t.Fatal(err)
		}
		values = append(values, params.Hidden(store, src.Secret(fmt.Sprint(i)).Required()))
	}
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if got := v.Get(t.Context()).Reveal(); len(got) != 65536 || got[0] != byte('a'+i) {
			t.Error(i, len(got))
		}
	}
}

func TestShapesOfSecrets(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{})
	for name, v := range map[string]any{
		"binary": []byte{0, 1, 0xff}, "empty": "", "bom": "\ufeff{\"a\":1}",
		"dup": `{"a":1,"a":2}`, "big": `{"n":9007199254740993}`, "deep": strings.Repeat("[", 200) + strings.Repeat("]", 200),
	} {
		if err := em.Secrets().Put(name, v); err != nil {
			t.Fatal(name, err)
		}
	}
	store := params.New(params.Config{})
	src := secrets.From(protected(em))
	ctx := t.Context()
	if got := params.Bytes(store, src.Secret("binary")).Get(ctx); !bytes.Equal(got, []byte{0, 1, 0xff}) {
		t.Errorf("%x", got)
	}
	if got, err := params.String(store, src.Secret("empty")).Lookup(ctx); got != "" || err != nil {
		t.Error(err)
	}
	if got := params.JSON[struct{ A int }](store, src.Secret("bom")).Get(ctx); got.A != 1 {
		t.Error(got)
	}
	if got := params.Int(store, src.Secret("dup#a")).Get(ctx); got != 2 {
		t.Error(got)
	}
	if got := params.Int(store, src.Secret("big#n")).Get(ctx); got != 9007199254740993 {
		t.Error(got)
	}
	if _, err := params.JSON[json.RawMessage](store, src.Secret("deep")).Lookup(ctx); err != nil {
		t.Error(err)
	}
	if _, err := params.Int(store, src.Secret("deep")).Lookup(ctx); !errors.Is(err, params.ErrDecode) {
		t.Error(err)
	}
}

func TestThePermissionsAreEnoughAndLeast(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1", "b": "2", "c": "3", "other": "4"}})
	key := em.Credentials().Issue("arn:aws:iam::123456789012:role/orders", 0, true)
	cfg := em.ConfigFor(key)
	freshsign.Apply(&cfg)
	store := params.New(params.Config{})
	src := secrets.From(cfg)
	for _, n := range []string{"a", "b", "c"} {
		params.String(store, src.Secret(n).Required())
	}
	var statements []emulator.Statement
	for _, p := range store.Permissions() {
		for i, r := range p.Resources {
			p.Resources[i] = strings.Replace(r, ":*:secret:", ":"+em.AccountID()+":secret:", 1)
		}
		statements = append(statements, emulator.Statement{Actions: p.Actions, Resources: p.Resources})
	}
	em.Credentials().Allow(key.AccessKeyID, statements)
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Lookup(t.Context(), src.Secret("other")); !errors.Is(err, params.ErrDenied) {
		t.Error("more than the declared secrets can be read:", err)
	}

	// Without the batch action: remembered, singles.
	em.Credentials().Allow(key.AccessKeyID, statements[:1])
	em.ResetRequests()
	store = params.New(params.Config{})
	for _, n := range []string{"a", "b", "c"} {
		params.String(store, src.Secret(n).Required())
	}
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	ops := operations(em)
	slices.Sort(ops)
	if !slices.Equal(ops, []string{"BatchGetSecretValue", "GetSecretValue", "GetSecretValue", "GetSecretValue"}) {
		t.Error(ops)
	}
}

func TestAThrottledBatchFallsBackToSingles(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1", "b": "2", "c": "3"}})
	em.Chaos().Add(emulator.Rule{Effect: emulator.Throttle, Operation: "BatchGetSecretValue"})
	cfg := protected(em)
	cfg.RetryMaxAttempts = 1
	store := params.New(params.Config{})
	for _, n := range []string{"a", "b", "c"} {
		params.String(store, secrets.From(cfg).Secret(n).Required())
	}
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAThousandReadersAtExpiryAreOneRequest(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1"}})
	store := params.New(params.Config{TTL: 10 * time.Millisecond, EarlyRefresh: -1})
	v := params.String(store, secrets.From(protected(em)).Secret("a"))
	_ = v.Get(t.Context())
	<-time.After(15 * time.Millisecond)
	em.ResetRequests()
	em.Chaos().Add(emulator.Rule{Effect: emulator.SlowResponse, Delay: 100 * time.Millisecond})
	_, err := invoke(t, store, func(ctx context.Context) error {
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if v.Get(ctx) != "1" {
					t.Error("wrong value")
				}
			})
		}
		wg.Wait()
		return nil
	})
	if ops := operations(em); err != nil || len(ops) != 1 {
		t.Error(err, ops)
	}
}

// An outage after the TTL: no invocation fails and few are slow, until the hard
// limit; then a typed error says so.
func TestOutage(t *testing.T) {
	for _, effect := range []emulator.Effect{emulator.InternalError, emulator.Throttle, emulator.Reset, emulator.BlackHole} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1"}})
			const limit = 2 * time.Second
			store := params.New(params.Config{TTL: 50 * time.Millisecond, MaxStale: limit, FetchTimeout: 500 * time.Millisecond,
				Patience: 50 * time.Millisecond, JoinBudget: 50 * time.Millisecond, NegativeTTL: 300 * time.Millisecond})
			v := params.String(store, secrets.From(protected(em)).Secret("a"))
			if err := store.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			confirmed := time.Now()
			em.Chaos().Add(emulator.Rule{Effect: effect})
			var took []time.Duration
			for time.Since(confirmed) < limit-300*time.Millisecond {
				d, err := invoke(t, store, func(ctx context.Context) error {
					if v.Get(ctx) != "1" {
						t.Error("wrong value")
					}
					return nil
				})
				if err != nil {
					t.Fatal("an invocation failed within the limit:", err)
				}
				took = append(took, d)
				settled(t, em)
				<-time.After(time.Millisecond)
			}
			slices.Sort(took)
			if p50 := took[len(took)/2]; p50 > 5*time.Millisecond {
				t.Errorf("p50 %v of %d", p50, len(took))
			}
			<-time.After(time.Until(confirmed.Add(limit + 50*time.Millisecond)))
			_, err := invoke(t, store, func(ctx context.Context) error {
				_, err := v.Lookup(ctx)
				return err
			})
			if stale, ok := errors.AsType[*params.StaleError](err); !ok || stale.Limit != limit || stale.Err == nil {
				t.Errorf("after the limit: %v", err)
			}
			em.Chaos().Clear()
			if err := store.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The response does not wait longer than the budget for a refresh, and when it
// leaves nothing is left: no goroutine, no request at the socket.
func TestNothingOutlivesAnInvocation(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1", "b": "2"}})
	cfg := protected(em)
	store := params.New(params.Config{TTL: time.Millisecond, EarlyRefresh: 0.99, Patience: 30 * time.Millisecond, JoinBudget: 30 * time.Millisecond, NegativeTTL: -1})
	src := secrets.From(cfg)
	a := params.String(store, src.Secret("a"))
	params.String(store, src.Secret("b"))
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	warm := goleak.IgnoreCurrent() // keep-alive connections
	em.Chaos().Add(emulator.Rule{Effect: emulator.BlackHole})
	for range 10 {
		d, err := invoke(t, store, func(ctx context.Context) error {
			_, err := a.Lookup(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if d > 600*time.Millisecond {
			t.Error("the invocation took", d)
		}
		settled(t, em)
	}
	em.Chaos().Clear()
	if err := goleak.Find(warm, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead")); err != nil {
		t.Error(err)
	}
}

// settled waits until the server has noticed that a cancelled client is gone,
// which takes it a moment.
func settled(t *testing.T, em *emulatortest.Emulator) {
	t.Helper()
	for range 200 {
		if em.InFlight() == 0 {
			return
		}
		<-time.After(time.Millisecond)
	}
	t.Error(em.InFlight(), "requests in flight after the response")
}

func TestRotationStages(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"db": "p1"}})
	store := params.New(params.Config{})
	src := secrets.From(protected(em))
	v := params.String(store, src.Secret("db").TryStages(secrets.Pending, secrets.Previous))
	refused := errors.New("28P01")
	accepted := "p1"
	login := func(_ context.Context, p string) error {
		if p != accepted {
			return refused
		}
		return nil
	}
	isAuth := func(err error) bool { return errors.Is(err, refused) }
	if err := params.Retry(t.Context(), v, isAuth, login); err != nil {
		t.Fatal(err)
	}
	if err := em.Secrets().Stage("db", nil); err != nil { // AWSPENDING without a value
		t.Fatal(err)
	}
	if _, err := store.Lookup(t.Context(), src.Secret("db").Stage(secrets.Pending)); !errors.Is(err, params.ErrNotFound) {
		t.Error(err)
	}
	if err := em.Secrets().Stage("db", "p2"); err != nil {
		t.Fatal(err)
	}
	accepted = "p2"
	if err := params.Retry(t.Context(), v, isAuth, login); err != nil {
		t.Fatal(err)
	}
	if err := em.Secrets().Rotate("db", "p3"); err != nil {
		t.Fatal(err)
	}
	accepted = "p3"
	if err := params.Retry(t.Context(), v, isAuth, login); err != nil {
		t.Fatal(err)
	}
}

func TestDescribeIsReadForRotationOnly(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1"}})
	store := params.New(params.Config{})
	v := params.String(store, secrets.From(protected(em)).Secret("a").FollowRotation())
	if got := v.Get(t.Context()); got != "1" {
		t.Error(got)
	}
	if ops := operations(em); !slices.Equal(ops, []string{"GetSecretValue", "DescribeSecret"}) {
		t.Error(ops)
	}
}

func TestSignatureAgeIsHealedNotServedStale(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1"}})
	em.Chaos().Add(emulator.Rule{Effect: emulator.SpuriousSignature, Times: 1})
	store := params.New(params.Config{})
	v := params.String(store, secrets.From(protected(em)).Secret("a"))
	if got, err := v.Lookup(t.Context()); got != "1" || err != nil {
		t.Error(got, err)
	}
}

func TestAnExpiredSessionSaysSo(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"a": "1"}})
	em.Chaos().Add(emulator.Rule{Effect: emulator.ExpiredToken})
	store := params.New(params.Config{})
	v := params.String(store, secrets.From(protected(em)).Secret("a"))
	_, err := v.Lookup(t.Context())
	if !errors.Is(err, params.ErrUnavailable) || !strings.Contains(err.Error(), "session of the credentials has expired") {
		t.Error(err)
	}
}

func TestReplicaAnswersWhenThePrimaryDoesNot(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{Region: "eu-central-1", Regions: []string{"eu-central-1", "eu-west-1"}, Seed: map[string]string{"a": "1"}})
	// In this emulator each region of the request's scope is a region of its own.
	cfg := protected(em)
	store := params.New(params.Config{HedgeAfter: 20 * time.Millisecond})
	v := params.String(store, secrets.From(cfg).Secret("a").Replica("eu-west-1"))
	got, err := v.Lookup(t.Context())
	if got != "1" || err != nil {
		t.Error(got, err)
	}
	in := map[string]bool{}
	for _, p := range store.Permissions() {
		for _, r := range p.Resources {
			in[r] = true
		}
	}
	if !in["arn:aws:secretsmanager:eu-west-1:*:secret:a-??????"] || !in["arn:aws:secretsmanager:eu-central-1:*:secret:a-??????"] {
		t.Error(in)
	}
}
