// Package apps serves one HTTP application, written in the routers that people
// own, behind every front door and by net/http, and compares the answers.
//
// A middleware engine that promises "your handler runs unchanged" is easy to
// believe and hard to check: a router that reads URL.RawPath, a proxy that relies
// on a context value of net/http's server or an upload that spills to disk breaks
// in production and nowhere else. The application here does these things in chi,
// gin, echo and fiber; net/http's own server says what is right.
package apps
