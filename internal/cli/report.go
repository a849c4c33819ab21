package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/emulator/secretsmanager"
)

// A reporter tells what happens in a session: lines for people, or with --json one
// object a line, with "time" and "type" in each.
//
// It sits between the doors and the function (see [reporter.invoke]), because only
// there the request, the answer and the invocation's id meet.
type reporter struct {
	ui      *ui
	verbose bool

	mu      sync.Mutex
	booting string   // the sandbox of a build that comes up
	words   []string // what it printed last, or first of a crash
	crash   bool     // the Go runtime explains in words why the process ends
	init    time.Duration
	names   map[string]string // what a refused request asked for, by its id
}

func newReporter(u *ui) *reporter { return &reporter{ui: u, names: map[string]string{}} }

// say prints one line for people, with the time of day.
func (r *reporter) say(s style, word, format string, args ...any) {
	stamp := time.Now().Format("15:04:05")
	text := visibleLines(fmt.Sprintf(format, args...)) // names, paths and errors come from elsewhere
	fmt.Fprintf(r.ui.out, "%s %s %s\n", r.ui.paint(dim, stamp), r.ui.paint(s, fmt.Sprintf("%-7s", word)), text)
}

// A devEvent is one line of --json besides those of the Runtime API itself.
type devEvent struct {
	Time       time.Time `json:"time"`
	Type       string    `json:"type"`
	Function   string    `json:"function,omitempty"`
	URL        string    `json:"url,omitempty"`
	AWS        string    `json:"aws,omitempty"`
	Env        string    `json:"env,omitempty"`
	Front      string    `json:"front,omitempty"`
	Fronts     []door    `json:"fronts,omitempty"`
	File       string    `json:"file,omitempty"`
	RequestID  string    `json:"requestId,omitempty"`
	What       string    `json:"what,omitempty"`
	Resource   string    `json:"resource,omitempty"`
	Status     int       `json:"status,omitempty"`
	DurationMs float64   `json:"durationMs,omitempty"`
	BuildMs    float64   `json:"buildMs,omitempty"`
	InitMs     float64   `json:"initMs,omitempty"`
	WaitedMs   float64   `json:"waitedMs,omitempty"`
	Cold       bool      `json:"cold,omitempty"`
	PID        int       `json:"pid,omitempty"`
	Payload    string    `json:"payload,omitempty"`
	ErrorType  string    `json:"errorType,omitempty"`
	Message    string    `json:"message,omitempty"`
	Detail     string    `json:"detail,omitempty"`
}

// A door is one front door in --json. Callback is a WebSocket API's.
type door struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Callback string `json:"callback,omitempty"`
}

func doors(fronts []front, c *devConfig) []door {
	var list []door
	for _, f := range fronts {
		if f.name == noFront {
			continue
		}
		d := door{Name: f.name, URL: f.url}
		if f.name == "ws" {
			d.URL, d.Callback = f.socketURL(c), f.url
		}
		list = append(list, d)
	}
	return list
}

func (r *reporter) emit(e devEvent) {
	e.Time = time.Now()
	r.ui.emit(e)
}

func (r *reporter) building(arg string, first bool) {
	switch {
	case r.ui.json:
		r.emit(devEvent{Type: "build.start", What: arg})
	case first:
		r.say(dim, "build", "%s; the first build on a machine compiles every package, and can take minutes", arg)
	}
}

// warn reports what is wrong and keeps nothing from going on.
func (r *reporter) warn(text string) {
	if r.ui.json {
		r.emit(devEvent{Type: "warning", Message: text})
		return
	}
	r.say(yellow, "warn", "%s", text)
}

// debug says how a debugger gets at the function.
func (r *reporter) debug(fn *runtimeapi.Function) {
	for _, s := range fn.Stats().Sandboxes {
		if r.ui.json {
			r.emit(devEvent{Type: "debug", PID: s.PID})
			continue
		}
		r.say(cyan, "debug", "dlv attach %d", s.PID)
	}
}

// notEmulated reports a call to a service that is not here.
func (r *reporter) notEmulated(service, text string) {
	if r.ui.json {
		r.emit(devEvent{Type: "aws.notEmulated", What: service, Message: text})
		return
	}
	r.say(red, "aws", "%s", text)
}

