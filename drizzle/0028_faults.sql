CREATE TABLE "fault_changes" (
	"sequence" bigint PRIMARY KEY NOT NULL,
	"fault_id" text NOT NULL,
	"ordinal" integer NOT NULL,
	"state" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"value" double precision,
	"why" text NOT NULL,
	"author" text NOT NULL,
	"comment" text NOT NULL,
	"told_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "fault_changes_ordinal" UNIQUE("fault_id","ordinal")
);
--> statement-breakpoint
CREATE TABLE "fault_leader" (
	"row" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"term" bigint NOT NULL,
	"leader" text NOT NULL,
	"since" timestamp with time zone DEFAULT now() NOT NULL,
	"batch" bigint DEFAULT 0 NOT NULL,
	"sequence" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "fault_leader_one_row" CHECK ("fault_leader"."row" = 1)
);
--> statement-breakpoint
CREATE TABLE "fault_requests" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "fault_requests_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"kind" text NOT NULL,
	"fault_id" text NOT NULL,
	"cluster_id" text NOT NULL,
	"hostname" text NOT NULL,
	"uuid" text NOT NULL,
	"author" text NOT NULL,
	"comment" text NOT NULL,
	"requested_at" timestamp with time zone DEFAULT now() NOT NULL,
	"done_at" timestamp with time zone,
	"outcome" text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "fault_silences" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "fault_silences_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"matchers" jsonb NOT NULL,
	"within" jsonb,
	"author" text NOT NULL,
	"reason" text NOT NULL,
	"starts_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone,
	"ended_by" text
);
--> statement-breakpoint
CREATE TABLE "fault_states" (
	"kind" text NOT NULL,
	"place" text NOT NULL,
	"state" text NOT NULL,
	"saved_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "fault_states_pkey" PRIMARY KEY("kind","place")
);
--> statement-breakpoint
CREATE TABLE "faults" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"rule" text NOT NULL,
	"severity" text NOT NULL,
	"summary" text NOT NULL,
	"kind" text NOT NULL,
	"cluster_id" text NOT NULL,
	"hostname" text NOT NULL,
	"uuid" text NOT NULL,
	"job" text NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"holders" jsonb NOT NULL,
	"action" text NOT NULL,
	"runbook" text NOT NULL,
	"state" text NOT NULL,
	"state_since" timestamp with time zone NOT NULL,
	"fired_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"value" double precision,
	"why" text NOT NULL,
	"acknowledged_by" text,
	"acknowledged_at" timestamp with time zone,
	"comment" text,
	"changes" integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX "fault_requests_open" ON "fault_requests" USING btree ("id") WHERE "fault_requests"."done_at" is null;--> statement-breakpoint
CREATE INDEX "fault_silences_ends" ON "fault_silences" USING btree ("ends_at");--> statement-breakpoint
CREATE INDEX "faults_started" ON "faults" USING btree ("started_at","id");--> statement-breakpoint
CREATE INDEX "faults_lasting" ON "faults" USING btree ("started_at","id") WHERE "faults"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "faults_ended" ON "faults" USING btree ("ended_at");--> statement-breakpoint
CREATE INDEX "faults_uuid" ON "faults" USING btree ("uuid","started_at");