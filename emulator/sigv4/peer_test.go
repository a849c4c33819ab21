package sigv4_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"github.com/gomiddy/middy/emulator/sigv4"
)

// The peer is the SDK's signer: another reading of the same description. It
// signs, and the verifier must agree; then one thing is changed, and the
// verifier must not.

var peerTime = time.Date(2026, 2, 28, 23, 59, 30, 0, time.UTC)

const peerRegion, peerService = "eu-central-1", "secretsmanager"

func peerCreds() aws.Credentials {
	return aws.Credentials{AccessKeyID: "ASIAPEER", SecretAccessKey: "peer/secret", SessionToken: "peer-token+/="}
}

func peerVerifier(now time.Time) *sigv4.Verifier {
	k := peerCreds()
	return sigv4.New(sigv4.Config{
		Lookup: func(id string) (sigv4.Credentials, bool) {
			return sigv4.Credentials{Secret: k.SecretAccessKey, SessionToken: k.SessionToken, PrincipalARN: "arn:aws:iam::1:user/peer"}, id == k.AccessKeyID
		},
		Now: func() time.Time { return now },
	})
}

var peerEndpoint = sigv4.Endpoint{Service: peerService, Regions: []string{peerRegion}}

// A spec is a request to be signed.
type spec struct {
	method, path, query, body string
	headers                   http.Header
	creds                     aws.Credentials
	service, region           string
	at                        time.Time
}

