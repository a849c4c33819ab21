package freshsign

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
)

// An EnvError says what [FromEnv] looked for in the environment and did not find, or could not read. Calls return it;
// FromEnv itself cannot fail.
type EnvError struct {
	Problem string // what was looked for, and what was found instead
	Advice  string // what to do
	Err     error  // the reason, if there is one
}

// Error never contains a value that may be secret.
func (e *EnvError) Error() string {
	s := "freshsign: " + e.Problem
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s + "; " + e.Advice
}

// Unwrap returns the reason.
func (e *EnvError) Unwrap() error { return e.Err }

// FromEnv fills an aws.Config from the environment that Lambda (or a container, or a shell) provides, already
// protected by [Apply]. It does without the SDK's config package, which adds about 2 MB to a function, and hence
// without what only that package knows: profiles and the files they are in (AWS_PROFILE, AWS_DEFAULT_PROFILE,
// AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, AWS_RESTRICT_FILE_PERMISSIONS), SSO, web identity
// (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME), instance metadata (AWS_EC2_METADATA_…). It reads
// no file but the CA bundle, and does not fail; a missing region or missing credentials become an [*EnvError] at the first call, unless the caller has set
// them by then.
//
// It reads, with the SDK's own meaning
// (https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html): AWS_REGION, AWS_DEFAULT_REGION;
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or else AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or
// AWS_CONTAINER_CREDENTIALS_FULL_URI (SnapStart, ECS, EKS) with AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or
// AWS_CONTAINER_AUTHORIZATION_TOKEN; AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>,
// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS; AWS_MAX_ATTEMPTS, AWS_RETRY_MODE; AWS_USE_FIPS_ENDPOINT,
// AWS_USE_DUALSTACK_ENDPOINT; AWS_ACCOUNT_ID, AWS_ACCOUNT_ID_ENDPOINT_MODE; AWS_REQUEST_CHECKSUM_CALCULATION,
// AWS_RESPONSE_CHECKSUM_VALIDATION; AWS_CA_BUNDLE; AWS_DEFAULTS_MODE; AWS_AUTH_SCHEME_PREFERENCE; AWS_DISABLE_REQUEST_COMPRESSION, AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES;
// AWS_ENABLE_ENDPOINT_DISCOVERY; AWS_S3_USE_ARN_REGION, AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS,
// AWS_S3_DISABLE_EXPRESS_SESSION_AUTH; AWS_SDK_UA_APP_ID. AWS_DISABLE_CLOCK_SKEW_CORRECTION is met as it is: the SDK's
// correction is off, and this package's is in its place ([Apply]).
func FromEnv() aws.Config { return Config{}.FromEnv() }

// FromEnv is the package's [FromEnv] with this configuration.
func (c Config) FromEnv() aws.Config {
	var env envReader
	cfg := aws.Config{
		Region:      firstEnv("AWS_REGION", "AWS_DEFAULT_REGION"),
		Credentials: envCredentials(),
		AppID:       os.Getenv("AWS_SDK_UA_APP_ID"),
	}
	env.retries(&cfg)
	env.endpoints(&cfg)
	env.checksums(&cfg)
	env.transfer(&cfg)
	check := &envCheck{problem: errors.Join(env.problems...)}
	cfg.APIOptions = append(cfg.APIOptions, check.add)
	c.Apply(&cfg)
	return cfg
}

func (r *envReader) retries(cfg *aws.Config) {
	cfg.RetryMaxAttempts = int(r.whole("AWS_MAX_ATTEMPTS", math.MinInt32, math.MaxInt32, 0)) // 0 is the default, negative no limit
	cfg.RetryMode = envChoice(r, "AWS_RETRY_MODE", "", map[string]aws.RetryMode{
		"standard": aws.RetryModeStandard,
		"adaptive": aws.RetryModeAdaptive,
	})
}

