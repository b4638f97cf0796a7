package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/rep"
)

func seconds(n *int) time.Duration { return time.Duration(rep.Val(n)) * time.Second }

// defaultAccessToken is a realm's accessTokenLifespan unless it is set.
const defaultAccessToken = 5 * time.Minute

func accessTokenLong(a *answer) {
	r, realm, ok := a.realm()
	if !ok {
		return
	}
	idle, most := seconds(r.SSOSessionIdleTimeout), seconds(r.SSOSessionMaxLifespan)
	end, setTo := idle, "ssoSessionIdleTimeout"
	if most > 0 && most < idle {
		end, setTo = most, "ssoSessionMaxLifespan"
	}
	if end <= 0 {
		a.cannot("the realm's settings do not say how long sessions last")
		return
	}
	shorter := min(defaultAccessToken, end)
	consequence := func(life time.Duration) string {
		return fmt.Sprintf("For up to %s after a session has ended, APIs that do not ask the server go on taking its tokens.", span(life))
	}
	if life := seconds(r.AccessTokenLifespan); life > end {
		a.find(realm, Finding{
			What:        fmt.Sprintf("Access tokens live %s, but sessions end after %s.", span(life), span(end)),
			Evidence:    []string{"accessTokenLifespan is " + span(life), setTo + " is " + span(end)},
			Consequence: consequence(life) + " It concerns all clients without a setting of their own.",
			Remedy:      "Let access tokens live minutes, and refresh them.",
			Fixes: []Fix{{ID: "shorten", Title: "let access tokens live " + span(shorter),
				Changes: []Change{setting(realm, "accessTokenLifespan", rep.Val(r.AccessTokenLifespan), int(shorter/time.Second))},
				Effects: []string{"Access tokens from then on live " + span(shorter) + "; those given out already keep their life.",
					"No session ends. Clients refresh more often."}}},
		})
	}
	const own = "access.token.lifespan"
	a.clients(func(c *rep.Client, s Subject) {
		n, err := strconv.Atoi(c.Attributes[own])
		life := time.Duration(n) * time.Second
		if err != nil || n >= 0 && life <= end {
			return
		}
		how := span(life)
		if n < 0 {
			how, life = "as long as the session may last", most
			if most <= idle {
				return // the token ends with the session
			}
		}
		a.find(s, Finding{
			What:        fmt.Sprintf("Access tokens of client %s live %s, but sessions end after %s.", c.ClientID, how, span(end)),
			Evidence:    []string{"its attribute " + own + " is " + c.Attributes[own], setTo + " is " + span(end)},
			Consequence: consequence(life),
			Remedy:      "Let the client's access tokens live minutes, as the realm's do, and refresh them.",
			Fixes: []Fix{{ID: "inherit", Title: "take the realm's setting", Changes: []Change{setting(s, attributes+own, c.Attributes[own], "")},
				Effects: []string{"Access tokens from then on live " + span(seconds(r.AccessTokenLifespan)) +
					"; those given out already keep their life.", "No session ends. The client refreshes more often."}}},
		})
	})
}

