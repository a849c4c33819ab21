package runtimeapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Function is one Lambda function with its sandboxes. It is safe for
// concurrent use. End it with [Function.Shutdown].
type Function struct {
	cfg   Config
	wg    sync.WaitGroup // everything that runs
	abort chan struct{}  // closed when waiting is over
	hush  sync.Mutex     // one callback at a time

	mu         sync.Mutex
	command    []string
	generation int
	closed     bool
	sandboxes  []*sandbox // of this generation, most recently used last
	retired    []*sandbox // of earlier ones, still busy
	queue      []*waiter
	inFlight   int
	idle       chan struct{} // closed when nothing is in flight; nil: nobody waits
	boots      map[[sha256.Size]byte]*boot
	conns      map[net.Conn]*boot
	server     *http.Server
	serving    sync.WaitGroup
	addr       string
	stats      Stats
}

// Stats are counts since [New], and the sandboxes that exist now.
type Stats struct {
	// Invocations were given a sandbox; Errors are those of them that failed, and
	// Timeouts those of these that took too long. Throttles were refused.
	// ColdStarts are started processes, InitErrors those that never got ready.
	Invocations, ColdStarts, InitErrors int64
	Errors, Timeouts, Throttles         int64
	InFlight, Queued                    int
	Sandboxes                           []SandboxInfo
}

// SandboxInfo is one sandbox.
type SandboxInfo struct {
	ID string `json:"id"`
	// PID is 0 without a process.
	PID    int  `json:"pid"`
	Active int  `json:"active"`
	Frozen bool `json:"frozen"`
	// Retired: it finishes what it has, on an older binary.
	Retired bool `json:"retired"`
}

// A waiter is an invocation in the queue.
type waiter struct{ slot chan *sandbox }

// New returns a function that has not started anything yet. It fails when the
// configuration does not pass [Config.Validate].
func New(cfg Config) (*Function, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Function{
		cfg: cfg, command: cfg.Command, abort: make(chan struct{}),
		boots: map[[sha256.Size]byte]*boot{}, conns: map[net.Conn]*boot{},
	}, nil
}

// Name is the function's name.
func (f *Function) Name() string { return f.cfg.FunctionName }

// ARN is the function's unqualified ARN.
func (f *Function) ARN() string { return f.cfg.arn("") }

// Invoke runs the function once. It returns when there is a response (buffered:
// all of it, streamed: its beginning); the sandbox may then still be busy until
// the runtime asks for the next event: see [Function.Idle].
//
// The error is an [*InvokeError] when the event did not reach the function, or
// ctx's: Lambda does not stop an invocation whose caller has gone, and neither
// does this.
func (f *Function) Invoke(ctx context.Context, req Request) (*Response, error) {
	if err := f.check(&req); err != nil {
		return nil, err
	}
	s, waited, err := f.acquire(ctx)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.stats.Invocations++
	f.mu.Unlock()
	inv := newInvocation(req)
	inv.waited, inv.place = waited, s
	f.wg.Go(func() {
		defer f.release(s, inv)
		f.run(s, inv)
	})
	select {
	case r := <-inv.answered:
		return r, nil
	case <-ctx.Done():
		inv.leave()
		return nil, context.Cause(ctx)
	}
}

// check completes the request, or refuses it.
func (f *Function) check(r *Request) error {
	fail := func(reason error, format string, args ...any) error {
		return &InvokeError{Function: f.cfg.FunctionName, Reason: reason, Detail: fmt.Sprintf(format, args...)}
	}
	if len(r.Payload) == 0 {
		r.Payload = []byte("{}")
	}
	if len(r.Payload) > MaxPayload {
		return fail(ErrTooLarge, "the event has %d bytes; Lambda takes at most %d", len(r.Payload), MaxPayload)
	}
	if !json.Valid(r.Payload) {
		return fail(ErrInvalid, "the event is not JSON")
	}
	if r.ClientContext != "" && !json.Valid([]byte(r.ClientContext)) {
		return fail(ErrInvalid, "the client context is not JSON")
	}
	for _, v := range []string{r.ClientContext, r.TraceID, r.RequestID, r.TenantID, r.ContentType, r.Qualifier} {
		if strings.ContainsAny(v, "\r\n\x00") {
			return fail(ErrInvalid, "an id or a context has a line break, which no header can carry")
		}
	}
	if r.ContentType == "" {
		r.ContentType = "application/json"
	}
	if r.RequestID == "" {
		r.RequestID = NewRequestID()
	}
	if r.TraceID == "" {
		r.TraceID = NewTraceID()
	}
	return nil
}

