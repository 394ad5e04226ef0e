CREATE TABLE "access_sessions" (
	"sha256" text PRIMARY KEY NOT NULL,
	"id" text NOT NULL,
	"issuer" text NOT NULL,
	"subject" text NOT NULL,
	"name" text NOT NULL,
	"groups" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "access_sessions_id_unique" UNIQUE("id")
);
--> statement-breakpoint
CREATE INDEX "access_sessions_subject" ON "access_sessions" USING btree ("issuer","subject");