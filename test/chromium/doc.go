// Package chromium drives the system's Chromium, headless, for tests that need
// a real browser: cookies of several sites, frames, scripts, restarts. It also
// fetches keycloak-js, the library that runs in it. Where Chromium or npm is
// missing, the test is skipped, and says so.
package chromium
