CREATE TABLE "usage_days" (
	"from_at" timestamp with time zone PRIMARY KEY NOT NULL,
	"fleet" text NOT NULL,
	"entries" integer NOT NULL,
	"devices" integer NOT NULL,
	"columns" "bytea" NOT NULL,
	"names" json NOT NULL
);
--> statement-breakpoint
ALTER TABLE "usage_days" ALTER COLUMN "columns" SET STORAGE EXTERNAL;
