CREATE TABLE "source_devices" (
	"source_id" text NOT NULL,
	"gpu_key" bigint NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	CONSTRAINT "source_devices_pkey" PRIMARY KEY("gpu_key","source_id")
);
--> statement-breakpoint
CREATE TABLE "source_readings" (
	"source_id" text NOT NULL,
	"hour" timestamp with time zone NOT NULL,
	"interval_ms" double precision NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	"due" bigint NOT NULL,
	"received" bigint NOT NULL,
	"late" bigint NOT NULL,
	"frozen" bigint NOT NULL,
	"quarantined" bigint NOT NULL,
	"missed" jsonb NOT NULL,
	CONSTRAINT "source_readings_pkey" PRIMARY KEY("source_id","hour")
);
--> statement-breakpoint
CREATE INDEX "source_readings_hour" ON "source_readings" USING btree ("hour");