// Command client is a chat in the terminal, for the example chat.
//
//	go run ./examples/chat/client ws://localhost:3001 ROOM NAME
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: client URL ROOM NAME")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

// run says each line of in, and writes to out what is heard, until in ends.
func run(ctx context.Context, url, room, name string, in io.Reader, out io.Writer) error {
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	join := map[string]string{"action": "join", "room": room, "name": name}
	if err := wsjson.Write(ctx, conn, join); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- hear(ctx, conn, join, out) }()

	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := wsjson.Write(ctx, conn, map[string]string{"action": "say", "text": lines.Text()}); err != nil {
			return err
		}
	}
	// A connection that is closed at once is gone before the function can answer it.
	// The answer to who is the last one to come.
	if err := wsjson.Write(ctx, conn, map[string]string{"action": "who"}); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return err
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}

// hear writes what is heard, until the answer to who.
func hear(ctx context.Context, conn *websocket.Conn, join any, out io.Writer) error {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var names []string
		if json.Unmarshal(data, &names) == nil {
			fmt.Fprintln(out, "* in the room were", strings.Join(names, ", "))
			return nil
		}
		var l struct{ From, Text, Detail string }
		if err := json.Unmarshal(data, &l); err != nil {
			return err
		}
		switch {
		case l.Detail == "join first": // the sandbox that knew us has ended
			if err := wsjson.Write(ctx, conn, join); err != nil {
				return err
			}
		case l.Detail != "":
			fmt.Fprintln(out, "!", l.Detail)
		case l.From == "":
			fmt.Fprintln(out, "*", l.Text)
		default:
			fmt.Fprintln(out, l.From+":", l.Text)
		}
	}
}
