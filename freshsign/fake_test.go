package freshsign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

var (
	start    = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	keyPair  = aws.Credentials{AccessKeyID: "AKIDCANARYCANARY", SecretAccessKey: "secret-canary", SessionToken: "token-canary"}
	getInput = &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")}
)

const okBody = `{"Name":"prod/db","SecretString":"s"}`

// A virtual clock moves only when told to, each hand apart.
type virtual struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
}

func newVirtual() *virtual { return &virtual{wall: start} }

func (v *virtual) read() (time.Time, time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.wall, v.mono
}

func (v *virtual) move(wall, mono time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wall, v.mono = v.wall.Add(wall), v.mono+mono
}

// A service checks a signature for real: it signs again what it received, and compares; then it checks the age.
type service struct {
	now    func() time.Time
	window time.Duration
	creds  aws.Credentials
	signer *v4.Signer                           // derived keys are cached in it by access key alone
	reply  func(n int, r *http.Request) *answer // replaces the answer to an accepted request; nil answers okBody
	header http.Header                          // laid over every answer's header
	noDate bool
	// anySignature accepts every signature; only its age is judged.
	anySignature bool

	mu       sync.Mutex
	requests int
	rejects  int
	last     time.Time // X-Amz-Date of the last request
}

type answer struct {
	status int
	header http.Header
	body   string
}

func newService(now func() time.Time) *service {
	return &service{now: now, window: 5 * time.Minute, creds: keyPair, signer: v4.NewSigner()}
}

func failure(status int, code, message string) *answer {
	return &answer{status: status, header: http.Header{"X-Amzn-Requestid": {"req-1"}}, body: fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message)}
}

// serve judges one request. header is what was on the wire.
func (s *service) serve(r *http.Request, header http.Header, body []byte) *answer {
	s.mu.Lock()
	s.requests++
	n := s.requests
	s.mu.Unlock()
	now := s.now().UTC()
	a := s.judge(n, now, r, header, body)
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("Content-Type", "application/x-amz-json-1.1")
	if !s.noDate {
		a.header.Set("Date", now.Format(http.TimeFormat))
	}
	for k, v := range s.header {
		a.header[k] = v
	}
	return a
}

func (s *service) judge(n int, now time.Time, r *http.Request, header http.Header, body []byte) *answer {
	at, err := time.Parse(dateLayout, header.Get(dateHeader))
	if err != nil {
		return failure(400, "IncompleteSignature", "no date")
	}
	s.mu.Lock()
	s.last = at
	s.mu.Unlock()
	if !s.anySignature && !s.matches(r, header, body, at) {
		return failure(400, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
	}
	edge := now.Add(-s.window)
	if at.Before(edge.Truncate(time.Second)) {
		s.reject()
		return failure(400, "InvalidSignatureException", fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)", at.Format(dateLayout), edge.Format(dateLayout), now.Format(dateLayout)))
	}
	if edge = now.Add(s.window); at.After(edge) {
		s.reject()
		return failure(400, "InvalidSignatureException", fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", at.Format(dateLayout), edge.Format(dateLayout), now.Format(dateLayout)))
	}
	if s.reply != nil {
		if a := s.reply(n, r); a != nil {
			return a
		}
	}
	return &answer{status: 200, body: okBody}
}

func (s *service) reject() {
	s.mu.Lock()
	s.rejects++
	s.mu.Unlock()
}

func (s *service) counts() (requests, rejects int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.rejects
}

func (s *service) matches(r *http.Request, header http.Header, body []byte, at time.Time) bool {
	auth := header.Get(authHeader)
	names := signedHeaders(auth)
	again := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{}}
	for k, v := range header {
		if slices.Contains(names, strings.ToLower(k)) {
			again.Header[k] = slices.Clone(v)
		}
	}
	if slices.Contains(names, "content-length") {
		again.ContentLength = int64(len(body))
	}
	_, scope, _ := strings.Cut(auth, "Credential=")
	parts := strings.Split(scope, "/")
	if len(parts) < 4 || parts[1] != at.Format("20060102") {
		return false
	}
	hash := header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		sum := sha256.Sum256(body)
		hash = hex.EncodeToString(sum[:])
	}
	url := *r.URL
	again.URL = &url
	creds := s.creds
	creds.SessionToken = header.Get(tokenHeader) // whichever, if it was signed
	escape := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = parts[3] == "s3" }
	if err := s.signer.SignHTTP(context.Background(), creds, again, hash, parts[3], parts[2], at, escape); err != nil {
		return false
	}
	return again.Header.Get(authHeader) == auth
}

// A wire is an HTTP client that does what net/http does, at the moments that matter, without a network: it hands out
// a connection, serializes, and answers. The hooks run in between.
type wire struct {
	service    *service
	dial       func() error // before the connection is handed out
	write      func()       // after serializing, before the service reads
	read       func()       // after the service answered, before the client reads
	beforeSend func(*http.Request)
	info       httptrace.GotConnInfo
	afterConn  func() error // the connection may have been closed in GotConn
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if w.beforeSend != nil {
		w.beforeSend(r)
	}
	if w.dial != nil {
		if err := w.dial(); err != nil {
			return nil, err
		}
	}
	if t := httptrace.ContextClientTrace(r.Context()); t != nil && t.GotConn != nil {
		t.GotConn(w.info)
	}
	if w.afterConn != nil {
		if err := w.afterConn(); err != nil {
			return nil, err
		}
	}
	header := r.Header.Clone() // serialized
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	if w.write != nil {
		w.write()
	}
	a := w.service.serve(r, header, body)
	if w.read != nil {
		w.read()
	}
	return &http.Response{
		StatusCode: a.status, Header: a.header, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader([]byte(a.body))), ContentLength: int64(len(a.body)),
	}, nil
}

// static is a provider of credentials that the SDK does not cache.
func static(c aws.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

// A rig is a service, a wire to it, and a virtual clock for both.
type rig struct {
	clock     *virtual
	service   *service
	wire      *wire
	cfg       aws.Config
	mu        sync.Mutex
	incidents []Incident
}

func newRig(edit ...func(*Config)) *rig {
	g := &rig{clock: newVirtual()}
	g.service = newService(func() time.Time { w, _ := g.clock.read(); return w })
	g.wire = &wire{service: g.service}
	c := Config{Clock: g.clock.read, OnIncident: func(_ context.Context, i Incident) {
		g.mu.Lock()
		g.incidents = append(g.incidents, i)
		g.mu.Unlock()
	}}
	for _, f := range edit {
		f(&c)
	}
	g.cfg = aws.Config{Region: "eu-central-1", Credentials: static(keyPair), HTTPClient: g.wire}
	c.Apply(&g.cfg)
	return g
}

// bubbleRig goes by the clock of a synctest bubble, which the SDK sees too.
func bubbleRig() *rig {
	g := newRig(func(c *Config) { c.Clock = nil })
	g.clock = nil
	g.service.now = time.Now
	return g
}

func (g *rig) client(opts ...func(*secretsmanager.Options)) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(g.cfg, opts...)
}

func (g *rig) get(opts ...func(*secretsmanager.Options)) error {
	_, err := g.client(opts...).GetSecretValue(context.Background(), getInput)
	return err
}

// once returns a hook that runs f the first time.
func once(f func()) func() {
	var o sync.Once
	return func() { o.Do(f) }
}
