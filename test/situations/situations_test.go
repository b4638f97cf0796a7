package situations

import (
	"flag"
	"os"
	"testing"

	"latchkey/internal/iam"
	"latchkey/test/harness"
)

// A situation is something that people ask about.
type situation struct {
	name   string
	reason iam.Reason // the first finding's; "" in healthy situations, which have none
	ask    asking
	two    bool     // there are two causes, or what happened last misleads
	realm  settings // members of the realm
	// happens brings it about, and holds that it fails as the answer will say.
	happens func(w *world)
	// mended does what the remedy says, and holds that it works.
	mended func(w *world)
}

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "16") // most of them wait, for the server or for time to pass
	os.Exit(m.Run())
}

// each runs a test in a realm of its own, on both engines, events off and on.
func each(t *testing.T, realm settings, name string, sites map[harness.Engine]*site, f func(w *world)) {
	for _, e := range []harness.Engine{harness.SQLite, harness.Postgres} {
		for events, word := range map[bool]string{false: "silent", true: "events"} {
			t.Run(name+"/"+string(e)+"/"+word, func(t *testing.T) {
				t.Parallel()
				f(newWorld(t, sites[e], realm, events))
			})
		}
	}
}

func TestSituations(t *testing.T) {
	at := map[harness.Engine]*site{harness.SQLite: newSite(t, harness.SQLite), harness.Postgres: newSite(t, harness.Postgres)}
	for _, s := range situations() {
		each(t, s.realm, s.name, at, func(w *world) {
			s.happens(w)
			list := w.why(s.ask)
			if s.reason == "" {
				if len(list) != 0 {
					w.Errorf("nothing is wrong, found%s", told(list))
				}
				return
			}
			if len(list) == 0 || list[0].Reason != s.reason {
				w.Fatalf("want %s first, found%s", s.reason, told(list))
			}
			if testing.Verbose() {
				w.Log(list[0].Sentence)
			}
			if list[0].Sentence == "" || list[0].Remedy == "" || len(list[0].Evidence) == 0 {
				w.Errorf("no sentence, no evidence or no remedy: %+v", list[0])
			}
			s.mended(w)
		})
	}
}
