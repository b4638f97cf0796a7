package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

func (w Rooms) conditions() []authn.Spec {
	return []authn.Spec{
		{ID: "conditional-user-configured", Holds: func(ctx context.Context, r *authn.Run) (bool, error) { return r.SiblingsConfigured(ctx) }},
		{ID: "conditional-credential", Holds: credentialUsed},
		{ID: "conditional-user-role", Holds: w.userRole},
		{ID: "conditional-user-attribute", NeedsUser: true, Holds: w.userAttribute},
		{ID: authn.LevelCondition, Holds: w.levelDue, Finished: w.levelReached},
	}
}

// credentialUsed: Keycloak's ConditionalCredentialAuthenticator.
func credentialUsed(_ context.Context, r *authn.Run) (bool, error) {
	done := strings.Split(r.Note(noteCredentials), ",")
	if r.Note(noteCredentials) == "" {
		done = []string{"none"}
	}
	any := slices.ContainsFunc(strings.Split(r.Config("credentials"), "##"), func(c string) bool { return slices.Contains(done, c) })
	return any == (r.Config("included") == "true"), nil
}

// userRole: Keycloak's ConditionalRoleAuthenticator. A role that does not exist is nobody's.
func (w Rooms) userRole(ctx context.Context, r *authn.Run) (bool, error) {
	if r.User == nil {
		return false, nil
	}
	has, err := w.Roles.Has(ctx, r.Realm, r.User.ID, r.Config("condUserRole"))
	return has != (r.Config("negate") == "true"), err
}

// userAttribute: Keycloak's ConditionalUserAttributeValue.
func (w Rooms) userAttribute(ctx context.Context, r *authn.Run) (bool, error) {
	name, want := r.Config("attribute_name"), r.Config("attribute_expected_value")
	if r.User == nil {
		return false, fmt.Errorf("conditional-user-attribute: no user yet")
	}
	values := attributeValues(r.User, name)
	if r.Config("include_group_attributes") == "true" {
		effective, err := w.Roles.Of(ctx, r.Realm, r.User.ID)
		if err != nil {
			return false, err
		}
		values = append(slices.Clone(values), effective.GroupValues(name)...)
	}
	equal := func(v string) bool { return v == want }
	if r.Config("regex") == "true" {
		re, err := regexp.Compile(`^(?:` + want + `)$`)
		if err != nil {
			return false, fmt.Errorf("conditional-user-attribute: %w", err)
		}
		equal = re.MatchString
	}
	return slices.ContainsFunc(values, equal) != (r.Config("not") == "true"), nil
}

func attributeValues(u *iam.User, name string) []string {
	switch name {
	case "username":
		return []string{u.Username}
	case "email":
		return []string{u.Email}
	case "firstName":
		return []string{u.FirstName}
	case "lastName":
		return []string{u.LastName}
	}
	return u.Attrs[name]
}

// When this session last reached each level of authentication. Keycloak: AcrStore.
const (
	noteLevels = "loa-map" // JSON, level -> seconds since 1970; also the user session's note
	defaultAge = 36000     // loa-max-age unless configured
)

func levels(r *authn.Run) map[int]int64 {
	m := map[int]int64{}
	_ = json.Unmarshal([]byte(r.Note(noteLevels)), &m) // nothing reached where there is nothing to read
	return m
}

// conditionLevel reads a level condition's configuration.
func conditionLevel(config map[string]string) (level int, maxAge int64) {
	level, err := strconv.Atoi(config["loa-condition-level"])
	if err != nil {
		level = 0
	}
	maxAge, err = strconv.ParseInt(config["loa-max-age"], 10, 64)
	if err != nil {
		maxAge = defaultAge
	}
	return level, maxAge
}

// highestLevel is how far the session's earlier logins still reach in this flow.
func highestLevel(r *authn.Run) int {
	reached, ages := levels(r), map[int]int64{}
	var collect func(f *iam.Flow)
	collect = func(f *iam.Flow) {
		for _, x := range f.Executions {
			if x.Sub != nil {
				collect(x.Sub)
			} else if x.Authenticator == authn.LevelCondition && x.Requirement != iam.Disabled {
				level, age := conditionLevel(x.Config)
				ages[level] = age
			}
		}
	}
	collect(r.Top())
	highest := -1
	if len(reached) > 0 {
		highest = 0
	}
	for _, level := range slices.Sorted(maps.Keys(reached)) {
		age, known := ages[level]
		if !known || !time.Unix(reached[level]+age, 0).After(r.Now) {
			break
		}
		highest = level
	}
	return highest
}

