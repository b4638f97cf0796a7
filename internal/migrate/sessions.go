package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// userData is the document of a user's session. Keycloak: PersistentUserSessionAdapter.PersistentUserSessionData.
type userData struct {
	BrokerSession string            `json:"brokerSessionId"`
	BrokerUser    string            `json:"brokerUserId"`
	IP            string            `json:"ipAddress"`
	AuthMethod    string            `json:"authMethod"`
	Remember      bool              `json:"rememberMe"`
	Notes         map[string]string `json:"notes"`
	State         string            `json:"state"`
	LoginUsername string            `json:"loginUsername"`
}

// clientData is that of a client's part. Keycloak: PersistentAuthenticatedClientSessionAdapter.
type clientData struct {
	Action string            `json:"action"`
	Notes  map[string]string `json:"notes"`
}

// The states of sessions that are over, or about to be. Keycloak: UserSessionModel.State, CommonClientSessionModel.Action.
var over = []string{"LOGGING_OUT", "LOGGED_OUT", "LOGGED_OUT_UNCONFIRMED"}

// Sessions reads a realm's sessions of one kind in pages, by their ids and after one of them.
// Those whose user or client is gone are left out.
func (s *Source) Sessions(ctx context.Context, of RealmID, kind iam.SessionKind, after string) iter.Seq2[Page[store.MovedSession], error] {
	return paged(after, func(after string) (Page[store.MovedSession], error) { return s.sessionPage(ctx, of, kind, after) })
}

func (s *Source) sessionPage(ctx context.Context, of RealmID, kind iam.SessionKind, after string) (p Page[store.MovedSession], err error) {
	flag := "0"
	if kind == iam.Offline {
		flag = "1"
	}
	at := map[iam.SessionID]int{}
	err = s.each(ctx, func(x row) error {
		p.Last = x.text("user_session_id")
		if x.value("username") == nil {
			return nil // an orphan
		}
		us, err := s.session(x, kind)
		if err != nil || us == nil {
			return err
		}
		at[us.ID] = len(p.List)
		p.List = append(p.List, store.MovedSession{Session: us})
		return nil
	}, fmt.Sprintf(`select s.*, u.USERNAME from OFFLINE_USER_SESSION s left join USER_ENTITY u on u.ID = s.USER_ID and u.REALM_ID = s.REALM_ID
		where s.OFFLINE_FLAG = ? and s.REALM_ID = ? and s.USER_SESSION_ID > ? order by s.USER_SESSION_ID limit %d`, pageSize), flag, of.ID, after)
	if err != nil || p.Last == "" {
		return p, err
	}
	err = s.each(ctx, func(x row) error {
		i, ok := at[iam.SessionID(x.text("user_session_id"))]
		if !ok {
			return nil
		}
		part, err := s.part(x, p.List[i].Session)
		if err == nil && part != nil {
			p.List[i].Parts = append(p.List[i].Parts, part)
		}
		return err
	}, `select c.* from OFFLINE_CLIENT_SESSION c join CLIENT k on k.ID = c.CLIENT_ID
		where c.OFFLINE_FLAG = ? and k.REALM_ID = ? and c.USER_SESSION_ID > ? and c.USER_SESSION_ID <= ?`, flag, of.ID, after, p.Last)
	return p, err
}

// origin is what is known of how a session began: nothing but where it is from.
func (s *Source) origin() iam.Origin {
	return iam.Origin{How: iam.HowMigrated, From: "Keycloak " + s.Version.Text}
}

// session makes a user's session of a row, nil for one that is over.
func (s *Source) session(x row, kind iam.SessionKind) (*iam.UserSession, error) {
	var data userData
	id := x.text("user_session_id")
	if text := x.text("data"); text != "" {
		if err := json.Unmarshal([]byte(text), &data); err != nil {
			return nil, fmt.Errorf("session %s: its DATA cannot be read: %w", id, err)
		}
	}
	if slices.Contains(over, data.State) {
		return nil, nil
	}
	us := &iam.UserSession{
		ID: iam.SessionID(id), Realm: iam.RealmID(x.text("realm_id")), User: iam.UserID(x.text("user_id")), Offline: bool(kind),
		Remember: data.Remember || x.flag("remember_me"), Username: data.LoginUsername, IP: data.IP, AuthMethod: data.AuthMethod,
		BrokerID: x.text("broker_session_id"), BrokerUser: data.BrokerUser, Notes: data.Notes, Origin: s.origin(),
		// Not the document's "started", which is 0 in sessions that never left the database.
		Started: time.Unix(x.num("created_on"), 0), LastAccess: time.Unix(x.num("last_session_refresh"), 0),
	}
	if us.BrokerID == "" {
		us.BrokerID = data.BrokerSession
	}
	if us.Username == "" {
		us.Username = x.text("username")
	}
	if us.LastAccess.Before(us.Started) {
		us.LastAccess = us.Started
	}
	return us, nil
}

// part makes a client's part of a row, nil for one that is over.
func (s *Source) part(x row, us *iam.UserSession) (*iam.ClientSession, error) {
	var data clientData
	if text := x.text("data"); text != "" {
		if err := json.Unmarshal([]byte(text), &data); err != nil {
			return nil, fmt.Errorf("session %s: the DATA of client %s cannot be read: %w", us.ID, x.text("client_id"), err)
		}
	}
	if slices.Contains(over, data.Action) {
		return nil, nil
	}
	p := &iam.ClientSession{Session: us.ID, Realm: us.Realm, Client: iam.ClientID(x.text("client_id")), Offline: us.Offline,
		Started: us.Started, LastAccess: time.Unix(x.num("timestamp"), 0), Notes: map[string]string{}, Origin: s.origin()}
	// Parts of old offline sessions do not say when they began: as in Keycloak, they began with the session.
	if at, err := strconv.ParseInt(data.Notes["startedAt"], 10, 64); err == nil && at > 0 {
		p.Started = time.Unix(at, 0)
	}
	if p.LastAccess.Before(p.Started) {
		p.LastAccess = p.Started
	}
	p.Origin.Issuer = data.Notes["iss"]
	for name, value := range data.Notes {
		if !strings.HasPrefix(name, "refreshToken") {
			p.Notes[name] = value
		}
	}
	p.Chains = chains(data.Notes)
	return p, nil
}

// The notes of refresh tokens that rotate; the chain's reuse_id follows. Keycloak: AuthenticatedClientSessionModel.
const (
	noteUsed = "refreshTokenPrefix"
	noteUses = "refreshTokenUsePrefix"
	noteLast = "refreshTokenLastRefreshPrefix"
)

// chains reads the state of rotation. Keycloak remembers the token that was used last, and
// when, and takes every token that is younger: the newest is not known, and stays "".
func chains(notes map[string]string) []iam.RefreshChain {
	var list []iam.RefreshChain
	for name, used := range notes {
		id, ok := strings.CutPrefix(name, noteUsed)
		if !ok {
			continue
		}
		c := iam.RefreshChain{ReuseID: id, Used: used}
		c.Uses, _ = strconv.Atoi(notes[noteUses+id])
		if at, err := strconv.ParseInt(notes[noteLast+id], 10, 64); err == nil && at > 0 {
			c.Issued = time.Unix(at, 0)
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b iam.RefreshChain) int { return strings.Compare(a.ReuseID, b.ReuseID) })
	return list
}
