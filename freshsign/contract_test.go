package freshsign

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// The order that everything here stands on. If an SDK upgrade changes it, this test prints the new one; check then that
// the heal still surrounds Retry, and Retry still surrounds identity and signing, before pinning it again.
var pinned = []string{
	"GetSecretValue",
	"Initialize stack step", "OperationInputValidation",
	"Serialize stack step", "setOperationInput", "OperationSerializer",
	"Build stack step", "ClientRequestID", "UserAgent", "RecursionDetection",
	"Finalize stack step", "FreshSign", "Retry",
	"ResolveAuthScheme", "GetIdentity", "ResolveEndpointV2", "ComputePayloadHash", "Signing",
	"Deserialize stack step",
}

func list(t *testing.T, options ...func(*secretsmanager.Options)) []string {
	t.Helper()
	var names []string
	g := newRig()
	stop := errors.New("stop")
	err := g.get(append(options, func(o *secretsmanager.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error { names = s.List(); return stop })
	})...)
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return names
}

func TestTheSDKsMiddlewareOrderIsTheOneWeStandOn(t *testing.T) {
	got := list(t)
	t.Log(strings.Join(got, "\n"))
	at := -1
	for _, want := range pinned {
		i := slices.Index(got, want)
		if i <= at {
			t.Errorf("%q is at %d, after the one at %d was expected; the order is\n%s", want, i, at, strings.Join(got, "\n"))
		}
		at = max(at, i)
	}
}

func TestTheHealIsNextToTheRetryLoop(t *testing.T) {
	got := list(t)
	if i := slices.Index(got, healID); i < 0 || got[i+1] == "Signing" || slices.Index(got, "Retry") < i {
		t.Errorf("order: %v", got)
	}
}

func TestApplyingTwiceLeavesOneHealAndOneSigner(t *testing.T) {
	g := newRig()
	Apply(&g.cfg)
	n := 0
	err := g.get(func(o *secretsmanager.Options) {
		if s := o.HTTPSignerV4.(*signer); s.next == nil {
			t.Error("no signer inside")
		} else if _, twice := s.next.(*signer); twice {
			t.Error("signer wrapped twice")
		}
		if _, twice := o.HTTPClient.(*transport).client.(*transport); twice {
			t.Error("client wrapped twice")
		}
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			for _, id := range s.List() {
				if id == healID {
					n++
				}
			}
			return nil
		})
	})
	if err != nil || n != 1 {
		t.Errorf("%d heals, error %v", n, err)
	}
}

func TestEveryServicesOptionsCanBeWrapped(t *testing.T) {
	g := newRig()
	check := func(service string, signs, client any, off, wantOff bool) {
		if _, ok := signs.(*signer); !ok {
			t.Errorf("%s: signer is %T", service, signs)
		}
		if _, ok := client.(*transport); !ok {
			t.Errorf("%s: client is %T", service, client)
		}
		if off != wantOff {
			t.Errorf("%s: SDK's skew correction disabled: %v", service, off)
		}
	}
	a := secretsmanager.NewFromConfig(g.cfg).Options()
	check("secretsmanager", a.HTTPSignerV4, a.HTTPClient, a.DisableClockSkewCorrection, true)
	b := ssm.NewFromConfig(g.cfg).Options()
	check("ssm", b.HTTPSignerV4, b.HTTPClient, b.DisableClockSkewCorrection, true)
	c := sts.NewFromConfig(g.cfg).Options()
	check("sts", c.HTTPSignerV4, c.HTTPClient, c.DisableClockSkewCorrection, false)
	// S3 and STS may sign with SigV4a, which passes through with the SDK's own correction.
	d := s3.NewFromConfig(g.cfg).Options()
	check("s3", d.HTTPSignerV4, d.HTTPClient, d.DisableClockSkewCorrection, false)
}

func TestOptionsThatAreNoneAreLeftAlone(t *testing.T) {
	e := newEngine(Config{})
	e.wrapOptions("x", nil)
	e.wrapOptions("x", 3)
	n := 3
	e.wrapOptions("x", &n)
	none := &struct{ HTTPClient any }{}
	e.wrapOptions("x", none)
	if none.HTTPClient != nil {
		t.Error("a client was set without a signer")
	}
	narrow := &struct{ HTTPSignerV4 narrowSigner }{verifierSigner{}}
	e.wrapOptions("x", narrow) // an interface that our signer does not implement
	if _, ok := narrow.HTTPSignerV4.(verifierSigner); !ok {
		t.Error("replaced a signer of an unknown kind")
	}
}

type narrowSigner interface {
	httpSigner
	another()
}
type verifierSigner struct{ httpSigner }

func (verifierSigner) another() {}

func TestApplyKeepsTheCallersSlices(t *testing.T) {
	g := newRig()
	shared := make([]func(*middleware.Stack) error, 0, 4)
	cfg := g.cfg
	cfg.APIOptions = shared
	Apply(&cfg)
	if shared = shared[:1]; shared[0] != nil {
		t.Error("Apply wrote into the caller's array")
	}
}

func TestAStackWithoutRetryIsLeftAlone(t *testing.T) {
	s := middleware.NewStack("x", func() any { return nil })
	if err := newEngine(Config{}).addHeal(s); err != nil || len(s.Finalize.List()) != 0 {
		t.Errorf("error %v, steps %v", err, s.Finalize.List())
	}
}

func TestSignerUsedOutsideACallPassesThrough(t *testing.T) {
	g := newRig()
	o := g.client().Options()
	r := httpRequest()
	at := start.Add(-42 * 3600e9)
	if err := o.HTTPSignerV4.SignHTTP(context.Background(), keyPair, r, "hash", "s", "r", at); err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get(dateHeader); got != at.Format(dateLayout) {
		t.Errorf("signed at %s, want the time that was asked for", got)
	}
	if _, err := (&transport{engine: newEngine(Config{}), client: g.wire}).Do(r); err != nil {
		t.Error(err)
	}
}
