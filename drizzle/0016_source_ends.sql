CREATE TABLE "source_ends" (
	"source_id" text NOT NULL,
	"ended_at" timestamp with time zone NOT NULL,
	CONSTRAINT "source_ends_pkey" PRIMARY KEY("source_id","ended_at")
);
--> statement-breakpoint
CREATE TABLE "source_misses" (
	"source_id" text NOT NULL,
	"hour" timestamp with time zone NOT NULL,
	"reason" text NOT NULL,
	"spans" "tstzmultirange" NOT NULL,
	CONSTRAINT "source_misses_pkey" PRIMARY KEY("source_id","hour","reason")
);
--> statement-breakpoint
CREATE INDEX "source_ends_ended" ON "source_ends" USING btree ("ended_at");--> statement-breakpoint
CREATE INDEX "source_misses_hour" ON "source_misses" USING btree ("hour");