CREATE TABLE "frozen_readings" (
	"source_id" text NOT NULL,
	"hour" timestamp with time zone NOT NULL,
	"gpu_key" bigint NOT NULL,
	"readings" bigint NOT NULL,
	CONSTRAINT "frozen_readings_pkey" PRIMARY KEY("source_id","hour","gpu_key")
);
--> statement-breakpoint
CREATE INDEX "frozen_readings_hour" ON "frozen_readings" USING btree ("hour","gpu_key");