// Command probe does what the path asks for, so that a test sees how it is hosted.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gomiddy/middy/freshsign"
)

func main() {
	cfg := freshsign.FromEnv()
	buckets := s3.NewFromConfig(cfg, func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	functions := awslambda.NewFromConfig(cfg)
	lambda.Start(func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (map[string]any, error) {
		body, err := do(ctx, e, buckets, functions)
		if err != nil {
			body = "error: " + err.Error()
		}
		return map[string]any{"statusCode": 200, "body": body}, nil
	})
}

var memory int

func do(ctx context.Context, e events.APIGatewayV2HTTPRequest, buckets *s3.Client, functions *awslambda.Client) (string, error) {
	switch e.RawPath {
	case "/sleep":
		ms, err := strconv.Atoi(e.QueryStringParameters["ms"])
		time.Sleep(time.Duration(ms) * time.Millisecond)
		return "slept", err
	case "/count":
		memory++
		return fmt.Sprint(memory), nil
	case "/body":
		return fmt.Sprint(len(e.Body)), nil
	case "/write":
		wd, err := os.Getwd()
		if err != nil {
			return "", err
		}
		here := os.WriteFile("notes.db", []byte("x"), 0o600)
		there := os.WriteFile(filepath.Join(os.TempDir(), "notes.db"), []byte("x"), 0o600)
		return fmt.Sprintf("wd=%s task=%s tmp=%s here=%v there=%v", wd, os.Getenv("LAMBDA_TASK_ROOT"), os.TempDir(), here, there), nil
	case "/read":
		names, err := filepath.Glob("*")
		data, readErr := os.ReadFile("data.txt")
		return strings.Join(names, " ") + ": " + string(data), errors.Join(err, readErr)
	case "/s3":
		_, err := buckets.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("my-bucket"), Key: aws.String("a b/ü")})
		return "found", err
	case "/lambda":
		_, err := functions.Invoke(ctx, &awslambda.InvokeInput{FunctionName: aws.String("other")})
		return "called", err
	case "/print":
		fmt.Print("\x1b[31mred\x00\n" + strings.Repeat("x", 100_000) + "\n")
		return "printed", nil
	case "/env":
		return strings.Join(os.Environ(), "\n"), nil
	case "/crash":
		go func() { panic("a goroutine of its own") }()
		time.Sleep(time.Minute)
	}
	return "ok", nil
}
