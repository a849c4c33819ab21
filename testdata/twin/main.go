// Command twin is one handler on aws-lambda-go and on ours: with PLAIN=1 it runs
// under lambda.Start, otherwise under middy.Start with a few layers.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/gomiddy/middy"
)

type event struct {
	Do string `json:"do"`
}

type notFound struct{}

func (notFound) Error() string { return "no such order" }

type result struct {
	Text string         `json:"text"`
	Any  map[string]any `json:"any,omitempty"`
}

func handle(_ context.Context, e event) (any, error) {
	switch e.Do {
	case "success":
		return result{Text: "<a> & \u2028", Any: map[string]any{"n": 1.5, "a": nil}}, nil
	case "null":
		return nil, nil
	case "error":
		return nil, notFound{}
	case "words":
		return nil, errors.New("only words")
	case "panic":
		panic("boom")
	case "panic with an error":
		panic(fmt.Errorf("wrapped: %w", notFound{}))
	case "nil reader":
		return (*bytes.Buffer)(nil), nil
	case "panic of the encoder":
		return marshaler{}, nil
	case "panic of the stream":
		return io.MultiReader(strings.NewReader("begun"), panicking{}), nil
	case "goexit":
		runtime.Goexit()
	case "too large":
		return strings.Repeat("x", 7<<20), nil
	case "stream":
		return strings.NewReader(strings.Repeat("chunk ", 10000)), nil
	case "mid-stream error":
		return io.MultiReader(strings.NewReader("begun"), failing{}), nil
	}
	return nil, fmt.Errorf("twin does not know %q", e.Do)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, notFound{} }

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic(notFound{}) }

type marshaler struct{}

func (marshaler) MarshalJSON() ([]byte, error) { panic("boom") }

func main() {
	if os.Getenv("PLAIN") != "" {
		lambda.Start(handle)
		return
	}
	pass := middy.Func(func(next middy.Handler) middy.Handler {
		return func(ctx context.Context, inv *middy.Invocation) (any, error) { return next(ctx, inv) }
	})
	if os.Getenv("MISFIT") != "" {
		middy.Start(handle, pass, nil)
	}
	if os.Getenv("UNDER_LAMBDA_START") != "" {
		f, err := middy.New(handle, &middy.Timeout{}, pass, middy.Hooks{})
		if err != nil {
			panic(err)
		}
		lambda.Start(f)
	}
	if os.Getenv("NO_TIMEOUT") != "" {
		middy.Start(handle, pass)
	}
	middy.Start(handle, &middy.Timeout{}, pass, middy.Hooks{})
}
