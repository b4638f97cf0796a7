// Package login is the door below /realms/{realm}/login-actions: it walks a
// browser through authentication flows, required actions and consent. A
// protocol's door begins a login with Handler.Start and is called back at its
// end, through Finish or Refuse. Opening a page leaves no row in the database:
// until the first POST the login travels sealed in the page's own address
// (session_code, client_data), bound to the AUTH_SESSION_ID cookie; from then
// on it is a row that changes by compare-and-swap.
package login
