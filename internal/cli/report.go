package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	ui *ui

	mu    sync.Mutex
	words []string // the last lines of the function's output
	init  time.Duration
	names map[string]string // what a refused request asked for, by its id
}

func newReporter(u *ui) *reporter { return &reporter{ui: u, names: map[string]string{}} }

// say prints one line for people, with the time of day.
func (r *reporter) say(s style, word, format string, args ...any) {
	stamp := time.Now().Format("15:04:05")
	fmt.Fprintf(r.ui.out, "%s %s %s\n", r.ui.paint(dim, stamp), r.ui.paint(s, fmt.Sprintf("%-7s", word)), fmt.Sprintf(format, args...))
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
	Cold       bool      `json:"cold,omitempty"`
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

func (r *reporter) building(arg string) {
	if r.ui.json {
		r.emit(devEvent{Type: "build.start", What: arg})
	}
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
		if f.name == "ws" {
			row(f.name, "%s  (%s)", r.ui.paint(cyan, f.socketURL(s.cfg)), f.text(s.cfg))
			row("", "%s/@connections/…  (callback API; the function has it in %s)", f.url, callbackVar)
			continue
		}
		row(f.name, "%s  (%s)", r.ui.paint(cyan, f.url+f.stagePath(s.cfg)), f.text(s.cfg))
	}
	row("invoke", "middy invoke --url %s --event event.json", s.url)
	row("", "aws lambda invoke --endpoint-url %s --function-name %s /dev/stdout", s.url, s.program.Name)
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
	r.say(green, "seed", "%s is loaded; the function sees it when its values are due", shorten(file))
}

func (r *reporter) unchanged() {
	if r.ui.json {
		r.emit(devEvent{Type: "build.unchanged"})
		return
	}
	r.say(dim, "same", "the change makes no other program")
}

func (r *reporter) buildFailed(err error) {
	detail := ""
	if f, ok := errors.AsType[*failure](err); ok {
		detail = f.detail
	}
	if r.ui.json {
		r.emit(devEvent{Type: "build.failed", Message: err.Error(), Detail: detail})
		return
	}
	r.say(red, "broken", "%s; the last good build keeps running\n%s", err, indent(detail))
}

func (r *reporter) initFailed(err error) {
	if r.ui.json {
		r.emit(devEvent{Type: "init.failed", Message: err.Error()})
		return
	}
	r.say(red, "broken", "%s; the last good build keeps running", err)
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
// get them shorter.
func (r *reporter) line(l runtimeapi.Line) {
	if r.ui.json {
		r.ui.emit(struct {
			Type string `json:"type"`
			runtimeapi.Line
		}{"log", l})
		return
	}
	if l.Stream == "platform" {
		return
	}
	r.mu.Lock()
	r.words = append(r.words, l.Text)
	r.words = r.words[max(0, len(r.words)-20):]
	r.mu.Unlock()
	fmt.Fprintf(r.ui.out, "%s %s\n", r.ui.paint(dim, fmt.Sprintf("%8s |", short(l.RequestID))), l.Text)
}

func (r *reporter) event(e runtimeapi.Event) {
	if e.Type == runtimeapi.InitDone {
		r.mu.Lock()
		r.init = e.Duration
		r.mu.Unlock()
	}
	if r.ui.json {
		r.ui.emit(e)
	}
}

func (r *reporter) initDuration() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.init
}

// lastWords is what the function printed last; with people it is on the screen.
func (r *reporter) lastWords() string {
	r.mu.Lock()
	defer r.mu.Unlock()
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
	resp, err := p.fn.Invoke(ctx, req)
	if err != nil {
		p.r.end(devEvent{RequestID: req.RequestID, What: what, ErrorType: "refused", Message: clean(err)})
		return resp, err
	}
	if resp.Streamed {
		resp.Stream = &reportedStream{ReadCloser: resp.Stream, end: func() { p.r.answered(what, resp) }}
		return resp, nil
	}
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

func (r *reporter) answered(what string, resp *runtimeapi.Response) {
	e := devEvent{RequestID: resp.RequestID, What: what, DurationMs: milliseconds(resp.Duration),
		InitMs: milliseconds(resp.InitDuration), Cold: resp.Cold, ErrorType: resp.ErrorType, Message: resp.Explanation}
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
	if e.ErrorType != "" || e.Message != "" {
		color = red
		text += fmt.Sprintf(" failed: %s: %s", e.ErrorType, e.Message)
	} else if e.Status >= 500 {
		color = red
	}
	r.say(color, "END", "%s", text)
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
	text := clean(reason)
	if r.ui.json {
		r.emit(devEvent{Type: "warning", RequestID: requestID, Message: text})
		return
	}
	r.say(yellow, "door", "%s", text)
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
