package ws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gomiddy/middy/web"
)

// A RespondConfig configures [Respond].
type RespondConfig struct {
	// Errors posts what is public of a [*web.Error] to the client, as problem details
	// (RFC 9457). Default: the client hears nothing of it, as with Middy, unless the
	// route has a route response.
	Errors bool
}

// Respond is a middleware that posts what the Receiver returns to the connection it
// came from, for APIs without route responses; then the answer of the function is
// empty. Results are sent as [Receiver] says; a [Response] and nil are not.
//
// It posts nothing on $connect, where the connection is not open yet and the result
// is the answer to the handshake, and nothing on $disconnect. When the connection
// is gone by then, the client's OnGone hears of it, and the invocation went well.
func Respond(client *Client, cfg ...RespondConfig) func(Receiver) Receiver {
	var c RespondConfig
	switch len(cfg) {
	case 0:
	case 1:
		c = cfg[0]
	default:
		panic("ws: Respond takes one RespondConfig")
	}
	return func(next Receiver) Receiver {
		return Func(func(ctx context.Context, m *Message) (any, error) {
			result, err := next.Receive(ctx, m)
			if m.ConnectionID == "" || m.RouteKey == Connect || m.RouteKey == Disconnect {
				return result, err
			}
			if err != nil {
				if c.Errors {
					err = client.tell(ctx, m, err)
				}
				return nil, err
			}
			return client.answer(ctx, m, result)
		})
	}
}

func (c *Client) answer(ctx context.Context, m *Message, result any) (any, error) {
	switch result.(type) {
	case nil, Response, *Response:
		return result, nil
	}
	data, err := encode(result)
	if err != nil {
		return nil, err
	}
	if err := c.Send(ctx, m.ConnectionID, data); err != nil && !errors.Is(err, ErrGone) {
		return nil, err
	}
	return nil, nil
}

// tell posts an error that is for clients, and returns it, or why it could not.
func (c *Client) tell(ctx context.Context, m *Message, err error) error {
	e, ok := errors.AsType[*web.Error](err)
	if !ok {
		return err
	}
	data, jsonErr := json.Marshal(e)
	if jsonErr != nil {
		return errors.Join(err, jsonErr)
	}
	if sendErr := c.Send(ctx, m.ConnectionID, data); sendErr != nil && !errors.Is(sendErr, ErrGone) {
		return fmt.Errorf("ws: the client could not be told of %q: %w", err.Error(), sendErr)
	}
	return err
}