func baseSpec() spec {
	return spec{
		method: "POST", path: "/a%20b/c", query: "b=2&a=1&a=%20x%2F", body: `{"SecretId":"prod/db"}`,
		headers: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"secretsmanager.GetSecretValue"}, "X-Note": {"one", "two"}},
		creds:   peerCreds(), service: peerService, region: peerRegion, at: peerTime,
	}
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func (s spec) request(t testing.TB) *http.Request {
	t.Helper()
	u := &url.URL{Scheme: "http", Host: "sm.example:8443", RawQuery: s.query}
	var err error
	if u.Path, err = url.PathUnescape(s.path); err != nil {
		t.Fatal(err)
	}
	u.RawPath = s.path
	r, err := http.NewRequest(s.method, u.String(), strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = s.headers.Clone()
	return r
}

// signed is the request as it leaves the client.
func (s spec) signed(t testing.TB) *http.Request {
	t.Helper()
	r := s.request(t)
	if err := v4.NewSigner().SignHTTP(context.Background(), s.creds, r, hash(s.body), s.service, s.region, s.at); err != nil {
		t.Fatal(err)
	}
	return r
}

func (s spec) presigned(t testing.TB) *http.Request {
	t.Helper()
	r := s.request(t)
	r.Header = http.Header{"X-Note": {"one"}}
	q := r.URL.Query()
	q.Set("X-Amz-Expires", "600")
	r.URL.RawQuery = q.Encode()
	uri, _, err := v4.NewSigner().PresignHTTP(context.Background(), s.creds, r, hash(s.body), s.service, s.region, s.at)
	if err != nil {
		t.Fatal(err)
	}
	if r.URL, err = url.Parse(uri); err != nil {
		t.Fatal(err)
	}
	return r
}

// overWire sends the request's bytes through net/http's server-side parser.
func overWire(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	parsed, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestSDKSignatureIsAccepted(t *testing.T) {
	for name, sign := range map[string]func(spec, testing.TB) *http.Request{"header": spec.signed, "presigned": spec.presigned} {
		t.Run(name, func(t *testing.T) {
			r := overWire(t, sign(baseSpec(), t))
			id, err := peerVerifier(peerTime).Verify(r, peerEndpoint)
			if err != nil {
				t.Fatal(err)
			}
			if id.AccessKeyID != "ASIAPEER" || id.PrincipalARN != "arn:aws:iam::1:user/peer" || !id.SignedAt.Equal(peerTime) || id.Presigned != (name == "presigned") {
				t.Errorf("identity: %+v", id)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil || string(body) != baseSpec().body {
				t.Errorf("body after Verify: %q, %v", body, err)
			}
		})
	}
}

// TestEveryChangeAfterSigningIsRefused changes one thing on the way.
func TestEveryChangeAfterSigningIsRefused(t *testing.T) {
	type mutation struct {
		name   string
		change func(*http.Request)
		reason sigv4.Reason
	}
	setQuery := func(from, to string) func(*http.Request) {
		return func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, from, to, 1) }
	}
	setBody := func(body string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
	}
	common := []mutation{
		{"method", func(r *http.Request) { r.Method = "PUT" }, sigv4.Mismatch},
		{"path", func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a b/d", "" }, sigv4.Mismatch},
		{"host", func(r *http.Request) { r.Host = "other.example" }, sigv4.Mismatch},
		{"query value", setQuery("b=2", "b=3"), sigv4.Mismatch},
		{"query name", setQuery("b=2", "c=2"), sigv4.Mismatch},
		{"query added", func(r *http.Request) { r.URL.RawQuery += "&z=1" }, sigv4.Mismatch},
		{"query removed", setQuery("&b=2", ""), sigv4.Mismatch},
		{"body, same length", setBody(`{"SecretId":"prod/dc"}`), sigv4.Mismatch},
		{"body emptied", setBody(""), sigv4.Mismatch},
		{"body longer", setBody(`{"SecretId":"prod/db"} `), sigv4.Mismatch},
	}
	header := append([]mutation{
		{"no Authorization", func(r *http.Request) { r.Header.Del("Authorization") }, sigv4.Missing},
		{"other scheme", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, sigv4.Missing},
		{"access key", replaceAuth("ASIAPEER", "ASIAPEEL"), sigv4.UnknownKey},
		{"scope's date", replaceAuth("20260228", "20260227"), sigv4.Scope},
		{"scope's region", replaceAuth(peerRegion, "eu-central-2"), sigv4.Scope},
		{"scope's service", replaceAuth("/secretsmanager/", "/ssm/"), sigv4.Scope},
		{"scope's terminator", replaceAuth("aws4_request", "aws5_request"), sigv4.Scope},
		{"algorithm", replaceAuth("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), sigv4.Incomplete},
		{"signature's last digit", flipSignature, sigv4.Mismatch},
		{"signature cut short", func(r *http.Request) { a := r.Header.Get("Authorization"); r.Header.Set("Authorization", a[:len(a)-2]) }, sigv4.Mismatch},
		{"signature not hex", func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-2]+"zz")
		}, sigv4.Mismatch},
		{"signed header removed from the list", replaceAuth(";x-note", ""), sigv4.Mismatch},
		{"x-amz header removed from the list", replaceAuth(";x-amz-target", ""), sigv4.Unsigned},
		{"host removed from the list", replaceAuth("host;", ""), sigv4.Unsigned},
		{"x-amz-date, a second later", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260228T235931Z") }, sigv4.Mismatch},
		{"x-amz-date, next day", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260301T000000Z") }, sigv4.Scope},
		{"x-amz-date, malformed", func(r *http.Request) { r.Header.Set("X-Amz-Date", "2026-02-28") }, sigv4.Incomplete},
		{"x-amz-date removed", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, sigv4.Incomplete},
		{"token changed", func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "other") }, sigv4.WrongToken},
		{"token removed", func(r *http.Request) { r.Header.Del("X-Amz-Security-Token") }, sigv4.WrongToken},
		{"x-amz header added", func(r *http.Request) { r.Header.Set("X-Amz-Meta", "1") }, sigv4.Unsigned},
		{"duplicate values swapped", func(r *http.Request) { r.Header["X-Note"] = []string{"two", "one"} }, sigv4.Mismatch},
		{"duplicate value dropped", func(r *http.Request) { r.Header["X-Note"] = []string{"one"} }, sigv4.Mismatch},
		{"declared hash of another body", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", hash("x")) }, sigv4.Payload},
		{"declared unsigned where that is not accepted", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, sigv4.Payload},
		{"two Authorization headers", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, sigv4.Ambiguous},
		{"another scheme behind it", func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, sigv4.Ambiguous},
		{"upper-case hexadecimal", func(r *http.Request) {
			head, sig, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", head+"Signature="+strings.ToUpper(sig))
		}, sigv4.Mismatch},
		{"signed twice", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Algorithm=AWS4-HMAC-SHA256" }, sigv4.Ambiguous},
	}, common...)
	// Each signed header by itself.
	for _, name := range []string{"Content-Type", "X-Amz-Target", "X-Note"} {
		header = append(header,
			mutation{name + " changed", func(r *http.Request) { r.Header.Set(name, r.Header.Get(name)+"x") }, sigv4.Mismatch},
			mutation{name + " removed", func(r *http.Request) { r.Header.Del(name) }, sigv4.Mismatch})
	}
	presigned := append([]mutation{
		{"credential", setQuery("ASIAPEER", "ASIAPEEL"), sigv4.UnknownKey},
		{"region", setQuery(peerRegion, "eu-central-2"), sigv4.Scope},
		{"date", setQuery("T235930Z", "T235931Z"), sigv4.Mismatch},
		{"expires", setQuery("X-Amz-Expires=600", "X-Amz-Expires=601"), sigv4.Mismatch},
		{"expires, absurd", setQuery("X-Amz-Expires=600", "X-Amz-Expires=604801"), sigv4.Incomplete},
		{"expires, negative", setQuery("X-Amz-Expires=600", "X-Amz-Expires=-1"), sigv4.Incomplete},
		{"expires, no number", setQuery("X-Amz-Expires=600", "X-Amz-Expires=soon"), sigv4.Incomplete},
		{"token", setQuery("peer-token", "peer-tokem"), sigv4.WrongToken},
		{"signature removed", setQuery("X-Amz-Signature=", "X-Amz-Sig="), sigv4.Incomplete},
		{"signature doubled", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Signature=00" }, sigv4.Incomplete},
		{"syntax error", func(r *http.Request) { r.URL.RawQuery += "&x=%zz" }, sigv4.Incomplete},
		{"signed header", func(r *http.Request) { r.Header.Set("X-Note", "two") }, sigv4.Mismatch},
		{"signed header removed", func(r *http.Request) { r.Header.Del("X-Note") }, sigv4.Mismatch},
	}, common...)
	for kind, list := range map[string][]mutation{"header": header, "presigned": presigned} {
		for _, m := range list {
			t.Run(kind+"/"+m.name, func(t *testing.T) {
				r := baseSpec().signed(t)
				if kind == "presigned" {
					r = baseSpec().presigned(t)
				}
				m.change(r)
				_, err := peerVerifier(peerTime).Verify(overWire(t, r), peerEndpoint)
				refused, ok := errors.AsType[*sigv4.Error](err)
				if !ok || !errors.Is(err, sigv4.ErrRefused) {
					t.Fatalf("got %v, want a refusal", err)
				}
				if refused.Reason != m.reason {
					t.Errorf("refused as %q (%v), want %q", refused.Reason, err, m.reason)
				}
			})
		}
	}
}

// TestEverySignerMistakeIsRefused signs with something wrong from the start.
func TestEverySignerMistakeIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*spec)
		reason sigv4.Reason
	}{
		"secret":          {func(s *spec) { s.creds.SecretAccessKey += "x" }, sigv4.Mismatch},
		"key":             {func(s *spec) { s.creds.AccessKeyID += "x" }, sigv4.UnknownKey},
		"token":           {func(s *spec) { s.creds.SessionToken += "x" }, sigv4.WrongToken},
		"no token":        {func(s *spec) { s.creds.SessionToken = "" }, sigv4.WrongToken},
		"region":          {func(s *spec) { s.region = "us-east-1" }, sigv4.Scope},
		"service":         {func(s *spec) { s.service = "ssm" }, sigv4.Scope},
		"5 min 1 s old":   {func(s *spec) { s.at = s.at.Add(-5*time.Minute - time.Second) }, sigv4.Expired},
		"5 min 1 s early": {func(s *spec) { s.at = s.at.Add(5*time.Minute + time.Second) }, sigv4.NotYetCurrent},
	} {
		t.Run(name, func(t *testing.T) {
			s := baseSpec()
			tc.change(&s)
			_, err := peerVerifier(peerTime).Verify(overWire(t, s.signed(t)), peerEndpoint)
			if refused, ok := errors.AsType[*sigv4.Error](err); !ok || refused.Reason != tc.reason {
				t.Errorf("got %v, want %q", err, tc.reason)
			}
		})
	}
}

// TestWindowIsInclusiveInWholeSeconds walks the edges of the window, also across
// midnight, where scope and X-Amz-Date stay together.
func TestWindowIsInclusiveInWholeSeconds(t *testing.T) {
	r := func() *http.Request { return overWire(t, baseSpec().signed(t)) }
	for _, tc := range []struct {
		age time.Duration
		ok  bool
	}{
		{-5*time.Minute - time.Second, false}, {-5*time.Minute - time.Millisecond, false}, {-5 * time.Minute, true}, {0, true},
		{5 * time.Minute, true}, {5*time.Minute + 999*time.Millisecond, true}, {5*time.Minute + time.Second, false},
	} {
		if _, err := peerVerifier(peerTime.Add(tc.age)).Verify(r(), peerEndpoint); (err == nil) != tc.ok {
			t.Errorf("age %s: %v", tc.age, err)
		}
	}
}

func TestPresignedLivesAsLongAsItSays(t *testing.T) {
	for _, tc := range []struct {
		age    time.Duration
		reason sigv4.Reason
	}{{-6 * time.Minute, sigv4.NotYetCurrent}, {0, 0}, {10 * time.Minute, 0}, {10*time.Minute + time.Second, sigv4.PresignExpired}} {
		_, err := peerVerifier(peerTime.Add(tc.age)).Verify(overWire(t, baseSpec().presigned(t)), peerEndpoint)
		refused, _ := errors.AsType[*sigv4.Error](err)
		if got := reasonOf(refused); got != tc.reason {
			t.Errorf("age %s: %v, want %q", tc.age, err, tc.reason)
		}
	}
}

func reasonOf(e *sigv4.Error) sigv4.Reason {
	if e == nil {
		return 0
	}
	return e.Reason
}

// TestPeersAgree lets the two readings meet on any request. Paths are in normal
// form: the SDK's signer leaves dot segments and doubled slashes as they are,
// where AWS's description (and botocore) removes them.
func TestPeersAgree(t *testing.T) {
	segment := rapid.StringMatching(`[A-Za-z0-9 ~!$&'()*+,;=:@%é\-_]{1,8}`)
	text := rapid.StringMatching(`[ -~éሴ]{0,12}`)
	rapid.Check(t, func(rt *rapid.T) {
		s := baseSpec()
		s.method = rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE"}).Draw(rt, "method")
		s.path = ""
		for _, seg := range rapid.SliceOfN(segment, 1, 4).Draw(rt, "path") {
			s.path += "/" + url.PathEscape(seg)
		}
		q := url.Values{}
		for _, k := range rapid.SliceOfN(text, 0, 4).Draw(rt, "keys") {
			q.Add(k, text.Draw(rt, "value"))
		}
		s.query = q.Encode()
		s.body = rapid.StringN(0, 200, -1).Draw(rt, "body")
		s.headers.Set("X-Note", rapid.StringMatching(`[!-~]( {0,3}[!-~]){0,8}`).Draw(rt, "header"))
		s.service = rapid.SampledFrom([]string{"secretsmanager", "sts", "execute-api"}).Draw(rt, "service")
		at := sigv4.Endpoint{Service: s.service, Regions: []string{peerRegion}}
		if _, err := peerVerifier(s.at).Verify(overWire(t, s.signed(t)), at); err != nil {
			rt.Errorf("header: %v", err)
		}
		if _, err := peerVerifier(s.at).Verify(overWire(t, s.presigned(t)), at); err != nil {
			rt.Errorf("presigned: %v", err)
		}
		if _, err := peerVerifier(s.at).Verify(overWire(t, flip(rt, s.signed(t))), at); err == nil {
			rt.Errorf("accepted a changed signature")
		}
	})
}

// flip changes any one digit of the signature.
func flip(rt *rapid.T, r *http.Request) *http.Request {
	a := []byte(r.Header.Get("Authorization"))
	i := len(a) - 1 - rapid.IntRange(0, 63).Draw(rt, "digit")
	a[i] = "123456789abcdef0"[strings.IndexByte("0123456789abcdef", a[i])]
	r.Header.Set("Authorization", string(a))
	return r
}

func flipSignature(r *http.Request) {
	a := []byte(r.Header.Get("Authorization"))
	i := len(a) - 1
	a[i] = "123456789abcdef0"[strings.IndexByte("0123456789abcdef", a[i])]
	r.Header.Set("Authorization", string(a))
}

func replaceAuth(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		a := r.Header.Get("Authorization")
		b := strings.Replace(a, from, to, 1)
		if a == b {
			panic(fmt.Sprintf("%q is not in %q", from, a))
		}
		r.Header.Set("Authorization", b)
	}
}

