package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	defaultPort = 3000
	// maxEvent is Lambda's limit for a buffered event, 6 MB.
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	maxEvent = 6 << 20
	// maxResult is what is read of an answer: the limit again, and room for the
	// error that says it was exceeded.
	maxResult = 8 << 20
)

func invokeCommand() command {
	return command{
		name:    "invoke",
		args:    "[--event FILE] [NAME]",
		summary: "call a function that middy dev runs",
		help: `Sends one event to a function and prints its result. middy dev serves one
function, so NAME is not needed; with it, another name is an error.

  middy invoke --event testdata/order.json
  echo '{"id":42}' | middy invoke --event -
  middy invoke --template rest --method POST --path /orders?limit=5 --body '{"id":42}'
  middy invoke --template sqs --body '{"id":42}'

Templates are the events of doors (http, http1, rest, url, alb, alb-multi, lattice,
lattice1, alb-health, alb-multi-health) and of services: ` + strings.Join(sampleNames(), ", ") + `.

Exit code 1 says that the function failed; its error is on stderr.`,
		run: runInvoke,
	}
}

func runInvoke(ctx context.Context, a *app, args []string) error {
	fs := flag.NewFlagSet("invoke", flag.ContinueOnError)
	file := fs.String("event", "", "`FILE` with the event as JSON, - for standard input; without it the event is {}")
	door := fs.String("template", "", "the event `NAME`: of a door, as rest or alb, or of a service, as sqs or s3")
	var s sample
	fs.StringVar(&s.method, "method", "", "`METHOD` of a door's template (default GET)")
	fs.StringVar(&s.path, "path", "", "`PATH` of a door's template, with its query (default /)")
	fs.StringVar(&s.body, "body", "", "`TEXT` of a template: the request's body, the message, the detail or the data")
	fs.StringVar(&s.region, "region", "us-east-1", "`REGION` in a template's ARNs")
	base := fs.String("url", fmt.Sprintf("http://127.0.0.1:%d", defaultPort), "`URL` that middy dev printed")
	timeout := fs.Duration("timeout", 15*time.Minute, "`DURATION` to wait for the answer")
	rest, err := a.parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("one function at a time; got %s", strings.Join(rest, ", "))
	}
	name := "function" // the name that AWS's own emulator serves
	if len(rest) == 1 {
		name = rest[0]
	}
	if *file != "" && *door != "" {
		return usagef("--event and --template are both an event; give one of them")
	}
	if *door == "" && s.method+s.path+s.body != "" {
		return usagef("--method, --path and --body are for --template")
	}
	event, err := readEvent(*file, a.stdin)
	if *door != "" {
		event, err = template(*door, s)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	defer a.ui.progress("waiting for the function")()
	return a.invoke(ctx, *base, name, event)
}

// readEvent reads and checks the event here, because only here is its file's name
// known.
func readEvent(file string, stdin io.Reader) ([]byte, error) {
	if file == "" {
		return []byte("{}"), nil
	}
	in, name := stdin, "the event on standard input"
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, failf("the event cannot be read: %w", err)
		}
		defer f.Close()
		in, name = f, file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxEvent+1))
	switch {
	case err != nil:
		return nil, failf("%s cannot be read: %w", name, err)
	case len(data) > maxEvent:
		return nil, failf("%s is larger than 6 MB, Lambda's limit for an event; put the data into S3 and send its key", name)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, failf("%s is empty; an event is a JSON value, at least {}", name)
	}
	if err := checkJSON(data); err != nil {
		return nil, failf("%s is not JSON: %w", name, err)
	}
	return data, nil
}

// checkJSON says where JSON breaks, in lines and columns from 1.
func checkJSON(data []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return err
	}
	end := min(max(int(syntax.Offset)-1, 0), len(data))
	before := data[:end]
	line := bytes.Count(before, []byte("\n")) + 1
	column := end - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, column %d: %s", line, column, syntax)
}

// invoke posts to Lambda's own Invoke API, which middy dev serves.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (a *app) invoke(ctx context.Context, base, name string, event []byte) error {
	target, err := url.Parse(base)
	if err != nil || target.Host == "" || target.Scheme == "" {
		return usagef("--url %q is not an address; it looks like http://127.0.0.1:%d", base, defaultPort)
	}
	target = target.JoinPath("2015-03-31/functions", url.PathEscape(name), "invocations")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(event))
	if err != nil {
		return failf("the request cannot be made: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{}} // no proxy, no kept connection
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return failf("no answer from %s in time; is the function waiting for something? see the output of middy dev", base)
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		return failf("nothing answers at %s; start the function with `middy dev ./pkg`, or name its address with --url (%w)", base, rootCause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResult))
	if err != nil {
		return failf("the answer of %s broke off: %w", base, rootCause(err))
	}
	return a.answer(resp, body, name)
}

func rootCause(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// functionError is the JSON of a failed invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/golang-exceptions.html
type functionError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (a *app) answer(resp *http.Response, body []byte, name string) error {
	if resp.StatusCode != http.StatusOK {
		var e struct{ Message, Type string }
		if json.Unmarshal(body, &e) != nil || e.Message == "" {
			return failf("the address answered %s, which is not Lambda's Invoke API; is --url the address that middy dev printed?", resp.Status)
		}
		return failf("function %s was not called: %s", name, e.Message)
	}
	kind := resp.Header.Get("X-Amz-Function-Error")
	if a.ui.json {
		a.ui.emit(struct {
			RequestID     string          `json:"requestId,omitempty"`
			FunctionError string          `json:"functionError,omitempty"`
			Payload       json.RawMessage `json:"payload"`
		}{resp.Header.Get("X-Amzn-Requestid"), kind, payload(body)})
	} else if kind == "" {
		_, _ = a.ui.out.Write(append(bytes.TrimRight(body, "\n"), '\n'))
	}
	if kind == "" {
		return nil
	}
	if !a.ui.json {
		var e functionError
		if err := json.Unmarshal(body, &e); err != nil || e.Message == "" && e.Type == "" {
			e = functionError{kind, string(body)}
		}
		fmt.Fprintf(a.ui.err, "middy invoke: the function failed: %s: %s\n", e.Type, e.Message)
	}
	return &exitError{exitFailed}
}

// payload keeps an answer that is not JSON (a function may stream anything) as a
// JSON string.
func payload(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	quoted, err := json.Marshal(string(body))
	if err != nil {
		return json.RawMessage("null")
	}
	return quoted
}
