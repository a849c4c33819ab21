// Package x402 charges for requests with the x402 protocol: HTTP's own 402
// Payment Required, answered by the client with a signed payment.
//
// The protocol is two calls to a facilitator, verify before the work and settle
// after it. What is easy to get wrong is what lies between: an amount that a
// float64 rounded, a resource name taken from the Host header, a handler that
// failed and was charged for, a response that was sent before it was paid, the
// same payment used twice at once, and a facilitator's outage that tells the
// client to pay again.
//
//	paid := x402.New(x402.Config{
//		Price: "0.001", // USDC on Base
//		PayTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
//		Asset: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
//	})
//	mux.Handle("GET /report", paid(report))
//
// Versions 1 and 2 are spoken: https://github.com/coinbase/x402/tree/main/specs
//
// # Order
//
// The handler runs after the payment is verified and before it is settled; its
// response waits, in memory up to [Config.MaxBuffer], until the settlement
// succeeded. A response that is flushed or grows larger is settled before its
// first byte leaves. A status of 400 or more, or a panic, is not charged. Put
// compression and whatever else may fail inside, CORS outside.
//
// # Differences from Middy's http-x402
//
//   - A facilitator that cannot be reached is 503, one that answers nonsense 502, and
//     both say that the same payment may be sent again. In Middy they are 402, which
//     tells a client to pay once more.
//   - A payment that is verified serves one request at a time in this process; a
//     second one gets 409. After its settlement it is refused for as long as such a
//     payment can be valid. What its payer has not signed does not make it another one.
//   - A payment with a member that comes twice, also by case, is refused.
//   - What a facilitator says reaches the client as the known members of the
//     protocol only, and a reason only when it looks like a code.
//   - PayTo, Asset and all else are checked by [Config.Validate].
package x402

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/layer"
)

// Config of [New]. PayTo, Asset and one of Price and Amount are required.
type Config struct {
	// PayTo is the wallet that is paid.
	PayTo string
	// Asset is the contract of the token that is paid with.
	Asset string
	// Price in units of the token, as a decimal: "0.001". [FormatPrice] makes one of
	// a float64.
	Price string
	// Amount in the token's smallest unit, an integer; it beats Price.
	Amount string
	// Decimals of the token: how many digits Price may have after the point. Default: 6,
	// as USDC has. Negative: none.
	Decimals int
	// Network is a CAIP-2 identifier. Default: "eip155:8453", Base.
	Network string
	// Versions of the protocol that are accepted and offered. Default: 1 and 2.
	Versions []int
	// Extra is data of the scheme, such as the name and version for EIP-712.
	Extra map[string]any
	// Description and MimeType tell the client what it buys. Default of
	// MimeType: application/json.
	Description string
	MimeType    string

	// Human lets a request through without a payment when it returns true.
	Human func(r *http.Request) bool

	// Facilitator verifies and settles. Default: an [HTTPFacilitator] with
	// FacilitatorURL.
	Facilitator Facilitator
	// FacilitatorURL is its address. Default: https://x402.org/facilitator.
	FacilitatorURL string
	// Timeout bounds each call of the facilitator, within the request's own deadline.
	// Default: 10 seconds. A settlement goes on when the client has gone.
	Timeout time.Duration

	// BaseURL is what stands before the path in the resource's URL, outside Lambda.
	// In Lambda it is the domain name of the event. Default: https://localhost. The Host
	// header is never believed.
	BaseURL string

	// MaxPaymentBytes bounds the payment header. Default: 16 KiB; more is 431.
	MaxPaymentBytes int
	// MaxBuffer is how many bytes of a response wait in memory for the settlement.
	// Default: 1 MiB.
	MaxBuffer int

	// Settled hears of each settlement that succeeded, before the response is sent.
	Settled func(r *http.Request, s Settlement)

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// maxTimeoutSeconds is how long a payment may be valid. It is part of what the
// client signs.
const maxTimeoutSeconds = 60

// Validate reports everything that is wrong, joined.
func (c Config) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf("x402: "+format, args...)) }
	if c.PayTo == "" || c.Asset == "" {
		add("PayTo and Asset are required")
	}
	if _, err := c.amount(); err != nil {
		errs = append(errs, err)
	}
	for _, v := range c.Versions {
		if v != 1 && v != 2 {
			add("versions must enable protocol version 1 or 2, and %d is neither", v)
		}
	}
	for _, name := range []string{"paymentFlow", "assetTransferMethod"} {
		if _, has := c.Extra[name]; has {
			add("extra.%s is not supported", name)
		}
	}
	if _, err := json.Marshal(c.Extra); err != nil {
		add("Extra is not JSON: %w", err)
	}
	facilitator := c.Facilitator
	if facilitator == nil {
		facilitator = HTTPFacilitator{URL: c.FacilitatorURL}
	}
	if f, ok := facilitator.(interface{ Validate() error }); ok {
		if err := f.Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		add("BaseURL is %q: must be like https://api.example.com", c.BaseURL)
	}
	if c.Timeout < 0 || c.MaxPaymentBytes < 0 || c.MaxBuffer < 0 {
		add("Timeout, MaxPaymentBytes and MaxBuffer must be >= 0")
	}
	return errors.Join(errs...)
}

