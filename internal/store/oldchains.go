package store

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// The version before kept each refresh chain in a note of its client session, and
// runs beside this one during an update. It writes all notes back with the next
// version of the row, and leaves the columns. So the columns count while
// chains_version is the row's version: then this version wrote last. Else the notes
// do, which this version writes along for the version before. The release after the
// first that writes the columns stops to write the notes, and the one after it drops
// this file and chains_version.

// chainNote begins the name of such a note; the chain's reuse_id follows.
const chainNote = "refresh."

// readChains moves the refresh chains out of the notes of a client session. current
// says that doc, the column, is newer than the notes.
func readChains(s *iam.ClientSession, doc string, current bool) error {
	maps.DeleteFunc(s.Notes, func(name, note string) bool {
		id, is := strings.CutPrefix(name, chainNote)
		if is && !current {
			s.Chains = append(s.Chains, readChainNote(id, note))
		}
		return is
	})
	if current && doc != "" {
		return json.Unmarshal([]byte(doc), &s.Chains)
	}
	slices.SortFunc(s.Chains, func(a, b iam.RefreshChain) int { return cmp.Compare(a.ReuseID, b.ReuseID) })
	return nil
}

// writeChains returns the refresh chains of a client session as the column has them,
// and its notes with those for the version before.
func writeChains(s *iam.ClientSession) (doc, withChains string) {
	if len(s.Chains) == 0 {
		return "", notes(s.Notes)
	}
	all := maps.Clone(s.Notes)
	if all == nil {
		all = map[string]string{}
	}
	for _, c := range s.Chains {
		all[chainNote+c.ReuseID] = chainNoteOf(c)
	}
	return text(s.Chains), notes(all)
}

func readChainNote(reuseID, note string) iam.RefreshChain {
	c := iam.RefreshChain{ReuseID: reuseID}
	f := strings.Split(note, " ")
	if len(f) < 3 {
		return c
	}
	c.Used, c.Newest = f[0], f[2]
	c.Uses, _ = strconv.Atoi(f[1])
	if len(f) > 3 {
		if at, err := strconv.ParseInt(f[3], 36, 64); err == nil {
			c.Issued = time.UnixMilli(at)
		}
	}
	if len(f) > 4 {
		if until, err := strconv.ParseInt(f[4], 36, 64); err == nil {
			c.Expires = time.Unix(until, 0)
		}
	}
	return c
}

func chainNoteOf(c iam.RefreshChain) string {
	note := c.Used + " " + strconv.Itoa(c.Uses) + " " + c.Newest
	if !c.Issued.IsZero() {
		note += " " + strconv.FormatInt(c.Issued.UnixMilli(), 36)
		if !c.Expires.IsZero() {
			note += " " + strconv.FormatInt(c.Expires.Unix(), 36)
		}
	}
	return note
}
