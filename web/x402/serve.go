package x402

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/claims"
	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/response"
)

func (p *payments) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if p.cfg.Human != nil && p.cfg.Human(r) {
		next.ServeHTTP(w, r)
		return
	}
	version, header := p.header(r)
	if version == 0 {
		p.ask(w, r)
		return
	}
	if len(header) > p.cfg.MaxPaymentBytes {
		web.WriteError(w, r, &web.Error{Status: http.StatusRequestHeaderFieldsTooLarge, Detail: fmt.Sprintf("A payment may have %d bytes.", p.cfg.MaxPaymentBytes)})
		return
	}
	payment, identity, reason := p.read(r, version, header)
	if reason != "" {
		p.reject(w, r, version, reason)
		return
	}
	verified, err := p.verify(r.Context(), payment)
	switch reason, outage := verdict(verified.IsValid, verified.InvalidReason, err, "unexpected_verify_error"); {
	case outage != nil:
		p.unavailable(w, r, "The payment could not be verified at the moment, and nothing was charged.", outage)
		return
	case reason != "":
		p.reject(w, r, version, reason)
		return
	}
	payment.Payer = verified.Payer
	p.once(w, r, next, payment, identity)
}

// header is the payment and the version that it is of; 0 is none. Version 2 wins,
// and a version that is not enabled is not seen. Two lines are joined, as some front
// doors do, and are no payment.
func (p *payments) header(r *http.Request) (version int, value string) {
	if v := strings.Join(r.Header["Payment-Signature"], ","); v != "" && p.v2 {
		return 2, v
	}
	if v := strings.Join(r.Header["X-Payment"], ","); v != "" && p.v1 {
		return 1, v
	}
	return 0, ""
}

// ask answers a request without a payment.
func (p *payments) ask(w http.ResponseWriter, r *http.Request) {
	var body any
	if p.v2 {
		challenge := p.challenge(r, "PAYMENT-SIGNATURE header is required")
		w.Header().Set("Payment-Required", base64.StdEncoding.EncodeToString(text(challenge)))
		body = challenge
	}
	if p.v1 {
		body = challengeV1{X402Version: 1, Error: "X-PAYMENT header is required", Accepts: []RequirementsV1{p.requirementsV1(r)}}
	}
	refuse(w, body)
}

// reject answers a payment that is no good.
func (p *payments) reject(w http.ResponseWriter, r *http.Request, version int, reason string) {
	if version == 1 {
		refuse(w, challengeV1{X402Version: 1, Error: reason, Accepts: []RequirementsV1{p.requirementsV1(r)}})
		return
	}
	challenge := p.challenge(r, reason)
	w.Header().Set("Payment-Required", base64.StdEncoding.EncodeToString(text(challenge)))
	refuse(w, challenge)
}

// refuse is the protocol's own answer; web.WriteError would say it otherwise than
// clients of x402 understand.
func refuse(w http.ResponseWriter, body any) {
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Cache-Control"} {
		h.Del(name) // they described a response that does not come
	}
	header.Replaced(h)
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusPaymentRequired)
	_, _ = w.Write(text(body)) // the client has gone; there is nobody to tell
}

func (p *payments) unavailable(w http.ResponseWriter, r *http.Request, detail string, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, ErrBadAnswer) {
		status = http.StatusBadGateway
	}
	web.WriteError(w, r, &web.Error{Status: status, Detail: detail + " Send the same payment again.", Header: http.Header{"Retry-After": {"5"}}, Err: err})
}

