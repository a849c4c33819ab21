// Package sts emulates AWS's Security Token Service.
//
// Credentials that run out are a fault that static test credentials never show:
// a role is assumed, the process sleeps, and the next request is refused with
// ExpiredToken. This service issues sessions that the emulator really refuses
// after their end, on its virtual clock, so that a test steps the clock by an
// hour instead of waiting for it.
//
// It answers GetCallerIdentity, AssumeRole and GetSessionToken, with AWS's
// limits and sentences. Any role may be assumed: the emulator keeps no trust
// policies.
package sts

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/service"
)

// An Issuer makes key pairs; [emulator.Credentials] is one.
type Issuer interface {
	Issue(principalARN string, ttl time.Duration, session bool) emulator.KeyPair
}

// Config configures the service.
type Config struct {
	// Credentials issues the sessions. Required.
	Credentials Issuer
	// MinDuration is the shortest session a caller may ask for. Default: 15
	// minutes, AWS's own.
	MinDuration time.Duration
	// TTL is how long every session lasts, whatever the caller asked for; for
	// tests of clients that cannot ask for less than 15 minutes. Default: as asked.
	TTL time.Duration
	// MaxSessionDuration is the roles' own limit. Default: 12 hours, the most that
	// AWS lets a role have.
	MaxSessionDuration time.Duration
}

// A Service is an emulated STS. It is safe for concurrent use.
type Service struct{ cfg Config }

var _ service.Service = (*Service)(nil)

// New returns the service.
func New(cfg Config) *Service {
	if cfg.MinDuration == 0 {
		cfg.MinDuration = 15 * time.Minute
	}
	if cfg.MaxSessionDuration == 0 {
		cfg.MaxSessionDuration = 12 * time.Hour
	}
	return &Service{cfg: cfg}
}

// SigningName is "sts".
func (s *Service) SigningName() string { return "sts" }

// Protocol is the query protocol.
func (s *Service) Protocol() service.Protocol { return service.Query }

// TargetPrefix is empty: the query protocol has none.
func (s *Service) TargetPrefix() string { return "" }

// XMLNamespace is that of the API's version.
func (s *Service) XMLNamespace() string { return "https://sts.amazonaws.com/doc/2011-06-15/" }

// Call answers one operation.
func (s *Service) Call(_ context.Context, c *service.Call) (any, error) {
	form, err := url.ParseQuery(string(c.Body))
	if err != nil {
		return nil, &service.Error{Code: "MalformedQueryString", Message: "The query string contains a syntax error."}
	}
	switch c.Operation {
	case "GetCallerIdentity":
		return callerIdentity(c), nil
	case "AssumeRole":
		return s.assumeRole(c, form)
	case "GetSessionToken":
		return s.sessionToken(c, form)
	default:
		return nil, &service.Error{Code: "InvalidAction", Message: "Could not find operation " + c.Operation + " for version 2011-06-15"}
	}
}

type callerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type assumedRoleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	Arn           string
}

type assumeRoleResult struct {
	XMLName          xml.Name `xml:"AssumeRoleResult"`
	AssumedRoleUser  assumedRoleUser
	Credentials      credentials
	PackedPolicySize *int   `xml:",omitempty"`
	SourceIdentity   string `xml:",omitempty"`
}

type sessionTokenResult struct {
	XMLName     xml.Name `xml:"GetSessionTokenResult"`
	Credentials credentials
}

func callerIdentity(c *service.Call) callerIdentityResult {
	account := c.Account
	if parts := strings.SplitN(c.PrincipalARN, ":", 6); len(parts) == 6 && parts[4] != "" {
		account = parts[4]
	}
	return callerIdentityResult{Arn: c.PrincipalARN, UserID: userID(c.PrincipalARN), Account: account}
}

// userID makes the same unique id for the same principal: AROA…:session for an
// assumed role, AIDA… for a user. Roles of one name in two accounts are two.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func userID(arn string) string {
	if account, path, ok := strings.Cut(arn, ":assumed-role/"); ok {
		role, session, _ := strings.Cut(path, "/")
		return uniqueID("AROA", account+"/"+role) + ":" + session
	}
	return uniqueID("AIDA", arn)
}

