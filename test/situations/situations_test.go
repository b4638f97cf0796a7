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
	narrow bool     // at a server that hashes one password at a time, while one other waits
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

// each runs a test in a realm of its own, on both engines, events off and on; without sites each at a narrow one of its own.
func each(t *testing.T, realm settings, name string, sites map[harness.Engine]*site, f func(w *world)) {
	for _, e := range []harness.Engine{harness.SQLite, harness.Postgres} {
		for events, word := range map[bool]string{false: "silent", true: "events"} {
			t.Run(name+"/"+string(e)+"/"+word, func(t *testing.T) {
				t.Parallel()
				s := sites[e]
				if s == nil {
					s = newSite(t, e, "--password-hash-queue=1")
				}
				f(newWorld(t, s, realm, events))
			})
		}
	}
}

func TestSituations(t *testing.T) {
	at := map[harness.Engine]*site{harness.SQLite: newSite(t, harness.SQLite), harness.Postgres: newSite(t, harness.Postgres)}
	at[harness.SQLite].peer, at[harness.Postgres].peer = at[harness.Postgres], at[harness.SQLite]
	for _, s := range situations() {
		sites := at
		if s.narrow {
			sites = nil
		}
		each(t, s.realm, s.name, sites, func(w *world) {
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
			if all := w.why(asking{client: s.ask.client}); len(all) == 0 || all[0].Reason != s.reason {
				w.Errorf("without a question, want %s first, found%s", s.reason, told(all))
			}
			s.mended(w)
		})
	}
}

// joinedReasons are reasons of refusals that are never the first answer, each
// with why: the answer goes on to what is behind them.
var joinedReasons = map[iam.Reason]string{
	iam.SessionEnded:       "answered by why that session ended, as long as there is a record of it",
	iam.ClientSessionEnded: "answered by why that part ended, as long as there is a record of it",
	iam.Untold:             "answered by what would have to be switched on at the other server for it to be known: TestOutside, cannot tell",
}

// elsewhere are reasons whose occurrence the product's own command cannot have, each with the test that has it.
var elsewhere = map[iam.Reason]string{
	iam.DirectoryUnavailable: "../internal/server/directories_test.go", // no directory but the table is built in
}

// No reason stands in the list without an occurrence that causes it.
func TestEveryReasonHasASituation(t *testing.T) {
	has, two, healthy := map[iam.Reason]bool{}, 0, 0
	for _, s := range situations() {
		if has[s.reason] = true; s.reason == "" {
			healthy++
		}
		if s.two {
			two++
		}
	}
	for _, info := range iam.Reasons() {
		if !has[info.Reason] && joinedReasons[info.Reason] == "" && elsewhere[info.Reason] == "" {
			t.Errorf("no situation is first of all %s", info.Reason)
		}
	}
	if n := len(situations()) - healthy; n < 40 || two < 15 || healthy < 10 {
		t.Errorf("%d situations, %d of them with a second cause, and %d healthy ones", n, two, healthy)
	}
}
