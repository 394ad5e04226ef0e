CREATE TABLE "unscheduled_devices" (
	"source_id" text NOT NULL,
	"gpu_key" bigint NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	CONSTRAINT "unscheduled_devices_pkey" PRIMARY KEY("gpu_key","source_id")
);
--> statement-breakpoint
CREATE INDEX "unscheduled_devices_source" ON "unscheduled_devices" USING btree ("source_id","last_at");