package params

import "sync"

// logins is what is known of logins with the versions of one value.
type logins struct{ mu sync.Mutex }
