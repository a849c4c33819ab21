package middy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

const (
	// InitBudget is how long all Inits of a function may take together. Lambda
	// ends an on-demand init after 10 s:
	// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
	InitBudget = 8 * time.Second

	// CloseBudget is how long all Closers may take together. Lambda kills a
	// function with an internal extension 500 ms after SIGTERM (same page).
	CloseBudget = 400 * time.Millisecond

	// DescribeEnv is the environment variable that makes [Start] print the
	// function's [Manifest] as JSON on standard output and exit, before any
	// Init.
	DescribeEnv = "MIDDY_DESCRIBE"
)

// A Manifest is what a function says of itself.
type Manifest struct {
	// Event and Result are the handler's Go types.
	Event  string `json:"event"`
	Result string `json:"result"`
	// Layers are the middlewares' names, the outermost first.
	Layers []string `json:"layers"`
	// Permissions are the IAM statements that the middlewares need.
	Permissions []Permission `json:"permissions"`
}

// Manifest describes f without running any of it.
func (f *Function) Manifest() Manifest {
	m := Manifest{Event: f.event.String(), Result: f.result.String(), Layers: f.Layers(), Permissions: []Permission{}}
	for _, p := range f.permitters {
		m.Permissions = append(m.Permissions, p.Permissions()...)
	}
	return m
}

// Start assembles h and mw ([New]), runs all Inits, and then aws-lambda-go's
// loop. It does not return.
//
// What goes wrong before the first event is reported to Lambda as an init error,
// written to standard error in one line for each finding, and ends the process
// with status 1.
//
// SIGTERM is asked for, through an internal extension, only when a middleware is
// a [Closer].
func Start[E, R any](h func(context.Context, E) (R, error), mw ...Middleware) {
	f, err := New(h, mw...)
	// The loop returns only from here on, with the status of a failed start.
	os.Exit(start(f, err, process{os.Getenv, os.Stdout, os.Stderr, lambda.StartWithOptions}))
}

// process is what start needs of the world.
type process struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	loop           func(handler any, options ...lambda.Option)
}

func start(f *Function, err error, p process) (status int) {
	if err != nil {
		return p.fail("Function.Misfit", err)
	}
	if p.getenv(DescribeEnv) != "" {
		if err := json.NewEncoder(p.stdout).Encode(f.Manifest()); err != nil {
			return p.fail("Function.Describe", err)
		}
		return 0
	}
	if p.getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return p.fail("", errors.New("middy: this program is a Lambda function and there is no Lambda around it (AWS_LAMBDA_RUNTIME_API is not set); run it with: middy dev <its package>"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), InitBudget)
	err = f.Init(ctx)
	cancel()
	if err != nil {
		return p.fail("Function.Init", err)
	}
	var options []lambda.Option
	if len(f.closers) > 0 {
		options = append(options, lambda.WithEnableSIGTERM(func() { p.close(f) }))
	}
	p.loop(f.entry, options...)
	return 0
}

// close runs on SIGTERM.
func (p process) close(f *Function) {
	ctx, cancel := context.WithTimeout(context.Background(), CloseBudget)
	defer cancel()
	if err := f.Close(ctx); err != nil {
		fmt.Fprintln(p.stderr, err)
	}
}

// fail writes why there will be no first event, and tells Lambda where there is
// one.
func (p process) fail(errorType string, err error) (status int) {
	fmt.Fprintln(p.stderr, err)
	if api := p.getenv("AWS_LAMBDA_RUNTIME_API"); api != "" {
		if rerr := reportInitError(api, errorType, err); rerr != nil {
			fmt.Fprintln(p.stderr, "middy: the init error could not be reported to Lambda:", rerr)
		}
	}
	return 1
}

// reportInitError tells Lambda why there will be no first event:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror
func reportInitError(api, errorType string, err error) error {
	body, merr := json.Marshal(messages.InvokeResponse_Error{Message: err.Error(), Type: errorType})
	if merr != nil {
		return merr
	}
	req, rerr := http.NewRequest(http.MethodPost, "http://"+api+"/2018-06-01/runtime/init/error", bytes.NewReader(body))
	if rerr != nil {
		return rerr
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Lambda-Runtime-Function-Error-Type", errorType)
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{}} // no proxy
	resp, rerr := client.Do(req)
	if rerr != nil {
		return rerr
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// initGrace is how long an Init may take to notice that ctx ended.
const initGrace = 500 * time.Millisecond

// Init runs all Inits concurrently and returns when all have ended, or shortly
// after ctx ended. Every failure is in the error, with the name of its layer; so
// is every Init that did not return.
// [Start] calls it; tests and other runners do it themselves.
func (f *Function) Init(ctx context.Context) error {
	tasks := make([]func() error, len(f.initers))
	for i, in := range f.initers {
		tasks[i] = func() error { return in.value.Init(ctx) }
	}
	errs := together(ctx, initGrace, tasks...)
	for i, err := range errs {
		errs[i] = failure("init", f.initers[i].name, err, ctx)
	}
	f.clock.busy()
	return errors.Join(errs...)
}

// Close runs all Closers, the innermost first, and returns what failed. A closer
// that overruns ctx is named and left behind.
func (f *Function) Close(ctx context.Context) error {
	var errs []error
	for i := len(f.closers) - 1; i >= 0; i-- {
		c := f.closers[i]
		err := together(ctx, 0, func() error { return c.value.Close(ctx) })[0]
		errs = append(errs, failure("close", c.name, err, ctx))
	}
	return errors.Join(errs...)
}

// failure says what failed, and of which layer.
func failure(what, layer string, err error, ctx context.Context) error {
	switch err {
	case nil:
		return nil
	case errOverrun:
		return fmt.Errorf("middy: %s of %s did not end in its budget: %w", what, layer, ctx.Err())
	}
	return fmt.Errorf("middy: %s of %s: %w", what, layer, err)
}
