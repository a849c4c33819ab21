package runtimeapi

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

type runtimeState string

const (
	rtStarted   runtimeState = "Started"
	rtReady     runtimeState = "Ready"
	rtInitError runtimeState = "InitError"
	rtRestoring runtimeState = "Restoring"
	rtGone      runtimeState = "Exited"
)

// A boot is one run of the process in a sandbox, and the state that the two APIs
// enforce for it.
type boot struct {
	fn      *Function
	sandbox string
	proc    *process
	begun   time.Time

	conns connCount

	ready   chan struct{} // closed when Init is complete
	initBad chan struct{} // closed when Init was reported to have failed
	gone    chan struct{} // closed when the process is gone and its log is read

	mu         sync.Mutex
	state      runtimeState
	isReady    bool
	initErr    *failure
	polls      []*poll                // runtimes waiting in Next
	pending    []*invocation          // no runtime waits for them yet
	active     map[string]*invocation // delivered and not settled
	sent       []string               // ids answered before, newest last
	extensions map[string]*extension  // by identifier
	words      []spoken               // last lines on stderr
	crash      spoken                 // the line that says why the Go runtime ended the process
	suspect    bool                   // one of them reported a failure and has not come back
	exitFatal  *failure               // an extension said why it ends
}

// A poll is one waiting Next.
type poll struct{ events chan *invocation }

// spoken is a line with the moment at which it was read.
type spoken struct {
	at   time.Time
	text string
}

func newBoot(fn *Function, sandboxID string) *boot {
	return &boot{
		fn: fn, sandbox: sandboxID, begun: time.Now(), state: rtStarted,
		ready: make(chan struct{}), initBad: make(chan struct{}), gone: make(chan struct{}),
		active: map[string]*invocation{}, extensions: map[string]*extension{},
	}
}

// start starts the process; its output and its end are this boot's from then on.
func (b *boot) start(command []string, env []string) error {
	p, err := startProcess(command, b.fn.cfg.Dir, env, b.line)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.proc = p
	b.mu.Unlock()
	b.fn.wg.Go(b.watch)
	return nil
}

// watch ends everything that waits for the process when that is gone.
func (b *boot) watch() {
	<-b.proc.done
	b.conns.wait(lastRequests)
	b.emit(Event{Type: Exit, Error: b.proc.exitReason()})
	b.mu.Lock()
	b.state = rtGone
	var open []*invocation
	for _, inv := range b.pending {
		if inv.retry(b.fn.cfg.PerSandbox) {
			inv.again <- struct{}{} // has room for one
			continue
		}
		open = append(open, inv)
	}
	b.pending = nil
	for _, inv := range b.active {
		open = append(open, inv)
	}
	fatal := b.exitFatal
	b.mu.Unlock()
	for _, inv := range open {
		f := fatal
		if f == nil {
			f = b.exitFailure(inv)
		}
		b.finish(inv, nil, f)
	}
	b.fn.forget(b)
	close(b.gone)
}

// lastRequests bounds how long the requests are served that the process had sent
// when it ended: what it said counts, although it is read after its death. Only
// a caller who does not read a stream, or a heir of the sockets, makes it last.
const lastRequests = time.Second

// A connCount counts a boot's connections.
type connCount struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed at 0; nil: nobody waits
}

func (c *connCount) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *connCount) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// wait returns when all are closed, or after limit.
func (c *connCount) wait(limit time.Duration) {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return
	}
	none := make(chan struct{})
	c.none = none
	c.mu.Unlock()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-none:
	case <-t.C:
	}
}

// exitFailure is what a caller hears when the process ended.
func (b *boot) exitFailure(inv *invocation) *failure {
	b.mu.Lock()
	fatal := inv.fatal
	b.mu.Unlock()
	if fatal != nil && fatal.typ != errTruncated { // the exit is why it was truncated
		return fatal
	}
	f := platformFailure(inv.id, errExit, b.proc.exitReason())
	started, _ := inv.times()
	f.explain = fmt.Sprintf("function %q ended in the middle of an invocation (%s)%s",
		b.fn.cfg.FunctionName, plain(b.proc), b.lastWords(started))
	return f
}

