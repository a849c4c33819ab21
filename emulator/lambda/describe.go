package lambda

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// isListing knows ListFunctions, whose path has the function's slash or not. Without a
// signature it may be a page of the function's own.
func isListing(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == strings.TrimSuffix(invokePath, "/") && strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-")
}

// describe serves the three calls that only look.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html,
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html and
// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html.
func (a *API) describe(w http.ResponseWriter, r *http.Request) {
	escaped, what, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), strings.TrimSuffix(invokePath, "/")), "/"), "/")
	full, err := url.PathUnescape(escaped)
	switch {
	case err != nil || what != "" && what != "configuration":
		(&fault{status: http.StatusNotFound, code: "UnknownOperationException", message: "no such operation here: GET " + r.URL.Path}).write(w)
	case full == "":
		functions := []configuration{}
		for _, d := range a.list {
			functions = append(functions, d.configuration())
		}
		answer(w, map[string]any{"Functions": functions})
	default:
		name, _, err := ParseName(full)
		if err != nil {
			invalid(err.Error()).write(w)
			return
		}
		for _, d := range a.list {
			switch {
			case d.Name != name:
			case what == "configuration":
				answer(w, d.configuration())
				return
			default:
				answer(w, map[string]any{"Configuration": d.configuration(), "Tags": map[string]string{}})
				return
			}
		}
		(&fault{status: http.StatusNotFound, code: "ResourceNotFoundException", message: "Function not found: " + name}).write(w)
	}
}

// A configuration is the part of a FunctionConfiguration that is true here.
type configuration struct {
	FunctionName     string
	FunctionArn      string
	Runtime          string
	Handler          string
	PackageType      string
	Version          string
	State            string
	LastUpdateStatus string
	MemorySize       int
	Timeout          int
}

func (d Description) configuration() configuration {
	return configuration{
		FunctionName: d.Name, FunctionArn: "arn:aws:lambda:" + d.Region + ":" + d.AccountID + ":function:" + d.Name,
		Runtime: "provided.al2023", Handler: "bootstrap", PackageType: "Zip", Version: "$LATEST", State: "Active", LastUpdateStatus: "Successful",
		MemorySize: d.MemoryMB, Timeout: int(d.Timeout.Seconds()),
	}
}

func answer(w http.ResponseWriter, v any) {
	data, _ := json.Marshal(v) // texts and numbers only
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // a caller who is gone needs no answer
}
