package awsapi

import (
	"context"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// HTTPClient sends one request.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// HTTPSignerV4 signs one request.
type HTTPSignerV4 interface {
	SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payloadHash, service, region string, signingTime time.Time, optFns ...func(*v4.SignerOptions)) error
}

// EndpointOptions change the endpoint that a region has.
type EndpointOptions struct {
	UseDualStackEndpoint aws.DualStackEndpointState
	UseFIPSEndpoint      aws.FIPSEndpointState
	DisableHTTPS         bool
}

// Options is what [aws.Config.ServiceOptions] get a pointer to. Its fields have
// the names and types of a generated client's Options, since such functions
// find them by name.
type Options struct {
	APIOptions                 []func(*middleware.Stack) error
	AppID                      string
	BaseEndpoint               *string
	ClientLogMode              aws.ClientLogMode
	Credentials                aws.CredentialsProvider
	DisableClockSkewCorrection bool
	EndpointOptions            EndpointOptions
	HTTPClient                 HTTPClient
	HTTPSignerV4               HTTPSignerV4
	Interceptors               smithyhttp.InterceptorRegistry
	Logger                     logging.Logger
	Region                     string
	RetryMaxAttempts           int
	RetryMode                  aws.RetryMode
	Retryer                    aws.Retryer

	// legacy is the deprecated resolver of an aws.Config. Somebody who still
	// has one must not be sent to AWS behind their back.
	//lint:ignore SA1019 that is what it is for
	legacy aws.EndpointResolverWithOptions
}

func resolve(s Service, cfg aws.Config) Options {
	o := Options{
		APIOptions:                 append([]func(*middleware.Stack) error(nil), cfg.APIOptions...),
		AppID:                      cfg.AppID,
		ClientLogMode:              cfg.ClientLogMode,
		Credentials:                cfg.Credentials,
		DisableClockSkewCorrection: cfg.DisableClockSkewCorrection,
		HTTPClient:                 cfg.HTTPClient,
		Interceptors:               cfg.Interceptors.Copy(),
		Logger:                     cfg.Logger,
		Region:                     cfg.Region,
		RetryMaxAttempts:           cfg.RetryMaxAttempts,
		RetryMode:                  cfg.RetryMode,
		//lint:ignore SA1019 as above
		legacy: cfg.EndpointResolverWithOptions,
	}
	if cfg.Retryer != nil {
		o.Retryer = cfg.Retryer()
	}
	if o.Logger == nil {
		o.Logger = logging.Nop{}
	}
	if o.HTTPClient == nil {
		o.HTTPClient = awshttp.NewBuildableClient()
	}
	if o.Retryer == nil {
		o.Retryer = newRetryer(o.RetryMode, o.RetryMaxAttempts)
	}
	o.HTTPSignerV4 = v4.NewSigner(func(so *v4.SignerOptions) {
		so.Logger, so.LogSigning = o.Logger, o.ClientLogMode.IsSigning()
	})
	o.resolveEndpointOptions(cfg)
	o.BaseEndpoint = baseEndpoint(s, cfg)
	return o
}

func newRetryer(mode aws.RetryMode, attempts int) aws.Retryer {
	standard := func(so *retry.StandardOptions) {
		if attempts != 0 {
			so.MaxAttempts = attempts
		}
	}
	if mode == aws.RetryModeAdaptive {
		return retry.NewAdaptiveMode(func(ao *retry.AdaptiveModeOptions) {
			ao.StandardOptions = append(ao.StandardOptions, standard)
		})
	}
	return retry.NewStandard(standard)
}

// finish settles what must follow the service options.
func (o *Options) finish() {
	if o.RetryMaxAttempts != 0 {
		o.Retryer = retry.AddWithMaxAttempts(o.Retryer, o.RetryMaxAttempts)
	}
	if aws.IsCredentialsProvider(o.Credentials, (*aws.AnonymousCredentials)(nil)) {
		o.Credentials = nil
	}
	// "fips-us-east-1" and "us-east-1-fips" are pseudo regions of old
	// configurations: the SDK still takes them for the FIPS endpoint.
	if strings.Contains(o.Region, "fips") {
		r := strings.NewReplacer("-fips-", "-", "fips-", "", "-fips", "").Replace(o.Region)
		if r != o.Region {
			o.Region, o.EndpointOptions.UseFIPSEndpoint = r, aws.FIPSEndpointStateEnabled
		}
	}
}

// The interfaces by which the SDK's config package hands over what it read from
// the environment and the shared files.
type (
	fipsSource interface {
		GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
	}
	dualStackSource interface {
		GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error)
	}
	endpointSource interface {
		GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
	}
	ignoreSource interface {
		GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error)
	}
)

func (o *Options) resolveEndpointOptions(cfg aws.Config) {
	if len(cfg.ConfigSources) == 0 {
		if isTrue("AWS_USE_FIPS_ENDPOINT") {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if isTrue("AWS_USE_DUALSTACK_ENDPOINT") {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
		return
	}
	o.EndpointOptions.UseFIPSEndpoint, _ = first(cfg.ConfigSources, func(s fipsSource) (aws.FIPSEndpointState, bool, error) {
		return s.GetUseFIPSEndpoint(context.Background())
	})
	o.EndpointOptions.UseDualStackEndpoint, _ = first(cfg.ConfigSources, func(s dualStackSource) (aws.DualStackEndpointState, bool, error) {
		return s.GetUseDualStackEndpoint(context.Background())
	})
}

// baseEndpoint is the custom endpoint, in the SDK's order: the service's own in
// the configuration, then the code's or the global one. A cfg that was not made
// by the SDK's config package has no sources; the environment stands in for
// them.
func baseEndpoint(s Service, cfg aws.Config) *string {
	own := "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(s.ID, " ", "_"))
	if len(cfg.ConfigSources) == 0 {
		if cfg.BaseEndpoint != nil || isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
			return cfg.BaseEndpoint
		}
		for _, name := range []string{own, "AWS_ENDPOINT_URL"} {
			if v := os.Getenv(name); v != "" {
				return &v
			}
		}
		return nil
	}
	if os.Getenv("AWS_ENDPOINT_URL") != "" && os.Getenv(own) == "" {
		return cfg.BaseEndpoint
	}
	ignored, _ := first(cfg.ConfigSources, func(s ignoreSource) (bool, bool, error) {
		return s.GetIgnoreConfiguredEndpoints(context.Background())
	})
	if ignored {
		return cfg.BaseEndpoint
	}
	v, found := first(cfg.ConfigSources, func(src endpointSource) (string, bool, error) {
		return src.GetServiceBaseEndpoint(context.Background(), s.ID)
	})
	if found {
		return &v
	}
	return cfg.BaseEndpoint
}

func isTrue(name string) bool { return strings.EqualFold(os.Getenv(name), "true") }

// first asks the sources that are S, in order, until one has an answer.
func first[S, V any](sources []any, ask func(S) (V, bool, error)) (zero V, found bool) {
	for _, src := range sources {
		s, ok := src.(S)
		if !ok {
			continue
		}
		v, found, err := ask(s)
		if err != nil {
			return zero, false
		}
		if found {
			return v, true
		}
	}
	return zero, false
}
