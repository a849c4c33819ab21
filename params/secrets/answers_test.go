package secrets_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/secrets"
	"github.com/gomiddy/middy/params/ssm"
)

// atOnce is the emulator's configuration with retries that do not wait.
func atOnce(em *emulatortest.Emulator) aws.Config {
	cfg := em.Config()
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	return cfg
}

// stage is an emulator with values of every kind: three of each source, so that
// they come by batches, and a path.
type stage struct {
	em     *emulatortest.Emulator
	store  *params.Store
	later  atomic.Int64
	values []*params.Value[string]
}

func newStage(t *testing.T, cfg emulatortest.Config, required bool) *stage {
	t.Helper()
	cfg.Seed = map[string]string{"a": "v", "b": "v", "c": "v"}
	cfg.Parameters = map[string]string{"/p/a": "v", "/p/b": "v", "/p/c": "v"}
	st := &stage{em: emulatortest.Start(t, cfg)}
	st.store = params.New(params.Config{TTL: time.Minute, Jitter: -1, EarlyRefresh: -1, PrefetchBudget: 8 * time.Second, NegativeTTL: -1,
		Patience: -1, Now: func() time.Time { return time.Now().Add(time.Duration(st.later.Load())) }})
	aws := atOnce(st.em)
	refs := []params.Ref{ssm.From(aws).Path("/p").Field("a")}
	for _, n := range []string{"a", "b", "c"} {
		refs = append(refs, secrets.From(aws).Secret(n).FollowRotation(), ssm.From(aws).Parameter("/p/"+n))
	}
	for _, r := range refs {
		if required {
			r = r.Required()
		}
		st.values = append(st.values, params.String(st.store, r))
	}
	return st
}

var strange = []emulator.Effect{emulator.EmptySuccess, emulator.NoBody, emulator.HTMLSuccess, emulator.TruncatedSuccess,
	emulator.ForeignSuccess, emulator.CutResponse}

func TestASuccessThatIsNotTheAnswerIsNoValue(t *testing.T) {
	for _, effect := range strange {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			st := newStage(t, emulatortest.Config{}, true)
			st.em.Chaos().Add(emulator.Rule{Effect: effect})
			if err := st.store.Init(t.Context()); !errors.Is(err, params.ErrUnavailable) {
				t.Errorf("a cold start: %v; want ErrUnavailable", err)
			}
			for _, v := range st.values {
				if s, err := v.Lookup(t.Context()); !errors.Is(err, params.ErrUnavailable) {
					t.Errorf("%v: %q, %v; want ErrUnavailable", v.Ref(), s, err)
				}
			}
		})
	}
}

func TestASuccessThatIsNotTheAnswerReplacesNoValue(t *testing.T) {
	for _, effect := range strange {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			st := newStage(t, emulatortest.Config{}, true)
			if err := st.store.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			st.em.Chaos().Add(emulator.Rule{Effect: effect})
			for range 3 {
				st.later.Add(int64(2 * time.Minute))
				for _, v := range st.values {
					if s, err := v.Lookup(t.Context()); err != nil || s != "v" {
						t.Errorf("%v: %q, %v; want the value in use", v.Ref(), s, err)
					}
				}
			}
		})
	}
}

// One answer that is not the operation's, or breaks off, is no reason to fail a
// cold start: a broken one is asked for again, and what a batch leaves open is
// asked for alone.
func TestOneBrokenAnswerDoesNotFailAColdStart(t *testing.T) {
	for _, tls := range []bool{false, true} {
		for _, operation := range []string{"BatchGetSecretValue", "GetParameters", "GetParametersByPath", "DescribeSecret"} {
			t.Run(fmt.Sprintf("%s TLS %v", operation, tls), func(t *testing.T) {
				t.Parallel()
				st := newStage(t, emulatortest.Config{TLS: tls}, true)
				st.em.Chaos().Add(emulator.Rule{Effect: emulator.CutResponse, Operation: operation, Times: 1})
				if err := st.store.Init(t.Context()); err != nil {
					t.Error(err)
				}
				for _, v := range st.values {
					if s, err := v.Lookup(t.Context()); err != nil || s != "v" {
						t.Errorf("%v: %q, %v; want its value", v.Ref(), s, err)
					}
				}
			})
		}
	}
	for _, effect := range []emulator.Effect{emulator.EmptySuccess, emulator.ForeignSuccess} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			st := newStage(t, emulatortest.Config{}, true)
			for _, operation := range []string{"BatchGetSecretValue", "GetParameters"} {
				st.em.Chaos().Add(emulator.Rule{Effect: effect, Operation: operation, Times: 1})
			}
			if err := st.store.Init(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABadKeyDoesNotTakeTheOthers(t *testing.T) {
	for name, bad := range map[string]struct {
		spoil func(*testing.T, *emulatortest.Emulator)
		ref   func(aws.Config) params.Ref
		want  error
	}{
		"a parameter that KMS does not decrypt": {func(t *testing.T, em *emulatortest.Emulator) {
			if err := errors.Join(em.Parameters().PutSecure("/bad", "x"), em.Parameters().DisableKey("/bad")); err != nil {
				t.Fatal(err)
			}
		}, func(cfg aws.Config) params.Ref { return ssm.From(cfg).Parameter("/bad") }, params.ErrUndecryptable},
		"a parameter whose name AWS refuses": {nil, func(cfg aws.Config) params.Ref { return ssm.From(cfg).Parameter("/has space/x") }, params.ErrInvalid},
		"an empty selector":                  {nil, func(cfg aws.Config) params.Ref { return ssm.From(cfg).Parameter("/c:") }, params.ErrInvalid},
		"a secret whose name is too long": {nil, func(cfg aws.Config) params.Ref {
			return secrets.From(cfg).Secret(fmt.Sprintf("%02049d", 7))
		}, params.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newStage(t, emulatortest.Config{}, true)
			if bad.spoil != nil {
				bad.spoil(t, st.em)
			}
			v := params.String(st.store, bad.ref(atOnce(st.em)))
			if err := st.store.Init(t.Context()); err != nil {
				t.Errorf("a cold start with a bad key that is not required: %v; want none", err)
			}
			if s, err := v.Lookup(t.Context()); !errors.Is(err, bad.want) {
				t.Errorf("the bad one: %q, %v; want %v", s, err, bad.want)
			}
			for range 3 {
				st.later.Add(int64(2 * time.Minute))
				for _, v := range st.values {
					if s, err := v.Lookup(t.Context()); err != nil || s != "v" {
						t.Errorf("%v: %q, %v; want its value", v.Ref(), s, err)
					}
				}
			}
		})
	}
}

func TestAThrottledBatchOfParametersIsNotTenRequests(t *testing.T) {
	em := emulatortest.Start(t, emulatortest.Config{})
	em.Chaos().Add(emulator.Rule{Effect: emulator.Throttle})
	src, store := ssm.From(atOnce(em)), params.New(params.Config{})
	for i := range 10 {
		params.String(store, src.Parameter(fmt.Sprint("/p/", i)))
	}
	if err := store.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(em.Requests()); n != 3 {
		t.Errorf("%d requests; want the SDK's three attempts", n)
	}
}
