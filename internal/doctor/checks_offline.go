package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

const offlineAccess = "offline_access"

func offlineRealmDefault(a *answer) {
	r, realm, ok := a.realm()
	if !ok {
		return
	}
	scopes, ok := need(a, a.e.Scopes)
	if !ok {
		return
	}
	i := slices.IndexFunc(scopes, func(s Scope) bool { return s.Name == offlineAccess })
	if i < 0 || scopes[i].Assigned != Default {
		return
	}
	affected := "How many clients have it already cannot be told, because " + a.e.Clients.Why() + "."
	if list, ok := a.e.Clients.Get(); ok {
		n := 0
		for _, c := range list {
			if slices.Contains(c.DefaultClientScopes, offlineAccess) {
				n++
			}
		}
		affected = fmt.Sprintf("%s %s it already.", plural(Count{N: int64(n)}, "client"), verb(n, "has", "have"))
	}
	a.find(realm, Finding{
		What:        "Every client that is made in realm " + r.Realm + " gets offline_access as a default scope, without asking for it.",
		Evidence:    []string{"default-default-client-scopes contains offline_access"},
		Consequence: "Their logins become offline sessions: no session is listed for the user and single sign-on does not work. " + affected,
		Remedy:      "Make offline_access optional: a client that needs to work while its user is away asks for it with scope=offline_access.",
		Fixes: []Fix{
			{ID: "optional", Title: "make it an optional scope of the realm", Changes: []Change{assignment(realm, scopes[i], Default, Optional)},
				Effects: []string{"Only clients that are made from now on are concerned: they get it as an optional scope.",
					"No session and no token changes."}},
			{ID: "remove", Title: "take it from the realm's scopes for new clients",
				Changes: []Change{assignment(realm, scopes[i], Default, Unassigned)},
				Effects: []string{"Only clients that are made from now on are concerned: they do not get it at all.",
					"No session and no token changes."}},
		},
	})
}

func offlineClientDefault(a *answer) {
	scopes, known := a.e.Scopes.Get()
	a.clients(func(c *rep.Client, s Subject) {
		if !browser(c) || !slices.Contains(c.DefaultClientScopes, offlineAccess) {
			return
		}
		n := a.e.numbers(c.ID)
		f := Finding{
			What: fmt.Sprintf("The browser client %s (%s) gets offline_access with every login, without asking for it.", c.ClientID, access(c)),
			Evidence: []string{
				"its default client scopes contain offline_access",
				fmt.Sprintf("it is %s, with the standard flow and %s", access(c), plural(Count{N: int64(len(c.RedirectURIs))}, "redirect URI")),
			},
			Consequence: "Its logins become offline sessions: nothing is listed among the user's sessions, single sign-on does not work, and " +
				"logging a user out of all sessions does not end them. " + weekly(n),
			Remedy: "Make offline_access optional for this client; one that needs it for some of its work asks for it with " +
				"scope=offline_access.",
		}
		if known {
			if i := slices.IndexFunc(scopes, func(s Scope) bool { return s.Name == offlineAccess }); i >= 0 {
				live := say(n.Offline, "live offline token")
				f.Fixes = []Fix{
					{ID: "optional", Title: "make it an optional scope of the client", Changes: []Change{assignment(s, scopes[i], Default, Optional)},
						Effects: []string{
							capital(live) + agree(n.Offline, " keeps working.", " keep working."),
							"The next login of each user begins an online session: it is listed, and single sign-on works with it.",
						}},
					{ID: "remove", Title: "take it from the client", Changes: []Change{assignment(s, scopes[i], Default, Unassigned)}, Effects: []string{
						capital(live) + agree(n.Offline, " fails at its next refresh.", " fail at their next refresh."),
						"The next login of each user begins an online session; the client can no longer get offline tokens.",
					}, Lasting: "sessions whose refresh failed meanwhile"},
				}
			}
		} else {
			f.Evidence = append(f.Evidence, "no fix is offered, because "+a.e.Scopes.Why())
		}
		a.find(s, f)
	})
}

// weekly is what became of a client's offline sessions, in numbers.
func weekly(n ClientSessions) string {
	w, ok := n.Week.Get()
	if !ok {
		return "How many were begun this week cannot be told, because " + n.Week.Why() + "."
	}
	refreshed := Count{N: w.Begun.N - w.Unrefreshed.N}
	text := fmt.Sprintf("%s begun this week, %s refreshed", plural(w.Begun, "offline session"), refreshed)
	if total, ok := n.Offline.Get(); ok {
		if total.More || total.N > w.Of.N {
			text += fmt.Sprintf(", of the %s that were looked at", grouped(w.Of.N))
		}
		text += "; " + total.String() + " live in all"
	}
	return text + "."
}

// defaultOfflineMax is offlineSessionMaxLifespan where it is not set.
// Keycloak: Constants.DEFAULT_OFFLINE_SESSION_MAX_LIFESPAN.
const defaultOfflineMax = 60 * 24 * time.Hour

// OfflineMaximum is how long offline sessions of a realm live at most once that is limited.
func OfflineMaximum(r *rep.Realm) time.Duration {
	if n := rep.Val(r.OfflineSessionMaxLifespan); n > 0 {
		return time.Duration(n) * time.Second
	}
	return defaultOfflineMax
}

