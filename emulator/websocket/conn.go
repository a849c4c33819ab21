package websocket

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/internal/loopback"
)

const (
	statusNormal    = int(websocket.StatusNormalClosure)
	statusGoingAway = int(websocket.StatusGoingAway)
)

// A conn is one client.
type conn struct {
	api       *API
	id, apiID string
	domain    string
	connected time.Time
	identity  map[string]string

	ready       chan struct{} // closed when ws is set, or never will be
	ws          *websocket.Conn
	raw         net.Conn
	idle, total *time.Timer
	queue       chan message

	mu         sync.Mutex
	lastActive time.Time
	code       int // why it was closed from this side; 0: it was not
	reason     string
}

type message struct {
	kind websocket.MessageType
	data []byte
}

// handshake asks $connect, and serves the connection to its end.
func (a *API) handshake(w http.ResponseWriter, r *http.Request) {
	if status, why := a.admit(r); status != 0 {
		if status == http.StatusUpgradeRequired {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
		}
		a.cfg.Warn("", fmt.Errorf("%w: %s", ErrRefused, why))
		answer(w, status, "", map[string]string{"message": http.StatusText(status)})
		return
	}
	defer a.leave()
	c := a.newConn(r)
	traceID := runtimeapi.NewTraceID()
	e := a.newEvent(c, "CONNECT", "$connect")
	e.addRequest(r, traceID)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.ctx, cancel)()
	reply, err := a.invoke(ctx, e, traceID)
	if err != nil {
		a.cfg.Warn(c.id, err)
		c.fault(w, err, e)
		return
	}
	if reply.status < 200 || reply.status > 299 {
		w.WriteHeader(reply.status) // the function's refusal; its body does not go through
		return
	}
	if err := c.accept(w, r, reply.protocol); err != nil {
		a.cfg.Warn(c.id, fmt.Errorf("%w: after $connect had agreed: %w", ErrRefused, err))
		c.end(int(websocket.StatusAbnormalClosure), "")
		return
	}
	c.serve()
}

// admit counts a handshake in, or says with which status it is refused.
func (a *API) admit(r *http.Request) (status int, why string) {
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case !localOrigin(r):
		return http.StatusForbidden, "its Origin is a page that is not on this machine"
	case path != a.cfg.Stage:
		return http.StatusForbidden, fmt.Sprintf("clients connect to /%s, not to /%s", a.cfg.Stage, path)
	case r.Method != http.MethodGet || !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return http.StatusUpgradeRequired, "the request is not a WebSocket handshake"
	case r.Header.Get("Sec-WebSocket-Version") != "13" || !validKey(r.Header.Values("Sec-WebSocket-Key")):
		return http.StatusBadRequest, "Sec-WebSocket-Version or Sec-WebSocket-Key is not of RFC 6455"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return http.StatusServiceUnavailable, "the API is closed"
	case a.open >= a.cfg.MaxConnections:
		return http.StatusTooManyRequests, fmt.Sprintf("%d connections are open; raise Config.MaxConnections", a.open)
	}
	a.open++
	a.wg.Add(1)
	return 0, ""
}

func (a *API) leave() {
	a.mu.Lock()
	a.open--
	a.mu.Unlock()
	a.wg.Done()
}

func validKey(keys []string) bool {
	if len(keys) != 1 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0]))
	return err == nil && len(key) == 16
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

func (a *API) newConn(r *http.Request) *conn {
	c := &conn{
		api: a, id: newID(), apiID: cmp.Or(a.cfg.APIID, "local"), domain: loopback.Hostname(r.Host),
		ready: make(chan struct{}), connected: a.cfg.Now(), identity: map[string]string{"sourceIp": loopback.Hostname(r.RemoteAddr)},
	}
	if agent := r.UserAgent(); agent != "" {
		c.identity["userAgent"] = agent
	}
	c.lastActive = c.connected
	return c
}

// accept switches protocols and makes the connection known.
func (c *conn) accept(w http.ResponseWriter, r *http.Request, protocol string) error {
	opts := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // admit has looked at the Origin
		OnPingReceived:     func(context.Context, []byte) bool { c.touch(); return true },
	}
	if protocol != "" {
		opts.Subprotocols = []string{protocol}
	}
	a := c.api
	a.mu.Lock()
	a.conns[c.id] = c // before the client knows that it is connected
	a.mu.Unlock()
	taken := &hijacked{ResponseWriter: w}
	ws, err := websocket.Accept(taken, r, opts)
	a.mu.Lock()
	defer a.mu.Unlock()
	defer close(c.ready)
	if err != nil {
		delete(a.conns, c.id)
		return err
	}
	ws.SetReadLimit(-1) // read has its own
	c.ws, c.raw = ws, taken.conn
	c.queue = make(chan message, 64)
	goodbye := func() { c.close(statusGoingAway, "Going away") }
	c.idle, c.total = after(a.cfg.Idle, goodbye), after(a.cfg.Total, goodbye)
	if a.closed { // meanwhile
		goodbye()
	}
	return nil
}

