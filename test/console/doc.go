// Package console is tests alone: both consoles in Chromium, on the assembled server. They are skipped, and say so, where the
// server was built without them (packaging/console) or there is no Chromium.
package console
