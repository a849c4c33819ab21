package emulator_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
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

// startLogged is start with a log of everything.
func startLogged(t *testing.T, w io.Writer) *emulatortest.Emulator {
	t.Helper()
	return emulatortest.Start(t, emulatortest.Config{
		Seed:   map[string]string{"prod/db": `{"password":"canary-value"}`},
		Logger: slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
}

// printAll is everything in every way in which a program prints.
func printAll(t *testing.T, values ...any) string {
	t.Helper()
	var b strings.Builder
	for _, v := range values {
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%v %+v %#v %s", v, v, v, j)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	}
	return b.String()
}