func (r *envReader) endpoints(cfg *aws.Config) {
	src := envSource{
		fips:      r.boolean("AWS_USE_FIPS_ENDPOINT"),
		dualStack: r.boolean("AWS_USE_DUALSTACK_ENDPOINT"),
		ignore:    r.boolean("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
		arnRegion: r.boolean("AWS_S3_USE_ARN_REGION"),
		noMRAP:    r.boolean("AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS"),
		noExpress: r.boolean("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"),
		discovery: envChoice(r, "AWS_ENABLE_ENDPOINT_DISCOVERY", aws.EndpointDiscoveryUnset, map[string]aws.EndpointDiscoveryEnableState{
			"true":  aws.EndpointDiscoveryEnabled,
			"false": aws.EndpointDiscoveryDisabled,
			"auto":  aws.EndpointDiscoveryAuto,
		}),
	}
	cfg.ConfigSources = []any{src}
	if url := os.Getenv("AWS_ENDPOINT_URL"); url != "" && !src.ignores() {
		cfg.BaseEndpoint = &url
	}
	cfg.AccountIDEndpointMode = envWord(r, "AWS_ACCOUNT_ID_ENDPOINT_MODE", aws.AccountIDEndpointModePreferred, map[string]aws.AccountIDEndpointMode{
		"preferred": aws.AccountIDEndpointModePreferred,
		"required":  aws.AccountIDEndpointModeRequired,
		"disabled":  aws.AccountIDEndpointModeDisabled,
	})
}

func (r *envReader) checksums(cfg *aws.Config) {
	cfg.RequestChecksumCalculation = envChoice(r, "AWS_REQUEST_CHECKSUM_CALCULATION", aws.RequestChecksumCalculationWhenSupported, map[string]aws.RequestChecksumCalculation{
		"when_supported": aws.RequestChecksumCalculationWhenSupported,
		"when_required":  aws.RequestChecksumCalculationWhenRequired,
	})
	cfg.ResponseChecksumValidation = envChoice(r, "AWS_RESPONSE_CHECKSUM_VALIDATION", aws.ResponseChecksumValidationWhenSupported, map[string]aws.ResponseChecksumValidation{
		"when_supported": aws.ResponseChecksumValidationWhenSupported,
		"when_required":  aws.ResponseChecksumValidationWhenRequired,
	})
}

// transfer reads what concerns the HTTP client and the bytes it carries.
func (r *envReader) transfer(cfg *aws.Config) {
	cfg.DefaultsMode = envChoice(r, "AWS_DEFAULTS_MODE", aws.DefaultsModeLegacy, map[string]aws.DefaultsMode{
		"legacy":       aws.DefaultsModeLegacy,
		"standard":     aws.DefaultsModeStandard,
		"in-region":    aws.DefaultsModeInRegion,
		"cross-region": aws.DefaultsModeCrossRegion,
		"mobile":       aws.DefaultsModeMobile,
		"auto":         aws.DefaultsModeAuto,
	})
	cfg.RuntimeEnvironment = aws.RuntimeEnvironment{ // what "auto" asks for
		EnvironmentIdentifier: aws.ExecutionEnvironmentID(os.Getenv("AWS_EXECUTION_ENV")),
		Region:                cfg.Region,
	}
	for id := range strings.SplitSeq(os.Getenv("AWS_AUTH_SCHEME_PREFERENCE"), ",") {
		if id = strings.TrimSpace(id); id != "" {
			cfg.AuthSchemePreference = append(cfg.AuthSchemePreference, id)
		}
	}
	if off := r.boolean("AWS_DISABLE_REQUEST_COMPRESSION"); off != nil {
		cfg.DisableRequestCompression = *off
	}
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-compression.html
	cfg.RequestMinCompressSizeBytes = r.whole("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", 0, 10<<20, 10<<10)
	if pool := r.certificates("AWS_CA_BUNDLE"); pool != nil {
		cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig.RootCAs = pool
		})
	}
}

// An envCheck makes calls fail with what is wrong in the environment, before anything is sent.
type envCheck struct{ problem error }

func (k *envCheck) add(stack *middleware.Stack) error {
	if k.problem != nil {
		return k.problem
	}
	return stack.Initialize.Add(k, middleware.Before)
}

// ID is the name in the stack.
func (*envCheck) ID() string { return "FreshSignEnvironment" }

