CREATE TABLE "usage_hours" (
	"from_at" timestamp with time zone NOT NULL,
	"first_key" bigint NOT NULL,
	"last_key" bigint NOT NULL,
	"devices" integer NOT NULL,
	"spans" integer NOT NULL,
	"columns" "bytea" NOT NULL,
	"holders" json NOT NULL,
	CONSTRAINT "usage_hours_pkey" PRIMARY KEY("from_at","first_key")
);
--> statement-breakpoint
ALTER TABLE "usage_hours" ALTER COLUMN "columns" SET STORAGE EXTERNAL;
