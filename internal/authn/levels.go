package authn

import (
	"slices"
	"strconv"

	"latchkey/internal/iam"
)

// noteLevel is the tab's note of the level of authentication that a login has reached.
const noteLevel = "level-of-authentication"

// Level is the level of authentication that a login has reached, -1 when its flow has no levels.
func Level(t *iam.AuthTab) int {
	if n, err := strconv.Atoi(t.Notes[noteLevel]); err == nil {
		return n
	}
	return -1
}

// SetLevel notes the level that the login has reached.
func (r *Run) SetLevel(level int) {
	if level >= 0 || r.Note(noteLevel) != "" {
		r.SetNote(noteLevel, strconv.Itoa(level))
	}
}

// LevelCondition is the condition that gives its sub-flow a level.
const LevelCondition = "conditional-level-of-authentication"

// proves is the kind of credential that an authenticator checks, "" for none;
// also of the kinds that are not built yet.
func proves(authenticator string) iam.CredentialKind {
	for _, t := range iam.CredentialTypes {
		if slices.Contains(t.Authenticators, authenticator) {
			return t.Kind
		}
	}
	return ""
}

// CredentialLevels tells which level each kind of credential stands for in a
// flow, -1 outside of all levels. Kinds that the flow does not check are left
// out. Keycloak: LoAUtil.getCredentialTypesToLoAMap.
func CredentialLevels(f *iam.Flow) map[iam.CredentialKind]int {
	out := map[iam.CredentialKind]int{}
	var walk func(f *iam.Flow, level int)
	walk = func(f *iam.Flow, level int) {
		for _, x := range f.Executions {
			switch kind := proves(x.Authenticator); {
			case x.Sub != nil:
				walk(x.Sub, level)
			case x.Authenticator == LevelCondition:
				if n, err := strconv.Atoi(x.Config["loa-condition-level"]); err == nil {
					level = n
				}
			case kind != "":
				out[kind] = level
			}
		}
	}
	if f != nil {
		walk(f, -1)
	}
	return out
}

// MayRemove tells whether a level of authentication is enough for taking a kind
// of credential away, under the realm's browser flow.
// Keycloak: CredentialDeleteHelper.
func MayRemove(browser *iam.Flow, kind iam.CredentialKind, level int) bool {
	least, ok := CredentialLevels(browser)[kind]
	return !ok || level >= least
}

// changes is the kind of credential that an application's action changes, "" for
// others. Keycloak: CredentialAction.getCredentialType.
func changes(action string) iam.CredentialKind {
	for _, t := range iam.CredentialTypes {
		if t.Action() == action {
			return t.Kind
		}
	}
	return ""
}

// ActionLevel is the level that the application's action asks for: that of the
// kind of credential that it changes, or the next below of which the user has
// something to prove; -1 for none. own are the user's credentials.
// Keycloak: AcrStore.getRequestedLevelOfAuthenticationByKcAction.
func (r *Run) ActionLevel(own []*iam.Credential) int {
	kind := iam.CredentialKind("")
	for _, a := range r.Actions {
		if a.Alias == r.Tab.Request.Action {
			kind = changes(a.Provider)
			for _, c := range own {
				if a.Provider == "delete_credential" && c.ID == r.Tab.Request.ActionParam {
					kind = c.Kind
				}
			}
		}
	}
	levels := CredentialLevels(r.top)
	level, ok := levels[kind]
	if !ok {
		return -1
	}
	for ; level > -1; level-- {
		asked, has := false, false
		for kind, at := range levels {
			if at == level {
				asked = true
				for _, c := range own {
					has = has || c.Kind == kind
				}
			}
		}
		if has || !asked {
			break
		}
	}
	return level
}
