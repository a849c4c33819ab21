package clients_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/secretsmanager"
	"github.com/gomiddy/middy/emulator/service"
)

// The simplest client there is has no signature, and is told so.
func Example() {
	aws := emulator.New(emulator.Config{Services: []service.Service{secretsmanager.New(secretsmanager.Config{})}})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if err := aws.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, aws.URL(), strings.NewReader(`{"SecretId":"prod/orders/db"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body))
	// Output:
	// 400 {"__type":"MissingAuthenticationTokenException","message":"Request is missing Authentication Token"}
}
