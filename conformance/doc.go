// Package conformance holds this module beside Middy for Node.js, case by case.
//
// People who move a function from Middy ask one question: does it still answer
// the same? A list of features does not say. Here it is answered by some thousand
// cases in cases/*.jsonl. Each names middlewares and options as Middy's own
// documentation does, an event and what the handler does, and holds what Middy
// 7.8 did; a runner executes the same on our packages through [web.Handler], and
// every difference has a reason or is a bug.
//
// # A case
//
// One JSON object per line:
//
//	{"id":"http-cors/spec/preflight-any",
//	 "use":[{"name":"http-cors","options":{"origin":"*"}}],
//	 "event":{"httpMethod":"OPTIONS","headers":{}},
//	 "handler":{"return":{"statusCode":200}},
//	 "want":{"response":{"statusCode":204,"headers":{"Access-Control-Allow-Origin":"*"}},"skipped":true}}
//
// use is in the order of registration, the first outermost. Besides Middy's
// packages it may hold script, which does what its before, after and onError list,
// and recover, which turns an error into a response. context and internal seed
// Middy's context and request.internal. The handler has one of
//
//	return  the response
//	throw   {"http":[code,message,properties]}, {"message":…,"statusCode":…} or {"value":…}
//	echo    the facets of the event to record as the handler sees them: body,
//	        headers, queryStringParameters, pathParameters, context
//
// Some cases have steps, several events for one instance, or call, a function of
// @middy/util. want holds response, error with status and message, saw (the
// echo), skipped (the handler did not run), log, calls and sends.
//
// Values that JSON lacks are objects with one key: $undef, $bytes (base64),
// $repeat ([text, count]), $concat, $b64, $json, $b64json, $regexp, $seconds (from
// now), and $function, which is one of a few by name. A compressed body is
// {"$z":[coding, plain text]}.
//
// # What is equal
//
// Results are compared as a client sees them: [Equal].
//
// # Deviations
//
// A case whose result differs holds a deviation: ours, which is pinned, and the
// id of a reason in deviations.jsonl. docs/conformance.md counts them.
package conformance
