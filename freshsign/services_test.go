package freshsign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	stsOK = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	ssmOK = `{"Parameter":{"Name":"p","Value":"v"}}`
)

// xmlErrors makes the service answer age faults as S3 and STS do.
func xmlErrors(g *rig, code string, reply string) {
	g.service.window = 100 * 365 * 24 * time.Hour
	g.service.header = http.Header{"Content-Type": {"application/xml"}}
	g.service.reply = func(_ int, r *http.Request) *answer {
		if age := g.service.now().Sub(g.service.last); age.Abs() > 15*time.Minute {
			g.service.reject()
			if code == "SignatureDoesNotMatch" {
				return &answer{status: 403, body: `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>Signature expired: long ago</Message></Error><RequestId>r</RequestId></ErrorResponse>`}
			}
			return &answer{status: 403, body: `<Error><Code>` + code + `</Code><Message>The difference between the request time and the current time is too large.</Message></Error>`}
		}
		return &answer{status: 200, body: reply}
	}
}

// operations of services with different protocols, all of which age in the same ways.
func operations(t *testing.T) map[string]func(*rig) error {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return map[string]func(*rig) error{
		"S3 GET, without a body": func(g *rig) error {
			xmlErrors(g, "RequestTimeTooSkewed", "content")
			out, err := s3.NewFromConfig(g.cfg).GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("a/key with space+plus")})
			if err != nil {
				return err
			}
			b, err := io.ReadAll(out.Body)
			if string(b) != "content" {
				return fmt.Errorf("%q %w", b, err)
			}
			return err
		},
		"S3 PUT, with a checksum": func(g *rig) error {
			xmlErrors(g, "RequestTimeTooSkewed", "")
			_, err := s3.NewFromConfig(g.cfg).PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader("content")})
			return err
		},
		"S3 PUT, from the middle of a seekable body": func(g *rig) error {
			xmlErrors(g, "RequestTimeTooSkewed", "")
			g.cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			body := bytes.NewReader([]byte("0123456789"))
			_, _ = body.Seek(5, io.SeekStart)
			_, err := s3.NewFromConfig(g.cfg).PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Body: body})
			return err
		},
		"STS, the query protocol": func(g *rig) error {
			xmlErrors(g, "SignatureDoesNotMatch", stsOK)
			_, err := sts.NewFromConfig(g.cfg).GetCallerIdentity(context.Background(), nil)
			return err
		},
		"SSM": func(g *rig) error {
			g.service.reply = func(int, *http.Request) *answer { return &answer{status: 200, body: ssmOK} }
			_, err := ssm.NewFromConfig(g.cfg).GetParameter(context.Background(), &ssm.GetParameterInput{Name: aws.String("p")})
			return err
		},
	}
}

func TestEveryProtocolIsHealed(t *testing.T) {
	for name, op := range operations(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := bubbleRig()
				g.wire.write = g.freeze(20 * time.Minute)
				if err := op(g); err != nil {
					t.Fatal(err)
				}
				if n, rejects := g.service.counts(); n != 2 || rejects != 1 || len(g.incidents) != 1 || g.incidents[0].Outcome != Healed {
					t.Errorf("%d requests, %d rejected, %v", n, rejects, g.incidents)
				}
			})
		})
	}
}

func TestEveryProtocolIsSignedAgainBeforeTheFirstByte(t *testing.T) {
	for name, op := range operations(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := bubbleRig()
				dial := g.freeze(20 * time.Minute)
				g.wire.dial = func() error { dial(); return nil }
				if err := op(g); err != nil {
					t.Fatal(err)
				}
				if n, rejects := g.service.counts(); n != 1 || rejects != 0 {
					t.Errorf("%d requests, %d rejected", n, rejects)
				}
			})
		})
	}
}

func TestRealSkewIsHealedInServicesThatKeepTheSDKsCorrection(t *testing.T) {
	for _, name := range []string{"S3 GET, without a body", "STS, the query protocol"} {
		op := operations(t)[name]
		synctest.Test(t, func(t *testing.T) {
			g := bubbleRig()
			g.service.now = func() time.Time { return time.Now().Add(30 * time.Minute) }
			if err := op(g); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestABodyThatCannotSeekIsSignedLateAndNeverHealed(t *testing.T) {
	put := func(g *rig) error {
		xmlErrors(g, "RequestTimeTooSkewed", "")
		g.cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		_, err := s3.NewFromConfig(g.cfg, s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)).
			PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), ContentLength: aws.Int64(7), Body: io.NopCloser(strings.NewReader("content"))})
		return err
	}
	synctest.Test(t, func(t *testing.T) {
		g := bubbleRig()
		dial := g.freeze(20 * time.Minute)
		g.wire.dial = func() error { dial(); return nil }
		if err := put(g); err != nil {
			t.Error(err)
		}
		g = bubbleRig()
		g.wire.write = g.freeze(20 * time.Minute)
		err := put(g)
		g.wants(t, err, 1, FreezeGap, Unhealed)
	})
}

