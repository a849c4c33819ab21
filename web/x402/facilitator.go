package x402

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gomiddy/middy/internal/loopback"
)

// A Facilitator verifies and settles payments. It must be safe for concurrent use
// and obey the context.
//
// A verdict is a result, or a [*Rejection]. Any other error is an outage: the
// client is told to try again, and not to pay again.
type Facilitator interface {
	// Verify says whether the payment is good. It moves no money.
	Verify(ctx context.Context, p Payment) (Verification, error)
	// Settle carries the payment out.
	Settle(ctx context.Context, p Payment) (Settlement, error)
}

// A Verification is the answer of verify.
type Verification struct {
	IsValid       bool   `json:"isValid"`
	InvalidReason string `json:"invalidReason,omitempty"`
	Payer         string `json:"payer,omitempty"`
}

// A Settlement is the answer of settle. It is sent to the client, in
// PAYMENT-RESPONSE, so it has no member for a message.
type Settlement struct {
	Success     bool   `json:"success"`
	ErrorReason string `json:"errorReason,omitempty"`
	Payer       string `json:"payer,omitempty"`
	Transaction string `json:"transaction"` // the protocol requires it, "" when there is none
	Network     string `json:"network,omitempty"`
}

// A Rejection is a facilitator's no, with its reason.
type Rejection struct {
	// Reason is a code, such as insufficient_funds. Public.
	Reason string
	// Transaction of a settlement that may still come. Public.
	Transaction string
	// Err is what else is known. It is not sent to the client.
	Err error
}

func (e *Rejection) Error() string {
	s := "x402: the facilitator rejected the payment: " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what else is known.
func (e *Rejection) Unwrap() error { return e.Err }

// ErrBadAnswer is in the chain of an error of a facilitator that could be reached
// and did not speak the protocol: answered with 502, and not 503.
var ErrBadAnswer = errors.New("the answer is not one of the x402 protocol")

// HTTPFacilitator speaks to a facilitator over HTTP. It is safe for concurrent
// use.
type HTTPFacilitator struct {
	// URL of the facilitator. Default: https://x402.org/facilitator.
	URL string
	// AllowLoopbackHTTP lets URL be plain http on a loopback address.
	AllowLoopbackHTTP bool
	// Authorize adds credentials to a request. nil adds none.
	Authorize func(r *http.Request) error
	// Client sends the requests. Default: one that keeps no connection: it would not
	// survive a freeze. Redirects are not followed.
	Client *http.Client
	// MaxBytes bounds an answer. Default: 64 KiB.
	MaxBytes int64
	// Timeout bounds a call. Default: 10 seconds.
	Timeout time.Duration
}

const defaultFacilitator = "https://x402.org/facilitator"

// Validate reports a URL that cannot be used, and negative limits.
func (f HTTPFacilitator) Validate() error {
	if f.MaxBytes < 0 || f.Timeout < 0 {
		return errors.New("x402: the facilitator's MaxBytes and Timeout must be >= 0: a limit cannot be switched off")
	}
	if f.URL == "" {
		return nil
	}
	u, err := url.Parse(f.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("x402: the facilitator's URL must be absolute, without user, query and fragment")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !f.AllowLoopbackHTTP || !loopback.Address(u.Hostname())) {
		return fmt.Errorf("x402: the facilitator's URL is %q: whoever is on the way could say that a payment is good; it must be https", f.URL)
	}
	return nil
}

// Verify implements [Facilitator].
func (f HTTPFacilitator) Verify(ctx context.Context, p Payment) (Verification, error) {
	var v struct {
		Verification
		IsValid *bool `json:"isValid"`
	}
	ok, err := f.post(ctx, "/verify", p, &v, func() bool { return v.IsValid != nil })
	switch {
	case err != nil:
		return Verification{}, err
	case !ok:
		return Verification{}, &Rejection{Reason: v.InvalidReason}
	}
	v.Verification.IsValid = *v.IsValid
	return v.Verification, nil
}

// Settle implements [Facilitator].
func (f HTTPFacilitator) Settle(ctx context.Context, p Payment) (Settlement, error) {
	var s struct {
		Settlement
		Success *bool `json:"success"`
	}
	ok, err := f.post(ctx, "/settle", p, &s, func() bool { return s.Success != nil })
	switch {
	case err != nil:
		return Settlement{}, err
	case !ok:
		return Settlement{}, &Rejection{Reason: s.ErrorReason, Transaction: s.Transaction}
	}
	s.Settlement.Success = *s.Success
	return s.Settlement, nil
}

// post sends a payment and decodes the answer. ok is false when it came with an
// error status, and said why nevertheless.
func (f HTTPFacilitator) post(ctx context.Context, path string, p Payment, answer any, whole func() bool) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(f.Timeout, 10*time.Second))
	defer cancel()
	resp, err := f.send(ctx, path, p)
	if err != nil {
		return false, fmt.Errorf("x402: facilitator %s: %w", path, err)
	}
	defer resp.Body.Close()
	limit := cmp.Or(f.MaxBytes, 64<<10)
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return false, fmt.Errorf("x402: facilitator %s: %w", path, err)
	}
	decoded := int64(len(body)) <= limit && json.Unmarshal(body, answer) == nil && whole()
	switch {
	case decoded:
		return resp.StatusCode/100 == 2, nil
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return false, fmt.Errorf("x402: facilitator %s: HTTP %d", path, resp.StatusCode)
	}
	return false, fmt.Errorf("x402: facilitator %s: HTTP %d, %d bytes: %w", path, resp.StatusCode, len(body), ErrBadAnswer)
}

func (f HTTPFacilitator) send(ctx context.Context, path string, p Payment) (*http.Response, error) {
	base := cmp.Or(f.URL, defaultFacilitator)
	body := text(struct {
		X402Version         int             `json:"x402Version"`
		PaymentPayload      json.RawMessage `json:"paymentPayload"`
		PaymentRequirements json.RawMessage `json:"paymentRequirements"`
	}{p.Version, p.Payload, p.Requirements})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if f.Authorize != nil {
		if err := f.Authorize(req); err != nil {
			return nil, err
		}
	}
	return f.client().Do(req)
}

func (f HTTPFacilitator) client() *http.Client {
	client := http.Client{Transport: oneShot}
	if f.Client != nil {
		client = *f.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// oneShot keeps no connection, and so no state. It is never changed.
var oneShot = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10}
