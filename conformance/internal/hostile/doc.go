// Package hostile sends to every middleware what nobody should send: headers by the
// hundred thousand, bodies of ten megabytes, nesting without end, archives that
// unpack to a thousand times their size.
//
// A parser that falls over such a request takes the sandbox with it, and the next
// client pays for a new one. Each answer must be no 5xx, and what it costs must be a
// small multiple of what was sent.
package hostile