// after is a timer that a negative duration never fires.
func after(d time.Duration, do func()) *time.Timer {
	t := time.AfterFunc(time.Hour, do)
	if d < 0 {
		t.Stop()
	} else {
		t.Reset(d)
	}
	return t
}

func (c *conn) isReady() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

// hijacked keeps the socket, to end a connection whose client does not.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
}

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, rw, err
}

// serve reads until the connection ends, and takes messages to the function.
func (c *conn) serve() {
	var workers sync.WaitGroup
	for range c.api.cfg.Concurrency {
		workers.Go(func() {
			for m := range c.queue {
				c.deliver(m)
			}
		})
	}
	code, reason := c.read()
	c.api.forget(c)
	_ = c.ws.CloseNow()
	c.idle.Stop()
	c.total.Stop()
	close(c.queue)
	workers.Wait()
	c.end(code, reason)
}

// read queues messages; it returns why there are no more.
func (c *conn) read() (code int, reason string) {
	frame := make([]byte, MaxFrame+1)
	for {
		m, err := c.next(frame)
		if errors.Is(err, ErrTooLarge) {
			c.api.cfg.Warn(c.id, err)
			c.close(int(websocket.StatusMessageTooBig), "")
			c.drain()
		}
		if err != nil {
			return c.why(err)
		}
		c.touch()
		c.queue <- m
	}
}

// next reads one message, frame by frame: with room for more than a frame, each
// Read of the library gives exactly one.
func (c *conn) next(frame []byte) (message, error) {
	kind, r, err := c.ws.Reader(c.api.ctx)
	if err != nil {
		return message{}, err
	}
	var data []byte
	for {
		n, err := r.Read(frame)
		data = append(data, frame[:n]...)
		switch {
		case n > MaxFrame:
			return message{}, fmt.Errorf("%w: one frame has more than %d bytes; send the message in several", ErrTooLarge, MaxFrame)
		case len(data) > MaxMessage:
			return message{}, fmt.Errorf("%w: it has more than %d bytes", ErrTooLarge, MaxMessage)
		case errors.Is(err, io.EOF):
			return message{kind, data}, nil
		case err != nil:
			return message{}, err
		}
	}
}

// drain waits for the client's goodbye, so that ours reaches it: a socket closed
// over unread bytes takes the last frame with it.
func (c *conn) drain() {
	late := time.AfterFunc(5*time.Second, func() { _ = c.raw.Close() })
	defer late.Stop()
	_ = c.ws.Close(websocket.StatusMessageTooBig, "")
}

// why is how the connection ended: by us, by the client's frame, or just so.
func (c *conn) why(err error) (code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 {
		return c.code, c.reason
	}
	c.code = -1 // too late for close
	if bye, ok := errors.AsType[websocket.CloseError](err); ok {
		if bye.Code == websocket.StatusNoStatusRcvd {
			return int(bye.Code), "Client-side close frame status not set"
		}
		return int(bye.Code), bye.Reason
	}
	return int(websocket.StatusAbnormalClosure), "Connection closed abnormally"
}

// close says goodbye from this side, without waiting.
func (c *conn) close(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 {
		return
	}
	c.code, c.reason = code, reason
	if code != int(websocket.StatusMessageTooBig) { // drain does that
		c.api.wg.Go(func() { _ = c.ws.Close(websocket.StatusCode(code), reason) })
	}
}

// touch notes a sign of life.
func (c *conn) touch() {
	c.mu.Lock()
	c.lastActive = c.api.cfg.Now()
	c.mu.Unlock()
	if c.api.cfg.Idle > 0 {
		c.idle.Reset(c.api.cfg.Idle)
	}
}

// send sends one message, in frames no larger than a client may send.
func (c *conn) send(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout) // half a message would end the connection
	defer cancel()
	kind := websocket.MessageText
	if !utf8.Valid(data) {
		kind = websocket.MessageBinary
	}
	w, err := c.ws.Writer(ctx, kind)
	for err == nil && len(data) > MaxFrame {
		_, err = w.Write(data[:MaxFrame])
		data = data[MaxFrame:]
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	c.touch()
	return nil
}

