package awsapi

import (
	"fmt"
	"strings"
)

// Misplaced says why id, if it is an ARN, cannot name a resource of a service in
// a region; empty if it can, or is a name. resource is what precedes the name in
// the ARN, such as "secret:". An ARN of another account is good: that is how
// what another account shares is named.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func Misplaced(id, service, resource, region string) string {
	if !strings.HasPrefix(id, "arn:") {
		return ""
	}
	parts := strings.SplitN(id, ":", 6)
	switch {
	case len(parts) < 6 || parts[1] == "" || parts[3] == "" || parts[4] == "":
		return "it is not a whole ARN"
	case parts[2] != service:
		return fmt.Sprintf("the ARN is of %s, this Source asks %s", parts[2], service)
	case !strings.HasPrefix(parts[5], resource):
		return fmt.Sprintf("the ARN does not name a %s", resource[:len(resource)-1])
	case region == "":
		return "" // there is no endpoint either, which is another mistake
	case parts[3] != region:
		return fmt.Sprintf("the ARN is in %s, this Source asks %s: give From a cfg with that region", parts[3], region)
	case parts[1] != PartitionOf(region).Name:
		return fmt.Sprintf("the ARN is in the partition %s, and %s is in %s", parts[1], region, PartitionOf(region).Name)
	}
	return ""
}
