// Package mail sends one mail by SMTP, as a realm's smtpServer says. It knows nothing
// of users and links: package emails writes the mails, package deliveries repeats them.
// Send blocks until the server has taken the mail or refused it; a Failure says which.
package mail
