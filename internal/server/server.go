package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"latchkey/internal/account"
	"latchkey/internal/admin"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/steps"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/bearer"
	"latchkey/internal/broker"
	"latchkey/internal/clientauth"
	"latchkey/internal/clients"
	"latchkey/internal/console"
	"latchkey/internal/deliveries"
	"latchkey/internal/doctor"
	"latchkey/internal/emails"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/jobs"
	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/login"
	"latchkey/internal/logout"
	"latchkey/internal/mail"
	"latchkey/internal/oidc"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/registration"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// Server is an assembled Latchkey. Make it with New; Close it after Run.
type Server struct {
	cfg      Config
	log      *slog.Logger
	metrics  *telemetry.Metrics
	hostname *web.Hostname
	handler  http.Handler
	setup    *setup // nil unless an administrator is still to be made

	db        *store.DB
	realms    *realms.Cache
	pages     *pages.Set
	jobs      []jobs.Job // run by Run until the last request is answered
	readiness readiness
	stopping  atomic.Bool
	closers   []func() error // run by Close, the last first
}

// hashMemory bounds what password hashes under way take together, in bytes.
const hashMemory = 64 << 20

// New checks the options and wires every room, top to bottom. It listens
// nowhere yet.
func New(ctx context.Context, cfg Config) (_ *Server, err error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, metrics: telemetry.NewMetrics()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.log, err = newLog(cfg, s.metrics); err != nil {
		return nil, err
	}
	if s.hostname, err = web.NewHostname(cfg.Hostname); err != nil {
		return nil, err
	}

	if s.db, err = awaitStore(ctx, cfg, s.log); err != nil {
		return nil, err
	}
	s.readiness.probe, s.closers = s.db.Probe, append(s.closers, s.db.Close)

	set, err := pages.New(pages.Options{
		Themes: pages.NewThemes(cfg.ThemesFrom(), cfg.Dev, time.Now, s.log), ResourcesPath: cfg.HTTP.RelativePath + resourcesPath})
	if err != nil {
		return nil, err
	}
	s.pages = set
	s.realms = realms.NewCache(s.db)
	maker := keys.NewMaker(s.db.Now)
	outgoing, notify := deliveries.New(s.realms, s.log, s.metrics), web.NewClient(web.Notification).Send
	live := sessions.New(s.db, deliveries.NewHooks(outgoing, notify, sessionLog(cfg, s.log)))
	people := newUsers(s.db, cfg, live)
	manager := newManager(s.db, s.realms, maker, people, live)
	if cfg.ImportRealm {
		o := ImportOptions{Path: cfg.ImportFrom(), OnConflict: OnConflictSkip, AcceptGaps: cfg.ImportAcceptGaps,
			Env: os.LookupEnv, Out: os.Stderr}
		if err := importFiles(ctx, manager, o); err != nil {
			return nil, err
		}
	}
	if err := bootstrap(ctx, cfg, s.realms, manager); err != nil {
		return nil, err
	}
	signers := &keys.Service{Cache: s.realms, Maker: maker, Log: s.log}
	standings := roles.New(s.db)
	issuer := &tokens.Issuer{Keys: signers, Roles: standings, Now: s.db.Now}
	mails := emails.New(set, mail.NewSender(web.NewClient(web.MailToken), nil, time.Now, s.log), outgoing, s.db, issuer, s.log)
	counter := records.NewCounter(s.db)
	log := events.New(s.db, s.log, s.metrics, counter.Refused, mails.Listener(people))
	notifier := logout.New(issuer, outgoing, notify, web.NewClient(web.AdminURL).Post, s.log,
		map[iam.Protocol]logout.Protocol{iam.OIDC: logout.OIDC{Issuer: issuer}})
	brokers := broker.New(broker.Config{Users: people, Roles: standings, Keys: signers, Client: web.NewClient(web.Provider), Now: s.db.Now})
	ender := &logout.Ender{Sessions: live, Notifier: notifier, Broker: brokers}
	engine := steps.New(steps.Rooms{Users: people, Roles: standings, Sessions: live, Ender: ender, Emails: mails})
	required, keeper := actions.New(actions.Rooms{Users: people, Roles: standings, Ender: ender, Emails: mails}), tabs.New(s.db)
	judge := &bearer.Service{Sessions: live, Users: people, Roles: standings, Issuer: issuer, Now: s.db.Now}
	proofs := clientauth.New(live, s.db.Now)
	protocol := oidc.New(oidc.Config{
		Realms: s.realms, Keys: signers, Sessions: live, Bearer: judge, ClientAuth: proofs, Events: log, Pages: set, Hostname: s.hostname,
		Log: s.log, Now: s.db.Now,
		Issuer: issuer, Engine: engine, Broker: brokers, Actions: required, Users: people, Ender: ender, Tabs: keeper, Counter: counter,
	})
	door := login.New(login.Config{
		Realms: s.realms, Keys: signers, Sessions: live, Issuer: issuer, Judge: judge, Events: log, Tabs: keeper, Engine: engine,
		Actions: required, Pages: set, Hostname: s.hostname, Log: s.log,
		Users: people, Broker: brokers, Protocols: map[iam.Protocol]login.Protocol{iam.OIDC: protocol},
	})

	registered := clients.New(s.realms, issuer, live)
	examiner := &doctor.Service{Cache: s.realms, Manager: manager, Clients: registered}
	explainer := &records.Explainer{Records: counter, Sessions: live, Users: people, Issuer: issuer}
	explorer := &records.Explorer{DB: s.db, Sessions: live, Judge: judge, Counter: counter, Events: log, Realms: s.realms}
	administration := (&admin.Handler{
		Metadata: web.NewClient(web.Metadata),
		Explorer: explorer, Why: explainer,
		Realms: s.realms, Manager: manager, Started: s.db.Now(), RSA: jose.RSA(), Clients: registered, Sessions: live, Events: log,
		Hostname: s.hostname, Log: s.log,
		Mails: mails, Pages: set,
		Users: people, Roles: standings, Issuer: issuer, Doctor: examiner, Deliveries: outgoing, Ender: ender,
		Browsers:     door,
		Authenticate: (&admin.Bearer{Realms: s.realms, Judge: judge, Hostname: s.hostname, Counter: counter}).Authenticate,
	}).Mux()

	built, err := console.Embedded()
	if err != nil && !errors.Is(err, console.ErrNotBuilt) {
		return nil, err
	}
	consoles := console.New(console.Config{Realms: s.realms, Pages: set, Hostname: s.hostname, Log: s.log,
		ResourcesPath: cfg.HTTP.RelativePath + resourcesPath}, built)
	own := &account.Handler{
		Page:     consoles.Account(),
		Explorer: explorer,
		Realms:   s.realms, Users: people, Roles: standings, Sessions: live, Events: log, Texts: set.Texts(), Hostname: s.hostname, Log: s.log,
		Authenticate: (&account.Bearer{Judge: judge, Hostname: s.hostname, Counter: counter}).Authenticate, Ender: ender,
	}

	s.jobs = s.table(periodic{keys: maker, sessions: live, counter: counter, deliveries: outgoing, events: log, doctor: examiner})

	mux := http.NewServeMux()
	s.frontRoutes(mux, set, consoles)
	if s.cfg.SetupLink != nil && !cfg.Bootstrap.Set() {
		s.setup, err = newSetup(ctx, &setup{db: s.db, realms: s.realms, pages: set, hash: people.FirstPassword, fail: s.internalError})
		if err != nil {
			return nil, err
		}
		if s.setup != nil {
			s.setup.routes(mux)
		}
	}
	protocol.Routes(mux, door)
	(&registration.Handler{
		Realms: s.realms, Clients: registered, Judge: judge, ClientAuth: proofs, Roles: standings, Events: log, Hostname: s.hostname,
		Log: s.log, Now: s.db.Now,
		Lookup: net.DefaultResolver.LookupHost,
	}).Routes(mux)
	door.Mount(mux)
	own.Routes(mux)
	consoles.Routes(mux)
	mux.Handle("/admin/", administration)
	if s.handler, err = s.front(mux); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler is everything that the server answers outside of management.
func (s *Server) Handler() http.Handler { return s.handler }

// Close gives back what New took. No request may be under way.
func (s *Server) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// sessionLog is where beginnings and ends of sessions are logged, nil for nowhere.
func sessionLog(cfg Config, log *slog.Logger) *slog.Logger {
	if cfg.LogSessions {
		return log
	}
	return nil
}

func newLog(cfg Config, metrics *telemetry.Metrics) (*slog.Logger, error) {
	if cfg.LogTo == nil {
		cfg.LogTo = os.Stderr
	}
	lines := telemetry.NewWriter(cfg.LogTo)
	err := metrics.Gauge("log_lines_lost", "Lines that the log's reader did not take.", func() float64 { return float64(lines.Lost()) })
	if err != nil {
		return nil, err
	}
	return telemetry.NewLogger(lines, cfg.Log)
}
