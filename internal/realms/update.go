package realms

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// Masked stands for a secret in answers; sent back, it means the one that is there.
// Keycloak: ComponentRepresentation.SECRET_VALUE.
const Masked = "**********"

// mailSecrets are the settings of a realm's mail server that nobody is shown.
// Keycloak: RealmAdminResource.testSMTPConnection.
var mailSecrets = []string{"password", "authTokenClientSecret"}

// MaskedMail are a realm's settings of its mail server without the secrets.
func MaskedMail(smtp map[string]string) map[string]string {
	smtp = maps.Clone(smtp)
	for _, name := range mailSecrets {
		if _, ok := smtp[name]; ok {
			smtp[name] = Masked
		}
	}
	return smtp
}

// UnmaskedMail are settings with the stored secrets where they are masked: if they go where the
// stored ones go, for who may try settings shall not learn a password by another server's name.
// Keycloak: RealmAdminResource.reuseConfiguredAuthenticationForSmtp.
func UnmaskedMail(smtp, stored map[string]string) map[string]string {
	smtp = maps.Clone(smtp)
	same := true
	for _, name := range []string{"host", "port", "user", "authType", "authTokenUrl", "authTokenClientId"} {
		same = same && smtp[name] == stored[name]
	}
	for _, name := range mailSecrets {
		if smtp[name] != Masked {
			continue
		}
		delete(smtp, name)
		if same {
			smtp[name] = stored[name]
		}
	}
	return smtp
}

// Update changes a realm's own settings: what posted has replaces what is
// there, collections of other objects are ignored. A name renames the realm.
// Keycloak: RealmAdminResource.updateRealm, DefaultExportImportManager.updateRealm.
func (m *Manager) Update(ctx context.Context, id iam.RealmID, posted *rep.Realm) error {
	return m.Cache.db.Tx(ctx, func(tx *store.Tx) error {
		return m.update(ctx, tx, id, posted, func(doc *rep.Realm) error {
			forget(doc, posted)
			return checkTimeouts(doc)
		})
	})
}

// Set is Update for single settings, of a realm that need not be right as a whole.
func (m *Manager) Set(ctx context.Context, id iam.RealmID, posted *rep.Realm) error {
	return m.Cache.db.Tx(ctx, func(tx *store.Tx) error { return m.UpdateIn(ctx, tx, id, posted) })
}

// UpdateIn is Set as a part of a transaction.
func (m *Manager) UpdateIn(ctx context.Context, tx *store.Tx, id iam.RealmID, posted *rep.Realm) error {
	return m.update(ctx, tx, id, posted, func(*rep.Realm) error { return nil })
}

