package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/cors"
	"github.com/gomiddy/middy/web/jwtauth"
	"github.com/gomiddy/middy/web/openapi"
)

// newAPI is the whole API as one http.Handler. Nothing in it knows of Lambda.
func newAPI(secret func(context.Context) ([]byte, error), rooms *memory) http.Handler {
	a := &api{rooms}
	doc := openapi.New(openapi.Config{
		Title: "Rooms", Version: "1.0.0", Description: "Books meeting rooms.",
		SecuritySchemes: map[string]openapi.SecurityScheme{"token": openapi.Bearer("JWT")}, Security: []string{"token"},
	})
	members := http.NewServeMux()
	doc.Handle(members, "POST /rooms/{room}/bookings", web.JSON(a.book, web.EndpointConfig{RefuseUnknown: true}),
		openapi.Operation{Summary: "Book a room", Errors: []int{http.StatusUnauthorized, http.StatusConflict}})
	doc.Handle(members, "GET /rooms/{room}/bookings", web.JSON(a.list),
		openapi.Operation{Summary: "The bookings of a room", Errors: []int{http.StatusUnauthorized}})
	doc.Handle(members, "DELETE /bookings/{id}", web.JSON(a.cancel),
		openapi.Operation{Summary: "Cancel a booking", Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}})

	auth := jwtauth.New(jwtauth.Config{Algorithms: []string{"HS256"}, Secret: secret, RequireExp: true, Realm: "rooms"})
	routes := http.NewServeMux()
	routes.Handle("GET /openapi.json", doc)
	routes.Handle("/", auth(members))

	// CORS is outermost, so that a page can read refusals, too.
	return cors.New(cors.Config{
		Origins: []string{"https://rooms.example.com", "http://localhost:*"},
		Methods: []string{"DELETE"},
		Headers: []string{"Authorization", "Content-Type"},
		MaxAge:  time.Hour,
	})(routes)
}

type api struct{ rooms *memory }

// A slot is what a client asks for: the tags are the validation and the document.
type slot struct {
	Room  string    `path:"room" pattern:"^[a-z]+$" maxLength:"20" doc:"The room's name."`
	Title string    `json:"title" required:"true" minLength:"1" maxLength:"80"`
	From  time.Time `json:"from" required:"true"`
	To    time.Time `json:"to" required:"true"`
	Seats int       `json:"seats" minimum:"1" maximum:"50" default:"2"`
	Kind  string    `json:"kind" enum:"meeting,interview,party" default:"meeting"`
	Guest []string  `json:"guests" maxItems:"50" format:"email"`
}

// Validate has the rules that are about more than one field.
func (s slot) Validate() error {
	switch d := s.To.Sub(s.From); {
	case d <= 0:
		return web.FieldError{Pointer: "#/to", Detail: "must be after from"}
	case d > 8*time.Hour:
		return web.FieldError{Pointer: "#/to", Detail: "must be within 8 hours of from"}
	}
	return nil
}

// A booking is the answer, 201 with a Location when it is new.
type booking struct {
	ID    string    `json:"id" format:"uuid"`
	Room  string    `json:"room"`
	Title string    `json:"title"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Seats int       `json:"seats"`
	Kind  string    `json:"kind"`
	By    string    `json:"by" doc:"Who booked it."`
}

type booked struct{ booking }

func (booked) Status() int { return http.StatusCreated }

func (b booked) Headers(h http.Header) { h.Set("Location", "/bookings/"+b.ID) }

func (a *api) book(ctx context.Context, s slot) (booked, error) {
	b, err := a.rooms.add(booking{Room: s.Room, Title: s.Title, From: s.From, To: s.To, Seats: s.Seats, Kind: s.Kind, By: user(ctx)})
	if errors.Is(err, errTaken) {
		return booked{}, web.Errorf(http.StatusConflict, "%s is taken from %s to %s", s.Room, b.From.Format(time.RFC3339), b.To.Format(time.RFC3339))
	}
	return booked{b}, err
}

type page struct {
	Room  string    `path:"room"`
	After time.Time `query:"after" doc:"Only bookings that begin after this."`
	Limit int       `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

type bookings struct {
	Bookings []booking `json:"bookings" required:"true"`
}

func (a *api) list(_ context.Context, p page) (bookings, error) {
	return bookings{a.rooms.of(p.Room, p.After, p.Limit)}, nil
}

func (a *api) cancel(ctx context.Context, in struct {
	ID string `path:"id" format:"uuid"`
}) (struct{}, error) {
	switch err := a.rooms.remove(in.ID, user(ctx)); {
	case errors.Is(err, errUnknown):
		return struct{}{}, web.Errorf(http.StatusNotFound, "there is no such booking")
	case errors.Is(err, errForeign):
		return struct{}{}, web.Errorf(http.StatusForbidden, "somebody else booked this")
	default:
		return struct{}{}, err
	}
}

// user is who the token says is asking.
func user(ctx context.Context) string {
	token, ok := jwtauth.FromContext(ctx)
	if !ok {
		return ""
	}
	return token.Subject()
}
