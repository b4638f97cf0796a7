// Command latchkey is the identity server and the tools around it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"latchkey/internal/cli"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader of the log that goes away ends nothing
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