func (c Config) decimals() int {
	switch {
	case c.Decimals == 0:
		return 6
	case c.Decimals < 0:
		return 0
	}
	return c.Decimals
}

func (c Config) amount() (string, error) {
	switch {
	case c.Amount != "":
		if !digits(c.Amount) {
			return "", fmt.Errorf("x402: amount must be a non-negative integer string, and is %q", c.Amount)
		}
		return c.Amount, nil
	case c.Price == "":
		return "", errors.New("x402: set Price or Amount")
	}
	return Amount(c.Price, c.decimals())
}

// Amount is a price in the token's smallest unit: Amount("0.001", 6) is "1000".
// The price is digits, with a point and more digits or without, at most as many
// as decimals; ".5" is one, "5.", "1e2" and "-1" are not.
func Amount(price string, decimals int) (string, error) {
	whole, fraction, point := strings.Cut(price, ".")
	if whole+fraction == "" || whole != "" && !digits(whole) || point && !digits(fraction) {
		return "", fmt.Errorf("x402: price must be a non-negative decimal string, and is %q", price)
	}
	if decimals < 0 || len(fraction) > decimals {
		return "", fmt.Errorf("x402: price has more fractional digits than decimals (%d): %q", decimals, price)
	}
	n, _ := new(big.Int).SetString(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10)
	return n.String(), nil
}

// FormatPrice writes a float64 as Price takes it, without an exponent.
func FormatPrice(price float64) string { return strconv.FormatFloat(price, 'f', -1, 64) }

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Requirements of version 2: what must be paid, as the client signs it.
type Requirements struct {
	Scheme            string         `json:"scheme"`
	Network           string         `json:"network"`
	Amount            string         `json:"amount"`
	Asset             string         `json:"asset"`
	PayTo             string         `json:"payTo"`
	MaxTimeoutSeconds int            `json:"maxTimeoutSeconds"`
	Extra             map[string]any `json:"extra,omitempty"`
}

// RequirementsV1 are those of version 1.
type RequirementsV1 struct {
	Scheme            string         `json:"scheme"`
	Network           string         `json:"network"`
	MaxAmountRequired string         `json:"maxAmountRequired"`
	Resource          string         `json:"resource"`
	Description       string         `json:"description"`
	MimeType          string         `json:"mimeType"`
	OutputSchema      struct{}       `json:"outputSchema"`
	PayTo             string         `json:"payTo"`
	MaxTimeoutSeconds int            `json:"maxTimeoutSeconds"`
	Asset             string         `json:"asset"`
	Extra             map[string]any `json:"extra"`
}

type challengeV2 struct {
	X402Version int            `json:"x402Version"`
	Error       string         `json:"error"`
	Resource    resourceInfo   `json:"resource"`
	Accepts     []Requirements `json:"accepts"`
}

type resourceInfo struct {
	URL         string `json:"url"`
	Description string `json:"description"`
	MimeType    string `json:"mimeType"`
}

type challengeV1 struct {
	X402Version int              `json:"x402Version"`
	Error       string           `json:"error"`
	Accepts     []RequirementsV1 `json:"accepts"`
}

// payments is the middleware.
type payments struct {
	cfg    Config
	amount string
	v1, v2 bool
	guard  guard
}

