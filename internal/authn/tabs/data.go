package tabs

import (
	"time"

	"latchkey/internal/iam"
)

// Data is what the client_data parameter carries, sealed for the
// realm: the request, with which the login goes on in the browser that it was made
// for. In Keycloak it is four of the request's parameters.
type Data struct {
	Root    iam.SessionID    `json:"r,omitempty"` // of the browser that it was made for; "" in those of an earlier version
	Tab     string           `json:"t"`
	First   string           `json:"f,omitempty"` // see iam.AuthTab
	Request iam.LoginRequest `json:"q"`
	Type    string           `json:"y,omitempty"` // auth_type
	Issued  int64            `json:"i"`           // seconds since 1970
	Message string           `json:"m,omitempty"` // message key to show next
	Asked   iam.Reason       `json:"a,omitempty"` // see NoteAsked
	Named   iam.SessionID    `json:"n,omitempty"` // see NoteNamed
	// id of the action token whose page this leads on from: what is done by it ends without a login
	Action string `json:"k,omitempty"`
}

// Notes in a tab. Data carries the first three.
const (
	NoteType  = "auth_type"     // of the events
	NoteAsked = "asked"         // an iam.Reason: why the browser's session, or what it sent, was not enough
	NoteNamed = "asked.session" // the session that the browser's cookie named then

	NoteLocale = "locale_user_requested" // the language that the user picked on a page of the login
)

// DataOf is what leads on with a tab.
func DataOf(t *iam.AuthTab) Data {
	return Data{Root: t.Root, Tab: t.ID, First: t.First, Request: t.Request, Type: t.Notes[NoteType], Issued: t.Created.Unix(),
		Asked: iam.Reason(t.Notes[NoteAsked]), Named: iam.SessionID(t.Notes[NoteNamed])}
}

// Fresh is the tab that Data leads on with where none is stored.
func (d *Data) Fresh(root iam.SessionID, id string) *iam.AuthTab {
	t := &iam.AuthTab{Root: root, ID: id, Request: d.Request, Created: time.Unix(d.Issued, 0)}
	if d.First != "" {
		t.ID = d.First
	}
	if d.Type != "" {
		t.Notes = map[string]string{NoteType: d.Type}
	}
	return t
}

// Began is the id that a tab began under.
func Began(t *iam.AuthTab) string {
	if t.First != "" {
		return t.First
	}
	return t.ID
}

// LoginID names a login for as long as it lasts, whatever it has proved since. Keycloak: AuthenticationSessionCompoundId.
func LoginID(t *iam.AuthTab) string {
	return string(t.Root) + "." + Began(t) + "." + string(t.Request.Client)
}

func dataPurpose(realm iam.RealmID) string { return "login client_data " + string(realm) }

// SealData makes the client_data parameter.
func (k *Keeper) SealData(realm iam.RealmID, d Data) (string, error) {
	return k.Seal(dataPurpose(realm), d)
}

// OpenData reads what SealData returned for the realm, or returns ErrForged.
func (k *Keeper) OpenData(realm iam.RealmID, token string) (d Data, err error) {
	err = k.Open(dataPurpose(realm), token, &d)
	return d, err
}
