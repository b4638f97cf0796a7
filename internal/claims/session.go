package claims

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
)

// sessionNote: UserSessionNoteMapper.
func sessionNote(in *Input, m *iam.ProtocolMapper, kind Kind, t *Set) {
	if v := in.note(m.Config["user.session.note"]); v != "" {
		set(m, kind, t, v)
	}
}

// sessionState: SessionStateMapper.
func sessionState(in *Input, _ *iam.ProtocolMapper, _ Kind, t *Set) {
	if in.Grant.Session != nil {
		t.Put("session_state", string(in.Grant.Session.ID))
	}
}

// nonce: NonceBackwardsCompatibleMapper.
func nonce(in *Input, _ *iam.ProtocolMapper, _ Kind, t *Set) {
	if in.Grant.Nonce != "" {
		t.Put("nonce", in.Grant.Nonce)
	}
}

// hardcodedClaim: HardcodedClaim.
func hardcodedClaim(_ *Input, m *iam.ProtocolMapper, kind Kind, t *Set) {
	if v, ok := m.Config["claim.value"]; ok {
		set(m, kind, t, v)
	}
}

// amr: AmrProtocolMapper.
func amr(in *Input, _ *iam.ProtocolMapper, _ Kind, t *Set) {
	list := []string{}
	if in.AMR != nil {
		list = append(list, in.AMR()...)
	}
	t.Put("amr", list)
}

// Notes of a client's part in a session that say how strong its login was.
const (
	NoteLevel = "level-of-authentication" // a number; -1 or absent without step-up
	NoteSSO   = "SSO_AUTH"                // "true": the cookie sufficed
)

// acr: AcrProtocolMapper.
func acr(in *Input, _ *iam.ProtocolMapper, _ Kind, t *Set) { t.Put("acr", in.acr()) }

// Reached is the level of authentication of the login that a client's part in a
// session is of. Without step-up it is 1, or 0 where the cookie sufficed; p may be nil.
func Reached(p *iam.ClientSession) int {
	if p == nil {
		return 1
	}
	level, err := strconv.Atoi(p.Notes[NoteLevel])
	switch {
	case err == nil && level >= 0:
		return level
	case p.Notes[NoteSSO] == "true":
		return 0
	}
	return 1
}

func (in *Input) acr() string {
	level := Reached(in.Grant.ClientSession)
	minimum := ""
	if c := in.Grant.Client; c != nil {
		minimum = c.Attr("minimum.acr.value")
	}
	for _, wanted := range [][]string{
		in.claimedACR(true),
		iam.AtLeast(in.Levels, minimum, append(strings.Fields(in.partNote("acr_values")), in.claimedACR(false)...)),
		in.levelNames(),
	} {
		if name := in.nameOf(level, wanted); name != "" {
			return name
		}
	}
	return strconv.Itoa(level)
}

// nameOf finds, among the values wanted, the one of the highest level that was
// reached. Keycloak: AcrUtils.mapLoaToAcr.
func (in *Input) nameOf(level int, wanted []string) string {
	if len(in.Levels) == 0 {
		return ""
	}
	best, name := -1, ""
	for _, w := range wanted {
		l, ok := iam.LevelOf(in.Levels, w)
		if !ok {
			continue
		}
		if l > best && level >= l {
			best, name = l, w
		}
	}
	return name
}

func (in *Input) levelNames() []string {
	names := make([]string, 0, len(in.Levels))
	for n := range in.Levels {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// claimed is what the claims parameter asks for one claim (OpenID Connect Core 5.5.1).
type claimed struct {
	Essential bool             `json:"essential"`
	Value     jsontext.Value   `json:"value"`
	Values    []jsontext.Value `json:"values"`
}

// request reads the claims parameter that the client's part remembers.
func (in *Input) request(member string) map[string]*claimed {
	raw := in.partNote("claims")
	if raw == "" {
		return nil
	}
	var parts map[string]jsontext.Value
	var out map[string]*claimed
	if json.Unmarshal([]byte(raw), &parts) != nil || parts[member] == nil || json.Unmarshal(parts[member], &out) != nil {
		return nil
	}
	return out
}

func (in *Input) claimedACR(essential bool) []string {
	c := in.request("id_token")["acr"]
	if c == nil || essential && !c.Essential {
		return nil
	}
	values := c.Values
	if values == nil && c.Value != nil {
		values = []jsontext.Value{c.Value}
	}
	var out []string
	for _, v := range values {
		var s string
		if json.Unmarshal(v, &s) == nil {
			out = append(out, s)
		}
	}
	return out
}

// claimsParameter: ClaimsParameterTokenMapper, the essential claims that it knows.
func claimsParameter(in *Input, _ *iam.ProtocolMapper, kind Kind, t *Set) {
	member := "userinfo"
	if kind == IDToken {
		member = "id_token"
	}
	for name, c := range in.request(member) {
		if c == nil || !c.Essential {
			continue
		}
		if name == "name" {
			fullName(in, nil, kind, t)
			continue
		}
		attr, ok := map[string]string{"given_name": "firstName", "family_name": "lastName", "preferred_username": "username",
			"email": "email"}[name]
		if v := own(in.user(), attr); ok && len(v) > 0 {
			t.Put(name, v[0])
		}
	}
}

// claimsParameterValue: ClaimsParameterWithValueIdTokenMapper.
func claimsParameterValue(in *Input, m *iam.ProtocolMapper, kind Kind, t *Set) {
	name := m.Config["claim.name"]
	c := in.request("id_token")[name]
	if c == nil || !c.Essential || c.Value == nil {
		return
	}
	var v string
	if json.Unmarshal(c.Value, &v) == nil {
		set(&iam.ProtocolMapper{Config: map[string]string{"claim.name": name, "jsonType.label": "String"}}, kind, t, v)
	}
}
