package records

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// A support code leads from the answer that somebody saw to what is kept of the refusal. It is twelve digits that people can
// read out: which row it was counted in, and a number that no other code has, encrypted. So it takes no space, says
// nothing to whom it is shown, not even that two refusals are alike, and means nothing in another realm.
const (
	codeDigits   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's base 32
	codeLength   = 12
	codeGroup    = 4
	serialBits   = 24
	hexDigits    = 9 // of the row's id: what is left of the 60 bits
	supportCodes = "support code "
)

var errNoCode = &iam.Error{Kind: iam.NotFound, Msg: "No refusal in this realm has this support code, or its record has been removed"}

// supportCode makes a code for what is counted in the row of an id.
func (l *Counter) supportCode(realm iam.RealmID, id string) string {
	row, err := strconv.ParseUint(id[:hexDigits], 16, 64)
	if err != nil {
		return "" // ids are hexadecimal
	}
	n := l.db.SealNumber(supportCodes+string(realm), row<<serialBits|uint64(l.serial.Add(1))&(1<<serialBits-1))
	var b strings.Builder
	for i := codeLength - 1; i >= 0; i-- {
		b.WriteByte(codeDigits[n>>(5*i)&31])
		if i > 0 && i%codeGroup == 0 {
			b.WriteByte('-')
		}
	}
	return b.String()
}

// readCode reads what somebody has typed: in any case, with or without hyphens and spaces, an O for a zero, an I or L for a one.
func readCode(typed string) (n uint64, ok bool) {
	digits := 0
	for _, c := range strings.ToUpper(typed) {
		switch c {
		case '-', ' ':
			continue
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		at := strings.IndexRune(codeDigits, c)
		if digits++; at < 0 || digits > codeLength {
			return 0, false
		}
		n = n<<5 | uint64(at)
	}
	return n, digits == codeLength
}

// A Support is the explanation of a support code.
type Support struct {
	Code   string     `json:"code"`
	Reason iam.Reason `json:"reason"`
	What   string     `json:"what"`   // happened, in a sentence
	Text   string     `json:"text"`   // what the server said to itself, "" for no more than What
	Notice string     `json:"notice"` // how one notices
	Remedy string     `json:"remedy"` // what to do
	Story  *Story     `json:"story"`  // of the refusal
}

// Support explains the refusal whose answer carried a code.
func (x *Explorer) Support(ctx context.Context, r *realms.Realm, typed string) (*Support, error) {
	n, ok := readCode(typed)
	if !ok {
		return nil, errNoCode
	}
	x.Counter.Flush(ctx)
	for _, plain := range x.DB.OpenNumber(supportCodes+string(r.ID), n) {
		id, err := x.DB.RefusalOf(ctx, r.ID, hexOf(plain>>serialBits))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return x.support(ctx, r, typed, id)
	}
	return nil, errNoCode
}

func hexOf(row uint64) string {
	text := strconv.FormatUint(row, 16)
	return strings.Repeat("0", hexDigits-len(text)) + text
}

func (x *Explorer) support(ctx context.Context, r *realms.Realm, typed, id string) (*Support, error) {
	story, err := x.Story(ctx, r, KindRefused+"."+id, false)
	if errors.Is(err, ErrNoRecord) {
		return nil, errNoCode
	}
	if err != nil {
		return nil, err
	}
	o, err := x.DB.Occurrence(ctx, r.ID, id)
	if err != nil {
		return nil, err
	}
	a := Advice(story.Reason)
	return &Support{Code: typed, Reason: story.Reason, What: story.Sentence, Text: o.Doc.Text,
		Notice: a.Notice, Remedy: a.Remedy, Story: story}, nil
}