func (m *Manager) update(ctx context.Context, tx *store.Tx, id iam.RealmID, posted *rep.Realm, check func(*rep.Realm) error) error {
	row, doc, err := realmDoc(ctx, tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	if name := posted.Realm; name != "" && name != row.Name {
		if err := m.rename(ctx, tx, &row, name); err != nil {
			return err
		}
	}
	if err := m.checkUpdate(ctx, tx, id, posted); err != nil {
		return err
	}
	before := *doc
	whole, err := wholePolicies(posted)
	if err != nil {
		return err
	}
	apply(doc, whole)
	if err := fillPolicies(doc); err != nil {
		return err
	}
	if err := check(doc); err != nil {
		return err
	}
	if err := m.refuseSwitches(&before, doc); err != nil {
		return err
	}
	doc.Realm = row.Name
	compiled, err := doc.IAM()
	if err != nil {
		return iam.Errorf(iam.Invalid, "%v", err)
	}
	row.Enabled, row.NotBefore = compiled.Enabled, compiled.NotBefore
	if row.Doc, err = rep.Marshal(settingsOf(doc)); err != nil {
		return err
	}
	err = tx.UpdateRealm(ctx, row)
	if _, exists := store.Exists(err); exists {
		return errExists("Realm with same name exists")
	}
	if err != nil {
		return err
	}
	if posted.DefaultGroups != nil {
		if err := setDefaultGroups(ctx, tx, id, posted.DefaultGroups); err != nil {
			return err
		}
	}
	return m.Cache.Changed(ctx, tx, id)
}

// checkTimeouts refuses lifespans of clients' sessions beyond those of the
// sessions that they are in, as numbers: 0 is no exception. Oracle only; realms
// that are made or imported are not checked.
func checkTimeouts(doc *rep.Realm) error {
	idle, most := rep.Val(doc.SSOSessionIdleTimeout), rep.Val(doc.SSOSessionMaxLifespan)
	idleText, mostText := "Client Session Idle Timeout cannot be greater than Realm SSO Idle Timeout.",
		"Client session max lifespan cannot exceed realm SSO session max lifespan."
	if rep.Val(doc.RememberMe) {
		idle, most = max(idle, rep.Val(doc.SSOSessionIdleTimeoutRememberMe)), max(most, rep.Val(doc.SSOSessionMaxLifespanRememberMe))
		idleText = "Client session idle timeout cannot exceed realm SSO session idle timeout and RememberMe idle timeout."
		mostText = "Client session max lifespan cannot exceed realm SSO session max lifespan and RememberMe Max span."
	}
	switch {
	case rep.Val(doc.ClientSessionIdleTimeout) > idle:
		return iam.Errorf(iam.Invalid, "%s", idleText)
	case rep.Val(doc.ClientSessionMaxLifespan) > most:
		return iam.Errorf(iam.Invalid, "%s", mostText)
	}
	return nil
}

// checkUpdate refuses what Keycloak refuses, and what it breaks down over.
func (m *Manager) checkUpdate(ctx context.Context, tx *store.Tx, id iam.RealmID, posted *rep.Realm) error {
	for _, err := range []error{m.checkPasswordPolicy(rep.Val(posted.PasswordPolicy)), checkSettings(posted), checkLockout(posted),
		checkOldKeys(posted)} {
		if err != nil {
			return err
		}
	}
	aliases := []string{posted.BrowserFlow, posted.RegistrationFlow, posted.DirectGrantFlow, posted.ResetCredentialsFlow,
		posted.ClientAuthenticationFlow, posted.DockerAuthenticationFlow, rep.Val(posted.FirstBrokerLoginFlow)}
	if !slices.ContainsFunc(aliases, func(a string) bool { return a != "" }) {
		return nil
	}
	objects, err := tx.Objects(ctx, id)
	if err != nil {
		return err
	}
	for _, alias := range aliases {
		if alias != "" && !slices.ContainsFunc(objects, func(o store.Object) bool { return o.Kind == store.KindFlow && o.Name == alias }) {
			return iam.Errorf(iam.Invalid, "Failed to update realm")
		}
	}
	return nil
}

// checkSettings looks at what both a new realm and a changed one may have wrong.
// Keycloak: ReservedCharValidator, SMTPUtil.
func checkSettings(r *rep.Realm) error {
	if err := iam.CheckRealmSettings(r.Attributes); err != nil {
		return at("/attributes", err)
	}
	for _, locale := range r.SupportedLocales {
		if err := CheckReserved(locale); err != nil {
			return at("/supportedLocales", err)
		}
	}
	for name, value := range r.BrowserSecurityHeaders {
		if strings.ContainsAny(name+value, "\r\n") {
			return at("/browserSecurityHeaders", iam.Errorf(iam.Invalid, "Newline not allowed."))
		}
	}
	if from, ok := r.SMTPServer["from"]; len(r.SMTPServer) > 0 && (!ok || !strings.Contains(from, "@")) {
		if !ok {
			from = "null"
		}
		return at("/smtpServer/from", &iam.Error{Kind: iam.Invalid, Err: ErrBadRequest, Msg: "Invalid sender address '" + from +
			"'. If the address contains UTF-8 characters in the local part please " +
			"ensure the SMTP server supports the SMTPUTF8 extension and enable 'Allow UTF-8' in the email realm configuration."})
	}
	return nil
}

// checkPasswordPolicy refuses a policy that cannot be followed.
func (m *Manager) checkPasswordPolicy(text string) error {
	return m.CheckPolicy(iam.ParsePasswordPolicy(text))
}

// checkLockout refuses negative numbers in the protection against guessing.
// Oracle only; realms that are made or imported are not checked.
func checkLockout(posted *rep.Realm) error {
	for _, s := range []struct {
		what  string
		value *int
	}{
		{"Failure factor", posted.FailureFactor}, {"Maximum failure wait seconds", posted.MaxFailureWaitSeconds},
		{"Wait increment seconds", posted.WaitIncrementSeconds}, {"Minimum quick login wait seconds", posted.MinimumQuickLoginWaitSeconds},
		{"Maximum delta time seconds", posted.MaxDeltaTimeSeconds}, {"Maximum temporary lockouts", posted.MaxTemporaryLockouts},
	} {
		if rep.Val(s.value) < 0 {
			return iam.Errorf(iam.Invalid, "%s may not be a negative value", s.what)
		}
	}
	if rep.Val(posted.QuickLoginCheckMilliSeconds) < 0 {
		return iam.Errorf(iam.Invalid, "Quick login check milliseconds may not be a negative value")
	}
	return nil
}

// checkOldKeys refuses the members by which a realm was given its keys before
// they were components, where they are none. Those that are fine mean nothing.
// Keycloak: RealmAdminResource.updateRealm.
func checkOldKeys(posted *rep.Realm) error {
	if rep.Val(posted.PublicKey) == "GENERATE" {
		return nil
	}
	if posted.PrivateKey != nil && posted.PublicKey != nil && !decodes(*posted.PrivateKey) {
		return iam.Errorf(iam.Invalid, "Failed to decode private key")
	}
	if posted.Certificate != nil && !decodes(*posted.Certificate) {
		return iam.Errorf(iam.Invalid, "Failed to decode certificate")
	}
	return nil
}

// decodes reports whether a text is PEM, or the base64 in it, of some DER.
func decodes(text string) bool {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return true
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	return err == nil && len(der) > 0 && der[0] == 0x30
}

// wholePolicies completes the policies of WebAuthn that are posted by their
// name: such a policy replaces the realm's as a whole.
// Keycloak: DefaultExportImportManager.getWebAuthnPolicyTwoFactor, getWebAuthnPolicyPasswordless.
func wholePolicies(posted *rep.Realm) (*rep.Realm, error) {
	const two, less = "WebAuthnPolicy", "WebAuthnPolicyPasswordless"
	given := map[string]bool{two: rep.Val(posted.WebAuthnPolicyRPEntityName) != "",
		less: rep.Val(posted.WebAuthnPolicyPasswordlessRPEntityName) != ""}
	if !given[two] && !given[less] {
		return posted, nil
	}
	usual, err := template("settings.json", "")
	if err != nil {
		return nil, err
	}
	whole := *posted
	from, to := reflect.ValueOf(usual).Elem(), reflect.ValueOf(&whole).Elem()
	for i := range to.NumField() {
		name, policy := to.Type().Field(i).Name, ""
		switch {
		case strings.HasPrefix(name, less):
			policy = less
		case strings.HasPrefix(name, two):
			policy = two
		}
		if given[policy] && to.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	return &whole, nil
}

// apply lays a posted representation over a realm's own document.
func apply(doc, posted *rep.Realm) {
	p := settingsOf(posted)
	p.ID, p.Realm, p.DefaultRole, p.Unknown = "", "", nil, nil
	p.VerifiableCredentialsEnabled = nil // Keycloak: RealmAdapter.setVerifiableCredentialsEnabled, without its feature
	p.PrivateKey, p.PublicKey, p.Certificate, p.CodeSecret, p.LocalizationTexts = nil, nil, nil, nil, nil
	attrs, smtp, headers := p.Attributes, maps.Clone(p.SMTPServer), p.BrowserSecurityHeaders
	p.Attributes, p.SMTPServer, p.BrowserSecurityHeaders = nil, nil, nil
	from, to := reflect.ValueOf(p).Elem(), reflect.ValueOf(doc).Elem()
	for i := range from.NumField() {
		name := from.Type().Field(i).Name
		switch {
		case from.Field(i).IsZero():
		case strings.HasPrefix(name, "OTPPolicy") && p.OTPPolicyType == "":
		case strings.HasPrefix(name, "WebAuthnPolicyPasswordless"):
			if rep.Val(p.WebAuthnPolicyPasswordlessRPEntityName) != "" {
				to.Field(i).Set(from.Field(i))
			}
		case strings.HasPrefix(name, "WebAuthnPolicy") && rep.Val(p.WebAuthnPolicyRPEntityName) == "":
		default:
			to.Field(i).Set(from.Field(i))
		}
	}
	doc.SSLRequired = strings.ToLower(doc.SSLRequired)
	if p.PasswordPolicy != nil {
		doc.PasswordPolicy = new(iam.ParsePasswordPolicy(*p.PasswordPolicy).String())
	}
	if rep.Val(doc.PasswordPolicy) == "" {
		doc.PasswordPolicy = nil
	}
	usualAlgorithms(doc)
	oneAddress(doc, p)
	if headers != nil && doc.BrowserSecurityHeaders == nil {
		doc.BrowserSecurityHeaders = map[string]string{}
	}
	maps.Copy(doc.BrowserSecurityHeaders, headers)
	if p.SupportedLocales != nil {
		doc.SupportedLocales = slices.Clone(p.SupportedLocales)
		slices.Sort(doc.SupportedLocales)
		if doc.SupportedLocales = slices.Compact(doc.SupportedLocales); len(doc.SupportedLocales) == 0 {
			doc.SupportedLocales = nil
		}
	}
	if attrs != nil {
		for name := range doc.Attributes {
			if _, keep := attrs[name]; !keep && !ownAttribute(name) {
				delete(doc.Attributes, name)
			}
		}
		if doc.Attributes == nil {
			doc.Attributes = map[string]string{}
		}
		for name, value := range attrs {
			doc.Attributes[name] = value
		}
		// What stands among the attributes and is not repeated as a setting.
		doc.OTPPolicyCodeReusable = new(attrs[attrReusable] == "true")
	}
	if p.OTPPolicyType != "" {
		doc.OTPPolicyCodeReusable = new(rep.Val(p.OTPPolicyCodeReusable))
		if doc.Attributes == nil {
			doc.Attributes = map[string]string{}
		}
		doc.Attributes[attrReusable] = strconv.FormatBool(*doc.OTPPolicyCodeReusable)
	}
	doc.OTPSupportedApplications = otpApplications(doc) // whatever is posted
	showAttributes(doc, p)
	if smtp != nil {
		for _, name := range mailSecrets {
			if smtp[name] != Masked {
				continue
			}
			if old, ok := doc.SMTPServer[name]; ok {
				smtp[name] = old
			} else {
				delete(smtp, name)
			}
		}
		if smtp["auth"] != "true" {
			// Keycloak: RealmAdminResource keeps credentials for the mail server only where they are used.
			delete(smtp, "user")
			delete(smtp, "password")
		}
		doc.SMTPServer = smtp
	}
}

// attributeSettings are the settings that are also attributes, with what they are in an
// update of the realm that does not name them, nil where that depends on the
// attributes.
func attributeSettings(r *rep.Realm) map[string]attributeSetting {
	return map[string]attributeSetting{
		"oauth2DeviceCodeLifespan":        {&r.OAuth2DeviceCodeLifespan, new(600)},
		"oauth2DevicePollingInterval":     {&r.OAuth2DevicePollingInterval, new(5)},
		"clientSessionIdleTimeout":        {&r.ClientSessionIdleTimeout, nil},
		"clientSessionMaxLifespan":        {&r.ClientSessionMaxLifespan, nil},
		"clientOfflineSessionIdleTimeout": {&r.ClientOfflineSessionIdleTimeout, nil},
		"clientOfflineSessionMaxLifespan": {&r.ClientOfflineSessionMaxLifespan, nil},
	}
}

type attributeSetting struct {
	setting  **int
	standard *int
}

// showAttributes keeps the settings that are also attributes in step: once
// posted, they show among them.
func showAttributes(doc, posted *rep.Realm) {
	if doc.Attributes == nil {
		return
	}
	for attr, m := range attributeSettings(posted) {
		if *m.setting != nil {
			doc.Attributes[attr] = strconv.Itoa(**m.setting)
		}
	}
}

// attrReusable is where Keycloak keeps whether one-time codes may be used twice.
const attrReusable = "realmReusableOtpCode"

// oneAddress keeps apart what excludes each other: two users with one address,
// and an address to log in by. What is posted last wins, in Keycloak's order.
// Keycloak: RealmAdapter.setDuplicateEmailsAllowed and the like.
func oneAddress(doc, posted *rep.Realm) {
	if rep.Val(posted.RegistrationEmailAsUsername) || rep.Val(posted.LoginWithEmailAllowed) {
		doc.DuplicateEmailsAllowed = new(false)
	}
	if posted.DuplicateEmailsAllowed != nil {
		doc.DuplicateEmailsAllowed = posted.DuplicateEmailsAllowed
		if *posted.DuplicateEmailsAllowed {
			doc.LoginWithEmailAllowed, doc.RegistrationEmailAsUsername = new(false), new(false)
		}
	}
}

// ownDefaults are attributes that a realm never loses, with what an update
// makes of them that does not name them.
var ownDefaults = map[string]string{
	"cibaBackchannelTokenDeliveryMode": "poll", "cibaExpiresIn": "120", "cibaInterval": "5", "cibaAuthRequestedUserHint": "login_hint",
	"parRequestUriLifespan": "60",
}

// forget gives the settings that are also attributes, and are not posted, what
// an update without them means.
// Keycloak: DefaultExportImportManager.updateRealm, updateCibaSettings, updateParSettings, OAuth2DeviceConfig.
func forget(doc, posted *rep.Realm) {
	if doc.Attributes == nil {
		doc.Attributes = map[string]string{}
	}
	for attr, value := range ownDefaults {
		if given, ok := posted.Attributes[attr]; ok {
			value = given
		}
		doc.Attributes[attr] = value
	}
	own := attributeSettings(doc)
	for attr, m := range attributeSettings(posted) {
		switch {
		case *m.setting != nil:
		case m.standard != nil:
			*own[attr].setting = m.standard
			doc.Attributes[attr] = strconv.Itoa(*m.standard)
		case posted.Attributes != nil:
			n, _ := strconv.Atoi(posted.Attributes[attr])
			*own[attr].setting = &n
		}
	}
}

// usualAlgorithms are those of passkeys where a realm names none.
// Keycloak: DefaultExportImportManager.getWebAuthnPolicy.
func usualAlgorithms(r *rep.Realm) {
	for _, list := range []*[]string{&r.WebAuthnPolicySignatureAlgorithms, &r.WebAuthnPolicyPasswordlessSignatureAlgorithms} {
		if *list != nil && len(*list) == 0 {
			*list = []string{"ES256", "RS256"}
		}
	}
}

// otpApplications are those that can do what the realm's policy asks for.
// Keycloak: FreeOTPProvider, GoogleAuthenticatorProvider, MicrosoftAuthenticatorOTPProvider.
func otpApplications(r *rep.Realm) []string {
	list := []string{"totpAppFreeOTPName"}
	totp, usual := r.OTPPolicyType == "totp", rep.Val(r.OTPPolicyPeriod) == 30
	if !totp || usual {
		list = append(list, "totpAppGoogleName")
	}
	if totp && usual && rep.Val(r.OTPPolicyDigits) == 6 && r.OTPPolicyAlgorithm == "HmacSHA1" {
		list = append(list, "totpAppMicrosoftAuthenticatorName")
	}
	return list
}

// ownAttribute names the attributes that a realm never loses: settings that
// Keycloak shows among the attributes. Keycloak: CibaConfig, ParConfig, OAuth2DeviceConfig.
func ownAttribute(name string) bool {
	return strings.HasPrefix(name, "ciba") || strings.HasPrefix(name, "oauth2Device") || name == "parRequestUriLifespan"
}

// rename gives a realm another name, and with it its client in the master
// realm and the addresses of its own clients. Keycloak:
// DefaultExportImportManager.renameRealm.
func (m *Manager) rename(ctx context.Context, tx *store.Tx, row *store.RealmRow, name string) error {
	if row.Name == Master {
		return iam.Errorf(iam.Invalid, "Can't rename master realm")
	}
	if err := checkName(name); err != nil {
		return err
	}
	if _, err := tx.RealmByName(ctx, name); err == nil {
		return errExists("Realm with same name exists")
	}
	old := row.Name
	row.Name = name
	for client, part := range map[string]string{ClientAdminConsole: "/admin/%s/", ClientAccount: "/realms/%s/",
		ClientAccountConsole: "/realms/%s/"} {
		c, err := tx.ClientByName(ctx, row.ID, client)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		doc := new(rep.Client)
		if err := rep.Unmarshal(c.Doc, doc); err != nil {
			return err
		}
		moved := strings.NewReplacer(fmt.Sprintf(part, iam.PathName(old)), fmt.Sprintf(part, iam.PathName(name)))
		if doc.BaseURL != nil {
			doc.BaseURL = new(moved.Replace(*doc.BaseURL))
		}
		for i, uri := range doc.RedirectURIs {
			doc.RedirectURIs[i] = moved.Replace(uri)
		}
		if c.Doc, err = rep.Marshal(doc); err != nil {
			return err
		}
		if err := tx.UpdateClient(ctx, row.ID, c); err != nil {
			return err
		}
	}
	return m.changeMaster(ctx, tx, MasterClient(old), func(master iam.RealmID, c store.ClientRow) error {
		doc := new(rep.Client)
		if err := rep.Unmarshal(c.Doc, doc); err != nil {
			return err
		}
		c.ClientID, doc.ClientID = MasterClient(name), MasterClient(name)
		var err error
		if c.Doc, err = rep.Marshal(doc); err != nil {
			return err
		}
		return tx.UpdateClient(ctx, master, c)
	})
}

func setDefaultGroups(ctx context.Context, tx *store.Tx, realm iam.RealmID, paths []string) error {
	groups, err := tx.Groups(ctx, realm)
	if err != nil {
		return err
	}
	pathOf := pathsOf(groups)
	found := 0
	for _, g := range groups {
		want := slices.ContainsFunc(paths, func(p string) bool { return groupPath(p) == pathOf[g.ID] })
		if want {
			found++
		}
		if g.Default != want {
			g.Default = want
			if err := tx.UpdateGroup(ctx, realm, g); err != nil {
				return err
			}
		}
	}
	if found < len(paths) {
		return iam.Errorf(iam.Invalid, "Failed to update realm")
	}
	return nil
}

// pathsOf gives each group's path, "/a/b".
func pathsOf(groups []store.GroupRow) map[iam.GroupID]string {
	byID := map[iam.GroupID]store.GroupRow{}
	for _, g := range groups {
		byID[g.ID] = g
	}
	paths := map[iam.GroupID]string{}
	for _, g := range groups {
		path := ""
		for id, depth := g.ID, 0; id != "" && depth <= len(groups); id, depth = byID[id].Parent, depth+1 {
			path = "/" + byID[id].Name + path
		}
		paths[g.ID] = path
	}
	return paths
}