// read decodes a payment and holds what it accepts against what is asked. reason
// is "" when it fits.
func (p *payments) read(r *http.Request, version int, header string) (payment Payment, identity [32]byte, reason string) {
	object, ok := decode(header)
	if !ok {
		return payment, identity, "Payment required"
	}
	if !number(object["x402Version"], version) {
		return payment, identity, "invalid_x402_version"
	}
	if identity, ok = identify(object); !ok {
		return payment, identity, "invalid_payload"
	}
	const mismatch = "No matching payment requirements"
	payment = Payment{Version: version, Payload: text(object)}
	if version == 1 {
		want := p.requirementsV1(r)
		if object["scheme"] != want.Scheme || object["network"] != want.Network {
			return payment, identity, mismatch
		}
		payment.Requirements = text(want)
		return payment, identity, ""
	}
	want := p.requirements()
	accepted, ok := object["accepted"].(map[string]any)
	if !ok || accepted["scheme"] != want.Scheme || accepted["network"] != want.Network || accepted["amount"] != want.Amount ||
		accepted["asset"] != want.Asset || accepted["payTo"] != want.PayTo || !number(accepted["maxTimeoutSeconds"], want.MaxTimeoutSeconds) {
		return payment, identity, mismatch
	}
	payment.Requirements = text(want)
	return payment, identity, ""
}

// decode reads base64 of a JSON object, without members that come twice, also by case:
// the facilitator's parser may take the other one. What is decoded is encoded again for
// the facilitator, so that both judge the same.
func decode(header string) (map[string]any, bool) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(header, "="))
	if err != nil {
		return nil, false
	}
	object, err := claims.Object(b)
	return object, err == nil
}

// number compares as JSON does, where 2 and 2.0 are one number.
func number(v any, want int) bool {
	n, ok := v.(json.Number)
	if !ok {
		return false
	}
	f, err := n.Float64()
	return err == nil && f == float64(want)
}

func (p *payments) verify(ctx context.Context, payment Payment) (Verification, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	return p.cfg.Facilitator.Verify(ctx, payment)
}

// verdict sorts what a facilitator said: "" and nil is yes.
func verdict(yes bool, reason string, err error, unexpected string) (string, error) {
	if rejection, ok := errors.AsType[*Rejection](err); ok {
		return code(rejection.Reason, unexpected), nil
	}
	if err != nil {
		return "", err
	}
	if !yes {
		return code(reason, unexpected), nil
	}
	return "", nil
}

// code lets a reason, a hash or an address through that looks like one, and no
// sentence: a facilitator's messages are not for the client.
func code(reason, otherwise string) string {
	if reason == "" || len(reason) > 100 {
		return otherwise
	}
	for _, c := range []byte(reason) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' && c != ':' {
			return otherwise
		}
	}
	return reason
}

// once serves one request with the payment, and settles it.
func (p *payments) once(w http.ResponseWriter, r *http.Request, next http.Handler, payment Payment, identity [32]byte) {
	switch p.guard.enter(identity, p.cfg.Now()) {
	case busy:
		web.WriteError(w, r, &web.Error{Status: http.StatusConflict, Detail: "This payment is being used by another request.", Header: http.Header{"Retry-After": {"1"}}})
		return
	case spent:
		p.reject(w, r, payment.Version, "payment_already_settled")
		return
	}
	settled := false
	defer func() { p.guard.leave(identity, settled, p.cfg.Now()) }()

	gate := &gate{ResponseWriter: w, settle: func() (refusal func()) {
		refusal = p.settle(w, r, payment)
		settled = refusal == nil
		return refusal
	}}
	buffer := response.NewBuffer(gate, p.cfg.MaxBuffer)
	next.ServeHTTP(buffer, r.WithContext(context.WithValue(r.Context(), paymentKey{}, &payment)))
	if status, body, whole := buffer.Whole(); whole {
		_ = buffer.Send(status, body) // the client has gone; the payment was settled all the same
	}
}

