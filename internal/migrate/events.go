package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"latchkey/internal/iam"
)

// eventPage reads events of users in the order of their ids: after one, and no older than a time.
func (s *Source) eventPage(ctx context.Context, of RealmID, after string, since int64) (p Page[*iam.Event], err error) {
	err = s.each(ctx, func(x row) error {
		e := &iam.Event{ID: x.text("id"), Time: time.UnixMilli(x.num("event_time")), Realm: iam.RealmID(of.ID),
			Kind:   iam.EventKind(x.text("type")),
			Client: x.text("client_id"), User: iam.UserID(x.text("user_id")), Session: iam.SessionID(x.text("session_id")), IP: x.text("ip_address"),
			Error: x.text("error"), Details: details(x, "details_json_long_value", "details_json")}
		p.List, p.Last = append(p.List, e), e.ID
		return nil
	}, fmt.Sprintf(`select * from EVENT_ENTITY where REALM_ID = ? and ID > ? and EVENT_TIME >= ? order by ID limit %d`, pageSize), of.ID,
		after, since)
	return p, err
}

// adminEventPage is eventPage for what administrators did.
func (s *Source) adminEventPage(ctx context.Context, of RealmID, after string, since int64) (p Page[*iam.AdminEvent], err error) {
	err = s.each(ctx, func(x row) error {
		e := &iam.AdminEvent{ID: x.text("id"), Time: time.UnixMilli(x.num("admin_event_time")), Realm: iam.RealmID(of.ID),
			Operation: x.text("operation_type"),
			AuthRealm: iam.RealmID(x.text("auth_realm_id")), AuthClient: iam.ClientID(x.text("auth_client_id")),
			AuthUser: iam.UserID(x.text("auth_user_id")),
			IP:       x.text("ip_address"), ResourceType: x.text("resource_type"), ResourcePath: x.text("resource_path"),
			Representation: x.text("representation"), Error: x.text("error"), Details: details(x, "details_json")}
		p.List, p.Last = append(p.List, e), e.ID
		return nil
	}, fmt.Sprintf(`select * from ADMIN_EVENT_ENTITY where REALM_ID = ? and ID > ? and ADMIN_EVENT_TIME >= ? order by ID limit %d`, pageSize),
		of.ID, after, since)
	return p, err
}

// details reads the first of the columns that says something. An event whose details cannot
// be read is taken without them: it is evidence all the same.
func details(x row, columns ...string) map[string]string {
	for _, c := range columns {
		var m map[string]string
		if text := x.text(c); text != "" && json.Unmarshal([]byte(text), &m) == nil {
			return m
		}
	}
	return nil
}
