package admin

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"latchkey/internal/clients"
	"latchkey/internal/doctor"
	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// doctorRoutes are Latchkey's own: what is wrong with a realm, and what mends
// it. A fix asks for the rights of the changes that it makes, and writes their
// admin events.
func (h *Handler) doctorRoutes() []Route {
	const at = "/admin/realms/{realm}/doctor"
	return []Route{
		{"GET " + at, ViewRealm, None, "", h.examine, ByMethod},
		{"POST " + at + "/{finding}/fix", ViewRealm, None, "", h.applyFix, NoCache},
		{"GET " + at + "/fixes", ViewRealm, None, "", h.listFixes, ByMethod},
		{"POST " + at + "/fixes/{record}/undo", ViewRealm, None, "", h.undoFix, NoCache},
	}
}

// doctorView is what the caller may see of the realm, and where they ask.
func (h *Handler) doctorView(c *Call) (doctor.View, error) {
	days, err := c.Int("days", int(doctor.UnusedAfter/(24*time.Hour)))
	if err != nil || days < 1 || days > 3650 {
		return doctor.View{}, Plain(http.StatusBadRequest, "days must be a number from 1 to 3650")
	}
	front := c.Realm.Attrs["frontendUrl"]
	return doctor.View{
		Clients: c.Can(ViewClients, onAll), Users: c.Can(ViewUsers, onAll), Events: c.Can(ViewEvents, onAll), Providers: c.Can(ViewIDPs, onAll),
		UnusedAfter: time.Duration(days) * 24 * time.Hour,
		Issuer:      doctor.Told(c.issuer()), Asked: doctor.Told(c.URLs.Admin), Follows: doctor.Told(h.Hostname.Follows(front)),
	}, nil
}

func (h *Handler) examine(c *Call) (any, error) {
	f := doctor.Filter{Severity: doctor.Severity(c.Query("severity")), Check: c.Query("check"), Client: c.Query("client")}
	if f.Severity != "" && !slices.Contains(doctor.Severities(), f.Severity) {
		return nil, Plain(http.StatusBadRequest, "severity must be error, warning or info")
	}
	if f.Check != "" && !slices.ContainsFunc(doctor.Checks(), func(x doctor.Check) bool { return x.ID == f.Check }) {
		return nil, Plain(http.StatusBadRequest, "Unknown check "+f.Check)
	}
	v, err := h.doctorView(c)
	if err != nil {
		return nil, err
	}
	return h.Doctor.Examine(c, c.Realm, v, f)
}

// fixOrder is the body of a request for a fix; all of it may be left out.
type fixOrder struct {
	Fix    string `json:"fix"`    // "" for the finding's default
	Expect string `json:"expect"` // of the preview
}

// changed is the answer to a fix that cannot be applied or undone because of
// what somebody else has changed.
type changed struct {
	Error       string              `json:"error"`
	Description string              `json:"error_description"`
	Differences []doctor.Difference `json:"differences,omitzero"`
	Preview     *doctor.Preview     `json:"preview,omitzero"`
}

func (h *Handler) applyFix(c *Call) (any, error) {
	order := new(fixOrder)
	if c.R.ContentLength != 0 {
		if _, err := BodyInto(c, order); err != nil && !errors.Is(err, rep.ErrNoBody) {
			return nil, err
		}
	}
	v, err := h.doctorView(c)
	if err != nil {
		return nil, err
	}
	p, err := h.Doctor.Preview(c, c.Realm, v, c.Path("finding"), order.Fix)
	if err != nil {
		return nil, err
	}
	if c.Bool("dry-run", false) {
		return p, nil
	}
	if order.Expect != "" && order.Expect != p.Expect {
		return nil, &Error{Status: http.StatusConflict, Body: changed{"conflict", doctor.ErrExpected.Msg, nil, p}}
	}
	if err := h.mayChange(c, p.Changes); err != nil {
		return nil, err
	}
	rec, err := h.Doctor.Apply(c, c.Realm, p, c.Caller.User.ID)
	if err != nil {
		return nil, unlessChanged(err)
	}
	changeEvents(c, p.Changes)
	return rec, nil
}

func (h *Handler) undoFix(c *Call) (any, error) {
	rec, err := h.Doctor.Record(c, c.Realm, c.Path("record"))
	if err != nil {
		return nil, err
	}
	back := doctor.Reversed(rec.Changes)
	if err := h.mayChange(c, back); err != nil {
		return nil, err
	}
	if err := h.Doctor.Undo(c, c.Realm, rec, c.Caller.User.ID); err != nil {
		return nil, unlessChanged(err)
	}
	changeEvents(c, back)
	return h.Doctor.Record(c, c.Realm, rec.ID)
}

// unlessChanged shows what differs from what was expected.
func unlessChanged(err error) error {
	if e, ok := errors.AsType[*doctor.ChangedError](err); ok {
		return &Error{Status: http.StatusConflict, Body: changed{"conflict", e.Error(), e.Differences, nil}, Err: err}
	}
	return refusal(err)
}

// mayChange refuses changes that the caller could not make by the ordinary endpoints.
func (h *Handler) mayChange(c *Call, list []doctor.Change) error {
	for _, x := range list {
		right, over := ManageRealm, onAll
		if x.Subject.Kind == doctor.KindClient || x.Member == doctor.MemberScope {
			right = ManageClients
		}
		if x.Subject.Kind == doctor.KindClient {
			over = onClient(iam.ClientID(x.Subject.ID))
		}
		if !c.Can(right, over) {
			return errForbidden
		}
		if x.Subject.Kind != doctor.KindClient {
			continue
		}
		cl, err := clients.Get(c, c.Realm, x.Subject.ID)
		if err != nil {
			return err
		}
		if err := h.overClient(c, cl, true); err != nil {
			return err
		}
	}
	return nil
}

// changeEvents writes the admin events that the ordinary endpoints write for changes.
func changeEvents(c *Call, list []doctor.Change) {
	for _, t := range doctor.Traces(list) {
		var body any
		if len(t.Body) > 0 {
			body = t.Body
		}
		c.Event(Op(t.Operation), t.Kind, t.Path, body)
	}
}

// fixesAtOnce is how many records are listed at most.
const fixesAtOnce = 100

func (h *Handler) listFixes(c *Call) (any, error) {
	max := fixesAtOnce
	if text := c.Query("max"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > fixesAtOnce {
			return nil, Plain(http.StatusBadRequest, "max must be a number from 1 to 100")
		}
		max = n
	}
	list, err := h.Doctor.Records(c, c.Realm, c.Query("before"), max)
	if err != nil || c.Can(ViewClients, onAll) {
		return list, err
	}
	// Who may not see clients sees what was done to the realm.
	return slices.DeleteFunc(list, func(r *doctor.Record) bool {
		return slices.ContainsFunc(r.Changes, func(x doctor.Change) bool { return x.Subject.Kind == doctor.KindClient })
	}), nil
}
