-- +goose Up
-- Guesses that are being compared, counted by the minute that they began in:
-- those of the minute before may still be at it. last_pause is the time between
-- the last two failures in milliseconds, -1 when there was only one.
alter table login_failures add column guess_minute bigint not null default 0;
alter table login_failures add column guesses bigint not null default 0;
alter table login_failures add column guesses_before bigint not null default 0;
alter table login_failures add column last_pause bigint not null default -1;
