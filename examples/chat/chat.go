package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/ws"
)

type chat struct {
	people store
	client *ws.Client
}

func (c *chat) routes() *ws.Router {
	r := ws.NewRouter(ws.RouterConfig{Fallback: true})
	r.HandleFunc(ws.Connect, func(context.Context, *ws.Message) (any, error) { return nil, nil }) // anybody
	r.HandleFunc(ws.Disconnect, c.leave)
	r.HandleFunc(ws.Default, func(context.Context, *ws.Message) (any, error) {
		return nil, web.Errorf(http.StatusNotFound, "the actions are join, say and who")
	})
	r.Handle("join", ws.JSON(c.join))
	r.Handle("say", ws.JSON(c.say))
	r.Handle("who", ws.JSON(c.who))
	return r
}

// A line is what clients get.
type line struct {
	From string `json:"from,omitempty"`
	Text string `json:"text"`
}

func (c *chat) join(ctx context.Context, m *ws.Message, in struct {
	Room string `json:"room" required:"true" pattern:"^[a-z]+$" maxLength:"20"`
	Name string `json:"name" required:"true" minLength:"1" maxLength:"20"`
}) (line, error) {
	p := person{Connection: m.ConnectionID, Room: in.Room, Name: in.Name}
	c.people.add(ctx, p)
	return line{Text: "welcome to " + p.Room}, c.tell(ctx, p, line{Text: p.Name + " is here"})
}

func (c *chat) say(ctx context.Context, m *ws.Message, in struct {
	Text string `json:"text" required:"true" minLength:"1" maxLength:"2000"`
}) (line, error) {
	p, err := c.sender(ctx, m)
	if err != nil {
		return line{}, err
	}
	said := line{From: p.Name, Text: in.Text}
	return said, c.tell(ctx, p, said)
}

func (c *chat) who(ctx context.Context, m *ws.Message, _ struct{}) ([]string, error) {
	p, err := c.sender(ctx, m)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, other := range c.people.in(ctx, p.Room) {
		names = append(names, other.Name)
	}
	return names, nil
}

func (c *chat) leave(ctx context.Context, m *ws.Message) (any, error) {
	p, ok := c.people.find(ctx, m.ConnectionID)
	if !ok {
		return nil, nil // it never joined
	}
	c.people.remove(ctx, m.ConnectionID)
	return nil, c.tell(ctx, p, line{Text: p.Name + " has left"})
}

func (c *chat) sender(ctx context.Context, m *ws.Message) (person, error) {
	p, ok := c.people.find(ctx, m.ConnectionID)
	if !ok {
		return p, web.Errorf(http.StatusConflict, "join first")
	}
	return p, nil
}

// tell sends a line to everybody else in the room.
func (c *chat) tell(ctx context.Context, p person, l line) error {
	var others []string
	for _, other := range c.people.in(ctx, p.Room) {
		if other.Connection != p.Connection {
			others = append(others, other.Connection)
		}
	}
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = c.client.Broadcast(ctx, others, data)
	return err
}
