package emulator

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/internal/loopback"
)

const (
	// DefaultAccountID is the account that AWS's documentation uses for examples.
	DefaultAccountID = "123456789012"
	// DefaultRegion is the region when none is configured.
	DefaultRegion = "us-east-1"

	defaultMaxRecords = 100_000
)

// ErrNotLoopback is returned by [Server.Start] for an address that other
// computers could reach.
var ErrNotLoopback = errors.New("emulator: address is not loopback: it holds secrets and is meant for this computer; use 127.0.0.1:port")

// Config configures a [Server]. The zero value is useful: a free port on
// 127.0.0.1, no services.
type Config struct {
	// Addr is where to listen: loopback only. Default: 127.0.0.1:0, a free port.
	Addr string
	// TLS serves HTTPS with a certificate made in memory, and HTTP/2 by ALPN.
	// Clients trust it by [Server.CACert]. Default: plain HTTP/1.1, and HTTP/2 for
	// clients that begin with it (h2c).
	TLS bool
	// Region is the one whose endpoint this is: another region's signatures are
	// refused. Default: us-east-1.
	Region string
	// Regions are further regions to answer for, for tests of replicas.
	Regions []string
	// AccountID is the account of principals and ARNs. Default: 123456789012.
	AccountID string
	// Services are what it answers with. More may come by [Server.Register].
	Services []service.Service
	// Clock is the emulator's time. Default: a new one.
	Clock *Clock
	// Credentials issues key pairs. Default: a new issuer on Clock.
	Credentials *Credentials
	// ChaosSeed makes rules with a probability repeat. Default: 0, a seed like any other.
	ChaosSeed uint64
	// SessionTTL is how long the credentials of [Server.Env] last, on the virtual
	// clock. Default: they do not end, as in Lambda they outlive the sandbox.
	SessionTTL time.Duration
	// MaxRecords bounds what [Server.Requests] remembers. Default: 100,000. Negative: nothing is kept.
	MaxRecords int
	// Hosts are names to accept in the Host header besides loopback's own, for
	// clients that resolve AWS's names to loopback.
	Hosts []string
	// DebugSignatures adds the canonical request to the message of a mismatch.
	DebugSignatures bool
	// AdminToken is what X-Middy-Token must carry under /_middy/. Default: random,
	// new in every process; see [Server.AdminToken].
	AdminToken string
	// Logger gets one line per refused request at level Debug, and the HTTP
	// server's complaints. Default: nothing is logged.
	Logger *slog.Logger
}

// A Server is an emulated AWS endpoint. All methods are safe for concurrent use.
type Server struct {
	cfg     Config
	clock   *Clock
	creds   *Credentials
	chaos   *Chaos
	records records
	log     *slog.Logger
	token   string
	session KeyPair

	mu       sync.RWMutex
	services []service.Service

	life    sync.Mutex // guards what Start and Close change
	ln      net.Listener
	http    *http.Server
	ca      *authority
	stopped chan struct{} // closed by Close: what chaos holds is let go
	served  chan struct{} // closed when the accept loop has ended
	unwatch func() bool   // forgets Start's context
}

// New returns a server that does not listen yet. It does no I/O and does not fail.
func New(cfg Config) *Server {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Region == "" {
		cfg.Region = DefaultRegion
	}
	if cfg.AccountID == "" {
		cfg.AccountID = DefaultAccountID
	}
	if cfg.Clock == nil {
		cfg.Clock = &Clock{}
	}
	if cfg.Credentials == nil {
		cfg.Credentials = NewCredentials(cfg.Clock, cfg.AccountID)
	}
	if cfg.MaxRecords == 0 {
		cfg.MaxRecords = defaultMaxRecords
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.AdminToken == "" {
		cfg.AdminToken = rand.Text()
	}
	cfg.Regions = append([]string{cfg.Region}, cfg.Regions...)
	cfg.Hosts = slices.Clone(cfg.Hosts)
	s := &Server{cfg: cfg, clock: cfg.Clock, creds: cfg.Credentials, chaos: newChaos(cfg.ChaosSeed), log: cfg.Logger,
		token: cfg.AdminToken, services: slices.Clone(cfg.Services), stopped: make(chan struct{})}
	s.records.limit = max(cfg.MaxRecords, 0)
	s.session = s.creds.Issue("arn:aws:sts::"+cfg.AccountID+":assumed-role/middy-local/function", cfg.SessionTTL, true)
	s.clock.watch(s.advance)
	return s
}

// advance lets services do what has come due when the clock was moved, such as
// deleting a secret whose recovery window is over: those with a method
// Advance(now time.Time) error.
func (s *Server) advance() {
	s.mu.RLock()
	services := slices.Clone(s.services)
	s.mu.RUnlock()
	for _, svc := range services {
		if a, ok := svc.(interface{ Advance(now time.Time) error }); ok {
			if err := a.Advance(s.clock.Now()); err != nil {
				s.log.Error("emulator: service could not follow the clock", "service", svc.SigningName(), "error", err)
			}
		}
	}
}

// Register adds a service; one with the same signing name is replaced.
func (s *Server) Register(svc service.Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.services = slices.DeleteFunc(slices.Clone(s.services), func(have service.Service) bool { return have.SigningName() == svc.SigningName() })
	s.services = append(s.services, svc)
}

// Start listens and serves until [Server.Close], or until ctx is done. It
// returns once the port is open; the error names the address that could not be had.
func (s *Server) Start(ctx context.Context) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.ln != nil {
		return fmt.Errorf("emulator: already listening on %s", s.ln.Addr())
	}
	if err := loopbackAddr(s.cfg.Addr); err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("emulator: cannot listen on %s: %w; is another emulator running? choose another port", s.cfg.Addr, err)
	}
	s.serve(ln)
	s.unwatch = context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = s.Close(closing)
	})
	return nil
}

