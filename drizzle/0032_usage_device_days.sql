CREATE TABLE "usage_device_days" (
	"from_at" timestamp with time zone NOT NULL,
	"first_host" bigint NOT NULL,
	"last_host" bigint NOT NULL,
	"entries" integer NOT NULL,
	"devices" integer NOT NULL,
	"columns" "bytea" NOT NULL,
	"names" json NOT NULL,
	"held" json NOT NULL,
	CONSTRAINT "usage_device_days_pkey" PRIMARY KEY("from_at","first_host")
);
--> statement-breakpoint
ALTER TABLE "usage_device_days" ADD CONSTRAINT "usage_device_days_from_at_usage_days_from_at_fk" FOREIGN KEY ("from_at") REFERENCES "usage_days"("from_at") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "usage_device_days" ALTER COLUMN "columns" SET STORAGE EXTERNAL;