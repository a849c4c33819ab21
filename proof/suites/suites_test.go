package suites

import "testing"

// four are the places that differ most: by what an event holds, and by how the
// response leaves.
var four = []string{"rest", "http", "alb", "url-stream"}

var suites = []suite{
	{name: "chi", module: "github.com/go-chi/chi/v5@v5.5.0", least: 500, places: four},
	{name: "gorilla/mux", module: "github.com/gorilla/mux@v1.8.1", least: 500, places: four},
	{name: "echo", module: "github.com/labstack/echo/v4@v4.16.5", least: 500, places: four},
	{name: "gin", module: "github.com/gin-gonic/gin@v1.12.0", least: 500, places: four},
	{name: "huma", module: "github.com/danielgtaylor/huma/v2@v2.37.2", least: 100, places: four, packages: []string{".", "./adapters/humachi", "./adapters/humago"}},
	{name: "connect", module: "connectrpc.com/connect@v1.21.1", least: 100, places: four, packages: []string{"."}},
}

func TestOtherPeoplesSuitesPassBehindTheDoors(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs six projects")
	}
	for _, s := range suites {
		t.Run(s.name, s.run)
	}
}