// HandleInitialize fails if neither the environment nor the caller has named a region.
func (*envCheck) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if awsmiddleware.GetRegion(ctx) == "" {
		return middleware.InitializeOutput{}, middleware.Metadata{}, &EnvError{
			Problem: "no region: neither AWS_REGION nor AWS_DEFAULT_REGION is set",
			Advice:  "Lambda sets AWS_REGION by itself; elsewhere export it, or set Region in the aws.Config",
		}
	}
	return next.HandleInitialize(ctx, in)
}

// An envSource answers what generated clients ask the config sources of an aws.Config, through interfaces that they
// find by type assertion (internal/configsources in the SDK).
type envSource struct {
	fips, dualStack, ignore      *bool
	arnRegion, noMRAP, noExpress *bool
	discovery                    aws.EndpointDiscoveryEnableState
}

func (s envSource) ignores() bool { return s.ignore != nil && *s.ignore }

// GetIgnoreConfiguredEndpoints reports AWS_IGNORE_CONFIGURED_ENDPOINT_URLS.
func (s envSource) GetIgnoreConfiguredEndpoints(context.Context) (value, found bool, err error) {
	return s.ignores(), s.ignore != nil, nil
}

// GetServiceBaseEndpoint reports AWS_ENDPOINT_URL_<SERVICE>, for example AWS_ENDPOINT_URL_SECRETS_MANAGER.
func (envSource) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url := os.Getenv("AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(sdkID), " ", "_"))
	return url, url != "", nil
}

// GetS3UseARNRegion reports AWS_S3_USE_ARN_REGION.
func (s envSource) GetS3UseARNRegion(context.Context) (value, found bool, err error) {
	return aws.ToBool(s.arnRegion), s.arnRegion != nil, nil
}

// GetS3DisableMultiRegionAccessPoints reports AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS.
func (s envSource) GetS3DisableMultiRegionAccessPoints(context.Context) (value, found bool, err error) {
	return aws.ToBool(s.noMRAP), s.noMRAP != nil, nil
}

// GetS3DisableExpressAuth reports AWS_S3_DISABLE_EXPRESS_SESSION_AUTH.
func (s envSource) GetS3DisableExpressAuth() (value, found bool) {
	return aws.ToBool(s.noExpress), s.noExpress != nil
}

// GetEnableEndpointDiscovery reports AWS_ENABLE_ENDPOINT_DISCOVERY.
func (s envSource) GetEnableEndpointDiscovery(context.Context) (aws.EndpointDiscoveryEnableState, bool, error) {
	return s.discovery, s.discovery != aws.EndpointDiscoveryUnset, nil
}

// GetUseFIPSEndpoint reports AWS_USE_FIPS_ENDPOINT.
func (s envSource) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	switch {
	case s.fips == nil:
		return aws.FIPSEndpointStateUnset, false, nil
	case *s.fips:
		return aws.FIPSEndpointStateEnabled, true, nil
	}
	return aws.FIPSEndpointStateDisabled, true, nil
}

// GetUseDualStackEndpoint reports AWS_USE_DUALSTACK_ENDPOINT.
func (s envSource) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	switch {
	case s.dualStack == nil:
		return aws.DualStackEndpointStateUnset, false, nil
	case *s.dualStack:
		return aws.DualStackEndpointStateEnabled, true, nil
	}
	return aws.DualStackEndpointStateDisabled, true, nil
}

// envCredentials chooses as the SDK does: keys first, then the container's endpoint.
func envCredentials() aws.CredentialsProvider {
	creds := aws.Credentials{
		AccessKeyID:     firstEnv("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
		SecretAccessKey: firstEnv("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
		AccountID:       os.Getenv("AWS_ACCOUNT_ID"),
		Source:          "freshsign: environment",
	}
	if creds.HasKeys() {
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil })
	}
	if c, ok := containerFromEnv(); ok {
		return c.cached()
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, &EnvError{
			Problem: "no credentials: looked for AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI",
			Advice:  "Lambda provides them by itself; elsewhere export them, or set Credentials in the aws.Config",
		}
	})
}
