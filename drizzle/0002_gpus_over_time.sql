CREATE SEQUENCE "gpu_revision" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "gpu_attributes" (
	"gpu_key" integer NOT NULL,
	"valid_from" timestamp with time zone NOT NULL,
	"cluster_id" text NOT NULL,
	"hostname" text NOT NULL,
	"gpu_id" integer NOT NULL,
	"device" text NOT NULL,
	"model_name" text NOT NULL,
	"driver_version" text NOT NULL,
	"properties" jsonb NOT NULL,
	CONSTRAINT "gpu_attributes_pkey" PRIMARY KEY("gpu_key","valid_from")
);
--> statement-breakpoint
CREATE TABLE "gpu_workloads" (
	"gpu_key" integer NOT NULL,
	"valid_from" timestamp with time zone NOT NULL,
	"container" text NOT NULL,
	"pod" text NOT NULL,
	"namespace" text NOT NULL,
	CONSTRAINT "gpu_workloads_pkey" PRIMARY KEY("gpu_key","valid_from")
);
--> statement-breakpoint
DROP INDEX "telemetry_time";--> statement-breakpoint
ALTER TABLE "gpus" ADD COLUMN "revision" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "gpus_revision" ON "gpus" USING btree ("revision");--> statement-breakpoint
CREATE INDEX "telemetry_time" ON "telemetry" USING btree ("time");--> statement-breakpoint
-- What was known before this migration: attributes hold since a GPU was first seen, workloads are in its records.
INSERT INTO "gpu_attributes"
SELECT "gpu_key", "first_seen_at", "cluster_id", "hostname", "gpu_id", "device", "model_name", "driver_version", "properties"
FROM "gpus";--> statement-breakpoint
INSERT INTO "gpu_workloads"
SELECT "gpu_key", "time", "container", "pod", "namespace" FROM (
	SELECT "gpu_key", "time", "container", "pod", "namespace",
		lag(("container", "pod", "namespace")) OVER (PARTITION BY "gpu_key" ORDER BY "time") AS "before"
	FROM (
		SELECT "gpu_key", "time", coalesce("container", '') AS "container", coalesce("pod", '') AS "pod",
			coalesce("namespace", '') AS "namespace"
		FROM "telemetry"
	) AS "workloads"
) AS "changes" WHERE "before" IS DISTINCT FROM ("container", "pod", "namespace");
