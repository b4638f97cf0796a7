package deliveries

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// callTime is how long a call may take.
const callTime = 5 * time.Second

// A Call is one attempt to tell something by HTTP: a POST.
type Call struct {
	To     string            // absolute URL
	Reach  iam.Reach         // of who gave the URL
	Header map[string]string // Content-Type and others
	Body   string
}

// A Post posts the body of a call and returns the status of the answer; an error
// says why there was none, in words that hold neither address nor secret.
type Post func(ctx context.Context, reach iam.Reach, to string, header map[string]string, body string) (status int, err error)

// HTTP is the Kind of deliveries that are calls to other servers. All fields but Final must be set.
type HTTP struct {
	Post Post
	// Make makes the call of an attempt, anew for each.
	Make func(ctx context.Context, r *realms.Realm, d *Delivery) (*Call, error)
	// Final are the statuses of answers after which it is not tried again.
	Final []int
}

// Limit is how long a call may take.
func (HTTP) Limit() time.Duration { return callTime }

// Receiver is the webhook or the client.
func (HTTP) Receiver(d *Delivery) (string, int) { return d.Hook + " " + string(d.Client), maxPerTo }

// Send makes the call; any status but 2xx is a failure.
func (h HTTP) Send(ctx context.Context, r *realms.Realm, d *Delivery) error {
	call, err := h.Make(ctx, r, d)
	if err != nil {
		return err
	}
	status, err := h.Post(ctx, call.Reach, call.To, call.Header, call.Body)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Failure(fmt.Sprintf("no answer within %s", callTime))
	case err != nil:
		return Failure(err.Error())
	case status/100 == 2:
		return nil
	}
	why := fmt.Sprintf("answered %d", status)
	if slices.Contains(h.Final, status) {
		return Hopeless(why)
	}
	return Failure(why)
}
