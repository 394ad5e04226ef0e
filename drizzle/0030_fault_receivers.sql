CREATE TABLE "fault_postponed" (
	"receiver" text NOT NULL,
	"fault_id" text NOT NULL,
	CONSTRAINT "fault_postponed_pkey" PRIMARY KEY("receiver","fault_id")
);
--> statement-breakpoint
CREATE TABLE "fault_receivers" (
	"receiver" text PRIMARY KEY NOT NULL,
	"sequence" bigint NOT NULL,
	"until" bigint NOT NULL
);
