// Package browser holds the HTTP room against a real browser.
//
// What a middleware for browsers is worth shows in a browser: it decides by
// itself when to ask with a preflight, what a response lets a page see, which
// encodings it can read, and when a stream reaches the page. The tests drive
// Debian's Chromium, without a window, against `middy dev`: the real command, a
// real build, a real process, on loopback.
package browser
