// Package pages draws what Latchkey shows people in a browser: the login pages, the pages of required actions, consent, logout, errors and
// notices, and the few pages that exist for keycloak-js. There is one struct for each page; [Set.Render] turns it, with a [Request] that
// says
// where and for whom it is shown, into HTML. Texts go by Keycloak's message keys, so that a realm's own texts carry over; forms, their
// fields, links and messages are those of Keycloak's default theme, so that people, password managers and tests find them, while the looks
// are
// Latchkey's own. Templates, texts and resources are embedded, and themes can replace any of them (Themes). The package
// writes
// bytes: status and headers are the door's.
package pages
