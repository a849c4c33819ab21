package awsapi

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// build puts the SDK's steps into a stack in the order of a generated client:
//
//	Serialize    OperationSerializer
//	Build        ClientRequestID, UserAgent, RecursionDetection
//	Finalize     Retry, GetIdentity, ResolveEndpointV2, ComputePayloadHash, Signing
//	Deserialize  AddRawResponse, ErrorDeserializer (ResponseErrorWrapper), RequestIDRetriever,
//	             OperationDeserializer, RecordResponseTiming, logging
//
// Others attach themselves before "Retry" or around "Signing"; a test compares
// the order with the generated client's.
func (c *Client) build(stack *middleware.Stack, operation string, out any) error {
	o := &c.options
	attempt := retry.NewAttemptMiddleware(o.Retryer, smithyhttp.RequestCloner, func(m *retry.Attempt) {
		m.LogAttempts = o.ClientLogMode.IsRetries()
		m.ClientSkew = c.skew
		m.DisableClockSkewCorrection = o.DisableClockSkewCorrection
	})
	return errors.Join(
		stack.Serialize.Add(&serialize{target: c.service.Target + "." + operation}, middleware.After),

		stack.Build.Add(&awsmiddleware.ClientRequestID{}, middleware.After),
		stack.Build.Add(c.userAgent(), middleware.After),
		stack.Build.Add(&awsmiddleware.RecursionDetection{}, middleware.After),

		stack.Finalize.Add(attempt, middleware.After),
		stack.Finalize.Add(&identify{o}, middleware.After),
		stack.Finalize.Add(&locate{o, c.service}, middleware.After),
		stack.Finalize.Add(&v4.ComputePayloadSHA256{}, middleware.After),
		stack.Finalize.Add(&sign{c}, middleware.After),

		stack.Deserialize.Add(&awsmiddleware.AddRawResponse{}, middleware.After),
		stack.Deserialize.Add(&awshttp.ResponseErrorWrapper{}, middleware.After),
		stack.Deserialize.Add(&awsmiddleware.RequestIDRetriever{}, middleware.After),
		stack.Deserialize.Add(&deserialize{out: out}, middleware.After),
		stack.Deserialize.Add(&awsmiddleware.RecordResponseTiming{DisableClockSkewCorrection: o.DisableClockSkewCorrection}, middleware.After),
		stack.Deserialize.Add(&smithyhttp.RequestResponseLogger{
			LogRequest:  o.ClientLogMode.IsRequest(),
			LogResponse: o.ClientLogMode.IsResponse(),
			// The bodies are never logged, whatever the mode: they hold secrets.
		}, middleware.After),

		addInterceptors(stack, &o.Interceptors),
	)
}

func (c *Client) userAgent() *awsmiddleware.RequestUserAgent {
	ua := awsmiddleware.NewRequestUserAgent()
	ua.AddSDKAgentKeyValue(awsmiddleware.FrameworkMetadata, "middy", moduleVersion())
	ua.AddSDKAgentKeyValue(awsmiddleware.APIMetadata, strings.ToLower(strings.ReplaceAll(c.service.ID, " ", "")), aws.SDKVersion)
	if c.options.AppID != "" {
		ua.AddSDKAgentKey(awsmiddleware.ApplicationIdentifier, c.options.AppID)
	}
	switch c.options.Retryer.(type) {
	case *retry.Standard:
		ua.AddUserAgentFeature(awsmiddleware.UserAgentFeatureRetryModeStandard)
	case *retry.AdaptiveMode:
		ua.AddUserAgentFeature(awsmiddleware.UserAgentFeatureRetryModeAdaptive)
	}
	if src, ok := c.options.Credentials.(aws.CredentialProviderSource); ok {
		for _, s := range src.ProviderSources() {
			ua.AddCredentialsSource(s)
		}
	}
	return ua
}

var moduleVersion = sync.OnceValue(func() string {
	const path = "github.com/gomiddy/middy"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == path && m.Version != "" {
			return strings.Trim(m.Version, "()")
		}
	}
	return "devel"
})