func (r *reporter) ready(s *session, took time.Duration) {
	if r.ui.json {
		r.emit(devEvent{Type: "ready", Function: s.program.Name, URL: s.url, AWS: s.aws.url, Env: s.envFile, Front: s.fronts[0].name, Fronts: doors(s.fronts, s.cfg),
			BuildMs: milliseconds(took), InitMs: milliseconds(r.initDuration())})
		return
	}
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %s %s\n", r.ui.paint(dim, fmt.Sprintf("%-9s", name)), fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s is ready: built in %s, init %s\n\n", r.ui.paint(bold, s.program.Name), duration(took), duration(r.initDuration()))
	for _, f := range s.fronts {
		if f.name == noFront {
			row("door", "none: %s", cmp.Or(s.why, "the Invoke API alone"))
			continue
		}
		if f.name == "ws" {
			row(f.name, "%s  (%s)", r.ui.paint(cyan, f.socketURL(s.cfg)), f.text(s.cfg))
			row("", "%s/@connections/…  (callback API; the function has it in %s)", f.url, callbackVar)
			continue
		}
		row(f.name, "%s  (%s)", r.ui.paint(cyan, f.url+f.stagePath(s.cfg)), f.text(s.cfg))
	}
	row("invoke", "middy invoke --url %s --event event.json", s.url)
	row("", "aws lambda invoke --endpoint-url %s --region %s --no-sign-request --function-name %s /dev/stdout", s.url, s.aws.region, s.program.Name)
	row("aws", "%s  (%s)", s.aws.url, s.aws.summary)
	row("shell", ". %s  (points the AWS CLI and SDKs here)", s.envFile)
	b.WriteByte('\n')
	_, _ = io.WriteString(r.ui.out, b.String())
}

func (r *reporter) watching(dirs int, polls bool) {
	if r.ui.json {
		r.emit(devEvent{Type: "watching"})
		return
	}
	how := ""
	if polls {
		how = " by polling, for this system refuses to notify"
	}
	noun := "directories"
	if dirs == 1 {
		noun = "directory"
	}
	r.say(dim, "watch", "%d %s%s; Ctrl-C ends it", dirs, noun, how)
}

func (r *reporter) changed(name string) {
	if r.ui.json {
		r.emit(devEvent{Type: "changed", File: shorten(name)})
		return
	}
	r.say(dim, "change", "%s", shorten(name))
}

func (r *reporter) settingChanged(name string) {
	text := shorten(name) + " changed; start middy dev again to load it"
	if r.ui.json {
		r.emit(devEvent{Type: "warning", File: shorten(name), Message: text})
		return
	}
	r.say(yellow, "warn", "%s", text)
}

// seeded reports that a changed seed file was read.
func (r *reporter) seeded(file string, err error) {
	detail, text := "", ""
	if err != nil {
		text = err.Error() + "; secrets and parameters stay as they are"
		if f, ok := errors.AsType[*failure](err); ok {
			detail = f.detail
		}
	}
	if r.ui.json {
		r.emit(devEvent{Type: "seeded", File: shorten(file), Message: text, Detail: detail})
		return
	}
	if err != nil {
		r.say(red, "broken", "%s\n%s", text, indent(detail))
		return
	}
	r.say(green, "seed", "%s is loaded; the next invocation finds a new sandbox", shorten(file))
}

func (r *reporter) unchanged() {
	if r.ui.json {
		r.emit(devEvent{Type: "build.unchanged"})
		return
	}
	r.say(dim, "same", "the build is the same as before; the function keeps running")
}

// broken reports a build that does not come up; goes is what happens meanwhile, or
// "" when there is no other build.
func (r *reporter) broken(err error, goes string) {
	kind, detail := "build.failed", ""
	if f, ok := errors.AsType[*failure](err); ok {
		detail = f.detail
		if _, exit := errors.AsType[*exec.ExitError](f.err); f.err != nil && !exit {
			kind = "init.failed"
		}
	}
	if r.ui.json {
		r.emit(devEvent{Type: kind, Message: err.Error(), Detail: detail})
		return
	}
	r.say(red, "broken", "%s; %s\n%s", err, cmp.Or(goes, "the next edit is tried"), indent(detail))
}

