-- +goose Up
-- What the doctor has changed, to be taken back. changes is JSON, without secrets.
create table doctor_fixes (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  finding text not null,
  fix text not null,
  made_at bigint not null,
  made_by text not null,
  undone_at bigint not null,
  undone_by text not null,
  changes text not null,
  primary key (realm_id, id)
);
create index doctor_fixes_made on doctor_fixes (realm_id, made_at, id);