func addInterceptors(stack *middleware.Stack, in *smithyhttp.InterceptorRegistry) error {
	if !anyInterceptor(in) {
		return nil
	}
	return errors.Join(
		stack.Initialize.Add(&smithyhttp.InterceptExecution{BeforeExecution: in.BeforeExecution, AfterExecution: in.AfterExecution}, middleware.Before),
		stack.Serialize.Insert(&smithyhttp.InterceptBeforeSerialization{Interceptors: in.BeforeSerialization}, serializerID, middleware.Before),
		stack.Serialize.Insert(&smithyhttp.InterceptAfterSerialization{Interceptors: in.AfterSerialization}, serializerID, middleware.After),
		stack.Finalize.Insert(&smithyhttp.InterceptBeforeRetryLoop{Interceptors: in.BeforeRetryLoop}, "Retry", middleware.Before),
		stack.Finalize.Insert(&smithyhttp.InterceptAttempt{BeforeAttempt: in.BeforeAttempt, AfterAttempt: in.AfterAttempt}, "Retry", middleware.After),
		stack.Finalize.Insert(&smithyhttp.InterceptBeforeSigning{Interceptors: in.BeforeSigning}, signingID, middleware.Before),
		stack.Finalize.Insert(&smithyhttp.InterceptAfterSigning{Interceptors: in.AfterSigning}, signingID, middleware.After),
		stack.Deserialize.Add(&smithyhttp.InterceptTransmit{BeforeTransmit: in.BeforeTransmit, AfterTransmit: in.AfterTransmit}, middleware.After),
		stack.Deserialize.Insert(&smithyhttp.InterceptBeforeDeserialization{Interceptors: in.BeforeDeserialization}, deserializerID, middleware.After),
		stack.Deserialize.Insert(&smithyhttp.InterceptAfterDeserialization{Interceptors: in.AfterDeserialization}, deserializerID, middleware.Before),
	)
}

func anyInterceptor(in *smithyhttp.InterceptorRegistry) bool {
	return len(in.BeforeExecution)+len(in.AfterExecution)+len(in.BeforeSerialization)+len(in.AfterSerialization)+
		len(in.BeforeRetryLoop)+len(in.BeforeAttempt)+len(in.AfterAttempt)+len(in.BeforeSigning)+len(in.AfterSigning)+
		len(in.BeforeTransmit)+len(in.AfterTransmit)+len(in.BeforeDeserialization)+len(in.AfterDeserialization) > 0
}

// identify resolves credentials, once for each attempt.
type identify struct{ o *Options }

type identityKey struct{}

func (*identify) ID() string { return "GetIdentity" }

func (m *identify) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, md middleware.Metadata, err error,
) {
	if m.o.Credentials == nil {
		return next.HandleFinalize(ctx, in) // an anonymous request
	}
	creds, err := m.o.Credentials.Retrieve(ctx)
	if err != nil {
		return out, md, fmt.Errorf("get identity: get credentials: %w", err)
	}
	return next.HandleFinalize(middleware.WithStackValue(ctx, identityKey{}, creds), in)
}

// locate sets the endpoint.
type locate struct {
	o       *Options
	service Service
}

func (*locate) ID() string { return "ResolveEndpointV2" }

func (m *locate) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, md middleware.Metadata, err error,
) {
	u, err := m.o.resolveEndpoint(m.service)
	if err != nil {
		return out, md, fmt.Errorf("failed to resolve service endpoint, %w", err)
	}
	req, err := smithyRequest(in.Request)
	if err != nil {
		return out, md, err
	}
	req.URL.Scheme, req.URL.Host = u.Scheme, u.Host
	req.URL.Path = smithyhttp.JoinPath(u.Path, req.URL.Path)
	return next.HandleFinalize(ctx, in)
}

const signingID = "Signing"

// sign signs one attempt.
type sign struct{ c *Client }

func (*sign) ID() string { return signingID }

func (m *sign) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, md middleware.Metadata, err error,
) {
	creds, ok := middleware.GetStackValue(ctx, identityKey{}).(aws.Credentials)
	if !ok {
		return next.HandleFinalize(ctx, in)
	}
	req, err := smithyRequest(in.Request)
	if err != nil {
		return out, md, err
	}
	name, region := m.c.service.Signing, m.c.options.Region
	//lint:ignore SA1019 the SDK's generated clients still read it
	if v := awsmiddleware.GetSigningName(ctx); v != "" {
		name = v
	}
	//lint:ignore SA1019 as above
	if v := awsmiddleware.GetSigningRegion(ctx); v != "" {
		region = v
	}
	at := time.Now().UTC()
	if !m.c.options.DisableClockSkewCorrection {
		at = at.Add(time.Duration(m.c.skew.Load()))
	}
	err = m.c.options.HTTPSignerV4.SignHTTP(ctx, creds, req.Request, v4.GetPayloadHash(ctx), name, region, at)
	if err != nil {
		return out, md, fmt.Errorf("sign request: sign http: %w", err)
	}
	return next.HandleFinalize(ctx, in)
}

func smithyRequest(v any) (*smithyhttp.Request, error) {
	req, ok := v.(*smithyhttp.Request)
	if !ok {
		return nil, fmt.Errorf("unexpected transport type %T", v)
	}
	return req, nil
}
