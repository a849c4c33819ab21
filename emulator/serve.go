package emulator

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/sigv4"
)

const maxBody = sigv4.DefaultMaxBody

// An exchange is one request on its way through the emulator.
type exchange struct {
	s     *Server
	r     *http.Request
	body  []byte
	claim sigv4.Claim
	rules []*activeRule
	rec   Record
	began time.Time

	// What was recognised; svc is nil for a request that no service wants.
	svc      service.Service
	protocol service.Protocol
}

// An answer is finished and not yet sent. A dropped one is never sent: its
// connection is reset.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	code    string
	dropped bool
}

var errClientLeft = errors.New("emulator: client left")

// serveHTTP takes a request through: read, hold, verify, authorise, call,
// encode, hold again, record, send.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.hostAllowed(r.Host) {
		http.Error(w, "emulator: host "+strconv.Quote(r.Host)+" is not this computer; use localhost or 127.0.0.1", http.StatusForbidden)
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r) {
		http.Error(w, "emulator: requests from other origins are refused", http.StatusForbidden)
		return
	}
	if strings.HasPrefix(r.URL.Path, adminPrefix) {
		s.serveAdmin(w, r)
		return
	}
	x := &exchange{s: s, r: r, began: time.Now()}
	x.rec = Record{ID: s.records.begin(), RequestID: requestID(), Received: s.clock.Now(), ReceivedReal: x.began.Round(0), Proto: r.Proto, RemoteAddr: r.RemoteAddr}
	a := x.run()
	if half := find(x.rules, HalfResponse, CutResponse); half != nil && !a.dropped {
		n := len(a.body) / 2
		a.send(w, a.body[:n])
		_ = http.NewResponseController(w).Flush() // a writer that cannot flush sends at the end
		a.dropped = half.Effect == CutResponse || x.hold(half, half.Delay) != nil
		x.finish(a)
		if a.dropped {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(a.body[n:])
		return
	}
	x.finish(a)
	if a.dropped {
		reset(r.Context())
	}
	a.send(w, a.body)
}

// send writes the answer with that much of its body. A client that is gone by
// then has the loss, and nobody else.
func (a *answer) send(w http.ResponseWriter, body []byte) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

func sameOrigin(origin string, r *http.Request) bool {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return origin == scheme+r.Host
}

// finish records the exchange. It comes before the first byte of the answer, so
// that whoever has the answer finds the record.
func (x *exchange) finish(a answer) {
	x.rec.Status, x.rec.ErrorCode = a.status, a.code
	if a.dropped {
		x.rec.Status = 0
	}
	for _, r := range x.rules {
		x.rec.Chaos = append(x.rec.Chaos, r.Effect)
	}
	x.rec.Duration = time.Since(x.began)
	if x.rec.ErrorCode != "" {
		x.s.log.Debug("emulator: refused", "service", x.rec.Service, "operation", x.rec.Operation, "code", x.rec.ErrorCode,
			"reason", x.rec.Reason, "age", x.rec.Age, "request", x.rec.RequestID)
	}
	x.s.records.end(x.rec)
}

// run does everything but send.
func (x *exchange) run() answer {
	body, err := io.ReadAll(io.LimitReader(x.r.Body, maxBody+1))
	if err != nil {
		return answer{dropped: true, code: "ClientLeft"}
	}
	x.body = body
	x.r.Body = io.NopCloser(bytes.NewReader(body))
	x.claim, _ = sigv4.Parse(x.r) // what cannot be parsed is refused by verify
	x.route()
	x.rec.AccessKeyID, x.rec.SignedAt = x.claim.AccessKeyID, x.claim.SignedAt
	x.rules = x.s.chaos.pick(x.rec.Service, x.rec.Operation, x.claim.AccessKeyID)

	a, err := x.before()
	if err != nil {
		return answer{dropped: true, code: "ClientLeft"}
	}
	if a == nil {
		got := x.work()
		a = &got
	}
	if err := x.after(a); err != nil {
		return answer{dropped: true, code: "ClientLeft"}
	}
	return *a
}

// route finds the service: AWS JSON names it in X-Amz-Target, the query protocol
// only in the credential's scope.
func (x *exchange) route() {
	s := x.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	x.protocol = service.JSON11
	if target := x.r.Header.Get("X-Amz-Target"); target != "" {
		prefix, op, _ := strings.Cut(target, ".")
		for _, svc := range s.services {
			if svc.Protocol() == service.JSON11 && svc.TargetPrefix() == prefix {
				x.svc, x.rec.Service, x.rec.Operation = svc, svc.SigningName(), op
			}
		}
		return
	}
	form := x.form()
	if form == nil {
		x.rec.Service = x.claim.Service
		return
	}
	x.protocol = service.Query
	x.rec.Operation = form.Get("Action")
	for _, svc := range s.services {
		// A scope that names no service here is measured by the one that speaks
		// this protocol: that is where the client meant to go.
		if svc.Protocol() == service.Query && (x.svc == nil || svc.SigningName() == x.claim.Service) {
			x.svc, x.rec.Service = svc, svc.SigningName()
		}
	}
}

