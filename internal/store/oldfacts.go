package store

import (
	"encoding/json"
	"strings"

	"latchkey/internal/iam"
)

// What happened stands in fields of its own. Nodes of the version before had some
// of it in words for people alone, and write such records beside this version
// during an update. This file is the only code that reads those words. It goes with
// the release after the first that writes the fields; what is left of such records
// then tells a little less, until its time of retention is over.

// readEnd reads the end of a record.
func readEnd(stored []byte, e *iam.End) error {
	if err := json.Unmarshal(stored, e); err != nil || e.Rule == "" || e.Setting.Name != "" || e.Scopes != "" {
		return err
	}
	switch e.Reason {
	case iam.Idle, iam.MaxAge: // "ssoSessionIdleTimeout", "client.session.idle.timeout"
		e.Setting = iam.Setting{Of: iam.OfRealm, Name: e.Rule}
		if strings.HasPrefix(e.Rule, "client.") {
			e.Setting.Of = iam.OfClient
		}
	case iam.SessionLimit: // "userRealmLimit: 5"
		name, value, _ := strings.Cut(e.Rule, ": ")
		e.Setting = iam.Setting{Of: iam.OfStep, Name: name, Value: value}
	case iam.ReplacedByOffline: // "offline_access:r", and "offline_access:" where it is not known why
		e.Scopes = iam.Scopes(e.Rule)
	}
	return nil
}

// flowWords are the words for flows in which clients are told that they may not use them, with the settings.
var flowWords = []struct{ word, setting string }{
	{"Standard", iam.SettingStandardFlow}, {"Implicit", iam.SettingImplicitFlow}, {"direct access", iam.SettingDirectGrants},
	{"exchange code", iam.SettingStandardFlow},
}

// readOccurrence reads what an occurrence tells of the last time.
func readOccurrence(stored []byte, o *Occurrence) error {
	d := &o.Doc
	if err := json.Unmarshal(stored, d); err != nil || d.Facts {
		return err
	}
	d.Offline = strings.HasPrefix(d.Text, "Offline")
	d.Prompted = d.Error == "login_required"
	if d.Error == "invalid_redirect_uri" && d.Event == "LOGIN_ERROR" {
		d.Redirect = d.Text
	}
	if iam.Reason(o.Reason) != iam.ClientNotAllowed {
		return nil
	}
	for _, flow := range flowWords {
		if strings.Contains(d.Text, flow.word) {
			d.Setting = flow.setting
			break
		}
	}
	return nil
}
