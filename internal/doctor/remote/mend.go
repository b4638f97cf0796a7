package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"latchkey/internal/doctor"
	"latchkey/internal/rep"
)

// Examine examines a realm. A Latchkey is asked for its own doctor's report,
// which knows more.
func (s *Server) Examine(ctx context.Context, realm string, unusedAfter time.Duration, f doctor.Filter) (*doctor.Report, error) {
	query := url.Values{"severity": {string(f.Severity)}, "check": {f.Check}, "client": {f.Client}}
	if unusedAfter > 0 {
		query.Set("days", fmt.Sprint(int(unusedAfter/(24*time.Hour))))
	}
	data, err := s.admin(ctx, http.MethodGet, "/"+url.PathEscape(realm)+"/doctor?"+query.Encode(), nil)
	switch {
	case err == nil:
		r := new(doctor.Report)
		if err := json.Unmarshal(data, r); err != nil {
			return nil, fmt.Errorf("the server's own report: %w", err)
		}
		return r, nil
	case status(err) != http.StatusNotFound && status(err) != http.StatusMethodNotAllowed:
		return nil, err
	}
	e, err := s.Collect(ctx, realm, unusedAfter)
	if err != nil {
		return nil, err
	}
	return doctor.Examine(e, f), nil
}

// Apply makes the changes of a preview. On a Latchkey its own doctor does, and
// keeps a record; elsewhere the record is the caller's to keep.
func (s *Server) Apply(ctx context.Context, realm string, on doctor.Product, p *doctor.Preview) (*doctor.Record, error) {
	if on == doctor.Latchkey {
		body, err := json.Marshal(map[string]string{"fix": p.Fix.ID, "expect": p.Expect})
		if err != nil {
			return nil, err
		}
		data, err := s.admin(ctx, http.MethodPost, "/"+url.PathEscape(realm)+"/doctor/"+url.PathEscape(p.Finding)+"/fix", body)
		if err != nil {
			return nil, err
		}
		rec := new(doctor.Record)
		return rec, json.Unmarshal(data, rec)
	}
	rec := &doctor.Record{ID: uuid.Must(uuid.NewV7()).String(), Finding: p.Finding, Fix: p.Fix.ID, Made: s.Now().UnixMilli(), MadeBy: s.who(),
		Changes: p.Changes}
	return rec, s.Change(ctx, realm, p.Changes)
}

// who is the account that changes are made by.
func (s *Server) who() string {
	if s.Credentials.User != "" {
		return s.Credentials.User
	}
	return s.Credentials.ClientID
}

// Undo takes a fix back by its record.
func (s *Server) Undo(ctx context.Context, realm string, on doctor.Product, rec *doctor.Record) error {
	if on == doctor.Latchkey {
		_, err := s.admin(ctx, http.MethodPost, "/"+url.PathEscape(realm)+"/doctor/fixes/"+url.PathEscape(rec.ID)+"/undo", nil)
		return err
	}
	return s.Change(ctx, realm, doctor.Reversed(rec.Changes))
}

// Change makes changes through the admin REST, once all of them are found to be
// as the changes expect; else the error is a *doctor.ChangedError. When one
// fails, those before it are taken back.
func (s *Server) Change(ctx context.Context, realm string, list []doctor.Change) error {
	at := "/" + url.PathEscape(realm)
	var differs []doctor.Difference
	for _, c := range list {
		now, err := s.current(ctx, at, &c)
		if err != nil {
			return err
		}
		if !doctor.Same(now, c.Before) {
			differs = append(differs, doctor.Difference{Change: c, Now: now})
		}
	}
	if len(differs) > 0 {
		return &doctor.ChangedError{Differences: differs}
	}
	for i, c := range list {
		err := s.changeOne(ctx, at, &c)
		if err == nil {
			var now jsontext.Value
			if now, err = s.current(ctx, at, &c); err == nil && !doctor.Same(now, c.After) {
				err = fmt.Errorf("%s: the server took the change and shows %s", c, now)
			}
		}
		if err != nil {
			return errors.Join(err, s.takeBack(context.WithoutCancel(ctx), at, list[:i+1]))
		}
	}
	return nil
}

// takeBack takes back what was done of changes, the last of which may be half done.
func (s *Server) takeBack(ctx context.Context, at string, list []doctor.Change) error {
	var errs []error
	for _, c := range doctor.Reversed(list) {
		now, err := s.current(ctx, at, &c)
		if err == nil && doctor.Same(now, c.After) {
			continue // never done
		}
		if err == nil && c.Member == doctor.MemberScope {
			c.Before = now // half done: what is there is what is taken away
		}
		if err == nil {
			err = s.changeOne(ctx, at, &c)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("not taken back: %s: %w", c, err))
		}
	}
	return errors.Join(errs...)
}

// object reads the realm or client that a change is about.
func (s *Server) object(ctx context.Context, at string, c *doctor.Change) (jsontext.Value, string, error) {
	if c.Subject.Kind == doctor.KindClient {
		at += "/clients/" + url.PathEscape(c.Subject.ID)
	}
	data, err := s.admin(ctx, http.MethodGet, at, nil)
	return data, at, err
}

// current reads what a change is about.
func (s *Server) current(ctx context.Context, at string, c *doctor.Change) (jsontext.Value, error) {
	if c.Member != doctor.MemberScope {
		object, _, err := s.object(ctx, at, c)
		if err != nil {
			return nil, err
		}
		return c.Current(object)
	}
	for _, a := range []doctor.Assignment{doctor.Default, doctor.Optional} {
		path := at + "/default-" + string(a) + "-client-scopes"
		if c.Subject.Kind == doctor.KindClient {
			path = at + "/clients/" + url.PathEscape(c.Subject.ID) + "/" + string(a) + "-client-scopes"
		}
		data, err := s.admin(ctx, http.MethodGet, path, nil)
		if err != nil {
			return nil, err
		}
		var list []rep.ClientScope
		if err := rep.Unmarshal(data, &list); err != nil {
			return nil, err
		}
		for _, x := range list {
			if x.ID == c.Scope.ID {
				return json.Marshal(a)
			}
		}
	}
	return json.Marshal(doctor.Unassigned)
}

func (s *Server) changeOne(ctx context.Context, at string, c *doctor.Change) error {
	if c.Member == doctor.MemberScope {
		requests, err := c.Requests()
		if err != nil {
			return err
		}
		for _, r := range requests {
			if _, err := s.admin(ctx, r.Method, at+r.Path, nil); err != nil {
				return err
			}
		}
		return nil
	}
	object, path, err := s.object(ctx, at, c)
	if err != nil {
		return err
	}
	if object, err = c.Put(object); err != nil {
		return err
	}
	if c.Subject.Kind == doctor.KindRealm {
		// A realm keeps what is not sent. A client does not in all things: without authorizationServicesEnabled
		// Keycloak's ClientResource.update drops its authorization settings; so it is sent whole, as its console does.
		var doc map[string]jsontext.Value
		if err := json.Unmarshal(object, &doc); err != nil {
			return err
		}
		member := c.Member
		if _, ok := c.Attribute(); ok {
			member = "attributes"
		}
		if object, err = json.Marshal(map[string]jsontext.Value{member: doc[member]}); err != nil {
			return err
		}
	}
	_, err = s.admin(ctx, http.MethodPut, path, object)
	return err
}
