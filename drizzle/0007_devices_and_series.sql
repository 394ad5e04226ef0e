-- What the inputs report about a GPU is kept as it was reported: a report leaves fields empty, and late reports change what
-- holds afterwards. The workloads that hold a GPU are a set. The rollups stay: no metric's column changes.
DO $$
BEGIN
  -- in the order in which programs lock them; programs that run wait until the end
  LOCK TABLE "ingested_messages", "gpus", "telemetry", "gpu_workloads", "gpu_attributes" IN ACCESS EXCLUSIVE MODE;
END
$$;
--> statement-breakpoint
CREATE TABLE "gpu_reports" (
	"gpu_key" bigint NOT NULL,
	"valid_from" timestamp with time zone NOT NULL,
	"attributes_id" bigint NOT NULL,
	CONSTRAINT "gpu_reports_pkey" PRIMARY KEY("gpu_key","valid_from")
);
--> statement-breakpoint
CREATE TABLE "reported_attributes" (
	"gpu_key" bigint NOT NULL,
	"attributes_id" bigint NOT NULL,
	"cluster_id" text NOT NULL,
	"hostname" text NOT NULL,
	"gpu_id" integer NOT NULL,
	"device" text NOT NULL,
	"model_name" text NOT NULL,
	"driver_version" text NOT NULL,
	"properties" jsonb NOT NULL,
	CONSTRAINT "reported_attributes_pkey" PRIMARY KEY("gpu_key","attributes_id")
);
--> statement-breakpoint
ALTER TABLE "gpu_workloads" ADD COLUMN "occupants" jsonb DEFAULT '[]' NOT NULL;--> statement-breakpoint
UPDATE "gpu_workloads"
SET "occupants" = jsonb_build_array(jsonb_build_object('container', "container", 'pod', "pod", 'namespace', "namespace"))
WHERE "container" <> '' OR "pod" <> '' OR "namespace" <> '';--> statement-breakpoint
ALTER TABLE "gpu_workloads" ALTER COLUMN "occupants" DROP DEFAULT;--> statement-breakpoint
ALTER TABLE "gpu_workloads" DROP COLUMN "container";--> statement-breakpoint
ALTER TABLE "gpu_workloads" DROP COLUMN "pod";--> statement-breakpoint
ALTER TABLE "gpu_workloads" DROP COLUMN "namespace";--> statement-breakpoint
ALTER TABLE "ingested_messages" ADD COLUMN "conflicts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "telemetry" ADD COLUMN "occupants" jsonb;--> statement-breakpoint
ALTER TABLE "telemetry" ADD COLUMN "attributes_id" bigint;--> statement-breakpoint
-- What was reported before is not known, only what followed from it: each stored state of a GPU becomes a report. The records keep
-- NULL, which means the report at their instant. The numbers are small, so attributesIdOf gives none of them to other attributes.
INSERT INTO "reported_attributes"
SELECT "gpu_key", row_number() OVER (PARTITION BY "gpu_key" ORDER BY "valid_from"), "cluster_id", "hostname", "gpu_id", "device",
	"model_name", "driver_version", "properties"
FROM "gpu_attributes";--> statement-breakpoint
INSERT INTO "gpu_reports"
SELECT "gpu_key", "valid_from", row_number() OVER (PARTITION BY "gpu_key" ORDER BY "valid_from") FROM "gpu_attributes";