func idleLonger(a *answer) {
	r, realm, ok := a.realm()
	if !ok {
		return
	}
	type pair struct {
		idleName, maxName string
		idle, most        *int
		on                bool
	}
	var evidence []string
	var changes []Change
	for _, p := range []pair{
		{"ssoSessionIdleTimeout", "ssoSessionMaxLifespan", r.SSOSessionIdleTimeout, r.SSOSessionMaxLifespan, true},
		{"ssoSessionIdleTimeoutRememberMe", "ssoSessionMaxLifespanRememberMe", r.SSOSessionIdleTimeoutRememberMe,
			r.SSOSessionMaxLifespanRememberMe, true},
		{"clientSessionIdleTimeout", "clientSessionMaxLifespan", r.ClientSessionIdleTimeout, r.ClientSessionMaxLifespan, true},
		{"offlineSessionIdleTimeout", "offlineSessionMaxLifespan", r.OfflineSessionIdleTimeout, r.OfflineSessionMaxLifespan,
			rep.Val(r.OfflineSessionMaxLifespanEnabled)},
		{"clientOfflineSessionIdleTimeout", "clientOfflineSessionMaxLifespan", r.ClientOfflineSessionIdleTimeout,
			r.ClientOfflineSessionMaxLifespan, rep.Val(r.OfflineSessionMaxLifespanEnabled)},
	} {
		if p.on && rep.Val(p.most) > 0 && rep.Val(p.idle) > rep.Val(p.most) {
			evidence = append(evidence, fmt.Sprintf("%s is %s, %s is %s", p.idleName, span(seconds(p.idle)), p.maxName, span(seconds(p.most))))
			changes = append(changes, setting(realm, p.idleName, *p.idle, *p.most))
		}
	}
	if len(changes) == 0 {
		return
	}
	a.find(realm, Finding{
		What:        "An idle time is longer than the life that it is a part of, so it never counts.",
		Evidence:    evidence,
		Consequence: "Users are asked to log in again in the midst of their work, although the idle time promises more.",
		Remedy: "Make the maximum longer, if sessions should last; else make the idle time as short as the maximum, which says what " +
			"happens today.",
		Fixes: []Fix{{ID: "shorten", Title: "make the idle time as long as the maximum", Changes: changes,
			Effects: []string{"Nothing changes for sessions and tokens: the maximum has ended them before, and still does."}}},
	})
}

// oldKey is after how long a signing key should have been replaced (NIST SP
// 800-57 part 1, table 1: one to three years for a private signature key).
const oldKey = 2 * 365 * 24 * time.Hour

func signingKeySingle(a *answer) {
	keys, ok := need(a, a.e.Keys)
	if !ok {
		return
	}
	r, realm, ok := a.realm()
	if !ok {
		return
	}
	alg := rep.Val(r.DefaultSignatureAlgorithm)
	if alg == "" {
		alg = "RS256"
	}
	var list []Key
	for _, k := range keys {
		if k.Algorithm == alg {
			list = append(list, k)
		}
	}
	if len(list) > 1 {
		return
	}
	f := Finding{
		What:        fmt.Sprintf("Realm %s has one key only for %s, with which it signs tokens.", r.Realm, alg),
		Evidence:    []string{fmt.Sprintf("%s: %d for %s", plural(Count{N: int64(len(keys))}, "signing key"), len(list), alg)},
		Consequence: "If it has to go at once, all tokens stop working at once; nobody has learnt of a second key yet.",
		Remedy: "Add a second key with a lower priority (it is published, and does not sign), and make it the first one when the old one " +
			"has had its time.",
	}
	if len(list) == 0 {
		f.Severity, f.What = Error, fmt.Sprintf("Realm %s has no key for %s, with which it should sign tokens.", r.Realm, alg)
		f.Consequence = "Clients without an algorithm of their own get no tokens, or ones signed by a key made in passing."
	}
	a.find(realm, f)
}

func signingKeyOld(a *answer) {
	keys, ok := need(a, a.e.Keys)
	if !ok {
		return
	}
	_, realm, ok := a.realm()
	if !ok {
		return
	}
	var old []string
	for _, k := range keys {
		if !k.Active {
			continue
		}
		made, ok := need(a, k.Made)
		if ok && a.e.At.Sub(made) > oldKey {
			old = append(old, fmt.Sprintf("%s (%s) of %s", k.KID, k.Algorithm, made.UTC().Format(time.DateOnly)))
		}
	}
	if len(old) == 0 {
		return
	}
	a.find(realm, Finding{
		What:        fmt.Sprintf("%s in use for more than two years.", verb(len(old), "A key that signs tokens is", "Keys that sign tokens are")),
		Evidence:    old,
		Consequence: "Every backup and every former administrator since then may have it, and it signs for everybody.",
		Remedy:      "Add a key with a higher priority; leave the old one enabled but passive until the longest session is over, then remove it.",
	})
}