func TestPresignedURLsAreLeftAlone(t *testing.T) {
	plain := aws.Config{Region: "eu-central-1", Credentials: static(keyPair)}
	ours := plain
	Apply(&ours)
	synctest.Test(t, func(t *testing.T) {
		var urls []string
		for _, cfg := range []aws.Config{plain, ours} {
			r, err := s3.NewPresignClient(s3.NewFromConfig(cfg)).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
			if err != nil {
				t.Fatal(err)
			}
			q, err := sts.NewPresignClient(sts.NewFromConfig(cfg)).PresignGetCallerIdentity(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			urls = append(urls, r.URL, q.URL)
		}
		if urls[0] != urls[2] || urls[1] != urls[3] {
			t.Error(urls)
		}
	})
}

func TestAStreamedPayloadPassesThroughAsTheSDKSignedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bubbleRig()
		g.cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		signed := time.Now()
		dial := g.freeze(2 * time.Second)
		g.wire.dial = func() error { dial(); return nil }
		var hash string
		g.service.reply = func(_ int, r *http.Request) *answer {
			hash = r.Header.Get("X-Amz-Content-Sha256")
			return &answer{status: 200}
		}
		_, err := s3.NewFromConfig(g.cfg).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), ContentLength: aws.Int64(7), Body: io.NopCloser(strings.NewReader("content"))})
		if err != nil || hash != "STREAMING-UNSIGNED-PAYLOAD-TRAILER" || !g.service.last.Equal(signed) {
			t.Errorf("%v; %s, signed at %v", err, hash, g.service.last)
		}
	})
}

func TestStreamsAreNotSignedAgain(t *testing.T) {
	for hash, want := range map[string]bool{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855": true, "UNSIGNED-PAYLOAD": true,
		"STREAMING-UNSIGNED-PAYLOAD-TRAILER": false, "STREAMING-AWS4-HMAC-SHA256-EVENTS": false, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": false, "": false,
	} {
		s := signature{signer: &signer{}, hash: hash}
		if s.renewable() != want {
			t.Errorf("%q: %v", hash, !want)
		}
		if s.signer = nil; s.renewable() {
			t.Errorf("%q: without a signer", hash)
		}
	}
}

// A client option that replaces the HTTP client or the signer takes them out of our hands; the heal stays.
func TestWhatOptionsReplaceAfterwardsIsStillHealed(t *testing.T) {
	for name, opt := range map[string]func(*rig) func(*secretsmanager.Options){
		"HTTPClient": func(g *rig) func(*secretsmanager.Options) {
			return func(o *secretsmanager.Options) { o.HTTPClient = g.wire }
		},
		"HTTPSignerV4": func(g *rig) func(*secretsmanager.Options) {
			return func(o *secretsmanager.Options) { o.HTTPSignerV4 = byClock{v4.NewSigner(), g.clock} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig()
			g.wire.write = g.freeze(6 * time.Minute)
			g.wants(t, g.get(opt(g)), 2, FreezeGap, Healed)
		})
	}
}

// With a foreign signer, and a message without instants, the date in the request that was answered is the evidence.
func TestTheDateThatWasSentIsTheEvidence(t *testing.T) {
	g := newRig()
	g.service.window = time.Hour
	g.wire.write = g.freeze(6 * time.Minute)
	g.service.reply = func(n int, _ *http.Request) *answer {
		if n == 1 {
			return failure(400, "InvalidSignatureException", "spurious")
		}
		return nil
	}
	err := g.get(func(o *secretsmanager.Options) { o.HTTPSignerV4 = byClock{v4.NewSigner(), g.clock} })
	g.wants(t, err, 2, FreezeGap, Healed)
	if i := g.incidents[0]; !i.SignedAt.Equal(start) || i.Age != 6*time.Minute {
		t.Errorf("%+v", i)
	}
}

func TestErrorsOfTheNetworkPassThrough(t *testing.T) {
	g := newRig()
	g.wire.dial = func() error { return io.ErrUnexpectedEOF }
	err := g.get(func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} })
	if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errSessionDied) || len(g.incidents) != 0 {
		t.Errorf("%v; %v", err, g.incidents)
	}
}

func TestOnlyAWholeAnswerIsMeasured(t *testing.T) {
	for name, c := range map[string]struct {
		resp *http.Response
		err  error
		want bool
	}{
		"answer":           {&http.Response{StatusCode: 200}, nil, true},
		"answer and error": {&http.Response{StatusCode: 200}, errSign, false},
		"nothing":          {nil, nil, false},
		"error":            {nil, errSign, false},
	} {
		cl := &call{engine: newEngine(Config{})}
		r := httpRequest().WithContext(context.WithValue(t.Context(), callKey{}, cl))
		tr := &transport{engine: cl.engine, client: doFunc(func(*http.Request) (*http.Response, error) { return c.resp, c.err })}
		resp, err := tr.Do(r)
		if resp != c.resp || !errors.Is(err, c.err) || cl.x.start.wall.IsZero() == c.want {
			t.Errorf("%s: %v %v %v", name, resp, err, cl.x)
		}
	}
}

