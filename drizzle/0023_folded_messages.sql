CREATE TABLE "folded_keys" (
	"source_id" text NOT NULL,
	"part" bigint NOT NULL,
	"keys" integer NOT NULL,
	"hashes" "bytea" NOT NULL,
	"stored_at" timestamp with time zone NOT NULL,
	CONSTRAINT "folded_keys_pkey" PRIMARY KEY("source_id","part")
);
--> statement-breakpoint
CREATE TABLE "folded_ranges" (
	"source_id" text NOT NULL,
	"from_offset" bigint NOT NULL,
	"from_line" bigint NOT NULL,
	"to_offset" bigint NOT NULL,
	"to_line" bigint NOT NULL,
	CONSTRAINT "folded_ranges_pkey" PRIMARY KEY("source_id","from_offset")
);
--> statement-breakpoint
CREATE TABLE "folded_totals" (
	"source_id" text PRIMARY KEY NOT NULL,
	"messages" bigint NOT NULL,
	"rows" bigint NOT NULL,
	"samples" bigint NOT NULL,
	"missing" bigint NOT NULL,
	"duplicates" bigint NOT NULL,
	"conflicts" bigint NOT NULL,
	"blank_lines" bigint NOT NULL,
	"repeated_headers" bigint NOT NULL,
	"records_inserted" bigint NOT NULL,
	"records_merged" bigint NOT NULL,
	"rejected" jsonb NOT NULL,
	"last_offset" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "folded_keys_stored" ON "folded_keys" USING btree ("stored_at");