// acquire reserves a place in a sandbox: an idle one, a new one, or, in turn,
// the next that gets free. It reports how long that took.
func (f *Function) acquire(ctx context.Context) (*sandbox, time.Duration, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, 0, &InvokeError{f.cfg.FunctionName, ErrClosed, "invoked after Shutdown"}
	}
	full := len(f.sandboxes) >= f.cfg.Concurrency
	if s := f.free(1); s != nil {
		f.inFlight++
		f.mu.Unlock()
		return s, 0, nil
	}
	if full && f.cfg.Overflow == Refuse {
		f.stats.Throttles++
		f.mu.Unlock()
		return nil, 0, &InvokeError{f.cfg.FunctionName, ErrThrottled, fmt.Sprintf("its %d sandboxes have %d invocations each; raise Config.Concurrency, or let them queue", f.cfg.Concurrency, f.cfg.PerSandbox)}
	}
	w := &waiter{slot: make(chan *sandbox, 1)}
	f.queue = append(f.queue, w)
	f.inFlight++
	f.mu.Unlock()
	begin := time.Now()
	var impatient <-chan time.Time
	if !full {
		t := time.NewTimer(soon)
		defer t.Stop()
		impatient = t.C
	}
	for waiting := true; waiting; {
		select {
		case s := <-w.slot:
			return s, time.Since(begin), nil
		case <-impatient:
			f.start(w)
		case <-ctx.Done():
			waiting = false
		case <-f.abort:
			waiting = false
		}
	}
	f.mu.Lock()
	f.queue = slices.DeleteFunc(f.queue, func(x *waiter) bool { return x == w })
	f.mu.Unlock()
	select {
	case s := <-w.slot: // given to us at the last moment
		f.release(s, nil)
	default:
		f.ended()
	}
	waited := time.Since(begin)
	if err := context.Cause(ctx); err != nil {
		return nil, waited, fmt.Errorf("%w; it waited %v for a sandbox, because all %d were busy", err, waited.Round(time.Millisecond), f.cfg.Concurrency)
	}
	return nil, waited, &InvokeError{f.cfg.FunctionName, ErrClosed, "shut down while the invocation was queued"}
}

// soon is how long an invocation waits for a sandbox that has answered, and only has
// to ask for the next event, before it starts another one. Lambda's callers are farther
// away, and seldom meet this moment.
const soon = 100 * time.Millisecond

// start gives w a new sandbox, if it still waits and there may be one more.
func (f *Function) start(w *waiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.queue, w); i >= 0 {
		if s := f.free(0); s != nil {
			f.queue = slices.Delete(f.queue, i, i+1)
			w.slot <- s // has room for one
		}
	}
}

// free finds a place, or makes one, unless there are enough that get free at once for
// those who wait. Needs f.mu.
func (f *Function) free(waiting int) *sandbox {
	for i, s := range slices.Backward(f.sandboxes) {
		if s.active < f.cfg.PerSandbox {
			s.active++
			f.sandboxes = append(slices.Delete(f.sandboxes, i, i+1), s)
			return s
		}
	}
	answered := 0
	for _, s := range f.sandboxes {
		answered += s.answered
	}
	if len(f.sandboxes) >= f.cfg.Concurrency || waiting > 0 && answered >= waiting+len(f.queue) {
		return nil
	}
	s := &sandbox{fn: f, id: randomHex(8), command: f.command, generation: f.generation, active: 1}
	f.sandboxes = append(f.sandboxes, s)
	return s
}

// release gives the place, which was inv's, to the next in the queue.
func (f *Function) release(s *sandbox, inv *invocation) {
	f.mu.Lock()
	s.active--
	if inv != nil && inv.counted {
		s.answered--
	}
	old := s.generation != f.generation
	if old && s.active == 0 {
		f.retired = slices.DeleteFunc(f.retired, func(x *sandbox) bool { return x == s })
		f.wg.Go(func() { s.end("replaced by a newer build", f.abort) })
	}
	f.serveQueue()
	f.mu.Unlock()
	f.ended()
}

// serveQueue needs f.mu.
func (f *Function) serveQueue() {
	for len(f.queue) > 0 {
		w := f.queue[0]
		f.queue = f.queue[1:]
		s := f.free(1)
		if s == nil {
			f.queue = slices.Insert(f.queue, 0, w)
			return
		}
		w.slot <- s // has room for one
	}
}

// ended counts an invocation out.
func (f *Function) ended() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight--
	if f.inFlight == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// run takes one invocation through its sandbox, to the freeze.
func (f *Function) run(s *sandbox, inv *invocation) {
	for !f.attempt(s, inv) {
		continue // with a new process
	}
}