// leftover ends an invocation whose runtime went on without having ended it.
func (b *boot) leftover(inv *invocation) {
	b.mu.Lock()
	fatal := inv.fatal
	b.mu.Unlock()
	if fatal == nil {
		fatal = platformFailure(inv.id, errUnknown, "the runtime asked for the next event without a response")
	}
	b.finish(inv, nil, fatal)
}

func plain(p *process) string {
	if s := p.cmd.ProcessState; s != nil {
		return s.String()
	}
	return "unknown status"
}

// lastWords quotes for a sentence what the process wrote to stderr since then: the
// line in which the Go runtime says why it ends, or the last ones. What was written
// before belongs to other invocations.
func (b *boot) lastWords(since time.Time) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.crash.text != "" && !b.crash.at.Before(since) {
		return ": " + b.crash.text
	}
	var words []string
	for _, w := range b.words {
		if !w.at.Before(since) {
			words = append(words, w.text)
		}
	}
	if len(words) == 0 {
		return ", and wrote nothing to stderr"
	}
	return "; last on stderr: " + strings.Join(words, " | ")
}

// crashed says whether the Go runtime ended the process.
func (b *boot) crashed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.crash.text != ""
}

// isCrash knows the first line of what the Go runtime prints before it ends a process.
func isCrash(text string) bool {
	return strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")
}

// line takes a line of output.
func (b *boot) line(stream, text string) {
	const keep, width = 5, 300
	b.mu.Lock()
	if stream == "stderr" && strings.TrimSpace(text) != "" {
		w := spoken{time.Now(), text[:min(len(text), width)]}
		if isCrash(text) {
			b.crash = w
		}
		b.words = append(b.words, w)
		b.words = b.words[max(0, len(b.words)-keep):]
	}
	inv := b.owner(text)
	b.mu.Unlock()
	id := ""
	if inv != nil {
		id = inv.id
		inv.appendTail(text)
	}
	b.fn.emitLine(Line{Stream: stream, Text: text, SandboxID: b.sandbox, RequestID: id})
}

// owner finds the invocation that a line belongs to. Needs b.mu.
func (b *boot) owner(text string) *invocation {
	for id, inv := range b.active {
		if b.fn.cfg.PerSandbox == 1 || strings.Contains(text, id) {
			return inv
		}
	}
	return nil
}

// platform writes a line of Lambda's own.
func (b *boot) platform(inv *invocation, text string) {
	id := ""
	if inv != nil {
		id = inv.id
		inv.appendTail(text)
	}
	b.fn.emitLine(Line{Stream: "platform", Text: text, SandboxID: b.sandbox, RequestID: id})
}

func (b *boot) emit(e Event) {
	e.SandboxID = b.sandbox
	b.mu.Lock()
	if b.proc != nil {
		e.PID = b.proc.pid
	}
	b.mu.Unlock()
	b.fn.emitEvent(e)
}

func (b *boot) alive() bool {
	select {
	case <-b.gone:
		return false
	default:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state != rtGone
}

// stateName is the state that error bodies name. Needs b.mu.
func (b *boot) stateName() string {
	if b.fn.cfg.PerSandbox == 1 {
		for _, inv := range b.active {
			return string(inv.state)
		}
	}
	return string(b.state)
}

// poll registers a waiting Next, or says why the runtime may not wait.
func (b *boot) poll() (*poll, *apiError) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != rtStarted && b.state != rtReady && b.state != rtRestoring {
		return nil, badState(b.stateName(), string(rtReady))
	}
	if b.fn.cfg.PerSandbox == 1 {
		if len(b.polls) > 0 {
			return nil, badState("Ready (another Next is waiting)", string(rtReady))
		}
		for _, inv := range b.active {
			if inv.state != invSent {
				return nil, badState(string(inv.state), string(rtReady))
			}
		}
	}
	b.state = rtReady
	p := &poll{events: make(chan *invocation, 1)}
	b.polls = append(b.polls, p)
	b.settle()
	b.match()
	return p, nil
}

