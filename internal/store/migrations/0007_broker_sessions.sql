-- +goose Up
-- An identity provider's logout names its own session alone.
create index user_sessions_broker on user_sessions (realm_id, broker_session) where broker_session <> '';
