// Command queue takes messages of SQS.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	if os.Getenv("QUEUE_NAME") == "" && os.Getenv("NEEDS_QUEUE") != "" {
		panic("QUEUE_NAME is not set")
	}
	lambda.Start(func(_ context.Context, e events.SQSEvent) (string, error) {
		if os.Getenv("SLOW") != "" {
			time.Sleep(3500 * time.Millisecond)
		}
		for _, r := range e.Records {
			fmt.Println("message", r.Body, "from", r.EventSourceARN)
		}
		return fmt.Sprintf("%d messages", len(e.Records)), nil
	})
}