// Serve is [Server.Start] on a listener of the caller's, such as one in memory
// for a test in a synctest bubble. The server owns the listener from then on.
func (s *Server) Serve(ln net.Listener) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.ln != nil {
		return fmt.Errorf("emulator: already listening on %s", s.ln.Addr())
	}
	s.serve(ln)
	return nil
}

func (s *Server) serve(ln net.Listener) {
	s.ln = ln
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 30 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slogErrors(s.log),
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	if s.cfg.TLS {
		s.ca = newAuthority(s.cfg.Hosts)
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{s.ca.leaf}, MinVersion: tls.VersionTLS12}
	}
	s.http, s.served, s.unwatch = srv, make(chan struct{}), func() bool { return true }
	tlsOn, served := s.cfg.TLS, s.served
	go func() {
		defer close(served)
		err := error(nil)
		if tlsOn {
			err = srv.ServeTLS(ln, "", "")
		} else {
			err = srv.Serve(ln)
		}
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("emulator: stopped serving", "error", err)
		}
	}()
}

// Close lets go what chaos holds, waits for requests in flight until ctx is
// done, and then cuts them off. Closing what is not open is no error.
func (s *Server) Close(ctx context.Context) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.http == nil {
		return nil
	}
	s.unwatch()
	close(s.stopped)
	err := s.shutdown(ctx)
	<-s.served
	s.http = nil
	return err
}

// shutdown is the HTTP server's, except that idle HTTP/2 connections, which it
// would give a second each, get no more than an answer needs to leave.
func (s *Server) shutdown(ctx context.Context) error {
	const leave = 50 * time.Millisecond
	wait, cancel := ctx, context.CancelFunc(func() {})
	if s.InFlight() == 0 {
		wait, cancel = context.WithTimeout(ctx, leave)
	}
	defer cancel()
	err := s.http.Shutdown(wait)
	if err == nil {
		return nil
	}
	closed := s.http.Close()
	if n := s.InFlight(); n > 0 {
		return errors.Join(fmt.Errorf("emulator: %d requests still in flight: %w", n, err), closed)
	}
	return closed
}

// URL is the base URL, such as http://127.0.0.1:41234; empty before [Server.Start].
func (s *Server) URL() string {
	s.life.Lock()
	defer s.life.Unlock()
	if s.ln == nil {
		return ""
	}
	scheme := "http://"
	if s.cfg.TLS {
		scheme = "https://"
	}
	return scheme + s.ln.Addr().String()
}

// Handler answers requests; for an http.Server of one's own. Reset effects need
// [Server.Start]'s, or they only abort the request.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Clock is the emulator's time.
func (s *Server) Clock() *Clock { return s.clock }

// Chaos injects faults.
func (s *Server) Chaos() *Chaos { return s.chaos }

// Credentials issues key pairs.
func (s *Server) Credentials() *Credentials { return s.creds }

// Region is the endpoint's.
func (s *Server) Region() string { return s.cfg.Region }

// AccountID is the account of principals and ARNs.
func (s *Server) AccountID() string { return s.cfg.AccountID }

// AdminToken is what X-Middy-Token must carry under /_middy/.
func (s *Server) AdminToken() string { return s.token }

// Session is the pair in [Server.Env]: temporary, as Lambda's are.
func (s *Server) Session() KeyPair { return s.session }

// CACert is the PEM certificate that signed the server's; nil unless [Config.TLS]
// is set and the server was started.
func (s *Server) CACert() []byte {
	s.life.Lock()
	defer s.life.Unlock()
	if s.ca == nil {
		return nil
	}
	return slices.Clone(s.ca.pem)
}

// ClientTLS is a client's TLS configuration that trusts the server's certificate
// and nothing else; nil where [Server.CACert] is.
func (s *Server) ClientTLS() *tls.Config {
	cert := s.CACert()
	if cert == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// Env is the environment that makes an AWS SDK or the AWS CLI talk to the
// emulator, as "KEY=value" lines for exec.Cmd. It contains live credentials of
// the emulator.
func (s *Server) Env() []string {
	url := s.URL()
	return []string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + url,
		"AWS_ENDPOINT_URL_SSM=" + url,
		"AWS_ENDPOINT_URL_STS=" + url,
		"AWS_REGION=" + s.cfg.Region,
		"AWS_DEFAULT_REGION=" + s.cfg.Region,
		"AWS_ACCESS_KEY_ID=" + s.session.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + s.session.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + s.session.SessionToken,
	}
}

// connKey finds the request's connection in its context.
type connKey struct{}

func loopbackAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("emulator: address %q: %w", addr, err)
	}
	if !loopback.Address(host) { // a name below localhost may be looked up elsewhere
		return fmt.Errorf("%w (not %q)", ErrNotLoopback, addr)
	}
	return nil
}

func (s *Server) hostAllowed(hostport string) bool {
	return loopback.Host(hostport) || slices.Contains(s.cfg.Hosts, strings.ToLower(loopback.Hostname(hostport)))
}

func slogErrors(l *slog.Logger) *log.Logger {
	return slog.NewLogLogger(l.Handler(), slog.LevelDebug)
}