// deliver takes one message to the function.
func (c *conn) deliver(m message) {
	a := c.api
	var selected []byte // bytes are no JSON, and select nothing
	if m.kind == websocket.MessageText {
		selected = m.data
	}
	key, ok := a.route(selected)
	e := a.newEvent(c, "MESSAGE", key)
	if !ok {
		a.cfg.Warn(c.id, ErrNoRoute)
		c.complain("Forbidden", e)
		return
	}
	e.RequestContext.MessageID = newID()
	text := string(m.data)
	if m.kind == websocket.MessageBinary {
		text, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(m.data), true
	}
	e.Body = &text
	reply, err := a.invoke(a.ctx, e, "")
	switch {
	case err != nil:
		a.cfg.Warn(c.id, err)
		c.complain("Internal server error", e)
	case a.cfg.RouteResponses && len(reply.body) > 0:
		_ = c.send(a.ctx, reply.body) // the client may have left
	}
}

// complain sends what the gateway says to a client whose message failed.
func (c *conn) complain(text string, e *event) {
	body, _ := json.Marshal(map[string]string{"message": text, "connectionId": c.id, "requestId": e.RequestContext.RequestID})
	_ = c.send(c.api.ctx, body) // the client may have left
}

// end tells the function that the connection is gone. Nobody hears its answer.
func (c *conn) end(code int, reason string) {
	e := c.api.newEvent(c, "DISCONNECT", "$disconnect")
	e.RequestContext.DisconnectStatusCode, e.RequestContext.DisconnectReason = code, &reason
	if _, err := c.api.invoke(c.api.ctx, e, ""); err != nil {
		c.api.cfg.Warn(c.id, err)
	}
}

// fault answers a handshake whose $connect failed.
func (c *conn) fault(w http.ResponseWriter, err error, e *event) {
	status, text := http.StatusBadGateway, "Internal server error"
	if errors.Is(err, errTooSlow) {
		status, text = http.StatusGatewayTimeout, "Endpoint request timed out"
	}
	answer(w, status, "InternalServerErrorException", map[string]string{"message": text, "connectionId": c.id, "requestId": e.RequestContext.RequestID})
}

var errTooSlow = fmt.Errorf("%w: it took longer than the %v that the gateway waits", ErrFunction, integrationTimeout)

// A reply is a result that was understood.
type reply struct {
	status   int
	protocol string
	body     []byte
}

// invoke runs the function on an event. A result without a statusCode is only an
// error for $connect, where the gateway looks for it.
func (a *API) invoke(ctx context.Context, e *event, traceID string) (*reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, integrationTimeout, errTooSlow)
	defer cancel()
	result, err := a.cfg.Function.Invoke(ctx, runtimeapi.Request{Payload: e.encode(), TraceID: traceID})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.RequestContext.RouteKey, err)
	}
	if result.FunctionError != "" {
		return nil, fmt.Errorf("%w: %s: %s: %s", ErrFunction, e.RequestContext.RouteKey, result.ErrorType, cmp.Or(result.Explanation, result.ErrorMessage))
	}
	out, err := readReply(result.Payload, e.RequestContext.EventType == "CONNECT")
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFunction, e.RequestContext.RouteKey, err)
	}
	return out, nil
}

// readReply reads statusCode, headers and body. Only for $connect does it matter
// that there is a statusCode: the answer to a message may be anything.
func readReply(payload []byte, connect bool) (*reply, error) {
	var fields struct {
		StatusCode      *int              `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		Body            string            `json:"body"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(payload, &fields); err != nil {
		if !connect {
			return &reply{}, nil
		}
		return nil, fmt.Errorf("its result is not an object with a statusCode: %w", err)
	}
	if connect && (fields.StatusCode == nil || *fields.StatusCode < 200 || *fields.StatusCode > 599) {
		return nil, errors.New("its result has no statusCode from 200 to 599")
	}
	out := &reply{body: []byte(fields.Body)}
	if fields.StatusCode != nil {
		out.status = *fields.StatusCode
	}
	if fields.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(fields.Body)
		if err != nil {
			return nil, fmt.Errorf("isBase64Encoded is true, and the body is not base64: %w", err)
		}
		out.body = body
	}
	for name, value := range fields.Headers {
		if strings.EqualFold(name, "Sec-WebSocket-Protocol") {
			out.protocol = value
		}
	}
	return out, nil
}

// answer writes JSON, and the type of an error.
func answer(w http.ResponseWriter, status int, errorType string, body any) {
	if errorType != "" {
		w.Header()["x-amzn-ErrorType"] = []string{errorType} // in the gateway's spelling
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}
