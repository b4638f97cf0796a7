package account

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

// profile shows the caller's profile. Keycloak: AccountRestService.account.
func (h *Handler) profile(c *call) (any, error) {
	p, err := users.ProfileOf(c.realm)
	if err != nil {
		return nil, err
	}
	u := c.caller.User
	v := p.In(users.Account, u)
	out := &rep.AccountUser{ID: string(u.ID), EmailVerified: &u.EmailVerified}
	for _, a := range v.Attributes() {
		if len(a.Values) == 0 {
			continue
		}
		switch a.Name {
		case "username":
			out.Username = a.Values[0]
		case "email":
			out.Email = a.Values[0]
		case "firstName":
			out.FirstName = a.Values[0]
		case "lastName":
			out.LastName = a.Values[0]
		}
	}
	if attrs := v.Readable(); len(attrs) > 0 {
		out.Attributes = attrs
	}
	if c.flag("userProfileMetadata", true) {
		out.UserProfileMetadata = v.Metadata()
		for i, a := range out.UserProfileMetadata.Attributes {
			if a.Name != "email" { // Keycloak: DeclarativeUserProfileProvider says there that UPDATE_EMAIL changes it
				continue
			}
			more := maps.Clone(a.Annotations)
			if more == nil {
				more = map[string]jsontext.Value{}
			}
			if v.EmailByAction() {
				more["kc.required.action.supported"] = jsontext.Value("true")
			}
			out.UserProfileMetadata.Attributes[i].Annotations = more
		}
	}
	return out, nil
}

// changed are the members of a profile whose changes the event tells about,
// with the words that it uses for them. Keycloak: EventAuditingAttributeChangeListener.
var changed = []struct {
	word string
	of   func(*iam.User) string
}{
	{"email", func(u *iam.User) string { return u.Email }},
	{"first_name", func(u *iam.User) string { return u.FirstName }},
	{"last_name", func(u *iam.User) string { return u.LastName }},
	{"username", func(u *iam.User) string { return u.Username }},
}

// updateProfile stores the caller's profile as posted.
// Keycloak: AccountRestService.updateAccount.
func (h *Handler) updateProfile(c *call) (any, error) {
	data, err := c.body()
	if err != nil {
		return nil, err
	}
	in := new(rep.AccountUser)
	if err := rep.Decode(data, in); err != nil {
		return nil, err
	}
	draft := users.Draft{}
	for name, values := range in.Attributes {
		draft[name] = values
	}
	for name, value := range map[string]string{"username": in.Username, "email": in.Email, "firstName": in.FirstName,
		"lastName": in.LastName} {
		if delete(draft, name); value != "" {
			draft[name] = []string{value}
		}
	}
	if blankEmail(data) {
		draft["email"] = []string{""}
	}
	before := c.caller.User
	after, err := h.Users.UpdateProfile(c, c.realm, users.Account, before.ID, draft, true)
	if mistakes := (iam.Errors)(nil); errors.As(err, &mistakes) {
		return nil, h.mistakes(c, mistakes)
	}
	if err != nil {
		return nil, err
	}
	details := map[string]string{"context": "ACCOUNT"}
	for _, m := range changed {
		was, is := m.of(before), m.of(after)
		if was == is {
			continue
		}
		if was != "" {
			details["previous_"+m.word] = was
		}
		if is != "" {
			details["updated_"+m.word] = is
		}
	}
	for _, name := range attributeNames(before, after) {
		was, is := strings.Join(before.Attrs[name], ", "), strings.Join(after.Attrs[name], ", ")
		if was == is {
			continue
		}
		if was != "" {
			details["previous_"+name] = was
		}
		if is != "" {
			details["updated_"+name] = is
		}
	}
	h.emit(c, "UPDATE_PROFILE", "", details)
	return nil, nil
}

// blankEmail tells an address that is empty from one that is left out, which
// the reference complains about in other words.
func blankEmail(data []byte) bool {
	var given struct {
		Email *string `json:"email"`
	}
	return json.Unmarshal(data, &given) == nil && given.Email != nil && *given.Email == ""
}

func attributeNames(list ...*iam.User) (names []string) {
	for _, u := range list {
		for name := range u.Attrs {
			names = append(names, name)
		}
	}
	return names
}

// mistakes answers what is wrong with a profile. The first parameter of a
// message is the attribute's display name rather than its name, and all are text.
// What is somebody else's makes it a conflict.
// Keycloak: AccountRestService.validationErrorParamsToString.
func (h *Handler) mistakes(c *call, list iam.Errors) error {
	p, err := users.ProfileOf(c.realm)
	if err != nil {
		return err
	}
	shown := map[string]string{}
	for _, a := range p.Config.Attributes {
		shown[a.Name] = users.Shown(&a)
	}
	out, status := make([]messageBody, 0, len(list)), http.StatusBadRequest
	for _, e := range list {
		params := append([]any{}, e.Params...)
		if e.Kind == iam.Conflict {
			params, status = []any{e.Field}, http.StatusConflict
		}
		for i, p := range params {
			if p != nil {
				params[i] = fmt.Sprint(p)
			}
		}
		if len(params) > 0 {
			if name, ok := params[0].(string); ok && shown[name] != "" {
				params[0] = shown[name]
			}
		}
		out = append(out, messageBody{Field: e.Field, Message: e.Msg, Params: params})
	}
	return listed(status, out)
}
