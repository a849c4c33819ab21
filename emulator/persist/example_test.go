package persist_test

import (
	"fmt"
	"os"

	"github.com/gomiddy/middy/emulator/persist"
)

func Example() {
	path, err := os.MkdirTemp("", "persist")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(path)

	before, err := persist.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := before.Save("orders", map[string]int{"limit": 10}); err != nil {
		fmt.Println(err)
	}

	after, err := persist.Open(path) // after a restart
	if err != nil {
		fmt.Println(err)
		return
	}
	err = after.Load(func(key string, value []byte) error {
		fmt.Println(key, string(value))
		return nil
	})
	fmt.Println(err)
	// Output:
	// orders {"limit":10}
	// <nil>
}