func TestS3IsEncodedOnceAndNotNormalised(t *testing.T) {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	for _, path := range []string{"/bucket/a//b/../c d%25é", "/bucket/!*'()", "/"} {
		r, err := http.NewRequest("PUT", "http://s3.example/", strings.NewReader("data"))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path = path
		r.URL.RawPath = awsPath(path)
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		if err := signer.SignHTTP(t.Context(), peerCreds(), r, "UNSIGNED-PAYLOAD", "s3", peerRegion, peerTime); err != nil {
			t.Fatal(err)
		}
		// S3 allows 15 minutes.
		id, err := peerVerifier(peerTime.Add(14*time.Minute)).Verify(overWire(t, r), sigv4.Endpoint{Service: "s3", Regions: []string{peerRegion}})
		if err != nil || id.Payload != sigv4.UnsignedBody {
			t.Errorf("%s: %v, %v", path, id, err)
		}
	}
}

func awsPath(p string) string {
	var b strings.Builder
	for i := range len(p) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/", p[i]) >= 0 {
			b.WriteByte(p[i])
		} else {
			b.WriteString("%" + strings.ToUpper(strconv.FormatInt(int64(p[i])|0x100, 16)[1:]))
		}
	}
	return b.String()
}

// TestBodyIsBounded: one byte more than the bound is refused before anything else
// is looked at; the bound itself, and everything where there is none, is not.
func TestBodyIsBounded(t *testing.T) {
	for name, tc := range map[string]struct {
		max  int64
		size int
		ok   bool
	}{
		"at the bound":         {1000, 1000, true},
		"above the bound":      {1000, 1001, false},
		"at the default":       {0, 10 << 20, true},
		"above the default":    {0, 10<<20 + 1, false},
		"no bound":             {-1, 10<<20 + 1, true},
		"empty, smallest of 1": {1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := baseSpec()
			s.body = strings.Repeat("x", tc.size)
			k := s.creds
			v := sigv4.New(sigv4.Config{MaxBody: tc.max, Now: func() time.Time { return peerTime }, Lookup: func(string) (sigv4.Credentials, bool) {
				return sigv4.Credentials{Secret: k.SecretAccessKey, SessionToken: k.SessionToken}, true
			}})
			r := overWire(t, s.signed(t))
			_, err := v.Verify(r, peerEndpoint)
			switch {
			case tc.ok && err != nil:
				t.Errorf("refused: %v", err)
			case !tc.ok && (reasonOf(asRefusal(err)) != sigv4.TooLarge || asRefusal(err).Status(sigv4.JSON) != http.StatusRequestEntityTooLarge):
				t.Errorf("got %v", err)
			}
			if tc.ok {
				if n, err := io.Copy(io.Discard, r.Body); err != nil || n != int64(tc.size) {
					t.Errorf("%d bytes are left to read, %v", n, err)
				}
			}
		})
	}
}

