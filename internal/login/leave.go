package login

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/web"
)

// leave sends the browser to another site. The tab is stored for that, also when
// nothing was posted yet: nothing that is short enough for other sites could carry it.
func (a *attempt) leave(out authn.Away) {
	if a.passive {
		a.notSignedOn()
		a.refuse(authn.LoginRequired, "")
		return
	}
	if !a.save() {
		return
	}
	if out.Form == nil {
		a.redirect(out.To)
		return
	}
	view := pages.FormPost{URL: out.To}
	for _, f := range out.Form {
		view.Parameters = append(view.Parameters, pages.Parameter{Name: f.Name, Value: f.Value})
	}
	a.show(http.StatusOK, view, nil, nil, nil)
}

// comeBack goes on with a login whose browser has been at another site, which gives
// back what Run.State said, as state or RelayState.
func (a *attempt) comeBack() {
	a.goOn(cmp.Or(a.query.Get("state"), a.form.Get("state"), a.query.Get("RelayState"), a.form.Get("RelayState")))
}

// goOn takes the tab that left with a state, in the browser that it left in, and
// tells its step what came back. Of several requests that bring one state, the first
// is told; the others see the page that is due.
func (a *attempt) goOn(state string) {
	left := a.takeLeft(state, "")
	if left == nil {
		return
	}
	a.goOnBy(true, func(flow *iam.Flow) (authn.Outcome, error) { return a.h.Engine.Return(a.ctx, a.run, flow, left.Exec) })
}

// takeLeft loads the tab and notes that it is back; nil when the request has been answered: that
// of a tab that was back already with the page that is due.
func (a *attempt) takeLeft(state, provider string) *iam.Left {
	if err := errors.Join(a.readRoot(), a.readIdentity()); err != nil {
		a.broken(err)
		return nil
	}
	id, _, _ := strings.Cut(state, ".")
	t, err := a.h.Tabs.Load(a.ctx, a.realm.ID, a.root.ID, id)
	if a.root.fresh || errors.Is(err, tabs.ErrGone) {
		bare := web.CookieValue(a.r, web.CookieRestart) == "" && a.identity == nil // nothing of ours
		if provider != "" {
			why := iam.ProviderState
			switch {
			case bare:
				why = iam.ProviderCookie
			case a.root.fresh:
				why = iam.LoginExpired
			}
			a.notBack(why, a.clientOf(state))
		}
		if provider != "" && bare {
			a.emitError("invalidRequestMessage")
			a.errorPage(http.StatusBadRequest, "invalidRequestMessage")
			return nil
		}
		a.startOver()
		return nil
	}
	if err == nil {
		a.client, err = a.realm.Client(a.ctx, t.Request.Client)
	}
	if err != nil {
		a.broken(err)
		return nil
	}
	a.tab, a.proved = t, proved(t)
	if !a.mayGoOn() {
		return nil
	}
	left := a.tab.Left
	switch {
	case left == nil:
		a.again("")
		return nil
	case left.State != state || left.Provider != provider: // an answer that another provider was asked for
		if provider != "" {
			a.notBack(iam.ProviderState, a.client.ClientID)
		}
		a.startOver()
		return nil
	}
	a.tab.Left = nil
	if !a.active(a.realm.Lifespans.Login) || !a.save() {
		return nil
	}
	return left
}

// clientOf is the client whose login a state was made for, as it says itself: "" for none.
func (a *attempt) clientOf(state string) string {
	part := strings.SplitN(state, ".", 3)
	if len(part) < 3 {
		return ""
	}
	c, err := a.realm.Client(a.ctx, iam.ClientID(part[2]))
	if err != nil {
		return ""
	}
	return c.ClientID
}

// mayGoOn tells whether a login that was elsewhere may go on: its client is enabled, accepts
// its request, and what it learnt from a session holds. When not, that has been answered.
func (a *attempt) mayGoOn() bool {
	switch {
	case !a.client.Enabled:
		a.emitError("client_disabled")
		a.errorPage(http.StatusBadRequest, "loginRequesterNotEnabledMessage")
	case !a.stillAllowed(a.client, &a.tab.Request):
	case !a.sessionHolds():
		a.expired()
	default:
		return true
	}
	return false
}