func uniqueID(prefix, of string) string {
	sum := sha256.Sum256([]byte(of))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

var (
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,64})$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]*$`)
)

func (s *Service) assumeRole(c *service.Call, form url.Values) (any, error) {
	var bad violations
	arn, name := form.Get("RoleArn"), form.Get("RoleSessionName")
	bad.length("roleArn", arn, 20, 2048)
	bad.length("roleSessionName", name, 2, 64)
	if !sessionName.MatchString(name) {
		bad.add(name, "roleSessionName", `Member must satisfy regular expression pattern: [\w+=,.@-]*`)
	}
	if id := form.Get("ExternalId"); form.Has("ExternalId") {
		bad.length("externalId", id, 2, 1224)
	}
	ttl := bad.duration(form.Get("DurationSeconds"), time.Hour, s.cfg.MinDuration, 12*time.Hour)
	if err := bad.err(); err != nil {
		return nil, err
	}
	role := roleARN.FindStringSubmatch(arn)
	if role == nil {
		return nil, invalid(arn + " is invalid")
	}
	if ttl > s.cfg.MaxSessionDuration {
		return nil, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if strings.Contains(c.PrincipalARN, ":assumed-role/") && ttl > time.Hour {
		return nil, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	packed, err := sessionPolicy(form.Get("Policy"))
	if err != nil {
		return nil, err
	}
	principal := "arn:aws:sts::" + role[1] + ":assumed-role/" + role[2] + "/" + name
	return assumeRoleResult{
		AssumedRoleUser:  assumedRoleUser{AssumedRoleID: userID(principal), Arn: principal},
		Credentials:      s.issue(principal, ttl),
		PackedPolicySize: packed,
		SourceIdentity:   form.Get("SourceIdentity"),
	}, nil
}

// sessionPolicy accepts a policy without enforcing it, and says how much of
// AWS's 2,048 characters it fills, in percent.
func sessionPolicy(policy string) (*int, error) {
	if policy == "" {
		return nil, nil
	}
	if !json.Valid([]byte(policy)) {
		return nil, &service.Error{Code: "MalformedPolicyDocument", Message: "This policy contains invalid Json"}
	}
	percent := (len(policy)*100 + 2047) / 2048
	if percent > 100 {
		return nil, &service.Error{Code: "PackedPolicyTooLarge", Message: fmt.Sprintf("Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)}
	}
	return &percent, nil
}

func (s *Service) sessionToken(c *service.Call, form url.Values) (any, error) {
	if strings.HasPrefix(c.AccessKeyID, "ASIA") {
		return nil, &service.Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Cannot call GetSessionToken with session credentials"}
	}
	var bad violations
	ttl := bad.duration(form.Get("DurationSeconds"), 12*time.Hour, s.cfg.MinDuration, 36*time.Hour)
	if err := bad.err(); err != nil {
		return nil, err
	}
	return sessionTokenResult{Credentials: s.issue(c.PrincipalARN, ttl)}, nil
}

func (s *Service) issue(principal string, ttl time.Duration) credentials {
	if s.cfg.TTL > 0 {
		ttl = s.cfg.TTL
	}
	k := s.cfg.Credentials.Issue(principal, ttl, true)
	return credentials{k.AccessKeyID, k.SecretAccessKey, k.SessionToken, k.Expires.UTC().Format(time.RFC3339)}
}

func invalid(message string) *service.Error {
	return &service.Error{Code: "ValidationError", Message: message}
}

// violations are collected and told at once, as AWS does.
type violations []string

func (v *violations) add(value, member, constraint string) {
	*v = append(*v, "Value '"+value+"' at '"+member+"' failed to satisfy constraint: "+constraint)
}

func (v *violations) length(member, value string, least, most int) {
	switch {
	case value == "":
		*v = append(*v, "Value null at '"+member+"' failed to satisfy constraint: Member must not be null")
	case len(value) < least:
		v.add(value, member, "Member must have length greater than or equal to "+strconv.Itoa(least))
	case len(value) > most:
		v.add(value, member, "Member must have length less than or equal to "+strconv.Itoa(most))
	}
}

func (v *violations) duration(text string, absent, least, most time.Duration) time.Duration {
	if text == "" {
		return absent
	}
	n, err := strconv.ParseInt(text, 10, 32)
	d := time.Duration(n) * time.Second
	switch {
	case err != nil:
		v.add(text, "durationSeconds", "Member must be an integer")
	case d < least:
		v.add(text, "durationSeconds", fmt.Sprintf("Member must have value greater than or equal to %d", int(least.Seconds())))
	case d > most:
		v.add(text, "durationSeconds", fmt.Sprintf("Member must have value less than or equal to %d", int(most.Seconds())))
	}
	return d
}

func (v *violations) err() error {
	switch len(*v) {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: " + (*v)[0])
	default:
		return invalid(fmt.Sprintf("%d validation errors detected: %s", len(*v), strings.Join(*v, "; ")))
	}
}
