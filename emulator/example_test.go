package emulator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/service"
)

// An echo is the smallest service: what was sent is what is answered.
type echo struct{}

func (echo) SigningName() string        { return "echo" }
func (echo) Protocol() service.Protocol { return service.JSON11 }
func (echo) TargetPrefix() string       { return "Echo" }
func (echo) Call(_ context.Context, c *service.Call) (any, error) {
	return map[string]string{"said": string(c.Body)}, nil
}

// An unsigned request gets as far as it gets on AWS.
func Example() {
	ctx := context.Background()
	srv := emulator.New(emulator.Config{Services: []service.Service{echo{}}})
	if err := srv.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close(ctx)
	defer http.DefaultClient.CloseIdleConnections()

	r, err := http.NewRequestWithContext(ctx, "POST", srv.URL(), strings.NewReader("{}"))
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Header.Set("X-Amz-Target", "Echo.Say")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body), err)
	// Output:
	// 400 {"__type":"MissingAuthenticationTokenException","message":"Request is missing Authentication Token"} <nil>
}