type byClock struct {
	httpSigner
	clock *virtual
}

func (s byClock) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, _ time.Time, opts ...func(*v4.SignerOptions)) error {
	now, _ := s.clock.read()
	return s.httpSigner.SignHTTP(ctx, c, r, hash, service, region, now, opts...)
}

func TestASignerThatFailsIsTheCallersError(t *testing.T) {
	g := newRig()
	g.cfg.ServiceOptions = append([]func(string, any){func(_ string, o any) {
		o.(*secretsmanager.Options).HTTPSignerV4 = failing{v4.NewSigner(), 1}
	}}, g.cfg.ServiceOptions...)
	if err := g.get(); !errors.Is(err, errSign) {
		t.Error(err)
	}
}

// If signing again fails, the old signature is sent, and the heal decides.
func TestASignerThatFailsAgainLeavesTheOldSignature(t *testing.T) {
	n := new(int)
	s := signature{signer: countdown{v4.NewSigner(), n}, req: httpRequest(), creds: keyPair}
	live := http.Header{authHeader: {"SignedHeaders=host"}}
	if s.renew(t.Context(), moment{wall: start}, live) || live.Get(authHeader) != "SignedHeaders=host" {
		t.Error(live)
	}
	if s.renew(t.Context(), moment{wall: start}, http.Header{}) {
		t.Error("renewed what was never signed")
	}
	*n = 1
	if !s.renew(t.Context(), moment{wall: start}, live) || live.Get(dateHeader) != start.Format(dateLayout) {
		t.Errorf("one signed header is enough: %v", live)
	}
	g := newRig()
	left := 1
	g.cfg.ServiceOptions = append([]func(string, any){func(_ string, o any) {
		o.(*secretsmanager.Options).HTTPSignerV4 = countdown{v4.NewSigner(), &left}
	}}, g.cfg.ServiceOptions...)
	dial := g.freeze(2 * time.Second)
	g.wire.dial = func() error { dial(); return nil }
	if err := g.get(); err != nil || !g.service.last.Equal(start) {
		t.Errorf("%v, signed at %v", err, g.service.last)
	}
}

var errSign = errors.New("no signature today")

type failing struct {
	httpSigner
	_ int
}

func (failing) SignHTTP(context.Context, aws.Credentials, *http.Request, string, string, string, time.Time, ...func(*v4.SignerOptions)) error {
	return errSign
}

// A countdown signs n times.
type countdown struct {
	httpSigner
	left *int
}

func (c countdown) SignHTTP(ctx context.Context, creds aws.Credentials, r *http.Request, hash, service, region string, at time.Time, opts ...func(*v4.SignerOptions)) error {
	if *c.left--; *c.left < 0 {
		return errSign
	}
	return c.httpSigner.SignHTTP(ctx, creds, r, hash, service, region, at, opts...)
}

// Headers that a user's round tripper adds after signing stay unsigned when the signature is renewed, so that proxies
// may still change them.
func TestRenewingSignsTheSameHeaders(t *testing.T) {
	g := newRig()
	dial := g.freeze(time.Minute)
	g.wire.beforeSend = func(r *http.Request) { r.Header.Set("Traceparent", "00-1-2-01") }
	g.wire.dial = func() error { dial(); return nil }
	var auth string
	g.service.reply = func(_ int, r *http.Request) *answer { auth = r.Header.Get(authHeader); return nil }
	if err := g.get(); err != nil || strings.Contains(auth, "traceparent") || !strings.Contains(auth, "x-amz-target") {
		t.Errorf("%v: %s", err, auth)
	}
	if !g.service.last.Equal(start.Add(time.Minute)) {
		t.Error("not renewed")
	}
}

// A hundred calls share what is learned: one is frozen, and poisons nobody.
func TestAHundredConcurrentCallsAndOneFrozen(t *testing.T) {
	g := newRig()
	g.wire.read = g.freeze(6 * time.Minute)
	client := g.client()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := client.GetSecretValue(context.Background(), getInput); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if e := client.Options().HTTPSignerV4.(*signer).engine; e.shift() != 0 {
		t.Errorf("offset %v", e.shift())
	}
}

// Options of clients that are older, newer or not the SDK's are left as they are where they do not fit.
func TestOptionsThatLackAFieldAreLeftAlone(t *testing.T) {
	e := newEngine(Config{})
	type foreign struct{ HTTPSignerV4 any }
	odd := &foreign{}
	e.wrapOptions("", odd)
	if odd.HTTPSignerV4 != nil {
		t.Errorf("a signer was set where there was none: %T", odd.HTTPSignerV4)
	}
	type older struct{ HTTPSignerV4 httpSigner }
	old := &older{v4.NewSigner()}
	e.wrapOptions("", old)
	if _, ok := old.HTTPSignerV4.(*signer); !ok {
		t.Errorf("a client without a switch for clock skew has the signer %T, want ours", old.HTTPSignerV4)
	}
}
