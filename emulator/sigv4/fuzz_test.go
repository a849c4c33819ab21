package sigv4_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/sigv4"
)

// FuzzAuthorization: whatever the header holds, Verify refuses with one of its
// own errors, and without the secret it never accepts.
func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=ASIAPEER/20260228/eu-central-1/secretsmanager/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20260228T235930Z")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f,SignedHeaders=;;,Signature=zz", "Sat, 28 Feb 2026 23:59:30 GMT")
	f.Add("AWS4- Credential, =, ,,", "")
	f.Add("AWS4-HMAC-SHA256 Credential=ASIAPEER/20260228/eu-central-1/secretsmanager/aws4_request/ SignedHeaders=Host;HOST;x-amz-date Signature=", "20260228T235930Z")
	f.Fuzz(func(t *testing.T, auth, date string) {
		r := &http.Request{Method: "POST", Host: "h", URL: &url.URL{Path: "/"}, Header: http.Header{"Authorization": {auth}, "X-Amz-Date": {date}}}
		_, err := peerVerifier(peerTime).Verify(r, peerEndpoint)
		refused, ok := errors.AsType[*sigv4.Error](err)
		if !ok {
			t.Fatalf("accepted, or failed otherwise: %v", err)
		}
		for _, d := range []sigv4.Dialect{sigv4.JSON, sigv4.Query, sigv4.S3} {
			if refused.Code(d) == "" || refused.Message(d) == "" || refused.Status(d) < 400 {
				t.Errorf("dialect %d: %q, %q, %d", d, refused.Code(d), refused.Message(d), refused.Status(d))
			}
		}
		if _, sig, ok := strings.Cut(auth, "Signature="); ok && len(sig) > 60 && strings.Contains(refused.Error(), sig) {
			t.Errorf("the signature is in the error: %v", refused)
		}
	})
}

// FuzzQuery does the same for presigned URLs.
func FuzzQuery(f *testing.F) {
	f.Add("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAPEER%2F20260228%2Feu-central-1%2Fsecretsmanager%2Faws4_request&X-Amz-Date=20260228T235930Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=peer-token%2B%2F%3D&X-Amz-Signature=00")
	f.Add("X-Amz-Algorithm=&X-Amz-Algorithm=%zz")
	f.Add("&&=&%3D=%26&X-Amz-Algorithm")
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{Method: "GET", Host: "h", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}}
		_, err := peerVerifier(peerTime).Verify(r, peerEndpoint)
		if !errors.Is(err, sigv4.ErrRefused) {
			t.Fatalf("accepted, or failed otherwise: %v", err)
		}
	})
}

func TestSentencesAreAWSs(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse("20060102T150405Z", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct{ got, want string }{
		{sigv4.ExpiredMessage(at("20250116T095814Z"), at("20250116T100315Z"), 5*time.Minute),
			"Signature expired: 20250116T095814Z is now earlier than 20250116T095815Z (20250116T100315Z - 5 min.)"},
		{sigv4.NotYetCurrentMessage(at("20230804T000000Z"), at("20230803T171733Z"), 5*time.Minute),
			"Signature not yet current: 20230804T000000Z is still later than 20230803T172233Z (20230803T171733Z + 5 min.)"},
		{sigv4.ExpiredMessage(at("20250116T100000Z"), at("20250116T100010Z"), 2*time.Second),
			"Signature expired: 20250116T100000Z is now earlier than 20250116T100008Z (20250116T100010Z - 2 sec.)"},
	} {
		if tc.got != tc.want {
			t.Errorf("got  %s\nwant %s", tc.got, tc.want)
		}
	}
}

// TestCodesPerDialect holds the three vocabularies, by name.
func TestCodesPerDialect(t *testing.T) {
	for reason, want := range map[string][2]string{
		"unknown key": {"UnrecognizedClientException", "InvalidClientTokenId"},
		"expired":     {"InvalidSignatureException", "SignatureDoesNotMatch"},
		"missing":     {"MissingAuthenticationTokenException", "MissingAuthenticationToken"},
	} {
		s, v := baseSpec(), peerVerifier(peerTime)
		switch reason {
		case "unknown key":
			s.creds.AccessKeyID = "AKIANOBODY"
		case "expired":
			s.at = s.at.Add(-time.Hour)
		}
		r := overWire(t, s.signed(t))
		if reason == "missing" {
			r.Header.Del("Authorization")
		}
		_, err := v.Verify(r, peerEndpoint)
		refused, ok := errors.AsType[*sigv4.Error](err)
		if !ok || refused.Reason.String() != reason || refused.Code(sigv4.JSON) != want[0] || refused.Code(sigv4.Query) != want[1] {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	c := sigv4.Credentials{Secret: "canary-secret", SessionToken: "canary-token", PrincipalARN: "arn"}
	for _, text := range printed(t, c) {
		if strings.Contains(text, "canary") {
			t.Errorf("a secret is in %q", text)
		}
	}
	s := baseSpec()
	s.creds.SessionToken = "canary-token"
	r := overWire(t, s.signed(t))
	_, err := peerVerifier(peerTime).Verify(r, peerEndpoint)
	for _, text := range printed(t, err) {
		if strings.Contains(text, "canary") {
			t.Errorf("a secret is in %q", text)
		}
	}
}
