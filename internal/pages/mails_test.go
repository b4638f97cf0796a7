package pages_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/internal/pages"
)

func TestMails(t *testing.T) {
	set, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const link = "https://id.test/realms/shop/login-actions/action-token?key=k&client_id=a"
	at := time.Date(2026, 11, 30, 21, 5, 0, 0, time.UTC)
	shop := pages.Request{Realm: pages.Realm{Name: "shop"}}
	own := pages.Request{Realm: pages.Realm{Name: "shop", DisplayName: "The <b>Shop</b>"}, Locale: "de",
		Texts: map[string]map[string]string{"de": {
			"emailVerificationSubject": "Bitte", "emailVerificationBody": "Hier: {0} ({2}, {3})",
			"emailVerificationBodyHtml":                   `<a href="{0}">hier</a> {2}<script>x</script>`,
			"linkExpirationFormatter.timePeriodUnit.days": "Tage"}}} // in German with and without Keycloak's translations
	for _, c := range []struct {
		r                   pages.Request
		m                   pages.Mail
		subject, text, html string // parts of it
	}{
		{shop, pages.VerificationMail{link, 5 * time.Minute}, "Verify email", "created a Shop account with this email address. If this was " +
			"you, click the link below to verify your email address\n\n" + link + "\n\nThis link will expire within 5 minutes.\n\nIf you didn't",
			`<p><a href="https://id.test/realms/shop/login-actions/action-token?key=k&amp;client_id=a"`},
		{own, pages.VerificationMail{link, 48 * time.Hour}, "Bitte", "Hier: " + link + " (The <b>Shop</b>, 2 Tage)",
			`hier</a> The &lt;b&gt;Shop&lt;/b&gt;` + "\n</body>"},
		{shop, pages.ResetMail{link, time.Minute}, "Reset password", "This link and code will expire within 1 minute.",
			"This link will expire within 1 minute."},
		{shop, pages.ResetMail{link, 59 * time.Second}, "Reset password", "within 0 seconds.", "within 0 seconds."},
		{shop, pages.UpdateEmailMail{link, 25 * time.Hour, "a@b.test"}, "Verify new email", "with email address a@b.test, click",
			"within 25 hours"},
		{shop, pages.ActionsMail{link, time.Hour, []string{"UPDATE_PASSWORD", "own"}}, "Update Your Account",
			"action(s): Update Password, requiredAction.own.", "within 1 hour."},
		{shop, pages.EventMail{"LOGIN_ERROR", at, "192.0.2.1", ""}, "Login error", "on 11/30/26, 9:05 PM from 192.0.2.1.", "<p>A failed"},
		{shop, pages.EventMail{"UPDATE_CREDENTIAL", at, "192.0.2.1", "otp"}, "Update credential", "Your otp credential was changed on 11/30",
			"<p>Your otp"},
		{shop, pages.EventMail{"USER_DISABLED_BY_TEMPORARY_LOCKOUT", at, "", ""}, "User disabled by temporary lockout",
			"temporarily because of multiple failed attempts on 11/30/26, 9:05 PM.", "<p>Your user"},
		{shop, pages.TestMail{}, "[KEYCLOAK] - SMTP test message", "This is a test message", "<p>This is a test message</p>"},
	} {
		got, err := set.Mail(c.r, c.m)
		if err != nil || got.Subject != c.subject || !strings.Contains(got.Text, c.text) || !strings.Contains(got.HTML, c.html) ||
			strings.Contains(got.HTML, "<script>") {
			t.Errorf("%T: %v\n%s\n%s\n%s", c.m, err, got.Subject, got.Text, got.HTML)
		}
	}
}