// before applies what happens to a request that nobody has looked at yet.
func (x *exchange) before() (*answer, error) {
	if r := find(x.rules, Latency); r != nil {
		if err := x.hold(r, r.Delay); err != nil {
			return nil, err
		}
	}
	switch r := find(x.rules, Reset, Outage, BlackHole); {
	case r == nil:
	case r.Effect == BlackHole:
		if err := x.hold(r, 0); err != nil {
			return nil, err
		}
		return &answer{dropped: true, code: "BlackHole"}, nil
	default:
		return &answer{dropped: true, code: "Reset"}, nil
	}
	return nil, nil
}

// work verifies, authorises, calls and encodes.
func (x *exchange) work() answer {
	now := x.s.clock.Now()
	if !x.claim.SignedAt.IsZero() {
		x.rec.Age = now.Sub(x.claim.SignedAt)
	}
	id, err := x.verify(now)
	if refused, ok := errors.AsType[*sigv4.Error](err); ok {
		x.rec.Reason = refused.Reason.String()
		d := dialect(x.protocol)
		return x.fail(&service.Error{Status: refused.Status(d), Code: refused.Code(d), Message: refused.Message(d)}, frameworkError)
	}
	if err != nil {
		return answer{dropped: true, code: "ClientLeft"}
	}
	if x.svc == nil {
		return x.fail(unknownOperation(x.protocol), frameworkError)
	}
	if e := x.injected(now); e != nil {
		return x.fail(e, frameworkError)
	}
	call := &service.Call{
		Operation: x.rec.Operation, Body: x.payload(), Region: id.Region, Account: x.s.cfg.AccountID, Now: now,
		RequestID: x.rec.RequestID, AccessKeyID: id.AccessKeyID, PrincipalARN: id.PrincipalARN,
	}
	call.Authorize = func(action, resource string) *service.Error {
		if x.s.creds.allowed(call.AccessKeyID, action, resourceNames(x.svc, call, resource)) {
			return nil
		}
		return denied(x.svc, call.PrincipalARN, action, resource)
	}
	if e := x.s.authorize(x.svc, call); e != nil {
		return x.fail(e, serviceError)
	}
	result, err := x.call(call)
	if err != nil {
		return x.failWith(err)
	}
	return x.succeed(result)
}

func (x *exchange) verify(now time.Time) (*sigv4.Identity, error) {
	at := sigv4.Endpoint{Regions: x.s.cfg.Regions}
	if x.svc != nil {
		at.Service = x.svc.SigningName()
	}
	v := sigv4.New(sigv4.Config{
		Lookup: x.s.creds.lookup, Now: func() time.Time { return now },
		Window: x.s.clock.State().Window, MaxBody: maxBody, Debug: x.s.cfg.DebugSignatures,
	})
	return v.Verify(x.r, at)
}

// injected is the answer of a service that is not well, to a request that is.
func (x *exchange) injected(now time.Time) *service.Error {
	r := find(x.rules, Throttle, InternalError, Unavailable, ExpiredToken, SpuriousSignature)
	if r == nil {
		return nil
	}
	query := x.protocol == service.Query
	pick := func(json, q string) string {
		if query {
			return q
		}
		return json
	}
	forbidden := http.StatusBadRequest
	if query {
		forbidden = http.StatusForbidden
	}
	switch r.Effect {
	case Throttle:
		return &service.Error{Status: 400, Code: pick("ThrottlingException", "Throttling"), Message: "Rate exceeded"}
	case InternalError:
		return &service.Error{Status: 500, Code: pick("InternalServiceError", "InternalFailure"), Message: "An error occurred on the server side."}
	case Unavailable:
		return &service.Error{Status: 503, Code: pick("ServiceUnavailableException", "ServiceUnavailable"), Message: "The request has failed due to a temporary failure of the server."}
	case ExpiredToken:
		return &service.Error{Status: forbidden, Code: pick("ExpiredTokenException", "ExpiredToken"), Message: "The security token included in the request is expired"}
	default: // SpuriousSignature
		window := x.s.clock.State().Window
		if window <= 0 {
			window = sigv4.WindowOf(x.rec.Service)
		}
		late := x.claim.SignedAt.Add(window + time.Second)
		return &service.Error{Status: forbidden, Code: pick("InvalidSignatureException", "SignatureDoesNotMatch"),
			Message: sigv4.ExpiredMessage(x.claim.SignedAt, late, window)}
	}
}

