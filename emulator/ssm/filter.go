package ssm

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

type stringFilter struct {
	Key    string   `aws:"required,len=1:132" pattern:"^(tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType)$"`
	Option string   `aws:"len=1:10"`
	Values []string `aws:"len=1:50" item:"len=1:1024"`
}

func (f stringFilter) option() string {
	if f.Option != "" {
		return f.Option
	}
	if f.Key == "Path" {
		return "OneLevel"
	}
	return "Equals"
}

// checkFilters applies the table of
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
func checkFilters(filters []stringFilter, byPath bool) error {
	keys := []string{"Path", "Name", "Type", "KeyId", "Tier", "DataType"}
	if byPath {
		keys = []string{"Type", "KeyId", "Label"}
	}
	seen := map[string]bool{}
	for _, f := range filters {
		if !slices.Contains(keys, f.Key) && (byPath || !strings.HasPrefix(f.Key, "tag:")) {
			return fail("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [%s].", f.Key, strings.Join(keys, ", "))
		}
		if seen[f.Key] {
			return fail("InvalidFilterKey", "The following filter is duplicated in the request: %s. A request can contain only one occurrence of a specific filter.", f.Key)
		}
		seen[f.Key] = true
		if len(f.Values) == 0 && !strings.HasPrefix(f.Key, "tag:") {
			return fail("InvalidFilterValue", "The following filter values are missing : null for filter key %s.", f.Key)
		}
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

func (f stringFilter) check() error {
	options := []string{"BeginsWith", "Equals"}
	var values []string
	switch f.Key {
	case "Path":
		options = []string{"Recursive", "OneLevel"}
		for _, v := range f.Values {
			if err := checkPath(v); err != nil {
				return err
			}
		}
	case "Name":
		options = []string{"BeginsWith", "Equals", "Contains"}
	case "Tier":
		values = []string{"Standard", "Advanced", "Intelligent-Tiering"}
	case "Type":
		values = []string{typeString, typeList, typeSecure}
	}
	if !slices.Contains(options, f.option()) {
		return fail("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [%s].", f.Option, strings.Join(options, ", "))
	}
	for _, v := range f.Values {
		if values != nil && !slices.Contains(values, v) {
			return fail("InvalidFilterOption", "The following filter value is not valid: %s. Valid values include: [%s].", v, strings.Join(values, ", "))
		}
	}
	return nil
}

func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || !nameCharacters.MatchString(path) {
		return fail("ValidationException", "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". "+
			"It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). "+
			"Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")
	}
	return nil
}

func (f stringFilter) matches(p *parameter) bool {
	v := p.latest()
	switch f.Key {
	case "Path":
		return slices.ContainsFunc(f.Values, func(path string) bool { return under(p.Name, path, f.option() == "Recursive") })
	case "Name":
		return f.any(p.Name) || f.any(storeKey(p.Name))
	case "Type":
		return f.any(v.Type)
	case "KeyId":
		return f.any(v.KeyID)
	case "Tier":
		return f.any(v.Tier)
	case "DataType":
		return f.any(v.DataType)
	case "Label":
		return slices.ContainsFunc(f.Values, func(l string) bool { return p.labelled(l) != nil })
	}
	key := strings.TrimPrefix(f.Key, "tag:")
	return slices.ContainsFunc(p.Tags, func(t tag) bool { return t.Key == key && (len(f.Values) == 0 || f.any(*t.Value)) })
}

func (f stringFilter) any(text string) bool {
	return slices.ContainsFunc(f.Values, func(v string) bool {
		switch f.option() {
		case "BeginsWith":
			return strings.HasPrefix(text, v)
		case "Contains":
			return strings.Contains(text, v)
		}
		return text == v
	})
}

// under tells whether name lies in the hierarchy path, directly or anywhere.
func under(name, path string, recursive bool) bool {
	rest, ok := strings.CutPrefix("/"+storeKey(name), strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(rest, "/"))
}

func labelFilter(filters []stringFilter) string {
	for _, f := range filters {
		if f.Key == "Label" {
			return f.Values[0]
		}
	}
	return ""
}

func filterText(filters []stringFilter) string {
	var b strings.Builder
	for _, f := range filters {
		fmt.Fprintf(&b, "%q %q %q;", f.Key, f.option(), f.Values)
	}
	return b.String()
}

// page cuts one page out of all. A token is bound to the request it continues.
func page[T any](all []T, nextToken *string, scope string, maxResults *int64, most int) (items []T, next string, err error) {
	start := 0
	if nextToken != nil {
		raw, err := base64.StdEncoding.DecodeString(*nextToken)
		if err == nil && len(raw) > 16 {
			start, err = strconv.Atoi(string(raw[16:]))
		}
		if err != nil || start < 0 || pageToken(scope, start) != *nextToken {
			return nil, "", fail("InvalidNextToken", "The specified token is not valid.")
		}
		start = min(start, len(all))
	}
	if maxResults != nil {
		most = int(*maxResults)
	}
	end := min(len(all), start+most)
	if end < len(all) {
		next = pageToken(scope, end)
	}
	return all[start:end], next, nil
}

func pageToken(scope string, next int) string {
	sum := sha256.Sum256([]byte(scope))
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:8]) + strconv.Itoa(next)))
}