// settle carries the payment out. It returns nil, with the receipt in the header,
// or what to answer instead of the handler's response.
func (p *payments) settle(w http.ResponseWriter, r *http.Request, payment Payment) (refusal func()) {
	ctx, cancel := p.detached(r.Context())
	defer cancel()
	result, err := p.cfg.Facilitator.Settle(ctx, payment)
	result.Payer, result.Transaction, result.Network = code(result.Payer, ""), code(result.Transaction, ""), code(result.Network, "")
	reason, outage := verdict(result.Success, result.ErrorReason, err, "unexpected_settle_error")
	if outage == nil && reason == "" {
		result.ErrorReason = ""
		p.receipt(w, payment.Version, result)
		if p.cfg.Settled != nil {
			p.cfg.Settled(r, result)
		}
		return nil
	}
	if err == nil { // a plain no, in the facilitator's words
		result.ErrorReason = reason
		return func() { p.unsettled(w, payment.Version, result, reason) }
	}
	failed := failedSettlement{ErrorReason: reason, Network: p.cfg.Network}
	if rejection, ok := errors.AsType[*Rejection](err); ok {
		failed.Transaction = code(rejection.Transaction, "")
		return func() { p.unsettled(w, payment.Version, failed, reason) }
	}
	failed.ErrorReason = "unexpected_settle_error"
	return func() {
		p.receipt(w, payment.Version, failed)
		p.unavailable(w, r, "It is not known whether the payment was carried out.", outage)
	}
}

// failedSettlement is what Middy tells of a settlement without a result.
type failedSettlement struct {
	Success     bool   `json:"success"`
	ErrorReason string `json:"errorReason"`
	Transaction string `json:"transaction"`
	Network     string `json:"network"`
}

func (p *payments) unsettled(w http.ResponseWriter, version int, result any, reason string) {
	p.receipt(w, version, result)
	refuse(w, struct {
		X402Version int    `json:"x402Version"`
		Error       string `json:"error"`
	}{version, reason})
}

func (p *payments) receipt(w http.ResponseWriter, version int, result any) {
	name := "Payment-Response"
	if version == 1 {
		name = "X-Payment-Response"
	}
	w.Header().Set(name, base64.StdEncoding.EncodeToString(text(result)))
}

// detached is a context that outlives the client's connection, for the work is
// done, and not the invocation.
func (p *payments) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	detached := context.WithoutCancel(ctx)
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithTimeout(detached, p.cfg.Timeout)
	}
	detached, cancel := context.WithDeadline(detached, deadline)
	inner, cancelInner := context.WithTimeout(detached, p.cfg.Timeout)
	return inner, func() { cancelInner(); cancel() }
}

// gate lets nothing of a good response out before it is paid.
type gate struct {
	http.ResponseWriter
	settle  func() (refusal func())
	opened  bool
	refused bool
}

func (g *gate) WriteHeader(status int) {
	if status < 200 {
		g.ResponseWriter.WriteHeader(status)
		return
	}
	if g.opened {
		return
	}
	g.opened = true
	if status < 400 {
		if refusal := g.settle(); refusal != nil {
			g.refused = true
			refusal()
			return
		}
	}
	g.ResponseWriter.WriteHeader(status)
}

func (g *gate) Write(b []byte) (int, error) {
	g.WriteHeader(http.StatusOK)
	if g.refused {
		return len(b), nil // of the response that was not paid for
	}
	return g.ResponseWriter.Write(b)
}

// FlushError is for [http.ResponseController].
func (g *gate) FlushError() error {
	g.WriteHeader(http.StatusOK)
	if g.refused {
		return nil
	}
	return http.NewResponseController(g.ResponseWriter).Flush()
}

// CloseNotify implements the deprecated [http.CloseNotifier].
func (g *gate) CloseNotify() <-chan bool { return response.CloseNotify(g.ResponseWriter) }

// Flush implements [http.Flusher].
func (g *gate) Flush() { _ = g.FlushError() }

// SetReadDeadline is for [http.ResponseController].
func (g *gate) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(g.ResponseWriter).SetReadDeadline(t)
}

// SetWriteDeadline is for [http.ResponseController].
func (g *gate) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(g.ResponseWriter).SetWriteDeadline(t)
}

// EnableFullDuplex is for [http.ResponseController].
func (g *gate) EnableFullDuplex() error {
	return http.NewResponseController(g.ResponseWriter).EnableFullDuplex()
}

var _ http.Flusher = (*gate)(nil)

// There is no Unwrap: http.ResponseController would find a way around the gate. Nor is
// there a Hijack.