// leave takes back a poll whose client went away; an event that was already on
// its way to it waits for the next one.
func (b *boot) leave(p *poll) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.polls = slices.DeleteFunc(b.polls, func(q *poll) bool { return q == p })
	select {
	case inv := <-p.events:
		if b.state != rtGone {
			b.pending = append([]*invocation{inv}, b.pending...)
			b.match()
		}
	default:
	}
}

// comeBack is how long a runtime that reported a failure may take until it asks for
// the next event. Those of Go do at once, or have ended the process.
const comeBack = time.Second

// doubt holds events back until all of the process's runtimes (one for each place of
// AWS_LAMBDA_MAX_CONCURRENCY) are seen again, or the process ends: after a panic,
// aws-lambda-go reports the failure and then exits, and what another of its runtimes
// takes in between is lost. Needs b.mu.
func (b *boot) doubt() {
	b.suspect = true
	time.AfterFunc(comeBack, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.suspect = false
		b.match()
	})
}

// seen counts the runtimes that wait or are at work, without those whose failure was
// the last that was heard of them. Needs b.mu.
func (b *boot) seen() int {
	n := len(b.polls)
	for _, inv := range b.active {
		if inv.state != invError {
			n++
		}
	}
	return n
}

// match hands pending events to waiting runtimes. Needs b.mu.
func (b *boot) match() {
	if b.suspect && b.seen() < b.fn.cfg.PerSandbox || b.state == rtGone {
		return
	}
	b.suspect = false
	for len(b.pending) > 0 && len(b.polls) > 0 {
		inv, p := b.pending[0], b.polls[0]
		b.pending, b.polls = b.pending[1:], b.polls[1:]
		b.active[inv.id] = inv
		p.events <- inv // has room for one
	}
}

// settle looks whether Init is complete, and whether the invoke phase is over.
// Needs b.mu.
func (b *boot) settle() {
	for _, x := range b.extensions {
		if !x.settled() {
			return
		}
	}
	if len(b.polls) == 0 {
		return
	}
	if !b.isReady && b.initErr == nil {
		b.isReady = true
		close(b.ready)
	}
	if b.fn.cfg.PerSandbox > 1 {
		return
	}
	for _, inv := range b.active {
		b.settleOne(inv)
	}
}

// settleOne takes an answered invocation off the sandbox. Needs b.mu.
func (b *boot) settleOne(inv *invocation) {
	if inv.isSettle {
		return
	}
	inv.isSettle = true
	delete(b.active, inv.id)
	b.remember(inv.id)
	close(inv.settled)
}

func (b *boot) remember(id string) {
	if slices.Contains(b.sent, id) {
		return
	}
	b.sent = append(b.sent, id)
	if len(b.sent) > 64 {
		b.sent = b.sent[1:]
	}
}

// dispatch thaws the process and hands it the event. It reports false when the
// process has ended and another one may have the event.
func (b *boot) dispatch(inv *invocation) bool {
	b.thaw()
	b.emit(Event{Type: InvokeStart, RequestID: inv.id, Cold: inv.cold})
	b.platform(inv, "START RequestId: "+inv.id+" Version: "+latest)
	b.mu.Lock()
	gone := b.state == rtGone
	if !gone {
		b.pending = append(b.pending, inv)
		for _, x := range b.extensions {
			x.deliver(inv, b.fn.cfg.arn(inv.req.Qualifier))
		}
		b.match()
	}
	b.mu.Unlock()
	if gone && inv.retry(b.fn.cfg.PerSandbox) {
		return false
	}
	if gone {
		b.finish(inv, nil, b.exitFailure(inv))
	}
	return true
}

// response is an answer with everything in it that is known before its end.
func (b *boot) response(inv *invocation) *Response {
	return &Response{
		RequestID: inv.id, ExecutedVersion: latest, SandboxID: b.sandbox, TraceID: inv.req.TraceID,
		Cold: inv.cold, InitDuration: inv.initIn, Waited: inv.waited,
	}
}