// live reports a swap: how long the build took, and the whole way from the notice
// of the edit.
func (r *reporter) live(build, total time.Duration) {
	if r.ui.json {
		r.emit(devEvent{Type: "live", BuildMs: milliseconds(build), DurationMs: milliseconds(total), InitMs: milliseconds(r.initDuration())})
		return
	}
	r.say(green, "live", "built in %s, init %s, new build answers after %s", duration(build), duration(r.initDuration()), duration(total))
}

func (r *reporter) stopped() {
	if r.ui.json {
		r.emit(devEvent{Type: "stopped"})
		return
	}
	if r.ui.live {
		_, _ = io.WriteString(r.ui.out, "\n")
	}
	r.say(dim, "stopped", "every process of the function has ended")
}

// line passes the function's output on. Lambda's own lines are for --json: people
// get them shorter. What the Go runtime says of a build that crashes as it comes up is
// kept for the report of that.
func (r *reporter) line(l runtimeapi.Line) {
	if l.Stream != "platform" && r.keep(l) && !r.ui.json || l.Stream == "platform" && (!r.ui.json || !r.verbose) {
		return
	}
	if r.ui.json {
		r.ui.emit(struct {
			Type string `json:"type"`
			runtimeapi.Line
		}{"log", l})
		return
	}
	fmt.Fprintf(r.ui.out, "%s %s\n", r.ui.paint(dim, fmt.Sprintf("%8s |", short(l.RequestID))), visible(l.Text))
	if readOnlyError(l.Text) {
		r.warn(readOnlyHint)
	}
}

// keep keeps a line of the build that comes up, and says whether to show it later.
func (r *reporter) keep(l runtimeapi.Line) bool {
	const last, first = 20, 40
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.SandboxID != r.booting {
		return false
	}
	switch {
	case r.crash:
		if len(r.words) < first {
			r.words = append(r.words, l.Text)
		}
	case strings.HasPrefix(l.Text, "panic: "), strings.HasPrefix(l.Text, "fatal error: "):
		r.crash, r.words = true, nil // the sentence before the words has this line
	default:
		r.words = append(r.words, l.Text)
		r.words = r.words[max(0, len(r.words)-last):]
	}
	return r.crash
}

// readOnlyHint goes with an error of a function that writes where Lambda forbids it.
const readOnlyHint = "the function's own directory is read-only, as on Lambda: write below os.TempDir()"

func readOnlyError(text string) bool {
	return strings.Contains(text, "permission denied") && (strings.Contains(text, "open ") || strings.Contains(text, "mkdir ") || strings.Contains(text, "create")) ||
		strings.Contains(text, "read-only file system") || strings.Contains(text, "attempt to write a readonly database")
}

// chatter are the steps that every invocation has, and that its start and end lines
// tell shorter.
var chatter = []runtimeapi.EventType{runtimeapi.InvokeStart, runtimeapi.ResponseSent, runtimeapi.InvokeDone, runtimeapi.Frozen, runtimeapi.Thawed}

func (r *reporter) event(e runtimeapi.Event) {
	r.mu.Lock()
	switch {
	case e.Type == runtimeapi.InitStart && e.Phase == "provisioned":
		r.booting, r.words, r.crash = e.SandboxID, nil, false
	case e.Type == runtimeapi.InitDone && e.SandboxID == r.booting:
		r.init, r.booting = e.Duration, ""
	case e.Type == runtimeapi.InitError && e.SandboxID == r.booting:
		r.booting = ""
	}
	r.mu.Unlock()
	if r.ui.json && (r.verbose || !slices.Contains(chatter, e.Type)) {
		r.ui.emit(e)
	}
}

func (r *reporter) initDuration() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.init
}

// lastWords is what the build that did not come up printed: the trace of a crash or,
// for machines, its last lines. People have those on the screen.
func (r *reporter) lastWords() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.crash && !r.ui.json {
		return ""
	}
	return strings.Join(r.words, "\n")
}

