package realms

import (
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// What holds the realm's user profile, as Keycloak names it.
const (
	ProfileType   = "org.keycloak.userprofile.UserProfileProvider"
	ProfileConfig = "kc.user.profile.config"
)

// Profile is the component that holds the realm's own user profile, nil for none.
func (r *Realm) Profile() *Component {
	for _, c := range r.Components {
		if c.Type == ProfileType {
			return c
		}
	}
	return nil
}

// ProfileText is that profile as it is stored, "" for none.
func (r *Realm) ProfileText() string {
	if c := r.Profile(); c != nil {
		return c.Get(ProfileConfig)
	}
	return ""
}

type profileDefaultsKey struct{}

// FillDefaults gives a user the default values of the profile's attributes that the
// user has not, whoever may see or edit them. Whatever makes or changes users calls it.
// Keycloak: DefaultAttributes.
func (r *Realm) FillDefaults(u *iam.User) error {
	v, err := r.Derive(profileDefaultsKey{}, func() (any, error) {
		return defaultsOf(r.ProfileText())
	})
	if err != nil {
		return err
	}
	v.(profileDefaults).fill(u)
	return nil
}

// profileDefaults are default values by the names of attributes.
type profileDefaults map[string]string

func defaultsOf(profile string) (profileDefaults, error) {
	defaults := profileDefaults{}
	if profile == "" {
		return defaults, nil
	}
	cfg := new(rep.UPConfig)
	if err := rep.Unmarshal([]byte(profile), cfg); err != nil {
		return nil, err
	}
	for _, a := range cfg.Attributes {
		if v := rep.Val(a.DefaultValue); v != "" {
			defaults[a.Name] = v
		}
	}
	return defaults, nil
}

// defaultsOfFile are those of the profile in a realm's representation.
func defaultsOfFile(r *rep.Realm) (profileDefaults, error) {
	for _, c := range r.Components[ProfileType] {
		for _, text := range c.Config[ProfileConfig] {
			return defaultsOf(text)
		}
	}
	return nil, nil
}

func (d profileDefaults) fill(u *iam.User) {
	for name, value := range d {
		field := map[string]*string{"firstName": &u.FirstName, "lastName": &u.LastName, "username": &u.Username, "email": &u.Email}[name]
		switch {
		case field != nil && *field == "":
			*field = value
		case field == nil && strings.TrimSpace(strings.Join(u.Attrs[name], "")) == "":
			if u.Attrs == nil {
				u.Attrs = map[string][]string{}
			}
			u.Attrs[name] = []string{value}
		}
	}
}
