package cli_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/gomiddy/middy/internal/cli"
)

// The whole command is one function, so that tests see what users see.
func ExampleRun() {
	event := strings.NewReader(`{"id": 42`)
	code := cli.Run(context.Background(), []string{"invoke", "--event", "-"}, event, os.Stdout, os.Stdout, nil)
	fmt.Println("exit code", code)
	// Output:
	// middy invoke: the event on standard input is not JSON: line 1, column 9: unexpected end of JSON input
	// exit code 1
}