func TestClaimIsReadWithoutASecret(t *testing.T) {
	c, err := sigv4.Parse(overWire(t, baseSpec().signed(t)))
	if err != nil {
		t.Fatal(err)
	}
	if c.AccessKeyID != "ASIAPEER" || c.Date != "20260228" || c.Region != peerRegion || c.Service != peerService || c.Terminator != "aws4_request" || c.Presigned {
		t.Errorf("claim %+v", c)
	}
	c, err = sigv4.Parse(overWire(t, baseSpec().presigned(t)))
	if err != nil || !c.Presigned || c.Expires != 10*time.Minute {
		t.Errorf("presigned claim %+v, %v", c, err)
	}
}

// TestAbsoluteTargetsAreTheSameRequest: a client behind a proxy writes the whole
// URL into the request line.
func TestAbsoluteTargetsAreTheSameRequest(t *testing.T) {
	for _, tc := range []struct{ path, target string }{{"/a/b", "http://sm.example:8443/a/b?x=1"}, {"/", "http://sm.example:8443?x=1"}} {
		s := baseSpec()
		s.path, s.query = tc.path, "x=1"
		r := overWire(t, s.signed(t))
		r.RequestURI = tc.target
		if _, err := peerVerifier(peerTime).Verify(r, peerEndpoint); err != nil {
			t.Errorf("%s: %v", tc.target, err)
		}
	}
}

