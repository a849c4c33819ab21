package emulator_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gomiddy/middy/emulator/emulatortest"
)

// signedGet is a signed GetSecretValue for a client without an SDK, to see headers.
func signedGet(t *testing.T, e *emulatortest.Emulator) *http.Request {
	t.Helper()
	return signedTarget(t, e, "secretsmanager.GetSecretValue", `{"SecretId":"prod/db"}`)
}

func signedTarget(t *testing.T, e *emulatortest.Emulator, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", e.URL()+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	k := e.Session()
	sum := sha256.Sum256([]byte(body))
	creds := aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(sum[:]), "secretsmanager", e.Region(), time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}