// New returns the middleware. It panics with the error of [Config.Validate].
func New(cfg Config) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	p := &payments{cfg: cfg.withDefaults()}
	p.amount, _ = cfg.amount() // Validate has seen it
	p.v1, p.v2 = slices.Contains(p.cfg.Versions, 1), slices.Contains(p.cfg.Versions, 2)
	return func(next http.Handler) http.Handler {
		layer.Refuses("x402", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, next) })
	}
}

func (c Config) withDefaults() Config {
	if c.Facilitator == nil {
		c.Facilitator = HTTPFacilitator{URL: c.FacilitatorURL}
	}
	c.Network = cmp.Or(c.Network, "eip155:8453")
	c.MimeType = cmp.Or(c.MimeType, "application/json")
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.MaxPaymentBytes = cmp.Or(c.MaxPaymentBytes, 16<<10)
	c.MaxBuffer = cmp.Or(c.MaxBuffer, 1<<20)
	c.BaseURL = cmp.Or(c.BaseURL, "https://localhost")
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Versions, c.Extra = slices.Clone(c.Versions), maps.Clone(c.Extra)
	if len(c.Versions) == 0 {
		c.Versions = []int{1, 2}
	}
	return c
}

func (p *payments) requirements() Requirements {
	return Requirements{
		Scheme: "exact", Network: p.cfg.Network, Amount: p.amount, Asset: p.cfg.Asset, PayTo: p.cfg.PayTo,
		MaxTimeoutSeconds: maxTimeoutSeconds, Extra: p.cfg.Extra,
	}
}

func (p *payments) requirementsV1(r *http.Request) RequirementsV1 {
	extra := p.cfg.Extra
	if extra == nil {
		extra = map[string]any{}
	}
	return RequirementsV1{
		Scheme: "exact", Network: p.cfg.Network, MaxAmountRequired: p.amount, Resource: p.resource(r),
		Description: p.cfg.Description, MimeType: p.cfg.MimeType, PayTo: p.cfg.PayTo,
		MaxTimeoutSeconds: maxTimeoutSeconds, Asset: p.cfg.Asset, Extra: extra,
	}
}

func (p *payments) challenge(r *http.Request, reason string) challengeV2 {
	return challengeV2{
		X402Version: 2, Error: reason,
		Resource: resourceInfo{URL: p.resource(r), Description: p.cfg.Description, MimeType: p.cfg.MimeType},
		Accepts:  []Requirements{p.requirements()},
	}
}

// resource is the URL of what is paid for, from what the front door knows and the
// client cannot choose. In Middy's terms: requestContext, never event.path.
func (p *payments) resource(r *http.Request) string {
	e, ok := web.Event(r)
	if !ok {
		return strings.TrimSuffix(p.cfg.BaseURL, "/") + r.URL.EscapedPath()
	}
	var event struct {
		RequestContext struct {
			DomainName string `json:"domainName"`
			Path       string `json:"path"`
			HTTP       struct {
				Path string `json:"path"`
			} `json:"http"`
		} `json:"requestContext"`
	}
	_ = json.Unmarshal(e.Payload, &event) // what is not there is ""
	in := &event.RequestContext
	path := in.HTTP.Path
	if path == "" {
		path = in.Path
	}
	if path == "" {
		path = "/"
	}
	if in.DomainName == "" {
		return "https://localhost" + path
	}
	return "https://" + in.DomainName + path
}

// text is JSON as JavaScript writes it.
func text(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // our own types, and an Extra that Validate encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// A Payment is one that was verified, for the handler.
type Payment struct {
	// Version of the protocol, 1 or 2.
	Version int
	// Payload is what the client sent, decoded and encoded again, JSON.
	Payload json.RawMessage
	// Requirements are a [Requirements] or a [RequirementsV1], JSON.
	Requirements json.RawMessage
	// Payer is the wallet that pays, where the facilitator says so.
	Payer string
}

type paymentKey struct{}

// FromContext returns the payment of the request. It is verified, and not yet
// settled.
func FromContext(ctx context.Context) (*Payment, bool) {
	p, ok := ctx.Value(paymentKey{}).(*Payment)
	return p, ok
}
