CREATE TABLE "late_hours" (
	"hour" timestamp with time zone PRIMARY KEY NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL
);
