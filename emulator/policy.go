package emulator

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/gomiddy/middy/emulator/service"
)

// A Statement allows actions on resources. Both take * for any run of
// characters and ? for one, as in IAM; actions ignore case.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
type Statement struct {
	// Actions are such as "secretsmanager:GetSecretValue" or "ssm:Get*".
	Actions []string `json:"Action"`
	// Resources are ARNs, or the bare name as it stands in the request. Empty is any.
	Resources []string `json:"Resource"`
}

// Allow restricts a key to what the statements allow; everything else is
// answered with AccessDeniedException. A key that was never restricted may do
// everything; Allow with no statements forbids everything.
func (c *Credentials) Allow(accessKeyID string, statements []Statement) {
	copied := make([]Statement, 0, len(statements))
	for _, s := range statements {
		copied = append(copied, Statement{Actions: slices.Clone(s.Actions), Resources: slices.Clone(s.Resources)})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.policies[accessKeyID] = copied
}

// AllowAll lifts every restriction from a key.
func (c *Credentials) AllowAll(accessKeyID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.policies, accessKeyID)
}

// allowed reports whether one of the resource's names is allowed. A secret that
// is called by its name is matched as its ARN, too.
func (c *Credentials) allowed(accessKeyID, action string, names []string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	statements, restricted := c.policies[accessKeyID]
	if !restricted {
		return true
	}
	for _, s := range statements {
		for _, a := range s.Actions {
			if !glob(strings.ToLower(a), strings.ToLower(action)) {
				continue
			}
			if len(s.Resources) == 0 || slices.ContainsFunc(s.Resources, func(pattern string) bool {
				return slices.ContainsFunc(names, func(n string) bool { return glob(pattern, n) })
			}) {
				return true
			}
		}
	}
	return false
}

// glob matches * and ? over bytes, in time linear for one star and quadratic at worst.
func glob(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// authorize answers nil, or AWS's refusal for the first resource that is not allowed.
func (s *Server) authorize(svc service.Service, c *service.Call) *service.Error {
	action := svc.SigningName() + ":" + c.Operation
	if action == "sts:GetCallerIdentity" {
		// AWS lets everybody ask who they are.
		// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
		return nil
	}
	for _, r := range resources(svc, c) {
		if !s.creds.allowed(c.AccessKeyID, action, r) {
			return denied(svc, c.PrincipalARN, action, r[0])
		}
	}
	return nil
}

func denied(svc service.Service, principal, action, resource string) *service.Error {
	e := &service.Error{Status: 400, Code: "AccessDeniedException", Message: "User: " + principal + " is not authorized to perform: " + action +
		" on resource: " + resource + " because no identity-based policy allows the " + action + " action"}
	if svc.Protocol() == service.Query {
		e.Status, e.Code = 403, "AccessDenied"
	}
	return e
}

// resources reads from a request what it touches, each as the names a policy may
// call it by; the first is the one in AWS's sentence. A request that names
// nothing touches *.
func resources(svc service.Service, c *service.Call) [][]string {
	var named []string
	switch svc.SigningName() {
	case "secretsmanager":
		named = jsonStrings(c.Body, "SecretId", "Name")
	case "ssm":
		named = jsonStrings(c.Body, "Name", "Names", "Path")
	case "sts":
		if form, err := url.ParseQuery(string(c.Body)); err == nil && form.Get("RoleArn") != "" {
			named = []string{form.Get("RoleArn")}
		}
	}
	if len(named) == 0 {
		return [][]string{{"*"}}
	}
	out := make([][]string, 0, len(named))
	for _, n := range named {
		out = append(out, resourceNames(svc, c, n))
	}
	return out
}

func resourceNames(svc service.Service, c *service.Call, name string) []string {
	switch {
	case strings.HasPrefix(name, "arn:"):
		return []string{name}
	case svc.SigningName() == "secretsmanager":
		return secretNames(c, name)
	case svc.SigningName() == "ssm":
		// A selector (name:version) is no part of the resource.
		bare, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), ":")
		return []string{"arn:aws:ssm:" + c.Region + ":" + c.Account + ":parameter/" + bare, name}
	}
	return []string{name}
}

// secretNames adds to a secret's name the ARN it has, with any six characters in
// the place of the suffix that Secrets Manager appends.
func secretNames(c *service.Call, id string) []string {
	arn := "arn:aws:secretsmanager:" + c.Region + ":" + c.Account + ":secret:" + id
	return []string{id, arn + "-AbCdEf", arn}
}

// jsonStrings collects the strings, or lists of them, under the given keys.
func jsonStrings(body []byte, keys ...string) []string {
	var doc map[string]json.RawMessage
	if json.Unmarshal(body, &doc) != nil {
		return nil
	}
	var out []string
	for _, key := range keys {
		var one string
		var many []string
		switch {
		case json.Unmarshal(doc[key], &one) == nil && one != "":
			out = append(out, one)
		case json.Unmarshal(doc[key], &many) == nil:
			out = append(out, many...)
		}
	}
	return out
}
