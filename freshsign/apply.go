package freshsign

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// Config configures [Config.Apply]. The zero value is what [Apply] uses.
type Config struct {
	// Window is how far, in either direction, a signature's date may be from the service's clock. It scales the
	// evidence that a heal needs: a rejection heals when the request was at least 0.8 Window off on arrival.
	// Zero means 5 minutes, AWS's own (S3 allows 15; a heal needs no more than the smaller one). Only an emulator
	// with a scaled window needs another. Negative is an error that every call returns.
	// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
	Window time.Duration

	// MaxHeals bounds the extra passes per call, each with a new signature and the SDK's own retries inside.
	// Zero means 3: one for the age, one for a clock found wrong on the way, one for a freeze of the heal itself.
	// Negative switches healing off; signatures are still renewed at the connection.
	MaxHeals int

	// OnIncident is told of every incident, in the goroutine of the call, before the call returns. It must be safe
	// for concurrent use. Default: none.
	OnIncident func(context.Context, Incident)

	// Logger receives one record per incident: Info when the call was saved, Warn when not. Default: none.
	Logger *slog.Logger

	// Clock reads the wall clock and the monotonic clock (the time since any fixed instant) at one moment.
	// Default: the system's. It exists for tests: the clocks of a sandbox do not always move together.
	Clock func() (wall time.Time, mono time.Duration)
}

const (
	defaultWindow = 5 * time.Minute
	defaultHeals  = 3
)

// Apply protects every client made from cfg afterwards. It is Config{}.Apply(cfg).
func Apply(cfg *aws.Config) { Config{}.Apply(cfg) }

// Apply protects every client made from cfg afterwards with NewFromConfig. Clients of one cfg (and of its copies)
// share what is learned about the clocks, and each endpoint host has its own: a wrong clock, or a hostile answer, of
// one endpoint never dates the signatures that another receives. Applying twice is harmless: the first one stays.
//
// The client's retryer, HTTP client and signer stay in use, wrapped. The SDK's clock skew correction is replaced,
// except in services that may sign with SigV4a, where the SDK keeps its own for those signatures. An HTTP client or
// signer that a client's own option functions set afterwards is used as it is: such a client is still healed, but its
// signatures are not renewed at the connection.
func (c Config) Apply(cfg *aws.Config) {
	e := newEngine(c)
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), e.addHeal)
	cfg.ServiceOptions = append(slices.Clip(cfg.ServiceOptions), e.wrapOptions)
}

// wrapOptions wraps the signer and the HTTP client of one service's Options. Every service has its own Options type
// with the same fields; FieldByName, unlike MethodByName, leaves the linker's dead-code elimination on.
func (e *engine) wrapOptions(_ string, options any) {
	v := reflect.ValueOf(options)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return
	}
	v = v.Elem()
	sig, ok := field[httpSigner](v, "HTTPSignerV4")
	if _, wrapped := sig.(*signer); !ok || wrapped {
		return
	}
	provider, _ := field[aws.CredentialsProvider](v, "Credentials")
	v4a := v.FieldByName("httpSignerV4a").IsValid()
	if !set(v, "HTTPSignerV4", &signer{next: sig, engine: e, provider: provider, v4a: v4a}) {
		return
	}
	if !v4a {
		set(v, "DisableClockSkewCorrection", true)
	}
	if client, ok := field[aws.HTTPClient](v, "HTTPClient"); ok {
		set(v, "HTTPClient", &transport{client: client, engine: e})
	}
}

func field[T any](v reflect.Value, name string) (zero T, ok bool) {
	f := v.FieldByName(name)
	if !f.IsValid() {
		return zero, false
	}
	t, ok := f.Interface().(T)
	return t, ok
}

func set(v reflect.Value, name string, to any) bool {
	f, val := v.FieldByName(name), reflect.ValueOf(to)
	if !f.CanSet() || !val.Type().AssignableTo(f.Type()) {
		return false
	}
	f.Set(val)
	return true
}

// addHeal puts the heal around the SDK's retry loop, and resend right before the HTTP client. A stack without a retry
// loop (a presigner's) sends nothing.
func (e *engine) addHeal(stack *middleware.Stack) error {
	if _, ok := stack.Finalize.Get("Retry"); !ok {
		return nil
	}
	if _, ok := stack.Finalize.Get(healID); ok {
		return nil
	}
	if err := stack.Deserialize.Add(resend{}, middleware.After); err != nil {
		return err
	}
	return stack.Finalize.Insert(&heal{engine: e}, "Retry", middleware.Before)
}

// closeIdler is what *http.Client, and whatever wraps one with care, offers.
type closeIdler interface{ CloseIdleConnections() }

var _ closeIdler = (*http.Client)(nil)