func short(requestID string) string { return requestID[:min(8, len(requestID))] }

// reported is the function as the doors see it.
type reported struct {
	fn runtimeapi.Invoker
	r  *reporter
}

// Invoke is fn's, with a START line before and an END line behind.
func (p reported) Invoke(ctx context.Context, req runtimeapi.Request) (*runtimeapi.Response, error) {
	if req.RequestID == "" {
		req.RequestID = runtimeapi.NewRequestID()
	}
	what := whatIs(req.Payload)
	p.r.start(req.RequestID, what)
	p.r.show("event", req.RequestID, req.Payload)
	resp, err := p.fn.Invoke(ctx, req)
	if err != nil {
		p.r.end(devEvent{RequestID: req.RequestID, What: what, ErrorType: "refused", Message: clean(err)})
		return resp, err
	}
	if resp.Streamed {
		resp.Stream = &reportedStream{ReadCloser: resp.Stream, end: func() { p.r.answered(what, resp) }}
		return resp, nil
	}
	p.r.show("result", resp.RequestID, resp.Payload)
	p.r.answered(what, resp)
	return resp, nil
}

// reportedStream writes the END line when the caller has read the stream.
type reportedStream struct {
	io.ReadCloser
	once sync.Once
	end  func()
}

func (s *reportedStream) Close() error {
	err := s.ReadCloser.Close()
	s.once.Do(s.end)
	return err
}

func (r *reporter) start(id, what string) {
	if r.ui.json {
		r.emit(devEvent{Type: "start", RequestID: id, What: what})
		return
	}
	r.say(cyan, "START", "%s %s", short(id), what)
}

// show prints an event or a response with --verbose, bounded.
func (r *reporter) show(what, id string, payload []byte) {
	switch {
	case !r.verbose:
	case r.ui.json:
		text := string(payload[:min(len(payload), maxShown)])
		r.emit(devEvent{Type: what, RequestID: id, Payload: text})
	default:
		r.say(dim, strings.ToUpper(what), "%s %s", short(id), bytes.ReplaceAll(payload, []byte("\n"), []byte(`\n`)))
	}
}

func (r *reporter) answered(what string, resp *runtimeapi.Response) {
	e := devEvent{RequestID: resp.RequestID, What: what, DurationMs: milliseconds(resp.Duration),
		InitMs: milliseconds(resp.InitDuration), WaitedMs: milliseconds(resp.Waited), Cold: resp.Cold, ErrorType: resp.ErrorType, Message: resp.Explanation}
	if resp.FunctionError == "" {
		e.Status = statusOf(resp.Payload)
		e.ErrorType, e.Message = "", ""
	} else if e.Message == "" {
		e.Message = resp.ErrorMessage
	}
	r.end(e)
}

func (r *reporter) end(e devEvent) {
	e.Type = "end"
	if r.ui.json {
		r.emit(e)
		return
	}
	color, text := green, short(e.RequestID)
	if e.Status != 0 {
		text += fmt.Sprintf(" %d", e.Status)
	}
	text += " " + duration(time.Duration(e.DurationMs*float64(time.Millisecond)))
	if e.InitMs > 0 {
		text += ", init " + duration(time.Duration(e.InitMs*float64(time.Millisecond)))
	}
	if e.WaitedMs >= 10 { // less is a sandbox that had just answered

		text += ", waited " + duration(time.Duration(e.WaitedMs*float64(time.Millisecond))) + " for a sandbox"
	}
	if e.ErrorType != "" || e.Message != "" {
		color = red
		text += fmt.Sprintf(" failed: %s: %s", e.ErrorType, e.Message)
	} else if e.Status >= 500 {
		color = red
	}
	r.say(color, "END", "%s", text)
	if e.ErrorType != "refused" && readOnlyError(e.Message) {
		r.warn(readOnlyHint)
	}
}

