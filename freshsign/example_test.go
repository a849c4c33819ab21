package freshsign_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/gomiddy/middy/freshsign"
)

// A request that was frozen after it was written is rejected, signed again, and accepted.
func ExampleConfig_Apply() {
	var frozen time.Duration // how far the world is ahead of this process
	service := func(r *http.Request) (*http.Response, error) {
		now := time.Now().UTC().Add(frozen)
		signed, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		status, body := 200, `{"SecretString":"s3cr3t"}`
		if now.Sub(signed) > 5*time.Minute {
			status, body = 400, `{"__type":"InvalidSignatureException","message":"Signature expired"}`
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewBufferString(body)), Request: r,
			Header: http.Header{"Date": {now.Format(http.TimeFormat)}, "Content-Type": {"application/x-amz-json-1.1"}}}, nil
	}
	first := true
	cfg := aws.Config{
		Region: "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "SECRET"}, nil
		}),
		HTTPClient: client(func(r *http.Request) (*http.Response, error) {
			if first { // Lambda freezes the sandbox for an hour, after the bytes have left for the kernel
				first, frozen = false, time.Hour
			}
			return service(r)
		}),
	}
	freshsign.Config{
		OnIncident: func(_ context.Context, i freshsign.Incident) { fmt.Println(i.Cause, "-", i.Outcome) },
		Clock:      func() (time.Time, time.Duration) { return time.Now().Add(frozen), frozen },
	}.Apply(&cfg)

	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("db")})
	fmt.Println(aws.ToString(out.SecretString), err)
	// Output:
	// freeze gap - healed
	// s3cr3t <nil>
}

type client func(*http.Request) (*http.Response, error)

func (f client) Do(r *http.Request) (*http.Response, error) { return f(r) }
