package tokens

import (
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// noteCompleted is the session's note of which executions a login completed, and when (seconds).
const noteCompleted = "authenticators-completed"

// amr returns the references (RFC 8176) that administrators gave to the
// executions of a login, as long as each is valid. Keycloak: AmrUtils.
func amr(r *realms.Realm, s *iam.UserSession, now time.Time) []string {
	var done map[string]int64
	if s == nil || json.Unmarshal([]byte(s.Notes[noteCompleted]), &done) != nil {
		return nil
	}
	configs := map[string]map[string]string{}
	for _, c := range r.AuthConfigs {
		configs[c.ID] = c.Config
	}
	var out []string
	for _, f := range r.FlowDocs {
		for _, e := range f.Executions {
			at, ok := done[e.ID]
			ref := configs[e.AuthenticatorConfig]["default.reference.value"]
			if !ok || ref == "" || slices.Contains(out, ref) {
				continue
			}
			age, _ := strconv.ParseInt(configs[e.AuthenticatorConfig]["default.reference.maxAge"], 10, 64)
			if now.Unix() <= at+age {
				out = append(out, ref)
			}
		}
	}
	return out
}
