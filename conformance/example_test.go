package conformance_test

import (
	"encoding/json"
	"fmt"

	"github.com/gomiddy/middy/conformance"
)

// Two results are equal when a client cannot tell them apart.
func ExampleEqual() {
	middy := json.RawMessage(`{"response":{"statusCode":200,"headers":{"Content-Type":"text/plain"},"body":"hi"}}`)
	ours := json.RawMessage(`{"response":{"statusCode":200,"headers":{"content-type":"text/plain"},"body":"aGk=","isBase64Encoded":true}}`)
	other := json.RawMessage(`{"response":{"statusCode":200,"headers":{},"body":"hi"}}`)
	fmt.Println(conformance.Equal(middy, ours), conformance.Equal(middy, other))
	// Output: true false
}
