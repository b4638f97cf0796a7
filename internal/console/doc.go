// Package console is the door that shows browsers the admin and the account console: Keycloak's own pages, with ours about sessions in
// them, as ui/ builds them. It serves two pages with what their scripts need to know, the built files, and the consoles' texts with a
// realm's own among
// them. Whatever else the consoles do they do by the admin and the account REST. Files are embedded compressed and stay so in memory; a
// server that was built
// without them says how to get them.
package console