func offlineNoMaximum(a *answer) {
	r, realm, ok := a.realm()
	if !ok || rep.Val(r.OfflineSessionMaxLifespanEnabled) {
		return
	}
	limit := OfflineMaximum(r)
	changes := []Change{setting(realm, "offlineSessionMaxLifespanEnabled", false, true)}
	if rep.Val(r.OfflineSessionMaxLifespan) <= 0 {
		changes = append(changes, setting(realm, "offlineSessionMaxLifespan", rep.Val(r.OfflineSessionMaxLifespan), int(limit/time.Second)))
	}
	live := a.e.sum(func(n ClientSessions) Known[Count] { return n.Offline })
	older := a.e.sum(func(n ClientSessions) Known[Count] { return n.Older })
	idle := time.Duration(rep.Val(r.OfflineSessionIdleTimeout)) * time.Second
	a.find(realm, Finding{
		What:     "Offline sessions of realm " + r.Realm + " have no maximum life.",
		Evidence: []string{"offlineSessionMaxLifespanEnabled is false", "offlineSessionIdleTimeout is " + span(idle)},
		Consequence: fmt.Sprintf("A token that is refreshed at least every %s works for ever, also in the hands of a thief. It concerns %s.",
			span(idle), say(live, "live offline session")),
		Remedy: "Limit the life of offline sessions to the longest time that a user may be away from an application's login.",
		Fixes: []Fix{{ID: "limit", Title: "limit it to " + span(limit), Changes: changes, Effects: []string{
			"Offline sessions that were begun more than " + span(limit) + " ago end at once: " + say(older, "session") + ".",
			"All others end " + span(limit) + " after they began, however often they are refreshed.",
		}, Lasting: "offline sessions that ended meanwhile"}},
	})
}

func zombies(a *answer) {
	all, ok := need(a, a.e.Sessions)
	if !ok {
		return
	}
	names := map[string]string{}
	if list, ok := need(a, a.e.Clients); ok {
		for _, c := range list {
			names[c.ID] = c.ClientID
		}
	}
	for _, id := range sortedKeys(all) {
		n := all[id]
		if names[id] == "" {
			continue
		}
		f := Finding{Remedy: "End the offline sessions that nobody should have: by user in the account or admin console (Consents, or Sessions " +
			"of the client). Logging a user out of all sessions leaves them."}
		dead, told := n.Dead.Get()
		if !told {
			a.cannot(n.Dead.Why())
		}
		left, leftTold := n.Left.Get()
		if !leftTold {
			a.cannot(n.Left.Why())
		}
		if told && dead.N > 0 {
			f.What = fmt.Sprintf("%s of client %s %s no token that works.", capital(plural(dead, "offline session")), names[id],
				verb(int(dead.N), "has", "have"))
			f.Evidence = append(f.Evidence, plural(dead, "offline session")+" last used before a not-before of the realm, the client or the user")
			f.Consequence = "They are listed and counted as live, but their tokens were issued before the not-before and are refused."
		}
		if leftTold && left.N > 0 {
			if f.What == "" {
				f.Severity = Info // it may be what offline access is for
				f.What = fmt.Sprintf("%s of client %s outlived the logout of the login that they came out of.",
					capital(plural(left, "offline session")), names[id])
			}
			f.Evidence = append(f.Evidence, plural(left, "offline session")+" whose login the user has logged out of, and whose tokens still work")
			f.Consequence = join(f.Consequence, "The user believes to be logged out; the client's offline tokens go on working.")
		}
		if f.What != "" {
			a.find(Subject{KindClient, id, names[id]}, f)
		}
	}
}

// graceSetting is Latchkey's realm attribute for rotation with grace, in seconds.
const graceSetting = iam.SettingRefreshGrace

func rotationNoGrace(a *answer) {
	r, realm, ok := a.realm()
	if !ok || !rep.Val(r.RevokeRefreshToken) || rep.Val(r.RefreshTokenMaxReuse) > 0 {
		return
	}
	grace := r.Attributes[graceSetting]
	if n, err := strconv.Atoi(grace); a.e.Server == Latchkey && err == nil && n > 0 {
		return
	}
	var public []string
	live := Told(Count{})
	a.clients(func(c *rep.Client, _ Subject) {
		if !rep.Val(c.PublicClient) || !browser(c) || isBuiltIn(c) {
			return
		}
		public = append(public, c.ClientID)
		live = add(live, a.e.numbers(c.ID).live())
	})
	if len(public) == 0 {
		return
	}
	reuse := Fix{ID: "reuse", Title: "let each refresh token be used once more",
		Changes: []Change{setting(realm, "refreshTokenMaxReuse", 0, 1)},
		Effects: []string{"A refresh token that is presented a second time is answered; a third time still ends the session.",
			"No session ends, and no token stops working."}}
	fixes := []Fix{reuse}
	evidence := []string{"revokeRefreshToken is true", "refreshTokenMaxReuse is 0"}
	if a.e.Server == Latchkey {
		evidence = append(evidence, "the attribute "+graceSetting+" is not set")
		fixes = []Fix{{ID: "grace", Title: "answer a token that was just rotated for ten seconds more",
			Changes: []Change{setting(realm, attributes+graceSetting, grace, "10")},
			Effects: []string{"A refresh token that was rotated less than ten seconds ago gets the same successor again; later it still ends the " +
				"chain.", "No session ends, and no token stops working."}}, reuse}
	}
	a.find(realm, Finding{
		What: "Refresh tokens rotate, and one that is presented twice ends the session, also when a browser has two tabs or lost an answer.",
		Evidence: append(evidence, fmt.Sprintf("%s with a browser flow: %s",
			plural(Count{N: int64(len(public))}, "public client"), quoted(public))),
		Consequence: "Two tabs that refresh at once log their user out of that client. It concerns " + say(live, "live session") + ".",
		Remedy:      "Give rotation some grace, or rotate on confidential clients only.",
		Fixes:       fixes,
	})
}
