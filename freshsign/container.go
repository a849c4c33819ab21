package freshsign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	containerTimeout  = 5 * time.Second
	containerAttempts = 3
	containerPause    = 50 * time.Millisecond // after the first attempt, twice that after the second
	containerMaxBytes = 64 << 10
	containerHost     = "http://169.254.170.2"
)

// containerExpiryWindow is how long before their end credentials are renewed, if they live long enough for that.
const containerExpiryWindow = 5 * time.Minute

// A container fetches credentials from the endpoint that Lambda (SnapStart), ECS and EKS offer to a process.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
type container struct {
	url    string
	client *http.Client

	mu  sync.Mutex
	end time.Time // when the credentials that were given last really end; the cache's instant is earlier
}

func containerFromEnv() (*container, bool) {
	address := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if path := os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		address = containerHost + "/" + strings.TrimPrefix(path, "/") // never part of the host
	}
	if address == "" {
		return nil, false
	}
	// No proxy, and a connection for each fetch: they are hours apart, and no kept one survives a freeze.
	return &container{url: address, client: &http.Client{
		Timeout:       containerTimeout,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, true
}

// cached returns c behind the SDK's cache, which renews ahead of the end.
func (c *container) cached() aws.CredentialsProvider {
	return aws.NewCredentialsCache(c, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = containerExpiryWindow })
}

// AdjustExpiresBy says when the cache asks again: the window before the end, or half-way to it when less than two
// windows are left. An endpoint that hands out credentials of a few minutes is not asked for each call.
func (c *container) AdjustExpiresBy(creds aws.Credentials, window time.Duration) (aws.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = creds.Expires
	creds.Expires = creds.Expires.Add(max(window, min(0, -time.Until(c.end)/2))) // window is negative
	return creds, nil
}

// HandleFailToRefresh keeps credentials that still work: an endpoint that is away for a moment fails no call.
func (c *container) HandleFailToRefresh(_ context.Context, creds aws.Credentials, err error) (aws.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !creds.HasKeys() || !time.Now().Before(c.end) {
		return aws.Credentials{}, err
	}
	creds.Expires = c.end
	return creds, nil
}

// Retrieve fetches credentials, with up to three attempts. The token is read each time, because a restore from a
// snapshot replaces it.
func (c *container) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if err := allowed(ctx, c.url); err != nil {
		return aws.Credentials{}, err
	}
	token, err := containerToken()
	if err != nil {
		return aws.Credentials{}, err
	}
	for attempt := 1; ; attempt++ {
		creds, again, err := c.fetch(ctx, token)
		if err == nil {
			return creds, nil
		}
		if !again || attempt == containerAttempts || !pause(ctx, time.Duration(attempt)*containerPause) {
			return aws.Credentials{}, &EnvError{
				Problem: "the container credentials endpoint gave no credentials",
				Advice:  "check AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI and the authorization token",
				Err:     err,
			}
		}
	}
}

// pause waits, and reports whether it was allowed to.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *container) fetch(ctx context.Context, token string) (creds aws.Credentials, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return creds, false, err
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return creds, true, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, containerMaxBytes))
	switch {
	case err != nil:
		return creds, true, err
	case resp.StatusCode != http.StatusOK:
		again = resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests
		return creds, again, fmt.Errorf("status %d", resp.StatusCode)
	}
	creds, err = parseCredentials(body)
	return creds, false, err
}

// parseCredentials reads the endpoint's answer. Errors never quote it.
func parseCredentials(body []byte) (aws.Credentials, error) {
	var v struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		AccountID       string `json:"AccountId"`
		Expiration      *time.Time
	}
	if json.Unmarshal(body, &v) != nil {
		return aws.Credentials{}, errors.New("the answer is not the JSON that was expected")
	}
	if v.AccessKeyID == "" || v.SecretAccessKey == "" {
		return aws.Credentials{}, errors.New("the answer has no AccessKeyId or no SecretAccessKey")
	}
	creds := aws.Credentials{
		AccessKeyID: v.AccessKeyID, SecretAccessKey: v.SecretAccessKey, SessionToken: v.Token, AccountID: v.AccountID,
		Source: "freshsign: container endpoint",
	}
	if v.Expiration != nil {
		creds.CanExpire, creds.Expires = true, *v.Expiration
	}
	return creds, nil
}

// containerToken returns the value for the Authorization header; a file wins, because its content may rotate.
func containerToken() (string, error) {
	token := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", &EnvError{Problem: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read", Advice: "check the path and its permissions", Err: err}
		}
		token = string(b)
	}
	if strings.ContainsAny(token, "\r\n") {
		return "", &EnvError{Problem: "the container authorization token contains a line break", Advice: "write the token without one"}
	}
	return token, nil
}

// allowed refuses to send the token in the clear to a host that is not this machine or AWS's link-local endpoints.
func allowed(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return &EnvError{Problem: "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL with a host", Advice: "correct it, or unset it"}
	}
	if u.Scheme == "https" {
		return nil
	}
	hosts := []string{u.Hostname()}
	if net.ParseIP(hosts[0]) == nil {
		if hosts, err = net.DefaultResolver.LookupHost(ctx, hosts[0]); err != nil {
			return &EnvError{Problem: fmt.Sprintf("the host %q in AWS_CONTAINER_CREDENTIALS_FULL_URI cannot be resolved", u.Hostname()), Advice: "correct it, or unset it", Err: err}
		}
	}
	for _, h := range hosts {
		if !local(net.ParseIP(h)) {
			return &EnvError{Problem: fmt.Sprintf("the host %q in AWS_CONTAINER_CREDENTIALS_FULL_URI is neither loopback nor an ECS or EKS endpoint", u.Hostname()), Advice: "use https, or one of those"}
		}
	}
	return nil
}

func local(ip net.IP) bool {
	switch ip.String() {
	case "169.254.170.2", "169.254.170.23", "fd00:ec2::23":
		return true
	}
	return ip.IsLoopback()
}