func TestUnsignedPayloadWhereItIsAccepted(t *testing.T) {
	for _, declared := range []string{"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"} {
		r := baseSpec().request(t)
		r.Header.Set("X-Amz-Content-Sha256", declared)
		if err := v4.NewSigner().SignHTTP(t.Context(), peerCreds(), r, declared, peerService, peerRegion, peerTime); err != nil {
			t.Fatal(err)
		}
		r = overWire(t, r)
		at := peerEndpoint
		at.UnsignedPayload = true
		id, err := peerVerifier(peerTime).Verify(r, at)
		if err != nil || id.Payload == sigv4.Signed {
			t.Errorf("%s: %+v, %v", declared, id, err)
		}
		if _, err := peerVerifier(peerTime).Verify(r, peerEndpoint); reasonOf(asRefusal(err)) != sigv4.Payload {
			t.Errorf("%s where it is not accepted: %v", declared, err)
		}
	}
}

func asRefusal(err error) *sigv4.Error {
	e, _ := errors.AsType[*sigv4.Error](err)
	return e
}

func TestWindowsOfServices(t *testing.T) {
	for service, want := range map[string]time.Duration{"secretsmanager": 5 * time.Minute, "sts": 15 * time.Minute, "s3": 15 * time.Minute} {
		if got := sigv4.WindowOf(service); got != want {
			t.Errorf("%s: %s", service, got)
		}
	}
	r := func() *http.Request { return overWire(t, baseSpec().signed(t)) }
	k := peerCreds()
	lookup := func(string) (sigv4.Credentials, bool) {
		return sigv4.Credentials{Secret: k.SecretAccessKey, SessionToken: k.SessionToken}, true
	}
	never := sigv4.New(sigv4.Config{Lookup: lookup, Window: -1})
	if _, err := never.Verify(r(), peerEndpoint); err != nil {
		t.Errorf("negative window: %v", err)
	}
	if _, err := sigv4.New(sigv4.Config{}).Verify(r(), peerEndpoint); err == nil {
		t.Error("the zero config accepted somebody")
	}
}

