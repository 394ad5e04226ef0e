-- The role of Grafana's data source: it reads what the dashboards ask for, and nothing else; its questions end after a minute.
-- Again after an upgrade: a version that adds metrics makes both views again.
--   psql --set=password=SECRET --file=reader.sql DATABASE_URL
\set ON_ERROR_STOP on
select not exists (select from pg_roles where rolname = 'grafana') as is_missing \gset
\if :is_missing
create role grafana login;
\endif
alter role grafana password :'password';
alter role grafana set default_transaction_read_only = on;
alter role grafana set statement_timeout = '60s';
grant select on gpus, gpu_attributes, gpu_workloads, telemetry, blocks, telemetry_all, telemetry_named, faults, fault_changes to grafana;
