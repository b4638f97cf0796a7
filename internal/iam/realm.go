package iam

import "time"

// A Realm is the configuration of one tenant. Zero durations in Lifespans mean
// what zero means in Keycloak's setting of the same name.
type Realm struct {
	ID              RealmID
	Name            string
	DisplayName     string
	DisplayNameHTML string
	LoginTheme      string // of pages; EmailTheme: of mails
	EmailTheme      string
	Enabled         bool
	SSL             SSLRequirement
	Login           LoginPolicy
	Lifespans       Lifespans
	Refresh         RefreshPolicy
	Password        PasswordPolicy
	Brute           BruteForcePolicy
	OTP             OTPPolicy
	WebAuthn        WebAuthnPolicy // of security keys as a second factor
	Passwordless    WebAuthnPolicy // of passkeys
	Flows           FlowBindings
	Events          EventsConfig
	Locale          LocalePolicy
	NotBefore       time.Time // tokens issued before are refused; zero: none
	DefaultRole     RoleID    // default-roles-<realm>
	SignatureAlg    string    // defaultSignatureAlgorithm, "RS256" unless set
	SecurityHeaders map[string]string
	Attrs           map[string]string // realm attributes as Keycloak keeps them
}

// SSLRequirement says which requests must have come over HTTPS.
type SSLRequirement string

// Keycloak's values of sslRequired.
const (
	SSLNone     SSLRequirement = "none"
	SSLExternal SSLRequirement = "external" // all but private addresses
	SSLAll      SSLRequirement = "all"
)

// LoginPolicy is what the login pages offer.
type LoginPolicy struct {
	Registration                bool
	RegistrationEmailAsUsername bool
	RememberMe                  bool
	VerifyEmail                 bool
	LoginWithEmail              bool
	DuplicateEmails             bool
	ResetPassword               bool
	EditUsername                bool
}

// ByEither reports whether people log in by name or by an address that is one's
// alone, so that nobody's name may be another's address.
func (p LoginPolicy) ByEither() bool { return p.LoginWithEmail && !p.DuplicateEmails }

// Lifespans are a realm's timeouts.
type Lifespans struct {
	AccessToken           time.Duration
	AccessTokenImplicit   time.Duration
	DeviceCode            time.Duration // oauth2DeviceCodeLifespan
	DevicePolling         time.Duration // oauth2DevicePollingInterval: between two questions of a device
	AccessCode            time.Duration // accessCodeLifespan: code to token
	UserAction            time.Duration // accessCodeLifespanUserAction
	Login                 time.Duration // accessCodeLifespanLogin: the login pages
	ActionTokenByUser     time.Duration
	ActionTokenByAdmin    time.Duration
	SSOIdle               time.Duration
	SSOMax                time.Duration
	SSOIdleRememberMe     time.Duration // 0: as SSOIdle
	SSOMaxRememberMe      time.Duration // 0: as SSOMax
	ClientIdle            time.Duration // 0: as SSOIdle
	ClientMax             time.Duration // 0: as SSOMax
	OfflineIdle           time.Duration
	OfflineMax            time.Duration // only when OfflineMaxEnabled
	OfflineMaxEnabled     bool
	ClientOfflineIdle     time.Duration // 0: as OfflineIdle
	ClientOfflineMax      time.Duration // 0: as OfflineMax
	AuthenticationSession time.Duration // how long a browser's root authentication session lives
}

// RefreshPolicy is revokeRefreshToken and refreshTokenMaxReuse.
type RefreshPolicy struct {
	Rotate   bool
	MaxReuse int
}

// BruteForcePolicy is brute force protection (DefaultBruteForceProtector).
type BruteForcePolicy struct {
	Enabled              bool
	Permanent            bool // permanentLockout
	MaxTemporaryLockouts int
	Strategy             string // "MULTIPLE" or "LINEAR"
	FailureFactor        int
	WaitIncrement        time.Duration
	QuickLoginCheck      time.Duration
	MinimumQuickWait     time.Duration
	MaxWait              time.Duration
	MaxDelta             time.Duration // failures are forgotten after
	MaxSecondaryFailures int
}

// OTPPolicy is how one-time passwords are made.
type OTPPolicy struct {
	Type            string // "totp" or "hotp"
	Algorithm       string // "HmacSHA1", "HmacSHA256", "HmacSHA512"
	Digits          int
	InitialCounter  int64
	LookAheadWindow int
	Period          time.Duration
	Reusable        bool
}

// WebAuthnPolicy is what a realm asks of authenticators, in Keycloak's words;
// "not specified" leaves a choice to the browser.
type WebAuthnPolicy struct {
	RPName, RPID       string // of the relying party; without an id it is the host
	Algorithms         []string
	Attestation        string // none, indirect, direct or enterprise
	Attachment         string // platform or cross-platform
	RequireResidentKey string // Yes or No; the older of two settings
	ResidentKey        string // required, preferred or discouraged
	UserVerification   string // required, preferred or discouraged
	Timeout            int    // seconds; 0: the browser's
	AvoidSame          bool   // an authenticator is registered once
	AAGUIDs            []string
	ExtraOrigins       []string
	Passkeys           bool   // login pages offer passkeys
	Mediation          string // how login pages offer them: conditional, optional, required, silent or none
}

// FlowBindings names the alias of the flow that each purpose uses.
type FlowBindings struct {
	Browser, DirectGrant, Registration, ResetCredentials, ClientAuthentication, FirstBrokerLogin, Docker string
}

// EventsConfig is what a realm writes down.
type EventsConfig struct {
	Enabled      bool            // store user events
	Kinds        map[string]bool // which; empty: Keycloak's default selection
	Expiration   time.Duration   // 0: keep
	AdminFor     time.Duration   // that admin events are kept; 0: for ever. Keycloak: RealmAttributes.ADMIN_EVENTS_EXPIRATION
	Listeners    []string        // "jboss-logging", ...
	Admin        bool            // store admin events
	AdminDetails bool            // with representations
}

// LocalePolicy is a realm's internationalisation.
type LocalePolicy struct {
	Enabled   bool
	Supported []string
	Default   string
	Texts     map[string]map[string]string // locale -> key -> text
}
