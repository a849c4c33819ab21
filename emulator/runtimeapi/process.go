package runtimeapi

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// A process is the child, its process group and its two pipes.
type process struct {
	cmd      *exec.Cmd
	pid      int
	out, err *lineReader
	done     chan struct{} // closed when it is reaped and its output is read

	freezing sync.Mutex // held while a stop or its end is sent and confirmed

	mu       sync.Mutex // held while a signal is sent
	reaped   bool       // no more signals: the id may belong to somebody else
	frozen   bool
	frozenAt time.Time
}

// drainLimit bounds how long output is read after the process ended, for a
// grandchild that left the group and still holds the pipe.
const drainLimit = 250 * time.Millisecond

// startProcess starts the child. line is called by one goroutine per stream.
func startProcess(command []string, dir string, env []string, line func(stream, text string)) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.SysProcAttr = dir, env, sysProcAttr()
	var writers []*os.File
	for _, s := range []struct {
		name string
		to   **lineReader
	}{{"stdout", &p.out}, {"stderr", &p.err}} {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(writers)
			p.closePipes()
			return nil, err
		}
		writers = append(writers, w)
		*s.to = newLineReader(r, func(text string) { line(s.name, text) })
	}
	p.cmd.Stdout, p.cmd.Stderr = writers[0], writers[1]

	started := make(chan error, 1)
	go p.run(started)
	err := <-started
	closeAll(writers)
	if err != nil {
		p.closePipes()
		return nil, err
	}
	go p.out.loop()
	go p.err.loop()
	return p, nil
}

// run starts the process and stays until it is gone, on one thread: the child
// dies with the thread that forked it (PR_SET_PDEATHSIG, golang.org/issue/27505).
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = p.cmd.Process.Pid
	started <- nil

	waitable := awaitExit(p.pid) // not reaped yet, so that the group's id is still ours
	if !waitable {
		_ = p.cmd.Wait()
	}
	p.mu.Lock()
	_ = killGroup(p.pid) // what the process left behind
	p.reaped = true
	p.mu.Unlock()
	if waitable {
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}

	late := time.AfterFunc(drainLimit, func() { p.out.quit(); p.err.quit() })
	<-p.out.done
	<-p.err.done
	late.Stop()
	close(p.done)
}

func (p *process) closePipes() {
	for _, r := range []*lineReader{p.out, p.err} {
		if r != nil {
			_ = r.f.Close()
		}
	}
}

func closeAll(fs []*os.File) {
	for _, f := range fs {
		_ = f.Close()
	}
}

// drain returns when everything the process has written so far was read.
func (p *process) drain() {
	p.out.drain()
	p.err.drain()
}

// kill ends the group, also a frozen one, and returns when it is gone.
func (p *process) kill() {
	_ = p.signal(killGroup) // it fails when the process ends by itself
	<-p.done
}

// signal sends unless the process is gone. It never waits for a freeze.
func (p *process) signal(send func(pid int) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return nil
	}
	return send(p.pid)
}

// freeze stops the group and returns when the kernel has stopped it. It reports
// whether this call did it.
func (p *process) freeze() (bool, error) {
	p.freezing.Lock()
	defer p.freezing.Unlock()
	if p.gone() || p.isFrozen() {
		return false, nil
	}
	if err := p.stop(); err != nil {
		return false, err
	}
	p.setFrozen(true)
	return true, nil
}

// thaw continues the group. It reports whether this call did it, and how long
// the group was frozen.
func (p *process) thaw() (bool, time.Duration, error) {
	p.freezing.Lock()
	defer p.freezing.Unlock()
	if !p.isFrozen() {
		return false, 0, nil
	}
	if err := p.resume(); err != nil {
		return false, 0, err
	}
	p.setFrozen(false)
	return true, time.Since(p.frozenAt), nil
}

func (p *process) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reaped
}

func (p *process) setFrozen(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen = frozen; frozen {
		p.frozenAt = time.Now()
	}
}

func (p *process) isFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen && !p.reaped
}

// exitReason says how the process ended, in Lambda's words. Valid after done.
func (p *process) exitReason() string {
	s := p.cmd.ProcessState
	if s == nil || s.Success() {
		return "Runtime exited without providing a reason"
	}
	return "Runtime exited with error: " + s.String()
}

// maxLine is where Lambda cuts a line of output.
const maxLine = 256 << 10

// A lineReader cuts a pipe into lines.
type lineReader struct {
	f    *os.File
	emit func(string)
	done chan struct{}
	buf  []byte // only for loop's goroutine

	mu       sync.Mutex
	waiting  []chan struct{}
	finished bool
	quitting bool
}

func newLineReader(f *os.File, emit func(string)) *lineReader {
	return &lineReader{f: f, emit: emit, done: make(chan struct{})}
}

// longAgo as a deadline wakes a reader up.
func longAgo() time.Time { return time.Unix(1, 0) }

// loop reads until the pipe's end.
func (l *lineReader) loop() {
	chunk := make([]byte, 32<<10)
	for {
		n, err := l.f.Read(chunk)
		l.feed(chunk[:n])
		if err == nil {
			continue
		}
		if !os.IsTimeout(err) || !l.serve(chunk) {
			break
		}
	}
	l.flush()
	_ = l.f.Close()
	l.mu.Lock()
	l.finished = true
	waiting := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	for _, w := range waiting {
		close(w)
	}
	close(l.done)
}

// serve answers those who wait in drain: it reads what is there, without waiting
// for more. It reports whether to go on.
func (l *lineReader) serve(chunk []byte) bool {
	l.mu.Lock()
	waiting, quitting := l.waiting, l.quitting
	l.waiting = nil
	if !quitting {
		_ = l.f.SetReadDeadline(time.Time{})
	}
	l.mu.Unlock()
	more := !quitting
	for more {
		n, err := readNow(l.f, chunk)
		l.feed(chunk[:max(n, 0)])
		if n <= 0 || err != nil {
			break
		}
	}
	l.flush()
	for _, w := range waiting {
		close(w)
	}
	return more
}

// drain returns when everything that is in the pipe now was emitted.
func (l *lineReader) drain() {
	l.mu.Lock()
	if l.finished {
		l.mu.Unlock()
		return
	}
	if err := l.f.SetReadDeadline(longAgo()); err != nil { // no deadlines here
		l.mu.Unlock()
		return
	}
	w := make(chan struct{})
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	<-w
}

func (l *lineReader) quit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.finished {
		l.quitting = true
		_ = l.f.SetReadDeadline(longAgo())
	}
}

func (l *lineReader) feed(data []byte) {
	l.buf = append(l.buf, data...)
	rest := l.buf
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 && len(rest) <= maxLine {
			break
		}
		if end < 0 || end > maxLine {
			l.emit(string(rest[:maxLine]))
			rest = rest[maxLine:]
			continue
		}
		l.emit(string(bytes.TrimSuffix(rest[:end], []byte("\r"))))
		rest = rest[end+1:]
	}
	l.buf = append(l.buf[:0], rest...)
}

func (l *lineReader) flush() {
	if len(l.buf) > 0 {
		l.emit(string(l.buf))
		l.buf = l.buf[:0]
	}
}
