// Package awsapi calls AWS services that speak AWS JSON 1.1, on the core of the
// SDK alone.
//
// A generated client of aws-sdk-go-v2 adds 1.3 to 2.2 MB to a function that
// needs two operations of it. This package is one client for all of them: the
// SDK's own retryer, signer, transport and middleware stack, in the SDK's own
// order and under its own step names, so that whatever is attached to an
// [aws.Config] (APIOptions, ServiceOptions, interceptors, a retryer) works here
// as it does there. Only the generated parts are missing: shapes, schemas and
// the endpoint rule engine, in place of which stand encoding/json and one table
// of partitions.
//
// Protocol: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
package awsapi

import (
	"context"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A Service says how one service is addressed.
type Service struct {
	// ID is the SDK's service id, such as "Secrets Manager". It names the
	// service in errors and in AWS_ENDPOINT_URL_<ID>.
	ID string
	// Signing is the service in a credential scope and in the default
	// endpoint's host name, such as "secretsmanager".
	Signing string
	// Target is what precedes the dot in X-Amz-Target, such as "AmazonSSM".
	Target string
	// GovNoFIPSPrefix is set where the FIPS endpoint of AWS GovCloud (US) has
	// the plain name: https://docs.aws.amazon.com/general/latest/gr/ssm.html
	GovNoFIPSPrefix bool
	// PlainDualStack is set where the plain endpoint of the old partitions is
	// dual-stack itself: Secrets Manager's.
	PlainDualStack bool
}

// A Client calls one service. It is safe for concurrent use.
type Client struct {
	service Service
	options Options
	skew    *atomic.Int64 // what the SDK's retry loop learned of the clocks
}

// New returns a client. It does no I/O.
func New(service Service, cfg aws.Config) *Client {
	o := resolve(service, cfg)
	for _, fn := range cfg.ServiceOptions {
		fn(service.ID, &o)
	}
	o.finish()
	return &Client{service: service, options: o, skew: new(atomic.Int64)}
}

// Region is where the client sends its requests.
func (c *Client) Region() string { return c.options.Region }

// Endpoint is the custom endpoint, or empty when AWS's own is used.
func (c *Client) Endpoint() string { return aws.ToString(c.options.BaseEndpoint) }

// Credentials is what the client's requests are signed with.
func (c *Client) Credentials() aws.CredentialsProvider { return c.options.Credentials }

// Do calls an operation: in is encoded as JSON, out (a pointer, or nil) is
// decoded into. The response's bytes are cleared after decoding.
//
// Every error is a [*smithy.OperationError]. Inside it, an answer of the service
// is a [*smithy.GenericAPIError] within an SDK ResponseError that carries the
// status and the request id; a failed connection is a RequestSendError.
func (c *Client) Do(ctx context.Context, operation string, in, out any) error {
	ctx = middleware.ClearStackValues(ctx)
	ctx = middleware.WithServiceID(ctx, c.service.ID)
	ctx = middleware.WithOperationName(ctx, operation)
	ctx = middleware.SetLogger(ctx, c.options.Logger)
	ctx = awsmiddleware.SetServiceID(ctx, c.service.ID)
	ctx = awsmiddleware.SetOperationName(ctx, operation)
	ctx = awsmiddleware.SetRegion(ctx, c.options.Region)

	err := c.do(ctx, operation, in, out)
	if err != nil {
		return &smithy.OperationError{ServiceID: c.service.ID, OperationName: operation, Err: err}
	}
	return nil
}

func (c *Client) do(ctx context.Context, operation string, in, out any) error {
	stack := middleware.NewStack(operation, smithyhttp.NewStackRequest)
	if err := c.build(stack, operation, out); err != nil {
		return err
	}
	for _, fn := range c.options.APIOptions {
		if err := fn(stack); err != nil {
			return err
		}
	}
	handler := smithyhttp.NewClientHandlerWithOptions(c.options.HTTPClient)
	_, _, err := middleware.DecorateHandler(handler, stack).Handle(ctx, in)
	return err
}
