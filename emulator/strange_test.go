package emulator_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
)

func TestASuccessMayBeNoAnswer(t *testing.T) {
	for effect, good := range map[emulator.Effect]func(h http.Header, body string) bool{
		emulator.EmptySuccess: func(_ http.Header, body string) bool { return body == "{}" },
		emulator.NoBody:       func(_ http.Header, body string) bool { return body == "" },
		emulator.HTMLSuccess: func(h http.Header, body string) bool {
			return strings.HasPrefix(h.Get("Content-Type"), "text/html") && strings.HasPrefix(body, "<!DOCTYPE html>")
		},
		emulator.TruncatedSuccess: func(_ http.Header, body string) bool {
			return strings.HasPrefix(body, `{"ARN"`) && !strings.HasSuffix(body, "}")
		},
		emulator.ForeignSuccess: func(_ http.Header, body string) bool {
			return strings.Contains(body, `"Name":"foreign-prod/db"`) && strings.Contains(body, `-foreign"`) && strings.Contains(body, `"SecretString":"{\"Name\":\"x\"}"`)
		},
	} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			e := emulatortest.Start(t, emulatortest.Config{Seed: map[string]string{"prod/db": `{"Name":"x"}`}})
			e.Chaos().Add(emulator.Rule{Effect: effect})
			resp, err := e.HTTPClient().Do(signedGet(t, e))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || !good(resp.Header, string(body)) {
				t.Errorf("%d %v %s, %v", resp.StatusCode, resp.Header, body, err)
			}
			if r := e.Requests()[0]; r.Status != 200 || r.ErrorCode != "" || len(r.Chaos) != 1 {
				t.Errorf("record %+v; want a success with its chaos", r)
			}
		})
	}
}

// Only a success can be made foreign or be cut short; a refusal stays one.
func TestARefusalIsNotMadeForeign(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{})
	for _, effect := range []emulator.Effect{emulator.ForeignSuccess, emulator.TruncatedSuccess} {
		defer e.Chaos().Add(emulator.Rule{Effect: effect})()
		if err := get(t.Context(), client(e)); codeOf(err) != "ResourceNotFoundException" {
			t.Errorf("%s: %v; want ResourceNotFoundException", effect, err)
		}
	}
}

func TestARoleIsMadeForeign(t *testing.T) {
	e := emulatortest.Start(t, emulatortest.Config{})
	e.Chaos().Add(emulator.Rule{Effect: emulator.ForeignSuccess})
	cfg := e.Config()
	out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/r"), RoleSessionName: aws.String("session")})
	if err != nil || !strings.HasSuffix(aws.ToString(out.AssumedRoleUser.Arn), "-foreign") {
		t.Errorf("%+v, %v; want the ARN of another role", out, err)
	}
}

func TestAnAnswerIsCutAfterItsHeaders(t *testing.T) {
	for name, tls := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := emulatortest.Start(t, emulatortest.Config{TLS: tls, Seed: map[string]string{"prod/db": "x"}})
			e.Chaos().Add(emulator.Rule{Effect: emulator.CutResponse, Times: 1})
			c := e.HTTPClient()
			resp, err := c.Do(signedGet(t, e))
			if err != nil {
				t.Fatalf("%v; want the headers", err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil || len(body) == 0 || resp.StatusCode != 200 || resp.Proto != name {
				t.Errorf("%s %d %q, %v; want half of it and an error", resp.Proto, resp.StatusCode, body, err)
			}
			if tls == errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the error over %s is %v", name, err)
			}
			resp, err = c.Do(signedGet(t, e))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Errorf("the next one: %v; want a whole answer", err)
			}
		})
	}
}
