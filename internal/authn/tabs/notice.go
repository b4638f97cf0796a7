package tabs

import (
	"crypto/rand"
	"fmt"
	"net/url"

	"latchkey/internal/iam"
)

// A Notice is what a page said that belongs to no login, sealed in the browser's cookie, so that the page can be had in another
// language when nothing else is left of it. Keycloak: DetachedInfoStateCookie.
type Notice struct {
	Tone   string       `json:"tone"`
	Key    string       `json:"key"`
	Params []string     `json:"params,omitempty"`
	Status int          `json:"status,omitempty"` // 0: an information, which is no error
	Client iam.ClientID `json:"client,omitempty"`
	Shown  string       `json:"shown,omitempty"` // the state in the address of the page that is shown
	Linked string       `json:"linked"`          // the state in the page's links
}

// SetParams keeps a message's parameters in words.
func (n *Notice) SetParams(params []any) {
	for _, p := range params {
		n.Params = append(n.Params, fmt.Sprint(p))
	}
}

// KeepNotice makes the value of the cookie and the query by which the notice is asked for again; shown is the state in
// the address that the request has.
func (k *Keeper) KeepNotice(realm iam.RealmID, clientID, shown string, n Notice) (cookie string, query url.Values, err error) {
	n.Shown, n.Linked = shown, rand.Text()
	query = url.Values{ParamNotice: {n.Linked}}
	if clientID != "" {
		query.Set("client_id", clientID)
	}
	cookie, err = k.Seal(noticePurpose(realm), n)
	return cookie, query, err
}

// ParamNotice is the parameter that holds a notice's state.
const ParamNotice = "kc_state_checker"

// FindNotice returns the notice of a cookie, or ErrForged if the state is not of it.
func (k *Keeper) FindNotice(realm iam.RealmID, cookie, state string) (*Notice, error) {
	n := new(Notice)
	if err := k.Open(noticePurpose(realm), cookie, n); err != nil {
		return nil, err
	}
	if state == "" || state != n.Shown && state != n.Linked {
		return nil, ErrForged
	}
	return n, nil
}

func noticePurpose(realm iam.RealmID) string { return "notice " + string(realm) }
