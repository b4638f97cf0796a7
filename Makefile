# make run     builds latchkey and runs it for development: loopback, SQLite in ./data, admin/admin
# make test    everything that must pass; what a machine lacks is skipped, and said
# make bench   the measures of doc/performance.md, against the reference where Java and Maven are installed
# make scale   how much longer things take in a large realm: N=1000000 ENGINE=sqlite, or postgres
# make attacks what attackers would try, on both engines, within two minutes
# make fuzz    each fuzz target for 20 s (FUZZTIME=30m for longer)

GO ?= go
N ?= 1000000
ENGINE ?= sqlite

.PHONY: build run test bench scale attacks fuzz
build:
	packaging/console
	packaging/translations/get
	GO="$(GO)" packaging/build bin/latchkey
run: build
	bin/latchkey start-dev
test:
	test/all
bench:
	env $$(packaging/crypto) $(GO) test -run '^$$' -bench 'Sign|Argon2id' ./internal/jose ./internal/passhash
	$(GO) test -count=1 -v -timeout 2h ./test/bench -measure
	RSA=go $(GO) test -count=1 -v -timeout 2h ./test/bench -measure -run TestCompare
scale:
	$(GO) test -count=1 -v -timeout 6h ./test/scale -args -measure -n $(N) -engine $(ENGINE)
attacks:
	$(GO) test -count=1 -v -timeout 5m ./test/attacks
fuzz:
	test/fuzz