// finish ends the invocation for its caller: with payload, or with f. It writes
// the last lines of the log first, so that they are in the tail.
func (b *boot) finish(inv *invocation, r *Response, f *failure) {
	if !inv.claim(f) {
		return
	}
	started, _ := inv.times()
	took := time.Duration(0)
	if !started.IsZero() {
		took = time.Since(started)
	}
	b.mu.Lock()
	p := b.proc
	b.mu.Unlock()
	peak := 0
	if p != nil {
		p.drain()
		peak = peakMB(p.pid)
	}
	if f != nil && strings.HasPrefix(f.message, "RequestId: ") { // Lambda's own words
		b.platform(inv, f.message)
	}
	b.platform(inv, "END RequestId: "+inv.id)
	b.platform(inv, reportLine(inv.id, took, inv.initIn, b.fn.cfg.MemoryMB, peak))
	if r == nil {
		r = b.response(inv)
	}
	streamed := inv.isOpen()
	if !streamed {
		e := Event{Type: ResponseSent, RequestID: inv.id, Duration: took, Bytes: int64(len(r.Payload))}
		if f != nil {
			e.ErrorType, e.Error, e.Bytes = f.typ, f.sentence(), int64(len(f.payload))
		}
		b.emit(e)
	}
	b.fn.count(inv, f)
	inv.end(r, f)
}

// timeOut ends an invocation at its deadline. One process with one invocation
// dies of it; a Managed Instance goes on.
func (b *boot) timeOut(inv *invocation) {
	started, deadline := inv.times()
	limit := deadline.Sub(started)
	f := platformFailure(inv.id, errTimeout, fmt.Sprintf("Task timed out after %.2f seconds", limit.Seconds()))
	switch {
	case inv.hasEnded(): // answered, but never asked for the next event
		f.explain = fmt.Sprintf("function %q answered, and then did not ask for the next event within its timeout of %v", b.fn.cfg.FunctionName, limit.Round(time.Millisecond))
	default:
		f.explain = fmt.Sprintf("function %q did not answer within its timeout of %v", b.fn.cfg.FunctionName, limit.Round(time.Millisecond))
	}
	b.finish(inv, nil, f)
	if b.fn.cfg.PerSandbox == 1 {
		b.kill()
	}
}

// kill ends the process and returns when everything about it has ended.
func (b *boot) kill() {
	b.proc.kill()
	<-b.gone
}

// terminate ends the process as Lambda does at the end of a sandbox's life:
// SIGKILL, or with an extension SIGTERM and a while later SIGKILL.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
func (b *boot) terminate(why string, abort <-chan struct{}) {
	b.emit(Event{Type: Shutdown, Error: why})
	b.mu.Lock()
	polite := len(b.extensions) > 0
	b.mu.Unlock()
	if budget := b.fn.cfg.ShutdownBudget; polite && budget > 0 {
		b.thaw()
		_ = b.proc.signal(terminate)
		t := time.NewTimer(budget)
		defer t.Stop()
		select {
		case <-b.gone:
			return
		case <-t.C:
		case <-abort:
		}
	}
	b.kill()
}

func (b *boot) freeze() error {
	did, err := b.proc.freeze()
	if did {
		b.emit(Event{Type: Frozen})
	}
	return err
}

func (b *boot) thaw() {
	did, d, err := b.proc.thaw()
	if err != nil {
		b.fn.cfg.Logger.Error("thawing a sandbox", "sandbox", b.sandbox, "err", err)
	}
	if did {
		b.emit(Event{Type: Thawed, Duration: d})
	}
}

// failInit records why Init failed, once.
func (b *boot) failInit(f *failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.initErr == nil && !b.isReady {
		b.initErr = f
		close(b.initBad)
	}
}

func startFailure(err error, dir string) *failure {
	typ := errEntrypoint
	if dir != "" {
		if info, statErr := os.Stat(dir); statErr != nil || !info.IsDir() {
			typ = errWorkingDir
		}
	}
	return &failure{typ: typ, message: err.Error()}
}