// attempt is run with one process. It reports false when that ended before it took
// the event.
func (f *Function) attempt(s *sandbox, inv *invocation) bool {
	b, bad := s.ensure(inv, "init")
	if bad != nil {
		inv.begin(f.cfg.Timeout)
		b.finish(inv, nil, bad)
		b.emit(Event{Type: InvokeDone, RequestID: inv.id, ErrorType: bad.typ, Error: bad.sentence()})
		return true
	}
	if f.cfg.PerSandbox == 1 {
		b.proc.drain() // what it wrote until now is not this invocation's
	}
	inv.begin(f.cfg.Timeout)
	started, deadline := inv.times()
	if !b.dispatch(inv) {
		return false
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-inv.settled:
	case <-inv.again:
		return false
	case <-b.gone:
		select {
		case <-inv.again:
			return false
		default:
		}
	case <-f.abort:
		b.finish(inv, nil, platformFailure(inv.id, errSandbox, "the function was shut down"))
		b.kill()
	case <-timer.C:
		b.timeOut(inv)
		f.outlive(b, inv)
	}
	if !inv.hasEnded() { // asked for the next event after half a response
		b.leftover(inv)
	}
	typ, text := inv.ending()
	b.emit(Event{Type: InvokeDone, RequestID: inv.id, Duration: time.Since(started), ErrorType: typ, Error: text})
	if f.cfg.Freeze == FreezeAlways && f.cfg.PerSandbox == 1 {
		f.warn(b.freeze())
	}
	return true
}

// outlive waits for code that goes on after its invocation timed out, as it does
// on a Managed Instance, so that its place stays taken.
func (f *Function) outlive(b *boot, inv *invocation) {
	select {
	case <-inv.settled:
	case <-b.gone:
	case <-f.abort:
		b.kill()
	}
}

func (f *Function) warn(err error) {
	if err != nil && runtime.GOOS != "windows" {
		f.cfg.Logger.Error("freezing a sandbox", "err", err)
	}
}

// Warm starts a sandbox's Init now, as provisioned concurrency does, if there is
// none that has it behind it, and freezes it afterwards. It returns why Init
// failed; the next invocation then tries again.
func (f *Function) Warm(ctx context.Context) error {
	s, _, err := f.acquire(ctx)
	if errors.Is(err, ErrThrottled) {
		return nil // every sandbox is in use, and so was started
	}
	if err != nil {
		return err
	}
	result := make(chan error, 1)
	f.wg.Go(func() {
		defer f.release(s, nil)
		b, bad := s.ensure(nil, "provisioned")
		if bad != nil {
			result <- fmt.Errorf("runtimeapi: %s", bad.sentence())
			return
		}
		if f.cfg.Freeze == FreezeAlways && f.cfg.PerSandbox == 1 {
			f.warn(b.freeze())
		}
		result <- nil
	})
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Idle returns when no invocation is in flight: each runtime waits in Next, and
// is frozen if it is to be.
func (f *Function) Idle(ctx context.Context) error {
	f.mu.Lock()
	if f.inFlight == 0 {
		f.mu.Unlock()
		return nil
	}
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	idle := f.idle
	f.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Replace makes command the function's binary. What is in flight ends on the old
// one; every later invocation finds a cold sandbox with the new one, at once.
func (f *Function) Replace(command []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(command) > 0 {
		f.renew(slices.Clone(command))
	}
}

// Restart is [Function.Replace] with the binary that there is: every later invocation
// finds a cold sandbox.
func (f *Function) Restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renew(f.command)
}

// renew needs f.mu.
func (f *Function) renew(command []string) {
	if f.closed {
		return
	}
	f.command = command
	f.generation++
	for _, s := range f.sandboxes {
		if s.active > 0 {
			f.retired = append(f.retired, s)
			continue
		}
		f.wg.Go(func() { s.end("replaced by a newer build", f.abort) })
	}
	f.sandboxes = nil
	f.serveQueue()
}

// Freeze stops every sandbox now, whatever it does, and returns when the kernel
// has stopped it. Between invocations that is what Lambda does; in the middle of
// one it is the cruel test, and needs [Function.Thaw]. A frozen sandbox thaws for
// its next event.
func (f *Function) Freeze() error {
	if f.cfg.PerSandbox > 1 {
		return fmt.Errorf("%w: a sandbox with several invocations (PerSandbox > 1) never freezes on Lambda", ErrFreezeUnavailable)
	}
	var errs []error
	for _, s := range f.all() {
		if b := s.running(); b != nil {
			errs = append(errs, b.freeze())
		}
	}
	return errors.Join(errs...)
}

// Thaw continues every frozen sandbox.
func (f *Function) Thaw() {
	for _, s := range f.all() {
		if b := s.running(); b != nil {
			b.thaw()
		}
	}
}

func (f *Function) all() []*sandbox {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Concat(f.sandboxes, f.retired)
}

// Stats returns the counts.
func (f *Function) Stats() Stats {
	f.mu.Lock()
	st := f.stats
	st.InFlight, st.Queued = f.inFlight, len(f.queue)
	live, retired := slices.Clone(f.sandboxes), slices.Clone(f.retired)
	for i, s := range slices.Concat(live, retired) {
		st.Sandboxes = append(st.Sandboxes, SandboxInfo{ID: s.id, Active: s.active, Retired: i >= len(live)})
	}
	f.mu.Unlock()
	for i, s := range slices.Concat(live, retired) {
		if b := s.running(); b != nil {
			st.Sandboxes[i].PID, st.Sandboxes[i].Frozen = b.proc.pid, b.proc.isFrozen()
		}
	}
	return st
}

// Shutdown ends the function: no new invocation starts, those in flight may end
// while ctx lasts, then every process gets SIGTERM and SIGKILL by Lambda's rules
// (see [Config.ShutdownBudget]). When ctx ends first, it is SIGKILL at once. When
// it returns, no process, goroutine or socket is left. The error is ctx's.
func (f *Function) Shutdown(ctx context.Context) error {
	f.mu.Lock()
	already := f.closed
	f.closed = true
	f.mu.Unlock()
	if already {
		f.wg.Wait()
		return nil
	}
	err := f.Idle(ctx)
	stop := context.AfterFunc(ctx, func() { close(f.abort) })
	if err != nil {
		<-f.abort
		_ = f.Idle(context.Background()) // every invocation ends itself now
	}
	var ending sync.WaitGroup
	for _, s := range f.all() {
		ending.Go(func() { s.end("shut down", f.abort) })
	}
	ending.Wait()
	f.wg.Wait()
	if f.server != nil {
		_ = f.server.Close()
		f.serving.Wait()
	}
	if stop() {
		close(f.abort)
	}
	return err
}

// listen starts the socket, once, and returns its address. Every boot has its
// own path under it, which cannot be guessed: a process that was left behind, or
// a stranger, cannot take another one's events.
func (f *Function) listen() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.server != nil {
		return f.addr, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("runtimeapi: listening on loopback: %w", err)
	}
	f.addr = l.Addr().String()
	f.server = &http.Server{
		Handler:           http.HandlerFunc(f.route),
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    2 << 20, // the cause for X-Ray may have 1 MiB
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:         f.connState,
	}
	f.serving.Go(func() { _ = f.server.Serve(l) })
	return f.addr, nil
}