// call keeps a service's panic from ending the emulator.
func (x *exchange) call(c *service.Call) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			x.s.log.Error("emulator: service panicked", "service", x.rec.Service, "operation", x.rec.Operation,
				"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			result, err = nil, &service.Error{Status: 500, Code: "InternalServiceError", Message: "the emulated service panicked; its log has the stack"}
		}
	}()
	return x.svc.Call(x.r.Context(), c)
}

// after stamps the answer and applies what happens on its way out.
func (x *exchange) after(a *answer) error {
	if a.dropped {
		return nil
	}
	if find(x.rules, ResetResponse) != nil {
		*a = answer{dropped: true, code: "Reset"}
		return nil
	}
	x.replace(a)
	if r := find(x.rules, SlowResponse); r != nil {
		if err := x.hold(r, r.Delay); err != nil {
			return err
		}
	}
	a.header.Set("X-Amzn-Requestid", x.rec.RequestID)
	a.header.Set("Date", x.s.clock.Date().UTC().Format(http.TimeFormat))
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	if find(x.rules, NoDate) != nil {
		a.header["Date"] = nil // present and nil: net/http adds none
	}
	if r := find(x.rules, AgeHeader); r != nil {
		a.header.Set("Age", strconv.Itoa(int(r.Delay/time.Second)))
	}
	if r := find(x.rules, FrozenResponse); r != nil {
		return x.hold(r, r.Delay)
	}
	return nil
}

// foreignNames are the members and elements by which an answer says what it is
// about.
var (
	foreignName = regexp.MustCompile(`("(?:Name|SecretId)":"/?)`)
	foreignARN  = regexp.MustCompile(`("ARN":"[^"]*)`)
	foreignList = regexp.MustCompile(`"InvalidParameters":\[[^\]]*\]`)
	foreignXML  = regexp.MustCompile(`(<(?:Arn|AssumedRoleId)>[^<]*)`)
)

// replace puts another success in the place of the answer. A refusal stays: only
// EmptySuccess, NoBody and HTMLSuccess need no success to begin with.
func (x *exchange) replace(a *answer) {
	r := find(x.rules, EmptySuccess, NoBody, HTMLSuccess, TruncatedSuccess, ForeignSuccess)
	if r == nil {
		return
	}
	switch r.Effect {
	case EmptySuccess:
		a.status, a.body, a.code = http.StatusOK, []byte("{}"), ""
	case NoBody:
		a.status, a.body, a.code = http.StatusOK, nil, ""
	case HTMLSuccess:
		a.status, a.body, a.code = http.StatusOK, []byte("<!DOCTYPE html><title>Welcome</title>"), ""
		a.header.Set("Content-Type", "text/html; charset=utf-8")
	case TruncatedSuccess:
		if a.status == http.StatusOK {
			a.body = a.body[:len(a.body)/2]
		}
	case ForeignSuccess:
		if a.status == http.StatusOK {
			a.body = foreignName.ReplaceAll(a.body, []byte(`${1}foreign-`))
			a.body = foreignARN.ReplaceAll(a.body, []byte(`$1-foreign`))
			a.body = foreignList.ReplaceAll(a.body, []byte(`"InvalidParameters":["foreign"]`))
			a.body = foreignXML.ReplaceAll(a.body, []byte(`$1-foreign`))
		}
	}
}

// hold waits for d, or without end for 0; until the rule is removed, the client
// leaves, or the emulator closes.
func (x *exchange) hold(r *activeRule, d time.Duration) error {
	var timeout <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	x.s.chaos.holding(r, 1)
	defer x.s.chaos.holding(r, -1)
	select {
	case <-timeout:
	case <-r.gone:
	case <-x.s.stopped:
	case <-x.r.Context().Done():
		return errClientLeft
	}
	return nil
}

// reset ends the request's connection with a TCP RST and the handler with it.
func reset(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(net.Conn); ok {
		raw := c
		if t, ok := c.(interface{ NetConn() net.Conn }); ok {
			raw = t.NetConn()
		}
		if t, ok := raw.(interface{ SetLinger(sec int) error }); ok {
			_ = t.SetLinger(0)
		}
		_ = raw.Close()
	}
	panic(http.ErrAbortHandler)
}

// requestID is a random UUID, the form of X-Amzn-Requestid.
func requestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
