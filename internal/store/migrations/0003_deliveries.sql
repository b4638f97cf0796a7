-- +goose Up
-- What other servers are told, once each, and again until they have heard it:
-- back-channel logouts and webhooks. doc is what to tell, null once it arrived.
-- client_id, user_id and session_id are '' where it is about none; hook_id is
-- the webhook's component. due_at is when to try next, or, while somebody
-- tries, until when nobody else does; of a finished one when it finished.
create table deliveries (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  kind text not null,
  event text not null,
  hook_id text not null,
  client_id text not null,
  user_id text not null,
  session_id text not null,
  created_at bigint not null,
  due_at bigint not null,
  attempts bigint not null,
  state text not null,
  last_error text not null,
  delivered_at bigint not null,
  shard bigint not null,
  doc bytea,
  primary key (realm_id, id)
);
create index deliveries_due on deliveries (shard, due_at) where state = 'due';
create index deliveries_finished on deliveries (shard, due_at) where state <> 'due';
create index deliveries_session on deliveries (realm_id, session_id);
create index deliveries_user on deliveries (realm_id, user_id, created_at);
create index deliveries_client on deliveries (realm_id, client_id, id);
create index deliveries_open on deliveries (realm_id, state, id) where state <> 'delivered';
