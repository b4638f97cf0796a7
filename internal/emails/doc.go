// Package emails writes to users what a login needs them to read: the links that
// verify an address and reset credentials. No realm can send mail yet.
package emails
