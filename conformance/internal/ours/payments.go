package ours

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gomiddy/middy/web/pasetoauth"
	"github.com/gomiddy/middy/web/x402"
)

func readCloser(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

func paseto(r *run, o options) (func(http.Handler) http.Handler, error) {
	payloadKey := "paseto"
	if o.has("payloadKey") {
		payloadKey = o.text("payloadKey")
	}
	r.left = append(r.left, func(req *http.Request, into object) {
		if claims, ok := pasetoauth.Claims(req.Context()); ok && o.bool("setToContext") {
			into[payloadKey] = plainJSON(claims)
		}
	})
	tolerance, _ := time.ParseDuration(o.text("clockTolerance"))
	cfg := pasetoauth.Config{
		Sources:        sources(o),
		Audience:       o.list("audience"),
		Issuer:         o.list("issuer"),
		ClockTolerance: tolerance,
		MaxTokenAge:    age(o.all["maxTokenAge"]),
	}
	if name := o.text("internalKey"); name != "" {
		key, ok := r.internal(name)
		cfg.Key.Public = func(context.Context) ([]byte, error) {
			if !ok {
				return nil, errNoKey
			}
			return publicKey(key).Bytes, nil
		}
	}
	return pasetoauth.New(cfg), nil
}

func payment(r *run, o options) (func(http.Handler) http.Handler, error) {
	cfg := x402.Config{
		PayTo: o.text("payTo"), Asset: o.text("asset"), Price: o.text("price"), Amount: o.text("amount"),
		Network: o.text("network"), Extra: o.object("extra"), Description: o.text("description"), MimeType: o.text("mimeType"),
		Facilitator: &facilitator{r, o.object("facilitator")},
	}
	if price, ok := o.all["price"].(float64); ok {
		cfg.Price = x402.FormatPrice(price)
	}
	if o.has("decimals") {
		if cfg.Decimals = int(o.number("decimals")); cfg.Decimals == 0 {
			cfg.Decimals = -1
		}
	}
	if versions, ok := o.all["versions"].([]any); ok {
		cfg.Versions = []int{}
		for _, v := range versions {
			n, _ := v.(float64)
			cfg.Versions = append(cfg.Versions, int(n))
		}
	}
	if f := o.function("human"); f != "" {
		cfg.Human = func(*http.Request) bool { return f == "true" }
	}
	return x402.New(cfg), nil
}

// facilitator says what the case has it say.
type facilitator struct {
	r    *run
	says object
}

func (f *facilitator) Verify(context.Context, x402.Payment) (v x402.Verification, err error) {
	f.r.calls[0]++
	answer := f.says["verify"]
	a, _ := answer.(object)
	v.IsValid, _ = a["isValid"].(bool)
	v.InvalidReason, _ = a["invalidReason"].(string)
	return v, rejection(a, "invalidReason")
}

func (f *facilitator) Settle(context.Context, x402.Payment) (s x402.Settlement, err error) {
	f.r.calls[1]++
	a, _ := f.says["settle"].(object)
	s.Success, _ = a["success"].(bool)
	s.ErrorReason, _ = a["errorReason"].(string)
	s.Payer, _ = a["payer"].(string)
	s.Transaction, _ = a["transaction"].(string)
	s.Network, _ = a["network"].(string)
	return s, rejection(a, "errorReason")
}

// rejection is what the client of Middy's facilitator throws: a verdict when it
// has a reason, an outage when it has none.
func rejection(a object, key string) error {
	t, ok := a["$throw"].(object)
	if !ok {
		return nil
	}
	message, _ := t["message"].(string)
	reason, _ := t[key].(string)
	if reason == "" {
		return errors.New(message)
	}
	transaction, _ := t["transaction"].(string)
	return &x402.Rejection{Reason: reason, Transaction: transaction, Err: errors.New(message)}
}