func bruteForceOff(a *answer) {
	r, realm, ok := a.realm()
	if !ok || rep.Val(r.BruteForceProtected) {
		return
	}
	a.find(realm, Finding{
		What:        "Passwords can be guessed without end in realm " + r.Realm + ".",
		Evidence:    []string{"bruteForceProtected is false"},
		Consequence: "Nothing slows down who tries passwords, on the login page and on the password grant.",
		Remedy:      "Switch brute force protection on; its usual settings lock a user for a while after 30 failures.",
		Fixes: []Fix{{ID: "on", Title: "switch brute force protection on", Changes: []Change{setting(realm, "bruteForceProtected", false, true)},
			Effects: []string{"Failed logins count from then on; nobody is locked by it now.", "No session ends, and no token stops working."},
			Lasting: "locks that failed logins have earned meanwhile"}},
	})
}

func smtpMissing(a *answer) {
	r, realm, ok := a.realm()
	if !ok || r.SMTPServer["host"] != "" {
		return
	}
	var evidence []string
	if rep.Val(r.VerifyEmail) {
		evidence = append(evidence, "verifyEmail is true: users must follow a link in a mail to finish their login")
	}
	if rep.Val(r.ResetPasswordAllowed) {
		evidence = append(evidence, "resetPasswordAllowed is true: the login page offers a mail to whoever forgot the password")
	}
	if actions, ok := need(a, a.e.Actions); ok {
		i := slices.IndexFunc(actions, func(x rep.RequiredAction) bool { return x.Alias == "VERIFY_EMAIL" })
		if i >= 0 && actions[i].Enabled && actions[i].DefaultAction {
			evidence = append(evidence, "the required action VERIFY_EMAIL is a default action: each new user must do it")
		}
	}
	if len(evidence) == 0 {
		return
	}
	a.find(realm, Finding{
		What:        "Realm " + r.Realm + " needs to send mail, and has no server for it.",
		Evidence:    append(evidence, "smtpServer names no host"),
		Consequence: "These users cannot finish what they began: they see an error page instead of a session.",
		Remedy:      "Set the mail server (Realm settings, Email), or switch off what needs it.",
	})
}

// smtpBroken looks at settings alone: that a server answers is for who tries the connection.
func smtpBroken(a *answer) {
	r, realm, ok := a.realm()
	if !ok || r.SMTPServer["host"] == "" {
		return
	}
	set := func(name string) bool { return strings.TrimSpace(r.SMTPServer[name]) != "" }
	is := func(name, value string) bool { return r.SMTPServer[name] == value }
	var evidence []string
	say := func(wrong bool, what string) {
		if wrong {
			evidence = append(evidence, what)
		}
	}
	_, err := mail.Read(r.SMTPServer)
	if wrong, is := errors.AsType[*mail.AddressError](err); is {
		evidence = append(evidence, fmt.Sprintf("the %s is no address: %s", wrong.What, wrong.Address))
	}
	port, err := strconv.Atoi(r.SMTPServer["port"])
	say(set("port") && (err != nil || port < 1 || port > 65535), "port is no port: "+r.SMTPServer["port"])
	say(port == 465 && !is("ssl", "true"), "port is 465, where servers speak TLS from the first byte, and ssl is off")
	say(port == 587 && is("ssl", "true"), "port is 587, where servers begin without TLS (starttls), and ssl is on")
	token := is("authType", "token")
	say(is("auth", "true") && !set("user"), "auth is on and there is no user")
	say(is("auth", "true") && !token && !set("password"), "auth is on and there is no password")
	for _, name := range []string{"authTokenUrl", "authTokenClientId", "authTokenClientSecret"} {
		say(is("auth", "true") && token && !set(name), "authType is token and there is no "+name)
	}
	if len(evidence) == 0 {
		return
	}
	a.find(realm, Finding{
		What:        "Realm " + r.Realm + " has settings of its mail server that cannot work.",
		Evidence:    evidence,
		Consequence: "No mail is sent: logins that wait for one end in an error page, and nobody is told of resets.",
		Remedy:      "Mend the settings (Realm settings, Email) and try them with \"Test connection\".",
	})
}

