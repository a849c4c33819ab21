package runtimeapi

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A sandbox is a place for one process after another.
type sandbox struct {
	fn         *Function
	id         string
	command    []string
	generation int
	active     int // places taken; guarded by Function.mu
	answered   int // of these, whose invocation has its answer; guarded by Function.mu

	starting sync.Mutex // held while a process starts
	tried    bool       // Init was tried outside of an invocation; guarded by starting

	mu      sync.Mutex
	current *boot
	over    bool
}

// running is the boot with a live process, or nil.
func (s *sandbox) running() *boot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || !s.current.alive() {
		return nil
	}
	return s.current
}

// ensure returns a boot that is ready for an event: the one that is there, or a
// new one. A first Init has its own time limit. When it fails, and whenever a
// process ended before, Init runs again inside the invocation and on its time,
// and the caller hears of its failure ("suppressed init").
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
func (s *sandbox) ensure(inv *invocation, phase string) (*boot, *failure) {
	s.starting.Lock()
	defer s.starting.Unlock()
	if b := s.running(); b != nil {
		return b, nil
	}
	if inv != nil {
		inv.cold = true
	}
	if !s.tried || inv == nil {
		s.tried = true
		b, took, bad := s.start(phase, s.fn.cfg.InitTimeout, "")
		if bad == nil && inv != nil {
			inv.initIn = took
		}
		if bad == nil || inv == nil {
			return b, bad
		}
	}
	inv.begin(s.fn.cfg.Timeout)
	_, deadline := inv.times()
	b, took, bad := s.start("invoke", max(time.Until(deadline), time.Nanosecond), inv.id)
	inv.initIn = took
	return b, bad
}

// start runs one Init. The boot is never nil; limit <= 0 is none.
func (s *sandbox) start(phase string, limit time.Duration, requestID string) (*boot, time.Duration, *failure) {
	b := newBoot(s.fn, s.id)
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over {
		return b, 0, platformFailure(requestID, errSandbox, "the function was shut down")
	}
	b.emit(Event{Type: InitStart, Phase: phase})
	b.platform(nil, "INIT_START Runtime Version: local")
	s.fn.coldStart()
	bad := s.initialise(b, phase, limit, requestID)
	took := time.Since(b.begun)
	if bad != nil {
		s.fn.initFailed()
		b.emit(Event{Type: InitError, Phase: phase, Duration: took, ErrorType: bad.typ, Error: bad.sentence()})
		return b, took, bad
	}
	b.emit(Event{Type: InitDone, Phase: phase, Duration: took})
	return b, took, nil
}

func (s *sandbox) initialise(b *boot, phase string, limit time.Duration, requestID string) *failure {
	name := s.fn.cfg.FunctionName
	api, err := s.fn.admit(b)
	if err != nil {
		return platformFailure(requestID, errSandbox, err.Error())
	}
	initType := "on-demand"
	if phase == "provisioned" {
		initType = "provisioned-concurrency"
	}
	if s.fn.cfg.PerSandbox > 1 {
		initType = "lambda-managed-instances"
	}
	temp, err := s.temp()
	if err != nil {
		return platformFailure(requestID, errSandbox, err.Error())
	}
	env := s.fn.cfg.environ(api, time.Now().UTC().Format("2006/01/02")+"/["+latest+"]"+s.id, initType, temp)
	if err := b.start(s.command, env); err != nil {
		s.fn.forget(b)
		f := startFailure(err, s.fn.cfg.Dir)
		g := platformFailure(requestID, f.typ, f.message)
		g.explain = fmt.Sprintf("function %q could not be started: %v", name, err)
		return g
	}
	s.mu.Lock()
	s.current = b
	s.mu.Unlock()

	var expired <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-b.ready:
		return nil
	case <-b.initBad:
		b.kill()
		return b.initErr
	case <-b.gone:
		return s.exitedInInit(b, requestID)
	case <-s.fn.abort:
		b.kill()
		return platformFailure(requestID, errSandbox, "the function was shut down")
	case <-expired:
		b.kill()
		f := platformFailure(requestID, errTimeout, fmt.Sprintf("Task timed out after %.2f seconds", limit.Seconds()))
		f.explain = fmt.Sprintf("function %q did not ask for its first event within %v: its Init takes too long, or main never reaches lambda.Start%s",
			name, limit.Round(time.Millisecond), b.lastWords(time.Time{}))
		return f
	}
}

// exitedInInit says in one sentence what happened to a process that ended before
// it asked for an event.
func (s *sandbox) exitedInInit(b *boot, requestID string) *failure {
	if b.initErr != nil {
		return b.initErr
	}
	if b.exitFatal != nil {
		return b.exitFatal
	}
	f := platformFailure(requestID, errExit, b.proc.exitReason())
	f.explain = fmt.Sprintf("function %q ended during Init (%s), before it asked for its first event%s", s.fn.cfg.FunctionName, plain(b.proc), b.lastWords(time.Time{}))
	if !b.crashed() { // a crash is not cured by this
		f.explain += "; main has to reach lambda.Start"
	}
	return f
}

// temp makes the sandbox's own directory, once.
func (s *sandbox) temp() (string, error) {
	if s.fn.cfg.TempDir == "" {
		return "", nil
	}
	dir := filepath.Join(s.fn.cfg.TempDir, s.id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("runtimeapi: the sandbox's temporary directory: %w", err)
	}
	return dir, nil
}

// end shuts the sandbox down for good.
func (s *sandbox) end(why string, abort <-chan struct{}) {
	s.mu.Lock()
	s.over = true
	b := s.current
	s.mu.Unlock()
	if b != nil {
		if b.alive() {
			b.terminate(why, abort)
		}
		<-b.gone
	}
	if s.fn.cfg.TempDir != "" {
		_ = os.RemoveAll(filepath.Join(s.fn.cfg.TempDir, s.id)) // what stays is below the caller's directory
	}
}

func (f *Function) coldStart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.ColdStarts++
}

func (f *Function) initFailed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.InitErrors++
}