func TestDebugShowsWhatShouldHaveBeenSigned(t *testing.T) {
	s := baseSpec()
	k := s.creds
	s.creds.SecretAccessKey += "x"
	v := sigv4.New(sigv4.Config{Debug: true, Now: func() time.Time { return peerTime }, Lookup: func(string) (sigv4.Credentials, bool) {
		return sigv4.Credentials{Secret: k.SecretAccessKey, SessionToken: k.SessionToken}, true
	}})
	_, err := v.Verify(overWire(t, s.signed(t)), peerEndpoint)
	if err == nil || !strings.Contains(err.Error(), "The Canonical String for this request should have been\n'POST\n/a%2520b/c\na=%20x%2F&a=1&b=2\n") {
		t.Errorf("got %v", err)
	}
}

func TestS3Vocabulary(t *testing.T) {
	s := baseSpec()
	s.service = "s3"
	s.at = s.at.Add(-16 * time.Minute)
	_, err := peerVerifier(peerTime).Verify(overWire(t, s.signed(t)), sigv4.Endpoint{Service: "s3", Regions: []string{peerRegion}})
	e := asRefusal(err)
	if e == nil || e.Code(sigv4.S3) != "RequestTimeTooSkewed" || e.Status(sigv4.S3) != 403 ||
		e.Message(sigv4.S3) != "The difference between the request time and the current time is too large." {
		t.Errorf("got %v", err)
	}
}
