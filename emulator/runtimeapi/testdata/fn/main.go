// Command fn is the function of the emulator's tests: plain aws-lambda-go, with
// the behaviour that the event asks for.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	Text string `json:"text"`
	Size int    `json:"size"`
	Ms   int    `json:"ms"`
}

type orderRejected struct{ id string }

func (e *orderRejected) Error() string { return "order " + e.id + " was rejected" }

var invocations int

func handle(ctx context.Context, e event) (any, error) {
	invocations++
	switch e.Do {
	case "echo", "":
		return map[string]any{"text": e.Text}, nil
	case "raw":
		return json.RawMessage(e.Text), nil
	case "count":
		return invocations, nil
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "tenant": lc.TenantID,
			"client": lc.ClientContext.Client.AppTitle, "identity": lc.Identity.CognitoIdentityID,
			"deadline": deadline.UnixMilli(), "trace": os.Getenv("_X_AMZN_TRACE_ID"),
		}, nil
	case "env":
		return os.Environ(), nil
	case "error":
		return nil, errors.New(e.Text)
	case "typed-error":
		return nil, &orderRejected{e.Text}
	case "panic":
		panic(e.Text)
	case "exit":
		fmt.Fprintln(os.Stderr, "leaving early:", e.Text)
		os.Exit(3)
	case "quit":
		os.Exit(22)
	case "crash": // outside of what the runtime recovers
		go func() { panic(e.Text) }()
		time.Sleep(time.Hour)
	case "tmp":
		f, err := os.CreateTemp("", "")
		if err != nil {
			return nil, err
		}
		return f.Name(), f.Close()
	case "log":
		fmt.Println("on stdout:", e.Text)
		fmt.Fprint(os.Stderr, "on stderr, no line end: ", e.Text)
		return "logged", nil
	case "large":
		return strings.Repeat("x", e.Size), nil
	case "block": // until the deadline, and longer
		time.Sleep(time.Hour)
	case "wait":
		time.Sleep(time.Duration(e.Ms) * time.Millisecond)
		return "waited", nil
	}
	return nil, errors.New("unknown behaviour " + e.Do)
}

// endless keeps the runtime in Close.
type endless struct{ r io.Reader }

func (e *endless) Read(p []byte) (int, error) { return e.r.Read(p) }
func (*endless) Close() error                 { time.Sleep(time.Hour); return nil }

func stream(ctx context.Context, e event) (io.Reader, error) {
	if e.Do == "error" {
		return nil, errors.New(e.Text)
	}
	if e.Do == "late" { // answers, and never asks for the next event
		return &endless{strings.NewReader("answered")}, nil
	}
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, "first ")
		switch e.Do {
		case "break":
			_ = w.CloseWithError(&orderRejected{e.Text})
		case "exit":
			_, _ = io.WriteString(w, "second ") // taken up only after the first was sent
			os.Exit(3)
		case "block":
		default:
			_, _ = io.WriteString(w, "second "+strings.Repeat("x", e.Size))
			_ = w.Close()
		}
	}()
	return r, nil
}

func main() {
	switch os.Getenv("FN_INIT") {
	case "exit":
		fmt.Fprintln(os.Stderr, "config: DATABASE_URL is missing")
		os.Exit(2)
	case "block":
		time.Sleep(time.Hour)
	case "raw": // the test plays the runtime
		fmt.Println(os.Getenv("AWS_LAMBDA_RUNTIME_API"))
		time.Sleep(time.Hour)
	case "once": // the first Init fails, the second does not
		name := os.Getenv("FN_FILE")
		if _, err := os.Stat(name); err != nil {
			_ = os.WriteFile(name, nil, 0o600)
			os.Exit(2)
		}
	}
	switch os.Getenv("FN_MODE") {
	case "stream":
		lambda.Start(stream)
	case "sigterm":
		lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM(func() {
			fmt.Println("got SIGTERM")
			os.Exit(0)
		}))
	default:
		lambda.Start(handle)
	}
}
