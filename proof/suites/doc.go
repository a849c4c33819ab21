// Package suites runs other people's test suites with Lambda's front doors between
// their clients and their handlers.
//
// Routers and frameworks know better than we do what net/http promises, and their
// tests say it in thousands of assertions. Each suite runs twice: as it is, and
// with proof/httptest in place of net/http/httptest. What passes first and fails
// then is a fault of ours, or a difference that Lambda makes and that is named,
// with its reason, in the list of the suite.
//
// SUITES_OUTPUT names a folder that keeps what the suites print, one file for each
// place.
//
// The suites come out of the module cache (and net/http's out of GOROOT) into a
// temporary folder; nothing of them is kept here.
package suites
