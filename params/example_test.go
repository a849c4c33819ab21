package params_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gomiddy/middy/params"
	"github.com/gomiddy/middy/params/env"
)

// variables stands in for a remote source.
func variables(vars map[string]string) *env.Source {
	return env.New(env.Config{Lookup: func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}})
}

func Example() {
	source := variables(map[string]string{"DB": `{"user":"orders","password":"s3cret"}`, "LIMIT": "25"})

	type Credentials struct {
		User     string
		Password params.Secret
	}
	store := params.New(params.Config{TTL: 5 * time.Minute, MaxStale: 24 * time.Hour})
	db := params.JSON[Credentials](store, source.Var("DB").Required())
	limit := params.Int(store, source.Var("LIMIT"))
	missing := params.String(store, source.Var("MISSING"))

	ctx := context.Background()
	if err := store.Init(ctx); err != nil { // middy.Start does this
		fmt.Println(err)
	}
	fmt.Println(db.Get(ctx), limit.Get(ctx))
	_, err := missing.Lookup(ctx)
	fmt.Println(err, errors.Is(err, params.ErrNotFound))
	// Output:
	// {orders [redacted 6 B]} 25
	// params: env "MISSING": it is not set true
}

// A pool of database connections whose password rotates. A connection that is
// open stays open; a new one logs in through Retry, which fetches the secret anew
// when the database refuses the old one.
func ExampleRetry() {
	vars := map[string]string{"DB": "old"}
	store := params.New(params.Config{})
	password := params.Hidden(store, variables(vars).Var("DB"))

	server := &server{}
	server.password.Store("old")
	pool := sql.OpenDB(connector{password, server})
	defer pool.Close()
	pool.SetMaxIdleConns(0) // each statement logs in, to show it

	ctx := context.Background()
	fmt.Println("before:", pool.PingContext(ctx))

	vars["DB"] = "new" // the rotation
	server.password.Store("new")
	fmt.Println("after:", pool.PingContext(ctx))
	fmt.Println("refused:", server.refused.Load())
	// Output:
	// before: <nil>
	// after: <nil>
	// refused: 1
}

// connector is what lib/pq's and pgx's connectors are to database/sql.
type connector struct {
	password *params.Value[params.Secret]
	server   *server
}

func (c connector) Connect(ctx context.Context) (conn driver.Conn, err error) {
	err = params.Retry(ctx, c.password, refused, func(_ context.Context, p params.Secret) error {
		conn, err = c.server.login(p.Reveal())
		return err
	})
	return conn, err
}

func (c connector) Driver() driver.Driver { return nil }

// refused tells a wrong password from other errors; PostgreSQL's codes are 28P01
// and 28000, MySQL's number is 1045.
func refused(err error) bool {
	var s sqlState
	return errors.As(err, &s) && (s == "28P01" || s == "28000")
}

type sqlState string

func (s sqlState) Error() string { return "SQLSTATE " + string(s) }

// server is a database that accepts one password.
type server struct {
	password atomic.Value
	refused  atomic.Int64
}

func (s *server) login(password string) (driver.Conn, error) {
	if password != s.password.Load() {
		s.refused.Add(1)
		return nil, sqlState("28P01")
	}
	return conn{}, nil
}

type conn struct{}

func (conn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (conn) Close() error                        { return nil }
func (conn) Begin() (driver.Tx, error)           { return nil, driver.ErrSkip }
