package frontdoor

import "net/http"

// spelling returns how the request's header names were written, by net/http's
// name for them, in the order of their values; nil when that is not known.
func spelling(*http.Request) map[string][]string { return nil }
