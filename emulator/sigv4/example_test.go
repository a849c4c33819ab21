package sigv4_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/sigv4"
)

// A request that AWS's own documentation signs, six minutes late.
func Example() {
	verifier := sigv4.New(sigv4.Config{
		Lookup: func(accessKeyID string) (sigv4.Credentials, bool) {
			return sigv4.Credentials{Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}, accessKeyID == "AKIDEXAMPLE"
		},
		Now: func() time.Time { return time.Date(2015, 8, 30, 12, 42, 0, 0, time.UTC) },
	})
	r, err := http.NewRequest("GET", "http://example.amazonaws.com/", nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Amz-Date", "20150830T123600Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "+
		"SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")

	_, err = verifier.Verify(r, sigv4.Endpoint{Service: "service", Regions: []string{"us-east-1"}})
	fmt.Println(err)
	// Output:
	// sigv4: expired: Signature expired: 20150830T123600Z is now earlier than 20150830T123700Z (20150830T124200Z - 5 min.)
}

// printed is v in every way in which a program prints.
func printed(t *testing.T, v any) []string {
	t.Helper()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return []string{fmt.Sprint(v), fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v), log.String(), string(j)}
}
