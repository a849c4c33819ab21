// Package ws serves WebSocket APIs of API Gateway.
//
// A function behind a WebSocket API never holds a connection. API Gateway does, and
// invokes the function with JSON: for the handshake, for each message, for the
// goodbye. To say something, the function signs an HTTP request to the gateway,
// which may answer that the connection is gone. Written by hand, that is a switch
// over strings, an SDK client of a megabyte, and a signature that a freeze kills.
//
//	cfg := freshsign.FromEnv()
//	client := ws.NewClient(cfg, ws.Config{OnGone: forget})
//
//	router := ws.NewRouter(ws.RouterConfig{})
//	router.HandleFunc(ws.Connect, connect)
//	router.Handle("say", ws.JSON(say))
//	middy.Start(ws.Handler(ws.Respond(client)(router)), client)
//
// # Messages
//
// A [Receiver] gets a [Message] and returns what to answer. [JSON] makes one of a
// function over types, with the rules of package web's typed endpoints. A
// middleware is a func([Receiver]) Receiver.
//
// On $connect the answer decides over the handshake: nil accepts it, an error of
// type [*web.Error] refuses it with its status. On a message the answer reaches the
// client in one of two ways: as the route response, where the API has one, or
// through [Respond], which posts it with the callback API.
//
// # The callback API
//
// A [Client] sends to connections, by requests that are signed for execute-api and,
// with a configuration of package freshsign, survive freezes. It is no part of the
// SDK, whose client for these three operations adds a megabyte to a function.
//
// # Beside Middy
//
// This is Middy's ws-router, ws-json-body-parser and ws-response. Deviations:
//
//   - JSON does not parse on $connect and $disconnect, which have no body. It decodes
//     into the type of the message, with the rules of its tags, which takes the place of
//     the option reviver. Nesting is bounded, to 64 levels by default, and a name must
//     not come twice.
//   - Respond keeps a client for each endpoint; Middy sends everything to that of the
//     first event. An API behind a domain name of its own is reached at its address
//     at execute-api; Middy puts the stage behind a name whose paths have none. A
//     request is signed for the region of the API.
//   - It posts nothing for a nil result, on $disconnect, or on $connect, whose
//     connection is not open yet: AWS refuses all of these.
//   - A connection that is gone is forgotten, and no failure of the function.
//
// Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
package ws