// requestedLevel is the lowest level that satisfies what the client asks for, where what stands for no level counts as
// 0, and at least the level that its action asks for.
// Keycloak: AcrStore.getRequestedLevelOfAuthentication, AuthorizationEndpoint.
func (w Rooms) requestedLevel(ctx context.Context, r *authn.Run) (int, error) {
	asked := -1
	acrs, _ := RequestedACR(r.Realm, r.Client, &r.Tab.Request)
	for i, acr := range acrs {
		level, ok := LevelOf(r.Realm, r.Client, acr)
		if !ok {
			level = 0
		}
		if i == 0 || level < asked {
			asked = level
		}
	}
	if r.User == nil || r.Tab.Request.Action == "" {
		return asked, nil
	}
	own, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
	return max(asked, r.ActionLevel(own)), err
}

// RequestedACR lists the authentication contexts that a request asks for, and
// whether one must be reached. A client's minimum takes the place of what is below it.
func RequestedACR(realm *realms.Realm, c *iam.Client, q *iam.LoginRequest) (acrs []string, essential bool) {
	acrs, essential = AskedACR(c, q)
	return AtLeastMinimum(realm, c, acrs), essential
}

// AskedACR is RequestedACR without regard to the client's minimum.
func AskedACR(c *iam.Client, q *iam.LoginRequest) (acrs []string, essential bool) {
	if len(q.Contexts) > 0 || c == nil {
		return q.Contexts, q.Essential
	}
	if d := c.Attr("default.acr.values"); d != "" {
		return strings.Split(d, "##"), false
	}
	return nil, false
}

// AtLeastMinimum is AtLeast by the client's attribute minimum.acr.value.
func AtLeastMinimum(realm *realms.Realm, c *iam.Client, acrs []string) []string {
	return iam.AtLeast(levelMap(realm, c), clientAttr(c, "minimum.acr.value"), acrs)
}

// LevelOf maps an authentication context to a level by the map of the client or
// the realm; numbers stand for themselves.
func LevelOf(realm *realms.Realm, c *iam.Client, acr string) (int, bool) {
	return iam.LevelOf(levelMap(realm, c), acr)
}

// levelMap is the client's map of levels, or else the realm's. Keycloak: AcrUtils.getAcrLoaMap.
func levelMap(realm *realms.Realm, c *iam.Client) map[string]int {
	for _, doc := range []string{clientAttr(c, "acr.loa.map"), realm.Attrs["acr.loa.map"]} {
		if m, err := iam.ParseLevels(doc); doc != "" && err == nil && len(m) > 0 {
			return m
		}
	}
	return nil
}

func clientAttr(c *iam.Client, name string) string {
	if c == nil {
		return ""
	}
	return c.Attr(name)
}

// levelDue: Keycloak's ConditionalLoaAuthenticator.matchCondition.
func (w Rooms) levelDue(ctx context.Context, r *authn.Run) (bool, error) {
	level, maxAge := conditionLevel(r.Execution().Config)
	current := authn.Level(r.Tab)
	if current < 0 {
		return true, nil
	}
	requested, err := w.requestedLevel(ctx, r)
	if err != nil || requested < level {
		return false, err
	}
	at, ok := levels(r)[level]
	if r.Note(NoteForced) == "" && ok && time.Unix(at+maxAge, 0).After(r.Now) {
		if current < level {
			r.SetLevel(level)
		}
		return false, nil
	}
	return true, nil
}

// levelReached: Keycloak's ConditionalLoaAuthenticator.onParentFlowSuccess and onTopFlowSuccess.
func (w Rooms) levelReached(ctx context.Context, r *authn.Run, top bool) error {
	if top {
		requested, err := w.requestedLevel(ctx, r)
		if err != nil {
			return err
		}
		if _, essential := RequestedACR(r.Realm, r.Client, &r.Tab.Request); essential && requested > authn.Level(r.Tab) {
			return &authn.FlowError{Code: authn.GenericError, Provider: authn.LevelCondition,
				Detail: "Authentication requirements not fulfilled", Message: "Authentication requirements not fulfilled"}
		}
		return nil
	}
	level, maxAge := conditionLevel(r.Execution().Config)
	r.SetLevel(level)
	if maxAge == 0 { // good for this login alone
		return nil
	}
	m := levels(r)
	m[level] = r.Now.Unix()
	doc, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("levels of authentication: %w", err)
	}
	r.SetNote(noteLevels, string(doc))
	r.SetUserNote(noteLevels, string(doc))
	return nil
}
