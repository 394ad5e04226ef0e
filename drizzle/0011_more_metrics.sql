SELECT drop_rollups();--> statement-breakpoint
ALTER TABLE "telemetry" ADD COLUMN "memory_capacity_mb" double precision;--> statement-breakpoint
ALTER TABLE "telemetry" ADD COLUMN "clock_event_reasons" double precision;--> statement-breakpoint
ALTER TABLE "telemetry" ADD COLUMN "row_remap_pending" double precision;--> statement-breakpoint
ALTER TABLE "telemetry" ADD COLUMN "xid_errors_total" double precision;--> statement-breakpoint
ALTER TABLE "telemetry" ADD COLUMN "clock_events_total" double precision;--> statement-breakpoint
SELECT create_rollups();
