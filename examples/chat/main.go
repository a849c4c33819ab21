// Command chat is a WebSocket chat: rooms, names, and messages to everybody in the
// room, through the callback API of API Gateway.
//
//	go run ./cmd/middy dev --front ws --port 3001 ./examples/chat
//	go run ./examples/chat/client ws://localhost:3001 blue ada
//	go run ./examples/chat/client ws://localhost:3001 blue bob
//
// A client says {"action":"join","room":"blue","name":"ada"}, and then
// {"action":"say","text":"hello"}; "action" is the API's route selection expression,
// $request.body.action. What is wrong with a message is told to its sender as problem
// details.
//
// # Where the connections are
//
// A function that wants to reach connections must remember their ids, for API Gateway
// does not list them. Here they are in the memory of the sandbox, which is right for
// one sandbox (reserved concurrency 1) and for looking at: two sandboxes would have
// two chats. A real chat keeps them in a table; store has the four methods for which
// it would be written. When a sandbox ends its memory is lost and its connections are
// not: who speaks then is asked to join again, which the client does by itself.
//
// A connection that is gone without a goodbye is found out by the next message to it,
// and forgotten: Config.OnGone.
package main

import (
	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/web/ws"
)

func main() {
	people := newMemory()
	client := ws.NewClient(freshsign.FromEnv(), ws.Config{OnGone: people.remove})
	c := &chat{people: people, client: client}
	middy.Start(ws.Handler(ws.Respond(client, ws.RespondConfig{Errors: true})(c.routes())), &middy.Timeout{}, client)
}
