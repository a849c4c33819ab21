package secrets

import (
	"slices"
	"strings"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/internal/awsapi"
	"github.com/gomiddy/middy/params"
)

// Permissions are the least statements for the uses. The account is "*": nobody
// here knows it, and the role's own account is the only one that a name can
// mean.
func (s *Source) Permissions(uses []params.Use) []middy.Permission {
	get := middy.Permission{Actions: []string{"secretsmanager:GetSecretValue"}, Reason: "secrets that are declared"}
	describe := middy.Permission{Actions: []string{"secretsmanager:DescribeSecret"}, Reason: "rotation dates of secrets with FollowRotation"}
	var out []middy.Permission
	batched := false
	keys := make(map[string][]string) // KMS key → secrets
	for _, u := range uses {
		arn := s.resource(u.ID)
		get.Resources = addOnce(get.Resources, arn)
		if u.Rotation {
			describe.Resources = addOnce(describe.Resources, arn)
		}
		if u.KMSKey != "" {
			keys[u.KMSKey] = addOnce(keys[u.KMSKey], arn)
		}
		batched = batched || u.Batched
	}
	out = append(out, get)
	if batched {
		out = append(out, middy.Permission{Actions: []string{"secretsmanager:BatchGetSecretValue"}, Resources: []string{"*"},
			Reason: "fetching the secrets by one request at cold start; the action has no resource level, and needs GetSecretValue on each secret too"})
	}
	if len(describe.Resources) > 0 {
		out = append(out, describe)
	}
	for _, key := range sorted(keys) {
		for _, arn := range keys[key] {
			out = append(out, middy.Permission{Actions: []string{"kms:Decrypt"}, Resources: []string{key},
				Condition: map[string]map[string]string{
					"StringEquals": {"kms:ViaService": "secretsmanager." + s.client.Region() + ".amazonaws.com"},
					"StringLike":   {"kms:EncryptionContext:SecretARN": arn},
				},
				Reason: "the customer's key of a secret"})
		}
	}
	return out
}

// resource is the ARN pattern of a secret. A secret's ARN ends in six random
// characters: six "?" match them, where "*" would also match longer names.
func (s *Source) resource(id string) string {
	if strings.HasPrefix(id, "arn:") {
		id = s.idFor(id)
		if i := strings.LastIndexByte(id, '-'); len(id)-i == 7 {
			return id
		}
		return id + "-??????"
	}
	region := s.client.Region()
	return "arn:" + awsapi.PartitionOf(region).Name + ":secretsmanager:" + region + ":*:secret:" + id + "-??????"
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func sorted(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