// whatIs names an event by what is in every event of a front door, or by its size.
func whatIs(event []byte) string {
	var e struct {
		HTTPMethod, Method, Path string
		RawPath                  string `json:"raw_path"`
		RequestContext           struct {
			HTTP                              struct{ Method, Path string }
			RouteKey, EventType, ConnectionID string
		}
	}
	if json.Unmarshal(event, &e) == nil {
		c := e.RequestContext
		switch {
		case c.ConnectionID != "":
			return fmt.Sprintf("%s %s", c.RouteKey, c.ConnectionID)
		case c.HTTP.Method != "":
			return c.HTTP.Method + " " + c.HTTP.Path
		case e.HTTPMethod != "" && e.Path != "":
			return e.HTTPMethod + " " + e.Path
		case e.Method != "" && e.Path+e.RawPath != "":
			return e.Method + " " + e.Path + e.RawPath
		}
	}
	return fmt.Sprintf("event of %d bytes", len(event))
}

// statusOf is the statusCode of an HTTP answer, or 0.
func statusOf(payload []byte) int {
	var e struct{ StatusCode int }
	if json.Unmarshal(payload, &e) != nil {
		return 0
	}
	return e.StatusCode
}

// doorWarning tells why the front door answered other than the function meant. A
// function's failure has its own END line.
func (r *reporter) doorWarning(requestID string, reason error) {
	if errors.Is(reason, frontdoor.ErrFunction) {
		return
	}
	text := doubt(reason)
	if r.ui.json {
		r.emit(devEvent{Type: "warning", RequestID: requestID, Message: text})
		return
	}
	r.say(yellow, "door", "%s", text)
}

// doubt is a door's reason in the words of somebody who can change something.
func doubt(reason error) string {
	text := strings.TrimPrefix(clean(reason), clean(frontdoor.ErrLenient)+": ")
	if strings.Contains(text, "binary media types") {
		text += ": start with --binary '*/*', and set binaryMediaTypes on the API"
	}
	return text
}

// asked keeps what a refused request was about until its record comes, which is
// at once, and no more than a few for one that never does.
func (r *reporter) asked(requestID string, body []byte) {
	name := resourceIn(body)
	if name == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) > 100 {
		clear(r.names)
	}
	r.names[requestID] = name
}

func (r *reporter) askedFor(requestID string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := r.names[requestID]
	delete(r.names, requestID)
	return name
}

// refused reports a request that the emulated AWS turned down: the function only
// sees its client's error, and that often comes too late or not at all.
func (r *reporter) refused(q emulator.Record) {
	if q.ErrorCode == "" {
		return
	}
	r.awsRefused(devEvent{What: q.Service + " " + q.Operation, Resource: r.askedFor(q.RequestID), RequestID: q.RequestID, Status: q.Status, ErrorType: q.ErrorCode, Message: q.Reason})
}

// batchErrors reports the items of a BatchGetSecretValue that were refused one by
// one, in an answer that is a success.
func (r *reporter) batchErrors(result any) {
	data, err := json.Marshal(result)
	if err != nil {
		return
	}
	var out struct {
		Errors []struct{ SecretID, ErrorCode string }
	}
	if json.Unmarshal(data, &out) != nil {
		return
	}
	for _, e := range out.Errors {
		r.awsRefused(devEvent{What: "secretsmanager BatchGetSecretValue", Resource: e.SecretID, ErrorType: e.ErrorCode})
	}
}

func (r *reporter) awsRefused(e devEvent) {
	e.Type = "aws.refused"
	if r.ui.json {
		r.emit(e)
		return
	}
	text := e.What
	if e.Resource != "" {
		text += fmt.Sprintf(" of %q", e.Resource)
	}
	text += " answered " + e.ErrorType
	if e.Message != "" {
		text += " (" + e.Message + ")"
	}
	r.say(yellow, "aws", "%s", text)
}

// rotated reports the end of a rotation.
func (r *reporter) rotated(done secretsmanager.Rotation) {
	e := devEvent{Type: "rotated", Resource: done.ARN}
	if done.Err != nil {
		e.Message = fmt.Sprintf("%s: %s", done.Step, clean(done.Err))
	}
	switch {
	case r.ui.json:
		r.emit(e)
	case done.Err != nil:
		r.say(red, "rotate", "%s failed in %s; AWSCURRENT stays as it is", done.ARN, e.Message)
	default:
		r.say(green, "rotate", "%s has a new AWSCURRENT", done.ARN)
	}
}
