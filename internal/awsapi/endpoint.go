package awsapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A Partition is a group of regions with its own domain and its own accounts.
type Partition struct {
	// Name is the partition in an ARN.
	Name            string
	suffix, dualDNS string
}

// partitions by the region's prefix, the SDK's table without the regions: a
// region that nobody has heard of belongs to the partition of its prefix.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func partitionOf(region string) Partition {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return Partition{"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"}
	case strings.HasPrefix(region, "us-gov-"):
		return Partition{"aws-us-gov", "amazonaws.com", "api.aws"}
	case strings.HasPrefix(region, "us-isob-"):
		return Partition{"aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"}
	case strings.HasPrefix(region, "us-isof-"), strings.HasPrefix(region, "eu-isof-"):
		return Partition{"aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"}
	case strings.HasPrefix(region, "us-iso-"):
		return Partition{"aws-iso", "c2s.ic.gov", "api.aws.ic.gov"}
	case strings.HasPrefix(region, "eu-isoe-"):
		return Partition{"aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"}
	case strings.HasPrefix(region, "eusc-"):
		return Partition{"aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"}
	}
	return Partition{"aws", "amazonaws.com", "api.aws"}
}

// PartitionOf returns the partition of a region, for ARNs.
func PartitionOf(region string) Partition { return partitionOf(region) }

// plainDualStack reports whether the partition is one of those in which a
// service with PlainDualStack has no endpoint of its own for dual-stack.
func (p Partition) plainDualStack(fips bool) bool {
	return p.Name == "aws" || p.Name == "aws-us-gov" || p.Name == "aws-cn" && !fips
}

var errNoRegion = errors.New("no region: set AWS_REGION or aws.Config.Region")

// resolveEndpoint returns where requests go.
func (o *Options) resolveEndpoint(s Service) (*url.URL, error) {
	fips := o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled
	dual := o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled
	if o.legacy != nil {
		if u, err, ok := o.legacyEndpoint(s); ok {
			return u, err
		}
	}
	if o.BaseEndpoint != nil {
		return customEndpoint(*o.BaseEndpoint, fips, dual)
	}
	if o.Region == "" {
		return nil, errNoRegion
	}
	if !validRegion(o.Region) {
		return nil, fmt.Errorf("the region %q is not a host label: letters, digits and hyphens only", o.Region)
	}
	p := partitionOf(o.Region)
	host := s.Signing
	if fips && !(s.GovNoFIPSPrefix && p.Name == "aws-us-gov" && !dual) {
		host += "-fips"
	}
	suffix := p.suffix
	if dual && !(s.PlainDualStack && p.plainDualStack(fips)) {
		suffix = p.dualDNS
	}
	scheme := "https"
	if o.EndpointOptions.DisableHTTPS {
		scheme = "http"
	}
	return &url.URL{Scheme: scheme, Host: host + "." + o.Region + "." + suffix}, nil
}

func (o *Options) legacyEndpoint(s Service) (*url.URL, error, bool) {
	e, err := o.legacy.ResolveEndpoint(s.ID, o.Region)
	if _, missing := errors.AsType[*aws.EndpointNotFoundError](err); missing {
		return nil, nil, false
	}
	if err != nil {
		return nil, err, true
	}
	u, err := customEndpoint(e.URL, false, false)
	return u, err, true
}

func customEndpoint(raw string, fips, dual bool) (*url.URL, error) {
	switch {
	case fips:
		return nil, errors.New("a custom endpoint and a FIPS endpoint exclude each other: unset one of them")
	case dual:
		return nil, errors.New("a custom endpoint and a dual-stack endpoint exclude each other: unset one of them")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("the endpoint %q is not an http or https URL", raw)
	}
	return u, nil
}

// validRegion keeps a region from naming another host: it becomes part of one.
func validRegion(region string) bool {
	if len(region) > 63 || region[0] == '-' {
		return false
	}
	for _, c := range []byte(region) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