func hostnameFollows(a *answer) {
	follows, ok := need(a, a.e.Follows)
	if !ok || !follows {
		return
	}
	r, realm, ok := a.realm()
	if !ok {
		return
	}
	a.find(realm, Finding{
		What:     "Realm " + r.Realm + " calls itself by whatever host name it is asked under.",
		Evidence: []string{"the issuer follows the Host of the request"},
		Consequence: "Cookies belong to a host name: who logged in under one is not signed on under another. Tokens of one are refused under " +
			"the other, since their issuer differs.",
		Remedy: "Give the server one host name (option hostname), or the realm one (attribute frontendUrl), and redirect the others there.",
	})
}

func hostnameDiffers(a *answer) {
	issuer, ok := need(a, a.e.Issuer)
	if !ok {
		return
	}
	asked, ok := need(a, a.e.Asked)
	if !ok {
		return
	}
	_, realm, ok := a.realm()
	if !ok {
		return
	}
	is, err1 := originOf(issuer)
	at, err2 := originOf(asked)
	if err1 != nil || err2 != nil || is == at {
		return
	}
	a.find(realm, Finding{
		What:     fmt.Sprintf("The server was asked at %s, and the realm's address for browsers is %s.", at, is),
		Evidence: []string{"issuer " + issuer, "asked at " + asked},
		Consequence: "All is well if " + at + " is for administrators or servers only. Applications that send browsers there lose single " +
			"sign-on: cookies belong to a host name.",
		Remedy: "Configure applications with the issuer's address, never with an internal one.",
	})
}

func issuerHTTP(a *answer) {
	issuer, ok := need(a, a.e.Issuer)
	if !ok || !strings.HasPrefix(issuer, "http://") {
		return
	}
	r, realm, ok := a.realm()
	if !ok || loopback(hostOf(issuer)) {
		return
	}
	evidence := []string{"issuer " + issuer}
	if r.SSLRequired != "" {
		evidence = append(evidence, "sslRequired is "+r.SSLRequired)
	}
	a.find(realm, Finding{
		What:     "Browsers reach realm " + r.Realm + " over plain http.",
		Evidence: evidence,
		Consequence: "Passwords and tokens can be read on the way. Cookies cannot be Secure, so browsers do not send them from other sites: " +
			"silent checks for a session (prompt=none in a frame) and logins posted from another site find none.",
		Remedy: "Serve the realm over https; behind a proxy that ends TLS set proxy-headers and a hostname that begins with https://.",
	})
}

func thirdPartyCookies(a *answer) {
	a.applications(func(c *rep.Client, s Subject) {
		if !browser(c) || !rep.Val(c.PublicClient) {
			return
		}
		issuer, ok := need(a, a.e.Issuer)
		if !ok {
			return
		}
		own, why := site(issuer)
		if why != "" {
			a.cannot("the realm's address " + why)
			return
		}
		hosts := otherSites(c, own)
		if len(hosts) == 0 {
			return
		}
		a.find(s, Finding{
			What:     fmt.Sprintf("The browser application %s is on another site than the realm.", c.ClientID),
			Evidence: []string{"it is public, its redirect URIs are at " + quoted(hosts), "the realm is at " + own},
			Consequence: "Browsers that block third-party cookies (Safari and Firefox do, others on demand) answer its silent checks (check-sso, " +
				"the session iframe, prompt=none in a frame) with login_required, although the user is signed on. Logins that redirect the whole " +
				"page keep working.",
			Remedy: "Give the realm a host name under the application's domain, or check by redirecting the page (silentCheckSsoFallback, " +
				"prompt=none without a frame); refresh tokens need no cookie.",
		})
	})
}