// route finds the boot that a request's path belongs to.
func (f *Function) route(w http.ResponseWriter, r *http.Request) {
	if r.Host != f.addr { // a browser was talked into this by DNS rebinding
		http.Error(w, "runtimeapi: unexpected Host", http.StatusForbidden)
		return
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	f.mu.Lock()
	b := f.boots[sha256.Sum256([]byte(token))] // found by hash: no timing to learn from
	f.mu.Unlock()
	if b == nil {
		http.Error(w, "runtimeapi: this process has no sandbox", http.StatusForbidden)
		return
	}
	f.connect(r, b)
	http.StripPrefix("/"+token, b).ServeHTTP(w, r)
}

type connKey struct{}

// connect notes which boot a connection belongs to, at its first request.
func (f *Function) connect(r *http.Request, b *boot) {
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns[c] == nil {
		f.conns[c] = b
		b.conns.open()
	}
}

// connState forgets a connection when it is closed.
func (f *Function) connState(c net.Conn, s http.ConnState) {
	if s != http.StateClosed {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.conns[c]; b != nil {
		delete(f.conns, c)
		b.conns.close()
	}
}

// admit gives a boot its path and returns what goes into AWS_LAMBDA_RUNTIME_API.
func (f *Function) admit(b *boot) (string, error) {
	addr, err := f.listen()
	if err != nil {
		return "", err
	}
	token := randomHex(16)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.boots[sha256.Sum256([]byte(token))] = b
	return addr + "/" + token, nil
}

// forget closes the path.
func (f *Function) forget(b *boot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, x := range f.boots {
		if x == b {
			delete(f.boots, k)
		}
	}
}

// count keeps the statistics of a finished invocation, before its caller hears of it.
func (f *Function) count(inv *invocation, bad *failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if inv.place != nil && !inv.counted {
		inv.counted = true
		inv.place.answered++
	}
	if bad == nil {
		return
	}
	f.stats.Errors++
	if bad.typ == errTimeout {
		f.stats.Timeouts++
	}
}

func (f *Function) emitLine(l Line) {
	if f.cfg.Log == nil {
		return
	}
	f.hush.Lock()
	defer f.hush.Unlock()
	l.Time = time.Now()
	f.cfg.Log(l)
}

func (f *Function) emitEvent(e Event) {
	if f.cfg.Events == nil {
		return
	}
	f.hush.Lock()
	defer f.hush.Unlock()
	e.Time = time.Now()
	f.cfg.Events(e)
}

func (f *Function) emitWire(m WireMessage) {
	if f.cfg.Wire == nil {
		return
	}
	f.hush.Lock()
	defer f.hush.Unlock()
	f.cfg.Wire(m)
}
